// The zones of a persistent RAM region as places of records.

import { LIMIT_FACTOR } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import type { Abi } from '../pstore/abi.js';
import type { BackendInfo, NewRecord, PassedOver, Repair, SpaceUsage } from '../pstore/backend.js';
import { joined } from '../pstore/content.js';
import type { ErasedPlace } from '../pstore/erased.js';
import type { SymbolTable } from '../pstore/ftrace.js';
import type { Found, MakeDump, Places, WrittenTo } from '../pstore/places.js';
import { reasonInText } from '../pstore/record.js';
import { Reason, reasonName } from '../pstore/record-type.js';
import { isBrokenPlace } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import { lastDumpLine } from './contents.js';
import { type EccCounts, NO_ERRORS, total } from './ecc-counts.js';
import { erasedInZone } from './erased.js';
import { mayFollowDumpLine, readDumpLine, readPlainLine, writeDumpLine } from './format.js';
import { foundIn, idInName, lineOf, placeNamed } from './found.js';
import { FtraceZones } from './ftrace.js';
import { type RamGeometry, type RamKind, type RamZone, ramZone, ramZones, runOf } from './geometry.js';
import { HeaderTable } from './header-table.js';
import { describeRegion } from './info.js';
import { dumpTime, isTimeDamaged, passedOverZone } from './salvage.js';
import { strayZones } from './strays.js';
import { ZoneWarnings, zoneName } from './warn.js';
import { type CheckedHeader, PersistentRamZone } from './zone.js';

/** What was found out about the source before it was opened. */
export interface RamoopsSource {
  readonly path: string;
  readonly storage: SurvivingStorage;
  readonly geometry: RamGeometry;
  /** Of the word size only ftrace depends, which finds it from its records unless it was given. */
  readonly abi: Abi;
  readonly abiGiven: boolean;
  readonly warnings: Warnings;
  readonly maxReason: number;
  readonly symbols: SymbolTable | undefined;
  /** Why a write to this kind of zone would be a guess, or undefined where it is not. */
  readonly guessed: (type: RamKind) => string | undefined;
  /** Headers that belong to none of the zones: offsets. */
  readonly strays: readonly number[];
  /** Further lines for `info`. */
  readonly notes: Readonly<Record<string, string>>;
  readonly described: Pick<BackendInfo, 'geometry' | 'confidence' | 'kernelParameters' | 'sourceKeys'>;
}

/** What is known of a live zone: the record in it, or why a kernel does not show it. */
interface Looked {
  readonly found?: Found;
  readonly hidden?: string;
  /** The beginning of a dump as it is stored, by which it is known again. */
  readonly line: string;
}

/** Bytes in which the first line of a dump, and the line of the front-end after it, are looked for. */
const BEGINNING = 4096;
const DAMAGED_LINE = 'the line ====SECONDS.MICROSECONDS in front of the record is damaged';
const APPENDED = 'a dump was appended to an older one, of which the line ====SECONDS.MICROSECONDS was overwritten';
const NOTHING_FOLLOWS = 'nothing follows the line ====SECONDS.MICROSECONDS-C';

export class RamPlaces implements Places {
  readonly name = 'ramoops';
  readonly path: string;
  readonly warnings: Warnings;
  readonly storage: SurvivingStorage;
  readonly geometry: RamGeometry;
  readonly rows: Places['rows'];
  readonly decodedLimit: number;
  readonly source: RamoopsSource;
  readonly ftrace: FtraceZones;
  readonly #headers: HeaderTable;
  readonly #strays: readonly RamZone[];
  readonly #warn: ZoneWarnings;
  /** By `<type> <id>`; of live zones only. */
  readonly #looked = new Map<string, Looked>();

