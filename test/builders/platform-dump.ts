// Saved platform dumps, made byte by byte: the header, a directory of sections, and data of a pattern.

export interface BuiltDump {
  name: string | Uint8Array;
  label?: string;
  type?: number;
  prefixLength?: number;
  /** Sizes that the section directory speaks of. */
  sections?: bigint[];
  /** Bytes behind header and directory. */
  data?: number;
}

export const SYSDUMP = 'SYSDUMP.78000A1.00000007.20210914091500';
export const FSPDUMP = 'FSPDUMP.78000A1.0100000C.20210915101112';

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function big(value: bigint, length: number): number[] {
  return Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn));
}

export function dumpBytes({ name, label = 'FILE', type = 1, prefixLength = 7, ...rest }: BuiltDump): Uint8Array {
  const { sections = [], data = 1000 } = rest;
  const head = new Uint8Array(0x40 + 0x28 * sections.length);
  head.set(ascii(label.padEnd(8)), 0);
  head.set(big(0x40n, 2), 8);
  head.set(big(BigInt(type), 2), 0x14);
  head.set(big(BigInt(prefixLength), 2), 0x16);
  head.set((typeof name === 'string' ? ascii(name) : name).subarray(0, 40), 0x18);
  sections.forEach((size, i) => {
    const at = 0x40 + 0x28 * i;
    head.set(ascii('SECTION\0'), at);
    head.set(big(0x28n, 2), at + 8);
    head.set(big(i === sections.length - 1 ? 1n : 0n, 4), at + 0x10);
    head.set(big(BigInt(i), 2), at + 0x14);
    head.set(big(size, 8), at + 0x18);
  });
  const bytes = new Uint8Array(head.length + data);
  bytes.set(head);
  fillPattern(bytes.subarray(head.length), head.length, 1);
  return bytes;
}

/** A prime, so that no chunk of any size has the same bytes as the next one. */
const PERIOD = 65_521;
const tiles = new Map<number, Uint8Array>();

function tile(seed: number): Uint8Array {
  const made = tiles.get(seed) ?? new Uint8Array(PERIOD).map((_, i) => (i ^ (i >>> 8) ^ (seed * 31)) & 0xff);
  tiles.set(seed, made);
  return made;
}

/** Bytes that their place and a seed decide, so that any part of a dump can be made, and checked, alone. */
export function fillPattern(target: Uint8Array, position: number, seed: number): void {
  const source = tile(seed);
  for (let done = 0; done < target.length; ) {
    const piece = source.subarray((position + done) % PERIOD).subarray(0, target.length - done);
    target.set(piece, done);
    done += piece.length;
  }
}
