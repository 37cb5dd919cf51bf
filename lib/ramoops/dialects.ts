// The dialects of ramoops as data: how each family of kernels divides a region into zones, and what stands in a zone.
// To add one: an entry here, and a case in test/builders/ramoops-dialects.ts.

import { PstoreError } from '../errors.js';

/**
 * The order of the kinds after dmesg and console: ftrace, pmsg in kernels up to 6.1 and many later vendor trees;
 * pmsg, tty, ftrace since a change of late 2022. A tty zone exists only in the later order.
 */
export type RamOrder = 'ftrace-pmsg' | 'pmsg-ftrace';
export const RAM_ORDERS: readonly RamOrder[] = ['ftrace-pmsg', 'pmsg-ftrace'];

/**
 * Where the parity of a zone stands. `data-and-parity`: blocks are counted over data and their parity together, as
 * persistent_ram_init_ecc does since 3.5. `room`: blocks are counted over the whole room, so that the last sets stay
 * unused; the header's parity stands at the zone's end. `room-packed`: the same count, but the header's parity follows
 * the last set in use (drivers/staging/android/ram_console.c).
 */
export type ParityRule = 'data-and-parity' | 'room' | 'room-packed';

/**
 * What stands in front of a zone's data. `header`: struct persistent_ram_buffer. `none`: nothing, a text begins at once
 * and ends at a NUL (drivers/char/ramoops.c). `sram`: struct ram_console_buffer of MediaTek's drivers/misc.
 */
export type ZoneFrame = 'header' | 'none' | 'sram';

export interface RamDialect {
  /** As `dialect=` has it; entries of one name differ in what the image itself must tell. */
  readonly name: string;
  /** Which kernels write it. */
  readonly kernels: string;
  /** The rule by which it is told from the others, for `info`. */
  readonly rule: string;
  /** Record, console, ftrace and pmsg sizes are rounded down to powers of two. */
  readonly roundsSizes: boolean;
  /** The region's size is, too: what is above the power of two stays unused. */
  readonly roundsRegion: boolean;
  /** What a division of the dumps' room leaves: shared among the dump zones, or unused after the last zone. */
  readonly remainder: 'shared' | 'unused';
  /** What a division gives is rounded down to an even size, so that no zone begins at an odd place. */
  readonly isEven: boolean;
  /** Zones of the firmware's log stand before all others. */
  readonly bootLog: boolean;
  /** The console's size is taken off the dumps' room once; twice, with nothing at the end; or twice for two zones. */
  readonly consoles: 'one' | 'hole' | 'two';
  readonly orders: readonly RamOrder[];
  /** The ftrace zones are one for each CPU, or just one. */
  readonly perCpu: boolean;
  /** There is a single ring, and nothing else. */
  readonly singleRing: boolean;
  readonly frame: ZoneFrame;
  readonly parity: ParityRule;
  /** How the first line of a dump is written: `====1.000002-C`, `====1.2-C`, or `====1.2`. */
  readonly line: 'padded' | 'unpadded' | 'without-flag';
  /** `deflate` makes zlib streams, as all kernels before 4.17 do. */
  readonly deflatesAsZlib: boolean;
  /** How much less likely than mainline it is, where both explain an image: 1 is a proof's worth. */
  readonly unlikely: number;
}

export const MAINLINE: RamDialect = {
  name: 'mainline',
  kernels: 'Linux 4.10 and later',
  rule: 'dump zones share what the other kinds leave; sizes are powers of two',
  roundsSizes: true,
  roundsRegion: false,
  remainder: 'shared',
  isEven: true,
  bootLog: false,
  consoles: 'one',
  orders: RAM_ORDERS,
  perCpu: true,
  singleRing: false,
  frame: 'header',
  parity: 'data-and-parity',
  line: 'padded',
  deflatesAsZlib: false,
  unlikely: 0,
};

/** fs/pstore/ram.c before ALIGN_DOWN(zone_sz, 2), which came with 6.8 and the stable kernels of January 2024. */
const NOT_EVEN = { isEven: false, unlikely: 0.1 } as const;

