// Sizes that were given or found: how sure they are, how they are written, and whether they may place a write.

import type { Warnings } from '../warnings.js';

/** The image leaves no other choice. */
export const PROVEN = 1;
/** Two places agree, and nothing speaks against it. */
export const LIKELY = 0.9;
/** One place, and the fill after its record. */
export const BY_FILL = 0.8;
export const GUESS = 0.3;

/** 64K where that is exact, else bytes. */
export function inUnits(size: number): string {
  if (size > 0 && size % (1 << 20) === 0) return `${size / (1 << 20)}M`;
  return size > 0 && size % 1024 === 0 ? `${size / 1024}K` : String(size);
}

/** Given sizes that the image contradicts are obeyed for reading; a write by them would go over records. */
export function contradiction(warnings: Warnings): string | undefined {
  const mismatch = warnings.list.some(({ code }) => code === 'geometry-mismatch');
  return mismatch
    ? 'the given keys do not fit this image, and a write by them could destroy records; leave them out'
    : undefined;
}
