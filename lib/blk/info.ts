// What `info` says of each zone of blkoops and pstore_blk: its state, and why it is not shown.

import { hexText, isBlank } from '../bytes.js';
import type { ZoneInfo } from '../pstore/backend.js';
import type { ShownRecords } from '../pstore/places.js';
import { readRange, type Storage } from '../storage/storage.js';
import { ZoneState } from './dmesg-table.js';
import type { ZoneEngine } from './engine.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { type CutZone, kmsgZone, type Zone } from './geometry.js';
import type { Ring } from './ring.js';

/** What is explained of a partition. */
export interface ExplainedZones {
  readonly engine: ZoneEngine;
  readonly storage: Storage;
  readonly cut: CutZone | undefined;
}

export function* explainZones(places: ExplainedZones, shown: ShownRecords): Generator<ZoneInfo> {
  const { engine } = places;
  for (const ring of engine.rings) yield explainRing(places, ring);
  for (let index = 0; index < engine.geometry.kmsgCount; index++) {
    const zone = kmsgZone(engine.geometry, index);
    yield { ...place(zone), ...explainDmesg(places, zone, shown) };
  }
  if (places.cut) yield explainCut(places, places.cut.zone);
}

function place(zone: Zone): Pick<ZoneInfo, 'index' | 'type' | 'offset' | 'size'> {
  return { index: zone.index, type: zone.type, offset: zone.offset, size: zone.size };
}

type Explained = Pick<ZoneInfo, 'state' | 'reason'>;

function explainCut({ storage }: ExplainedZones, zone: Zone): ZoneInfo {
  const there = `${storage.size - zone.offset} of its ${zone.size} bytes are there`;
  const reason = `the image ends inside it, ${there}: a kernel has no such zone, salvage shows what it holds`;
  return { ...place(zone), state: 'truncated', reason };
}

function explainDmesg(places: ExplainedZones, zone: Zone, records: ShownRecords): Explained {
  const row = places.engine.dmesg.row(zone.index);
  const area = zone.size - BUFFER_HEADER_SIZE[places.engine.geometry.generation];
  switch (row.state) {
    case ZoneState.Unsigned:
      return unsigned(places, zone);
    case ZoneState.Overtop:
      return { state: 'overtop', reason: `datalen ${row.datalen} is larger than the data area of ${area}: skipped` };
    case ZoneState.Invalid:
      return row.datalen === 0
        ? { state: 'unused', reason: 'formatted, never written' }
        : { state: 'invalid', reason: 'the magic of the dmesg header is wrong: skipped' };
    case ZoneState.Erased:
      return { state: 'erased', reason: `the record of counter ${row.counter} was erased` };
    case ZoneState.NotLookedAt:
      return notLookedAt(places, zone);
    case ZoneState.Unreadable:
      return UNREADABLE;
    default:
      break;
  }
  const shown = records.recordAt('dmesg', zone.index);
  if (!shown) {
    return {
      state: 'invalid',
      reason: `${row.datalen} bytes leave no record after the header: skipped, a kernel ends its listing here`,
    };
  }
  if (records.isUnreadable('dmesg', zone.index))
    return { state: 'truncated', reason: 'the image ends before the record does, or the place cannot be read' };
  if (shown.state === 'undecodable')
    return {
      state: 'undecodable',
      reason: 'the record does not decompress: shown as it is, with .enc.z; salvage shows its beginning',
    };
  return { state: 'live', reason: null };
}

const UNREADABLE: Explained = {
  state: 'truncated',
  reason: 'the image ends before the zone does, or the place cannot be read',
};

/** A zone without the right signature: never used, or used by something else. */
function unsigned(places: ExplainedZones, zone: Zone): Explained {
  const head = readRange(places.storage, zone.offset, 12);
  if (head.length === 0) return UNREADABLE;
  if (isBlank(head)) return { state: 'unused', reason: null };
  const hex = hexText(head.subarray(0, 4));
  return { state: 'bad-signature', reason: `begins with the bytes ${hex}: a kernel takes it for never used` };
}

function notLookedAt(places: ExplainedZones, zone: Zone): Explained {
  const head = unsigned(places, zone);
  if (head.state === 'unused') return head;
  return {
    state: 'not-looked-at',
    reason: 'after a zone without a signature, where blkoops stops looking: salvage shows what it holds',
  };
}

function explainRing(places: ExplainedZones, ring: Ring): ZoneInfo {
  const at = place(ring.zone);
  switch (ring.state) {
    case 'unsigned':
      return { ...at, ...unsigned(places, ring.zone) };
    case 'overtop':
      return {
        ...at,
        state: 'overtop',
        reason: `datalen ${ring.datalen} or start ${ring.start} is larger than the data area of ${ring.area}: skipped`,
      };
    case 'erased':
      return { ...at, state: 'erased', reason: null };
    case 'unreadable':
      return { ...at, ...UNREADABLE };
    default:
      return { ...at, state: 'live', reason: ringRemark(places, ring) };
  }
}

function ringRemark(places: ExplainedZones, ring: Ring): string | null {
  if (ring.start > ring.datalen) {
    return `start ${ring.start} is after datalen ${ring.datalen}: read as not wrapped; a kernel would show nothing at all`;
  }
  if (ring.zone.type === 'ftrace') return null;
  const head = readRange(places.storage, ring.extents()[0]!.offset, Math.min(ring.datalen, 4096));
  const unwritten = head.findIndex((byte) => byte !== 0 && byte !== 0xff);
  const length = unwritten < 0 ? head.length : unwritten;
  return length > 0 ? `begins with ${length}${unwritten < 0 ? ' or more' : ''} bytes that were never written` : null;
}
