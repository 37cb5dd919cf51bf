// Where the zones of a persistent RAM region lie, from the sizes that ramoops was given, and where in a zone its ECC is.

import { PstoreError } from '../errors.js';
import type { FrontEnd } from '../pstore/record-type.js';
import { RAM_HEADER_SIZE } from './format.js';
import { MOST_PARITY } from './reed-solomon.js';

/**
 * The order of the kinds behind dmesg and console: ftrace, pmsg in kernels up to 6.1 and many later vendor trees;
 * pmsg, tty, ftrace since a change of late 2022. A tty zone exists only in the later order.
 */
export type RamOrder = 'ftrace-pmsg' | 'pmsg-ftrace';
export const RAM_ORDERS: readonly RamOrder[] = ['ftrace-pmsg', 'pmsg-ftrace'];

/** Sizes in bytes; 0 means that there is no such zone. */
export interface RamSizes {
  /** The whole region. */
  readonly memSize: number;
  readonly recordSize: number;
  readonly consoleSize: number;
  readonly ftraceSize: number;
  readonly pmsgSize: number;
  readonly ttySize: number;
  /** How many zones share ftraceSize: one a CPU, or 1. */
  readonly cpus: number;
  /** Parity bytes of a block; 0 without ECC. */
  readonly ecc: number;
  readonly order: RamOrder;
}

export const NO_RAM_ZONES: RamSizes = {
  memSize: 0,
  recordSize: 0,
  consoleSize: 0,
  ftraceSize: 0,
  pmsgSize: 0,
  ttySize: 0,
  cpus: 1,
  ecc: 0,
  order: 'ftrace-pmsg',
};

/** Data bytes of an ECC block; the area's last one may be shorter. */
export const ECC_BLOCK = 128;

/** Places in a zone, counted from its first byte. */
export interface ZoneLayout {
  /** Bytes of data that the zone has room for. */
  readonly area: number;
  /** Where the parity of data block 0 stands, that of the others behind it; the zone's end without ECC. */
  readonly blockParity: number;
  /** Where the header's parity stands: behind the blocks', at the zone's very end. */
  readonly headerParity: number;
}

/** Zones of one kind, one behind the other. */
export interface RamRun {
  readonly type: FrontEnd;
  readonly offset: number;
  readonly count: number;
  readonly zoneSize: number;
  readonly layout: ZoneLayout;
}

export interface RamZone {
  readonly type: FrontEnd;
  /** 0, 1, … among the zones of its type. */
  readonly id: number;
  /** First byte in the region. */
  readonly offset: number;
  /** Bytes, header and parity included. */
  readonly size: number;
  readonly layout: ZoneLayout;
  /** Parity bytes of a block; 0 without ECC. */
  readonly ecc: number;
}

export interface RamGeometry extends RamSizes {
  /** In the order of the region; a kind without zones is absent. */
  readonly runs: readonly RamRun[];
}

/** Down to a power of two, as ramoops_probe rounds each size but the region's; 0 stays 0. */
export function roundDownToPowerOfTwo(size: number): number {
  if (size < 1) return 0;
  const power = 2 ** Math.floor(Math.log2(size));
  return power > size ? power / 2 : power;
}

const evenBelow = (size: number) => size - (size % 2);

/**
 * persistent_ram_init_ecc: blocks = ceil((room − ecc) / (128 + ecc)), parity for each and for the header at the end.
 * @param size bytes of the zone
 * @param ecc parity bytes, 0 … MOST_PARITY
 * @returns undefined when nothing is left for data
 */
export function zoneLayout(size: number, ecc: number): ZoneLayout | undefined {
  const room = size - RAM_HEADER_SIZE;
  if (room <= 0) return undefined;
  if (ecc === 0) return { area: room, blockParity: size, headerParity: size };
  if (room <= ecc) return undefined;
  const blocks = Math.ceil((room - ecc) / (ECC_BLOCK + ecc));
  const area = room - (blocks + 1) * ecc;
  return area > 0 ? { area, blockParity: RAM_HEADER_SIZE + area, headerParity: size - ecc } : undefined;
}

/** How many dmesg zones there are, and how large each: the room is divided after the count is known. */
export function dmesgZones(room: number, recordSize: number): { count: number; zoneSize: number } {
  const count = recordSize > 0 ? Math.floor(room / recordSize) : 0;
  return { count, zoneSize: count > 0 ? evenBelow(Math.floor(room / count)) : 0 };
}

