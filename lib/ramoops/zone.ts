// One zone of a persistent RAM region: its header and data verified by ECC, unwrapped, written, erased and repaired.

import { isBlank } from '../bytes.js';
import { PstoreError } from '../errors.js';
import type { Abi } from '../pstore/abi.js';
import { Extent } from '../storage/extent.js';
import { readRange, readStillThere, type Storage } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { type EccCounts, type LostRange, NO_ERRORS, type ZoneRepair } from './ecc-counts.js';
import {
  ftraceVersionCode,
  isDumpLine,
  RAM_HEADER_SIZE,
  RAM_SIGNATURE,
  type RamHeader,
  readRamHeader,
  readSramHeader,
  SRAM_HEADER_SIZE,
  writeRamHeader,
} from './format.js';
import { ECC_BLOCK, type RamZone } from './geometry.js';
import { type ReedSolomon, reedSolomon } from './reed-solomon.js';

/**
 * `live` holds data; `empty` has start and size 0; `overtop` says more bytes than it has room for; `start-beyond-size`
 * is none that a kernel leaves; of a `truncated` zone the header or the end is beyond the image.
 */
export const RAM_ZONE_STATES = ['live', 'empty', 'bad-signature', 'overtop', 'start-beyond-size', 'truncated'] as const;
export type RamZoneState = (typeof RAM_ZONE_STATES)[number];

/** A header after repair, and what it says of its zone. */
export interface CheckedHeader extends RamHeader {
  readonly state: RamZoneState;
  /** What its own ECC found. */
  readonly ecc: EccCounts;
}

const NOTHING: CheckedHeader = { sig: 0, start: 0, size: 0, state: 'bad-signature', ecc: NO_ERRORS };

/** ECC blocks that are read at once. */
const CHUNK_BLOCKS = 512;

/** Version code with which a fresh ftrace zone is signed: Linux 6.1.192. A kernel of another version takes it for unused. */
const FTRACE_VERSION = 0x601c0;

export class PersistentRamZone {
  readonly zone: RamZone;
  readonly #storage: SurvivingStorage;
  /** Where the data are read, which says so where it cannot be read, unless they are salvaged. */
  readonly #data: Storage;
  readonly #endian: Abi['endian'];
  readonly #codec: ReedSolomon | undefined;

  /** @param data where the zone's data are read: a medium that fails for a broken place, or the storage itself */
  constructor(storage: Storage, zone: RamZone, endian: Abi['endian'], data: Storage = storage) {
    this.zone = zone;
    this.#storage = SurvivingStorage.over(storage);
    this.#data = data;
    this.#endian = endian;
    this.#codec = zone.ecc > 0 ? reedSolomon(zone.ecc) : undefined;
  }

  // ── reading ──

