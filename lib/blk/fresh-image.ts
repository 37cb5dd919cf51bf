// Makes a fresh image of a partition.

import { PstoreError } from '../errors.js';
import { DEFAULT_ABI } from '../pstore/abi.js';
import type { SourceKeys } from '../pstore/keys.js';
import type { Storage } from '../storage/storage.js';
import { dialectsOf } from './dialects.js';
import { BUFFER_HEADER_SIZE, type Generation, writeBufferHeader, zoneSignature } from './format.js';
import { allZones, layOut, NO_ZONES, PARTITION_MULTIPLE, type ZoneSizes } from './geometry.js';
import { givenDialect, givenSizes } from './keys.js';

/** The buffer header of every zone, and 0xFF elsewhere: a kernel shows nothing for it, and it tells its own geometry. */
export function formatZones(storage: Storage, keys: SourceKeys, generation: Generation): void {
  const given = givenSizes(keys);
  const sizes: ZoneSizes = { ...NO_ZONES, ...given };
  const dialect = givenDialect(keys, generation) ?? dialectsOf(generation)[0]!;
  const geometry = layOut(dialect, storage.size, sizes, storage.path);
  if (storage.size % PARTITION_MULTIPLE !== 0) {
    throw new PstoreError('EINVAL', `${storage.path}: a partition's size is a multiple of 4096, not ${storage.size}`);
  }
  const abi = keys.abi() ?? DEFAULT_ABI;
  const blank = new Uint8Array(Math.min(storage.size, 1 << 20)).fill(0xff);
  for (let at = 0; at < storage.size; at += blank.length) {
    storage.write(blank.subarray(0, Math.min(blank.length, storage.size - at)), at);
  }
  for (const zone of allZones(geometry)) {
    const header = { sig: zoneSignature(zone.type), datalen: 0, start: 0 };
    storage.write(writeBufferHeader(header, generation, abi).subarray(0, BUFFER_HEADER_SIZE[generation]), zone.offset);
  }
  storage.sync();
}
