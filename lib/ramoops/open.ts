// The backend ramoops: a dump of a persistent RAM region. Takes the sizes that were given, finds the others, and says
// how sure it is.

import { contradiction, inUnits } from '../blk/open.js';
import { COMPRESSIONS } from '../compress/codec.js';
import type { CompressionChoice } from '../compress/decompress.js';
import { PstoreError } from '../errors.js';
import { ABI_NAMES, type Abi } from '../pstore/abi.js';
import type { BackendInfo } from '../pstore/backend.js';
import { parseKallsyms } from '../pstore/kallsyms.js';
import { type SourceKeys, sourceText } from '../pstore/keys.js';
import type { BackendKind, Finding, OpenContext } from '../pstore/kind.js';
import { type FrontEnd, Reason } from '../pstore/record-type.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { RamoopsBackend } from './backend.js';
import { type DetectedRam, detectRam, type Fit, fitOf, type GivenSizes, zoneParities } from './detect.js';
import { ftraceVersionCode, RAM_HEADER_SIZE, RAM_SIGNATURE, readDumpLine, readRamHeader } from './format.js';
import {
  layOutRam,
  NO_RAM_ZONES,
  RAM_ORDERS,
  type RamGeometry,
  type RamSizes,
  ramZones,
  roundDownToPowerOfTwo,
  runOf,
} from './geometry.js';
import { findRamMarks } from './marks.js';
import { PersistentRamZone } from './zone.js';

/** The keys of the geometry, by what they set. */
const GEOMETRY_KEYS = {
  memSize: 'mem_size',
  recordSize: 'record_size',
  consoleSize: 'console_size',
  ftraceSize: 'ftrace_size',
  pmsgSize: 'pmsg_size',
  ttySize: 'tty_size',
  cpus: 'cpus',
  ecc: 'ecc',
  order: 'order',
} as const satisfies Record<keyof RamSizes, string>;

type Name = keyof typeof GEOMETRY_KEYS;
const NAMES = Object.keys(GEOMETRY_KEYS) as Name[];

/** Without these a geometry is not given. */
const SIZE_NAMES = ['recordSize', 'consoleSize', 'ftraceSize', 'pmsgSize'] as const;

/** More CPUs than any kernel can be configured for. */
const MOST_CPUS = 8192;
/** ramoops.ecc=1 means this many parity bytes. */
const DEFAULT_ECC = 16;

interface Found {
  readonly geometry: RamGeometry;
  readonly endian: Abi['endian'];
  readonly confidence: Readonly<Record<Name, number>>;
  readonly certain: ReadonlySet<FrontEnd>;
}

export const ramoops: BackendKind = {
  name: 'ramoops',
  summary: 'a dump of the memory region of ramoops (persistent RAM)',
  keys: [...Object.values(GEOMETRY_KEYS), 'kmsg_size', 'compress', 'abi', 'max_reason', 'dump_oops', 'kallsyms'],
  source: 'file',
  probe,
  open,
  format,
};

/** fs/pstore/ram.c: dump_oops is the old parameter, for oopses and panics, or panics only. */
function maxReasonOf(keys: SourceKeys): number {
  const old = keys.has('dump_oops') ? (keys.flag('dump_oops') ? Reason.Oops : Reason.Panic) : Reason.Shutdown;
  return keys.number('max_reason', Reason.Panic, Reason.Shutdown) ?? old;
}

function open(context: OpenContext): RamoopsBackend {
  const { keys, path, warnings } = context;
  const storage = region(context);
  if (storage.size <= RAM_HEADER_SIZE) {
    throw new PstoreError('EBADMSG', `${path}: ${storage.size} bytes are too few for a region of ramoops`, { path });
  }
  const found = findGeometry({ ...context, storage });
  const described = describe(found, keys);
  const kallsyms = keys.text('kallsyms');
  return new RamoopsBackend({
    path,
    storage,
    geometry: found.geometry,
    abi: keys.abi() ?? (found.endian === 'little' ? ABI_NAMES.le64! : ABI_NAMES.be64!),
    abiGiven: keys.has('abi'),
    warnings,
    cache: context.cache,
    compress: keys.choice<CompressionChoice>('compress', ['auto', 'none', ...COMPRESSIONS]) ?? 'auto',
    maxReason: maxReasonOf(keys),
    symbols: kallsyms === undefined ? undefined : parseKallsyms(context.readFile(kallsyms), kallsyms),
    salvage: keys.flag('salvage'),
    guessed: (type) =>
      contradiction(warnings) ?? whyGuessed(type, found, sourceText('ramoops', path, keys, described.sourceKeys)),
    described,
  });
}

