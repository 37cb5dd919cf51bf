// The zones of a partition as places of records, in every dialect.

import { LIMIT_FACTOR } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { BackendInfo, NewRecord, PassedOver, SpaceUsage } from '../pstore/backend.js';
import { contentBytes, PiecesContent, piecesBytes } from '../pstore/content.js';
import type { ErasedPlace } from '../pstore/erased.js';
import type { SymbolTable } from '../pstore/ftrace.js';
import { ftraceFile } from '../pstore/ftrace-rings.js';
import type { Found, MakeDump, Places, Row, ShownRecords, WrittenTo } from '../pstore/places.js';
import { timeOf } from '../pstore/record.js';
import type { FrontEnd } from '../pstore/record-type.js';
import type { Extent } from '../storage/extent.js';
import { isBrokenPlace, readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import { reasonText } from './dialects.js';
import { type DmesgRow, ZoneState } from './dmesg-table.js';
import type { ZoneEngine } from './engine.js';
import { erasedDmesg, erasedRing } from './erased.js';
import { dmesgHeaderSize, isNanoseconds } from './format.js';
import { type CutZone, kmsgZone, type Zone } from './geometry.js';
import { explainZones } from './info.js';
import type { Mark } from './marks.js';
import { nextByTimes } from './recovery.js';
import type { Ring } from './ring.js';
import { madeOfRing, passedOverDmesg, passedOverRing, strayRing } from './salvage.js';
import { strayZones } from './strays.js';

/** What was found out about the source before it was opened. */
export interface ZoneSource {
  readonly path: string;
  readonly storage: SurvivingStorage;
  readonly engine: ZoneEngine;
  readonly warnings: Warnings;
  readonly symbols: SymbolTable | undefined;
  /** The zone that the end of the image cuts, after the last whole one. */
  readonly cut: CutZone | undefined;
  /** Whether the size of the dmesg zones was given, and not found. */
  readonly isSizeGiven: boolean;
  /** Headers that belong to none of the zones. */
  readonly strays: readonly Mark[];
  /** Why the dialect is a guess, which only matters when a dump is written. */
  readonly openDialect: string | undefined;
  /** Why a write to this kind of zone would be a guess, or undefined where it is not. */
  readonly guessed: (type: NewRecord['type']) => string | undefined;
  readonly described: Pick<BackendInfo, 'geometry' | 'confidence' | 'kernelParameters' | 'sourceKeys' | 'details'>;
}

/** One CPU's ring as it was when the text was asked for. */
interface FtraceRingNow {
  readonly ring: Ring;
  readonly extents: readonly Extent[];
  readonly start: number;
  readonly datalen: number;
}

export class ZonePlaces implements Places {
  readonly name: string;
  readonly path: string;
  readonly warnings: Warnings;
  readonly storage: SurvivingStorage;
  readonly engine: ZoneEngine;
  readonly rows: readonly Row[];
  readonly decodedLimit: number;
  readonly #source: ZoneSource;
  /** Bytes of a dmesg record's header. */
  readonly #headerSize: number;
  readonly #strays: readonly Zone[];

  constructor(source: ZoneSource) {
    const { geometry, abi } = source.engine;
    this.#source = source;
    this.name = geometry.dialect.backend;
    this.path = source.path;
    this.warnings = source.warnings;
    this.engine = source.engine;
    this.storage = source.storage;
    this.#headerSize = dmesgHeaderSize(abi);
    this.decodedLimit = LIMIT_FACTOR * geometry.kmsgSize;
    // The zone that the end of the image cuts comes after the whole ones, and headers that are no zone's after that.
    const ringCount = (type: FrontEnd) => (geometry.rings.some((zone) => zone.type === type) ? 1 : 0);
    const counts = new Map<FrontEnd, number>([
      ['console', ringCount('console')],
      ['dmesg', geometry.kmsgCount + (source.cut ? 1 : 0)],
      ['ftrace', ringCount('ftrace')],
      ['pmsg', ringCount('pmsg')],
      ['tty', ringCount('tty')],
    ]);
    this.#strays = strayZones(source.strays, geometry.generation, geometry.total, counts);
    this.rows = [...counts]
      .map(([type, count]) => ({ type, count: count + this.#strays.filter((zone) => zone.type === type).length }))
      .filter(({ count }) => count > 0);
    this.#warnOfRows();
  }

  get writable(): boolean {
    return this.storage.writable;
  }

  get cut(): CutZone | undefined {
    return this.#source.cut;
  }

  // ── what is shown ──

  /** A header that belongs to none of the zones: no kernel shows it, but salvage does. */
  #strayAt(type: string, id: number): Zone | undefined {
    return this.#strays.find((zone) => zone.type === type && zone.index === id);
  }

  found(type: string, id: number): Found | undefined {
    if (this.#strayAt(type, id)) return undefined;
    if (type === 'dmesg') return this.isShown(id) ? this.#foundDmesg(id) : undefined;
    const live = this.#rings(type).filter(({ state }) => state === 'live');
    const [first] = live;
    if (!first) return undefined;
    const { offset } = first.zone;
    if (type !== 'ftrace') return { ...RING, offset, length: first.datalen, room: 0, pieces: () => first.extents() };
    const rings = this.#ftraceRings();
    return {
      ...RING,
      offset,
      length: undefined,
      room: live.reduce((sum, { datalen }) => sum + datalen, 0),
      isMade: true,
      pieces: () => [this.#ftraceText(rings)],
    };
  }

  #foundDmesg(index: number): Found {
    const row = this.engine.dmesg.row(index);
    const length = row.datalen - this.#headerSize;
    const { dialect } = this.engine.geometry;
    const isMaybe = row.compressed > 1;
    const reason = reasonText(dialect, row.reason);
    return {
      offset: kmsgZone(this.engine.geometry, index).offset,
      mtimeNs: timeOf(row.seconds, row.nanoseconds),
      reason,
      count: row.counter,
      ecc: null,
      compressed: isMaybe ? 'maybe' : row.compressed === 1 ? 'yes' : 'no',
      lead: this.#lead(reason, row.counter),
      trail: '',
      length,
      room: length,
      isMade: false,
      pieces: () => [this.engine.data(index, this.#headerSize, length)],
    };
  }

  /** Whether a zone is live, and its length leaves room for what it says it is: see #warnOfRows. */
  isShown(index: number): boolean {
    const { dmesg } = this.engine;
    if (index >= dmesg.length || dmesg.state(index) !== ZoneState.Live) return false;
    const afterHeader = dmesg.datalen(index) - this.#headerSize;
    return afterHeader > 0 || (afterHeader === 0 && dmesg.compressed(index) !== 1);
  }

  isCompressed(type: string, id: number): boolean {
    return type === 'dmesg' && this.isShown(id) && this.engine.dmesg.compressed(id) !== 0;
  }

  nameOf(type: string, id: number): string {
    const own = () => (type === 'dmesg' ? kmsgZone(this.engine.geometry, id) : this.#rings(type)[0]!.zone);
    const zone = this.#strayAt(type, id) ?? own();
    return `${type} zone ${id} at offset ${zone.offset}`;
  }

  watch(type: string, id: number): (() => boolean) | undefined {
    if (type !== 'dmesg') return undefined;
    const row = this.engine.dmesg.row(id);
    return () => this.engine.stillHas(id, row);
  }

  #rings(type: string): Ring[] {
    return this.engine.rings.filter((ring) => ring.zone.type === type);
  }

  /** What a listing or `info` should say about single records; the kernel stops its listing at such a record. */
  #warnOfRows(): void {
    const { dmesg, geometry, ringFollowsTimes, nextZone } = this.engine;
    for (let index = 0; index < geometry.kmsgCount; index++) {
      if (dmesg.state(index) === ZoneState.Live) this.#warnOfRow(index, dmesg.row(index));
    }
    if (ringFollowsTimes) return;
    const what = 'the times of the dmesg zones do not follow the ring: several records in one second';
    const sizes = geometry.dialect.order.length > 1 ? 'kmsg_size= and pmsg_size=' : 'kmsg_size=';
    const why = this.#source.isSizeGiven
      ? ', or a clock that went back'
      : `, a clock that went back, or dumps of an earlier boot with other sizes (then give ${sizes} as the kernel had them)`;
    const next = `by the kernel's rule the next record goes to zone ${nextZone}, and may replace the newest`;
    this.warnings.add('ring-same-second', `${this.path}: ${what}${why}; ${next}`);
  }

  #warnOfRow(index: number, row: DmesgRow): void {
    const { offset } = kmsgZone(this.engine.geometry, index);
    const what = `${this.path}: ${this.nameOf('dmesg', index)}`;
    if (!this.isShown(index)) {
      const why = `${what} has ${row.datalen} bytes, which leaves no record after its header`;
      this.warnings.add('record-short', `${why}; it is skipped, where a kernel would end its listing`, offset);
    } else if (row.seconds < 0n || !isNanoseconds(row.nanoseconds)) {
      const time = `${row.seconds} s and ${row.nanoseconds} ns`;
      this.warnings.add('record-time', `${what} has a damaged time of ${time}, which is brought into range`, offset);
    }
    if (row.compressed > 1) {
      const flag = `${what} has the flag compressed ${row.compressed}, which is neither 0 nor 1`;
      this.warnings.add('record-flag', `${flag}; it is taken for 1 when the record decompresses, else for 0`, offset);
    }
  }

  // ── what a kernel passes over ──

  passedOver(type: string, id: number): PassedOver | undefined {
    const { storage } = this;
    const { abi, geometry } = this.engine;
    const stray = this.#strayAt(type, id);
    if (stray) {
      return type === 'dmesg'
        ? passedOverDmesg(storage, stray, geometry.dialect, abi)
        : strayRing(storage, stray, geometry.generation, abi);
    }
    if (type === 'dmesg') {
      const isOver = !this.isShown(id) && !this.#isErased(id);
      return isOver ? passedOverDmesg(storage, kmsgZone(geometry, id), geometry.dialect, abi) : undefined;
    }
    if (type === 'ftrace') return this.#passedOverFtrace();
    const ring = this.#rings(type)[0]!;
    if (ring.state === 'live') return undefined;
    if (!ring.isSalvageable) return passedOverRing(storage, ring.zone, abi);
    const parts = ring.extents(true).map((part) => readRange(storage, part.offset, part.length));
    return madeOfRing(ring.zone, contentBytes(new PiecesContent(parts)));
  }

  /** Of ftrace's rings a text is made, which needs their ends. */
  *erased(type: string, id: number): Generator<ErasedPlace> {
    if (this.#strayAt(type, id)) return;
    if (type === 'dmesg') yield* erasedDmesg(this.engine, this.storage, id, (...told) => this.#lead(...told));
    else if (type !== 'ftrace') yield* erasedRing(this.#rings(type)[0]!, this.storage);
  }

  #lead(reason: string, count: number): string {
    return `${this.engine.geometry.dialect.linePrefix}${reason}: Total ${count} times\n`;
  }

  #isErased(index: number): boolean {
    return index === this.cut?.zone.index
      ? this.cut.datalen === 0
      : this.engine.dmesg.state(index) === ZoneState.Erased;
  }

  /** What all CPUs' rings hold together, also those of which only the signature is damaged, where there are any. */
  #passedOverFtrace(): PassedOver | undefined {
    const hurt = this.#rings('ftrace').find((ring) => ring.isSalvageable);
    try {
      return hurt && madeOfRing(hurt.zone, this.#ftraceText(this.#ftraceRings(true)));
    } catch (error) {
      // Records of zeros would be made up; what other zones hold is to be listed all the same.
      if (!isBrokenPlace(error)) throw error;
      return undefined;
    }
  }

  // ── ftrace ──

  #ftraceRings(salvaged = false): FtraceRingNow[] {
    return this.#rings('ftrace').map((ring) => ({
      ring,
      extents: ring.extents(salvaged),
      start: ring.start,
      datalen: ring.datalen,
    }));
  }

  #ftraceText(rings: readonly FtraceRingNow[]): Uint8Array {
    const read = rings.map(({ ring, extents, start, datalen }) => {
      const bytes = piecesBytes(extents);
      if (extents.length === 0 || start <= datalen) return { bytes };
      return { bytes, traced: { area: readRange(this.storage.medium, ring.dataOffset, ring.area), start, datalen } };
    });
    const { symbols } = this.#source;
    return ftraceFile(read, { abi: this.engine.abi, abiGiven: false, symbols, mayShare: false }).text;
  }

  // ── changing ──

  erase(type: string, id: number): void {
    if (type === 'dmesg') {
      this.engine.erase(id);
      // Another writer may have used or emptied it since: what was known of it is out of date either way.
      if (this.engine.dmesg.state(id) === ZoneState.Live) this.engine.dmesg.setErased(id);
      return;
    }
    for (const ring of this.#rings(type)) {
      this.engine.eraseRing(ring);
      if (ring.state === 'live') ring.state = 'erased';
    }
  }

  write(record: NewRecord, dump: MakeDump): WrittenTo {
    const { type, reason, timeNs } = record;
    const doubt = this.#source.guessed(type);
    if (doubt) throw new PstoreError('EINVAL', `${this.path}: ${doubt}`, { path: this.path });
    if (type !== 'dmesg') {
      return { type, id: 0, isLost: !this.engine.writeRing(type, record.data, record.cpu ?? 0) };
    }
    const { deflatesAsZlib, name } = this.engine.geometry.dialect;
    if (this.#source.openDialect !== undefined) {
      this.warnings.add('geometry-guess', `${this.path}: written as ${name}: ${this.#source.openDialect}`);
    }
    const made = dump(this.engine.dmesgRoom, undefined, deflatesAsZlib ? 'zlib' : 'deflate');
    const { zone, flushed } = this.engine.write({ reason, timeNs, ...made });
    this.#warnOfReplaced(zone);
    return { type, id: zone, isLost: !flushed, offset: kmsgZone(this.engine.geometry, zone).offset };
  }

  /** A record that is older than another one is not the newest for a kernel, which goes on after that one. */
  #warnOfReplaced(index: number): void {
    const { dmesg, geometry, nextZone } = this.engine;
    if (dmesg.length < 2) return;
    const after = dmesg.state(nextZone);
    const isFresh = after === ZoneState.Unsigned || after === ZoneState.NotLookedAt;
    // Where a kernel looks no further than the first zone without a signature, the times do not matter before that.
    if (isFresh && geometry.dialect.unsigned === 'ends') return;
    if (nextByTimes(dmesg) !== index) return;
    const { offset } = kmsgZone(geometry, index);
    const what = `the record in dmesg zone ${index} is not the newest one, by its time`;
    const next = "by the kernel's rule the next record replaces it";
    this.warnings.add('ring-same-second', `${this.path}: ${what}: ${next}`, offset);
  }

  refresh(changed: (type: string, id: number) => void): void {
    const stateOf = (ring: Ring) => `${ring.state} ${ring.datalen} ${ring.start}`;
    const before = this.engine.rings.map(stateOf);
    this.engine.refresh((index) => changed('dmesg', index));
    this.engine.rings.forEach((ring, i) => {
      if (before[i] !== stateOf(ring)) changed(ring.zone.type, 0);
    });
  }

  // ── the whole ──

  space(): SpaceUsage {
    const { geometry, rings } = this.engine;
    let bytes = geometry.kmsgCount * geometry.kmsgSize;
    let [freeBytes, freeSlots, records] = [0, 0, 0];
    for (let index = 0; index < geometry.kmsgCount; index++) {
      if (this.isShown(index)) records++;
      else {
        freeSlots++;
        freeBytes += geometry.kmsgSize;
      }
    }
    for (const ring of rings) {
      bytes += ring.zone.size;
      if (ring.state !== 'live') freeBytes += ring.zone.size;
    }
    for (const { type } of this.rows) {
      if (type === 'dmesg' || this.#rings(type).length === 0) continue;
      if (this.#rings(type).some((ring) => ring.state === 'live')) records++;
      else freeSlots++;
    }
    return { bytes, freeBytes, records, freeSlots };
  }

  info(shown: ShownRecords): BackendInfo {
    const { engine } = this;
    return {
      format: engine.geometry.generation,
      abi: engine.abi,
      ...this.#source.described,
      counters: engine.counters,
      nextZone: engine.geometry.kmsgCount > 0 ? engine.nextZone : null,
      zones: explainZones(this, shown),
    };
  }
}

const RING: Omit<Found, 'offset' | 'length' | 'room' | 'pieces'> = {
  mtimeNs: null,
  reason: null,
  count: null,
  ecc: null,
  compressed: 'no',
  lead: '',
  trail: '',
  isMade: false,
};
