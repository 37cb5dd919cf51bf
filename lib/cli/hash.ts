// SHA-256 of images and records, which say later whether they are still the same.

import { createHash } from 'node:crypto';
import type { RecordContent } from '../pstore/backend.js';
import { openImage } from '../storage/file.js';
import type { Storage } from '../storage/storage.js';

/** Bytes that are read at a time. */
const CHUNK = 1 << 20;

/** Of all bytes, in hexadecimal, as sha256sum prints it. @throws PstoreError EIO where a block cannot be read */
export function sha256OfStorage(storage: Storage): string {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.max(1, Math.min(CHUNK, storage.size)));
  for (let offset = 0; offset < storage.size; ) {
    const got = storage.read(buffer, offset);
    if (got === 0) break;
    hash.update(buffer.subarray(0, got));
    offset += got;
  }
  return hash.digest('hex');
}

/** Of a file as it is on the disk, also where it is packed. @throws PstoreError ENOENT, EACCES, EIO */
export function sha256OfFile(path: string): string {
  const file = openImage(path, { mode: 'read' });
  try {
    return sha256OfStorage(file);
  } finally {
    file.close();
  }
}

/** Of a record's bytes as reading gives them; lets go of the content. @throws PstoreError EIO */
export function sha256OfContent(content: RecordContent): string {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.max(1, Math.min(CHUNK, content.size)));
  try {
    for (let position = 0; position < content.size; ) {
      const got = content.read(buffer, position);
      if (got === 0) break;
      hash.update(buffer.subarray(0, got));
      position += got;
    }
  } finally {
    content.close?.();
  }
  return hash.digest('hex');
}
