// The kernel log before Linux 5.10: since 3.5 a buffer of records (struct printk_log), before that a ring of text
// (kernel/printk/printk.c, kernel/printk.c).

import { PstoreError } from '../errors.js';
import type { KernelMemory } from './kernel-memory.js';
import { type LogText, MAX_LOG_TEXT } from './log-text.js';
import { infoBytes, infoSymbol, type Vmcoreinfo } from './vmcoreinfo.js';

/** No kernel has a larger one: log_buf_len= ends here. */
const MAX_LOG = 2 ** 31;
/** Bytes that are copied at a time. */
const CHUNK = 64 << 10;

/**
 * Adds the messages from the oldest to the newest.
 * @param logBuf the value of SYMBOL(log_buf): the address of a pointer to the buffer
 * @throws PstoreError ENODATA where the dump does not have a part of it; EBADMSG where a size makes no sense
 */
export function readOldLogBuffer(memory: KernelMemory, info: Vmcoreinfo, logBuf: bigint, log: LogText): void {
  const symbol = (name: string) => {
    const address = infoSymbol(info, name);
    if (address === undefined) throw new PstoreError('EBADMSG', `VMCOREINFO has no SYMBOL(${name})`);
    return address;
  };
  const buffer = memory.word(logBuf);
  const size = memory.u32(symbol('log_buf_len'));
  if (size === 0 || size > MAX_LOG) throw new PstoreError('EBADMSG', `its buffer says that it has ${size} bytes`);
  if (infoSymbol(info, 'log_first_idx') === undefined) {
    const end = memory.u32(symbol('log_end'));
    const logged = infoSymbol(info, 'logged_chars');
    readText(memory, buffer, size, end, logged === undefined ? end : memory.u32(logged), log);
    return;
  }
  const first = memory.u32(symbol('log_first_idx'));
  readRecords(memory, recordLayout(info), { buffer, size, first, next: memory.u32(symbol('log_next_idx')) }, log);
}

interface RecordLayout {
  readonly size: number;
  readonly time: number;
  readonly length: number;
  readonly textLength: number;
}

/** The struct was called `log` before Linux 3.11. */
function recordLayout(info: Vmcoreinfo): RecordLayout {
  for (const name of ['printk_log', 'log']) {
    const size = infoBytes(info, `SIZE(${name})`);
    const time = infoBytes(info, `OFFSET(${name}.ts_nsec)`);
    const length = infoBytes(info, `OFFSET(${name}.len)`);
    const textLength = infoBytes(info, `OFFSET(${name}.text_len)`);
    if (size === undefined || time === undefined || length === undefined || textLength === undefined) continue;
    if (size >= Math.max(time + 8, length + 2, textLength + 2)) return { size, time, length, textLength };
  }
  throw new PstoreError('EBADMSG', 'VMCOREINFO does not tell the layout of its records');
}

interface Records {
  readonly buffer: bigint;
  readonly size: number;
  /** Offsets of the oldest record, and of the one that would be written next. */
  readonly first: number;
  readonly next: number;
}

function readRecords(memory: KernelMemory, layout: RecordLayout, records: Records, log: LogText): void {
  const { buffer, size, next } = records;
  let at = records.first;
  let wrapped = false;
  while (at !== next) {
    if (at + layout.size > size)
      throw new PstoreError('EBADMSG', `a record at ${at} leaves its buffer of ${size} bytes`);
    const record = memory.fields(buffer + BigInt(at), layout.size);
    const length = record.u16(layout.length);
    if (length === 0) {
      // No room was left for the next record, which stands at the beginning.
      if (wrapped) throw new PstoreError('EBADMSG', 'its records go round more than once');
      wrapped = true;
      at = 0;
      continue;
    }
    const textLength = record.u16(layout.textLength);
    if (length < layout.size + textLength || at + length > size || (wrapped && at > records.first)) {
      throw new PstoreError('EBADMSG', `the record at ${at} of its buffer is damaged`);
    }
    log.message(record.u64(layout.time), memory.bytes(buffer + BigInt(at + layout.size), textLength));
    at += length;
  }
}

/**
 * A log of text only: its end, where it is too long. What somebody cleared is shown too: it is still there.
 * @param end bytes that were ever logged, which go round at 4 GiB
 * @param logged bytes since the log was cleared, at most the buffer's: more than `end` where that went round
 */
function readText(memory: KernelMemory, buffer: bigint, size: number, end: number, logged: number, log: LogText): void {
  const isFull = end >= size || (logged > end && memory.bytes(buffer + BigInt(size - 1), 1)[0] !== 0);
  const count = isFull ? size : end;
  const skipped = Math.max(0, count - MAX_LOG_TEXT);
  let zeros = 0;
  for (let done = skipped; done < count; ) {
    const at = (end + size - count + done) % size;
    const length = Math.min(CHUNK, count - done, size - at);
    const bytes = memory.bytes(buffer + BigInt(at), length);
    // A text has no zeros: they stand for memory that the dump does not have.
    if (bytes.every((byte) => byte === 0)) zeros += length;
    else log.raw(bytes);
    done += length;
  }
  const troubles = [
    ...(skipped > 0 ? [`it is too long, and its first ${skipped} bytes are left out`] : []),
    ...(zeros > 0 ? [`${zeros} bytes of it are zeros, and are left out`] : []),
  ];
  if (troubles.length > 0) throw new PstoreError('ENODATA', troubles.join('; '));
}
