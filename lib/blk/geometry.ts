// Where the zones of a partition lie, from the sizes that a kernel was given.

import { PstoreError } from '../errors.js';
import type { FrontEnd } from '../pstore/record-type.js';
import { BUFFER_HEADER_SIZE, type Generation, MAX_DMESG_HEADER_SIZE } from './format.js';

/** pstore/zone: a partition has at least this many bytes, and a multiple of it. */
export const PARTITION_MULTIPLE = 4096;
/** pstore/zone: a zone's size is a multiple of this. */
export const ZONE_MULTIPLE = 512;
/** pstore/zone caps a partition at 128 MiB; blkoops has no cap. */
export const PSTORE_BLK_CAP = 128 << 20;

/** More dmesg zones than this are not kept track of: 128 MiB of the smallest ones have 2^18. */
const MOST_ZONES = 1 << 22;

/** Sizes in bytes; 0 means that there is no such zone. */
export interface ZoneSizes {
  readonly kmsgSize: number;
  readonly pmsgSize: number;
  readonly consoleSize: number;
  readonly ttySize: number;
  readonly ftraceSize: number;
  /** Possible CPUs: how many parts the ftrace size is cut into. */
  readonly cpus: number;
}

export interface Zone {
  readonly type: FrontEnd;
  /** 0, 1, … among the zones of its type. */
  readonly index: number;
  /** First byte in the partition. */
  readonly offset: number;
  /** Bytes, header included. */
  readonly size: number;
}

export interface ZoneGeometry extends ZoneSizes {
  readonly generation: Generation;
  /** Bytes of the partition. */
  readonly total: number;
  /** pmsg, console, tty and the ftrace zones, in this order. */
  readonly front: readonly Zone[];
  /** First byte of dmesg zone 0. */
  readonly kmsgOffset: number;
  /** How many dmesg zones there are. */
  readonly kmsgCount: number;
}

export const NO_ZONES: ZoneSizes = { kmsgSize: 0, pmsgSize: 0, consoleSize: 0, ttySize: 0, ftraceSize: 0, cpus: 1 };

/**
 * @param kmsgOffset where dmesg zone 0 begins, when it is known better than from the sizes
 * @throws PstoreError EINVAL for sizes with which no kernel would register
 */
export function layOut(
  generation: Generation,
  total: number,
  sizes: ZoneSizes,
  path: string,
  kmsgOffset?: number,
): ZoneGeometry {
  const impossible = (what: string) => new PstoreError('EINVAL', `${path}: ${what}`, { path });
  checkSizes(generation, total, sizes, impossible);
  const front: Zone[] = [];
  let end = 0;
  const place = (type: FrontEnd, index: number, size: number) => {
    front.push({ type, index, offset: end, size });
    end += size;
  };
  if (sizes.pmsgSize > 0) place('pmsg', 0, sizes.pmsgSize);
  if (sizes.consoleSize > 0) place('console', 0, sizes.consoleSize);
  if (sizes.ttySize > 0) place('tty', 0, sizes.ttySize);
  if (sizes.ftraceSize > 0) {
    const size = Math.floor(sizes.ftraceSize / sizes.cpus);
    if (size <= BUFFER_HEADER_SIZE.pstore_blk) {
      throw impossible(
        `ftrace_size=${sizes.ftraceSize} gives each of ${sizes.cpus} CPUs only ${size} bytes; give a larger size, or fewer cpus`,
      );
    }
    for (let index = 0; index < Math.floor(sizes.ftraceSize / size); index++) place('ftrace', index, size);
  }
  const taken = sizes.pmsgSize + sizes.consoleSize + sizes.ttySize + sizes.ftraceSize;
  if (taken > total) {
    throw impossible(`the zones in front take ${taken} bytes, but the image has only ${total}; give smaller sizes`);
  }
  // The kernel takes the sizes as they were given from the whole, even where the ftrace zones leave some bytes of theirs.
  const rest = kmsgOffset === undefined || kmsgOffset === end ? total - taken : total - kmsgOffset;
  const kmsgCount = sizes.kmsgSize > 0 ? Math.floor(rest / sizes.kmsgSize) : 0;
  if (sizes.kmsgSize > 0 && kmsgCount < 1 && kmsgOffset === undefined) {
    const where = taken > 0 ? `the ${rest} bytes that the zones in front leave` : `the image of ${total} bytes`;
    throw impossible(`kmsg_size=${sizes.kmsgSize} is larger than ${where}; give smaller sizes`);
  }
  if (kmsgCount > MOST_ZONES) {
    throw impossible(
      `kmsg_size=${sizes.kmsgSize} gives ${kmsgCount} zones, more than ${MOST_ZONES}; give a larger size`,
    );
  }
  return { ...sizes, generation, total, front, kmsgOffset: kmsgOffset ?? end, kmsgCount: Math.max(0, kmsgCount) };
}

function checkSizes(
  generation: Generation,
  total: number,
  sizes: ZoneSizes,
  impossible: (what: string) => PstoreError,
): void {
  if (total < PARTITION_MULTIPLE) throw impossible(`${total} bytes are too few: a partition has at least 4096`);
  const given = { kmsg_size: sizes.kmsgSize, pmsg_size: sizes.pmsgSize, console_size: sizes.consoleSize };
  const more = { tty_size: sizes.ttySize, ftrace_size: sizes.ftraceSize };
  for (const [key, size] of Object.entries({ ...given, ...more })) {
    if (size % ZONE_MULTIPLE !== 0) {
      const hint = size > 0 && size < ZONE_MULTIPLE && size % 4 === 0 ? `; did you mean ${key}=${size}K?` : '';
      throw impossible(`${key}=${size} is not a multiple of ${ZONE_MULTIPLE}${hint}`);
    }
    if (size > total)
      throw impossible(`${key}=${size} is larger than the image of ${total} bytes; give a smaller size`);
  }
  if (sizes.cpus < 1) throw impossible('cpus=0: there is at least one CPU');
  if (sizes.kmsgSize > 0 && sizes.kmsgSize < BUFFER_HEADER_SIZE[generation] + MAX_DMESG_HEADER_SIZE) {
    throw impossible(`kmsg_size=${sizes.kmsgSize} has no room for a record; give a larger size`);
  }
  if (generation === 'blkoops') {
    for (const [key, size] of Object.entries({ ...given, ...more })) {
      if (key !== 'kmsg_size' && size > 0)
        throw impossible(`${key}=${size}: blkoops has dmesg zones only; leave it out`);
    }
  }
  if (Object.values({ ...given, ...more }).every((size) => size === 0)) {
    throw impossible('no size is given: at least one of kmsg_size, pmsg_size, console_size, ftrace_size must be');
  }
}

/** The dmesg zone with this index. */
export function kmsgZone(geometry: ZoneGeometry, index: number): Zone {
  return {
    type: 'dmesg',
    index,
    offset: geometry.kmsgOffset + index * geometry.kmsgSize,
    size: geometry.kmsgSize,
  };
}

/** All zones, the front ones first. */
export function* allZones(geometry: ZoneGeometry): Generator<Zone> {
  yield* geometry.front;
  for (let index = 0; index < geometry.kmsgCount; index++) yield kmsgZone(geometry, index);
}

/** A dmesg zone that a kernel does not have, because the image ends before it does. */
export interface CutZone {
  /** As it was when the image was whole. */
  readonly zone: Zone;
  readonly datalen: number;
}
