// What the zones of a geometry hold, and how much of it speaks against the geometry.

import { readRange, type Storage } from '../storage/storage.js';
import { type Content, contentOf, dumpVerdict, isPrinted } from './contents.js';
import { isBlankHeader, RAM_HEADER_SIZE, type RamHeader, readDumpLine, readRamHeader } from './format.js';
import { ECC_BLOCK, type RamGeometry, type RamZone, ramZones, roundDownToPowerOfTwo } from './geometry.js';
import type { RamMarks } from './marks.js';
import { Parity } from './parity.js';
import { ParityEnds } from './parity-ends.js';
import { BLANK, DAMAGED_LENGTHS, OVERTOP, OVERWRITTEN, Places, WITHOUT_LINE } from './places.js';
import { reedSolomon } from './reed-solomon.js';
import { tooSmallCost } from './text-lengths.js';
import { isPassedOver, type Turn } from './turns.js';
import { PersistentRamZone } from './zone.js';

/** A ring that says to have come round, but is not full; no kernel leaves one. */
const HALF_ROUND = 4;
/** A pmsg zone after a console that holds a console's lines, too: one dialect has a second console there. */
const CONSOLE_IN_PMSG = 1.5;
/** And how unlikely that is where another geometry has no such zone. */
const CONSOLE_TWICE = 3;
/** A dump whose line ECC cannot repair. */
const LOST_LINE = 1;
/** Parity that is not that of the data: the rule, the size or the place of a zone is another. */
const FOREIGN_PARITY = 3;
/** A dump of which neither header nor data have the parity that they would have: an earlier boot's, with other sizes. */
const OLD_DUMP = 1;
const MAX_OLD_DUMPS = 2;
/** Empty dump zones that an earlier boot has signed, with another layout: a kernel leaves them as they are. */
const OLD_EMPTY = 0.3;
const MAX_OLD_EMPTY = 2;
/** The only header in a console stands just where a second one of half the size would begin: MediaTek's has two. */
const HALF_CONSOLE = 1.2;
/** Headers after a region's end: other sizes of zones are likelier than another size of the region. */
const STRAY_AFTER_END = 2;
/** Zones of ftrace that another kernel has signed: each kernel signs all of its own at boot. */
const OTHER_KERNEL = 3;
/** A zone that a kernel would have written to before a later one, unless its clock was wrong: less than any stray. */
const PASSED_OVER = 2;
/** A dump outside all zones that is newer than those inside: the zones are those of an earlier boot. */
const NEWER_STRAY = 2.5;
/** An ftrace zone whose parity is wrong: a kernel that traces the function that writes it leaves it so. */
const TRACED_PARITY = 0.01;
/** How unlikely each byte of a header is that ECC repairs: much parity makes any header of any bytes. */
const REPAIRED = 0.1;
/** A header that is sound as it stands, but that ECC makes another of: a kernel with other parity has written it since. */
const REWRITTEN = 3;
const FEW_REPAIRED = 2;
/** More bytes than a record of ftrace has. */
const MAX_RECORD = 64;
/** A zone whose header cannot be read: a tale with fewer of them is likelier. */
const UNREADABLE = 0.2;
/** Data blocks of a zone whose parity is looked at. */
const BLOCKS_TRIED = 4;
/** Zones of one geometry that are looked at closely. */
const MAX_ZONES = 2048;

/** How well a geometry explains a region. */
export interface Fit {
  /** How much speaks against it: see places.ts, and above. */
  readonly misfit: number;
  /** The part of it that is of zones where nothing was ever written. */
  readonly blank: number;
  /** The part of it that speaks for consoles of half the size; where sizes are given, there are none. */
  readonly halved: number;
  /** How unlikely it is besides, though a kernel may leave it so. */
  readonly unlikely: number;
  /** Zones of which nothing speaks against. */
  readonly fitting: number;
  /** Headers in the region, how many of them stand where the geometry has a zone, and the others. */
  readonly marks: number;
  readonly explained: number;
  readonly strays: readonly number[];
  /**
   * Whether a pmsg zone holds a console's lines although there is a console, a boot log those or a dump, or the second
   * console something although the first one holds nothing, or a header is not the one that ECC makes of it: the sizes
   * may be those of another boot.
   * Or so much speaks against its zones that another boot may have written into them.
   */
  readonly isStrange: boolean;
  /** Whether the first zone holds something, and its header has the parity that this geometry's kernel would have given it. */
  readonly isFirstProven: boolean;
  /** Whether the first header has this geometry's parity, though it may say that nothing is there. */
  readonly isFirstSigned: boolean;
}

