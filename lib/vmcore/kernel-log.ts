// The crashed kernel's own log, out of a dump of its memory.

import { PstoreError } from '../errors.js';
import type { CrashDump } from './crash-dump.js';
import { KernelMemory } from './kernel-memory.js';
import { LogText } from './log-text.js';
import { readOldLogBuffer } from './old-log-buffer.js';
import { readPrintkRingbuffer } from './printk-ringbuffer.js';
import { infoSymbol, type Vmcoreinfo } from './vmcoreinfo.js';

export interface KernelLog {
  readonly text: Uint8Array;
  /** Why it is not there, or not whole; null when all is well. */
  readonly trouble: string | null;
}

/** @returns undefined when VMCOREINFO does not say where a log is */
export function readKernelLog(dump: CrashDump, info: Vmcoreinfo): KernelLog | undefined {
  const prb = infoSymbol(info, 'prb');
  const logBuf = infoSymbol(info, 'log_buf');
  if (prb === undefined && logBuf === undefined) return undefined;
  const log = new LogText();
  try {
    const memory = new KernelMemory(dump, info);
    if (prb !== undefined) readPrintkRingbuffer(memory, info, prb, log);
    else readOldLogBuffer(memory, info, logBuf!, log);
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    const trouble = [error.message, log.trouble].filter((one) => one !== null).join('; ');
    return { text: log.bytes(), trouble };
  }
  return { text: log.bytes(), trouble: log.trouble };
}
