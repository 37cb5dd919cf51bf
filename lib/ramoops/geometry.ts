// Where the zones of a persistent RAM region lie, from the sizes that ramoops was given, and where in a zone its ECC is.

import { PstoreError } from '../errors.js';
import type { FrontEnd } from '../pstore/record-type.js';
import { MAINLINE, type ParityRule, type RamDialect, type RamOrder, type ZoneFrame } from './dialects.js';
import { RAM_HEADER_SIZE } from './format.js';
import { MAX_PARITY } from './reed-solomon.js';

/** Sizes in bytes; 0 means that there is no such zone. */
export interface RamSizes {
  /** The whole region. */
  readonly memSize: number;
  readonly recordSize: number;
  readonly consoleSize: number;
  readonly ftraceSize: number;
  readonly pmsgSize: number;
  readonly ttySize: number;
  /** All zones of the boot log together. */
  readonly bootLogSize: number;
  readonly bootLogCount: number;
  /** How many zones share ftraceSize: one a CPU, or 1. */
  readonly cpus: number;
  /** Parity bytes of a block; 0 without ECC. */
  readonly ecc: number;
  readonly order: RamOrder;
  readonly dialect: RamDialect;
}

export const NO_RAM_ZONES: RamSizes = {
  memSize: 0,
  recordSize: 0,
  consoleSize: 0,
  ftraceSize: 0,
  pmsgSize: 0,
  ttySize: 0,
  bootLogSize: 0,
  bootLogCount: 1,
  cpus: 1,
  ecc: 0,
  order: 'ftrace-pmsg',
  dialect: MAINLINE,
};

/** Data bytes of an ECC block; the area's last one may be shorter. */
export const ECC_BLOCK = 128;

/** The kinds of zones: front-ends, and the firmware's log that Rockchip's kernels keep. */
export type RamKind = FrontEnd | 'boot-log';

/** Places in a zone, counted from its first byte. */
export interface ZoneLayout {
  readonly frame: ZoneFrame;
  /** Where the data begin. */
  readonly data: number;
  /** Bytes of data that the zone has room for. */
  readonly area: number;
  /** Where the parity of data block 0 stands, that of the others after it; the zone's end without ECC. */
  readonly blockParity: number;
  /** Where the header's parity stands: at the zone's very end, but for one old rule. */
  readonly headerParity: number;
}

/** Zones of one kind, one after the other. */
export interface RamRun {
  readonly type: RamKind;
  readonly offset: number;
  readonly count: number;
  readonly zoneSize: number;
  readonly layout: ZoneLayout;
}

export interface RamZone {
  readonly type: RamKind;
  /** 0, 1, … among the zones of its type. */
  readonly id: number;
  /** First byte in the storage. */
  readonly offset: number;
  /** Bytes, header and parity included. */
  readonly size: number;
  readonly layout: ZoneLayout;
  /** Parity bytes of a block; 0 without ECC. */
  readonly ecc: number;
}

export interface RamGeometry extends RamSizes {
  /** First byte of the region in the storage. */
  readonly base: number;
  /** In the order of the region; a kind without zones is absent. */
  readonly runs: readonly RamRun[];
}

/** Down to a power of two, as ramoops_probe rounds each size but the region's; 0 stays 0. */
export function roundDownToPowerOfTwo(size: number): number {
  if (size < 1) return 0;
  const power = 2 ** Math.floor(Math.log2(size));
  return power > size ? power / 2 : power;
}

/** So many of 4 KiB fill 4 GiB, and no kernel gives as much memory away. */
const MAX_ZONES = 1 << 20;

const evenBelow = (size: number) => size - (size % 2);

/**
 * Where data and parity of a zone stand: persistent_ram_init_ecc, in its two forms, and ram_console's.
 * @param size bytes of the zone
 * @param ecc parity bytes, 0 … MAX_PARITY
 * @returns undefined when nothing is left for data
 */
export function zoneLayout(size: number, ecc: number, rule: ParityRule = 'data-and-parity'): ZoneLayout | undefined {
  const room = size - RAM_HEADER_SIZE;
  if (room <= 0) return undefined;
  const [frame, data] = ['header', RAM_HEADER_SIZE] as const;
  if (ecc === 0) return { frame, data, area: room, blockParity: size, headerParity: size };
  const blocks = Math.ceil(rule === 'data-and-parity' ? (room - ecc) / (ECC_BLOCK + ecc) : room / ECC_BLOCK);
  const area = room - (blocks + 1) * ecc;
  if (room <= ecc || area <= 0) return undefined;
  const blockParity = RAM_HEADER_SIZE + area;
  const headerParity = rule === 'room-packed' ? blockParity + Math.ceil(area / ECC_BLOCK) * ecc : size - ecc;
  return { frame, data, area, blockParity, headerParity };
}

/** How many dmesg zones there are, and how large each: the count is known before the room is divided. */
export function dmesgZones(
  room: number,
  recordSize: number,
  { remainder, isEven }: Pick<RamDialect, 'remainder' | 'isEven'>,
): { count: number; zoneSize: number } {
  const count = recordSize > 0 ? Math.floor(room / recordSize) : 0;
  if (count === 0) return NONE;
  return { count, zoneSize: remainder === 'unused' ? recordSize : partOf(room, count, isEven) };
}

/** Bytes of each zone where several share a size, as ramoops_init_przs divides it. */
export function partOf(size: number, count: number, isEven: boolean): number {
  const part = Math.floor(size / count);
  return isEven ? evenBelow(part) : part;
}