/** Bytes of each CPU's ftrace zone. */
export function ftraceZoneSize(ftraceSize: number, cpus: number): number {
  return evenBelow(Math.floor(ftraceSize / cpus));
}

/**
 * @param sizes as given: record, console, ftrace, pmsg and tty sizes are rounded down to powers of two
 * @throws PstoreError EINVAL for sizes with which ramoops would not come up
 */
export function layOutRam(sizes: RamSizes, path: string): RamGeometry {
  const rounded: RamSizes = {
    ...sizes,
    recordSize: roundDownToPowerOfTwo(sizes.recordSize),
    consoleSize: roundDownToPowerOfTwo(sizes.consoleSize),
    ftraceSize: roundDownToPowerOfTwo(sizes.ftraceSize),
    pmsgSize: roundDownToPowerOfTwo(sizes.pmsgSize),
    ttySize: roundDownToPowerOfTwo(sizes.ttySize),
    order: sizes.ttySize > 0 ? 'pmsg-ftrace' : sizes.order,
  };
  return { ...rounded, runs: [...runsOf(rounded, path)] };
}

function* runsOf(sizes: RamSizes, path: string): Generator<RamRun> {
  const impossible = (what: string) => new PstoreError('EINVAL', `${path}: ${what}`, { path });
  const { memSize, recordSize, consoleSize, ftraceSize, pmsgSize, ttySize, cpus, ecc, order } = sizes;
  if (!Number.isInteger(ecc) || ecc < 0 || ecc > MOST_PARITY) {
    throw impossible(`ecc=${ecc}: a block has 0 to ${MOST_PARITY} parity bytes`);
  }
  if (!Number.isInteger(cpus) || cpus < 1) throw impossible(`cpus=${cpus}: there is at least one CPU`);
  if (recordSize + consoleSize + ftraceSize + pmsgSize + ttySize === 0) {
    throw impossible('give at least one of record_size, console_size, ftrace_size, pmsg_size and tty_size');
  }
  const room = memSize - consoleSize - ftraceSize - pmsgSize - ttySize;
  if (room < 0) {
    throw impossible(
      `the sizes of console, ftrace, pmsg and tty are ${memSize - room} bytes, the region has ${memSize}; give smaller sizes`,
    );
  }
  const dmesg = dmesgZones(room, recordSize);
  if (recordSize > 0 && room > 0 && dmesg.count === 0) {
    throw impossible(
      `record_size=${recordSize} is larger than the ${room} bytes that the other kinds leave; give a smaller size`,
    );
  }
  const perCpu = ftraceSize > 0 ? { count: cpus, zoneSize: ftraceZoneSize(ftraceSize, cpus) } : NONE;
  const single = (zoneSize: number) => (zoneSize > 0 ? { count: 1, zoneSize } : NONE);
  const behind: [FrontEnd, { count: number; zoneSize: number }][] =
    order === 'ftrace-pmsg'
      ? [
          ['ftrace', perCpu],
          ['pmsg', single(pmsgSize)],
        ]
      : [
          ['pmsg', single(pmsgSize)],
          ['tty', single(ttySize)],
          ['ftrace', perCpu],
        ];
  let offset = 0;
  for (const [type, { count, zoneSize }] of [
    ['dmesg', dmesg] as const,
    ['console', single(consoleSize)] as const,
    ...behind,
  ]) {
    if (count === 0) continue;
    const layout = zoneLayout(zoneSize, ecc);
    if (!layout) {
      const what = ecc > 0 ? `a header, ${ecc} parity bytes a block and data` : 'a header and data';
      throw impossible(`a ${type} zone of ${zoneSize} bytes has no room for ${what}; give a larger size`);
    }
    yield { type, offset, count, zoneSize, layout };
    offset += count * zoneSize;
  }
}

const NONE = { count: 0, zoneSize: 0 };

/** The run of a kind, or undefined without zones of it. */
export function runOf(geometry: RamGeometry, type: FrontEnd): RamRun | undefined {
  return geometry.runs.find((run) => run.type === type);
}

/** Zone `id` of a run. */
export function ramZone(run: RamRun, id: number, ecc: number): RamZone {
  const { type, zoneSize: size, layout } = run;
  return { type, id, offset: run.offset + id * size, size, layout, ecc };
}

/** All zones in the order of the region. */
export function* ramZones(geometry: RamGeometry): Generator<RamZone> {
  for (const run of geometry.runs) for (let id = 0; id < run.count; id++) yield ramZone(run, id, geometry.ecc);
}
