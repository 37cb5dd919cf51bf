// What a kernel skips but a person can read: text in zones with a damaged signature, length or magic, or cut off.

import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  dmesgHeaderSize,
  type Generation,
  isNanoseconds,
  readBufferHeader,
  readDmesgHeader,
} from '../blk/format.js';
import type { Zone } from '../blk/geometry.js';
import { decodeRecord, decodeStart, LIMIT_FACTOR } from '../compress/decompress.js';
import { readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Abi } from './abi.js';

export interface Salvaged {
  readonly bytes: Uint8Array;
  /** First byte of the zone. */
  readonly offset: number;
  readonly mtimeNs: bigint | null;
  /** Number of linux/kmsg_dump.h, or null where the header is lost. */
  readonly reason: number | null;
  readonly count: number | null;
  readonly compressed: string | null;
}

/** Fewer readable bytes than this are rubbish, not text. */
export const LEAST_TEXT = 16;
const NANOSECONDS = 1_000_000_000n;

/** @returns undefined when there is nothing to read in the zone */
export function salvageDmesg(
  storage: SurvivingStorage,
  zone: Zone,
  generation: Generation,
  abi: Abi,
): Salvaged | undefined {
  const bytes = readRange(storage, zone.offset, zone.size);
  const bufferSize = BUFFER_HEADER_SIZE[generation];
  const from = bufferSize + dmesgHeaderSize(abi);
  if (bytes.length <= from) return undefined;
  const { datalen } = readBufferHeader(bytes, generation, abi);
  const header = readDmesgHeader(bytes.subarray(bufferSize), abi);
  const known = header.magic === DMESG_MAGIC;
  const all = bytes.subarray(from);
  const stored =
    datalen > from - bufferSize && bufferSize + datalen <= bytes.length
      ? all.subarray(0, datalen + bufferSize - from)
      : all;
  const decoded =
    decodeRecord(stored, 'auto', LIMIT_FACTOR * zone.size) ?? decodeStart(stored, LIMIT_FACTOR * zone.size);
  const text = plausibleText(decoded?.text ?? stored);
  if (text.length < LEAST_TEXT) return undefined;
  return {
    bytes: text,
    offset: zone.offset,
    mtimeNs:
      known && header.seconds > 0n
        ? header.seconds * NANOSECONDS + (isNanoseconds(header.nanoseconds) ? header.nanoseconds : 0n)
        : null,
    reason: known ? header.reason : null,
    count: known ? header.counter : null,
    compressed: decoded?.compression ?? null,
  };
}

/** A ring whose header cannot be believed: its text from the data's beginning. */
export function salvageRing(storage: SurvivingStorage, zone: Zone, abi: Abi): Salvaged | undefined {
  const bytes = readRange(storage, zone.offset, zone.size);
  const from = BUFFER_HEADER_SIZE.pstore_blk;
  if (bytes.length <= from || readBufferHeader(bytes, 'pstore_blk', abi).datalen === 0) return undefined;
  const text = plausibleText(bytes.subarray(from));
  if (text.length < LEAST_TEXT) return undefined;
  return { bytes: text, offset: zone.offset, mtimeNs: null, reason: null, count: null, compressed: null };
}

/** Bytes behind one that no log text has, among which there may be others, but fewer than one of so many. */
const NEAR = 16;
const FEWER_THAN = 4;

/** The bytes up to where the text ends: a wrong bit may have made a byte of it one that no log text has. */
export function plausibleText(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at++) {
    if (isText(bytes[at]!)) continue;
    const near = bytes.subarray(at, at + NEAR);
    const wrong = near.reduce((sum, byte) => sum + (isText(byte) ? 0 : 1), 0);
    if (wrong * FEWER_THAN >= near.length) return bytes.subarray(0, at);
  }
  return bytes;
}

function isText(byte: number): boolean {
  return byte >= 0x20 ? byte !== 0xff && byte !== 0x7f : TEXT_CONTROLS.has(byte);
}

/** Tab, line feed, carriage return, escape: what consoles print. */
const TEXT_CONTROLS = new Set([9, 10, 13, 27]);
