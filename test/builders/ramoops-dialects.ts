// Random regions of ramoops in every dialect, as the kernels of each would leave them, and what those kernels show.
// Knows nothing of the code under test.

import { deflateRawSync, deflateSync } from 'node:zlib';
import { fastParityOf } from './reed-solomon.js';

export interface Zone {
  type: 'boot-log' | 'dmesg' | 'console' | 'ftrace' | 'pmsg';
  id: number;
  offset: number;
  size: number;
}

/** An image, the names and bytes that its kernel shows, and the keys that its kernel had. */
export interface Dialectal {
  dialect: string;
  image: Uint8Array;
  files: Map<string, Uint8Array>;
  keys: Record<string, string>;
  base: number;
}

const SIG = 0x43474244;
/** Linux 4.9.49. */
const VERSION = 0x40931;

/** A generator of the same numbers for the same seed (mulberry32). */
export function dice(seed: number): (most: number) => number {
  let state = seed >>> 0;
  return (most) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) % most;
  };
}

type Roll = (most: number) => number;

const WORDS = ['valve', 'gate', 'lift', 'mixer', 'crane', 'pump', 'opened', 'jammed', 'after', 'turns', 'shut', 'code'];

function words(roll: Roll): string {
  return Array.from({ length: 3 + roll(6) }, () => WORDS[roll(WORDS.length)]).join(' ');
}

function consoleText(roll: Roll, bytes: number): Uint8Array {
  let text = '';
  for (let i = 3; text.length < bytes; i++) {
    text += `[${String(Math.floor(i / 7)).padStart(5)}.${String((i * 7919) % 1e6).padStart(6, '0')}] ${words(roll)}\n`;
  }
  return Buffer.from(text.slice(0, bytes), 'latin1');
}

function pmsgText(roll: Roll, bytes: number): Uint8Array {
  let text = '';
  for (let i = 0; text.length < bytes; i++) {
    text += `03-01 00:00:${String(i % 60).padStart(2, '0')}.${String(i % 1000).padStart(3, '0')}   900  ${1000 + roll(99)} I Store: ${words(roll)}\n`;
  }
  return Buffer.from(text.slice(0, bytes), 'latin1');
}

function bootText(roll: Roll, bytes: number): Uint8Array {
  let text = '';
  for (let i = 0; text.length < bytes; i++) text += `stage ${i}: lane ${roll(4)} trained, ${words(roll)}\n`;
  return Buffer.from(text.slice(0, bytes), 'latin1');
}

interface Shape {
  rounds: boolean;
  shared: boolean;
  /** Parts of a division may have odd sizes, as before Linux 6.8. */
  odd: boolean;
  consoles: 1 | 2;
  hole: boolean;
  perCpu: boolean;
  parity: 'usual' | 'room' | 'packed';
  line: (seconds: number, micros: number, compressed: boolean) => string;
  pack: (text: Uint8Array) => Uint8Array;
}

const padded = (s: number, us: number, c: boolean) => `====${s}.${String(us).padStart(6, '0')}-${c ? 'C' : 'D'}\n`;
const unpadded = (s: number, us: number, c: boolean) => `====${s}.${us}-${c ? 'C' : 'D'}\n`;

const NEW: Shape = {
  rounds: true,
  shared: true,
  odd: false,
  consoles: 1,
  hole: false,
  perCpu: true,
  parity: 'usual',
  line: padded,
  pack: (text) => deflateRawSync(text, { windowBits: 11 }),
};
const OLD: Shape = {
  ...NEW,
  shared: false,
  perCpu: false,
  line: unpadded,
  pack: (text) => deflateSync(text, { windowBits: 12, memLevel: 4 }),
};

interface Sizes {
  mem: number;
  record: number;
  console: number;
  ftrace: number;
  pmsg: number;
  bootLog: number;
  bootCount: number;
  cpus: number;
  ecc: number;
  pmsgFirst: boolean;
}

function even(value: number): number {
  return 2 * Math.floor(value / 2);
}

