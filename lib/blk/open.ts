// Opens a partition of zones: takes the sizes that were given, finds the others, and says how sure it is.

import { COMPRESSIONS } from '../compress/codec.js';
import type { CompressionChoice } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { type Abi, abiName, DEFAULT_ABI } from '../pstore/abi.js';
import type { BackendInfo, NewRecord } from '../pstore/backend.js';
import { contradiction, GUESS, inUnits, PROVEN } from '../pstore/geometry.js';
import { parseKallsyms } from '../pstore/kallsyms.js';
import type { SourceKeys } from '../pstore/keys.js';
import type { Finding, OpenContext } from '../pstore/kind.js';
import { Records } from '../pstore/records.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Warnings } from '../warnings.js';
import { ZonePlaces, type ZoneSource } from './backend.js';
import { type Detected, detectZones, fittingMarks, SEARCHED } from './detect.js';
import { ZoneState } from './dmesg-table.js';
import { ZoneEngine } from './engine.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  dmesgHeaderSize,
  type Generation,
  readBufferHeader,
  readDmesgHeader,
  writeBufferHeader,
  zoneSignature,
} from './format.js';
import {
  allZones,
  type CutZone,
  kmsgZone,
  layOut,
  NO_ZONES,
  PARTITION_MULTIPLE,
  PSTORE_BLK_CAP,
  ZONE_MULTIPLE,
  type ZoneGeometry,
  type ZoneSizes,
} from './geometry.js';
import { countHidden } from './recovery.js';

/** The keys of the sizes, by what they set. */
const SIZE_KEYS = {
  kmsgSize: 'kmsg_size',
  pmsgSize: 'pmsg_size',
  consoleSize: 'console_size',
  ttySize: 'tty_size',
  ftraceSize: 'ftrace_size',
  cpus: 'cpus',
} as const satisfies Record<keyof ZoneSizes, string>;

/** Source keys of blkoops and pstore_blk. */
export const ZONE_KEYS = [
  ...Object.values(SIZE_KEYS),
  'compress',
  'abi',
  'max_reason',
  'dump_oops',
  'kallsyms',
  'no_cap',
] as const;

const FRONT_SIZES = ['pmsgSize', 'consoleSize', 'ttySize', 'ftraceSize'] as const;

/** More CPUs than any kernel can be configured for. */
const MOST_CPUS = 8192;
/** How far headers are searched when only the format and the machine are to be found. */
const SHORT_SEARCH = 8 << 20;

interface Found {
  readonly geometry: ZoneGeometry;
  readonly detected: Detected | undefined;
  readonly confidence: Readonly<Record<string, number>>;
  readonly given: ReadonlySet<keyof ZoneSizes>;
  /** Where the partition may begin, when it seems to be a part of this image; undefined when the image is all of it. */
  readonly begins: number | undefined;
  /** Its zones cannot begin where they do in a partition that begins where the image does. */
  readonly isShifted: boolean;
  /** All that was found are dmesg zones that were formatted and never written. */
  readonly isBare: boolean;
}

/** @param seen what probeZones() found in the same storage */
export function openZones(context: OpenContext, generation: Generation, seen?: Detected): Records<ZonePlaces> {
  const { keys, warnings, path } = context;
  const storage = partition(context, generation);
  const found = findGeometry(context, storage, generation, storage === context.storage ? seen : undefined);
  const abi = keys.abi() ?? found.detected?.abi ?? DEFAULT_ABI;
  const engine = new ZoneEngine(storage.medium, found.geometry, abi, warnings, {
    maxReason: keys.number('max_reason', 1, 4) ?? 4,
    dumpOops: keys.has('dump_oops') ? keys.flag('dump_oops') : true,
  });
  engine.recover();
  warnOfHiddenZones(engine, storage, warnings, path);
  // What is behind a kernel's cap was never a zone's.
  const cut = storage.size < context.storage.size ? undefined : findCut(storage, found.geometry, abi);
  if (cut) warnOfCut(cut, storage, warnings);
  // There may be hundreds of thousands of marks, which nobody needs any more.
  const kept: Found = { ...found, detected: found.detected && { ...found.detected, marks: [] } };
  const kallsyms = keys.text('kallsyms');
  const compress = keys.choice<CompressionChoice>('compress', ['auto', 'none', ...COMPRESSIONS]) ?? 'auto';
  const places = new ZonePlaces({
    path,
    storage,
    engine,
    warnings,
    symbols: kallsyms === undefined ? undefined : parseKallsyms(context.readFile(kallsyms), kallsyms),
    cut,
    guessed: (type) =>
      contradiction(warnings) ?? whyGuessed(type, kept, path) ?? foreignZone(type, engine, storage, kept),
    describe: () => describe(kept, abiName(abi), keys.has('abi')),
  });
  return new Records(places, context.cache, compress);
}

