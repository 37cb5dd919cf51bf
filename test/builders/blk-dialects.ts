// Random partitions of pstore/blk in every dialect, as the kernels of each would leave them, and what those kernels show.
// Knows nothing of the code under test.

import { deflateRawSync, deflateSync } from 'node:zlib';
import type { dice } from './ramoops-dialects.js';

/** An image, the names and bytes that its kernel shows, and the keys that its kernel had. */
export interface BlkImage {
  image: Uint8Array;
  files: Map<string, Uint8Array>;
  keys: Record<string, string>;
}

type Roll = ReturnType<typeof dice>;

const SIG = 0x43474244;
const MAGIC = 0x4dfc3ae5;
const PMSG = 7;
const CONSOLE = 2;

/** A machine: byte order, where the fields of the dmesg header stand, bytes of its nanoseconds. */
interface Machine {
  little: boolean;
  seconds: number;
  nanoseconds: number;
  wide: boolean;
  compressed: number;
  counter: number;
  reason: number;
  header: number;
}
const ALIGN8 = { seconds: 8, nanoseconds: 16, compressed: 24, counter: 28, reason: 32, header: 40 };
const MACHINES: readonly Machine[] = [
  { ...ALIGN8, little: true, wide: true },
  { ...ALIGN8, little: true, wide: false },
  { ...ALIGN8, little: false, wide: false },
  { little: true, wide: false, seconds: 4, nanoseconds: 12, compressed: 16, counter: 20, reason: 24, header: 28 },
];

/** What the kernels of a dialect do. */
interface Shape {
  backend: string;
  bufferHeader: 8 | 12;
  /** Reasons in the order of their numbers, from 1 on. */
  reasons: readonly string[];
  line: string;
  wholeZone: boolean;
  fill: number;
  pack: (text: Uint8Array) => Uint8Array;
}

const raw = (text: Uint8Array) => deflateRawSync(text, { windowBits: 11 });
const zlib = (text: Uint8Array) => deflateSync(text, { windowBits: 12, memLevel: 4 });

const SHAPES = {
  rfc5: {
    ...{ backend: 'blkoops', bufferHeader: 8, reasons: ['Panic', 'Oops'], line: 'blkoops: ' },
    ...{ wholeZone: false, fill: 0xff, pack: raw },
  },
  vendor: {
    ...{ backend: 'pstore-blk', bufferHeader: 12, reasons: ['OOM', 'Panic', 'Oops'], line: '' },
    ...{ wholeZone: false, fill: 0xff, pack: zlib },
  },
  mainline: {
    ...{ backend: 'pstore_blk', bufferHeader: 12, reasons: ['Panic', 'Oops', 'Emergency', 'Shutdown'], line: '' },
    ...{ wholeZone: true, fill: 0, pack: raw },
  },
} satisfies Record<string, Shape>;

const WORDS = ['valve', 'gate', 'lift', 'mixer', 'crane', 'pump', 'opened', 'jammed', 'after', 'turns', 'shut', 'code'];

function lines(roll: Roll, bytes: number, prefix: (i: number) => string): Uint8Array {
  let text = '';
  for (let i = 0; text.length < bytes; i++) {
    text += `${prefix(i)}${Array.from({ length: 3 + roll(6) }, () => WORDS[roll(WORDS.length)]).join(' ')}\n`;
  }
  return Buffer.from(text.slice(0, bytes), 'latin1');
}

const kernelLines = (i: number) => `<${i % 7}>[${String(i).padStart(5)}.${String((i * 7919) % 1e6).padStart(6, '0')}] `;
const userLines = (i: number) => `03-01 00:00:${String(i % 60).padStart(2, '0')}.000  900  1000 I Store: `;

function bufferHeader(shape: Shape, { little }: Machine, type: number, datalen: number, start: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(shape.bufferHeader));
  view.setUint32(0, (SIG ^ type) >>> 0, little);
  view.setUint32(4, datalen, little);
  if (shape.bufferHeader === 12) view.setUint32(8, start, little);
  return new Uint8Array(view.buffer);
}

