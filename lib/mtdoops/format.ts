// mtdoops: the header of a page, and the rules by which the kernel orders pages. Facts: drivers/mtd/mtdoops.c of
// Linux 6.1, by its behaviour.

import { Fields } from '../pstore/abi.js';
import { isText } from '../pstore/plausible-text.js';

/** Older kernels: no time, the text follows the magic. */
export const MTDOOPS_MAGIC_V1 = 0x5d005d00;
/** Newer ones: a time stands before the text. */
export const MTDOOPS_MAGIC_V2 = 0x5d005e00;

/** A record's size is a multiple of this, and this by default. */
export const MTDOOPS_PAGE_MULTIPLE = 4096;
/** A larger device is refused by the kernel. */
export const MTDOOPS_MAX_DEVICE = 8 << 20;
/** A record takes at most an erase block, and a device has at least two of these. */
export const MTDOOPS_MAX_RECORD = MTDOOPS_MAX_DEVICE / 2;

/** struct mtdoops_hdr: seq u32 at 0, magic u32 at 4, and in version 2 a time s64 in nanoseconds at 8. Packed. */
export const MTDOOPS_HEADER_SIZE = { 1: 8, 2: 16 } as const;
/** Bytes that tell everything of a page that stands before its text, in either version. */
export const MTDOOPS_HEADER_MAX = 16;

/** What erased flash reads as; no record has it as its seq. */
const BLANK = 0xffffffff;

export type MtdoopsVersion = 1 | 2;

/** What stands at the beginning of a page. */
export type MtdoopsHeaderState =
  /** A record. */
  | 'record'
  /** seq and magic as erased flash has them: the kernel may write here without erasing. */
  | 'blank'
  /** The magic of a record, but a seq that is never written: the kernel takes the page for used and knows no record. */
  | 'bad-seq'
  /** A magic with a few flipped bits. */
  | 'bad-magic'
  /** The magic of the other byte order. */
  | 'other-endian'
  /** Anything else; zeros too. */
  | 'other';

export interface MtdoopsHeader {
  readonly state: MtdoopsHeaderState;
  readonly seq: number;
  readonly magic: number;
  /** Which header it is; of a damaged magic the one that is nearer. */
  readonly version: MtdoopsVersion;
  /** Nanoseconds since 1970 as they stand there, or null in version 1. */
  readonly timestampNs: bigint | null;
  /** Where the text begins in the page. */
  readonly textOffset: number;
}

/** More flipped bits than this, and a magic is no magic. */
const MAX_FLIPPED_BITS = 6;

/**
 * @param bytes the page's first bytes: at least 8, and 16 where the page has them
 * @returns undefined when there are too few bytes for the header
 */
export function readMtdoopsHeader(bytes: Uint8Array, endian: 'little' | 'big'): MtdoopsHeader | undefined {
  if (bytes.length < MTDOOPS_HEADER_SIZE[1]) return undefined;
  const fields = new Fields(bytes, endian);
  const seq = fields.u32(0);
  const magic = fields.u32(4);
  const state = stateOf(seq, magic);
  const meant = state === 'other-endian' ? swapped(magic) : magic;
  const version = flippedBits(meant, MTDOOPS_MAGIC_V1) < flippedBits(meant, MTDOOPS_MAGIC_V2) ? 1 : 2;
  if (version === 2 && bytes.length < MTDOOPS_HEADER_SIZE[2]) return undefined;
  return {
    state,
    seq,
    magic,
    version,
    timestampNs: version === 2 ? fields.s64(8) : null,
    textOffset: MTDOOPS_HEADER_SIZE[version],
  };
}

function stateOf(seq: number, magic: number): MtdoopsHeaderState {
  if (isMagic(magic)) return seq === BLANK ? 'bad-seq' : 'record';
  if (magic === BLANK && seq === BLANK) return 'blank';
  if (isMagic(swapped(magic))) return 'other-endian';
  const flipped = Math.min(flippedBits(magic, MTDOOPS_MAGIC_V1), flippedBits(magic, MTDOOPS_MAGIC_V2));
  return flipped <= MAX_FLIPPED_BITS ? 'bad-magic' : 'other';
}

function isMagic(magic: number): boolean {
  return magic === MTDOOPS_MAGIC_V1 || magic === MTDOOPS_MAGIC_V2;
}

