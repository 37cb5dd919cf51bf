// What `info` says of each zone of blkoops and pstore_blk: its state, and why it is not shown.

import type { PstoreRecord, ZoneInfo } from '../pstore/backend.js';
import { readRange } from '../storage/storage.js';
import type { ZoneBackend } from './backend.js';
import { ZoneState } from './dmesg-table.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { kmsgZone, type Zone } from './geometry.js';
import type { Ring } from './ring.js';

interface Shown {
  readonly record: PstoreRecord;
  /** The medium does not give its bytes. */
  readonly isUnreadable: boolean;
}

/** @param shown what is shown of a dmesg zone, or undefined */
export function* explainZones(backend: ZoneBackend, shown: (index: number) => Shown | undefined): Generator<ZoneInfo> {
  const { engine } = backend;
  for (const ring of engine.rings) yield explainRing(backend, ring);
  for (let index = 0; index < engine.geometry.kmsgCount; index++) {
    const zone = kmsgZone(engine.geometry, index);
    yield { ...place(zone), ...explainDmesg(backend, zone, shown(index)) };
  }
  if (backend.cut) yield explainCut(backend, backend.cut.zone);
}

function place(zone: Zone): Pick<ZoneInfo, 'index' | 'type' | 'offset' | 'size'> {
  return { index: zone.index, type: zone.type, offset: zone.offset, size: zone.size };
}

type Explained = Pick<ZoneInfo, 'state' | 'reason'>;

function explainCut({ storage }: ZoneBackend, zone: Zone): ZoneInfo {
  const there = `${storage.size - zone.offset} of its ${zone.size} bytes are there`;
  const reason = `the image ends inside it, ${there}: a kernel has no such zone, salvage shows what it holds`;
  return { ...place(zone), state: 'truncated', reason };
}

function explainDmesg(backend: ZoneBackend, zone: Zone, shown: Shown | undefined): Explained {
  const row = backend.engine.dmesg.row(zone.index);
  const area = zone.size - BUFFER_HEADER_SIZE[backend.engine.geometry.generation];
  switch (row.state) {
    case ZoneState.Unsigned:
      return unsigned(backend, zone);
    case ZoneState.Overtop:
      return { state: 'overtop', reason: `datalen ${row.datalen} is larger than the data area of ${area}: skipped` };
    case ZoneState.Invalid:
      return row.datalen === 0
        ? { state: 'unused', reason: 'formatted, never written' }
        : { state: 'invalid', reason: 'the magic of the dmesg header is wrong: skipped' };
    case ZoneState.Erased:
      return { state: 'erased', reason: `the record of counter ${row.counter} was erased` };
    case ZoneState.NotLookedAt:
      return notLookedAt(backend, zone);
    case ZoneState.Unreadable:
      return UNREADABLE;
    default:
      break;
  }
  if (!shown) {
    return {
      state: 'invalid',
      reason: `${row.datalen} bytes leave no record behind the header: skipped, a kernel ends its listing here`,
    };
  }
  if (shown.isUnreadable)
    return { state: 'truncated', reason: 'the image ends before the record does, or the place cannot be read' };
  if (shown.record.state === 'undecodable')
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
function unsigned(backend: ZoneBackend, zone: Zone): Explained {
  const head = readRange(backend.storage, zone.offset, 12);
  if (head.length === 0) return UNREADABLE;
  if (head.every((byte) => byte === 0xff) || head.every((byte) => byte === 0)) {
    return { state: 'unused', reason: null };
  }
  const hex = [...head.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return { state: 'bad-signature', reason: `begins with the bytes ${hex}: a kernel takes it for never used` };
}

function notLookedAt(backend: ZoneBackend, zone: Zone): Explained {
  const head = unsigned(backend, zone);
  if (head.state === 'unused') return head;
  return {
    state: 'not-looked-at',
    reason: 'behind a zone without a signature, where blkoops stops looking: salvage shows what it holds',
  };
}

function explainRing(backend: ZoneBackend, ring: Ring): ZoneInfo {
  const at = place(ring.zone);
  switch (ring.state) {
    case 'unsigned':
      return { ...at, ...unsigned(backend, ring.zone) };
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
      return { ...at, state: 'live', reason: ringRemark(backend, ring) };
  }
}

function ringRemark(backend: ZoneBackend, ring: Ring): string | null {
  if (ring.start > ring.datalen) {
    return `start ${ring.start} is behind datalen ${ring.datalen}: read as not wrapped; a kernel would show nothing at all`;
  }
  if (ring.zone.type === 'ftrace') return null;
  const head = readRange(backend.storage, ring.extents()[0]!.offset, Math.min(ring.datalen, 4096));
  const unwritten = head.findIndex((byte) => byte !== 0 && byte !== 0xff);
  const length = unwritten < 0 ? head.length : unwritten;
  return length > 0 ? `begins with ${length}${unwritten < 0 ? ' or more' : ''} bytes that were never written` : null;
}
