// SHA-256 of images and records, which say later whether they are still the same.

import { createHash } from 'node:crypto';
import { openImage } from '../storage/file.js';
import { pieces, type Storage } from '../storage/storage.js';

/** Bytes that are read at a time. */
const CHUNK = 1 << 20;

/** In hexadecimal, as sha256sum prints it. */
export function sha256Of(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const bytes of chunks) hash.update(bytes);
  return hash.digest('hex');
}

/** Of a file as it is on the disk, also where it is packed. @throws PstoreError ENOENT, EACCES, EIO */
export function sha256OfFile(path: string): string {
  const file = openImage(path, { mode: 'read' });
  try {
    return sha256Of(bytesOf(file));
  } finally {
    file.close();
  }
}

function* bytesOf(file: Storage): Generator<Uint8Array> {
  for (const { bytes } of pieces(file, { length: CHUNK })) yield bytes;
}