  constructor(source: RamoopsSource) {
    const { geometry } = source;
    this.source = source;
    this.path = source.path;
    this.warnings = source.warnings;
    this.storage = source.storage;
    this.geometry = geometry;
    this.#warn = new ZoneWarnings(source.warnings, source.path);
    this.#headers = new HeaderTable(geometry);
    this.ftrace = new FtraceZones(this.zonesOf('ftrace'), source, this.#warn);
    const counts = new Map(geometry.runs.map(({ type, count }) => [type, count]));
    this.#strays = strayZones(source.storage, source.strays, source.abi.endian, counts);
    this.rows = (['boot-log', 'console', 'dmesg', 'ftrace', 'pmsg', 'tty'] as const).flatMap((type) => {
      const zones = counts.get(type) ?? 0;
      const count = (type === 'ftrace' ? Math.min(zones, 1) : zones) + this.#straysOf(type).length;
      return count > 0 ? [{ type, count }] : [];
    });
    this.decodedLimit = LIMIT_FACTOR * (runOf(geometry, 'dmesg')?.zoneSize ?? 0);
    const all = [...ramZones(geometry)].map((zone) => ({ zone, header: this.zone(zone).header() }));
    for (const { zone, header } of all) this.#headers.note(zone, header);
    this.#warn.addHeaders(all);
  }

  get writable(): boolean {
    return this.storage.writable;
  }

  /** The engine of a zone. */
  zone(place: RamZone): PersistentRamZone {
    return new PersistentRamZone(this.storage, place, this.source.abi.endian, this.storage.medium);
  }

  zonesOf(type: RamKind): PersistentRamZone[] {
    const run = runOf(this.geometry, type);
    return Array.from({ length: run?.count ?? 0 }, (_, id) => this.zone(ramZone(run!, id, this.geometry.ecc)));
  }

  #zoneOf(type: string, id: number): PersistentRamZone {
    const stray = this.#strayAt(type, id);
    return this.zone(stray ?? ramZone(runOf(this.geometry, type as RamKind)!, id, this.geometry.ecc));
  }

