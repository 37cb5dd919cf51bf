// The geometry that an image is opened with: what was given is obeyed, as the image's dialect obeys it; what was not is
// found, or taken from what the kernel itself says in its log; what does not fit is said.

import { PstoreError } from '../errors.js';
import type { Abi } from '../pstore/abi.js';
import { inUnits } from '../pstore/geometry.js';
import type { OpenContext } from '../pstore/kind.js';
import type { Storage } from '../storage/storage.js';
import { DIALECTS, type RamDialect } from './dialects.js';
import type { Evidence, Fit } from './evidence.js';
import {
  layOutRam,
  NO_RAM_ZONES,
  type RamGeometry,
  type RamKind,
  type RamSizes,
  roundDownToPowerOfTwo,
} from './geometry.js';
import { textGeometry } from './headerless.js';
import { GEOMETRY_KEYS, isTold, keyText, NAMES, type Name, SIZE_NAMES } from './keys.js';
import { BLANK } from './places.js';
import { detectionOf, type Located, locate, type Scanned } from './region.js';
import type { GivenSizes } from './region-sizes.js';
import { sramGeometry } from './sram.js';
import type { ToldRegion } from './told.js';

export interface Found {
  readonly geometry: RamGeometry;
  readonly endian: Abi['endian'];
  readonly confidence: Readonly<Record<Name, number>>;
  readonly certain: ReadonlySet<RamKind>;
  /** How the sizes that were not given were found, for `info`. */
  readonly how: string;
}

/** What finding a geometry needs to know, and where it says what is doubtful. */
export type GeometryContext = Pick<OpenContext, 'path' | 'storage' | 'keys' | 'warnings'>;

/** What is wanted of a geometry. */
export interface Wanted {
  readonly given: GivenSizes;
  readonly dialects: readonly RamDialect[];
  /** Where the region begins, when that is known. */
  readonly base: number | undefined;
  /** What a command line or device tree says. */
  readonly told: ToldRegion | undefined;
}

const GOOD = 1;
/** More than a zone without a header, less than two. */
const ODD_CPUS = 5;
/** What zones that were never written cost at most when dialects are compared: two of them. */
const MAX_BLANK = 2 * BLANK;
const ALL_KINDS: readonly RamKind[] = ['dmesg', 'console', 'ftrace', 'pmsg', 'tty', 'boot-log'];
const CERTAIN = Object.fromEntries(NAMES.map((name) => [name, 1])) as Record<Name, number>;
const BY_HEADERS = 'by the headers of zones';
export const AS_GIVEN = 'as given';

/** @throws PstoreError EBADMSG where nothing is found and nothing given; EINVAL for impossible sizes, or with strict */
export function findGeometry(context: GeometryContext, scanned: Scanned, wanted: Wanted): Found {
  const { storage, path, warnings } = context;
  const { given, dialects } = wanted;
  if (given.memSize !== undefined && given.memSize > storage.size) {
    const what = `${path} has ${storage.size} bytes of a region of ${given.memSize}`;
    warnings.add('zone-truncated', `${what}: the zones at its end are cut off`, storage.size);
  }
  const other = unusual(storage, scanned, wanted);
  if (other) {
    if (other.isMixed) warnOfGuess(other, warnings, path);
    return other;
  }
  const matching = { ...wanted, dialects: dialects.filter(({ frame }) => frame === 'header') };
  const whole = asGiven(storage, scanned, matching, path);
  if (whole && whole.fit.misfit < GOOD && whole.parity === given.ecc) return rounded(whole.found, given, context);
  const bound = locateBound(storage, scanned, matching);
  const fits = bound !== undefined && bound.detected.misfit < GOOD;
  // Sizes that explain all headers from the file's beginning on are of a region that has lost its first one.
  const isWhole = whole !== undefined && whole.fit.explained > 0 && whole.fit.strays.length === 0;
  const isElsewhere = fits && (bound.base > 0 ? !isWhole : given.memSize !== undefined);
  const free = fits ? bound : locate(storage, scanned, unbound(given), matching.dialects, wanted.base);
  if (!free) return rounded(fresh(context, wanted, scanned, whole?.found), given, context);
  const confirmed = Object.keys(given).length === 0 ? confirmedBy(scanned, storage, matching, free) : undefined;
  if (confirmed) return confirmed;
  const found =
    whole && !isElsewhere ? whole.found : bound ? detected(bound, path, given.ecc) : obeyed(given, free, path);
  const isAsGiven = fits && (given.ecc ?? bound.detected.sizes.ecc) === bound.detected.sizes.ecc;
  const sentence = isAsGiven ? undefined : mismatch(free, given, found, detected(free, path));
  if (sentence !== undefined) {
    warnings.add('geometry-mismatch', `${path}: ${sentence}`);
  }
  warnOfGuess(found, warnings, path);
  return rounded(found, given, context);
}

