// What the zones of ramoops hold that a kernel passes over: signature, lengths or first line are damaged, or the zone is cut.

import { LIMIT_FACTOR } from '../compress/decompress.js';
import type { PassedOver } from '../pstore/backend.js';
import { timeOf } from '../pstore/record.js';
import { lastDumpLine } from './contents.js';
import { type DumpLine, readDumpLine } from './format.js';
import type { CheckedHeader, PersistentRamZone } from './zone.js';

/** `====`, 20 digits, a point, 6 digits, `-C` and a newline. */
const LONGEST_LINE = 34;

/** Of a zone that shows no record. @returns undefined when it is empty; ftrace is made of all zones together */
export function passedOverZone(zone: PersistentRamZone, header: CheckedHeader): PassedOver | undefined {
  const { type, id, offset, size } = zone.zone;
  if (type === 'ftrace' || header.state === 'empty') return undefined;
  const data = zone.data(plausibleHeader(zone, header)).bytes;
  const place = { type, id, offset, limit: LIMIT_FACTOR * size, reason: undefined, count: null };
  if (type !== 'dmesg') return { ...place, stored: data, kind: 'text', mtimeNs: null };
  const line = readDumpLine(data);
  const newest = line ? -1 : lastDumpLine(data);
  if (newest >= 0) return { ...place, ...appended(data, newest) };
  return {
    ...place,
    stored: data.subarray(line?.length ?? lostLineLength(data)),
    kind: line && !line.compressed ? 'text' : 'dump',
    mtimeNs: line ? dumpTime(line) : null,
  };
}

/** The newest dump of a zone that has come round, with what is left of the text of an older one. @param at its line */
function appended(data: Uint8Array, at: number): Pick<PassedOver, 'stored' | 'kind' | 'mtimeNs'> {
  const line = readDumpLine(data.subarray(at))!;
  const mtimeNs = dumpTime(line);
  if (!line.compressed) return { stored: data, kind: 'text', mtimeNs };
  return { stored: data.subarray(at + line.length), kind: 'dump', mtimeNs };
}

/** The header of an ftrace ring, taken for live where only its signature is damaged or its end is cut off. */
export function salvagedFtraceHeader(zone: PersistentRamZone, header: CheckedHeader): CheckedHeader {
  const { state, start, size } = header;
  const { area } = zone.zone.layout;
  const isHurt = state === 'bad-signature' || state === 'truncated';
  if (!isHurt || size === 0 || size > area || start > size) return header;
  // Of a ring that has come round and is cut, nothing tells where a record begins.
  const isCut = zone.data(header).bytes.length < size;
  return isCut && size === area ? header : { ...header, state: 'live' };
}

/** Beyond it nanoseconds do not fit 64 bits. */
const MAX_SECONDS = 9_223_372_035n;
const MAX_MICROSECONDS = 999_999n;

/** The time of a dump, in nanoseconds since 1970; null where it has none. */
export function dumpTime({ seconds, microseconds }: DumpLine): bigint | null {
  if (seconds > MAX_SECONDS) return null;
  return timeOf(seconds, (microseconds > MAX_MICROSECONDS ? MAX_MICROSECONDS : microseconds) * 1000n);
}

/** Whether the time of a dump is none that a kernel writes. */
export function isTimeDamaged({ seconds, microseconds }: DumpLine): boolean {
  return seconds < 0n || seconds > MAX_SECONDS || microseconds > MAX_MICROSECONDS;
}

/** Start and size where they can be true; else the whole area from its beginning. */
function plausibleHeader(zone: PersistentRamZone, { sig, start, size }: CheckedHeader): CheckedHeader {
  const { area } = zone.zone.layout;
  const believed = size > 0 && size <= area && start <= size ? { start, size } : { start: 0, size: area };
  return { sig, ...believed, state: 'live', ecc: { corrected: 0, lost: 0 } };
}

/** Where a first line that cannot be read any more ends, when its last characters can. */
function lostLineLength(data: Uint8Array): number {
  const head = String.fromCharCode(...data.subarray(0, LONGEST_LINE));
  const end = /-[CD]\n/.exec(head);
  return end ? end.index + end[0].length : 0;
}
