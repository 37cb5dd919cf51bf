// The records of a persistent RAM region as a backend.

import type { Compression } from '../compress/codec.js';
import { beginsAsDump, type CompressionChoice, decodeRecord, LIMIT_FACTOR } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { Abi } from '../pstore/abi.js';
import {
  type Backend,
  type BackendInfo,
  type NewRecord,
  type PstoreRecord,
  parseRecordName,
  type RecordContent,
  type RecordState,
  type Repair,
  type SpaceUsage,
} from '../pstore/backend.js';
import type { TextCache } from '../pstore/cache.js';
import { LazyContent, PiecesContent } from '../pstore/content.js';
import { makeDump } from '../pstore/front-end.js';
import { findEncoding, ftraceText, mergeRings, type SymbolTable } from '../pstore/ftrace.js';
import { Reason, reasonName, reasonNumber } from '../pstore/record-type.js';
import type { Extent } from '../storage/extent.js';
import type { Storage } from '../storage/storage.js';
import type { WarningCode, Warnings } from '../warnings.js';
import {
  type DumpLine,
  ftraceVersionCode,
  kernelVersion,
  mayFollowDumpLine,
  readDumpLine,
  readPlainLine,
  writeDumpLine,
} from './format.js';
import { type RamGeometry, type RamKind, type RamZone, ramZone, ramZones, runOf } from './geometry.js';
import { eccWords, explainRamZones, total } from './info.js';
import { salvagedFtraceHeader, salvageRamZone } from './salvage.js';
import { type CheckedHeader, type EccCounts, NO_ERRORS, PersistentRamZone } from './zone.js';

/** What was found out about the source before it was opened. */
export interface RamoopsSource {
  readonly path: string;
  readonly storage: Storage;
  readonly geometry: RamGeometry;
  /** Of the word size only ftrace depends, which finds it from its records unless it was given. */
  readonly abi: Abi;
  readonly abiGiven: boolean;
  readonly warnings: Warnings;
  readonly cache: TextCache;
  readonly compress: CompressionChoice;
  readonly maxReason: number;
  readonly symbols: SymbolTable | undefined;
  readonly salvage: boolean;
  /** Why a write to this kind of zone would be a guess, or undefined where it is not. */
  readonly guessed: (type: RamKind) => string | undefined;
  /** Headers that belong to none of the zones: offsets. */
  readonly strays: readonly number[];
  /** Further lines for `info`. */
  readonly notes: Readonly<Record<string, string>>;
  readonly described: Pick<BackendInfo, 'geometry' | 'confidence' | 'kernelParameters' | 'sourceKeys'>;
}

/** What one slot shows, without its bytes. */
interface Shown {
  readonly state: RecordState;
  /** Bytes that reading gives, ECC notice included. */
  readonly size: number;
  /** First byte of the zone; of ftrace, of the first that holds records. */
  readonly offset: number;
  /** The zone's header when it was looked at. */
  readonly header: CheckedHeader;
  /** Bytes of the first line of a dump, which is not shown. */
  readonly skipped: number;
  /** The first line of a dump as it is stored, to know it again. */
  readonly line: string;
  readonly mtimeNs: bigint | null;
  readonly reason: string | null;
  readonly compressed: string | null;
  readonly ecc: EccCounts | null;
}

/** A zone whose signature is none of ramoops, though something was written there. */
interface UnsignedZone {
  readonly zone: RamZone;
  readonly sig: number;
}

/** So many are warned of one by one. */
const FEW_UNSIGNED = 3;

/** A zone that is looked at: live and not shown, and why; or shown. */
type Looked = Shown | { readonly hidden: string };

/** Bytes of a dump's first line that are compared to know the record again. */
const LINE_BYTES = 64;
const NANOSECONDS = 1_000_000_000n;
/** Beyond it nanoseconds do not fit 64 bits. */
const MOST_SECONDS = 9_223_372_035n;
const MOST_MICROSECONDS = 999_999n;

/** Tells the texts of several backends in one cache apart. */
let instances = 0;