  #straysOf(type: string): RamZone[] {
    return this.#strays.filter((zone) => zone.type === type);
  }

  /** A header that belongs to none of the zones: no kernel of this geometry shows it, but salvage does. */
  #strayAt(type: string, id: number): RamZone | undefined {
    return this.#strays.find((zone) => zone.type === type && zone.id === id);
  }

  // ── what is shown ──

  found(type: string, id: number): Found | undefined {
    return type === 'ftrace' ? this.ftrace.found() : this.#look(type, id)?.found;
  }

  /** Why a live dmesg zone is not shown. */
  whyHidden(id: number): string | null {
    return this.#look('dmesg', id)?.hidden ?? null;
  }

  idNamed(type: string, id: number): number {
    return placeNamed(type, id);
  }

  isCompressed(type: string, id: number): boolean {
    return type === 'dmesg' && this.found(type, id)?.compressed === 'yes';
  }

  nameOf(type: string, id: number): string {
    return zoneName(this.#zoneOf(type, id).zone);
  }

  watch(type: string, id: number): (() => boolean) | undefined {
    if (type !== 'dmesg') return undefined;
    const zone = this.#zoneOf(type, id);
    const header = zone.header();
    const line = this.#look(type, id)?.line;
    return () => lineOf(zone, header) === line;
  }

  #look(type: string, id: number): Looked | undefined {
    if (this.#strayAt(type, id)) return undefined;
    const key = `${type} ${id}`;
    const known = this.#looked.get(key);
    if (known) return known;
    const zone = this.#zoneOf(type, id);
    const header = zone.header();
    if (header.state !== 'live') return undefined;
    const looked = this.#lookAt(zone, header);
    this.#looked.set(key, looked);
    return looked;
  }

  #lookAt(zone: PersistentRamZone, header: CheckedHeader): Looked {
    try {
      return zone.zone.type === 'dmesg' ? this.#lookAtDump(zone, header) : this.#lookAtRing(zone, header);
    } catch (error) {
      if (!isBrokenPlace(error)) throw error;
      // The others are to be shown all the same; reading this one says what is wrong.
      this.#warn.add('record-undecodable', zone.zone, `cannot be read: ${(error as Error).message}`);
      return { found: foundIn(zone, header, null), line: '' };
    }
  }

  /** What ECC found in header and data together, or null without ECC. */
  #eccOf(zone: PersistentRamZone, header: CheckedHeader, blocks: EccCounts): EccCounts | null {
    if (zone.zone.ecc === 0) return null;
    const ecc = total(header.ecc, blocks);
    this.#warn.addEcc(zone.zone, ecc);
    return ecc;
  }

  #lookAtRing(zone: PersistentRamZone, header: CheckedHeader): Looked {
    return { found: foundIn(zone, header, this.#eccOf(zone, header, zone.verify(header))), line: '' };
  }

  #lookAtDump(zone: PersistentRamZone, header: CheckedHeader): Looked {
    const line = lineOf(zone, header);
    const wraps = header.start > 0 && header.start < header.size;
    const whole = zone.zone.ecc > 0 || wraps ? zone.data(header) : undefined;
    const beginning = whole?.bytes ?? zone.beginning(header, BEGINNING);
    const told = zone.zone.layout.frame === 'none' ? readPlainLine(beginning) : readDumpLine(beginning);
    if (!told) {
      const why = whole && lastDumpLine(whole.bytes) >= 0 ? APPENDED : DAMAGED_LINE;
      this.#warn.addPassedOver('header-damaged', zone.zone, `is not shown: ${why}`);
      return { hidden: `${why}: a kernel does not show it and empties it`, line };
    }
    if (told.compressed && told.length >= header.size) {
      this.#warn.add('record-short', zone.zone, `is skipped: ${NOTHING_FOLLOWS}; a kernel would end its listing here`);
      return { hidden: `${NOTHING_FOLLOWS}: skipped, a kernel ends its listing here`, line };
    }
    const ecc = this.#eccOf(zone, header, whole?.ecc ?? NO_ERRORS);
    if (isTimeDamaged(told)) {
      const time = `${told.seconds} s and ${told.microseconds} µs`;
      this.#warn.add('record-time', zone.zone, `has a damaged time of ${time}, which is brought into range`);
    }
    const found: Found = {
      ...foundIn(zone, header, ecc, told.length),
      mtimeNs: dumpTime(told),
      reason: told.compressed ? undefined : reasonInText(beginning.subarray(told.length)),
      compressed: told.compressed ? 'yes' : 'no',
    };
    return { found, line };
  }

  passedOver(type: string, id: number): PassedOver | undefined {
    if (type === 'ftrace') return this.ftrace.passedOver();
    const zone = this.#zoneOf(type, id);
    if (this.#look(type, id)?.found) return undefined;
    // Zeros stand for blocks that cannot be read.
    const passed = passedOverZone(
      new PersistentRamZone(this.storage, zone.zone, this.source.abi.endian),
      zone.header(),
    );
    return passed && { ...passed, id: idInName(zone.zone) };
  }

  /** Of ftrace's rings a text is made, which needs their ends. */
  *erased(type: string, id: number): Generator<ErasedPlace> {
    if (type === 'ftrace' || this.#strayAt(type, id)) return;
    const { zone } = this.#zoneOf(type, id);
    for (const place of erasedInZone(
      new PersistentRamZone(this.storage, zone, this.source.abi.endian),
      idInName(zone),
    )) {
      const { restore } = place;
      // What was known of the zone is out of date then.
      yield restore ? { ...place, restore: (length) => this.#restore(zone, () => restore(length)) } : place;
    }
  }

  #restore(zone: RamZone, restore: () => void): void {
    restore();
    this.#headers.note(zone, this.zone(zone).header());
    this.#forget(zone.type, zone.id);
  }

  // ── changing ──

  erase(type: string, id: number): void {
    const zones = type === 'ftrace' ? this.zonesOf(type) : [this.#zoneOf(type, id)];
    for (const zone of zones) zone.checkHeaderStillThere();
    for (const zone of zones) {
      const header = zone.header();
      if (header.state === 'live' && this.#isStill(zone, header)) zone.erase();
      this.#headers.note(zone.zone, zone.header());
    }
    this.#forget(type, id);
  }

  /** Whether a zone holds the dump that was shown; rings go on being written and are one record all the time. */
  #isStill(zone: PersistentRamZone, header: CheckedHeader): boolean {
    const { type, id } = zone.zone;
    if (type !== 'dmesg') return true;
    return this.#headers.has(zone.zone, header) && lineOf(zone, header) === this.#looked.get(`${type} ${id}`)?.line;
  }

  #forget(type: string, id: number): void {
    this.#looked.delete(`${type} ${id}`);
    if (type === 'ftrace') this.ftrace.forget();
  }

  write(record: NewRecord, dump: MakeDump): WrittenTo {
    const { type } = record;
    const doubt = this.source.guessed(type);
    if (doubt) throw this.#fail('EINVAL', doubt);
    const run = runOf(this.geometry, type);
    if (!run) {
      const key = type === 'dmesg' ? 'record_size' : `${type}_size`;
      throw this.#fail('ENOSPC', `there is no ${type} zone: ${key} is 0; give ${key}= as the kernel had it`);
    }
    const id = type === 'dmesg' ? this.nextZone() : type === 'ftrace' ? (record.cpu ?? 0) : 0;
    if (id >= run.count) {
      throw this.#fail('EINVAL', `there are ftrace zones of ${run.count} CPUs, none of CPU ${id}`);
    }
    const zone = this.#zoneOf(type, id);
    if (zone.zone.offset + zone.zone.size > this.storage.size) {
      const what = `${zoneName(zone.zone)} goes on beyond the end of the image`;
      throw this.#fail('ENOSPC', `${what}: nothing can be written to it`);
    }
    if (type === 'dmesg') this.#writeDump(zone, record, dump);
    else zone.append(record.data);
    this.#headers.note(zone.zone, zone.header());
    const place = type === 'ftrace' ? 0 : id;
    this.#forget(type, place);
    return { type, id: place, isLost: false };
  }

  #writeDump(zone: PersistentRamZone, { reason, timeNs }: NewRecord, makeDump: MakeDump): void {
    const { maxReason } = this.source;
    if (reason < Reason.Panic || reason > maxReason) {
      const what = `a record of reason ${reasonName(reason)} is not kept`;
      throw this.#fail('EINVAL', `${what}: max_reason is ${maxReason}`);
    }
    const { line, deflatesAsZlib } = this.geometry.dialect;
    const room = zone.zone.layout.area - writeDumpLine(timeNs, true, line).length;
    if (room <= 0) throw this.#fail('ENOSPC', `${zoneName(zone.zone)} has no room for a record`);
    // A line without a flag cannot say that the record is compressed.
    const takes = line === 'without-flag' ? () => false : mayFollowDumpLine;
    const dump = makeDump(room, takes, deflatesAsZlib ? 'zlib' : 'deflate');
    zone.rewrite(joined([writeDumpLine(timeNs, dump.compressed, line), dump.bytes]));
  }

  #fail(code: 'EINVAL' | 'ENOSPC' | 'ENOTSUP', sentence: string): PstoreError {
    return new PstoreError(code, `${this.path}: ${sentence}`, { path: this.path });
  }

  /**
   * The zone for the next dump: the one after the newest record, as a kernel goes on within one boot. (A kernel that
   * boots begins at zone 0 again, whatever it holds; that would lose records to a tool that is started for each.)
   */
  nextZone(): number {
    const count = runOf(this.geometry, 'dmesg')?.count ?? 0;
    let [newest, next] = [-1n, 0];
    for (let id = 0; id < count; id++) {
      if (this.#zoneOf('dmesg', id).header().state !== 'live') continue;
      const time = this.found('dmesg', id)?.mtimeNs ?? 0n;
      if (time >= newest) [newest, next] = [time, (id + 1) % count];
    }
    return next;
  }

  /**
   * Writes into the image what ECC can repair. Looking never does: this is asked for.
   * @returns every byte that changed, and what is beyond repair, zone by zone
   * @throws PstoreError ENOTSUP without ECC; EIO
   */
  repair(): Repair {
    if (this.geometry.ecc === 0)
      throw this.#fail('ENOTSUP', 'the image has no ECC, so there is nothing to repair it by');
    const repairs = [...ramZones(this.geometry)].map((place) => {
      const zone = `${place.type} zone ${place.id}`;
      const { changes, lost } = this.zone(place).repair();
      return {
        changes: changes.map((change) => ({ zone, ...change })),
        lost: lost.map((range) => ({ zone, ...range })),
      };
    });
    this.#looked.clear();
    this.ftrace.forget();
    for (const place of ramZones(this.geometry)) this.#headers.note(place, this.zone(place).header());
    return { changes: repairs.flatMap(({ changes }) => changes), lost: repairs.flatMap(({ lost }) => lost) };
  }

  refresh(changed: (type: string, id: number) => void): void {
    for (const place of ramZones(this.geometry)) {
      const zone = this.zone(place);
      const header = zone.header();
      const { type } = place;
      const id = type === 'ftrace' ? 0 : place.id;
      const known = this.#looked.get(`${type} ${id}`);
      const isOther = this.#headers.note(place, header);
      const isRewritten = type === 'dmesg' && known && known.line !== '' && lineOf(zone, header) !== known.line;
      if (!isOther && !isRewritten) continue;
      this.#forget(type, id);
      changed(type, id);
    }
  }

  // ── the whole ──

  space(): SpaceUsage {
    let [bytes, freeBytes, records, freeSlots] = [0, 0, 0, 0];
    for (const { type, count, zoneSize } of this.geometry.runs) {
      const live = this.#headers.live(type);
      bytes += count * zoneSize;
      freeBytes += (count - live) * zoneSize;
      records += type === 'ftrace' ? Math.min(live, 1) : live;
      freeSlots += type === 'ftrace' ? (live > 0 ? 0 : 1) : count - live;
    }
    return { bytes, freeBytes, records, freeSlots };
  }

  info(shown: Parameters<Places['info']>[0]): BackendInfo {
    return describeRegion(this, shown);
  }
}