interface ZoneVerdict extends Content {
  /** Whether its header has the right parity, and whether it is a ring that holds something, besides. */
  readonly isSigned?: boolean;
  readonly isProven?: boolean;
  /** Whether it is an empty dump zone with the parity of other sizes. */
  readonly isOldEmpty?: boolean;
  /** How much speaks against it as a dump of an earlier boot, which many may be for one reason. */
  readonly oldDump?: number;
  /** Whether ECC makes another header of one that is sound. */
  readonly isRewritten?: boolean;
}

/** Looks at zones of geometries, each once. Places are those in the storage, which begins where the region does. */
export class Evidence {
  readonly storage: Storage;
  readonly marks: RamMarks;
  readonly places: Places;
  readonly parity: Parity;
  readonly #verdicts = new Map<string, ZoneVerdict>();
  /** What the oldest bytes of rings and dumps say, by their place and header: many zones of geometries share them. */
  readonly #contents = new Map<string, ZoneVerdict>();

  /** @param marks of findRamMarks, in the byte order in which geometries are to be looked at */
  constructor(storage: Storage, marks: RamMarks) {
    this.storage = storage;
    this.marks = marks;
    const header = (offset: number) => readRange(storage, offset, RAM_HEADER_SIZE);
    const ends = new ParityEnds(storage);
    this.places = new Places(marks, {
      headerAt: (offset) => readRamHeader(header(offset), marks.endian),
      isBlank: (offset) => isBlankHeader(header(offset), offset, marks.endian),
      isText: (offset) => header(offset).every(isPrinted),
      isLost: (offset) => this.#isLost(offset, RAM_HEADER_SIZE),
      dumpTime: (offset) => this.#lineAt(offset)?.seconds,
      sizesByParity: (offset, rule) => (this.parity.mayStand ? ends.sizesAt(offset, rule) : []),
    });
    this.parity = new Parity(storage, marks.endian, this.places.offsets);
  }

