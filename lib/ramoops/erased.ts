// What a region still holds of erased records: persistent_ram_zap has set the lengths in a header to 0, and nothing else.

import { LIMIT_FACTOR } from '../compress/decompress.js';
import type { ErasedPlace } from '../pstore/erased.js';
import { eccWords, total } from './ecc-counts.js';
import { readDumpLine } from './format.js';
import { dumpTime } from './salvage.js';
import type { PersistentRamZone } from './zone.js';

/** @param zone reads what it can: zeros stand for blocks that cannot be read */
export function* erasedInZone(zone: PersistentRamZone, id: number): Generator<ErasedPlace> {
  const { type, layout, offset, size } = zone.zone;
  if (layout.frame !== 'header' || type === 'ftrace') return;
  const header = zone.header();
  const isEmpty = header.state === 'empty';
  const hasWrapped = header.start < header.size;
  if (!isEmpty && (header.state !== 'live' || hasWrapped)) return;
  const all = zone.data({ ...header, start: 0, size: layout.area }).bytes;
  const place = {
    type,
    id,
    offset,
    mtimeNs: null,
    reason: null,
    count: null,
    lead: '',
    limit: 0,
    isFilled: false,
  } as const;
  if (!isEmpty) {
    yield { ...place, stored: all.subarray(header.size), compressed: 'no', kind: 'rest' };
    return;
  }
  if (type !== 'dmesg') {
    yield { ...place, stored: all, compressed: 'no', kind: 'ring', restore: (length) => zone.restore(length) };
    return;
  }
  const line = readDumpLine(all);
  if (!line) return;
  const notice = (length: number) => {
    const ecc = total(header.ecc, zone.verify({ ...header, size: line.length + length }));
    return zone.zone.ecc > 0 ? `\nECC: ${eccWords(ecc)}\n` : '';
  };
  yield {
    ...place,
    mtimeNs: dumpTime(line),
    reason: undefined,
    stored: all.subarray(line.length),
    compressed: line.compressed ? 'yes' : 'no',
    limit: LIMIT_FACTOR * size,
    kind: 'record',
    trail: notice,
    restore: (length) => zone.restore(line.length + length),
  };
}