interface Dump {
  seconds: number;
  counter: number;
  reason: number;
  compressed: boolean;
  stored: Uint8Array;
}

function dmesgHeader({ seconds, compressed, counter, reason }: Dump, machine: Machine, fill: number): Uint8Array {
  const bytes = new Uint8Array(machine.header).fill(fill);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, machine.little);
  view.setBigInt64(machine.seconds, BigInt(seconds), machine.little);
  const nanoseconds = 1_000_000 + counter;
  if (machine.wide) view.setBigInt64(machine.nanoseconds, BigInt(nanoseconds), machine.little);
  else view.setUint32(machine.nanoseconds, nanoseconds, machine.little);
  view.setUint8(machine.compressed, Number(compressed));
  view.setUint32(machine.counter, counter, machine.little);
  view.setUint32(machine.reason, reason, machine.little);
  return bytes;
}

/** Lets a kernel of this dialect crash some times, and read out and erase some of its dumps. */
function crashes(
  roll: Roll,
  shape: Shape,
  machine: Machine,
  image: Uint8Array,
  files: Map<string, Uint8Array>,
  zones: { offset: number; size: number; count: number },
): void {
  const counters = new Map<number, number>();
  const room = zones.size - shape.bufferHeader - machine.header;
  const number = roll(5) === 0 ? zones.count + roll(3) : 1 + roll(zones.count);
  for (let i = 0; i < number; i++) {
    const index = i % zones.count;
    const at = zones.offset + index * zones.size;
    const reason = 1 + roll(shape.reasons.length);
    const counter = (counters.get(reason) ?? 0) + 1;
    counters.set(reason, counter);
    const counted = shape === SHAPES.mainline && reason > 2 ? 0 : counter;
    const name = shape.reasons[reason - 1]!;
    const first = Buffer.from(`${name}#${i + 1} Part1\n`);
    const compressed = roll(2) === 0;
    const wanted = compressed ? room : Math.max(1, room - first.length - roll(Math.floor(room / 2)));
    const text = Buffer.concat([first, lines(roll, wanted, kernelLines)]);
    const packed = compressed ? shape.pack(text) : text;
    const isPacked = compressed && packed.length <= room;
    const stored = isPacked ? packed : text.subarray(0, room);
    const record = {
      seconds: 1_600_000_000 + 100 * i + roll(50),
      counter: counted,
      reason,
      compressed: isPacked,
      stored,
    };
    if (shape.wholeZone) image.fill(shape.fill, at, at + zones.size);
    image.set(bufferHeader(shape, machine, 0, machine.header + stored.length, 0), at);
    image.set(dmesgHeader(record, machine, shape.fill), at + shape.bufferHeader);
    image.set(stored, at + shape.bufferHeader + machine.header);
    const added = Buffer.from(isPacked ? '' : `${shape.line}${name}: Total ${counted} times\n`);
    files.set(`dmesg-${shape.backend}-${index}`, isPacked ? text : Buffer.concat([added, stored]));
    if (roll(6) > 0) continue;
    image.set(bufferHeader(shape, machine, 0, 0, 0), at);
    files.delete(`dmesg-${shape.backend}-${index}`);
  }
}

/** Fills a ring, so that it wraps or not. */
function fillRing(
  roll: Roll,
  shape: Shape,
  machine: Machine,
  image: Uint8Array,
  at: number,
  size: number,
  type: number,
) {
  const area = size - 12;
  const wraps = roll(2) === 0;
  const length = wraps ? area + 1 + roll(area) : 1 + roll(area - 1);
  const text = lines(roll, length, type === PMSG ? userLines : kernelLines);
  const shown = text.subarray(Math.max(0, length - area));
  const start = wraps ? length % area : length;
  const datalen = wraps ? area : length;
  image.set(bufferHeader(shape, machine, type, datalen, start), at);
  const data = wraps ? Buffer.concat([shown.subarray(area - start), shown.subarray(0, area - start)]) : shown;
  image.set(data, at + 12);
  return shown;
}

