// The machine's lockdown, as Linux tells it in /sys/kernel/security/lockdown.

import { readFileSync } from 'node:fs';
import { LOCKDOWNS, type Lockdown } from './firmware.js';

/**
 * The mode that stands in brackets: `none [integrity] confidentiality`. A machine without the file has no lockdown; one
 * whose file cannot be read or understood is taken for locked.
 */
export function machineLockdown(file = '/sys/kernel/security/lockdown'): Lockdown {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'none' : 'confidentiality';
  }
  const mode = /\[([a-z]+)\]/.exec(text)?.[1];
  return LOCKDOWNS.find((known) => known === mode) ?? 'confidentiality';
}
