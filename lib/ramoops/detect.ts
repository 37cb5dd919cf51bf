// The geometry of a persistent RAM region from its bytes alone: what makes the most valid zones wins.

import type { Abi } from '../pstore/abi.js';
import type { FrontEnd } from '../pstore/record-type.js';
import { MemoryStorage } from '../storage/memory.js';
import { readRange, type Storage } from '../storage/storage.js';
import {
  ftraceVersionCode,
  RAM_HEADER_SIZE,
  RAM_SIGNATURE,
  type RamHeader,
  readDumpLine,
  readRamHeader,
} from './format.js';
import {
  dmesgZones,
  ECC_BLOCK,
  ftraceZoneSize,
  layOutRam,
  NO_RAM_ZONES,
  RAM_ORDERS,
  type RamGeometry,
  type RamOrder,
  type RamSizes,
  type RamZone,
  ramZones,
  roundDownToPowerOfTwo,
} from './geometry.js';
import { findRamMarks, type RamMarks } from './marks.js';
import { isCodeword, MOST_PARITY, reedSolomon } from './reed-solomon.js';
import { PersistentRamZone } from './zone.js';

export type GivenSizes = Partial<RamSizes>;

export interface DetectedRam {
  readonly sizes: RamSizes;
  readonly endian: Abi['endian'];
  /** 0 … 1 for each size: 1 was given, or no other value explains the image as well. */
  readonly confidence: Readonly<Record<keyof RamSizes, number>>;
  /** Kinds whose zones are the same in every geometry that explains the image as well. */
  readonly certain: ReadonlySet<FrontEnd>;
  /** What this geometry does not explain: 1 for each zone without a valid header, each header without a zone, …. */
  readonly misfit: number;
  /** Zones with a valid header. */
  readonly fitting: number;
}

/** Smallest zone of a kind that is looked for; a kernel's own default is 4096. */
const LEAST_ZONE = 256;
/** Geometries that are looked at closely. */
const MOST_KEPT = 192;
/** Zones of one geometry that are looked at closely. */
const MOST_ZONES = 2048;
/** Steps of the search: an image that is made to keep us busy gets the best of what was seen by then. */
const MOST_STEPS = 10_000_000;
/** Most headers of ftrace zones that are taken for remains of other times. */
const MOST_REMAINS = 16;
/** Images up to this size are held in memory while they are searched. */
const IN_MEMORY = 64 << 20;
/** A geometry that explains the image worse by less than this cannot be excluded. */
const PROOF = 1;
/** Misfit of an ftrace zone whose parity is wrong: a kernel that traces the function that writes it leaves it so. */
const TRACED_PARITY = 0.01;
/** Misfit of a zone whose header is damaged and cannot be repaired, but is a header. */
const DAMAGED = 0.3;
/** How unlikely each byte of a header is that ECC repairs: much parity makes any header of any bytes. */
const REPAIRED = 0.1;
/** Data blocks of a zone whose parity is looked at. */
const BLOCKS_TRIED = 4;
/** A region that ends before or behind the image must explain more than one that ends with it. */
const OTHER_END = 0.25;

/**
 * @param given sizes that are known; they are kept
 * @returns undefined when no zone header is found in the image
 */
export function detectRam(storage: Storage, given: GivenSizes, endian?: Abi['endian']): DetectedRam | undefined {
  const marks = findRamMarks(storage, endian);
  if (marks.plain.size + marks.ftrace.size === 0) return undefined;
  // A damaged header tells where a zone begins as well as any other.
  const ftrace = [...marks.ftrace, ...marks.damagedFtrace].sort(([a], [b]) => a - b);
  const all = { ...marks, plain: new Set([...marks.plain, ...marks.damaged]), ftrace: new Map(ftrace) };
  const search = new Search(inMemory(storage), all, given);
  return search.result();
}

function inMemory(storage: Storage): Storage {
  if (storage.size > IN_MEMORY) return storage;
  return new MemoryStorage(readRange(storage, 0, storage.size), { path: storage.path, writable: false });
}