const unbound = ({ memSize }: GivenSizes): GivenSizes => (memSize === undefined ? {} : { memSize });

/** Images whose zones have no headers, or other ones. */
function unusual(
  storage: Storage,
  { isSram, lines, marks }: Scanned,
  wanted: Wanted,
): (Found & { isMixed?: boolean }) | undefined {
  const { given, dialects } = wanted;
  const allows = (name: string) => dialects.some((dialect) => dialect.name === name);
  const certain = { endian: 'little', confidence: CERTAIN, certain: new Set(ALL_KINDS) } as const;
  if (isSram && allows('mediatek-sram') && Object.keys(given).length === 0) {
    const geometry = sramGeometry(storage);
    if (geometry) return { ...certain, geometry, how: 'by the words at its beginning' };
  }
  if (!allows('pre-3.5') || (marks.plain.size + marks.ftrace.size > 0 && dialects.length > 1)) return undefined;
  if (lines.length === 0 && dialects.length > 1) return undefined;
  const found = textGeometry(storage, lines, given, wanted.base);
  if (!found) return undefined;
  const { isMixed } = found;
  const confidence = { ...CERTAIN, recordSize: found.isProven && !isMixed ? 1 : 0.5 };
  const how = given.recordSize === undefined ? 'by the lines of dumps' : AS_GIVEN;
  return { ...certain, geometry: found.geometry, confidence, how, isMixed };
}

/** With the sizes that are given. Parity that was given is not believed where the image proves another one. */
function locateBound(storage: Storage, scanned: Scanned, { given, dialects, base }: Wanted): Located | undefined {
  const { ecc, ...sizes } = given;
  const found = ecc === undefined ? undefined : locate(storage, scanned, sizes, dialects, base);
  const isProven = found && found.detected.misfit < GOOD && found.detected.sizes.ecc !== ecc;
  return isProven ? found : locate(storage, scanned, given, dialects, base);
}

/** What the kernel says in its own log, where that explains the image as well as anything. */
function confirmedBy(scanned: Scanned, storage: Storage, { dialects, base }: Wanted, free: Located): Found | undefined {
  for (const { sizes } of scanned.told.regions()) {
    const found = locate(storage, scanned, sizes, dialects, base ?? (free.base > 0 ? free.base : undefined));
    if (!found || found.detected.misfit > Math.max(free.detected.misfit, GOOD / 2)) continue;
    return { ...detected(found, storage.path), how: `by headers, and ${wordsOf(sizes)} in its own log` };
  }
  return undefined;
}

const wordsOf = (sizes: GivenSizes): string =>
  sizes.memSize === undefined ? 'the parameters' : `mem_size=${inUnits(sizes.memSize)}`;

/** What ramoops_probe makes of a size that is no power of two. */
function rounded(found: Found, given: GivenSizes, { warnings, path }: GeometryContext): Found {
  for (const name of [...SIZE_NAMES, 'ttySize'] as const) {
    const size = given[name] ?? 0;
    const down = roundDownToPowerOfTwo(size);
    if (down === size || !found.geometry.dialect.roundsSizes) continue;
    const what = `${GEOMETRY_KEYS[name]}=${inUnits(size)} is no power of two`;
    warnings.add('geometry-rounded', `${path}: ${what}: ramoops rounds it down to ${inUnits(down)}, as is done here`);
  }
  return found;
}

