// Finds out with what a dmesg record was compressed, and undoes it. A header says only that it is compressed.

import { sw842 } from './842.js';
import type { Codec, Compression, Decompressed } from './codec.js';
import { deflate } from './deflate.js';
import { lz4, lz4hc } from './lz4.js';
import { lzo } from './lzo.js';
import { zlib } from './zlib.js';
import { zstd } from './zstd.js';

/** The codecs, in the order in which they are tried: first the one whose checksum proves the text. */
const CODECS: readonly Codec[] = [zlib, deflate, lz4, lzo, zstd, sw842, lz4hc];

/** Largest output that is accepted, as a multiple of the zone (largest seen in 519 images: 2.2). */
export const LIMIT_FACTOR = 4;

/**
 * Most bytes of text of any record, whatever its zone's size: a few kilobytes of a hostile image may stand for a thousand
 * times as much. A kernel stores 10 KiB of log unless it is told otherwise (pstore.kmsg_bytes), and none has a log buffer
 * as large as this.
 */
export const MAX_TEXT = 32 << 20;

export type CompressionChoice = 'auto' | 'none' | Compression;

export interface DecodedRecord {
  readonly text: Uint8Array;
  readonly compression: Compression;
  /** Whether a checksum proves the text; else only the text itself says that this was the compression. */
  readonly proven: boolean;
  /** Stored bytes that belong to it: others may follow. */
  readonly used: number;
}

function codecOf(compression: Compression): Codec {
  return CODECS.find((codec) => codec.name === compression)!;
}

/**
 * @param stored the record's bytes after its header
 * @param choice `auto` tries all and keeps what is proven by the text; a name behaves as a kernel with only that one,
 *   and as one of Linux 6.6 or later where a text says that it is of such a kernel
 *   (lz4hc included: its streams are lz4's, and `auto` calls them so); `none` as one without any
 * @param limit most bytes of text, LIMIT_FACTOR × the zone's size; above MAX_TEXT it is that
 * @returns undefined when it cannot be decompressed: the record is then shown as it is, with `.enc.z`
 */
export function decodeRecord(stored: Uint8Array, choice: CompressionChoice, limit: number): DecodedRecord | undefined {
  return decodeWithin(stored, choice, Math.min(limit, MAX_TEXT));
}

function decodeWithin(stored: Uint8Array, choice: CompressionChoice, limit: number): DecodedRecord | undefined {
  if (choice === 'none' || stored.length > mostStored(limit)) return undefined;
  if (choice !== 'auto') {
    const codec = codecOf(choice);
    const result = codec.decompress(stored, limit);
    if (result && isAcceptedByKernel(result, stored, codec)) return recordOf(result, choice);
    return choice === 'deflate' ? undefined : deflateOfNewKernel(stored, limit);
  }
  return decodeAuto(stored, limit);
}

/** The kernel's version, as each trace has it: `Comm: sh Not tainted 6.12.57+deb13 #1`. */
const VERSION = /(?:Linux version |Not tainted |Tainted: [A-Z ]+ )(\d+)\.(\d+)/;
/** fs/pstore/platform.c since then compresses with deflate only, and takes any name in pstore.compress= for it. */
const DEFLATE_ONLY = { major: 6, minor: 6 };

/** A dump whose own text says that its kernel takes any name for deflate. */
function deflateOfNewKernel(stored: Uint8Array, limit: number): DecodedRecord | undefined {
  const result = deflate.decompress(stored, limit);
  if (!result || !beginsAsDump(result.output)) return undefined;
  const version = VERSION.exec(new TextDecoder('latin1').decode(result.output));
  if (!version) return undefined;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const isNew = major > DEFLATE_ONLY.major || (major === DEFLATE_ONLY.major && minor >= DEFLATE_ONLY.minor);
  return isNew ? recordOf(result, 'deflate') : undefined;
}

/** Each codec is tried once: a hostile stream makes work for all of them. */
function decodeAuto(stored: Uint8Array, limit: number): DecodedRecord | undefined {
  let damaged: DecodedRecord | undefined;
  for (const codec of CODECS) {
    const whole = codec.decompress(stored, limit);
    const guess = whole ?? withoutZeros(stored, codec, limit);
    if (guess && (guess.proven || (isZero(stored, guess.used) && beginsAsDump(guess.output)))) {
      return recordOf(guess, codec.name);
    }
    // A stream with wrong bits may still decode as far as a kernel looks at it: the damage is then in its first words,
    // or an early end. The text of a log is as much of a proof as those.
    if (
      !damaged &&
      whole &&
      isAcceptedByKernel(whole, stored, codec) &&
      (beginsAsDump(whole.output) || isLog(whole.output))
    ) {
      damaged = recordOf(whole, codec.name);
    }
  }
  return damaged;
}