/** How well a geometry that was given explains an image. */
export interface Fit {
  /** As DetectedRam.misfit. */
  readonly misfit: number;
  /** Headers in the image, and how many of them stand where the geometry has a zone. */
  readonly marks: number;
  readonly explained: number;
  /** Parity bytes of a block with which the zones' headers agree, whatever the geometry says of it; 0 without any. */
  readonly parity: number;
}

/** @param marks of findRamMarks, in the byte order in which the geometry is to be looked at */
export function fitOf(storage: Storage, geometry: RamGeometry, marks: RamMarks): Fit {
  const judge = new Judge(storage, marks);
  const seen = judge.zones(geometry);
  const all = marks.plain.size + marks.ftrace.size;
  const explained = seen.explained(marks);
  return {
    misfit: seen.misfit + all - explained,
    marks: all,
    explained,
    parity: judge.parities(geometry)[0]!,
  };
}

type FtraceChoice = Pick<RamSizes, 'ftraceSize' | 'cpus'>;

interface Candidate {
  readonly sizes: RamSizes;
  /** As far as the places of headers tell. */
  readonly misfit: number;
}

interface Judged {
  readonly sizes: RamSizes;
  readonly geometry: RamGeometry;
  readonly misfit: number;
  readonly fitting: number;
  /** Between equals the lower one is likelier. */
  readonly unlikely: number;
}

class Search {
  readonly #storage: Storage;
  readonly #marks: RamMarks;
  readonly #given: GivenSizes;
  readonly #judge: Judge;
  /** All marks, ascending. */
  readonly #offsets: readonly number[];
  readonly #plain: readonly number[];
  #kept: Candidate[] = [];
  #worstKept = Number.POSITIVE_INFINITY;
  #best = Number.POSITIVE_INFINITY;
  #steps = 0;

  constructor(storage: Storage, marks: RamMarks, given: GivenSizes) {
    this.#storage = storage;
    this.#marks = marks;
    this.#given = given;
    this.#judge = new Judge(storage, marks);
    this.#plain = [...marks.plain].sort((a, b) => a - b);
    this.#offsets = [...marks.plain, ...marks.ftrace.keys()].sort((a, b) => a - b);
  }

