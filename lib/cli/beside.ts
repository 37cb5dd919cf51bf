// Files that stand beside the program, and are no scripts. In the executable, which has nothing beside it, they are
// inside: scripts/executable/beside.ts stands in the place of this module.

import { readFileSync } from 'node:fs';

/** @param name as scripts/pages writes it into dist/bin */
export function textBeside(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}