/** No codec makes a text longer than by so much: what is longer is no compressed text of this limit. */
const LONGEST_OVERHEAD = 1 / 8;
const MIN_OVERHEAD = 1024;

/** Most bytes of a compressed record that are worth reading. @param limit most bytes of its text */
export function mostStored(limit: number): number {
  const text = Math.min(limit, MAX_TEXT);
  return Math.ceil(text * (1 + LONGEST_OVERHEAD)) + MIN_OVERHEAD;
}

/**
 * What can be read of a stream that is cut or damaged, or has remains of another record after it: the text itself is
 * the proof. After a damaged place it may be rubbish.
 * @returns undefined when it does not begin as a dump
 */
export function decodeStart(stored: Uint8Array, limit: number): DecodedRecord | undefined {
  const most = Math.min(limit, MAX_TEXT);
  let longest: DecodedRecord | undefined;
  for (const codec of CODECS) {
    const text = codec.beginning(stored.subarray(0, mostStored(most)), most);
    if (text.length > (longest?.text.length ?? 0) && beginsAsDump(text)) {
      longest = { text, compression: codec.name, proven: false, used: stored.length };
    }
  }
  return longest;
}

/** Compresses the way a kernel with `pstore.compress=NAME` does. */
export function encodeRecord(text: Uint8Array, compression: Compression): Uint8Array {
  return codecOf(compression).compress(text);
}

/** As encodeRecord(). @returns a stream that `takes` says yes to; undefined where none is known */
export function encodeRecordFor(
  text: Uint8Array,
  compression: Compression,
  takes: (stream: Uint8Array) => boolean,
): Uint8Array | undefined {
  const codec = codecOf(compression);
  const stream = codec.compress(text);
  if (takes(stream)) return stream;
  const other = codec.beginOtherwise?.(stream);
  return other && takes(other) ? other : undefined;
}

/** crypto/<name>.c: lzo and zstd refuse input that is left over, deflate and 842 do not look at it. */
function isAcceptedByKernel({ used }: Decompressed, stored: Uint8Array, codec: Codec): boolean {
  return codec.trailing !== 'refused' || used === stored.length;
}

function recordOf({ output, proven = false, used }: Decompressed, compression: Compression): DecodedRecord {
  return { text: output, compression, proven, used };
}

/** Where a stream does not mark its end, the zeros that follow in a zone which was read whole hide it: cut them off. */
function withoutZeros(stored: Uint8Array, codec: Codec, limit: number): Decompressed | undefined {
  if (codec.trailing !== 'unmarked') return undefined;
  let end = stored.length;
  while (end > 0 && stored[end - 1] === 0) end--;
  return end < stored.length ? codec.decompress(stored.subarray(0, end), limit) : undefined;
}

/** Whether all bytes from `from` on are zeros: what follows a finished stream in a zone that was read whole. */
function isZero(bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Bytes of a text that tell a log. */
const LOG_BYTES = 4096;
/** Fewer lines are no log. */
const MIN_LINES = 3;

/** Whether most lines of its beginning have a priority, as in the log that a kernel hands over: `<6>[    1.234567] …`. */
export function isLog(text: Uint8Array): boolean {
  const lines = String.fromCharCode(...text.subarray(0, LOG_BYTES)).split('\n');
  const own = lines.filter((line) => /^<[0-9]{1,3}>/.test(line)).length;
  return own >= MIN_LINES && own * 2 > lines.length;
}

/**
 * Whether the text begins with a reason's name, `#`, a number and ` Part`. Any word is taken for a name: kernels before
 * 5.8 had others (Restart, Halt, Poweroff), and vendors have their own.
 */
export function beginsAsDump(text: Uint8Array): boolean {
  const head = String.fromCharCode(...text.subarray(0, 40));
  return /^[A-Z][A-Za-z]*#[0-9]+ Part/.test(head);
}
