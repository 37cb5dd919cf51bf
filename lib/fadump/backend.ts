// The backend fadump: the crash info header of firmware-assisted dump in a powerpc machine's reserved memory, decoded;
// and the ELF core header that belongs to it, when the memory map is given.

import { hexText } from '../bytes.js';
import { hasElfMagic } from '../elf.js';
import { PstoreError } from '../errors.js';
import {
  type Backend,
  type BackendInfo,
  type PstoreRecord,
  parseRecordName,
  type RecordContent,
  type SpaceUsage,
} from '../pstore/backend.js';
import { PiecesContent } from '../pstore/content.js';
import type { BackendKind, OpenContext } from '../pstore/kind.js';
import { NO_DETAILS } from '../pstore/record.js';
import { COMPANIONS } from '../storage/companion.js';
import { readRange, readStillThere, type Storage } from '../storage/storage.js';
import type { WarningCode, Warnings } from '../warnings.js';
import { fadumpAnywhere } from './anywhere.js';
import { buildElfcorehdr, parseMemoryMap } from './elfcore.js';
import {
  FADUMP_FIXED_MAX,
  FADUMP_MAGIC,
  FADUMP_MAGIC_OLD,
  FADUMP_MAGIC_SIZE,
  type FadumpExpectation,
  type FadumpHeader,
  type FadumpSizes,
  type FadumpVerdict,
  fadumpHeaderText,
  fadumpSizes,
  judgeFadumpHeader,
  OLD_HEADER_LIMIT,
  readFadumpHeader,
  readFadumpMagic,
  readInvalidatedHeader,
  registerBits,
  registersText,
} from './format.js';

const NAME = 'fadump';
/** The files, in the order of a listing; the slot is the index. */
const TYPES = ['elfcorehdr', 'header', 'raw', 'regs'] as const;
type FadumpType = (typeof TYPES)[number];
const KEYS = ['memory', 'abi', 'pt_regs_size', 'cpumask_size'] as const;

/** The kernel puts the header on a page boundary after the copied boot memory; pages have 4 KiB or 64 KiB. */
const SEARCH_STEP = 4096;
/** Pages whose beginnings are looked at by open(), and by probe(). */
const SEARCH_PAGES = 1 << 18;
const PROBE_PAGES = 256;

const open = (context: OpenContext) => new FadumpBackend(context);

export const fadump: BackendKind = {
  name: NAME,
  summary: 'crash info header of firmware-assisted dump (powerpc)',
  keys: KEYS,
  types: TYPES,
  source: 'file',
  probe: (storage) => {
    if (readFadumpMagic(readRange(storage, 0, FADUMP_MAGIC_SIZE))) return { sure: 1, open };
    return searchMagic(storage, PROBE_PAGES) === undefined ? undefined : { sure: 0.5, open };
  },
  open,
  anywhere: fadumpAnywhere,
};

/** First page boundary after 0 where a magic stands. */
function searchMagic(storage: Storage, pages: number): number | undefined {
  const bytes = new Uint8Array(FADUMP_MAGIC_SIZE);
  for (let page = 1; page < pages; page++) {
    const offset = page * SEARCH_STEP;
    if (offset + FADUMP_MAGIC_SIZE > storage.size) return undefined;
    if (storage.read(bytes, offset) === bytes.length && readFadumpMagic(bytes)) return offset;
  }
  return undefined;
}

/** What was read of the header when it was looked at last. */
interface Seen {
  /** Where the header begins. */
  readonly offset: number;
  readonly header: FadumpHeader;
  /** The header's fixed part: what an erase looks for. */
  readonly fixed: Uint8Array;
  readonly sizes: FadumpSizes;
  readonly verdicts: readonly FadumpVerdict[];
  /** Contents, undefined for what there is not. Small: the sizes are bounded by the format. */
  readonly contents: Readonly<Record<FadumpType, Uint8Array | undefined>>;
}

class FadumpBackend implements Backend {
  readonly name = NAME;
  readonly path: string;
  readonly warnings: Warnings;
  readonly slots = TYPES.length;
  readonly #storage: Storage;
  readonly #context: OpenContext;
  #seen: Seen;
  /** Whether the magic is still there. */
  #live: boolean;
  #generation = 0;

  constructor(context: OpenContext) {
    this.path = context.path;
    this.warnings = context.warnings;
    this.#storage = context.storage;
    this.#context = context;
    this.#seen = this.#look();
    this.#live = this.#seen.header.valid;
  }

