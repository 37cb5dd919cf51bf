// MediaTek's ram_console in SRAM: it has the signature of persistent RAM, but is no region of ramoops. Its words tell
// where the logs of boot loader and kernel stand.

import type { Abi } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { DIALECTS } from './dialects.js';
import { RAM_SIGNATURE, readSramHeader, SRAM_HEADER_SIZE } from './format.js';
import { NO_RAM_ZONES, type RamGeometry } from './geometry.js';

/** Bytes. Such memory has some 64 KiB; in later machines a part of DRAM follows it. */
const MAX_SRAM = 1 << 24;
const ENDIAN: Abi['endian'] = 'little';

function headerOf(storage: Storage): ReturnType<typeof readSramHeader> | undefined {
  return sramHeaderIn(readRange(storage, 0, SRAM_HEADER_SIZE));
}

/** The words of a ram_console, where the bytes begin with one that makes sense. */
export function sramHeaderIn(bytes: Uint8Array): ReturnType<typeof readSramHeader> | undefined {
  if (bytes.length < SRAM_HEADER_SIZE) return undefined;
  const header = readSramHeader(bytes, ENDIAN);
  const { sig, start, size, whole, log, room, others } = header;
  const fits = log >= SRAM_HEADER_SIZE && room > 0 && log + room <= whole && start <= room && size <= room;
  // Of a region of ramoops these words are a text, zeros, or a packed record: that may be any bytes.
  const isPlace = (word: number) => word <= whole;
  return sig === RAM_SIGNATURE && whole <= MAX_SRAM && fits && others.every(isPlace) ? header : undefined;
}

export function isSram(storage: Storage): boolean {
  return headerOf(storage) !== undefined;
}

/** A geometry of a single console, where the words say that it stands. */
export function sramGeometry(storage: Storage): RamGeometry | undefined {
  const header = headerOf(storage);
  if (!header) return undefined;
  const { whole, log, room } = header;
  const end = log + room;
  const dialect = DIALECTS.find(({ frame }) => frame === 'sram')!;
  const layout = { frame: 'sram', data: log, area: room, blockParity: end, headerParity: end } as const;
  const run = { type: 'console', offset: 0, count: 1, zoneSize: end, layout } as const;
  return { ...NO_RAM_ZONES, memSize: whole, consoleSize: room, dialect, base: 0, runs: [run] };
}