export class RamoopsBackend implements Backend {
  readonly name = 'ramoops';
  readonly path: string;
  readonly warnings: Warnings;
  readonly storage: Storage;
  readonly geometry: RamGeometry;
  readonly slots: number;
  readonly #source: RamoopsSource;
  /** First slot of each kind, in the order of a listing. */
  readonly #slotOf = new Map<RamKind, number>();
  readonly #looked = new Map<number, Looked | undefined>();
  readonly #generations = new Map<number, number>();
  /** Number of each kind's first zone among all zones of the region. */
  readonly #firstIndex = new Map<RamKind, number>();
  /** Start and size of every zone as last read, in the order of the region; 0 where it is not live. */
  readonly #starts: Uint32Array;
  readonly #sizes: Uint32Array;
  readonly #cachePrefix = `ramoops:${instances++}:`;
  #dumps = 0;

  constructor(source: RamoopsSource) {
    this.#source = source;
    this.path = source.path;
    this.warnings = source.warnings;
    this.storage = source.storage;
    this.geometry = source.geometry;
    let slot = 0;
    for (const type of ['boot-log', 'console', 'dmesg', 'ftrace', 'pmsg', 'tty'] as const) {
      const run = runOf(this.geometry, type);
      if (!run) continue;
      this.#slotOf.set(type, slot);
      slot += type === 'ftrace' ? 1 : run.count;
    }
    this.slots = slot;
    let zones = 0;
    for (const run of this.geometry.runs) {
      this.#firstIndex.set(run.type, zones);
      zones += run.count;
    }
    this.#starts = new Uint32Array(zones);
    this.#sizes = new Uint32Array(zones);
    const unsigned: UnsignedZone[] = [];
    this.#readHeaders((zone, header) => {
      if (header.state !== 'bad-signature') this.#warnOf(zone, header);
      else if (header.sig !== 0 && header.sig !== 0xffffffff) unsigned.push({ zone, sig: header.sig });
    });
    this.#warnOfUnsigned(unsigned);
  }

  get writable(): boolean {
    return this.storage.writable;
  }

  /** The engine of a zone. */
  zone(place: RamZone): PersistentRamZone {
    return new PersistentRamZone(this.storage, place, this.#source.abi.endian);
  }

  #zonesOf(type: RamKind): PersistentRamZone[] {
    const run = runOf(this.geometry, type);
    return Array.from({ length: run?.count ?? 0 }, (_, id) => this.zone(ramZone(run!, id, this.geometry.ecc)));
  }

  #zoneOf(type: RamKind, id: number): PersistentRamZone {
    return this.zone(ramZone(runOf(this.geometry, type)!, id, this.geometry.ecc));
  }

  /** Kind and number of what a slot shows. */
  #placeOf(slot: number): { type: RamKind; id: number } | undefined {
    let place: { type: RamKind; id: number } | undefined;
    for (const [type, first] of this.#slotOf) if (slot >= first) place = { type, id: slot - first };
    return place && slot < this.slots ? place : undefined;
  }

  /** Reads all headers. @returns the slots whose zones have changed */
  #readHeaders(each: (zone: RamZone, header: CheckedHeader) => void = () => {}): Set<number> {
    const changed = new Set<number>();
    for (const run of this.geometry.runs) {
      for (let id = 0; id < run.count; id++) {
        const zone = this.#zoneOf(run.type, id);
        const header = zone.header();
        each(zone.zone, header);
        if (this.#note(zone.zone, header)) changed.add(this.#slotOfZone(zone.zone));
      }
    }
    return changed;
  }

  /** Takes note of a header. @returns whether it differs from what was known */
  #note({ type, id }: RamZone, header: CheckedHeader): boolean {
    const index = this.#firstIndex.get(type)! + id;
    const [start, size] = header.state === 'live' ? [header.start, header.size] : [0, 0];
    const same = this.#starts[index] === start && this.#sizes[index] === size;
    this.#starts[index] = start;
    this.#sizes[index] = size;
    return !same;
  }

  #slotOfZone({ type, id }: RamZone): number {
    return this.#slotOf.get(type)! + (type === 'ftrace' ? 0 : id);
  }

  // ── warnings ──

  #what({ type, id, offset }: RamZone): string {
    return `${this.path}: ${type} zone ${id} at offset ${offset}`;
  }

  #warn(code: WarningCode, zone: RamZone, sentence: string): void {
    this.warnings.add(code, `${this.#what(zone)} ${sentence}`, zone.offset);
  }

  #warnOf(zone: RamZone, { state, start, size }: CheckedHeader): void {
    const lost = this.#lost('it');
    if (state === 'overtop')
      this.#warn('zone-overtop', zone, `says ${size} bytes, but has room for ${zone.layout.area}; ${lost}`);
    if (state === 'truncated') this.#warn('zone-truncated', zone, `goes on beyond the end of the image; ${lost}`);
    if (state === 'start-beyond-size') {
      this.#warn('zone-start-beyond-datalen', zone, `has start ${start} behind its size ${size}; ${lost}`);
    }
  }

  #lost(what: 'it' | 'them'): string {
    const next = this.#source.salvage ? `what can be read of ${what} is salvaged` : `take salvage to see ${what}`;
    return `a kernel does not show ${what}; ${next}`;
  }

  /** Many of them are one problem: this is no such region, or not with these sizes. */
  #warnOfUnsigned(unsigned: readonly UnsignedZone[]): void {
    if (unsigned.length <= FEW_UNSIGNED) {
      for (const { zone, sig } of unsigned) {
        this.#warn('zone-invalid', zone, `has the signature 0x${sig.toString(16)}; ${this.#lost('it')}`);
      }
      return;
    }
    const { type, id, offset } = unsigned[0]!.zone;
    const first = `${type} zone ${id} at offset ${offset}`;
    const what = `${unsigned.length} zones, ${first} the first of them, have no signature of ramoops`;
    this.warnings.add('zone-invalid', `${this.path}: ${what}; ${this.#lost('them')}`, offset);
  }

  #warnOfEcc(zone: RamZone, { corrected, lost }: EccCounts): void {
    if (corrected > 0) this.#warn('ecc-corrected', zone, `has ${corrected} wrong bytes, which are shown repaired`);
    if (lost > 0) this.#warn('ecc-lost', zone, `has ${lost} blocks with more wrong bytes than ECC can repair`);
  }

  // ── listing ──

  record(slot: number): PstoreRecord | undefined {
    const place = this.#placeOf(slot);
    const shown = this.#shown(slot);
    if (!place || !shown) return undefined;
    const id = nameId(place);
    const suffix = shown.state === 'undecodable' ? '.enc.z' : shown.state === 'salvaged' ? '.salvaged' : '';
    return {
      slot,
      type: place.type,
      id,
      name: `${place.type}-${this.name}-${id}${suffix}`,
      size: shown.size,
      mtimeNs: shown.mtimeNs,
      reason: shown.reason,
      count: null,
      compressed: shown.compressed,
      state: shown.state,
      offset: shown.offset,
      title: null,
      ecc: shown.ecc && eccWords(shown.ecc),
    };
  }

  find(name: string): number | undefined {
    const parsed = parseRecordName(this.name, name);
    const first = parsed && this.#slotOf.get(parsed.type as RamKind);
    if (first === undefined) return undefined;
    const isSecond = parsed!.type === 'console' && parsed!.id === SECOND_CONSOLE;
    const slot = first + (isSecond ? 1 : parsed!.id);
    return this.record(slot)?.name === name ? slot : undefined;
  }

  generation(slot: number): number {
    return this.#generations.get(slot) ?? 0;
  }

  #shown(slot: number): Shown | undefined {
    if (!this.#looked.has(slot)) this.#looked.set(slot, this.#look(slot));
    const looked = this.#looked.get(slot);
    return looked && 'state' in looked ? looked : undefined;
  }

  /** What is shown of a dmesg zone, for `info`. */
  shownDump(id: number): Shown | undefined {
    return this.#shown(this.#slotOf.get('dmesg')! + id);
  }

  /** Why a live dmesg zone is not shown. */
  whyHidden(id: number): string | null {
    const looked = this.#looked.get(this.#slotOf.get('dmesg')! + id);
    return looked && 'hidden' in looked ? looked.hidden : null;
  }

  #look(slot: number): Looked | undefined {
    const place = this.#placeOf(slot);
    if (!place) return undefined;
    if (place.type === 'ftrace') return this.#lookAtFtrace(slot);
    const zone = this.#zoneOf(place.type, place.id);
    const header = zone.header();
    if (header.state !== 'live') return this.#salvaged(slot, zone, header);
    return place.type === 'dmesg' ? this.#lookAtDump(slot, zone, header) : this.#lookAtRing(zone, header);
  }

  #eccOf(zone: PersistentRamZone, header: CheckedHeader, blocks: EccCounts): EccCounts | null {
    if (zone.zone.ecc === 0) return null;
    const ecc = total(header.ecc, blocks);
    this.#warnOfEcc(zone.zone, ecc);
    return ecc;
  }

  #lookAtRing(zone: PersistentRamZone, header: CheckedHeader): Shown {
    const ecc = this.#eccOf(zone, header, zone.verify(header));
    return { ...PLAIN, offset: zone.zone.offset, header, ecc, size: header.size + notice(ecc).length };
  }

  #lookAtDump(slot: number, zone: PersistentRamZone, header: CheckedHeader): Looked | undefined {
    const wraps = header.start > 0 && header.start < header.size;
    const whole = zone.zone.ecc > 0 || wraps ? zone.data(header) : undefined;
    const beginning = whole?.bytes ?? zone.beginning(header, 4096);
    const line = zone.zone.layout.frame === 'none' ? readPlainLine(beginning) : readDumpLine(beginning);
    if (!line) {
      const hidden = 'the line ====SECONDS.MICROSECONDS in front of the record is damaged';
      const salvaged = this.#salvaged(slot, zone, header);
      const shown = salvaged ? 'is shown as salvaged' : 'is not shown';
      const next = this.#source.salvage ? 'a kernel does not show it and empties it' : this.#lost('it');
      this.#warn('header-damaged', zone.zone, `${shown}: ${hidden}; ${next}`);
      return salvaged ?? { hidden: `${hidden}: a kernel does not show it and empties it` };
    }
    if (line.compressed && line.length >= header.size) {
      const hidden = 'nothing follows the line ====SECONDS.MICROSECONDS-C';
      this.#warn('record-short', zone.zone, `is skipped: ${hidden}; a kernel would end its listing here`);
      return { hidden: `${hidden}: skipped, a kernel ends its listing here` };
    }
    const ecc = this.#eccOf(zone, header, whole?.ecc ?? NO_ERRORS);
    const stored = line.compressed ? (whole?.bytes ?? zone.data(header).bytes).subarray(line.length) : undefined;
    const decoded = stored && decodeRecord(stored, this.#source.compress, LIMIT_FACTOR * zone.zone.size);
    const text = decoded?.text ?? beginning.subarray(line.length);
    const full = decoded && joined([decoded.text, notice(ecc)]);
    if (full) this.#source.cache.set(this.#cacheKey(slot), full);
    return {
      state: line.compressed && !decoded ? 'undecodable' : 'live',
      size: full?.length ?? header.size - line.length + notice(ecc).length,
      offset: zone.zone.offset,
      header,
      skipped: line.length,
      line: this.#lineOf(zone, header),
      mtimeNs: this.#timeOf(zone.zone, line),
      reason: reasonOf(text),
      compressed: decoded?.compression ?? null,
      ecc,
    };
  }

  #timeOf(zone: RamZone, { seconds, microseconds }: DumpLine): bigint | null {
    const inRange = microseconds > MOST_MICROSECONDS ? MOST_MICROSECONDS : microseconds;
    const hasTime = seconds > 0n && seconds <= MOST_SECONDS;
    if ((seconds !== 0n && !hasTime) || inRange !== microseconds) {
      const time = `${seconds} s and ${microseconds} µs`;
      this.#warn('record-time', zone, `has a damaged time of ${time}, which is brought into range`);
    }
    return hasTime ? seconds * NANOSECONDS + inRange * 1000n : null;
  }

  #salvaged(slot: number, zone: PersistentRamZone, header: CheckedHeader): Shown | undefined {
    const found = this.#source.salvage ? salvageRamZone(zone, header) : undefined;
    if (!found) return undefined;
    this.#source.cache.set(this.#cacheKey(slot), found.bytes);
    return {
      ...PLAIN,
      state: 'salvaged',
      size: found.bytes.length,
      offset: zone.zone.offset,
      header,
      mtimeNs: found.line ? this.#timeOf(zone.zone, found.line) : null,
      reason: reasonOf(found.bytes),
      compressed: found.compressed,
    };
  }

  #cacheKey(slot: number): string {
    return `${this.#cachePrefix}${slot}:${this.generation(slot)}`;
  }

  // ── text ──

  open(slot: number): RecordContent {
    const shown = this.#shown(slot);
    const place = this.#placeOf(slot);
    if (!shown || !place) throw new PstoreError('ENOENT', `${this.path}: there is no record in slot ${slot}`);
    const { state, compressed, ecc, header, skipped } = shown;
    const key = this.#cacheKey(slot);
    if (place.type === 'ftrace') {
      const headers = this.#ftraceHeaders();
      return this.#lazy(key, shown.size, slot, () => this.#ftrace(headers).text);
    }
    const zone = this.#zoneOf(place.type, place.id);
    if (state === 'salvaged') {
      return this.#lazy(key, shown.size, slot, () => salvageRamZone(zone, header)?.bytes);
    }
    if (compressed === null && (ecc?.corrected ?? 0) === 0) {
      return new PiecesContent([...without(zone.extents(header), skipped), notice(ecc)]);
    }
    return this.#lazy(key, shown.size, slot, () => {
      const stored = zone.data(header).bytes.subarray(skipped);
      if (compressed === null) return joined([stored, notice(ecc)]);
      const decoded = decodeRecord(stored, this.#source.compress, LIMIT_FACTOR * zone.zone.size);
      return decoded && joined([decoded.text, notice(ecc)]);
    });
  }

  /** Bytes that are made when they are asked for and kept in the cache; they must be as many as were announced. */
  #lazy(key: string, size: number, slot: number, make: () => Uint8Array | undefined): RecordContent {
    return new LazyContent(size, () => {
      const bytes = this.#source.cache.get(key) ?? make();
      if (bytes?.length !== size) throw this.#changed(slot);
      this.#source.cache.set(key, bytes);
      return bytes;
    });
  }

  #changed(slot: number): PstoreError {
    const { type, id } = this.#placeOf(slot)!;
    const { zone } = this.#zoneOf(type, id);
    return new PstoreError(
      'EIO',
      `${this.#what(zone)} changed while it was in use; list again to see what it holds now`,
      {
        path: this.path,
        offset: zone.offset,
      },
    );
  }

  // ── ftrace: all CPUs' rings as one text ──

  #lookAtFtrace(slot: number): Shown | undefined {
    const zones = this.#zonesOf('ftrace');
    const headers = this.#ftraceHeaders();
    const first = headers.findIndex((header) => header.state === 'live');
    if (first < 0) return undefined;
    const { text, blocks } = this.#ftrace(headers);
    if (text.length === 0) return undefined;
    const found = { ...PLAIN, offset: zones[first]!.zone.offset, size: text.length, header: headers[first]! };
    this.#source.cache.set(this.#cacheKey(slot), text);
    if (zones[first]!.header().state !== 'live') return { ...found, state: 'salvaged' };
    const counts = zones.map((zone, i) =>
      headers[i]!.state === 'live' ? this.#eccOf(zone, headers[i]!, blocks[i]!) : null,
    );
    const ecc =
      this.geometry.ecc === 0 ? null : counts.reduce<EccCounts>((sum, one) => total(sum, one ?? NO_ERRORS), NO_ERRORS);
    return { ...found, ecc };
  }

  /** Only where no CPU's ring is live, what can be salvaged stands for them: else the file is the kernel's. */
  #ftraceHeaders(): CheckedHeader[] {
    const zones = this.#zonesOf('ftrace');
    const headers = zones.map((zone) => zone.header());
    const isLive = headers.some((header) => header.state === 'live');
    return isLive || !this.#source.salvage
      ? headers
      : headers.map((header, i) => salvagedFtraceHeader(zones[i]!, header));
  }

  /** An empty ring stays in its place, because a zone's place tells its CPU. */
  #ftrace(headers: readonly CheckedHeader[]): { text: Uint8Array; blocks: EccCounts[]; abi: Abi } {
    const { abi, abiGiven, symbols } = this.#source;
    const rings = this.#zonesOf('ftrace').map((zone, i) =>
      headers[i]!.state === 'live' ? zone.data(headers[i]!) : { bytes: new Uint8Array(0), ecc: NO_ERRORS },
    );
    const bytes = rings.map((ring) => ring.bytes);
    const encoding = findEncoding(bytes, abi, abiGiven);
    return {
      text: ftraceText(mergeRings(bytes, encoding, abi.endian), encoding, abi.endian, symbols),
      blocks: rings.map((ring) => ring.ecc),
      abi: { ...abi, wordBits: encoding.wordBits },
    };
  }

  // ── changing ──

  #mustBeWritable(what: string): void {
    if (this.writable) return;
    throw new PstoreError('EROFS', `${this.path} is read-only: nothing can be ${what} in it`, { path: this.path });
  }

  erase(slot: number): void {
    this.#mustBeWritable('erased');
    const record = this.record(slot);
    if (!record) return;
    if (record.state === 'salvaged') {
      throw new PstoreError(
        'EPERM',
        `${record.name} is salvaged from a damaged zone at offset ${record.offset} of ${this.path}: a kernel knows no such record to erase`,
        { path: this.path, offset: record.offset },
      );
    }
    const type = record.type as RamKind;
    const place = this.#placeOf(slot)!;
    const zones = type === 'ftrace' ? this.#zonesOf(type) : [this.#zoneOf(type, place.id)];
    for (const zone of zones) zone.checkHeaderStillThere();
    for (const zone of zones) {
      const header = zone.header();
      if (header.state === 'live' && this.#isStill(zone, header, slot)) zone.erase();
      this.#note(zone.zone, zone.header());
    }
    this.#looked.delete(slot);
  }

  /** Whether a zone holds the dump that was shown; rings go on being written and are one record all the time. */
  #isStill(zone: PersistentRamZone, header: CheckedHeader, slot: number): boolean {
    const shown = this.#shown(slot);
    if (zone.zone.type !== 'dmesg' || !shown) return true;
    return (
      header.start === shown.header.start &&
      header.size === shown.header.size &&
      this.#lineOf(zone, header) === shown.line
    );
  }

  /** The first bytes of a dump as they are stored, by which it is known again. */
  #lineOf(zone: PersistentRamZone, header: CheckedHeader): string {
    return String.fromCharCode(...zone.beginning(header, LINE_BYTES));
  }

  /** The slot holds another record than before, or none. */
  #reused(slot: number): void {
    this.#looked.delete(slot);
    this.#source.cache.delete(this.#cacheKey(slot));
    this.#generations.set(slot, this.generation(slot) + 1);
  }

  write(record: NewRecord): void {
    this.#mustBeWritable('recorded');
    const doubt = this.#source.guessed(record.type);
    if (doubt) throw new PstoreError('EINVAL', `${this.path}: ${doubt}`, { path: this.path });
    const run = runOf(this.geometry, record.type);
    if (!run) {
      const key = record.type === 'dmesg' ? 'record_size' : `${record.type}_size`;
      throw new PstoreError(
        'ENOSPC',
        `${this.path} has no ${record.type} zone: ${key} is 0; give ${key}= as the kernel had it`,
        { path: this.path },
      );
    }
    const id = record.type === 'dmesg' ? this.#nextZone() : record.type === 'ftrace' ? (record.cpu ?? 0) : 0;
    if (id >= run.count) {
      throw new PstoreError('EINVAL', `${this.path} has ftrace zones of ${run.count} CPUs, none of CPU ${id}`, {
        path: this.path,
      });
    }
    const zone = this.#zoneOf(record.type, id);
    if (zone.zone.offset + zone.zone.size > this.storage.size) {
      throw new PstoreError(
        'ENOSPC',
        `${this.#what(zone.zone)} goes on beyond the end of the image: nothing can be written to it`,
        {
          path: this.path,
        },
      );
    }
    if (record.type === 'dmesg') this.#writeDump(zone, record);
    else zone.append(record.data);
    this.#note(zone.zone, zone.header());
    this.#reused(this.#slotOfZone(zone.zone));
  }

  #writeDump(zone: PersistentRamZone, record: NewRecord): void {
    const { reason, timeNs } = record;
    if (reason < Reason.Panic || reason > this.#source.maxReason) {
      const most = `max_reason is ${this.#source.maxReason}`;
      throw new PstoreError('EINVAL', `${this.path}: a record of reason ${reasonName(reason)} is not kept: ${most}`, {
        path: this.path,
      });
    }
    const { line } = this.geometry.dialect;
    const room = zone.zone.layout.area - writeDumpLine(timeNs, true, line).length;
    if (room <= 0) {
      throw new PstoreError('ENOSPC', `${this.#what(zone.zone)} has no room for a record`, { path: this.path });
    }
    // A line without a flag cannot say that the record is compressed.
    const compress = line === 'without-flag' ? 'none' : (record.compress as Compression | 'none');
    const dump = makeDump(reason, this.#dumps + 1, record.data, room, compress, mayFollowDumpLine);
    zone.rewrite(joined([writeDumpLine(timeNs, dump.compressed, line), dump.bytes]));
    this.#dumps++;
  }

  /**
   * The zone for the next dump: the one behind the newest record, as a kernel goes on within one boot. (A kernel that
   * boots begins at zone 0 again, whatever it holds; that would lose records to a tool that is started for each.)
   */
  #nextZone(): number {
    const run = runOf(this.geometry, 'dmesg');
    let [newest, next] = [-1n, 0];
    for (let id = 0; id < (run?.count ?? 0); id++) {
      const zone = this.#zoneOf('dmesg', id);
      const header = zone.header();
      if (header.state !== 'live') continue;
      const time = this.shownDump(id)?.mtimeNs ?? 0n;
      if (time >= newest) [newest, next] = [time, (id + 1) % run!.count];
    }
    return next;
  }

  /**
   * Writes into the image what ECC can repair. Looking never does: this is asked for.
   * @returns every byte that changed, and what is beyond repair, zone by zone
   * @throws PstoreError EROFS; ENOTSUP without ECC; EIO
   */
  repair(): Repair {
    this.#mustBeWritable('repaired');
    if (this.geometry.ecc === 0) {
      throw new PstoreError('ENOTSUP', `${this.path} has no ECC, so there is nothing to repair it by`, {
        path: this.path,
      });
    }
    const repairs = [...ramZones(this.geometry)].map((place) => {
      const zone = `${place.type} zone ${place.id}`;
      const { changes, lost } = this.zone(place).repair();
      return {
        changes: changes.map((change) => ({ zone, ...change })),
        lost: lost.map((range) => ({ zone, ...range })),
      };
    });
    for (const slot of [...this.#looked.keys()]) this.#reused(slot);
    this.#readHeaders();
    return { changes: repairs.flatMap(({ changes }) => changes), lost: repairs.flatMap(({ lost }) => lost) };
  }

  refresh(): boolean {
    const changed = this.#readHeaders();
    for (const [slot, looked] of this.#looked) {
      const place = this.#placeOf(slot)!;
      if (place.type !== 'dmesg' || changed.has(slot) || !looked || !('line' in looked)) continue;
      const zone = this.#zoneOf('dmesg', place.id);
      const header = zone.header();
      if (header.state === 'live' && this.#lineOf(zone, header) !== looked.line) changed.add(slot);
    }
    for (const slot of changed) this.#reused(slot);
    return changed.size > 0;
  }

  // ── the whole ──

  space(): SpaceUsage {
    let [bytes, freeBytes, records, freeSlots, index] = [0, 0, 0, 0, 0];
    for (const run of this.geometry.runs) {
      let live = 0;
      for (let id = 0; id < run.count; id++) if (this.#sizes[index++]! > 0) live++;
      bytes += run.count * run.zoneSize;
      freeBytes += (run.count - live) * run.zoneSize;
      records += run.type === 'ftrace' ? Math.min(live, 1) : live;
      freeSlots += run.type === 'ftrace' ? (live > 0 ? 0 : 1) : run.count - live;
    }
    return { bytes, freeBytes, records, freeSlots };
  }

  info(): BackendInfo {
    const { described, abi } = this.#source;
    const headers = this.#zonesOf('ftrace').map((zone) => zone.header());
    const traced = headers.some((header) => header.state === 'live');
    return {
      format: this.name,
      abi: traced ? this.#ftrace(headers).abi : abi,
      ...described,
      counters: null,
      nextZone: runOf(this.geometry, 'dmesg') ? this.#nextZone() : null,
      zones: explainRamZones(this),
      details: this.#details(headers),
    };
  }

  #details(ftrace: readonly CheckedHeader[]): Record<string, string> {
    const details: Record<string, string> = { ...this.#source.notes };
    if (runOf(this.geometry, 'dmesg')) details['first at boot'] = 'zone 0: a kernel begins there, whatever it holds';
    const versions = new Set(ftrace.map(({ sig }) => ftraceVersionCode(sig)).filter((code) => code !== undefined));
    if (versions.size > 0) details['ftrace by kernel'] = [...versions].map(kernelVersion).join(', ');
    const traced = this.#slotOf.get('ftrace');
    const ecc = traced === undefined ? null : this.#shown(traced)?.ecc;
    if (ecc) details['ftrace ECC'] = eccWords(ecc);
    return details;
  }

  close(): void {
    this.storage.close();
  }
}

const PLAIN = {
  state: 'live',
  skipped: 0,
  line: '',
  mtimeNs: null,
  reason: null,
  compressed: null,
  ecc: null,
} as const;

/** MediaTek's fs/pstore/ram.c calls its second console zone so. */
const SECOND_CONSOLE = 2;

/** The number in the name of what a zone shows. */
function nameId({ type, id }: Pick<RamZone, 'type' | 'id'>): number {
  return type === 'console' && id === 1 ? SECOND_CONSOLE : id;
}

/** The kernel's notice at the end of a file; nothing without ECC. */
function notice(ecc: EccCounts | null): Uint8Array {
  return new TextEncoder().encode(ecc ? `\nECC: ${eccWords(ecc)}\n` : '');
}

/** `Oops`, `Panic`, … where the text begins as the front-end makes it. */
function reasonOf(text: Uint8Array): string | null {
  if (!beginsAsDump(text)) return null;
  const head = String.fromCharCode(...text.subarray(0, 40));
  const name = head.slice(0, head.indexOf('#'));
  return reasonNumber(name) === undefined ? null : name;
}

/** The extents without their first bytes. */
function without(extents: readonly Extent[], skipped: number): Extent[] {
  const rest: Extent[] = [];
  let skip = skipped;
  for (const { storage, offset, length } of extents) {
    const off = Math.min(skip, length);
    skip -= off;
    if (length > off) rest.push({ storage, offset: offset + off, length: length - off });
  }
  return rest;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
