// Builds makedumpfile's flattened files, independently of the code that reads them.

import { concat } from './vmcore.js';

function pair(first: number, second: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(first));
  view.setBigInt64(8, BigInt(second));
  return bytes;
}

/** The header, then each piece with its place, in the order in which a writer came to them. */
export function flattened(pieces: readonly (readonly [offset: number, bytes: Uint8Array])[], ended = true): Uint8Array {
  const header = new Uint8Array(4096);
  header.set(Buffer.from('makedumpfile'));
  header.set(pair(1, 1), 16);
  const parts = pieces.flatMap(([offset, bytes]) => [pair(offset, bytes.length), bytes]);
  return concat(header, ...parts, ...(ended ? [pair(-1, -1)] : []));
}