  #lineAt(offset: number) {
    return readDumpLine(readRange(this.storage, offset + RAM_HEADER_SIZE, 64));
  }

  #isLost(offset: number, length: number): boolean {
    return this.storage.isLost?.(offset, length) ?? false;
  }

  fit(geometry: RamGeometry): Fit {
    let [misfit, blank, fitting, unlikely, looked, oldEmpty, oldDumps, halved] = [0, 0, 0, 0, 0, 0, 0, 0];
    let newest = -1n;
    let [isStrange, isFirstProven, isFirstSigned] = [false, false, false];
    let console: 'none' | 'empty' | 'live' = 'none';
    const begins = new Set<number>();
    const kernels = new Set<number>();
    const turns: Turn[] = [];
    const hasConsole = geometry.consoleSize > 0;
    for (const zone of ramZones(geometry)) {
      if (zone.offset + RAM_HEADER_SIZE > this.storage.size || looked++ >= MAX_ZONES) break;
      begins.add(zone.offset);
      const kernel = zone.type === 'ftrace' ? this.marks.ftrace.get(zone.offset) : undefined;
      if (kernel !== undefined) kernels.add(kernel);
      const verdict = this.#verdict(zone);
      misfit += verdict.misfit;
      if (verdict.isOldEmpty) oldEmpty++;
      oldDumps += verdict.oldDump ?? 0;
      if (verdict.isRewritten) isStrange = true;
      if (looked === 1) {
        isFirstProven = verdict.isProven === true;
        isFirstSigned = verdict.isSigned === true;
      }
      if (verdict.misfit === BLANK) blank += BLANK;
      unlikely += verdict.unlikely;
      if (verdict.misfit < 1) fitting++;
      if (zone.type === 'boot-log' && (verdict.misfit > 0 || verdict.isMisplaced)) isStrange = true;
      if (zone.type === 'pmsg' && hasConsole && verdict.isMisplaced) {
        misfit += CONSOLE_IN_PMSG;
        unlikely += CONSOLE_TWICE;
        isStrange = true;
      }
      if (zone.type === 'console') {
        if (geometry.dialect.consoles === 'one' && this.#isHalved(zone)) halved += HALF_CONSOLE;
        const isLive = this.places.isLive(zone.offset);
        if (console === 'empty' && isLive) isStrange = true;
        if (console === 'none') console = isLive ? 'live' : 'empty';
      }
      if ((verdict.time ?? -1n) > newest) newest = verdict.time!;
      if (this.#tellsTurn(zone, verdict)) turns.push({ offset: zone.offset, time: verdict.time });
    }
    const { offsets } = this.places;
    const strays = looked > MAX_ZONES ? [] : offsets.filter((offset) => !begins.has(offset));
    const isOut = isPassedOver(turns, (offset) => this.#lineAt(offset) !== undefined);
    if (misfit >= OVERWRITTEN || isOut) isStrange = true;
    misfit += halved;
    unlikely += isOut ? PASSED_OVER : 0;
    misfit += this.#strayCost(strays, newest) + (kernels.size > 1 ? OTHER_KERNEL : 0);
    misfit += Math.min(MAX_OLD_EMPTY, oldEmpty * OLD_EMPTY) + Math.min(MAX_OLD_DUMPS, oldDumps);
    if (strays.some((offset) => offset >= endOf(geometry))) misfit += STRAY_AFTER_END;
    return {
      misfit,
      blank,
      halved,
      unlikely,
      fitting,
      marks: offsets.length,
      explained: offsets.length - strays.length,
      strays,
      isStrange,
      isFirstProven,
      isFirstSigned,
    };
  }

  #isHalved({ offset, size }: RamZone): boolean {
    const [first, second = size] = this.places.after(offset, 2);
    return first === size / 2 && second >= size && this.marks.plain.has(offset + first);
  }

  /** Whether it is known what a zone for dumps holds, or that it holds nothing. */
  #tellsTurn({ type, offset }: RamZone, { time }: ZoneVerdict): boolean {
    return type === 'dmesg' && (time !== undefined || (this.places.has(type, offset) && !this.places.isLive(offset)));
  }

  #strayCost(strays: readonly number[], newest: bigint): number {
    let [live, isNewer] = [0, false];
    for (const offset of strays) {
      if (!this.places.isLive(offset)) continue;
      live++;
      if ((this.places.timeOf(offset) ?? newest) > newest) isNewer = true;
    }
    return this.places.strayCost(strays.length, live) + (isNewer ? NEWER_STRAY : 0);
  }

  #verdict(zone: RamZone): ZoneVerdict {
    // Without ECC nothing of a zone's layout depends on the rule of parity.
    const parity = zone.ecc > 0 ? `${zone.ecc} ${zone.layout.headerParity} ${zone.layout.area}` : '';
    const key = `${zone.offset} ${zone.size} ${zone.type} ${parity}`;
    let verdict = this.#verdicts.get(key);
    if (!verdict) {
      verdict = this.#look(new PersistentRamZone(this.storage, zone, this.marks.endian));
      this.#verdicts.set(key, verdict);
    }
    return verdict;
  }

  #look(zone: PersistentRamZone): ZoneVerdict {
    const header = zone.header();
    const { type, offset, size } = zone.zone;
    if (this.#isLost(offset, RAM_HEADER_SIZE)) return { misfit: 0, unlikely: UNREADABLE };
    const cut = header.state === 'truncated' && header.start <= header.size;
    if (header.state !== 'live' && header.state !== 'empty' && !cut) {
      const misfit = this.places.costOf(type, offset, size);
      if (misfit > 0) return { misfit, unlikely: 0 };
      // Parity that cannot be read makes another header of a sound one.
      return this.#isLost(offset, size) ? { misfit: 0, unlikely: UNREADABLE } : { misfit: OVERTOP, unlikely: 0 };
    }
    const overwritten = this.places.isOverwritten(offset) ? OVERWRITTEN : 0;
    if (type === 'ftrace') {
      // A kernel that stops while it writes a record has counted its bytes, and not yet moved on.
      const isHalfRound = header.size < zone.zone.layout.area && header.size - header.start > MAX_RECORD;
      const misfit = overwritten + (isHalfRound ? HALF_ROUND : 0) + header.ecc.lost * TRACED_PARITY;
      return { misfit, unlikely: 0 };
    }
    const unlikely = Math.min(1, header.ecc.corrected * REPAIRED);
    // Parity that cannot be read, or that belongs to data that cannot, is no evidence.
    const isHalf = this.#isLost(offset, size);
    const headerLost = isHalf ? 0 : header.ecc.lost;
    const isSigned = zone.zone.ecc > 0 && header.ecc.corrected + header.ecc.lost === 0 && !isHalf;
    const rewritten = this.marks.plain.has(offset) && header.ecc.corrected >= FEW_REPAIRED ? REWRITTEN : 0;
    if (header.size === 0) {
      const isOld = type === 'dmesg' && headerLost > 0;
      // A kernel renews the header's parity of each ring at boot: where it stands at another end, the ring ends there.
      const isElsewhere = (cut || headerLost > 0) && this.#endsElsewhere(zone.zone);
      const lost = isElsewhere ? FOREIGN_PARITY : headerLost;
      const misfit = overwritten + rewritten + (isOld ? 0 : lost);
      return { misfit, unlikely, isOldEmpty: isOld, isSigned, isRewritten: rewritten > 0 };
    }
    const isRound = header.size < zone.zone.layout.area && header.start !== header.size;
    const isWrong = cut
      ? Number(this.#endsElsewhere(zone.zone))
      : isHalf
        ? 0
        : this.#foreignParity(zone.zone, header.size);
    const content = type === 'dmesg' ? this.#dump(zone, header, cut) : this.#seen(zone.zone, header);
    // Of a dump zone without a line nobody knows what it holds.
    const isUnknown = type === 'dmesg' && (content.misfit > 0 || isHalf);
    const round = !isRound ? 0 : content.time !== undefined ? DAMAGED_LENGTHS : isUnknown ? 0 : HALF_ROUND;
    // A kernel empties rings at boot, but keeps a dump that an earlier one with other sizes has written.
    const isOld = type === 'dmesg' && headerLost > 0 && content.time !== undefined;
    const parity = headerLost + FOREIGN_PARITY * isWrong;
    const wrong = content.misfit + tooSmallCost(this.storage, zone.zone, header);
    const misfit = overwritten + rewritten + round + (isOld ? 0 : parity) + wrong;
    return {
      ...content,
      misfit,
      unlikely: unlikely + content.unlikely,
      oldDump: isOld ? Math.min(OLD_DUMP, parity) : 0,
      isSigned,
      isProven: isSigned && type !== 'dmesg',
    };
  }

  #dump(zone: PersistentRamZone, header: RamHeader, cut: boolean): ZoneVerdict {
    const seen = this.#seen(zone.zone, header);
    if (seen.misfit === 0 || zone.zone.ecc === 0 || cut) return seen;
    // Two blocks hold the line: no need to repair the rest of a zone to see whether it is there.
    const { bytes, ecc } = zone.data({ sig: header.sig, start: 0, size: Math.min(header.size, 2 * ECC_BLOCK) });
    // Where they are beyond repair, the line was lost with them.
    return (
      dumpVerdict(bytes) ?? (ecc.lost > 0 && seen.misfit === WITHOUT_LINE ? { misfit: LOST_LINE, unlikely: 0 } : seen)
    );
  }

  /** What a live zone holds, by its oldest bytes as they are stored. */
  #seen(zone: RamZone, header: RamHeader): ZoneVerdict {
    const from = zone.offset + zone.layout.data;
    const key = `${from} ${zone.type} ${header.start} ${header.size}`;
    let verdict = this.#contents.get(key);
    if (!verdict) {
      const isUnread = zone.type === 'dmesg' && this.#isLost(from, 2 * ECC_BLOCK);
      verdict = contentOf(this.storage, zone.type, from, header);
      if (verdict.misfit === WITHOUT_LINE && isUnread) verdict = { misfit: 0, unlikely: 0 };
      this.#contents.set(key, verdict);
    }
    return verdict;
  }

  /** Whether the parity of a zone's header stands at another end, which is in the image. */
  #endsElsewhere({ offset, ecc }: RamZone): boolean {
    return ecc > 0 && this.places.sizesByParity(offset, 'data-and-parity').length > 0;
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
      const parity = readRange(this.storage, offset + layout.blockParity + block * ecc, ecc);
      const data = readRange(this.storage, offset + layout.data + from, length);
      if (codec.encode(data).some((byte, at) => byte !== parity[at])) wrong++;
    }
    return wrong / tried;
  }
}

function endOf({ base, memSize, dialect }: RamGeometry): number {
  return base + (dialect.roundsRegion ? roundDownToPowerOfTwo(memSize) : memSize);
}
