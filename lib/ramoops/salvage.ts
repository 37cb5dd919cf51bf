// What ramoops skips but a person can read: zones whose signature, lengths or first line are damaged, or that are cut.

import { decodeRecord, decodeStart, LIMIT_FACTOR } from '../compress/decompress.js';
import { LEAST_TEXT, plausibleText } from '../pstore/salvage.js';
import { type DumpLine, readDumpLine } from './format.js';
import type { CheckedHeader, PersistentRamZone } from './zone.js';

export interface SalvagedText {
  readonly bytes: Uint8Array;
  readonly line: DumpLine | undefined;
  readonly compressed: string | null;
}

/** `====`, 20 digits, point, 6 digits, `-C` and a newline. */
const LONGEST_LINE = 34;

/** @returns undefined when there is nothing to read in the zone */
export function salvageRamZone(zone: PersistentRamZone, header: CheckedHeader): SalvagedText | undefined {
  if (zone.zone.type === 'ftrace' || header.state === 'empty') return undefined;
  const data = zone.data(plausibleHeader(zone, header)).bytes;
  const found = zone.zone.type === 'dmesg' ? salvageDump(data, zone.zone.size) : { bytes: plausibleText(data) };
  return found.bytes.length < LEAST_TEXT ? undefined : { line: undefined, compressed: null, ...found };
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

/** Start and size where they can be true; else the whole area from its beginning. */
function plausibleHeader(zone: PersistentRamZone, { sig, start, size }: CheckedHeader): CheckedHeader {
  const { area } = zone.zone.layout;
  const believed = size > 0 && size <= area && start <= size ? { start, size } : { start: 0, size: area };
  return { sig, ...believed, state: 'live', ecc: { corrected: 0, lost: 0 } };
}

function salvageDump(data: Uint8Array, zoneSize: number): SalvagedText {
  const line = readDumpLine(data);
  const stored = data.subarray(line?.length ?? lostLineLength(data));
  const limit = LIMIT_FACTOR * zoneSize;
  const isPlain = line && !line.compressed;
  const decoded = isPlain ? undefined : (decodeRecord(stored, 'auto', limit) ?? decodeStart(stored, limit));
  return decoded
    ? { bytes: plausibleText(decoded.text), line, compressed: decoded.compression }
    : { bytes: plausibleText(stored), line, compressed: null };
}

/** Where a first line that cannot be read any more ends, when its last characters can. */
function lostLineLength(data: Uint8Array): number {
  const head = String.fromCharCode(...data.subarray(0, LONGEST_LINE));
  const end = /-[CD]\n/.exec(head);
  return end ? end.index + end[0].length : 0;
}