/** The geometry when all of it is given: no search is needed when it fits. */
function asGiven(
  storage: Storage,
  scanned: Scanned,
  { given, dialects, base = 0 }: Wanted,
  path: string,
): { found: Found; fit: Fit; parity: number } | undefined {
  if (SIZE_NAMES.some((name) => given[name] === undefined) || given.ecc === undefined) return undefined;
  if (given.ftraceSize! > 0 && given.cpus === undefined) return undefined;
  const size = Math.min(storage.size - base, given.memSize ?? storage.size - base);
  const { evidence, endian } = detectionOf(storage, scanned, base, base + size);
  const sizes = { ...NO_RAM_ZONES, memSize: size, ...given };
  const candidates = geometriesOf(sizes, given, dialects, path).map((geometry) => ({
    geometry,
    fit: evidence.fit(geometry),
  }));
  // Several CPUs were hardly given for a kernel that has one ftrace zone for all of them.
  const isOdd = (dialect: RamDialect) => !dialect.perCpu && given.ftraceSize! > 0 && given.cpus! > 1;
  // Boot loaders sign only the zones that they use: how many others there are does not tell one dialect from another.
  const costOf = ({ geometry: { dialect }, fit }: (typeof candidates)[number]) =>
    fit.misfit -
    fit.halved -
    fit.blank +
    Math.min(fit.blank, MAX_BLANK) +
    fit.unlikely +
    dialect.unlikely +
    (isOdd(dialect) ? ODD_CPUS : 0);
  const { geometry, fit } = candidates.reduce((one, other) => (costOf(other) < costOf(one) ? other : one));
  const found = { confidence: CERTAIN, certain: new Set(ALL_KINDS), endian, how: AS_GIVEN };
  const placed = layOutRam(geometry, path, base);
  return { found: { ...found, geometry: placed }, fit, parity: parityOf(evidence, geometry) };
}

const parityOf = (evidence: Evidence, geometry: RamGeometry): number =>
  evidence.parity.sizes(layOutRam({ ...geometry, ecc: 0 }, ''))[0] ?? 0;

/** What each dialect makes of the same sizes. @throws PstoreError EINVAL where none takes them */
function geometriesOf(
  sizes: RamSizes,
  given: GivenSizes,
  dialects: readonly RamDialect[],
  path: string,
): readonly RamGeometry[] {
  const isOpen = given.order === undefined && sizes.ftraceSize > 0 && sizes.pmsgSize > 0 && sizes.ttySize === 0;
  const found: RamGeometry[] = [];
  let failure: unknown;
  for (const dialect of dialects) {
    const { recordSize, pmsgSize, ftraceSize, consoleSize } = sizes;
    const isRing = recordSize + pmsgSize + ftraceSize === 0 && consoleSize > 0;
    if ((dialect.singleRing && !isRing) || (sizes.bootLogSize > 0 && !dialect.bootLog)) continue;
    for (const order of isOpen ? dialect.orders : [sizes.order]) {
      try {
        found.push(layOutRam({ ...sizes, order, dialect }, path));
      } catch (error) {
        failure ??= error;
      }
    }
  }
  if (found.length === 0 && failure !== undefined) throw failure;
  return found.length > 0 ? found : [layOutRam(sizes, path)];
}

/** @param ecc parity that was given, and is obeyed */
function detected({ detected: seen, base }: Located, path: string, ecc = seen.sizes.ecc): Found {
  return { ...seen, geometry: layOutRam({ ...seen.sizes, ecc }, path, base), how: BY_HEADERS };
}

/** Given sizes that no header confirms, and the others as the image has them. */
function obeyed(given: GivenSizes, free: Located, path: string): Found {
  const { sizes, endian } = free.detected;
  const geometry = layOutRam({ ...sizes, ...given }, path, free.base);
  return { geometry, endian, confidence: confidenceOf(given), certain: new Set(), how: AS_GIVEN };
}

function confidenceOf(given: GivenSizes): Record<Name, number> {
  return Object.fromEntries(NAMES.map((name) => [name, given[name] === undefined ? 0 : 1])) as Record<Name, number>;
}