const PRE_4_10: RamDialect = {
  ...MAINLINE,
  name: 'pre-4.10',
  kernels: 'Linux 3.5 to 4.9',
  rule: 'each dump zone has exactly record_size bytes; the remainder stays unused at the end',
  remainder: 'unused',
  orders: ['ftrace-pmsg'],
  perCpu: false,
  line: 'unpadded',
  deflatesAsZlib: true,
  unlikely: 0.3,
};

const MEDIATEK: RamDialect = {
  ...MAINLINE,
  name: 'mediatek',
  kernels: "MediaTek's trees",
  rule: 'console_size is taken off twice, and as many bytes stay unused at the end',
  consoles: 'hole',
  orders: ['ftrace-pmsg'],
  deflatesAsZlib: true,
  unlikely: 1,
};

const ANDROID_3_4: RamDialect = {
  ...MAINLINE,
  name: 'android-3.4',
  kernels: 'Android trees of Linux 3.0 to 3.4 (persistent_ram, ram_console)',
  rule: 'one ring; ECC blocks are counted over the whole room',
  roundsSizes: false,
  singleRing: true,
  parity: 'room',
  unlikely: 0.4,
};

const ROCKCHIP: RamDialect = {
  ...MAINLINE,
  name: 'rockchip',
  kernels: "Rockchip's trees of Linux 4.19 to 6.1",
  rule: 'sizes are not rounded, and zones of the boot log may stand first',
  roundsSizes: false,
  bootLog: true,
  unlikely: 1.5,
};

export const DIALECTS: readonly RamDialect[] = [
  MAINLINE,
  {
    ...MAINLINE,
    ...NOT_EVEN,
    kernels: 'Linux 4.10 to 6.7',
    rule: 'dump zones share what the other kinds leave, and may have odd sizes; the given sizes are powers of two',
  },
  PRE_4_10,
  {
    ...PRE_4_10,
    rule: 'as other kernels before 4.10, and the region is rounded down to a power of two (3.10)',
    roundsRegion: true,
    unlikely: 0.5,
  },
  ROCKCHIP,
  {
    ...ROCKCHIP,
    ...NOT_EVEN,
    rule: `${ROCKCHIP.rule}; zones may have odd sizes`,
    unlikely: ROCKCHIP.unlikely + NOT_EVEN.unlikely,
  },
  MEDIATEK,
  {
    ...MEDIATEK,
    rule: 'console_size is taken off twice, for a second console zone after the first',
    remainder: 'unused',
    consoles: 'two',
    perCpu: false,
    line: 'unpadded',
  },
  {
    ...MEDIATEK,
    rule: 'console_size is taken off twice; dump zones have exactly record_size bytes',
    remainder: 'unused',
    perCpu: false,
    line: 'unpadded',
    unlikely: 1.05,
  },
  ANDROID_3_4,
  {
    ...ANDROID_3_4,
    rule: `${ANDROID_3_4.rule}; the header's parity follows the last set in use`,
    parity: 'room-packed',
  },
  {
    ...ANDROID_3_4,
    rule: 'one ring; ECC blocks are counted as mainline does, as later trees of 3.4 do',
    parity: 'data-and-parity',
  },
  {
    ...MAINLINE,
    name: 'pre-3.5',
    kernels: 'Linux 2.6.35 to 3.4 (drivers/char/ramoops.c)',
    rule: 'no zone has a header: a dump begins with its line at each multiple of record_size',
    roundsRegion: true,
    remainder: 'unused',
    frame: 'none',
    line: 'without-flag',
  },
  {
    ...MAINLINE,
    name: 'mediatek-sram',
    kernels: "MediaTek's ram_console in SRAM (drivers/misc/mediatek/ram_console)",
    rule: 'the signature, then words with the places of boot loader and console logs; no region of ramoops',
    roundsSizes: false,
    singleRing: true,
    frame: 'sram',
  },
];

const DIALECT_NAMES: readonly string[] = [...new Set(DIALECTS.map(({ name }) => name))];

/** The entries of one name. @throws PstoreError EINVAL for an unknown one */
export function dialectsNamed(name: string): readonly RamDialect[] {
  const named = DIALECTS.filter((dialect) => dialect.name === name);
  if (named.length > 0) return named;
  throw new PstoreError('EINVAL', `dialect=${name}: known are ${DIALECT_NAMES.join(', ')}`);
}
