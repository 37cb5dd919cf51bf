// Paths and sources as messages have them: a person can type, or paste, what they tell.

import { printableLine } from '../printable.js';

/** Standard input, as it is named in a SOURCE; a file of that name is `./-`. */
export const STANDARD_INPUT = '-';

/** What a message calls what a path names. */
export function shownPath(path: string): string {
  return path === STANDARD_INPUT ? 'standard input' : path;
}

/** A path in a SOURCE to be typed: what came through standard input is gone, and must be in a file first. */
export function typedPath(path: string): string {
  return path === STANDARD_INPUT ? 'FILE' : path.replaceAll(',', ',,');
}

/** As a shell takes it: in `$'…'` what cannot be printed, for any shell but the plainest ones. */
export function shellWord(text: string): string {
  if (printableLine(text) !== text) return `$'${printableLine(text.replace(/[\\']/g, '\\$&'))}'`;
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
