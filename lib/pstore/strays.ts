// Headers that belong to none of the zones that are shown: left over from a boot with other sizes, or proof that the sizes
// are wrong. They are never silent: a warning counts them, `info` lists them, salvage shows what they hold.

import type { Warnings } from '../warnings.js';

/** How many offsets a warning tells, and how many `info` lists. */
const OFFSETS_TOLD = 8;
const OFFSETS_LISTED = 64;
/** More are not shown by salvage: a finer geometry leaves many, and nearly all are empty. */
export const MAX_STRAYS = 256;

/** @param offsets ascending */
export function warnOfStrays(offsets: readonly number[], warnings: Warnings, path: string): void {
  if (offsets.length === 0) return;
  const count = offsets.length === 1 ? '1 header of a zone belongs' : `${offsets.length} headers of zones belong`;
  const what = `${count} to none of the zones that are shown (at ${offsetsText(offsets, OFFSETS_TOLD)})`;
  const why = 'they are left over from a boot with other sizes, or the sizes are wrong';
  warnings.add('header-stray', `${path}: ${what}: ${why}; salvage shows what they hold`, offsets[0]);
}

/** The line of `info` on them, if there are any. */
export function strayNote(offsets: readonly number[]): Record<string, string> {
  return offsets.length > 0 ? { 'other headers': offsetsText(offsets, OFFSETS_LISTED) } : {};
}

function offsetsText(offsets: readonly number[], most: number): string {
  const words = offsets.slice(0, most).map((offset) => `0x${offset.toString(16)}`);
  return offsets.length > most ? `${words.join(', ')} and ${offsets.length - most} more` : words.join(', ');
}