  #look(): Seen {
    const { offset, header } = this.#find();
    const fixed = readRange(this.#storage, offset, header.regsOffset);
    const sizes = fadumpSizes(header, header.layout === 'old' ? this.#distanceOfElf(offset, header) : undefined);
    const verdicts = judgeFadumpHeader(header, expectation(this.#context));
    const found = { offset, header, fixed, sizes, verdicts };
    if (header.valid) for (const verdict of verdicts) this.#warnOf(verdict, offset);
    return { ...found, contents: this.#makeContents(found) };
  }

  get writable(): boolean {
    return this.#storage.writable;
  }

  #warnOf({ kind, sentence }: FadumpVerdict, offset: number): void {
    if (kind !== 'good') this.#warn(kind === 'size-mismatch' ? 'header-damaged' : 'header-version', sentence, offset);
  }

  #warn(code: WarningCode, sentence: string, offset: number): void {
    this.warnings.add(code, `${this.path}: fadump header at ${offset}: ${sentence}`, offset);
  }

  /** @throws PstoreError EBADMSG */
  #find(): { offset: number; header: FadumpHeader } {
    const first = readRange(this.#storage, 0, FADUMP_FIXED_MAX);
    if (readFadumpMagic(first)) return { offset: 0, header: this.#whole(first, 0) };
    const offset = searchMagic(this.#storage, SEARCH_PAGES);
    if (offset !== undefined) {
      const header = this.#whole(readRange(this.#storage, offset, FADUMP_FIXED_MAX), offset);
      this.warnings.add(
        'geometry-guess',
        `${this.path}: the fadump header was not at 0 but found at ${offset}; offset=${offset} says that it is this one`,
        offset,
      );
      return { offset, header };
    }
    const invalidated = readInvalidatedHeader(first);
    if (invalidated) return { offset: 0, header: invalidated };
    throw this.#corrupted(first);
  }

  #whole(bytes: Uint8Array, offset: number): FadumpHeader {
    const header = readFadumpHeader(bytes);
    if (header) return header;
    throw new PstoreError(
      'EBADMSG',
      `${this.path}: the file ends at ${offset + bytes.length}, inside the fixed part of the fadump header at ${offset}`,
      { path: this.path, offset },
    );
  }

  #corrupted(first: Uint8Array): PstoreError {
    const found = hexText(first.subarray(0, FADUMP_MAGIC_SIZE));
    const cleared = /^[0 ]{23}$/.test(found) ? ' or was invalidated' : '';
    const searched = Math.min(this.#storage.size, SEARCH_PAGES * SEARCH_STEP);
    return new PstoreError(
      'EBADMSG',
      `${this.path}: the fadump header is corrupted${cleared}: the bytes at 0 (${found || 'none'}) are neither ${FADUMP_MAGIC} nor ${FADUMP_MAGIC_OLD} in any byte order, nor does a page of the first ${searched} bytes begin so; give offset= when it stands elsewhere`,
      { path: this.path, offset: 0 },
    );
  }

  /** In an old dump the ELF core header follows the crash info header at once, which tells how long this is. */
  #distanceOfElf(offset: number, header: FadumpHeader): number | undefined {
    const bytes = readRange(this.#storage, offset, OLD_HEADER_LIMIT + 4);
    for (let at = header.regsOffset; at + 4 <= bytes.length; at += 8) {
      if (hasElfMagic(bytes.subarray(at, at + 4))) return at;
    }
    return undefined;
  }

  #makeContents({ offset, header, sizes, verdicts }: Omit<Seen, 'contents'>): Seen['contents'] {
    const { ptRegs, cpumask } = sizes;
    const length = header.regsOffset + ptRegs + cpumask;
    const raw = readRange(this.#storage, offset, length);
    if (raw.length < length) {
      const what = `the header has ${length} bytes, but the file ends after ${raw.length} of them`;
      this.#warn('header-damaged', what, offset);
    }
    const regs = raw.subarray(header.regsOffset, header.regsOffset + ptRegs);
    const mask = raw.length < length ? new Uint8Array(0) : raw.subarray(header.regsOffset + ptRegs);
    return {
      elfcorehdr: this.#buildElfcorehdr(header),
      header: encode(fadumpHeaderText(header, verdicts, sizes, mask)),
      raw,
      regs: encode(registersText(regs, header.endian, registerBits(ptRegs))),
    };
  }

  #buildElfcorehdr({ endian, vmcoreinfoAddress, vmcoreinfoSize }: FadumpHeader): Uint8Array | undefined {
    const file = this.#context.keys.text('memory');
    if (file === undefined) return undefined;
    const map = parseMemoryMap(this.#context.readFile(file, COMPANIONS.memory), file);
    const told = vmcoreinfoAddress !== null && vmcoreinfoSize !== null;
    return buildElfcorehdr(map, endian, told ? { base: vmcoreinfoAddress, size: vmcoreinfoSize } : null);
  }

  #bytes(slot: number): Uint8Array | undefined {
    const type = TYPES[slot];
    return this.#live && type !== undefined ? this.#seen.contents[type] : undefined;
  }

  record(slot: number): PstoreRecord | undefined {
    const bytes = this.#bytes(slot);
    if (!bytes) return undefined;
    return {
      slot,
      type: TYPES[slot]!,
      id: 0,
      name: `${TYPES[slot]}-${NAME}-0`,
      size: bytes.length,
      ...NO_DETAILS,
      state: 'live',
      offset: this.#seen.offset,
    };
  }

  find(name: string): number | undefined {
    const parsed = parseRecordName(NAME, name);
    if (parsed?.id !== 0 || parsed.suffix !== '') return undefined;
    const slot = (TYPES as readonly string[]).indexOf(parsed.type);
    return this.#bytes(slot) ? slot : undefined;
  }

  generation(): number {
    return this.#generation;
  }

  open(slot: number): RecordContent {
    const bytes = this.#bytes(slot);
    if (bytes) return new PiecesContent([bytes]);
    throw new PstoreError('ENOENT', `${this.path}: there is no file ${slot} of a fadump header`, { path: this.path });
  }

  erasedWith(slot: number): number[] {
    return TYPES.map((_, other) => other).filter((other) => other !== slot);
  }

  /** Clears the magic, and nothing else: without it no kernel takes the dump for one. All files go at once. */
  erase(slot: number): void {
    if (!this.#bytes(slot)) return;
    if (!this.#storage.writable) {
      throw new PstoreError(
        'EPERM',
        `${this.path}: this fadump header cannot be invalidated: its image is not writable`,
        {
          path: this.path,
        },
      );
    }
    readStillThere(this.#storage, this.#seen.offset, this.#seen.fixed.length);
    if (this.#isAsSeen()) {
      this.#storage.write(new Uint8Array(FADUMP_MAGIC_SIZE), this.#seen.offset);
      this.#storage.sync();
    }
    this.#live = false;
  }

  /** Whether the fixed part of the header is what it was when it was read. */
  #isAsSeen(): boolean {
    const { offset, fixed } = this.#seen;
    const now = readRange(this.#storage, offset, fixed.length);
    return now.length === fixed.length && now.every((byte, at) => byte === fixed[at]);
  }

  /** A header whose magic is gone shows nothing any more; another one shows its own files. */
  refresh(): boolean {
    const { offset, header } = this.#seen;
    if (this.#isAsSeen()) {
      if (this.#live === header.valid) return false;
      this.#live = header.valid;
    } else {
      const isOther = readFadumpMagic(readRange(this.#storage, offset, FADUMP_MAGIC_SIZE)) !== undefined;
      if (!isOther && !this.#live) return false;
      if (isOther) this.#seen = this.#look();
      this.#live = isOther && this.#seen.header.valid;
    }
    this.#generation++;
    return true;
  }

  space(): SpaceUsage {
    const bytes = this.#seen.contents.raw?.length ?? 0;
    const records = TYPES.filter((_, slot) => this.#bytes(slot)).length;
    return { bytes, freeBytes: this.#live ? 0 : bytes, records, freeSlots: this.#live ? 0 : 1 };
  }

  info(): BackendInfo {
    const header = this.#seen.header;
    const { ptRegs, cpumask } = this.#seen.sizes;
    const told = header.layout !== 'old';
    const verdict = this.#seen.verdicts.map(({ sentence }) => sentence).join('; ');
    const zone = {
      index: 0,
      type: 'header',
      offset: this.#seen.offset,
      size: header.regsOffset + ptRegs + cpumask,
      state: this.#live ? 'live' : 'erased',
      reason: this.#live || !header.valid ? verdict : 'invalidated: the magic was cleared',
    };
    return {
      format: 'fadump',
      abi: { endian: header.endian, wordBits: registerBits(ptRegs), align: 8 },
      geometry: { pt_regs_size: ptRegs, ...((told || cpumask > 0) && { cpumask_size: cpumask }) },
      confidence: { pt_regs_size: told ? 1 : 0.5, ...((told || cpumask > 0) && { cpumask_size: told ? 1 : 0.5 }) },
      kernelParameters: [],
      sourceKeys: this.#sourceKeys(),
      counters: null,
      nextZone: null,
      zones: [zone],
      details: {
        verdict,
        layout: header.layout,
        'header at': String(this.#seen.offset),
        ...(header.version !== null && { version: String(header.version) }),
        'crashing CPU': header.crashingCpu === null ? 'unknown' : String(header.crashingCpu),
      },
    };
  }

  #sourceKeys(): string {
    const keys = KEYS.filter((key) => this.#context.keys.has(key));
    return keys.map((key) => `${key}=${this.#context.keys.text(key)!.replaceAll(',', ',,')}`).join(',');
  }

  close(): void {
    this.#storage.close();
  }
}

function expectation(context: OpenContext): FadumpExpectation {
  return {
    endian: context.keys.abi()?.endian,
    ptRegsSize: context.keys.size('pt_regs_size'),
    cpumaskSize: context.keys.size('cpumask_size'),
  };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