function layOut(shape: Shape, sizes: Sizes): Zone[] {
  const { mem, record, console, ftrace, pmsg, bootLog, bootCount, pmsgFirst } = sizes;
  const twice = shape.consoles === 2 || shape.hole ? 2 : 1;
  const rest = mem - twice * console - ftrace - pmsg - bootLog;
  const count = record > 0 ? Math.floor(rest / record) : 0;
  const zones: Zone[] = [];
  let at = 0;
  const add = (type: Zone['type'], number: number, size: number) => {
    for (let id = 0; id < number; id++) {
      zones.push({ type, id, offset: at, size });
      at += size;
    }
  };
  const cpus = shape.perCpu ? sizes.cpus : 1;
  const part = (size: number, number: number) => {
    const each = Math.floor(size / number);
    return shape.odd ? each : even(each);
  };
  add('boot-log', bootLog > 0 ? bootCount : 0, bootLog > 0 ? even(bootLog / bootCount) : 0);
  add('dmesg', count, count === 0 ? 0 : shape.shared ? part(rest, count) : record);
  add('console', console > 0 ? shape.consoles : 0, console);
  if (!pmsgFirst) add('ftrace', ftrace > 0 ? cpus : 0, part(ftrace, cpus));
  add('pmsg', pmsg > 0 ? 1 : 0, pmsg);
  if (pmsgFirst) add('ftrace', ftrace > 0 ? cpus : 0, part(ftrace, cpus));
  return zones;
}

function areaOf(size: number, ecc: number, parity: Shape['parity']): number {
  const room = size - 12;
  if (ecc === 0) return room;
  const blocks = parity === 'usual' ? Math.ceil((room - ecc) / (128 + ecc)) : Math.ceil(room / 128);
  return room - (blocks + 1) * ecc;
}

/** Writes header, data and parity of a zone. */
function write(
  bytes: Uint8Array,
  zone: Zone,
  ecc: number,
  parity: Shape['parity'],
  data: Uint8Array,
  start: number,
): void {
  const { offset, size } = zone;
  const area = areaOf(size, ecc, parity);
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  view.setUint32(0, (zone.type === 'ftrace' ? SIG ^ VERSION : SIG) >>> 0, true);
  view.setUint32(4, start, true);
  view.setUint32(8, data.length, true);
  bytes.set(data, offset + 12);
  if (ecc === 0) return;
  const first = offset + 12 + area;
  for (let block = 0; block * 128 < data.length; block++) {
    const from = offset + 12 + block * 128;
    const own = bytes.subarray(from, Math.min(from + 128, offset + 12 + area));
    bytes.set(fastParityOf(own, ecc), first + block * ecc);
  }
  const place = parity === 'packed' ? first + Math.ceil(area / 128) * ecc : offset + size - ecc;
  bytes.set(fastParityOf(bytes.subarray(offset, offset + 12), ecc), place);
}

/** How full a zone is: often nearly or wholly, and often not at all. */
function fillOf(roll: Roll, area: number): number {
  const kind = roll(4);
  return kind === 0 ? 0 : kind === 1 ? area : 1 + Math.min(area - 1, 200 + roll(Math.max(1, area - 200)));
}

/** A ring after `text` was written to it: what is stored, and where the next byte goes. */
function ring(text: Uint8Array, area: number, roll: Roll): { data: Uint8Array; start: number } {
  if (text.length < area) return { data: text, start: text.length };
  const start = roll(2) === 0 ? 0 : roll(area);
  const data = new Uint8Array(area);
  data.set(text.subarray(0, area - start), start);
  data.set(text.subarray(area - start, area), 0);
  return { data, start };
}

