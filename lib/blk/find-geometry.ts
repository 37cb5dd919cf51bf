// Finds the geometry of a partition: the sizes that were given, the others from the image; how sure each is, and what in
// the image contradicts it.

import { isBlank } from '../bytes.js';
import { PstoreError } from '../errors.js';
import { GUESS, inUnits, PROVEN } from '../pstore/geometry.js';
import type { OpenContext } from '../pstore/kind.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { checkAgainstImage, inWords } from './contradictions.js';
import { type Detected, detectZones, type Known } from './detect.js';
import { dialectsOf, isDmesgFirst } from './dialects.js';
import type { Generation } from './format.js';
import type { Found } from './found.js';
import { layOut, NO_ZONES, PARTITION_MULTIPLE, ZONE_MULTIPLE, type ZoneGeometry, type ZoneSizes } from './geometry.js';
import { givenDialect, givenSizes, RING_SIZES, SIZE_KEYS } from './keys.js';

/** How far headers are searched when only the format and the machine are to be found. */
export const SHORT_SEARCH = 8 << 20;

export function findGeometry(
  context: OpenContext,
  storage: SurvivingStorage,
  generation: Generation,
  seen?: Detected,
): Found {
  const { keys, path, warnings } = context;
  const given = givenSizes(keys);
  const givenAs = givenDialect(keys, generation);
  const isPlaced = keys.has('offset') || keys.has('size');
  const isSeen = Object.keys(given).length === 0 && givenAs === undefined && !isPlaced;
  const known = { generation, sizes: given, isPlaced, ...(givenAs && { dialect: givenAs }) };
  const detected = (isSeen ? seen : undefined) ?? detect(storage, known);
  const dialect = givenAs ?? detected?.told.dialect ?? dialectsOf(generation)[0]!;
  const anyGiven = Object.keys(given).some((name) => name !== 'cpus');
  if (!detected && !anyGiven) throw noSignature(path, generation);
  const isShifted = !anyGiven && detected !== undefined && beginsElsewhere(detected);
  const isFirst = isDmesgFirst(dialect);
  const front = isShifted && !isFirst ? { ...NO_ZONES, kmsgSize: detected.sizes.kmsgSize } : detected?.sizes;
  const sizes: ZoneSizes = { ...NO_ZONES, ...front, ...given };
  if (given.kmsgSize === undefined && sizes.kmsgSize === 0 && !detected && generation === 'blkoops') {
    throw noSignature(path, generation);
  }
  refuseNoZones(detected, sizes, path);
  // The partition's size, cut to whole pages: what is after the last whole one can only be salvaged.
  const total = detected?.used ?? Math.ceil(storage.size / PARTITION_MULTIPLE) * PARTITION_MULTIPLE;
  const kmsgOffset = areRingsGiven(given) || (isFirst && !isShifted) ? undefined : detected?.kmsgOffset;
  const geometry = withWholeZones(layOut(dialect, total, sizes, path, kmsgOffset), storage.size);
  const isKnown = anyGiven || isPlaced;
  const begins = isShifted ? geometry.kmsgOffset : isKnown ? undefined : suspectedStart(detected, storage, geometry);
  const found: Found = {
    geometry,
    begins,
    isShifted,
    isFirstGuess: kmsgOffset !== undefined && begins === undefined && detected?.kmsgOffsetProven === false,
    detected,
    given: new Set(Object.keys(given) as (keyof ZoneSizes)[]),
    isBare: generation === 'pstore_blk' && detected?.marks.every(({ formatted }) => formatted) === true,
    confidence: confidenceOf(given, detected, begins !== undefined),
  };
  checkAgainstImage(found, keys, warnings, path);
  return found;
}

/** How sure each size is, by its key. */
function confidenceOf(
  given: Partial<ZoneSizes>,
  detected: Detected | undefined,
  isGuess: boolean,
): Found['confidence'] {
  const sure = (name: keyof ZoneSizes) =>
    given[name] !== undefined ? PROVEN : isGuess ? GUESS : (detected?.confidence[name] ?? 0);
  const names = Object.keys(SIZE_KEYS) as (keyof ZoneSizes)[];
  return Object.fromEntries(names.map((name) => [SIZE_KEYS[name], sure(name)]));
}

/** Whether the given sizes say where mainline's dmesg zones begin. */
function areRingsGiven(given: Partial<ZoneSizes>): boolean {
  const all = (['pmsgSize', 'consoleSize', 'ftraceSize'] as const).every((name) => given[name] !== undefined);
  return all || RING_SIZES.some((name) => (given[name] ?? 0) > 0);
}

