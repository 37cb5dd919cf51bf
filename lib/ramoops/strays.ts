// Headers that belong to none of a region's zones, as zones of their own: what they hold is shown by salvage.

import type { Abi } from '../pstore/abi.js';
import { MAX_STRAYS } from '../pstore/strays.js';
import { readRange, type Storage } from '../storage/storage.js';
import { looksLikeConsole } from './contents.js';
import { RAM_HEADER_SIZE, RAM_SIGNATURE, readDumpLine, readRamHeader } from './format.js';
import type { RamKind, RamZone } from './geometry.js';

const LOOKED_AT = 4096;

/**
 * @param offsets of the headers, ascending
 * @param firstIds the first free number of each kind
 * @returns those that hold something; a zone goes on for as many bytes as its header says
 */
export function strayZones(
  storage: Storage,
  offsets: readonly number[],
  endian: Abi['endian'],
  firstIds: ReadonlyMap<RamKind, number>,
): RamZone[] {
  const zones: RamZone[] = [];
  const ids = new Map(firstIds);
  for (const offset of offsets.slice(0, MAX_STRAYS)) {
    const bytes = readRange(storage, offset, RAM_HEADER_SIZE + LOOKED_AT);
    if (bytes.length < RAM_HEADER_SIZE) continue;
    const { sig, size: area } = readRamHeader(bytes, endian);
    const size = RAM_HEADER_SIZE + area;
    if (sig !== RAM_SIGNATURE || area === 0 || offset + size > storage.size) continue;
    const data = bytes.subarray(RAM_HEADER_SIZE, size);
    const type = readDumpLine(data) ? 'dmesg' : looksLikeConsole(data) ? 'console' : 'pmsg';
    const id = ids.get(type) ?? 0;
    ids.set(type, id + 1);
    const layout = { frame: 'header', data: RAM_HEADER_SIZE, area, blockParity: size, headerParity: size } as const;
    zones.push({ type, id, offset, size, layout, ecc: 0 });
  }
  return zones;
}