/** A region without any signature: an empty listing when its sizes are given. */
function fresh(context: GeometryContext, wanted: Wanted, { marks }: Scanned, whole: Found | undefined): Found {
  const { storage, path, warnings, keys } = context;
  const { given, dialects } = wanted;
  const sizes = SIZE_NAMES.filter((name) => given[name] !== undefined);
  if (sizes.length === 0) throw nothingFound(path, marks.damaged.size);
  warnings.add('image-fresh', `${path}: no signature of a zone is found in it; it is shown as the sizes say, as empty`);
  const endian = keys.abi()?.endian ?? 'little';
  if (whole) return { ...whole, endian };
  const geometry = layOutRam(
    { ...NO_RAM_ZONES, memSize: storage.size, dialect: dialects[0] ?? DIALECTS[0]!, ...given },
    path,
  );
  const all = sizes.length === SIZE_NAMES.length;
  return { geometry, endian, confidence: confidenceOf(given), certain: new Set(all ? ALL_KINDS : []), how: AS_GIVEN };
}

function nothingFound(path: string, damaged: number): PstoreError {
  const sizes = 'record_size=, console_size=, ftrace_size=, pmsg_size= and ecc=';
  const headers = damaged === 1 ? '1 header of a ramoops zone stands' : `${damaged} headers of ramoops zones stand`;
  const what =
    damaged > 0
      ? `${headers} in it, but with lengths that are overwritten and larger than any zone: a ` +
        `kernel says "found existing invalid buffer", shows nothing of them and begins afresh; give ${sizes} as the ` +
        'kernel had them, and salvage, to see what is left'
      : `no signature of a ramoops zone is found in it; if it is a fresh region, give ${sizes} as the kernel had them`;
  return new PstoreError('EBADMSG', `${path}: ${what}`, { path });
}

/**
 * What fits the image, and what was given and does not. Zones that are damaged are no mismatch: headers that stand where
 * no zone is, or many zones without one, or parity of another size are.
 */
function mismatch(free: Located, given: GivenSizes, found: Found, better: Found): string | undefined {
  const { evidence } = free.detection;
  const relative = (geometry: RamGeometry) => layOutRam(geometry, '', geometry.base - free.base);
  const [now, best] = [found, better].map(({ geometry }) => evidence.fit(relative(geometry)));
  const names = NAMES.filter((name) => {
    const differs = given[name] !== undefined && found.geometry[name] !== better.geometry[name];
    return differs && (isTold(name, found.geometry) || isTold(name, better.geometry));
  });
  const words = (sizes: RamSizes) => names.map((name) => keyText(name, sizes)).join(',');
  if (names.length === 1 && names[0] === 'ecc' && parityOf(evidence, relative(found.geometry)) !== found.geometry.ecc) {
    return `the parity in this image is that of ${words(better.geometry)}, not of ${words(found.geometry)}`;
  }
  const zones = zonesOf(found);
  const elsewhere = now!.explained < best!.explained && best!.misfit + 1 <= now!.misfit;
  const tooMany = best!.misfit < GOOD && zones - now!.explained >= Math.max(2, zones / 4);
  if (names.length === 0 || !(elsewhere || tooMany)) return undefined;
  const [fits, does] = names.length === 1 ? ['fits', 'does'] : ['fit', 'do'];
  const headers = (fit: Fit, one: Found) => `${fit.explained} of ${fit.marks} zone headers, for ${zonesOf(one)} zones`;
  return (
    `${words(better.geometry)} ${fits} this image (${headers(best!, better)}), ` +
    `${words(found.geometry)} ${does} not (${headers(now!, found)})`
  );
}

const zonesOf = ({ geometry }: Found): number => geometry.runs.reduce((sum, run) => sum + run.count, 0);

function warnOfGuess(found: Found, warnings: OpenContext['warnings'], path: string): void {
  // That there is no boot log is told nowhere, but where there may be one, the dumps have other numbers.
  const guessed = NAMES.filter(
    (name) => found.confidence[name] < 1 && (name === 'bootLogSize' || isTold(name, found.geometry)),
  );
  // What the zones show does not depend on where after them the region ends.
  const isOnlyEnd = guessed.every((name) => name === 'memSize');
  if (isOnlyEnd && found.geometry.runs.every(({ type }) => found.certain.has(type))) return;
  const words = guessed.map((name) => keyText(name, found.geometry)).join(', ');
  const what = guessed.length === 1 ? 'is only a guess' : 'are only guesses';
  warnings.add('geometry-guess', `${path}: ${words} ${what}; give what the kernel had`);
}
