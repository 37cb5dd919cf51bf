// Damages bytes as a fuzzer does: where formats keep their lengths, positions and magic numbers, and anywhere else.

import type { Random } from './random.js';

/** Values at the edges of what a field can hold, or of what a format allows. */
const EDGES = [0, 1, 2, 7, 8, 12, 16, 0x7f, 0x80, 0xff, 0x100, 0x1ff, 0x200, 0xfff, 0x1000, 0x7fff, 0x8000, 0xffff];
const LARGE = [0x10000, 0x100000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffe, 0xffffffff];
/** Places at the beginning of a zone, a page or a header where its fields stand. */
const FIELDS = 64;
/** Boundaries that zones, pages and blocks begin at. */
const BOUNDARIES = [4, 512, 4096, 8192, 16384, 65536];

type Damage = (bytes: Uint8Array, random: Random) => Uint8Array;

function place(bytes: Uint8Array, random: Random): number {
  if (random.oneIn(4)) return random.below(bytes.length);
  if (random.oneIn(3)) return random.below(Math.min(256, bytes.length));
  const boundary = random.pick(BOUNDARIES);
  const begin = random.below(Math.ceil(bytes.length / boundary)) * boundary;
  return Math.min(bytes.length - 1, begin + random.below(FIELDS));
}

function setNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const size = random.pick([1, 2, 4, 8]);
  const at = place(bytes, random);
  if (at + size > bytes.length) return bytes;
  const value = BigInt(
    random.pick([random.pick(EDGES), random.pick(LARGE), random.below(bytes.length + 2), random.next()]),
  );
  const little = !random.oneIn(3);
  for (let i = 0; i < size; i++) {
    bytes[at + (little ? i : size - 1 - i)] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
  return bytes;
}

function move(bytes: Uint8Array, random: Random): Uint8Array {
  const length = 1 + random.below(Math.min(bytes.length, random.pick([8, 64, 512, 4096])));
  const from = random.below(bytes.length - length);
  bytes.copyWithin(random.oneIn(2) ? place(bytes, random) : random.below(bytes.length), from, from + length);
  return bytes;
}

function fill(bytes: Uint8Array, random: Random): Uint8Array {
  const from = place(bytes, random);
  return bytes.fill(random.pick([0, 0xff, 0x41, 0x0a, 0x80]), from, from + random.pick([1, 16, 512, 4096]));
}

const DAMAGES: readonly Damage[] = [
  setNumber,
  setNumber,
  setNumber,
  move,
  fill,
  (bytes, random) => {
    bytes[place(bytes, random)]! ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, random) => {
    bytes[place(bytes, random)] = random.below(256);
    return bytes;
  },
  (bytes, random) => bytes.slice(0, random.below(bytes.length + 1)),
  (bytes, random) => {
    const at = random.below(bytes.length);
    const length = random.pick([1, 4, 12, 512]);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + length))]);
  },
  (bytes, random) => {
    const at = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), random.bytes(random.pick([1, 4, 512])), bytes.subarray(at)]);
  },
];

/** A damaged copy. */
export function mutate(original: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(original);
  for (let count = 1 + random.below(random.oneIn(4) ? 24 : 4); count > 0; count--) {
    if (bytes.length === 0) return random.bytes(random.below(64));
    bytes = new Uint8Array(random.pick(DAMAGES)(bytes, random));
  }
  return bytes;
}