/** Bytes that a division among more CPUs than these would leave. */
const MANY_CPUS = 64;

/** Zones begin at multiples of 512 bytes, but for what a division of ftrace's among the CPUs leaves. */
function beginsElsewhere({ kmsgOffset = 0, marks }: Detected): boolean {
  const left = (ZONE_MULTIPLE - (kmsgOffset % ZONE_MULTIPLE)) % ZONE_MULTIPLE;
  return left >= MANY_CPUS && !marks.some(({ type, offset }) => type === 'ftrace' && offset < kmsgOffset);
}

/** The part of the storage that is the partition: checked as the kernel checks it, and capped as it caps it. */
function partition(context: OpenContext, generation: Generation): SurvivingStorage {
  const { storage, keys, warnings, path } = context;
  const wrong = (what: string) => new PstoreError('EBADMSG', `${path}: ${what}`, { path });
  if (storage.size === 0) throw wrong('the file is empty');
  if (storage.size < PARTITION_MULTIPLE) {
    throw wrong(`${storage.size} bytes are too few for a ${generation} partition, which has at least 4096`);
  }
  const rest = storage.size % PARTITION_MULTIPLE;
  if (rest !== 0) {
    const odd = `${storage.size} bytes are not a multiple of 4096, so this is no whole ${generation} partition`;
    if (!keys.flag('salvage'))
      throw wrong(`${odd}; take size= for a part of a larger file, or salvage for a cut image`);
    warnings.add('zone-truncated', `${path}: ${odd}; it is read as far as it goes`, storage.size);
  }
  if (generation === 'pstore_blk' && storage.size > PSTORE_BLK_CAP && !keys.flag('no_cap')) {
    const what = `${path}: a kernel uses only the first 128 MiB of ${storage.size} bytes, and so is done here`;
    warnings.add('image-capped', `${what}; no_cap reads all of it`, PSTORE_BLK_CAP);
    return storage.part(0, PSTORE_BLK_CAP);
  }
  return storage;
}

function givenSizes(keys: SourceKeys): Partial<Record<keyof ZoneSizes, number>> {
  const given: Partial<Record<keyof ZoneSizes, number>> = {};
  for (const [name, key] of Object.entries(SIZE_KEYS) as [keyof ZoneSizes, string][]) {
    const value = name === 'cpus' ? keys.number(key, 1, MOST_CPUS) : keys.size(key);
    if (value !== undefined) given[name] = value;
  }
  return given;
}

