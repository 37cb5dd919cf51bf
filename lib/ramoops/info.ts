// What `info` says of each zone of ramoops: its state, and why it is not shown.

import { hexText, isBlank } from '../bytes.js';
import type { Abi } from '../pstore/abi.js';
import type { BackendInfo, ZoneInfo } from '../pstore/backend.js';
import type { Found, ShownRecords } from '../pstore/places.js';
import { isBrokenPlace, readRange, type Storage } from '../storage/storage.js';
import { deviceTreeNode } from './device-tree.js';
import { type EccCounts, eccWords, total } from './ecc-counts.js';
import { ftraceVersionCode, kernelVersion, RAM_HEADER_SIZE } from './format.js';
import { type RamGeometry, type RamZone, ramZones, runOf } from './geometry.js';
import type { CheckedHeader, PersistentRamZone } from './zone.js';

type Explained = Pick<ZoneInfo, 'state' | 'reason'>;

/** What is explained of a region. */
export interface ExplainedRegion {
  readonly name: string;
  readonly storage: Storage;
  readonly geometry: RamGeometry;
  readonly source: {
    readonly notes: Readonly<Record<string, string>>;
    readonly described: Pick<BackendInfo, 'geometry' | 'confidence' | 'kernelParameters' | 'sourceKeys'>;
  };
  readonly ftrace: { abi(): Abi; headers(): CheckedHeader[]; found(): Found | undefined };
  zone(place: RamZone): PersistentRamZone;
  nextZone(): number;
  /** Why a live dmesg zone is not shown. */
  whyHidden(id: number): string | null;
}

export function describeRegion(places: ExplainedRegion, shown: ShownRecords): BackendInfo {
  const hasDumps = runOf(places.geometry, 'dmesg') !== undefined;
  return {
    format: places.name,
    abi: places.ftrace.abi(),
    ...places.source.described,
    counters: null,
    nextZone: hasDumps ? places.nextZone() : null,
    zones: explainRamZones(places, shown),
    deviceTree: deviceTreeNode(places.geometry),
    details: details(places, hasDumps),
  };
}

function details({ ftrace, source }: ExplainedRegion, hasDumps: boolean): Record<string, string> {
  const told: Record<string, string> = { ...source.notes };
  if (hasDumps) told['first at boot'] = 'zone 0: a kernel begins there, whatever it holds';
  const codes = ftrace.headers().map(({ sig }) => ftraceVersionCode(sig));
  const versions = new Set(codes.filter((code) => code !== undefined));
  if (versions.size > 0) told['ftrace by kernel'] = [...versions].map(kernelVersion).join(', ');
  const ecc = ftrace.found()?.ecc;
  if (ecc) told['ftrace ECC'] = ecc;
  return told;
}

function* explainRamZones(places: ExplainedRegion, shown: ShownRecords): Generator<ZoneInfo> {
  for (const place of ramZones(places.geometry)) {
    const zone = places.zone(place);
    const header = zone.header();
    yield {
      index: place.id,
      type: place.type,
      offset: place.offset,
      size: place.size,
      ...explain(places, zone, header, shown),
    };
  }
}

function explain(
  places: ExplainedRegion,
  zone: PersistentRamZone,
  header: CheckedHeader,
  records: ShownRecords,
): Explained {
  const { type, layout } = zone.zone;
  switch (header.state) {
    case 'bad-signature':
      return unsigned(places, zone, header);
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
      return empty(places, zone, header);
    default:
      break;
  }
  if (type === 'dmesg') {
    const shown = records.recordAt('dmesg', zone.zone.id);
    if (!shown) return { state: 'invalid', reason: places.whyHidden(zone.zone.id) };
    if (shown.state === 'undecodable') {
      return {
        state: 'undecodable',
        reason: 'the record does not decompress: shown as it is, with .enc.z; salvage shows its beginning',
      };
    }
  }
  const ecc = verified(zone, header);
  if (ecc === 'unreadable') return { state: 'truncated', reason: 'the place cannot be read' };
  if (ecc && ecc.lost > 0) return { state: 'ecc-damaged', reason: `${eccWords(ecc)}: shown with its damage` };
  return { state: 'live', reason: ecc && ecc.corrected > 0 ? `${eccWords(ecc)}: shown repaired` : null };
}

/** What ECC finds in a live zone; undefined without ECC. */
function verified(zone: PersistentRamZone, header: CheckedHeader): EccCounts | 'unreadable' | undefined {
  if (zone.zone.ecc === 0) return undefined;
  try {
    return total(header.ecc, zone.verify(header));
  } catch (error) {
    if (!isBrokenPlace(error)) throw error;
    return 'unreadable';
  }
}

/** A zone without the right signature: never used, or damaged. */
function unsigned(places: ExplainedRegion, zone: PersistentRamZone, header: CheckedHeader): Explained {
  const head = readRange(places.storage, zone.zone.offset, RAM_HEADER_SIZE);
  if (isBlank(head)) return { state: 'unused', reason: null };
  const why = `begins with the bytes ${hexText(head.subarray(0, 4))}: a kernel takes it for never used and empties it`;
  return header.ecc.lost > 0
    ? { state: 'ecc-damaged', reason: `the header is beyond repair and ${why}` }
    : { state: 'bad-signature', reason: why };
}

/** Start and size 0: erased when there is something left of a record, else never used. */
function empty(places: ExplainedRegion, zone: PersistentRamZone, header: CheckedHeader): Explained {
  const remains = readRange(places.storage, zone.dataOffset, Math.min(64, zone.zone.layout.area));
  const reason = header.ecc.lost > 0 ? 'the header is beyond repair, but its signature is there' : null;
  return { state: isBlank(remains) ? 'unused' : 'erased', reason };
}
