// What a partition still holds of erased records: erasing one has set the length in its header to 0, and nothing else.

import { LIMIT_FACTOR } from '../compress/decompress.js';
import type { ErasedPlace } from '../pstore/erased.js';
import { timeOf } from '../pstore/record.js';
import { readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { reasonText } from './dialects.js';
import { ZoneState } from './dmesg-table.js';
import type { ZoneEngine } from './engine.js';
import { BUFFER_HEADER_SIZE, dmesgHeaderSize } from './format.js';
import { kmsgZone } from './geometry.js';
import type { Ring } from './ring.js';

/** @param lead what a kernel shows before a record that is not compressed, by its reason and counter */
export function* erasedDmesg(
  engine: ZoneEngine,
  storage: SurvivingStorage,
  index: number,
  lead: (reason: string, count: number) => string,
): Generator<ErasedPlace> {
  const { geometry, abi } = engine;
  if (index >= engine.dmesg.length) return;
  const row = engine.dmesg.row(index);
  const isErased = row.state === ZoneState.Erased;
  // Mainline fills a zone with zeros after a record: the others leave what an older one had there.
  if (!isErased && !(row.state === ZoneState.Live && geometry.dialect.flushes !== 'zone')) return;
  const { offset, size } = kmsgZone(geometry, index);
  const header = BUFFER_HEADER_SIZE[geometry.generation] + dmesgHeaderSize(abi);
  const from = isErased ? header : BUFFER_HEADER_SIZE[geometry.generation] + row.datalen;
  const common = {
    type: 'dmesg',
    id: index,
    offset,
    limit: LIMIT_FACTOR * size,
    stored: readRange(storage, offset + from, size - from),
  };
  if (!isErased) {
    yield {
      ...common,
      mtimeNs: null,
      reason: null,
      count: null,
      compressed: 'no',
      lead: '',
      kind: 'rest',
      isFilled: false,
    };
    return;
  }
  const reason = reasonText(geometry.dialect, row.reason);
  yield {
    ...common,
    mtimeNs: timeOf(row.seconds, row.nanoseconds),
    reason,
    count: row.counter,
    compressed: row.compressed > 1 ? 'maybe' : row.compressed === 1 ? 'yes' : 'no',
    lead: lead(reason, row.counter),
    kind: 'record',
    isFilled: geometry.dialect.flushes === 'zone',
    restore: (length) => engine.restore(index, dmesgHeaderSize(abi) + length),
  };
}

/** A ring that was erased, and what stands after the end of one that has begun anew. */
export function* erasedRing(ring: Ring, storage: SurvivingStorage): Generator<ErasedPlace> {
  const { type, offset } = ring.zone;
  const isErased = ring.state === 'erased';
  if (!isErased && !(ring.state === 'live' && !ring.wrapped)) return;
  const from = isErased ? 0 : ring.datalen;
  const place = {
    type,
    id: 0,
    offset,
    mtimeNs: null,
    reason: null,
    count: null,
    stored: readRange(storage, ring.dataOffset + from, ring.area - from),
    compressed: 'no',
    lead: '',
    limit: 0,
    isFilled: false,
  } as const;
  if (isErased) yield { ...place, kind: 'ring', restore: (length) => ring.restore(length) };
  else yield { ...place, kind: 'rest' };
}