function findGeometry(context: OpenContext, storage: SurvivingStorage, generation: Generation, seen?: Detected): Found {
  const { keys, path, warnings } = context;
  const given = givenSizes(keys);
  const detected = (Object.keys(given).length === 0 ? seen : undefined) ?? detect(storage, generation, given);
  const anyGiven = Object.keys(given).some((name) => name !== 'cpus');
  if (!detected && !anyGiven) throw noSignature(path, generation);
  const isShifted = !anyGiven && detected !== undefined && beginsElsewhere(detected);
  const front = isShifted ? { ...NO_ZONES, kmsgSize: detected.sizes.kmsgSize } : detected?.sizes;
  const sizes: ZoneSizes = { ...NO_ZONES, ...front, ...given };
  if (given.kmsgSize === undefined && sizes.kmsgSize === 0 && !detected && generation === 'blkoops') {
    throw noSignature(path, generation);
  }
  if (detected?.stride && Object.values({ ...sizes, cpus: 0 }).every((size) => size === 0)) {
    const size = detected.stride.size;
    const left = `zones of ${inWords(size)} fit this image, and kmsg_size=0 leaves none`;
    throw new PstoreError('EINVAL', `${path}: ${left}; give kmsg_size=${inUnits(size)}, or leave it out`, { path });
  }
  // The partition's size, cut to whole pages: what is behind the last whole one can only be salvaged.
  const total = Math.ceil(storage.size / PARTITION_MULTIPLE) * PARTITION_MULTIPLE;
  const frontGiven =
    (['pmsgSize', 'consoleSize', 'ftraceSize'] as const).every((name) => given[name] !== undefined) ||
    FRONT_SIZES.some((name) => (given[name] ?? 0) > 0);
  const kmsgOffset = frontGiven || generation === 'blkoops' ? undefined : detected?.kmsgOffset;
  const geometry = withWholeZones(layOut(generation, total, sizes, path, kmsgOffset), storage.size);
  const isKnown = anyGiven || keys.has('offset') || keys.has('size');
  const begins = isShifted ? geometry.kmsgOffset : isKnown ? undefined : suspectedStart(detected, storage, geometry);
  const found: Found = {
    geometry,
    begins,
    isShifted,
    detected,
    given: new Set(Object.keys(given) as (keyof ZoneSizes)[]),
    isBare: generation === 'pstore_blk' && detected?.marks.every(({ formatted }) => formatted) === true,
    confidence: Object.fromEntries(
      (Object.entries(SIZE_KEYS) as [keyof ZoneSizes, string][]).map(([name, key]) => [
        key,
        given[name] !== undefined ? 1 : begins !== undefined ? GUESS : (detected?.confidence[name] ?? 0),
      ]),
    ),
  };
  checkAgainstImage(found, keys, warnings, path);
  return found;
}

/** Without the dmesg zone that only the last page's missing bytes would make whole. */
function withWholeZones(geometry: ZoneGeometry, size: number): ZoneGeometry {
  const { kmsgCount, kmsgOffset, kmsgSize } = geometry;
  const isCut = kmsgCount > 0 && kmsgOffset + kmsgCount * kmsgSize > size;
  return isCut ? { ...geometry, kmsgCount: kmsgCount - 1 } : geometry;
}

/** The zone behind the last whole one, when its header says that there was one. */
function findCut(storage: Storage, geometry: ZoneGeometry, abi: Abi): CutZone | undefined {
  if (geometry.kmsgSize === 0) return undefined;
  const zone = kmsgZone(geometry, geometry.kmsgCount);
  const bufferSize = BUFFER_HEADER_SIZE[geometry.generation];
  const head = readRange(storage, zone.offset, bufferSize + dmesgHeaderSize(abi));
  if (head.length < bufferSize + dmesgHeaderSize(abi)) return undefined;
  const { sig, datalen } = readBufferHeader(head, geometry.generation, abi);
  const { magic } = readDmesgHeader(head.subarray(bufferSize), abi);
  return sig === zoneSignature('dmesg') || magic === DMESG_MAGIC ? { zone, datalen } : undefined;
}

function warnOfCut({ zone }: CutZone, { path, size }: Storage, warnings: Warnings): void {
  const what = `${path}: the image ends inside dmesg zone ${zone.index} at offset ${zone.offset}`;
  const there = `${size - zone.offset} of its ${zone.size} bytes are there`;
  const sentence = `${what}, ${there}; a kernel has no such zone, and salvage shows what can be read of it`;
  warnings.add('zone-truncated', sentence, zone.offset);
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
  { generation, kmsgSize }: ZoneGeometry,
): number | undefined {
  const first = detected?.marks.find(({ doubtful }) => !doubtful);
  if (!first || first.offset === 0) return undefined;
  const boot = readRange(storage, BOOT_SIGNATURE.offset, BOOT_SIGNATURE.bytes.length);
  const hasPartitions = BOOT_SIGNATURE.bytes.every((byte, i) => boot[i] === byte);
  const gap = generation === 'blkoops' ? kmsgSize : USUAL_GAP - 1;
  return first.type === 'pmsg' || first.offset > gap || hasPartitions ? first.offset : undefined;
}

