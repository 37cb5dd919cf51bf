// Reads dumps that the firmware gives only from beginning to end, in any order and any number of times: what was fetched
// is kept in a bounded spool, and what the spool has lost is fetched again. No dump is ever in memory.

import { type ErrorCode, PstoreError } from '../errors.js';
import type { Firmware, FirmwareStatus } from './firmware.js';
import { readingBuffer } from './storage.js';

/** A place for bytes outside of memory, as large as is written to it. */
export interface Scratch {
  /** @throws PstoreError ENOSPC, EIO */
  write(bytes: Uint8Array, offset: number): void;
  /** Fills `target` with what was written there. @throws PstoreError EIO */
  read(target: Uint8Array, offset: number): void;
  close(): void;
}

/** Bytes that all dumps together may have in the spool. */
export const SPOOL_LIMIT = 256 << 20;
/** What is kept or dropped at once. */
const CHUNK = 1 << 20;
/** Bytes that are asked of the firmware at once. */
const FETCH = 256 << 10;
/** Fetches in a row that give nothing though more should follow: the firmware will never come to an end. */
const MAX_EMPTY = 1000;
/** No dump is larger: a firmware that gives more has lost its way. */
const MAX_BYTES = 2 ** 44;
/** Readers of one dump whose places are remembered. */
const MAX_READERS = 4;

/** Distances that are worse than any that is ahead of a reader: behind all readers, and no reader at all. */
const BEHIND = 2 ** 32;
const UNREAD = 2 ** 33;

interface Chunk {
  /** Which CHUNK of the scratch file it has. */
  readonly slot: number;
  /** Bytes from its beginning that are there. */
  length: number;
}

interface Reader {
  /** Number of the chunk that it has come to. */
  readonly chunk: number;
  readonly backwards: boolean;
}

/** What stands after the name of an error when the firmware refuses. */
const REFUSALS: Readonly<Record<Exclude<FirmwareStatus, 'complete' | 'more'>, readonly [ErrorCode, string]>> = {
  'in-progress': ['EAGAIN', 'is still being made by the firmware; try again later'],
  'already-open': ['EALREADY', 'is being fetched by somebody else; try again when that is done'],
  'not-authorised': ['EPERM', 'may not be fetched from this partition: the firmware says "not authorised"'],
  'no-such-dump': ['ENOENT', 'is not there any more'],
  'hardware-error': ['EIO', 'cannot be fetched: the firmware reports a hardware error'],
};

/** The error that a status other than `complete` and `more` means. */
export function firmwareError(firmware: Firmware, tag: bigint, status: FirmwareStatus): PstoreError {
  if (status === 'complete' || status === 'more') {
    return new PstoreError('EIO', `${firmware.path}: the firmware answered "${status}" for dump ${tag} out of turn`);
  }
  const [code, sentence] = REFUSALS[status];
  return new PstoreError(code, `${firmware.path}: dump ${tag} ${sentence}`, { path: firmware.path });
}

export class Spool {
  readonly firmware: Firmware;
  /** The buffer of all fetches: dumps are fetched in turns, never at once. */
  readonly buffer: Uint8Array = readingBuffer(FETCH);
  readonly #makeScratch: () => Scratch;
  readonly #complain: (sentence: string) => void;
  readonly #dumps = new Set<SpooledDump>();
  /** Chunks of the scratch file that are there and hold nothing. */
  readonly #freeSlots: number[] = [];
  #mostSlots: number;
  #slots = 0;
  #scratch: Scratch | undefined;

  /**
   * @param makeScratch called when the first byte is to be kept
   * @param complain told when the spool cannot hold what it should; reading goes on all the same
   * @param limit bytes
   */
  constructor(
    firmware: Firmware,
    makeScratch: () => Scratch,
    complain: (sentence: string) => void,
    limit = SPOOL_LIMIT,
  ) {
    this.firmware = firmware;
    this.#makeScratch = makeScratch;
    this.#complain = complain;
    this.#mostSlots = Math.floor(limit / CHUNK);
  }

  /** Bytes of the scratch file. */
  get bytes(): number {
    return this.#slots * CHUNK;
  }

  dump(tag: bigint): SpooledDump {
    const dump = new SpooledDump(this, tag);
    this.#dumps.add(dump);
    return dump;
  }

