// What `info` says of each zone of ramoops: its state, and why it is not shown.

import type { ZoneInfo } from '../pstore/backend.js';
import { readRange } from '../storage/storage.js';
import type { RamoopsBackend } from './backend.js';
import { RAM_HEADER_SIZE } from './format.js';
import { ramZones } from './geometry.js';
import type { CheckedHeader, EccCounts, PersistentRamZone } from './zone.js';

type Explained = Pick<ZoneInfo, 'state' | 'reason'>;

export function* explainRamZones(backend: RamoopsBackend): Generator<ZoneInfo> {
  for (const place of ramZones(backend.geometry)) {
    const zone = backend.zone(place);
    const header = zone.header();
    yield {
      index: place.id,
      type: place.type,
      offset: place.offset,
      size: place.size,
      ...explain(backend, zone, header),
    };
  }
}

function explain(backend: RamoopsBackend, zone: PersistentRamZone, header: CheckedHeader): Explained {
  const { type, layout } = zone.zone;
  switch (header.state) {
    case 'bad-signature':
      return unsigned(backend, zone, header);
    case 'truncated':
      return { state: 'truncated', reason: 'the image ends before the zone does: a kernel would have no such region' };
    case 'overtop': {
      const why = `size ${header.size} is larger than the data area of ${layout.area}`;
      return { state: 'overtop', reason: `${why}: a kernel shows nothing of it and empties it` };
    }
    case 'start-beyond-size': {
      const why = `start ${header.start} is larger than size ${header.size}`;
      return { state: 'invalid', reason: `${why}: a kernel shows nothing of it and empties it` };
    }
    case 'empty':
      return empty(backend, zone, header);
    default:
      break;
  }
  const ecc = zone.zone.ecc > 0 ? total(header.ecc, zone.verify(header)) : undefined;
  if (type === 'dmesg') {
    const shown = backend.shownDump(zone.zone.id);
    if (!shown) return { state: 'invalid', reason: backend.whyHidden(zone.zone.id) };
    if (shown.state === 'undecodable') {
      return {
        state: 'undecodable',
        reason: 'the record does not decompress: shown as it is, with .enc.z; salvage shows its beginning',
      };
    }
  }
  if (ecc && ecc.lost > 0) return { state: 'ecc-damaged', reason: `${eccWords(ecc)}: shown with its damage` };
  return { state: 'live', reason: ecc && ecc.corrected > 0 ? `${eccWords(ecc)}: shown repaired` : null };
}

/** A zone without the right signature: never used, or damaged. */
function unsigned(backend: RamoopsBackend, zone: PersistentRamZone, header: CheckedHeader): Explained {
  const head = readRange(backend.storage, zone.zone.offset, RAM_HEADER_SIZE);
  if (head.every((byte) => byte === 0xff) || head.every((byte) => byte === 0)) return { state: 'unused', reason: null };
  const hex = [...head.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const why = `begins with the bytes ${hex}: a kernel takes it for never used and empties it`;
  return header.ecc.lost > 0
    ? { state: 'ecc-damaged', reason: `the header is beyond repair and ${why}` }
    : { state: 'bad-signature', reason: why };
}

/** Start and size 0: erased when there is something left of a record, else never used. */
function empty(backend: RamoopsBackend, zone: PersistentRamZone, header: CheckedHeader): Explained {
  const remains = readRange(backend.storage, zone.dataOffset, Math.min(64, zone.zone.layout.area));
  const blank = remains.every((byte) => byte === 0) || remains.every((byte) => byte === 0xff);
  const reason = header.ecc.lost > 0 ? 'the header is beyond repair, but its signature is there' : null;
  return { state: blank ? 'unused' : 'erased', reason };
}

export function total(a: EccCounts, b: EccCounts): EccCounts {
  return { corrected: a.corrected + b.corrected, lost: a.lost + b.lost };
}

/** As persistent_ram_ecc_string words it, without `ECC: `. */
export function eccWords({ corrected, lost }: EccCounts): string {
  return corrected + lost === 0 ? 'No errors detected' : `${corrected} Corrected bytes, ${lost} unrecoverable blocks`;
}