/** The beginning of a large image mostly tells all that is to be found. */
function detect(storage: Storage, generation: Generation, sizes: Partial<ZoneSizes>): Detected | undefined {
  if (storage.size > SHORT_SEARCH) {
    const beginning = detectZones(storage, { generation, sizes, until: SHORT_SEARCH });
    if (beginning && (sizes.kmsgSize === undefined ? tellsAll(beginning) : beginning.abiProven)) return beginning;
  }
  return detectZones(storage, { generation, sizes });
}

/**
 * Whether headers further on could tell nothing else: zones are used one after the other, so that from the first on
 * each has one, up to where the ring has got.
 */
function tellsAll({ abiProven, confidence, sizes, kmsgOffset, marks }: Detected): boolean {
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

/** Sizes that were given and do not fit, and sizes that are only a guess, are both said. */
function checkAgainstImage(found: Found, keys: SourceKeys, warnings: Warnings, path: string): void {
  const { detected, geometry, given } = found;
  if (!detected) {
    warnings.add('image-fresh', `${path}: no zone signature is found in it; it is shown as the sizes say, as empty`);
    return;
  }
  const otherMachine = wrongMachine(detected, keys);
  for (const mismatch of otherMachine ? [otherMachine] : mismatches(detected, geometry, given)) {
    warnings.add('geometry-mismatch', `${path}: ${mismatch}`);
  }
  if (found.begins !== undefined) warnings.add('geometry-guess', `${path}: ${notAtBeginning(found)}`, found.begins);
  const dmesg = detected.marks.some((mark) => mark.type === 'dmesg');
  if (!given.has('kmsgSize') && dmesg && detected.confidence.kmsgSize < 0.5) {
    const size = `kmsg_size=${inUnits(geometry.kmsgSize)}`;
    warnings.add(
      'geometry-guess',
      `${path}: ${size} is only a guess, from one record; give the size that the kernel had`,
    );
  }
}

/** What the headers show of the machine, where a given abi= says something else. */
function wrongMachine({ abi, alignProven }: Detected, keys: SourceKeys): string | undefined {
  const given = keys.abi();
  const fits = (what: string) => `headers of this image are ${what}, abi=${keys.text('abi')} is given; leave it out`;
  if (given && given.endian !== abi.endian) return fits(`${abi.endian}-endian`);
  if (given && alignProven && given.align !== abi.align) {
    return fits(`of a machine that aligns 64-bit integers to ${abi.align} bytes (abi=${abiName(abi)})`);
  }
  return undefined;
}

function notAtBeginning({ begins = 0, geometry }: Pick<Found, 'begins' | 'geometry'>): string {
  if (begins % ZONE_MULTIPLE !== 0 && geometry.generation === 'pstore_blk') {
    return (
      `the first zone header stands at ${begins}, which is no multiple of ${ZONE_MULTIPLE}: the partition does not begin ` +
      'where this image does; give offset= and size= of the partition in it'
    );
  }
  const place = inUnits(begins);
  return (
    `the first zone header stands at ${place}, not at the beginning: if this is a larger image, give offset=${place} ` +
    'and the size= of the partition in it; else give the sizes that the kernel had'
  );
}

function* mismatches(detected: Detected, geometry: ZoneGeometry, given: Found['given']): Generator<string> {
  const { kmsgOffset = geometry.total, marks } = detected;
  if (geometry.kmsgSize === 0 && given.has('kmsgSize') && detected.stride) {
    const { size } = detected.stride;
    const front = FRONT_SIZES.filter((name) => given.has(name)).reduce((sum, name) => sum + geometry[name], 0);
    const { fit } = fittingMarks(marks, front, 1);
    if (fit > 0) {
      yield `zones of ${inWords(size)} fit this image (it has ${fit} record headers), ` +
        `kmsg_size=0 leaves them out; give kmsg_size=${inUnits(size)}`;
    }
  }
  if (geometry.kmsgSize > 0 && detected.stride) {
    const { base, size: better } = detected.stride;
    const now = fittingMarks(marks, geometry.kmsgOffset, geometry.kmsgSize);
    const best = fittingMarks(marks, base, better);
    const divides =
      given.has('kmsgSize') && geometry.kmsgSize < better && better % geometry.kmsgSize === 0 && best.fit > 2;
    if (now.fit < best.fit || divides) {
      if (geometry.kmsgSize !== better && given.has('kmsgSize')) {
        yield `zones of ${inWords(better)} fit this image (${best.fit} of ${best.of} record headers), ` +
          `zones of ${inWords(geometry.kmsgSize)} do not (${divides ? 'there are none between them' : `${now.fit} of ${now.of}`}); give kmsg_size=${inUnits(better)}`;
      } else {
        yield `the dmesg zones of this image begin at ${base} (${best.fit} of ${best.of} record headers), ` +
          `not at ${geometry.kmsgOffset} (${now.fit} of ${now.of}), where the given sizes put them`;
      }
    }
  }
  if (!FRONT_SIZES.some((name) => given.has(name))) return;
  const placed = new Map(geometry.front.map((zone) => [zone.offset, zone.type]));
  for (const mark of marks) {
    if (mark.type === 'dmesg' || mark.offset >= kmsgOffset || placed.get(mark.offset) === mark.type) continue;
    yield `a ${mark.type} zone begins at ${mark.offset} in this image, but not with the given sizes`;
    return;
  }
}

function inWords(size: number): string {
  return size % 1024 === 0 ? `${size / 1024} KiB` : `${size} bytes`;
}

/** blkoops stops at the first zone without a signature: what stands behind it is not shown, but not passed over in silence. */
function warnOfHiddenZones(engine: ZoneEngine, storage: Storage, warnings: Warnings, path: string): void {
  const { geometry, abi, dmesg, nextZone } = engine;
  const isStop = geometry.generation === 'blkoops' && dmesg.length > 0 && dmesg.state(nextZone) === ZoneState.Unsigned;
  const hidden = isStop ? countHidden(storage, geometry, abi, nextZone) : 0;
  if (hidden === 0) return;
  const stop = kmsgZone(geometry, nextZone).offset;
  warnings.add(
    'zone-invalid',
    `${path}: dmesg zone ${nextZone} at offset ${stop} has no signature, where blkoops stops looking; ` +
      `${hidden} record${hidden === 1 ? '' : 's'} behind it can be seen with salvage`,
    stop,
  );
}

/** A guess never places a write. @returns the sentence that says what to give */
function whyGuessed(type: NewRecord['type'], found: Found, path: string): string | undefined {
  const name = (
    { dmesg: 'kmsgSize', console: 'consoleSize', pmsg: 'pmsgSize', tty: 'ttySize', ftrace: 'ftraceSize' } as const
  )[type];
  if (found.begins !== undefined) return `${notAtBeginning(found)}; a guess never places a write`;
  if (found.geometry.generation === 'blkoops' && type !== 'dmesg') {
    return `blkoops has dmesg zones only; ${type} is kept by pstore_blk and ramoops`;
  }
  const key = SIZE_KEYS[name];
  const size = found.geometry[name];
  if (size === 0 && !found.given.has(name)) {
    const other = found.isBare
      ? `; or take ramoops:${path}, if it is an empty image of ramoops: that looks the same`
      : '';
    return `no ${type} zone is found in it; give ${key}= as the kernel had it${other}`;
  }
  if (found.confidence[key] !== PROVEN) {
    return `${key}=${inUnits(size)} is only a guess, and a guess never places a write; give ${key}= as the kernel had it`;
  }
  const frontGiven = FRONT_SIZES.some((front) => found.given.has(front));
  if (type === 'dmesg' && found.detected?.kmsgOffsetProven === false && !frontGiven) {
    return (
      `that the dmesg zones begin at ${found.geometry.kmsgOffset} is only a guess, and a guess never places a write; ` +
      'give pmsg_size=, console_size= and ftrace_size= as the kernel had them'
    );
  }
  return undefined;
}

/** Where the next record would go may be no zone at all: the image may end before, as part of a larger file. */
function foreignZone(
  type: NewRecord['type'],
  engine: ZoneEngine,
  storage: Storage,
  found: Pick<Found, 'given' | 'geometry'>,
): string | undefined {
  if (type !== 'dmesg' || found.given.has('kmsgSize')) return undefined;
  const { nextZone, geometry, dmesg } = engine;
  const { offset } = kmsgZone(geometry, nextZone);
  const head = readRange(storage, offset, BUFFER_HEADER_SIZE[geometry.generation]);
  const isBlank = head.every((byte) => byte === 0xff) || head.every((byte) => byte === 0);
  if (isBlank || dmesg.state(nextZone) !== ZoneState.Unsigned) return undefined;
  return (
    `at offset ${offset}, where the next record would go, stands something that is no zone; ` +
    'give offset= and size= where the partition is a part of a larger file, or kmsg_size= as the kernel had it'
  );
}

function describe(found: Found, abi: string, abiGiven: boolean): ReturnType<ZoneSource['describe']> {
  const { geometry } = found;
  const sizes = (Object.entries(SIZE_KEYS) as [keyof ZoneSizes, string][]).filter(
    ([name]) => geometry.generation === 'pstore_blk' || name === 'kmsgSize',
  );
  const shown = sizes.filter(
    ([name]) => (name !== 'cpus' || geometry.ftraceSize > 0) && (name !== 'ttySize' || geometry.ttySize > 0),
  );
  return {
    geometry: {
      total_size: geometry.total,
      ...Object.fromEntries(shown.map(([name, key]) => [key, geometry[name]])),
      kmsg_offset: geometry.kmsgOffset,
      kmsg_zones: geometry.kmsgCount,
    },
    confidence: found.confidence,
    ...withMachine(parametersOf(geometry), geometry.kmsgSize > 0 && !abiGiven && !found.detected?.abiProven),
    sourceKeys: [
      // What stands in front of zones at such a place is none of theirs.
      ...shown
        .filter(([name]) => name === 'kmsgSize' || !found.isShifted)
        .map(([name, key]) => `${key}=${name === 'cpus' ? geometry[name] : inUnits(geometry[name])}`),
      ...(abiGiven ? [`abi=${abi}`] : []),
      ...(geometry.generation === 'pstore_blk' && geometry.total > PSTORE_BLK_CAP ? ['no_cap'] : []),
    ].join(','),
  };
}

function withMachine<T extends Pick<BackendInfo, 'details'>>(told: T, isGuess: boolean): T {
  const why = 'a guess: the header of a dmesg record would tell it, and there is none; give abi= before one is written';
  return isGuess ? { ...told, details: { ...told.details, 'word size': why } } : told;
}

/** pstore_blk's parameters are in KiB, and multiples of this; other users of pstore/zone have zones of any sector. */
const PARAMETER_MULTIPLE = 4096;

function parametersOf(geometry: ZoneGeometry): Pick<BackendInfo, 'kernelParameters' | 'details'> {
  if (geometry.generation === 'blkoops') {
    return { kernelParameters: [`blkoops.dmesg_size=${geometry.kmsgSize}`], details: {} };
  }
  if (geometry.ttySize > 0) {
    return { kernelParameters: [], details: { 'kernel parameters': 'none: a tty zone is made by pstorefuse only' } };
  }
  const names = ['kmsgSize', 'pmsgSize', 'consoleSize', 'ftraceSize'] as const;
  const odd = names.find((name) => geometry[name] % PARAMETER_MULTIPLE !== 0);
  if (odd !== undefined) {
    const why = `${SIZE_KEYS[odd]}=${geometry[odd]} is no multiple of 4 KiB, so parameters of pstore_blk cannot say it`;
    return { kernelParameters: [], details: { 'kernel parameters': why } };
  }
  return {
    kernelParameters: names.map((name) => `pstore_blk.${SIZE_KEYS[name]}=${geometry[name] / 1024}`),
    details: {},
  };
}

/**
 * Recognises this generation by the share of headers that speak for it. The image is searched once for both generations,
 * and not again when it is opened.
 */
export function probeZones(storage: SurvivingStorage, generation: Generation): Finding<OpenContext> | undefined {
  if (storage.size < PARTITION_MULTIPLE) return undefined;
  const finding = (sure: number, seen?: Detected) => ({
    sure,
    open: (context: OpenContext) => openZones(context, generation, context.storage === storage ? seen : undefined),
  });
  // Most images say at their beginning what they are.
  const beginning =
    storage.size > SHORT_SEARCH
      ? storage.once('zones of the beginning', () => detectZones(storage, { until: SHORT_SEARCH }))
      : undefined;
  if (isSure(beginning)) return beginning?.generation === generation ? finding(sureness(beginning)) : undefined;
  const detected = detectZones(storage, { generation });
  if (!detected) return undefined;
  if (isSure(detected)) return finding(sureness(detected), detected);
  return finding(isFormatted(storage, detected) ? 0.8 : 0.1, detected);
}

/** A header or two may be left of what the image held before; several of records stand in no image of another kind. */
export function sureness({ marks }: Detected): number {
  return marks.filter((mark) => mark.signed && mark.magic).length >= CERTAIN_RECORDS ? 1 : SURE;
}

const SURE = 0.9;
const CERTAIN_RECORDS = 3;

function isSure(detected: Detected | undefined): boolean {
  return detected?.marks.some((mark) => mark.signed && (mark.magic || mark.type !== 'dmesg')) ?? false;
}

/**
 * Zones that were formatted and never written: all of them, with 0xFF behind their headers. Empty zones of ramoops have
 * the same signature, but are of several sizes, or have held something.
 */
function isFormatted(storage: Storage, { marks, sizes, kmsgOffset, generation }: Detected): boolean {
  if (kmsgOffset === undefined) return false;
  // Headers are searched no further than a kernel looks; format has made them there, or with no_cap up to the end.
  const searched = Math.min(storage.size, SEARCHED);
  const whole = Math.floor((searched - kmsgOffset) / sizes.kmsgSize);
  const begun = Math.min(
    Math.ceil((searched - kmsgOffset) / sizes.kmsgSize),
    Math.floor((storage.size - kmsgOffset) / sizes.kmsgSize),
  );
  return (
    (marks.length === whole || marks.length === begun) &&
    marks.every(({ offset }) =>
      readRange(storage, offset + BUFFER_HEADER_SIZE[generation], 64).every((byte) => byte === 0xff),
    )
  );
}

/** The buffer header of every zone, and 0xFF elsewhere: a kernel shows nothing for it, and it tells its own geometry. */
export function formatZones(storage: Storage, keys: SourceKeys, generation: Generation): void {
  const given = givenSizes(keys);
  const sizes: ZoneSizes = { ...NO_ZONES, ...given };
  const geometry = layOut(generation, storage.size, sizes, storage.path);
  if (storage.size % PARTITION_MULTIPLE !== 0) {
    throw new PstoreError('EINVAL', `${storage.path}: a partition's size is a multiple of 4096, not ${storage.size}`);
  }
  const abi = keys.abi() ?? DEFAULT_ABI;
  const blank = new Uint8Array(Math.min(storage.size, 1 << 20)).fill(0xff);
  for (let at = 0; at < storage.size; at += blank.length) {
    storage.write(blank.subarray(0, Math.min(blank.length, storage.size - at)), at);
  }
  for (const zone of allZones(geometry)) {
    const header = { sig: zoneSignature(zone.type), datalen: 0, start: 0 };
    storage.write(writeBufferHeader(header, generation, abi).subarray(0, BUFFER_HEADER_SIZE[generation]), zone.offset);
  }
  storage.sync();
}