  result(): DetectedRam | undefined {
    const size = this.#given.memSize ?? this.#storage.size;
    this.#collect(size, 0, this.#ftraceChoices(size, true));
    if (this.#best >= PROOF && this.#marks.ftrace.size > 0) this.#collect(size, 0, this.#ftraceChoices(size, false));
    let judged = this.#judgeKept();
    if ((judged[0]?.misfit ?? PROOF) >= PROOF && this.#given.memSize === undefined) {
      for (const other of otherEnds(this.#storage.size, this.#offsets.at(-1)!)) {
        this.#collect(other, OTHER_END, this.#ftraceChoices(other, true));
      }
      judged = this.#judgeKept();
    }
    const best = judged[0];
    if (!best) return undefined;
    const rivals = judged.filter((other) => other.misfit < best.misfit + PROOF);
    return {
      sizes: best.sizes,
      endian: this.#marks.endian,
      confidence: this.#confidence(best, rivals),
      certain: certainKinds(best, rivals),
      misfit: best.misfit,
      fitting: best.fitting,
    };
  }

  /** The geometries that were kept, best first. */
  #judgeKept(): Judged[] {
    const judge = (candidates: readonly Candidate[]) =>
      candidates
        .flatMap(({ sizes }) => this.#parities(sizes).map((ecc) => this.#look({ ...sizes, ecc })))
        .filter((seen) => seen !== undefined);
    const inOrder = (judged: Judged[]) => judged.sort((a, b) => a.misfit - b.misfit || a.unlikely - b.unlikely);
    const isFirst = ({ misfit }: Candidate) => misfit < this.#best + PROOF;
    const first = inOrder(judge(this.#kept.filter(isFirst)));
    // Where a geometry explains everything, no other one can that lacks a header somewhere.
    if (first[0] && first[0].misfit < PROOF / 2) return first;
    return inOrder([...first, ...judge(this.#kept.filter((candidate) => !isFirst(candidate)))]);
  }

  // ── by the places of headers ──

  /** Goes through the geometries that a region of this size can have, and keeps those that explain the headers best. */
  #collect(memSize: number, handicap: number, ftraceChoices: readonly FtraceChoice[]): void {
    const sizes = powersOfTwo(memSize);
    const { consoleSize, pmsgSize, recordSize, ttySize = 0 } = this.#given;
    const choices = (value: number | undefined) => (value === undefined ? sizes : [roundDownToPowerOfTwo(value)]);
    for (const ftrace of ftraceChoices) {
      for (const order of this.#orders(ftrace.ftraceSize > 0, ttySize > 0)) {
        for (const console of choices(consoleSize)) {
          for (const pmsg of choices(pmsgSize)) {
            const room = memSize - console - pmsg - ttySize - ftrace.ftraceSize;
            if (room < 0) continue;
            for (const record of choices(recordSize)) {
              if (this.#steps > MOST_STEPS) return;
              this.#consider(
                {
                  ...NO_RAM_ZONES,
                  ...ftrace,
                  memSize,
                  recordSize: record,
                  consoleSize: console,
                  pmsgSize: pmsg,
                  ttySize: roundDownToPowerOfTwo(ttySize),
                  order,
                },
                room,
                handicap,
              );
            }
          }
        }
      }
    }
  }

  #orders(ftrace: boolean, tty: boolean): readonly RamOrder[] {
    if (tty) return ['pmsg-ftrace'];
    if (this.#given.order !== undefined) return [this.#given.order];
    return ftrace ? RAM_ORDERS : ['ftrace-pmsg'];
  }

  /**
   * Sizes and counts of ftrace zones that the distances between their headers allow.
   * @param all whether every header of an ftrace zone is to be one of them; else some may be remains of other times
   */
  #ftraceChoices(memSize: number, all: boolean): FtraceChoice[] {
    const { ftraceSize, cpus } = this.#given;
    const own = ftraceSize === undefined ? powersOfTwo(memSize) : [roundDownToPowerOfTwo(ftraceSize)];
    const count = this.#marks.ftrace.size;
    const choices = new Map<string, FtraceChoice>();
    const add = (size: number, parts: number) => {
      if (parts < 1 || (cpus !== undefined && parts !== cpus)) return;
      if (size > 0 && ftraceZoneSize(size, parts) <= RAM_HEADER_SIZE) return;
      choices.set(`${size}/${parts}`, { ftraceSize: size, cpus: parts });
    };
    if (count === 0) add(ftraceSize === undefined ? 0 : own[0]!, cpus ?? 1);
    else if (own.includes(0) && (!all || ftraceSize !== undefined)) add(0, cpus ?? 1);
    for (const size of count > 0 ? own.filter((one) => one > 0) : []) {
      if (cpus !== undefined || count === 1 || !all) add(size, cpus ?? 1);
      // The header of another one or two may be damaged.
      if (count === 1) for (const parts of [2, 3]) add(size, parts);
      for (const distance of smallestDistances([...this.#marks.ftrace.keys()])) {
        // One or two headers may be damaged; where not all headers need to be explained, a few may be remains.
        const most = Math.min(Math.floor(size / distance), count + 2);
        for (let parts = Math.max(1, all ? count : most - MOST_REMAINS); parts <= most; parts++) {
          if (ftraceZoneSize(size, parts) === distance) add(size, parts);
        }
      }
    }
    return [...choices.values()];
  }

  #consider(sizes: RamSizes, room: number, handicap: number): void {
    const dmesg = dmesgZones(room, sizes.recordSize);
    if (sizes.recordSize > 0 && dmesg.count === 0 && room > 0) return;
    if (sizes.recordSize > 0 && dmesg.zoneSize <= RAM_HEADER_SIZE) return;
    this.#steps++;
    const marks = this.#offsets.length;
    const tail = this.#tail(sizes, dmesg.count * dmesg.zoneSize);
    const zones = Math.min(dmesg.count, Math.ceil(this.#storage.size / (dmesg.zoneSize || 1))) + tail.zones;
    // With each header at its place the misfit is smallest: no need to count when even that is too much.
    const least = Math.max(0, zones + marks - 2 * Math.min(marks, zones)) + handicap;
    if (least > this.#best + PROOF || least >= this.#worstKept) return;
    const matched = tail.matched + this.#matchedDmesg(dmesg.count, dmesg.zoneSize);
    const misfit = zones + marks - 2 * matched + handicap;
    if (misfit > this.#best + PROOF || misfit >= this.#worstKept || matched === 0) return;
    this.#best = Math.min(this.#best, misfit);
    this.#kept.push({ sizes, misfit });
    if (this.#kept.length >= 2 * MOST_KEPT) this.#prune();
  }

  #prune(): void {
    this.#kept = this.#kept
      .filter(({ misfit }) => misfit <= this.#best + PROOF)
      .sort((a, b) => a.misfit - b.misfit)
      .slice(0, MOST_KEPT);
    if (this.#kept.length === MOST_KEPT) this.#worstKept = this.#kept.at(-1)!.misfit;
  }

  #matchedDmesg(count: number, zoneSize: number): number {
    const { plain } = this.#marks;
    if (count === 0) return 0;
    // A region of many zones whose first ones are all missing is none.
    if (count > 3 && !plain.has(zoneSize) && !plain.has(2 * zoneSize) && !plain.has(3 * zoneSize)) {
      return plain.has(0) ? 1 : 0;
    }
    let matched = 0;
    if (count <= this.#plain.length) {
      this.#steps += count;
      for (let i = 0; i < count; i++) if (plain.has(i * zoneSize)) matched++;
    } else {
      this.#steps += this.#plain.length;
      for (const offset of this.#plain) if (offset % zoneSize === 0 && offset / zoneSize < count) matched++;
    }
    return matched;
  }

  /** The zones behind dmesg: how many begin in the image, and how many of them where a header stands. */
  #tail(sizes: RamSizes, from: number): { zones: number; matched: number } {
    const { plain, ftrace } = this.#marks;
    let [zones, matched, at] = [0, 0, from];
    const place = (size: number, marks: { has(offset: number): boolean }) => {
      if (size === 0) return;
      if (at + RAM_HEADER_SIZE <= this.#storage.size) zones++;
      if (marks.has(at)) matched++;
      at += size;
    };
    const perCpu = () => {
      const size = sizes.ftraceSize > 0 ? ftraceZoneSize(sizes.ftraceSize, sizes.cpus) : 0;
      if (size > 0) this.#steps += sizes.cpus;
      for (let cpu = 0; size > 0 && cpu < sizes.cpus; cpu++) place(size, ftrace);
    };
    place(sizes.consoleSize, plain);
    if (sizes.order === 'ftrace-pmsg') perCpu();
    place(sizes.pmsgSize, plain);
    place(sizes.ttySize, plain);
    if (sizes.order === 'pmsg-ftrace') perCpu();
    return { zones, matched };
  }

  // ── by what the zones hold ──

  /** ECC sizes with which the parity at the zones' ends agrees with their headers; 0 without any. */
  #parities(sizes: RamSizes): number[] {
    if (this.#given.ecc !== undefined) return [this.#given.ecc];
    const zones = this.#geometry({ ...sizes, ecc: 0 });
    if (!zones) return [];
    return this.#judge.parities(zones);
  }

  #geometry(sizes: RamSizes): RamGeometry | undefined {
    try {
      return layOutRam(sizes, this.#storage.path);
    } catch {
      return undefined;
    }
  }

  #look(sizes: RamSizes): Judged | undefined {
    const geometry = this.#geometry(sizes);
    if (!geometry) return undefined;
    const seen = this.#judge.zones(geometry);
    const unexplained = this.#offsets.length - seen.explained(this.#marks);
    const handicap = sizes.memSize === (this.#given.memSize ?? this.#storage.size) ? 0 : OTHER_END;
    const last = geometry.runs.at(-1);
    const rest = last ? sizes.memSize - last.offset - last.count * last.zoneSize : sizes.memSize;
    return {
      sizes,
      geometry,
      misfit: seen.misfit + unexplained + handicap,
      fitting: seen.fitting,
      unlikely:
        seen.unlikely +
        (handicap > 0 && roundDownToPowerOfTwo(sizes.memSize) !== sizes.memSize ? 0.1 : 0) +
        geometry.runs.length * 0.01 +
        (rest / sizes.memSize) * 0.001,
    };
  }

  #confidence(best: Judged, rivals: readonly Judged[]): Record<keyof RamSizes, number> {
    const one = (key: keyof RamSizes): number => {
      if (this.#given[key] !== undefined) return 1;
      const values = new Set(rivals.map((rival) => rival.sizes[key]));
      return values.size === 1 ? 1 : 1 / values.size;
    };
    const keys = Object.keys(best.sizes) as (keyof RamSizes)[];
    return Object.fromEntries(keys.map((key) => [key, one(key)])) as Record<keyof RamSizes, number>;
  }
}

function certainKinds(best: Judged, rivals: readonly Judged[]): Set<FrontEnd> {
  const place = ({ geometry }: Judged, type: FrontEnd) => {
    const run = geometry.runs.find((one) => one.type === type);
    return run ? `${run.offset} ${run.count} ${run.zoneSize} ${geometry.ecc}` : '';
  };
  const kinds = best.geometry.runs.map((run) => run.type);
  return new Set(kinds.filter((type) => rivals.every((rival) => place(rival, type) === place(best, type))));
}

/** 0 and the powers of two that a zone of a region can have. */
function powersOfTwo(memSize: number): number[] {
  const sizes = [0];
  for (let size = LEAST_ZONE; size <= memSize; size *= 2) sizes.push(size);
  return sizes;
}

/** Region sizes that an image which was cut or padded may come from: powers of two, three times one, round ones. */
function otherEnds(size: number, lastMark: number): number[] {
  const ends = new Set<number>();
  const next = 2 * roundDownToPowerOfTwo(size);
  for (const end of [next / 2, (next / 4) * 3, next, (next / 2) * 3, next * 2]) ends.add(end);
  for (const round of [1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20]) ends.add(Math.ceil(size / round) * round);
  return [...ends].filter((end) => end !== size && end > lastMark);
}

/** A few of the smallest distances between neighbours. */
function smallestDistances(offsets: readonly number[]): number[] {
  const distances = new Set<number>();
  for (let i = 1; i < offsets.length; i++) distances.add(offsets[i]! - offsets[i - 1]!);
  return [...distances].sort((a, b) => a - b).slice(0, 4);
}

interface Seen {
  readonly misfit: number;
  readonly fitting: number;
  readonly unlikely: number;
  /** How many marks are headers of these zones. */
  explained(marks: RamMarks): number;
}

/** What one zone says, in a geometry that has it. */
interface ZoneVerdict {
  readonly misfit: number;
  readonly unlikely: number;
}

/** Looks at zones of geometries, each once. */
class Judge {
  readonly #storage: Storage;
  readonly #endian: Abi['endian'];
  readonly #damaged: ReadonlySet<number>;
  readonly #verdicts = new Map<string, ZoneVerdict>();
  /** For each header the parity sizes whose bytes stand in front of an end. */
  readonly #parities = new Map<string, readonly number[]>();

  constructor(storage: Storage, { endian, damaged, damagedFtrace }: RamMarks) {
    this.#storage = storage;
    this.#endian = endian;
    this.#damaged = new Set([...damaged, ...damagedFtrace.keys()]);
  }

  zones(geometry: RamGeometry): Seen {
    let [misfit, fitting, unlikely, looked] = [0, 0, 0, 0];
    for (const zone of ramZones(geometry)) {
      if (zone.offset + RAM_HEADER_SIZE > this.#storage.size || looked++ >= MOST_ZONES) break;
      const key = `${zone.offset} ${zone.size} ${zone.ecc} ${zone.type}`;
      let verdict = this.#verdicts.get(key);
      if (!verdict) {
        verdict = this.#verdict(new PersistentRamZone(this.#storage, zone, this.#endian));
        this.#verdicts.set(key, verdict);
      }
      misfit += verdict.misfit;
      unlikely += verdict.unlikely;
      if (verdict.misfit < PROOF) fitting++;
    }
    return { misfit, fitting, unlikely, explained: (marks) => explainedMarks(geometry, marks) };
  }

  #verdict(zone: PersistentRamZone): ZoneVerdict {
    const header = zone.header();
    const { type } = zone.zone;
    const cut = header.state === 'truncated' && header.start <= header.size;
    if (header.state !== 'live' && header.state !== 'empty' && !cut) {
      return { misfit: this.#damaged.has(zone.zone.offset) ? DAMAGED : 1, unlikely: 0 };
    }
    if (type === 'ftrace') return { misfit: header.ecc.lost * TRACED_PARITY, unlikely: 0 };
    const unlikely = Math.min(1, header.ecc.corrected * REPAIRED);
    if (header.size === 0) return { misfit: header.ecc.lost, unlikely };
    const parity = header.ecc.lost + (cut ? 0 : this.#foreignParity(zone.zone, header.size));
    const beginning = oldest(zone, header);
    if (type === 'dmesg') {
      // Two blocks hold the line: no need to repair the rest of a zone to see whether it is there.
      const repaired = () => zone.data({ sig: header.sig, start: 0, size: Math.min(header.size, 2 * ECC_BLOCK) }).bytes;
      const isDump = readDumpLine(beginning) ?? (zone.zone.ecc > 0 && !cut && readDumpLine(repaired()));
      return { misfit: parity + (isDump ? 0 : 1), unlikely };
    }
    const isDump = /^====[0-9]+\.[0-9]{6}(-[CD])?\n/.test(String.fromCharCode(...beginning.subarray(0, 64)));
    // A ring that has wrapped begins within a line.
    const text = beginning.subarray(header.start < header.size ? beginning.indexOf(NEWLINE) + 1 : 0);
    const misplaced = type === 'console' ? !looksLikeConsole(text) : looksLikeConsole(text);
    return { misfit: parity + (isDump ? 1 : 0), unlikely: unlikely + (misplaced ? 1 : 0) };
  }

  /** The share of a live zone's blocks, by a few of them, that are wrong by the parity that belongs to them. */
  #foreignParity({ offset, layout, ecc }: RamZone, size: number): number {
    if (ecc === 0) return 0;
    const codec = reedSolomon(ecc);
    const blocks = Math.ceil(size / ECC_BLOCK);
    const tried = Math.min(blocks, BLOCKS_TRIED);
    let wrong = 0;
    for (let i = 0; i < tried; i++) {
      const block = Math.floor((i * blocks) / tried);
      const from = block * ECC_BLOCK;
      const length = Math.min(ECC_BLOCK, layout.area - from);
      const parity = readRange(this.#storage, offset + layout.blockParity + block * ecc, ecc);
      const data = readRange(this.#storage, offset + RAM_HEADER_SIZE + from, length);
      if (codec.encode(data).some((byte, at) => byte !== parity[at])) wrong++;
    }
    return wrong / tried;
  }

  /** Parity sizes that most of a geometry's zones confirm, else those that any does and 0. */
  parities(geometry: RamGeometry): number[] {
    const votes = new Map<number, number>();
    let zones = 0;
    const onlyFtrace = geometry.runs.every((run) => run.type === 'ftrace');
    for (const zone of ramZones(geometry)) {
      if (zones >= 64 || zone.offset + zone.size > this.#storage.size) break;
      if (zone.type === 'ftrace' && !onlyFtrace) continue;
      zones++;
      for (const ecc of this.#paritiesBefore(zone.offset, zone.offset + zone.size)) {
        votes.set(ecc, (votes.get(ecc) ?? 0) + 1);
      }
    }
    const inOrder = [...votes].sort((a, b) => b[1] - a[1]);
    const likely = inOrder.filter(([, count]) => count * 3 >= zones);
    // Where most headers are damaged, a few votes are left: what the zones hold decides.
    const tried = likely.length > 0 ? likely : [...inOrder.slice(0, 1), [0, 0] as const];
    return tried.slice(0, 2).map(([ecc]) => ecc);
  }

  #paritiesBefore(offset: number, end: number): readonly number[] {
    const key = `${offset} ${end}`;
    let found = this.#parities.get(key);
    if (!found) {
      found = zoneParities(this.#storage, offset, end, this.#endian);
      this.#parities.set(key, found);
    }
    return found;
  }
}

/**
 * Sizes of parity with which the bytes in front of a zone's end agree with its header. Nothing else leaves such bytes.
 * @param offset of the zone's header
 */
export function zoneParities(storage: Storage, offset: number, end: number, endian: Abi['endian']): number[] {
  const header = readRange(storage, offset, RAM_HEADER_SIZE);
  // A header of zeros agrees with any parity of zeros.
  return isSigned(header, endian) ? matchingParities(header, readRange(storage, end - MOST_PARITY, MOST_PARITY)) : [];
}

function isSigned(bytes: Uint8Array, endian: Abi['endian']): boolean {
  if (bytes.length < RAM_HEADER_SIZE) return false;
  const { sig } = readRamHeader(bytes, endian);
  return sig === RAM_SIGNATURE || ftraceVersionCode(sig) !== undefined;
}

/** One byte of parity is no proof of anything, and no use to anybody. */
const LEAST_PARITY = 2;

/** @param tail the bytes in front of the zone's end */
function matchingParities(header: Uint8Array, tail: Uint8Array): number[] {
  const found: number[] = [];
  // All bytes of a codeword together are 0, because 1 is a root: only then is a closer look worth it.
  let sum = header.reduce((all, byte) => all ^ byte, 0);
  for (let ecc = 1; ecc <= tail.length; ecc++) {
    const from = tail.length - ecc;
    sum ^= tail[from]!;
    if (sum === 0 && ecc >= LEAST_PARITY && isCodeword(header, tail.subarray(from))) found.push(ecc);
  }
  return found;
}

function explainedMarks(geometry: RamGeometry, marks: RamMarks): number {
  let explained = 0;
  for (const run of geometry.runs) {
    if (run.type === 'ftrace') {
      for (const offset of marks.ftrace.keys()) if (isInRun(run, offset)) explained++;
    } else if (run.count === 1) {
      if (marks.plain.has(run.offset)) explained++;
    } else {
      for (const offset of marks.plain) if (isInRun(run, offset)) explained++;
    }
  }
  return explained;
}

function isInRun(run: { offset: number; count: number; zoneSize: number }, offset: number): boolean {
  const at = offset - run.offset;
  return at >= 0 && at % run.zoneSize === 0 && at / run.zoneSize < run.count;
}

const NEWLINE = 10;

/** Up to 4096 of a zone's oldest bytes, on both sides of the ring's end, not repaired. */
function oldest(zone: PersistentRamZone, header: RamHeader): Uint8Array {
  const parts = zone
    .extents(header)
    .map(({ storage, offset, length }) => readRange(storage, offset, Math.min(length, 4096)));
  return Uint8Array.from(parts.flatMap((part) => [...part])).subarray(0, 4096);
}

/** Whether most lines begin as the kernel's console prints them: `[    1.234567]` or `<6>[`. */
export function looksLikeConsole(text: Uint8Array): boolean {
  const lines = String.fromCharCode(...text.subarray(0, 4096))
    .split('\n')
    .filter((line) => line.length > 0);
  const own = lines.filter((line) => /^(<[0-9]+>)?\[ *[0-9]+\.[0-9]{6}\]|^<[0-9]+>\[/.test(line)).length;
  return lines.length > 0 && own * 2 > lines.length;
}
