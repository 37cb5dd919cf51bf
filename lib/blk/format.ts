// The bytes of a pstore zone in both generations: buffer header, and the header of a dmesg record.

import { type Abi, Fields } from '../pstore/abi.js';
import { type FrontEnd, RECORD_TYPE_NUMBERS } from '../pstore/record-type.js';

/** `blkoops` is pstore/blk as posted in January 2019 (RFC v5); `pstore_blk` is mainline pstore/zone since Linux 5.8. */
export type Generation = 'blkoops' | 'pstore_blk';

/** pstore/zone: PSZ_SIG, the bytes `DBGC` on a little-endian machine. */
export const ZONE_SIGNATURE = 0x43474244;
/** pstore/zone: PSTORE_KMSG_HEADER_MAGIC. */
export const DMESG_MAGIC = 0x4dfc3ae5;

/** Bytes of struct psz_buffer in front of a zone's data: blkoops has no `start`. */
export const BUFFER_HEADER_SIZE: Readonly<Record<Generation, number>> = { blkoops: 8, pstore_blk: 12 };

const SIG = 0;
const DATALEN = 4;
const START = 8;

export interface BufferHeader {
  /** u32 */
  readonly sig: number;
  /** Bytes of data, as unsigned: −5 is 4294967291 and larger than any zone. */
  readonly datalen: number;
  /** Where a ring's next byte goes, as unsigned; 0 in blkoops, which has no rings. */
  readonly start: number;
}

/** The signature of a front-end's zones: the record type's number XORed in. */
export function zoneSignature(type: FrontEnd): number {
  return (ZONE_SIGNATURE ^ RECORD_TYPE_NUMBERS[type]) >>> 0;
}

/** A signature or magic for people. */
export function wordText(word: number): string {
  return `0x${word.toString(16).padStart(8, '0')}`;
}

/** @param bytes at least BUFFER_HEADER_SIZE bytes */
export function readBufferHeader(bytes: Uint8Array, generation: Generation, abi: Abi): BufferHeader {
  const fields = new Fields(bytes, abi.endian);
  return {
    sig: fields.u32(SIG),
    datalen: fields.u32(DATALEN),
    start: generation === 'pstore_blk' ? fields.u32(START) : 0,
  };
}

export function writeBufferHeader(header: BufferHeader, generation: Generation, abi: Abi): Uint8Array {
  const bytes = new Uint8Array(BUFFER_HEADER_SIZE[generation]);
  const fields = new Fields(bytes, abi.endian);
  fields.setU32(SIG, header.sig);
  fields.setU32(DATALEN, header.datalen);
  if (generation === 'pstore_blk') fields.setU32(START, header.start);
  return bytes;
}

/** struct psz_kmsg_header. */
export interface DmesgHeader {
  /** u32; DMESG_MAGIC when it is one. */
  readonly magic: number;
  readonly seconds: bigint;
  /** As stored: a damaged header may hold anything. */
  readonly nanoseconds: bigint;
  /** u8: 0 or 1 unless damaged. */
  readonly compressed: number;
  /** Signed, as the kernel prints it. */
  readonly counter: number;
  /** u32, number of linux/kmsg_dump.h. */
  readonly reason: number;
}

interface DmesgLayout {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly compressed: number;
  readonly counter: number;
  readonly reason: number;
  readonly size: number;
}

const ALIGN8: DmesgLayout = { seconds: 8, nanoseconds: 16, compressed: 24, counter: 28, reason: 32, size: 40 };
const ALIGN4: DmesgLayout = { seconds: 4, nanoseconds: 12, compressed: 16, counter: 20, reason: 24, size: 28 };

function layout(abi: Abi): DmesgLayout {
  return abi.align === 8 ? ALIGN8 : ALIGN4;
}

/** Bytes of the dmesg header: 40, or 28 where 64-bit integers are aligned to 4. */
export function dmesgHeaderSize(abi: Abi): number {
  return layout(abi).size;
}

export const MAX_DMESG_HEADER_SIZE = ALIGN8.size;

/** @param bytes at least dmesgHeaderSize(abi) bytes, from the beginning of the zone's data */
export function readDmesgHeader(bytes: Uint8Array, abi: Abi): DmesgHeader {
  const at = layout(abi);
  const fields = new Fields(bytes, abi.endian);
  return {
    magic: fields.u32(0),
    seconds: fields.s64(at.seconds),
    nanoseconds:
      abi.align === 8 && abi.wordBits === 64 ? fields.s64(at.nanoseconds) : BigInt(fields.s32(at.nanoseconds)),
    compressed: fields.u8(at.compressed),
    counter: fields.s32(at.counter),
    reason: fields.u32(at.reason),
  };
}

/** @param padding what stands between the fields: 0 in a new record of mainline, 0xFF in a fresh buffer of blkoops */
export function writeDmesgHeader(header: DmesgHeader, abi: Abi, padding = 0): Uint8Array {
  const at = layout(abi);
  const bytes = new Uint8Array(at.size).fill(padding);
  const fields = new Fields(bytes, abi.endian);
  fields.setU32(0, header.magic);
  fields.setS64(at.seconds, header.seconds);
  if (abi.align === 8 && abi.wordBits === 64) fields.setS64(at.nanoseconds, header.nanoseconds);
  else fields.setU32(at.nanoseconds, Number(BigInt.asUintN(32, header.nanoseconds)));
  fields.setU8(at.compressed, header.compressed);
  fields.setU32(at.counter, header.counter >>> 0);
  fields.setU32(at.reason, header.reason);
  return bytes;
}

/** Whether nanoseconds are what a clock can give. */
export function isNanoseconds(value: bigint): boolean {
  return value >= 0n && value <= 999_999_999n;
}