function fill(
  roll: Roll,
  shape: Shape,
  sizes: Sizes,
  zones: readonly Zone[],
  began = 1_600_000_000,
): { bytes: Uint8Array; files: Map<string, Uint8Array> } {
  const bytes = new Uint8Array(sizes.mem);
  const files = new Map<string, Uint8Array>();
  const dumps = roll(4) === 0 ? 0 : 1 + roll(4);
  const notice = sizes.ecc > 0 ? Buffer.from('\nECC: No errors detected\n') : Buffer.alloc(0);
  for (const zone of zones) {
    const area = areaOf(zone.size, sizes.ecc, shape.parity);
    const put = (data: Uint8Array, start: number) => write(bytes, zone, sizes.ecc, shape.parity, data, start);
    const name = `${zone.type}-ramoops-${zone.type === 'console' && zone.id === 1 ? 2 : zone.id}`;
    const show = (text: Uint8Array) => files.set(name, Buffer.concat([text, notice]));
    if (zone.type === 'dmesg' && zone.id < dumps) {
      const compressed = roll(2) === 0;
      const line = Buffer.from(shape.line(began + zone.id * 60, roll(1_000_000), compressed));
      const room = area - line.length;
      let text = Buffer.concat([
        Buffer.from(`Oops#${zone.id + 1} Part1\n`),
        consoleText(roll, Math.max(60, roll(room))),
      ]);
      if (!compressed) text = text.subarray(0, room);
      let record: Uint8Array = compressed ? shape.pack(text) : text;
      for (; record.length > room; record = shape.pack(text)) text = text.subarray(0, text.length / 2);
      const data = Buffer.concat([line, record]);
      put(data, data.length % area);
      show(text);
    } else if (zone.type === 'console' || zone.type === 'pmsg' || zone.type === 'boot-log') {
      const length = fillOf(roll, area);
      const text = { console: consoleText, pmsg: pmsgText, 'boot-log': bootText }[zone.type](roll, length);
      const { data, start } = ring(text, area, roll);
      put(data, start);
      if (length > 0) show(text);
    } else put(new Uint8Array(0), 0);
  }
  return { bytes, files };
}

function sizeKeys(sizes: Sizes): Record<string, string> {
  return {
    record_size: String(sizes.record),
    console_size: String(sizes.console),
    ftrace_size: String(sizes.ftrace),
    pmsg_size: String(sizes.pmsg),
    ecc: String(sizes.ecc),
    cpus: String(sizes.cpus),
  };
}

const EMPTY = {
  record: 0,
  console: 0,
  ftrace: 0,
  pmsg: 0,
  bootLog: 0,
  bootCount: 1,
  cpus: 1,
  ecc: 0,
  pmsgFirst: false,
};
const K = 1024;
const MEMORY = [128, 256, 512, 640, 766, 896, 960, 1024].map((size) => size * K);

/** Sizes as device trees and command lines have them. */
function usualSizes(roll: Roll, withRest: boolean): Sizes {
  const power = (from: number, to: number) => 2 ** (from + roll(to - from + 1));
  for (;;) {
    const sizes = {
      ...EMPTY,
      mem: MEMORY[roll(MEMORY.length)]! + (withRest && roll(3) === 0 ? 4096 * roll(16) : 0),
      record: power(12, 17),
      console: roll(6) === 0 ? 0 : power(12, 18),
      ftrace: roll(3) === 0 ? power(12, 14) : 0,
      pmsg: roll(4) === 0 ? 0 : power(12, 18),
      cpus: 1 + roll(8),
      ecc: roll(3) === 0 ? 16 : 0,
      pmsgFirst: roll(2) === 0,
    };
    if (sizes.ftrace === 0) Object.assign(sizes, { cpus: 1, pmsgFirst: false });
    if (sizes.mem - 2 * sizes.console - sizes.ftrace - sizes.pmsg >= sizes.record) return sizes;
  }
}

/** Sizes of which one kernel makes zones that begin at odd places. */
function oddSizes(roll: Roll): Sizes {
  for (;;) {
    const sizes = usualSizes(roll, true);
    if (layOut({ ...NEW, odd: true }, sizes).some(({ offset }) => offset % 2 === 1)) return sizes;
  }
}