/** The sizes as ramoops_probe goes on with them. */
export function roundedSizes(sizes: RamSizes): RamSizes {
  const { roundsSizes, roundsRegion } = sizes.dialect;
  const rounded = (size: number) => (roundsSizes ? roundDownToPowerOfTwo(size) : size);
  return {
    ...sizes,
    memSize: roundsRegion ? roundDownToPowerOfTwo(sizes.memSize) : sizes.memSize,
    recordSize: rounded(sizes.recordSize),
    consoleSize: rounded(sizes.consoleSize),
    ftraceSize: rounded(sizes.ftraceSize),
    pmsgSize: rounded(sizes.pmsgSize),
    ttySize: rounded(sizes.ttySize),
    order: sizes.ttySize > 0 ? 'pmsg-ftrace' : sizes.order,
  };
}

/** What the other kinds leave for dmesg. */
export function dmesgRoom(sizes: RamSizes): number {
  const { memSize, consoleSize, ftraceSize, pmsgSize, ttySize, bootLogSize, dialect } = sizes;
  const consoles = dialect.consoles === 'one' ? consoleSize : 2 * consoleSize;
  return memSize - consoles - ftraceSize - pmsgSize - ttySize - bootLogSize;
}

/**
 * @param sizes as given: the dialect says whether and how they are rounded
 * @param base first byte of the region in the storage
 * @throws PstoreError EINVAL for sizes with which ramoops would not come up
 */
export function layOutRam(sizes: RamSizes, path: string, base = 0): RamGeometry {
  const rounded = roundedSizes(sizes);
  checkSizes(rounded, path);
  return { ...rounded, memSize: sizes.memSize, base, runs: [...runsOf(rounded, path, base)] };
}

function impossible(path: string, what: string): PstoreError {
  return new PstoreError('EINVAL', `${path}: ${what}`, { path });
}

function checkSizes(sizes: RamSizes, path: string): void {
  const { memSize, recordSize, consoleSize, ftraceSize, pmsgSize, ttySize, bootLogSize, cpus, ecc } = sizes;
  if (!Number.isInteger(ecc) || ecc < 0 || ecc > MAX_PARITY) {
    throw impossible(path, `ecc=${ecc}: a block has 0 to ${MAX_PARITY} parity bytes`);
  }
  if (!Number.isInteger(cpus) || cpus < 1) throw impossible(path, `cpus=${cpus}: there is at least one CPU`);
  if (recordSize + consoleSize + ftraceSize + pmsgSize + ttySize + bootLogSize === 0) {
    throw impossible(path, 'give at least one of record_size, console_size, ftrace_size, pmsg_size and tty_size');
  }
  const room = dmesgRoom(sizes);
  if (room < 0) {
    const words = `the sizes of console, ftrace, pmsg and tty are ${memSize - room} bytes, the region has ${memSize}`;
    throw impossible(path, `${words}; give smaller sizes`);
  }
  if (recordSize > 0 && room / recordSize > MAX_ZONES) {
    const words = `record_size=${recordSize} gives ${Math.floor(room / recordSize)} zones, more than ${MAX_ZONES}`;
    throw impossible(path, `${words}; give mem_size=, or a larger size`);
  }
  if (recordSize > 0 && room > 0 && recordSize > room) {
    const words = `record_size=${recordSize} is larger than the ${room} bytes that the other kinds leave`;
    throw impossible(path, `${words}; give a smaller size`);
  }
}

interface Zones {
  readonly count: number;
  readonly zoneSize: number;
}

const NONE: Zones = { count: 0, zoneSize: 0 };

/** The kinds in the order of a region, each with its zones. */
export function kindsInOrder(sizes: RamSizes): readonly (readonly [RamKind, Zones])[] {
  const { dialect, cpus, ftraceSize, bootLogSize, bootLogCount } = sizes;
  const parts = (size: number, count: number): Zones =>
    size > 0 && count > 0 ? { count, zoneSize: partOf(size, count, dialect.isEven) } : NONE;
  const single = (zoneSize: number): Zones => (zoneSize > 0 ? { count: 1, zoneSize } : NONE);
  const console = { ...single(sizes.consoleSize) };
  if (dialect.consoles === 'two' && console.count > 0) console.count = 2;
  const ftrace = ['ftrace', parts(ftraceSize, dialect.perCpu ? cpus : 1)] as const;
  const pmsg = ['pmsg', single(sizes.pmsgSize)] as const;
  return [
    ['boot-log', parts(bootLogSize, bootLogCount)],
    ['dmesg', dmesgZones(dmesgRoom(sizes), sizes.recordSize, dialect)],
    ['console', console],
    ...(sizes.order === 'ftrace-pmsg' ? [ftrace, pmsg] : [pmsg, ['tty', single(sizes.ttySize)] as const, ftrace]),
  ];
}

function* runsOf(sizes: RamSizes, path: string, base: number): Generator<RamRun> {
  const { ecc, dialect } = sizes;
  let offset = base;
  for (const [type, { count, zoneSize }] of kindsInOrder(sizes)) {
    if (count === 0) continue;
    const layout = dialect.frame === 'none' ? unframed(zoneSize) : zoneLayout(zoneSize, ecc, dialect.parity);
    if (!layout) {
      const what = ecc > 0 ? `a header, ${ecc} parity bytes a block and data` : 'a header and data';
      throw impossible(path, `a ${type} zone of ${zoneSize} bytes has no room for ${what}; give a larger size`);
    }
    yield { type, offset, count, zoneSize, layout };
    offset += count * zoneSize;
  }
}

/** A zone that is all data. */
function unframed(size: number): ZoneLayout {
  return { frame: 'none', data: 0, area: size, blockParity: size, headerParity: size };
}

/** The run of a kind, or undefined without zones of it. */
export function runOf(geometry: RamGeometry, type: RamKind): RamRun | undefined {
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