/** What the partition held before: nothing, or something else. */
function blank(roll: Roll, size: number): Uint8Array {
  const kind = roll(4);
  const bytes = new Uint8Array(size).fill(kind === 0 ? 0 : 0xff);
  if (kind < 3) return bytes;
  for (let at = 0; at < size; at += 64) bytes.set([roll(256), roll(256), roll(256), roll(256)], at);
  return bytes;
}

const K = 1024;
const pick = <T>(roll: Roll, of: readonly T[]): T => of[roll(of.length)]!;

export const BLK_MAKERS: Readonly<globalThis.Record<string, (roll: Roll) => BlkImage>> = {
  rfc5: (roll) => {
    const shape = SHAPES.rfc5;
    const machine = pick(roll, MACHINES);
    const size = pick(roll, [4 * K, 8 * K, 16 * K, 64 * K, 128 * K]);
    const count = 2 + roll(12);
    const image = blank(roll, size * count + pick(roll, [0, 0, 4 * K]) * Number(size > 4 * K));
    const files = new Map<string, Uint8Array>();
    crashes(roll, shape, machine, image, files, { offset: 0, size, count: Math.floor(image.length / size) });
    return { image, files, keys: { kmsg_size: String(size), dialect: 'rfc5' } };
  },
  vendor: (roll) => {
    const shape = SHAPES.vendor;
    const machine = pick(roll, MACHINES);
    const size = pick(roll, [4 * K, 16 * K, 32 * K, 64 * K, 128 * K]);
    const pmsg = pick(roll, [0, 4 * K, 16 * K, 64 * K, 96 * K]);
    const count = 2 + roll(12);
    // What is no whole dmesg zone stays unused at the end.
    const used = size * count + pmsg + pick(roll, [0, 0, 4 * K]) * Number(size > 4 * K);
    const beyond = pick(roll, [0, 0, 0, 64 * K]);
    const image = blank(roll, used + beyond);
    const files = new Map<string, Uint8Array>();
    if (roll(8) > 0) crashes(roll, shape, machine, image, files, { offset: 0, size, count });
    if (pmsg > 0 && roll(4) > 0) {
      files.set('pmsg-pstore-blk-0', fillRing(roll, shape, machine, image, size * count, pmsg, PMSG));
    }
    const keys = { kmsg_size: String(size), pmsg_size: String(pmsg), dialect: 'vendor' };
    return { image, files, keys: beyond > 0 ? { ...keys, size: String(used) } : keys };
  },
  mainline: (roll) => {
    const shape = SHAPES.mainline;
    const machine = pick(roll, MACHINES);
    const size = pick(roll, [4 * K, 16 * K, 32 * K, 64 * K, 128 * K]);
    const pmsg = pick(roll, [0, 4 * K, 16 * K, 64 * K]);
    const log = pick(roll, [0, 4 * K, 16 * K, 64 * K]);
    const count = 2 + roll(12);
    const image = blank(roll, size * count + pmsg + log);
    const files = new Map<string, Uint8Array>();
    crashes(roll, shape, machine, image, files, { offset: pmsg + log, size, count });
    if (pmsg > 0) files.set('pmsg-pstore_blk-0', fillRing(roll, shape, machine, image, 0, pmsg, PMSG));
    if (log > 0) files.set('console-pstore_blk-0', fillRing(roll, shape, machine, image, pmsg, log, CONSOLE));
    const keys = { kmsg_size: String(size), pmsg_size: String(pmsg), console_size: String(log), ftrace_size: '0' };
    return { image, files, keys: { ...keys, dialect: 'mainline' } };
  },
};