/** A region in whose texts somebody writes of the signature, or it stands by accident. */
function withStrays(roll: Roll): Dialectal {
  const region = of('mainline', roll, NEW, { ...usualSizes(roll, true), ecc: 0 });
  const { image, files } = region;
  const view = new DataView(image.buffer);
  for (const [name, text] of files) {
    // A text whose first bytes stand in the image as they are, and lie at no place where a zone might begin.
    const at = Buffer.from(image.buffer).indexOf(text.subarray(0, 200));
    if (at < 0 || text.length < 600 || !/dmesg|console/.test(name) || at + text.length > image.length) continue;
    const into = 300 + 2 * roll(100) + (at % 2);
    const isThere = Buffer.compare(image.subarray(at, at + into + 12), text.subarray(0, into + 12)) === 0;
    if ((at + into) % 512 === 0 || !isThere) continue;
    view.setUint32(at + into, SIG, true);
    view.setUint32(at + into + 4, 40, true);
    view.setUint32(at + into + 8, 40, true);
    text.set(image.subarray(at + into, at + into + 12), into);
  }
  return { ...region, dialect: 'signatures in texts' };
}

/** A ring of Android, or a region of Rockchip's, that its file goes on after: parity tells where it ends. */
function endedByParity(roll: Roll): Dialectal {
  const sizes = { ...rockchipSizes(roll, false), ecc: 16 };
  sizes.pmsg ||= 0xc000;
  sizes.mem = sizes.console + sizes.pmsg + sizes.record * 2;
  const region = roll(2) === 0 ? androidRing(roll) : of('rockchip', roll, NEW, sizes, { dialect: 'rockchip' });
  const image = new Uint8Array(region.image.length + 0x1000 * (1 + roll(40))).fill(roll(2) === 0 ? 0xff : 0);
  image.set(region.image);
  return { ...region, image, keys: { ...region.keys, mem_size: String(region.image.length) } };
}

function of(dialect: string, roll: Roll, shape: Shape, sizes: Sizes, more: Record<string, string> = {}): Dialectal {
  const { bytes, files } = fill(roll, shape, sizes, layOut(shape, sizes));
  return { dialect, image: bytes, files, keys: { ...sizeKeys(sizes), ...more }, base: 0 };
}

function rockchipSizes(roll: Roll, bootLog: boolean): Sizes {
  const piece = 0x4000;
  const sizes = {
    ...EMPTY,
    bootLog: bootLog ? piece * (1 + roll(4)) : 0,
    record: piece * (1 + roll(8)),
    console: piece * (1 + roll(32)),
    pmsg: piece * roll(16),
  };
  const count = 1 + roll(3);
  return { ...sizes, mem: sizes.bootLog + sizes.console + sizes.pmsg + sizes.record * count + piece * roll(2) };
}

function headerless(roll: Roll): Dialectal {
  const record = 2 ** (12 + roll(4));
  const mem = record * 2 ** (1 + roll(4));
  const image = new Uint8Array(mem);
  const files = new Map<string, Uint8Array>();
  const dumps = 1 + roll(mem / record);
  for (let id = 0; id < dumps; id++) {
    const line = Buffer.from(`====${1_325_000_000 + id * 100}.${roll(1_000_000)}\n`);
    const room = record - line.length;
    const text = consoleText(roll, roll(3) === 0 ? room : 300 + roll(room - 300));
    image.set(line, id * record);
    image.set(text, id * record + line.length);
    files.set(`dmesg-ramoops-${id}`, text);
  }
  return { dialect: 'pre-3.5', image, files, keys: { record_size: String(record), dialect: 'pre-3.5' }, base: 0 };
}

