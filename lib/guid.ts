// GUIDs as UEFI stores them: the first three fields are little-endian, the last eight bytes stand as they are written.

export const GUID_SIZE = 16;

/** Where the byte that is written n-th stands in the stored form. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;
/** Written bytes after which a dash follows. */
const DASHES: ReadonlySet<number> = new Set([3, 5, 7, 9]);

/**
 * `cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0`, in lower case.
 * @param bytes at least 16 bytes from `offset` on
 */
export function guidText(bytes: Uint8Array, offset = 0): string {
  let text = '';
  for (const [i, at] of ORDER.entries()) {
    text += bytes[offset + at]!.toString(16).padStart(2, '0');
    if (DASHES.has(i)) text += '-';
  }
  return text;
}

/** @param text as guidText() gives it */
export function guidBytes(text: string): Uint8Array {
  const digits = text.replaceAll('-', '');
  const bytes = new Uint8Array(GUID_SIZE);
  for (const [i, at] of ORDER.entries()) bytes[at] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Whether the GUID that `known` has stands at an offset, which may be outside of `bytes`. */
export function isGuidAt(bytes: Uint8Array, offset: number, known: Uint8Array): boolean {
  if (offset < 0 || offset + GUID_SIZE > bytes.length) return false;
  return known.every((byte, i) => bytes[offset + i] === byte);
}