/** The part of the storage that is the region. */
function region({ storage, keys }: OpenContext): SurvivingStorage {
  const memSize = keys.size(GEOMETRY_KEYS.memSize) ?? storage.size;
  return memSize < storage.size ? storage.part(0, memSize) : storage;
}

// ── geometry ──

function givenSizes(keys: SourceKeys): GivenSizes {
  const size = (name: Name) => keys.size(GEOMETRY_KEYS[name]);
  const kmsgSize = keys.size('kmsg_size');
  const recordSize = size('recordSize') ?? kmsgSize;
  if (kmsgSize !== undefined && kmsgSize !== recordSize) {
    throw new PstoreError('EINVAL', `record_size=${recordSize} and kmsg_size=${kmsgSize} are two words for one size`);
  }
  const ecc = keys.number('ecc', 0, 127);
  const given: { [name in Name]: RamSizes[name] | undefined } = {
    memSize: size('memSize'),
    recordSize,
    consoleSize: size('consoleSize'),
    ftraceSize: size('ftraceSize'),
    pmsgSize: size('pmsgSize'),
    ttySize: size('ttySize'),
    cpus: keys.number('cpus', 1, MOST_CPUS),
    ecc: ecc === 1 ? DEFAULT_ECC : ecc,
    order: keys.choice('order', RAM_ORDERS),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function findGeometry(context: OpenContext): Found {
  const { keys, storage, path, warnings } = context;
  const given = givenSizes(keys);
  const endian = keys.abi()?.endian;
  if (given.memSize !== undefined && given.memSize > storage.size) {
    const what = `${path} has ${storage.size} bytes of a region of ${given.memSize}`;
    warnings.add('zone-truncated', `${what}: the zones at its end are cut off`, storage.size);
  }
  warnOfRounding(given, warnings, path);
  const whole = asGiven(storage, given, endian, path);
  if (whole && whole.fit.misfit < 1 && whole.fit.parity === given.ecc) return whole.found;
  const bound = whole ? undefined : detectBound(storage, given, endian);
  const fits = bound && bound.misfit < 1;
  const free = fits ? bound : detectRam(storage, unbound(given), endian);
  if (!free) return fresh(context, given, endian, whole?.found);
  const found = whole?.found ?? (bound ? detected(bound, path, given.ecc) : obeyed(given, free, path));
  const isAsGiven = fits && (given.ecc ?? bound.sizes.ecc) === bound.sizes.ecc;
  const sentence = isAsGiven ? undefined : mismatch(storage, given, found, detected(free, path));
  if (sentence !== undefined) {
    if (keys.flag('strict')) throw new PstoreError('EINVAL', `${path}: ${sentence}`, { path });
    warnings.add('geometry-mismatch', `${path}: ${sentence}`);
  }
  warnOfGuess(found, warnings, path);
  return found;
}

const unbound = ({ memSize }: GivenSizes): GivenSizes => (memSize === undefined ? {} : { memSize });

/** With the sizes that are given. Parity that was given is not believed where the image proves another one. */
function detectBound(storage: Storage, given: GivenSizes, endian: Abi['endian'] | undefined): DetectedRam | undefined {
  const { ecc, ...sizes } = given;
  const found = ecc === undefined ? undefined : detectRam(storage, sizes, endian);
  return found && found.misfit < 1 && found.sizes.ecc !== ecc ? found : detectRam(storage, given, endian);
}

/** What ramoops_probe makes of a size that is no power of two. */
function warnOfRounding(given: GivenSizes, warnings: OpenContext['warnings'], path: string): void {
  for (const name of [...SIZE_NAMES, 'ttySize'] as const) {
    const size = given[name] ?? 0;
    const rounded = roundDownToPowerOfTwo(size);
    if (rounded === size) continue;
    const what = `${GEOMETRY_KEYS[name]}=${inUnits(size)} is no power of two`;
    warnings.add(
      'geometry-rounded',
      `${path}: ${what}: ramoops rounds it down to ${inUnits(rounded)}, as is done here`,
    );
  }
}

/** The geometry when all of it is given: no search is needed when it fits. */
function asGiven(
  storage: Storage,
  given: GivenSizes,
  endian: Abi['endian'] | undefined,
  path: string,
): { found: Found; fit: Fit } | undefined {
  if (SIZE_NAMES.some((name) => given[name] === undefined) || given.ecc === undefined) return undefined;
  if (given.ftraceSize! > 0 && given.cpus === undefined) return undefined;
  const sizes = { ...NO_RAM_ZONES, memSize: storage.size, ...given };
  const open = given.order === undefined && given.ftraceSize! > 0 && given.pmsgSize! > 0 && sizes.ttySize === 0;
  const geometries = (open ? RAM_ORDERS : [sizes.order]).map((order) => layOutRam({ ...sizes, order }, path));
  const marks = findRamMarks(storage, endian);
  const candidates = geometries.map((geometry) => ({ geometry, fit: fitOf(storage, geometry, marks) }));
  const { geometry, fit } = candidates.reduce((one, other) => (other.fit.misfit < one.fit.misfit ? other : one));
  return { found: { geometry, endian: marks.endian, confidence: CERTAIN, certain: new Set(ALL_KINDS) }, fit };
}

const ALL_KINDS: readonly FrontEnd[] = ['dmesg', 'console', 'ftrace', 'pmsg', 'tty'];
const CERTAIN = Object.fromEntries(NAMES.map((name) => [name, 1])) as Record<Name, number>;

/** @param ecc parity that was given, and is obeyed */
function detected(found: DetectedRam, path: string, ecc = found.sizes.ecc): Found {
  return { ...found, geometry: layOutRam({ ...found.sizes, ecc }, path) };
}

/** Given sizes that no header confirms, and the others as the image has them. */
function obeyed(given: GivenSizes, free: DetectedRam, path: string): Found {
  const geometry = layOutRam({ ...free.sizes, ...given }, path);
  const confidence = Object.fromEntries(NAMES.map((name) => [name, given[name] === undefined ? 0 : 1]));
  return { geometry, endian: free.endian, confidence: confidence as Record<Name, number>, certain: new Set() };
}

/** A region without any signature: an empty listing when its sizes are given. */
function fresh(
  { storage, path, warnings }: OpenContext,
  given: GivenSizes,
  endian: Abi['endian'] | undefined,
  whole: Found | undefined,
): Found {
  const sizes = SIZE_NAMES.filter((name) => given[name] !== undefined);
  if (sizes.length === 0) {
    throw new PstoreError(
      'EBADMSG',
      `${path}: no signature of a ramoops zone is found in it; if it is a fresh region, give record_size=, ` +
        'console_size=, ftrace_size=, pmsg_size= and ecc= as the kernel had them',
      { path },
    );
  }
  warnings.add('image-fresh', `${path}: no signature of a zone is found in it; it is shown as the sizes say, as empty`);
  if (whole) return { ...whole, endian: endian ?? 'little' };
  const geometry = layOutRam({ ...NO_RAM_ZONES, memSize: storage.size, ...given }, path);
  const confidence = Object.fromEntries(NAMES.map((name) => [name, given[name] === undefined ? 0 : 1]));
  const all = sizes.length === SIZE_NAMES.length;
  return {
    geometry,
    endian: endian ?? 'little',
    confidence: confidence as Record<Name, number>,
    certain: new Set(all ? ALL_KINDS : []),
  };
}

/**
 * What fits the image, and what was given and does not. Zones that are damaged are no mismatch: headers that stand where
 * no zone is, or many zones without one, or parity of another size are.
 */
function mismatch(storage: Storage, given: GivenSizes, found: Found, better: Found): string | undefined {
  const [now, best] = [found, better].map(({ geometry, endian }) =>
    fitOf(storage, geometry, findRamMarks(storage, endian)),
  );
  const names = NAMES.filter((name) => {
    const differs = given[name] !== undefined && found.geometry[name] !== better.geometry[name];
    return differs && (isTold(name, found.geometry) || isTold(name, better.geometry));
  });
  const words = (sizes: RamSizes) => names.map((name) => keyText(name, sizes)).join(',');
  if (names.length === 1 && names[0] === 'ecc' && now!.parity !== found.geometry.ecc) {
    return `the parity in this image is that of ${words(better.geometry)}, not of ${words(found.geometry)}`;
  }
  const missing = now!.misfit - (now!.marks - now!.explained);
  const zones = found.geometry.runs.reduce((sum, run) => sum + run.count, 0);
  const elsewhere = now!.explained < best!.explained && best!.misfit + 1 <= now!.misfit;
  const tooMany = best!.misfit < 1 && missing >= Math.max(2, zones / 4);
  if (names.length === 0 || !(elsewhere || tooMany)) return undefined;
  const [fits, does] = names.length === 1 ? ['fits', 'does'] : ['fit', 'do'];
  const headers = (fit: Fit, { geometry }: Found) => {
    const count = geometry.runs.reduce((sum, run) => sum + run.count, 0);
    return `${fit.explained} of ${fit.marks} zone headers, for ${count} zones`;
  };
  return (
    `${words(better.geometry)} ${fits} this image (${headers(best!, better)}), ` +
    `${words(found.geometry)} ${does} not (${headers(now!, found)})`
  );
}

function warnOfGuess(found: Found, warnings: OpenContext['warnings'], path: string): void {
  const guessed = NAMES.filter((name) => found.confidence[name] < 1 && isTold(name, found.geometry));
  if (guessed.length === 0) return;
  const words = guessed.map((name) => keyText(name, found.geometry)).join(', ');
  const what = guessed.length === 1 ? 'is only a guess' : 'are only guesses';
  warnings.add('geometry-guess', `${path}: ${words} ${what}; give what the kernel had`);
}

/** @param source the SOURCE with the best guess. @returns the sentence that says what to give */
function whyGuessed(type: FrontEnd, found: Found, source: string): string | undefined {
  if (found.certain.has(type)) return undefined;
  const own = type === 'dmesg' ? 'record_size=' : `${type}_size=`;
  const guessed = NAMES.filter((name) => found.confidence[name] < 1 && isTold(name, found.geometry));
  const keys = guessed.map((name) => `${GEOMETRY_KEYS[name]}=`);
  const isThere = runOf(found.geometry, type) !== undefined;
  if (keys.length === 0 || !(isThere || keys.includes(own))) keys.unshift(own);
  const why = isThere
    ? `where the ${type} zones lie is only a guess, and a guess never places a write`
    : `no ${type} zone is found in it`;
  const them = keys.length === 1 ? 'it' : 'them';
  return `${why}; give ${keys.join(', ')} as the kernel had ${them}, in place of the guess ${source}`;
}

// ── description ──

function keyText(name: Name, sizes: RamSizes): string {
  const value = sizes[name];
  const text = name === 'cpus' || name === 'ecc' || name === 'order' ? String(value) : inUnits(value as number);
  return `${GEOMETRY_KEYS[name]}=${text}`;
}

/** Whether a key says something in this geometry. */
function isTold(name: Name, sizes: RamSizes): boolean {
  if (name === 'cpus') return sizes.ftraceSize > 0;
  if (name === 'ttySize') return sizes.ttySize > 0;
  if (name === 'order') return sizes.ftraceSize > 0 && sizes.pmsgSize > 0 && sizes.ttySize === 0;
  return true;
}

function describe(
  { geometry, endian, confidence }: Found,
  keys: SourceKeys,
): Pick<BackendInfo, 'geometry' | 'confidence' | 'kernelParameters' | 'sourceKeys'> {
  const told = NAMES.filter((name) => isTold(name, geometry));
  const dmesg = runOf(geometry, 'dmesg');
  const abi = keys.text('abi') ?? (endian === 'big' ? 'be64' : undefined);
  return {
    geometry: {
      ...Object.fromEntries(told.map((name) => [GEOMETRY_KEYS[name], geometry[name]])),
      dmesg_zones: dmesg?.count ?? 0,
      dmesg_zone_size: dmesg?.zoneSize ?? 0,
    },
    confidence: Object.fromEntries(told.map((name) => [GEOMETRY_KEYS[name], confidence[name]])),
    // A tty zone is made by our own format only: no parameters of a kernel put its other zones where they are.
    kernelParameters: told
      .filter((name) => name !== 'cpus' && name !== 'order' && geometry.ttySize === 0)
      .map((name) =>
        name === 'ecc'
          ? `ramoops.ecc=${geometry.ecc}`
          : `ramoops.${GEOMETRY_KEYS[name]}=0x${geometry[name].toString(16)}`,
      ),
    sourceKeys: [...told.map((name) => keyText(name, geometry)), ...(abi === undefined ? [] : [`abi=${abi}`])].join(
      ',',
    ),
  };
}

// ── recognising and formatting ──

/** How far a region is searched for a header when its first one says little. */
const PROBED = 4 << 20;

function probe(storage: SurvivingStorage): Finding<OpenContext> | undefined {
  const sure = likelihood(storage);
  return sure > 0 ? { sure, open } : undefined;
}

function likelihood(storage: SurvivingStorage): number {
  const head = readRange(storage, 0, 64);
  if (head.length <= RAM_HEADER_SIZE) return 0;
  const likely = Math.max(...(['little', 'big'] as const).map((endian) => probeHeader(head, storage.size, endian)));
  if (likely >= 0.7 || storage.size < RAM_HEADER_SIZE * 2) return likely;
  const part = storage.part(0, Math.min(storage.size, PROBED));
  const marks = findRamMarks(part, undefined, false);
  let dumps = 0;
  for (const offset of marks.plain) {
    if (readDumpLine(readRange(part, offset + RAM_HEADER_SIZE, 64))) dumps++;
  }
  // Nothing but ramoops writes that line behind a header, whatever the damaged header of the first zone looks like.
  if (dumps > 0) return likely > 0 ? 1 : 0.95;
  const [first, second] = [...marks.plain, ...marks.ftrace.keys()].sort((a, b) => a - b);
  if (second !== undefined && zoneParities(part, first!, second, marks.endian).length > 0) return 0.95;
  return marks.plain.size + marks.ftrace.size > 0 ? Math.max(likely, 0.2) : likely;
}

/** What the first zone's header and the bytes behind it say. */
function probeHeader(head: Uint8Array, size: number, endian: Abi['endian']): number {
  const { sig, start, size: used } = readRamHeader(head, endian);
  const isDump = sig === RAM_SIGNATURE && readDumpLine(head.subarray(RAM_HEADER_SIZE)) !== undefined;
  if (isDump && start <= used) return 1;
  if (start > used || used > size - RAM_HEADER_SIZE) return 0;
  if (ftraceVersionCode(sig) !== undefined) return used === 0 ? 0.3 : 0.6;
  if (sig !== RAM_SIGNATURE) return 0;
  // So begins an empty partition of pstore_blk, too.
  if (used === 0) return 0.5;
  return 0.7;
}

/** A header without data for every zone, with its parity, and 0xFF elsewhere: a kernel shows nothing for it. */
function format(storage: Storage, keys: SourceKeys): void {
  const sizes = { ...NO_RAM_ZONES, memSize: storage.size, ...givenSizes(keys) };
  if (sizes.memSize > storage.size) {
    throw new PstoreError(
      'EINVAL',
      `${storage.path} has ${storage.size} bytes, but mem_size=${sizes.memSize} is asked`,
    );
  }
  const geometry = layOutRam(sizes, storage.path);
  const endian = keys.abi()?.endian ?? 'little';
  const blank = new Uint8Array(Math.min(storage.size, 1 << 20)).fill(0xff);
  for (let at = 0; at < storage.size; at += blank.length) {
    storage.write(blank.subarray(0, Math.min(blank.length, storage.size - at)), at);
  }
  for (const zone of ramZones(geometry)) new PersistentRamZone(storage, zone, endian).initialize();
  storage.sync();
}
