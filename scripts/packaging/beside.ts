// What stands beside the program, is no script, and must come along in every form of it: lib/cli/beside.ts reads it.

import { readdirSync } from 'node:fs';

/** @returns names in dist/bin */
export function filesBeside(): string[] {
  return readdirSync('dist/bin').filter((name) => name.endsWith('.html'));
}
