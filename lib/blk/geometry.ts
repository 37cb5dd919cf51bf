// Where the zones of a partition lie, from the sizes that a kernel was given.

import { PstoreError } from '../errors.js';
import type { FrontEnd } from '../pstore/record-type.js';
import { isDmesgFirst, type ZoneDialect } from './dialects.js';
import { BUFFER_HEADER_SIZE, type Generation, MAX_DMESG_HEADER_SIZE } from './format.js';

/** pstore/zone: a partition has at least this many bytes, and a multiple of it. */
export const PARTITION_MULTIPLE = 4096;
/** pstore/zone: a zone's size is a multiple of this. */
export const ZONE_MULTIPLE = 512;
/** pstore/zone caps a partition at 128 MiB; blkoops has no cap. */
export const PSTORE_BLK_CAP = 128 << 20;

/** More dmesg zones than this are not kept track of: 128 MiB of the smallest ones have 2^18. */
const MAX_ZONES = 1 << 22;

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
  readonly dialect: ZoneDialect;
  /** The dialect's. */
  readonly generation: Generation;
  /** Bytes of the partition. */
  readonly total: number;
  /** The zones of the other kinds: pmsg, console, tty and the ftrace zones, in the dialect's order. */
  readonly rings: readonly Zone[];
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
  dialect: ZoneDialect,
  total: number,
  sizes: ZoneSizes,
  path: string,
  kmsgOffset?: number,
): ZoneGeometry {
  const impossible = (what: string) => new PstoreError('EINVAL', `${path}: ${what}`, { path });
  checkSizes(dialect, total, sizes, impossible);
  const taken = sizes.pmsgSize + sizes.consoleSize + sizes.ttySize + sizes.ftraceSize;
  if (taken > total) {
    throw impossible(
      `the zones of other kinds take ${taken} bytes, but the image has only ${total}; give smaller sizes`,
    );
  }
  const before = isDmesgFirst(dialect) ? (kmsgOffset ?? 0) : 0;
  const known = isDmesgFirst(dialect) ? undefined : kmsgOffset;
  const kmsgCount = countDumps(total - before, taken, sizes, known, impossible);
  const rings: Zone[] = [];
  let end = before;
  let first = 0;
  const place = (type: FrontEnd, count: number, size: number) => {
    for (let index = 0; index < count; index++, end += size) rings.push({ type, index, offset: end, size });
  };
  for (const kind of dialect.order) {
    if (kind === 'dmesg') {
      first = end;
      end += kmsgCount * sizes.kmsgSize;
    } else if (kind === 'ftrace') {
      const size = ftraceZoneSize(sizes, impossible);
      place('ftrace', size > 0 ? Math.floor(sizes.ftraceSize / size) : 0, size);
    } else place(kind, sizes[SIZE_OF_RING[kind]] > 0 ? 1 : 0, sizes[SIZE_OF_RING[kind]]);
  }
  return {
    ...sizes,
    dialect,
    generation: dialect.generation,
    total,
    rings,
    kmsgOffset: kmsgOffset ?? first,
    kmsgCount,
  };
}

const SIZE_OF_RING = { pmsg: 'pmsgSize', console: 'consoleSize', tty: 'ttySize' } as const;

/** The kernel takes the sizes as they were given from the whole, even where the ftrace zones leave some bytes of theirs. */
function countDumps(
  total: number,
  taken: number,
  { kmsgSize, ftraceSize, cpus }: ZoneSizes,
  kmsgOffset: number | undefined,
  impossible: (what: string) => PstoreError,
): number {
  if (kmsgSize === 0) return 0;
  const end = taken - (ftraceSize > 0 ? ftraceSize % Math.floor(ftraceSize / cpus) : 0);
  const rest = kmsgOffset === undefined || kmsgOffset === end ? total - taken : total - kmsgOffset;
  const count = Math.floor(rest / kmsgSize);
  if (count < 1 && kmsgOffset === undefined) {
    const where = taken > 0 ? `the ${rest} bytes that the other zones leave` : `the image of ${total} bytes`;
    throw impossible(`kmsg_size=${kmsgSize} is larger than ${where}; give smaller sizes`);
  }
  if (count > MAX_ZONES) {
    throw impossible(`kmsg_size=${kmsgSize} gives ${count} zones, more than ${MAX_ZONES}; give a larger size`);
  }
  return Math.max(0, count);
}

/** Bytes of each CPU's zone; 0 where there are none. */
function ftraceZoneSize({ ftraceSize, cpus }: ZoneSizes, impossible: (what: string) => PstoreError): number {
  const size = Math.floor(ftraceSize / cpus);
  if (ftraceSize === 0 || size > BUFFER_HEADER_SIZE.pstore_blk) return size;
  const each = `gives each of ${cpus} CPUs only ${size} bytes`;
  throw impossible(`ftrace_size=${ftraceSize} ${each}; give a larger size, or fewer cpus`);
}

function checkSizes(
  dialect: ZoneDialect,
  total: number,
  sizes: ZoneSizes,
  impossible: (what: string) => PstoreError,
): void {
  if (total < PARTITION_MULTIPLE) throw impossible(`too few bytes (${total}): a partition has at least 4096`);
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
  if (sizes.kmsgSize > 0 && sizes.kmsgSize < BUFFER_HEADER_SIZE[dialect.generation] + MAX_DMESG_HEADER_SIZE) {
    throw impossible(`kmsg_size=${sizes.kmsgSize} has no room for a record; give a larger size`);
  }
  for (const [key, size] of Object.entries({ ...given, ...more })) {
    const kind = key === 'kmsg_size' ? 'dmesg' : key.replace('_size', '');
    if (size === 0 || (dialect.order as readonly string[]).includes(kind)) continue;
    throw impossible(`${key}=${size}: ${dialect.backend} has ${dialect.order.join(' and ')} zones only; leave it out`);
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

/** All zones, those of dmesg last. */
export function* allZones(geometry: ZoneGeometry): Generator<Zone> {
  yield* geometry.rings;
  for (let index = 0; index < geometry.kmsgCount; index++) yield kmsgZone(geometry, index);
}

/** A dmesg zone that a kernel does not have, because the image ends before it does. */
export interface CutZone {
  /** As it was when the image was whole. */
  readonly zone: Zone;
  readonly datalen: number;
}
