// Open records of live images: whoever opened one reads on what was there then, whatever is written to the image.

import type { RecordContent } from '../pstore/backend.js';
import { contentBytes } from '../pstore/content.js';

/** Bytes that are held in memory, all together. A record that has no room is read from the image as it goes. */
const MAX_HELD = 64 << 20;

export class Snapshots {
  #held = 0;

  /**
   * Takes the bytes of a content that was just opened, which is closed with the result, or now.
   * @throws PstoreError what reading it throws
   */
  take(content: RecordContent): RecordContent {
    const room = MAX_HELD - this.#held;
    if (content.size > room) return content;
    let bytes: Uint8Array;
    try {
      bytes = contentBytes(content);
    } finally {
      content.close?.();
    }
    this.#held += bytes.length;
    return {
      size: bytes.length,
      read: (target, position) => {
        const part = bytes.subarray(position, position + target.length);
        target.set(part);
        return part.length;
      },
      close: () => {
        this.#held -= bytes.length;
      },
    };
  }
}