  /**
   * A slot for a chunk, of one that is needed later than this if there is no other.
   * @returns undefined when the chunk is the one to do without
   */
  takeSlot(dump: SpooledDump, chunk: number): number | undefined {
    const free = this.#freeSlots.pop();
    if (free !== undefined) return free;
    if (this.#slots < this.#mostSlots) return this.#slots++;
    let worst = dump.distance(chunk);
    let victim: { dump: SpooledDump; chunk: number } | undefined;
    for (const candidate of this.#dumps) {
      if (candidate.isKept) continue;
      for (const held of candidate.chunks.keys()) {
        const distance = candidate.distance(held);
        if (distance > worst) [worst, victim] = [distance, { dump: candidate, chunk: held }];
      }
    }
    if (!victim) return undefined;
    const { slot } = victim.dump.chunks.get(victim.chunk)!;
    victim.dump.chunks.delete(victim.chunk);
    return slot;
  }

  /** @returns false when the bytes could not be kept */
  write(bytes: Uint8Array, slot: number, offset: number): boolean {
    try {
      this.#scratch ??= this.#makeScratch();
      this.#scratch.write(bytes, slot * CHUNK + offset);
      return true;
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      // What is there stays; no more is added, and what is dropped is fetched again.
      if (this.#mostSlots > 0) this.#complain(`${error.message}; what does not fit is fetched from the firmware again`);
      this.#mostSlots = 0;
      return false;
    }
  }

  read(target: Uint8Array, slot: number, offset: number): void {
    this.#scratch!.read(target, slot * CHUNK + offset);
  }

  giveBack(slot: number): void {
    this.#freeSlots.push(slot);
  }

  forget(dump: SpooledDump): void {
    for (const { slot } of dump.chunks.values()) this.giveBack(slot);
    dump.chunks.clear();
    this.#dumps.delete(dump);
  }

  close(): void {
    this.#scratch?.close();
    this.#scratch = undefined;
  }
}

/** One dump, read through the spool. */
export class SpooledDump {
  readonly tag: bigint;
  /** By their number in the dump. For the spool only. */
  readonly chunks = new Map<number, Chunk>();
  /** The dump is gone from the firmware, but still open: what the spool has of it cannot be fetched again. */
  isKept = false;
  /** Readers that have not said that they are done. */
  #open = 0;
  readonly #spool: Spool;
  /** Where each reader is; the one that read last stands last. */
  readonly #readers = new Map<object, Reader>();
  /** Bytes of the whole dump, once its end was seen. */
  #size: number | undefined;
  /** Where the next fetch goes on, in bytes and in the firmware's own number. */
  #position = 0;
  #sequence = 0n;
  #ended = false;

  constructor(spool: Spool, tag: bigint) {
    this.#spool = spool;
    this.tag = tag;
  }

  /** Bytes, or undefined before the end was seen. */
  get knownSize(): number | undefined {
    return this.#size;
  }

  /** Bytes. Fetches the dump to its end, once, when that is not known yet. @throws PstoreError see next() */
  size(): number {
    if (this.#size === undefined) {
      // A reader is to be expected at the beginning.
      const expected = {};
      this.#readers.set(expected, { chunk: 0, backwards: false });
      try {
        while (this.#size === undefined) this.#fetch();
      } finally {
        this.#readers.delete(expected);
      }
    }
    return this.#size;
  }

  /** Goes through the sequence to its end, as firmware wants it before it removes a dump. */
  drain(): void {
    if (this.#ended) this.#restart();
    while (!this.#ended) this.#fetch();
  }

  /**
   * Fills `target` from byte `position` on.
   * @param reader tells readers apart: the spool keeps what is ahead of each
   * @returns bytes given: less than asked only at the end
   * @throws PstoreError EAGAIN, EALREADY, EPERM, ENOENT, EIO: what the firmware answered
   */
  read(target: Uint8Array, position: number, reader: object): number {
    let filled = 0;
    while (filled < target.length && !(position + filled >= (this.#size ?? Number.POSITIVE_INFINITY))) {
      const at = position + filled;
      this.#moveReader(reader, Math.floor(at / CHUNK));
      const rest = target.subarray(filled);
      filled += this.#readSpool(rest, at) || this.#readFirmware(rest, at);
    }
    return filled;
  }

  openReader(): void {
    this.#open++;
  }

  /** The reader is done: nothing needs to be kept for it. Called once for each openReader(). */
  closeReader(reader: object): void {
    this.#readers.delete(reader);
    this.#open--;
    if (this.isKept && this.#open === 0) this.#spool.forget(this);
  }

  /** The dump is gone from the firmware. What the spool has is kept for those who have it open. */
  remove(): void {
    if (this.#open === 0) this.#spool.forget(this);
    this.isKept = true;
  }

  /** How long a chunk will not be needed: the nearest reader decides. */
  distance(chunk: number): number {
    let least = UNREAD;
    for (const reader of this.#readers.values()) {
      const ahead = reader.backwards ? reader.chunk - chunk : chunk - reader.chunk;
      const distance = ahead >= 0 ? ahead : BEHIND - ahead;
      if (distance < least) least = distance;
    }
    return least;
  }

  #moveReader(reader: object, chunk: number): void {
    const before = this.#readers.get(reader);
    const turned = before !== undefined && chunk !== before.chunk;
    const backwards = turned ? chunk < before.chunk : (before?.backwards ?? false);
    this.#readers.delete(reader);
    this.#readers.set(reader, { chunk, backwards });
    if (this.#readers.size > MAX_READERS) this.#readers.delete(this.#readers.keys().next().value!);
  }

  #readSpool(target: Uint8Array, at: number): number {
    const number = Math.floor(at / CHUNK);
    const chunk = this.chunks.get(number);
    const from = at - number * CHUNK;
    if (!chunk || from >= chunk.length) return 0;
    const part = target.subarray(0, chunk.length - from);
    this.#spool.read(part, chunk.slot, from);
    return part.length;
  }

  /** One fetch; what belongs at `at` goes into `target`. @returns bytes given, 0 while the place is not reached */
  #readFirmware(target: Uint8Array, at: number): number {
    if (this.isKept) {
      const { path } = this.#spool.firmware;
      throw new PstoreError(
        'EIO',
        `${path}: dump ${this.tag} was removed, and byte ${at} is no longer in the spool, which holds ${SPOOL_LIMIT >> 20} MiB`,
        { path, offset: at },
      );
    }
    if (at < this.#position) this.#restart();
    const start = this.#position;
    const length = this.#fetch();
    const from = at - start;
    if (from >= length) return 0;
    const part = this.#spool.buffer.subarray(from, Math.min(length, from + target.length));
    target.set(part);
    return part.length;
  }

  #restart(): void {
    this.#position = 0;
    this.#sequence = 0n;
    this.#ended = false;
  }

  /** Fetches what comes next into the spool's buffer, and keeps it. @returns bytes: 0 only at the end */
  #fetch(): number {
    const { firmware, buffer } = this.#spool;
    for (let empty = 0; empty < MAX_EMPTY; empty++) {
      const { status, sequence, bytes } = firmware.next(this.tag, this.#sequence, buffer);
      if (status !== 'more' && status !== 'complete') throw firmwareError(firmware, this.tag, status);
      if (!(bytes >= 0 && bytes <= buffer.length)) throw this.#broken(`${bytes} bytes in a buffer of ${buffer.length}`);
      this.#sequence = sequence;
      this.#keep(buffer.subarray(0, bytes), this.#position);
      this.#position += bytes;
      this.#checkSize(status === 'complete');
      if (bytes > 0 || status === 'complete') return bytes;
    }
    throw this.#broken(`${MAX_EMPTY} times no bytes, and never an end`);
  }

  #checkSize(atEnd: boolean): void {
    if (this.#position > (this.#size ?? MAX_BYTES) || (atEnd && this.#position !== (this.#size ?? this.#position))) {
      throw this.#broken(
        this.#size === undefined
          ? `more than ${MAX_BYTES} bytes`
          : `${this.#position} bytes where it gave ${this.#size} before`,
      );
    }
    if (atEnd) {
      this.#ended = true;
      this.#size = this.#position;
    }
  }

  #broken(what: string): PstoreError {
    const { path } = this.#spool.firmware;
    return new PstoreError('EIO', `${path}: the firmware gave ${what} for dump ${this.tag}`, { path });
  }

  /** Puts a block's bytes into their chunks, as far as a chunk's earlier bytes are there. */
  #keep(block: Uint8Array, position: number): void {
    for (let done = 0; done < block.length; ) {
      const number = Math.floor((position + done) / CHUNK);
      const from = position + done - number * CHUNK;
      const piece = block.subarray(done, done + CHUNK - from);
      this.#keepPiece(number, from, piece);
      done += piece.length;
    }
  }

  #keepPiece(number: number, from: number, piece: Uint8Array): void {
    let chunk = this.chunks.get(number);
    if (!chunk && from === 0) {
      const slot = this.#spool.takeSlot(this, number);
      if (slot === undefined) return;
      chunk = { slot, length: 0 };
      this.chunks.set(number, chunk);
    }
    if (!chunk || from > chunk.length || from + piece.length <= chunk.length) return;
    const news = piece.subarray(chunk.length - from);
    if (this.#spool.write(news, chunk.slot, chunk.length)) chunk.length += news.length;
    else if (chunk.length === 0) {
      this.chunks.delete(number);
      this.#spool.giveBack(chunk.slot);
    }
  }
}