function androidRing(roll: Roll): Dialectal {
  const mem = 2 ** (15 + roll(5));
  const parity = roll(2) === 0 ? 'room' : 'packed';
  const sizes = { ...EMPTY, mem, console: mem, ecc: 16 };
  const zone: Zone = { type: 'console', id: 0, offset: 0, size: mem };
  const area = areaOf(mem, 16, parity);
  const length = roll(3) === 0 ? area : 400 + roll(area - 400);
  const text = consoleText(roll, length);
  const { data, start } = ring(text, area, roll);
  const image = new Uint8Array(mem);
  write(image, zone, 16, parity, data, start);
  const files = new Map([['console-ramoops-0', Buffer.concat([text, Buffer.from('\nECC: No errors detected\n')])]]);
  return { dialect: 'android-3.4', image, files, keys: sizeKeys(sizes), base: 0 };
}

/** A larger file around a region of Linux 4.10 and later: at its beginning, or anywhere in memory. */
function larger(roll: Roll, elsewhere: boolean): Dialectal {
  const sizes = usualSizes(roll, false);
  sizes.mem = 2 ** Math.ceil(Math.log2(sizes.mem));
  const region = of('', roll, NEW, sizes);
  const base = elsewhere ? 4096 * (1 + roll(500)) : 0;
  const image = new Uint8Array(base + sizes.mem * (2 + roll(3)));
  const kind = roll(3);
  if (kind === 1) image.fill(0xff);
  if (kind === 2 || elsewhere) for (let i = 0; i < image.length; i++) image[i] = roll(256);
  image.set(region.image, base);
  const keys = {
    ...region.keys,
    mem_size: String(sizes.mem),
    ...(elsewhere && { offset: String(base), size: String(sizes.mem) }),
  };
  return { ...region, dialect: elsewhere ? 'whole RAM' : 'larger file', image, base, keys };
}

/** A region that an earlier boot used with other sizes. */
function regeometry(roll: Roll): Dialectal {
  const before = usualSizes(roll, false);
  const now = { ...usualSizes(roll, false), mem: before.mem, ecc: 0 };
  if (now.mem - now.console - now.ftrace - now.pmsg < now.record) return regeometry(roll);
  const old = fill(roll, NEW, { ...before, ecc: 0 }, layOut(NEW, before), 1_500_000_000).bytes;
  const zones = layOut(NEW, now);
  const { bytes, files } = fill(roll, NEW, now, zones);
  for (const { offset } of zones) {
    const size = new DataView(bytes.buffer, offset).getUint32(8, true);
    old.set(bytes.subarray(offset, offset + 12 + size), offset);
  }
  return { dialect: 'regeometry', image: old, files, keys: sizeKeys(now), base: 0 };
}

/** One entry for each dialect: to add one, add its maker. */
export const MAKERS: Readonly<Record<string, (roll: Roll) => Dialectal>> = {
  mainline: (roll) => of('mainline', roll, NEW, usualSizes(roll, true)),
  'mainline before 6.8': (roll) => of('mainline', roll, { ...NEW, odd: true }, oddSizes(roll)),
  'signatures in texts': withStrays,
  'ended by parity': endedByParity,
  'pre-4.10': (roll) => of('pre-4.10', roll, OLD, { ...usualSizes(roll, true), cpus: 1, pmsgFirst: false }),
  rockchip: (roll) => of('rockchip', roll, NEW, rockchipSizes(roll, false), { dialect: 'rockchip' }),
  'rockchip-boot-log': (roll) => {
    const sizes = rockchipSizes(roll, true);
    return of('rockchip', roll, NEW, sizes, { dialect: 'rockchip', boot_log_size: String(sizes.bootLog) });
  },
  'mediatek-hole': (roll) =>
    of(
      'mediatek',
      roll,
      { ...NEW, hole: true },
      { ...usualSizes(roll, false), pmsgFirst: false },
      { dialect: 'mediatek' },
    ),
  'mediatek-two': (roll) =>
    of(
      'mediatek',
      roll,
      { ...OLD, consoles: 2 },
      { ...usualSizes(roll, false), cpus: 1, pmsgFirst: false },
      { dialect: 'mediatek' },
    ),
  'android-3.4': androidRing,
  'pre-3.5': headerless,
  'larger file': (roll) => larger(roll, false),
  'whole RAM': (roll) => larger(roll, true),
  regeometry,
};