/** @throws PstoreError EINVAL where the given sizes leave no zone of those that the image has */
function refuseNoZones(detected: Detected | undefined, sizes: ZoneSizes, path: string): void {
  if (!detected?.stride || Object.values({ ...sizes, cpus: 0 }).some((size) => size > 0)) return;
  const { size } = detected.stride;
  const left = `zones of ${inWords(size)} fit this image, and kmsg_size=0 leaves none`;
  throw new PstoreError('EINVAL', `${path}: ${left}; give kmsg_size=${inUnits(size)}, or leave it out`, { path });
}

/** Bytes that a division among more CPUs than these would leave. */
const MANY_CPUS = 64;

/** Zones begin at multiples of 512 bytes, but for what a division of ftrace's among the CPUs leaves. */
function beginsElsewhere({ kmsgOffset = 0, marks, told }: Detected): boolean {
  if (isDmesgFirst(told.dialect)) return kmsgOffset > 0;
  const left = (ZONE_MULTIPLE - (kmsgOffset % ZONE_MULTIPLE)) % ZONE_MULTIPLE;
  return left >= MANY_CPUS && !marks.some(({ type, offset }) => type === 'ftrace' && offset < kmsgOffset);
}

/** Without the dmesg zone that only the last page's missing bytes would make whole. */
function withWholeZones(geometry: ZoneGeometry, size: number): ZoneGeometry {
  const { kmsgCount, kmsgOffset, kmsgSize } = geometry;
  const isCut = kmsgCount > 0 && kmsgOffset + kmsgCount * kmsgSize > size;
  return isCut ? { ...geometry, kmsgCount: kmsgCount - 1 } : geometry;
}

/** Zones in front of the first header, which were never written, are seldom larger together than this. */
const USUAL_GAP = 1 << 20;

/** The last bytes of the first sector of a disk that has partitions. */
const BOOT_SIGNATURE = { offset: 510, bytes: [0x55, 0xaa] };

/**
 * Where a header stands that looks like a partition's first one, though it is not at the image's beginning: pmsg's is
 * the first zone of all, blkoops begins with its zone 0, and a gap may be too large for zones that were never written.
 */
function suspectedStart(
  detected: Detected | undefined,
  storage: Storage,
  { dialect, kmsgSize, rings }: ZoneGeometry,
): number | undefined {
  const first = detected?.marks.find(({ doubtful }) => !doubtful);
  if (!first || first.offset === 0) return undefined;
  if (isDmesgFirst(dialect) && rings.some(({ offset }) => offset === first.offset)) return undefined;
  const boot = readRange(storage, BOOT_SIGNATURE.offset, BOOT_SIGNATURE.bytes.length);
  const hasPartitions = BOOT_SIGNATURE.bytes.every((byte, i) => boot[i] === byte);
  const isNear = isDmesgFirst(dialect) && first.offset <= Math.min(kmsgSize, USUAL_GAP);
  const isErased = isNear && isBlank(readRange(storage, 0, first.offset));
  const gap = isErased ? 0 : isDmesgFirst(dialect) ? kmsgSize : USUAL_GAP - 1;
  return first.type === 'pmsg' || first.offset > gap || hasPartitions ? first.offset : undefined;
}

/** The beginning of a large image mostly tells all that is to be found. */
function detect(storage: Storage, known: Known): Detected | undefined {
  if (storage.size > SHORT_SEARCH) {
    const beginning = detectZones(storage, { ...known, until: SHORT_SEARCH });
    if (beginning && (known.sizes?.kmsgSize === undefined ? tellsAll(beginning) : beginning.abiProven))
      return beginning;
  }
  return detectZones(storage, known);
}

/**
 * Whether headers further on could tell nothing else: zones are used one after the other, so that from the first on
 * each has one, up to where the ring has got.
 */
function tellsAll({ abiProven, confidence, sizes, kmsgOffset, marks, told }: Detected): boolean {
  // A ring may stand at the very end.
  if (told.dialect.order.at(-1) !== 'dmesg') return false;
  if (!abiProven || confidence.kmsgSize !== PROVEN || kmsgOffset === undefined) return false;
  const dmesg = marks.filter(({ type, doubtful }) => type === 'dmesg' && !doubtful);
  return dmesg.every(({ offset }, i) => offset === kmsgOffset + i * sizes.kmsgSize);
}

function noSignature(path: string, generation: Generation): PstoreError {
  const sizes = generation === 'blkoops' ? 'kmsg_size=' : 'kmsg_size=, pmsg_size=, console_size= and ftrace_size=';
  return new PstoreError(
    'EBADMSG',
    `${path}: no zone signature is found in it; if it is a fresh ${generation} partition, give ${sizes} as the kernel had them`,
    { path },
  );
}