function swapped(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

function flippedBits(a: number, b: number): number {
  let count = 0;
  for (let bits = (a ^ b) >>> 0; bits !== 0; bits = (bits & (bits - 1)) >>> 0) count++;
  return count;
}

/** The byte order in which the page begins with a record's magic, or undefined. */
export function mtdoopsEndian(bytes: Uint8Array): 'little' | 'big' | undefined {
  if (bytes.length < MTDOOPS_HEADER_SIZE[1]) return undefined;
  const magic = new Fields(bytes, 'little').u32(4);
  if (isMagic(magic)) return 'little';
  return isMagic(swapped(magic)) ? 'big' : undefined;
}

/**
 * Whether the kernel, which has found `newest` in an earlier page, takes `seq` for newer. The numbers wrap, so a small
 * one is newer than one that is about to wrap; a few odd pairs come out as they do in find_next_position().
 */
export function isNewerSeq(seq: number, newest: number): boolean {
  if (seq < 0x40000000 && newest > 0xc0000000) return true;
  if (seq <= newest) return false;
  return seq < 0xc0000000 || (seq > 0xc0000000 && newest > 0x80000000);
}

/** The number after `seq`: 0xFFFFFFFF is left out, because it is what erased flash reads as. */
export function nextSeq(seq: number): number {
  const next = (seq + 1) >>> 0;
  return next === BLANK ? 0 : next;
}

/** How many records after `from` the number `to` was given out, when it came later: 0 … 0xFFFFFFFE. */
export function seqDistance(from: number, to: number): number {
  return to >= from ? to - from : to + BLANK - from;
}

/** What a person would have to tell about the device that an image does not tell. */
export interface MtdoopsDevice {
  /** Whole pages of the device. */
  readonly pages: number;
  /** Bytes. */
  readonly recordSize: number;
  /** Bytes of an erase block, or null where it is not known. */
  readonly eraseSize: number | null;
  /** Whether the erase block that holds this byte is bad. */
  readonly isBad: (offset: number) => boolean;
}

export interface NextPage {
  /** Null where it depends on an erase block's size that is not known, or where all blocks are bad. */
  readonly page: number | null;
  /** Whether the kernel erases the whole block before it writes. */
  readonly erases: boolean;
}

/**
 * Where the kernel writes next: the page after the newest, or, when that is in use, the next start of an erase block
 * that is not bad.
 * @param newest the newest record's page, or null where there is none
 * @param isUsed whether a page is anything but blank
 */
export function nextPage(device: MtdoopsDevice, newest: number | null, isUsed: (page: number) => boolean): NextPage {
  const { pages, recordSize, eraseSize, isBad } = device;
  const wrap = (page: number) => (page >= pages ? 0 : page);
  let page = newest === null ? 0 : wrap(newest + 1);
  if (!isUsed(page)) return { page, erases: false };
  if (eraseSize === null) return { page: page === 0 ? 0 : null, erases: true };
  const into = (page * recordSize) % eraseSize;
  if (into !== 0) page = wrap(page + Math.floor((eraseSize - into) / recordSize));
  const blocks = Math.max(1, Math.floor(pages / Math.max(1, Math.floor(eraseSize / recordSize))));
  for (let tried = 0; isBad(page * recordSize); tried++) {
    if (tried + 1 >= blocks) return { page: null, erases: true };
    page = wrap(page + Math.floor(eraseSize / recordSize));
  }
  return { page, erases: true };
}

/** Bytes of text that begin at `bytes[from]`: up to the first NUL, else to the end. */
export function textLength(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(0, from);
  return Math.max(0, (end < 0 ? bytes.length : end) - from);
}

/** States of a page: those of its header, and what the medium adds. */
export const PAGE_STATES = [
  'record',
  'blank',
  'bad-seq',
  'bad-magic',
  'other-endian',
  'other',
  /** The image ends inside the page. */
  'truncated',
] as const satisfies readonly (MtdoopsHeaderState | 'truncated')[];

export type PageState = (typeof PAGE_STATES)[number];

/** Bytes of a record's text that tell whether it is one. */
export const MTDOOPS_TEXT_BEGIN = 16;

/** Whether a log may begin so: with letters. @param bytes the first MTDOOPS_TEXT_BEGIN bytes after the header */
export function beginsAsText(bytes: Uint8Array): boolean {
  return bytes.length === MTDOOPS_TEXT_BEGIN && bytes.every(isText);
}
