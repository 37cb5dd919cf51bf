// What the first bytes of a dump tell: whether it is one, and what is wrong with its header.

import type { Firmware } from '../storage/firmware.js';
import { firmwareError } from '../storage/spool.js';
import {
  DUMP_DIRECTORY_SIZE,
  DUMP_NAME_SIZE,
  dumpFileName,
  type PlatformDumpHeader,
  readDumpSections,
  readPlatformDumpHeader,
} from './format.js';

/** Dumps whose headers a probe reads. */
const PROBED = 16;

/** Whether one of the first dumps begins as a saved dump does. Never throws. */
export function hasDumps(firmware: Firmware): boolean {
  try {
    const dumps = firmware.tags().slice(0, PROBED);
    return dumps.some(({ tag }) => readPlatformDumpHeader(firstBytes(firmware, tag)));
  } catch {
    return false;
  }
}

/** Fetches that may give nothing before a header is given up. */
const MAX_FETCHES = 64;

/**
 * The bytes that hold a dump's header and section directory, or fewer where it ends before.
 * @throws PstoreError what the firmware answered
 */
export function firstBytes(firmware: Firmware, tag: bigint): Uint8Array {
  const head = new Uint8Array(DUMP_DIRECTORY_SIZE);
  const buffer = new Uint8Array(DUMP_DIRECTORY_SIZE);
  let length = 0;
  let sequence = 0n;
  for (let fetch = 0; fetch < MAX_FETCHES && length < head.length; fetch++) {
    const block = firmware.next(tag, sequence, buffer);
    if (block.status !== 'more' && block.status !== 'complete') throw firmwareError(firmware, tag, block.status);
    const part = buffer.subarray(0, Math.min(block.bytes, head.length - length));
    head.set(part, length);
    length += part.length;
    sequence = block.sequence;
    if (block.status === 'complete') break;
  }
  return head.subarray(0, length);
}

/** What is not as it should be in a header, or null. */
export function damage(header: PlatformDumpHeader, bytes: Uint8Array, size: number | null): string | null {
  if (dumpFileName(header.name) === undefined) return 'its header has no name';
  if (header.prefixLength > DUMP_NAME_SIZE) {
    return `its header has a name's prefix of ${header.prefixLength} bytes, which is longer than the name`;
  }
  const sections = readDumpSections(bytes);
  const sum = sections.reduce((bytes, section) => bytes + section.size, 0n);
  if (size !== null && sum > BigInt(size)) {
    return `its ${sections.length} sections have ${sum} bytes, but the file only ${size}: it was not saved whole`;
  }
  return null;
}