  /** The header, repaired where its ECC can; one beyond repair counts as a block, and its signature then decides. */
  header(): CheckedHeader {
    if (this.zone.layout.frame !== 'header') return this.#unusualHeader();
    const { bytes, ecc } = this.#checkedHeaderBytes();
    if (bytes.length < RAM_HEADER_SIZE) return { sig: 0, start: 0, size: 0, state: 'truncated', ecc };
    const header = readRamHeader(bytes, this.#endian);
    return { ...header, state: this.#stateOf(header), ecc };
  }

  /** Without a header, a text that ends at its first NUL; or the words of MediaTek's SRAM. */
  #unusualHeader(): CheckedHeader {
    const { offset, layout } = this.zone;
    if (layout.frame === 'sram') {
      const bytes = readRange(this.#storage, offset, SRAM_HEADER_SIZE);
      if (bytes.length < SRAM_HEADER_SIZE) return { ...NOTHING, state: 'truncated' };
      const header = readSramHeader(bytes, this.#endian);
      return { ...header, state: this.#stateOf(header), ecc: NO_ERRORS };
    }
    const bytes = readRange(this.#storage, offset, layout.area);
    if (!isDumpLine(bytes)) return NOTHING;
    const end = bytes.indexOf(0);
    const size = end < 0 ? bytes.length : end;
    // No byte is missing of a text that ends before the image does.
    return { sig: RAM_SIGNATURE, start: size, size, state: 'live', ecc: NO_ERRORS };
  }

  #checkedHeaderBytes(): { bytes: Uint8Array; parity: Uint8Array; ecc: EccCounts } {
    const { offset, layout, ecc } = this.zone;
    const bytes = readRange(this.#storage, offset, RAM_HEADER_SIZE);
    const parity = readRange(this.#storage, offset + layout.headerParity, ecc);
    if (!this.#codec || bytes.length < RAM_HEADER_SIZE || parity.length < ecc) return { bytes, parity, ecc: NO_ERRORS };
    return { bytes, parity, ecc: counted(NO_ERRORS, this.#codec.decode(bytes, parity)) };
  }

  #stateOf({ sig, start, size }: RamHeader): RamZoneState {
    const { type, layout, offset, size: zoneSize } = this.zone;
    if (type === 'ftrace' ? ftraceVersionCode(sig) === undefined : sig !== RAM_SIGNATURE) return 'bad-signature';
    if (offset + zoneSize > this.#storage.size) return 'truncated';
    if (size > layout.area) return 'overtop';
    if (start > size) return 'start-beyond-size';
    return size === 0 ? 'empty' : 'live';
  }

  /** First byte of the data in the storage. */
  get dataOffset(): number {
    return this.zone.offset + this.zone.layout.data;
  }

  /** A live zone's data, oldest first, where they are on the medium; without ECC. */
  extents({ start, size }: RamHeader): Extent[] {
    const part = (from: number, to: number) =>
      to > from ? [Extent.at(this.#storage.medium, this.dataOffset + from, to - from)] : [];
    return [...part(start, size), ...part(0, start)];
  }

  /** What ECC finds in the blocks that begin below a live zone's size; header not included. */
  verify({ size }: RamHeader): EccCounts {
    return this.#decodeBlocks(size, () => {});
  }

  /** A live zone's data, oldest first, repaired where ECC can; of a zone that is cut, what is there of it. */
  data({ start, size }: RamHeader): { bytes: Uint8Array; ecc: EccCounts } {
    const present = Math.max(0, Math.min(size, this.#storage.size - this.dataOffset));
    let plain: Uint8Array = new Uint8Array(this.#codec ? present : 0);
    let ecc = NO_ERRORS;
    if (this.#codec) {
      ecc = this.#decodeBlocks(present, (chunk, at) => plain.set(chunk.subarray(0, present - at), at));
    } else {
      plain = readStillThere(this.#data, this.dataOffset, present);
    }
    if (start === 0 || start >= present) return { bytes: plain, ecc };
    const bytes = new Uint8Array(present);
    bytes.set(plain.subarray(start));
    bytes.set(plain.subarray(0, start), present - start);
    return { bytes, ecc };
  }

  /** @throws PstoreError EIO for a zone that was whole when the image was opened, and is cut by now */
  checkStillThere(): void {
    readStillThere(this.#storage, this.zone.offset + this.zone.size - 1, 1);
  }

  /** The first bytes of a live zone's data, oldest first, not repaired. */
  beginning(header: RamHeader, length: number): Uint8Array {
    const [first] = this.extents(header);
    return first ? readRange(this.#data, first.offset, Math.min(length, first.length)) : new Uint8Array(0);
  }

  /**
   * Decodes the blocks that begin below `size`, before any unwrapping: blocks divide the area, not its used part.
   * @param take gets the repaired blocks, in runs, with their place in the area
   */
  #decodeBlocks(size: number, take: (chunk: Uint8Array, at: number) => void): EccCounts {
    let counts = NO_ERRORS;
    const codec = this.#codec;
    if (!codec) return counts;
    const { area } = this.zone.layout;
    const parityBytes = codec.parity;
    for (let at = 0; at < size; at += CHUNK_BLOCKS * ECC_BLOCK) {
      const length = Math.min(CHUNK_BLOCKS * ECC_BLOCK, roundUp(size, ECC_BLOCK) - at, area - at);
      const chunk = readStillThere(this.#data, this.dataOffset + at, length);
      const parity = readRange(this.#data, this.#parityOffset(at), Math.ceil(length / ECC_BLOCK) * parityBytes);
      for (let block = 0, p = 0; block < chunk.length; block += ECC_BLOCK, p += parityBytes) {
        const data = chunk.subarray(block, Math.min(block + ECC_BLOCK, chunk.length));
        const own = parity.subarray(p, p + parityBytes);
        counts = counted(counts, own.length === parityBytes ? codec.decode(data, own) : -1);
      }
      take(chunk, at);
    }
    return counts;
  }

  /** Where the parity of the block at `at` in the area stands. */
  #parityOffset(at: number): number {
    return this.zone.offset + this.zone.layout.blockParity + Math.floor(at / ECC_BLOCK) * this.zone.ecc;
  }

  // ── writing ──

  /**
   * Appends as persistent_ram_write: at `start`, going on at 0 where the area ends; of more than the area holds, the
   * last bytes stay. A zone that a kernel would find unusable at boot begins afresh, as the kernel has it.
   * @returns the header that was written
   * @throws PstoreError EROFS, EIO
   */
  append(bytes: Uint8Array): RamHeader {
    const old = this.header();
    const usable = old.state === 'live' || old.state === 'empty';
    return this.#append(bytes, usable ? old : { sig: this.#signature(old.sig), start: 0, size: 0 }, old);
  }

  /**
   * Writes from the area's beginning, what was there being given up: a dump zone is emptied first.
   * @throws PstoreError EROFS, EIO
   */
  rewrite(bytes: Uint8Array): RamHeader {
    const old = this.header();
    return this.#append(bytes, { sig: this.#signature(old.sig), start: 0, size: 0 }, old);
  }

  #append(bytes: Uint8Array, from: RamHeader, old: CheckedHeader): RamHeader {
    const { area } = this.zone.layout;
    const kept = bytes.subarray(Math.max(0, bytes.length - area));
    const room = area - from.start;
    const checked = old.state === 'live' ? old.size : 0;
    this.#writeData(kept.subarray(0, room), from.start, checked);
    if (kept.length > room) this.#writeData(kept.subarray(room), 0, checked);
    const header = {
      sig: from.sig,
      start: (from.start + kept.length) % area,
      size: Math.min(area, from.size + kept.length),
    };
    this.#writeHeader(header);
    this.#storage.sync();
    return header;
  }

  /** @param checked data below this are valid by the header, so that a kernel has repaired them at boot */
  #writeData(bytes: Uint8Array, at: number, checked: number): void {
    if (bytes.length === 0) return;
    if (!this.#codec) {
      this.#storage.write(bytes, this.dataOffset + at);
      return;
    }
    const { area } = this.zone.layout;
    const from = at - (at % ECC_BLOCK);
    const to = Math.min(area, roundUp(at + bytes.length, ECC_BLOCK));
    const { medium } = this.#storage;
    const blocks = readStillThere(medium, this.dataOffset + from, to - from);
    const parity = readStillThere(medium, this.#parityOffset(from), Math.ceil((to - from) / ECC_BLOCK) * this.zone.ecc);
    const parts = Array.from({ length: Math.ceil(blocks.length / ECC_BLOCK) }, (_, i) => ({
      data: blocks.subarray(i * ECC_BLOCK, (i + 1) * ECC_BLOCK),
      parity: parity.subarray(i * this.zone.ecc, (i + 1) * this.zone.ecc),
    }));
    // Only the first and the last block keep bytes of their own: an error in them must not become valid by new parity.
    for (const i of new Set([0, parts.length - 1])) {
      if (from + i * ECC_BLOCK < checked) this.#codec.decode(parts[i]!.data, parts[i]!.parity);
    }
    blocks.set(bytes, at - from);
    for (const part of parts) part.parity.set(this.#codec.encode(part.data));
    this.#storage.write(blocks, this.dataOffset + from);
    this.#storage.write(parity, this.#parityOffset(from));
  }

  /** A fresh zone's signature; that of an ftrace zone stays the kernel's. */
  #signature(sig: number): number {
    if (this.zone.type !== 'ftrace') return RAM_SIGNATURE;
    return ftraceVersionCode(sig) === undefined ? (RAM_SIGNATURE ^ FTRACE_VERSION) >>> 0 : sig;
  }

  /** Writes header and header parity. */
  #writeHeader(header: RamHeader): void {
    const { layout, offset } = this.zone;
    if (layout.frame === 'none') {
      // Zeros end the text, as the driver clears a record before it writes one.
      this.#storage.write(new Uint8Array(layout.area - header.size), offset + header.size);
      return;
    }
    if (layout.frame === 'sram') {
      throw new PstoreError('EPERM', `${this.#storage.path}: the SRAM of MediaTek's ram_console is only read`);
    }
    const bytes = writeRamHeader(header, this.#endian);
    this.#storage.write(bytes, this.zone.offset);
    if (this.#codec) {
      this.#storage.write(this.#codec.encode(bytes), this.zone.offset + this.zone.layout.headerParity);
    }
  }

  /**
   * The header of a zone that holds nothing, as a kernel leaves it where it finds no signature. Does not sync.
   * @throws PstoreError EROFS, EIO
   */
  initialize(): void {
    this.#writeHeader({ sig: this.#signature(0), start: 0, size: 0 });
  }

  /** @throws PstoreError EIO when the image was cut since it was opened, before the header's end or its parity's */
  checkHeaderStillThere(): void {
    const { offset, layout, ecc } = this.zone;
    readStillThere(this.#storage.medium, offset, RAM_HEADER_SIZE);
    readStillThere(this.#storage.medium, offset + layout.headerParity, ecc);
  }

  /**
   * persistent_ram_zap: start and size become 0, the data stay.
   * @throws PstoreError EROFS, EIO
   */
  erase(): void {
    this.#writeHeader({ sig: this.#signature(this.header().sig), start: 0, size: 0 });
    this.#storage.sync();
  }

  /**
   * Takes back what erase() has written, of a zone that had not wrapped.
   * @param size bytes of data
   * @throws PstoreError EBUSY when it has been used since; EROFS, EIO
   */
  restore(size: number): void {
    const { sig, state } = this.header();
    if (state !== 'empty') {
      const { path } = this.#storage;
      throw new PstoreError(
        'EBUSY',
        `${path}: the zone at offset ${this.zone.offset} has been used since; list again`,
        {
          path,
        },
      );
    }
    this.#writeHeader({ sig, start: size % this.zone.layout.area, size });
    this.#storage.sync();
  }

  /**
   * Writes what ECC can repair: header, data below its size, and their parity. Changes nothing else.
   * @returns every byte that changed, and what stays beyond repair; the header of a zone that was never used is not
   * @throws PstoreError EROFS, EIO
   */
  repair(): ZoneRepair {
    const repair: ZoneRepair = { changes: [], lost: [] };
    const codec = this.#codec;
    if (!codec) return repair;
    const { zone } = this;
    const header = this.header();
    if (header.state === 'truncated' || this.#isBlank()) return repair;
    this.#repairCodeword(codec, zone.offset, RAM_HEADER_SIZE, zone.offset + zone.layout.headerParity, repair);
    const size = header.state === 'live' ? header.size : 0;
    for (let at = 0; at < size; at += ECC_BLOCK) {
      const length = Math.min(ECC_BLOCK, zone.layout.area - at);
      this.#repairCodeword(codec, this.dataOffset + at, length, this.#parityOffset(at), repair);
    }
    if (repair.changes.length > 0) this.#storage.sync();
    return repair;
  }

  /** Whether nothing was ever written where the header is. */
  #isBlank(): boolean {
    return isBlank(readRange(this.#storage.medium, this.zone.offset, RAM_HEADER_SIZE));
  }

  #repairCodeword(
    codec: ReedSolomon,
    offset: number,
    length: number,
    parityOffset: number,
    { changes, lost }: ZoneRepair,
  ): void {
    const data = readRange(this.#storage.medium, offset, length);
    const parity = readRange(this.#storage.medium, parityOffset, codec.parity);
    const before = [data.slice(), parity.slice()] as const;
    const verdict = codec.decode(data, parity);
    if (verdict < 0) addRange(lost, offset, length);
    if (verdict <= 0) return;
    const places = [
      { bytes: data, old: before[0], at: offset },
      { bytes: parity, old: before[1], at: parityOffset },
    ];
    for (const { bytes, old, at } of places) {
      bytes.forEach((to, i) => {
        if (to === old[i]) return;
        changes.push({ offset: at + i, from: old[i]!, to });
        this.#storage.write(bytes.subarray(i, i + 1), at + i);
      });
    }
  }
}

function addRange(ranges: LostRange[], offset: number, length: number): void {
  const last = ranges.at(-1);
  if (last && last.offset + last.length === offset) {
    ranges[ranges.length - 1] = { offset: last.offset, length: last.length + length };
  } else ranges.push({ offset, length });
}

function counted({ corrected, lost }: EccCounts, verdict: number): EccCounts {
  if (verdict === 0) return { corrected, lost };
  return verdict > 0 ? { corrected: corrected + verdict, lost } : { corrected, lost: lost + 1 };
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
