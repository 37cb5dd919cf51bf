// Which bytes of an image were changed.

/** Offsets at which two images of the same size differ. */
export function changedBytes(before: Uint8Array, after: Uint8Array): number[] {
  if (before.length !== after.length) throw new Error(`${before.length} bytes have become ${after.length}`);
  const changed: number[] = [];
  for (let at = 0; at < before.length; at++) if (before[at] !== after[at]) changed.push(at);
  return changed;
}
