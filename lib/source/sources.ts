// SOURCE arguments: parsed, recognised, and opened as backends.

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { type Backend, parseRecordName } from '../pstore/backend.js';
import { TextCache } from '../pstore/cache.js';
import { COMMON_KEYS, canonicalKey, SourceKeys, wordsOfKey } from '../pstore/keys.js';
import type { AnyKind, BackendKind, Finding, OpenContext } from '../pstore/kind.js';
import { withSalvagedStreams } from '../pstore/salvaged-streams.js';
import { FileStorage, GZIP_MAGIC, openImage, reasonOf, sourceKind } from '../storage/file.js';
import { openFirmware } from '../storage/firmware-folder.js';
import { machineLockdown } from '../storage/lockdown.js';
import { createScratch } from '../storage/scratch.js';
import { SliceStorage } from '../storage/slice.js';
import { readRange, type Storage } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { MOST_BACKENDS, type Mounted } from '../tree/tree.js';
import { Warnings } from '../warnings.js';
import { KINDS, kindNamed } from './kinds.js';
import { didYouMean } from './nearest.js';

/** `[BACKEND:]PATH[,key=value]...`, taken apart. */
export interface SourceSpec {
  /** As it was written, for messages. */
  readonly text: string;
  readonly kind: AnyKind | undefined;
  readonly path: string;
  readonly keys: readonly (readonly [string, string])[];
}

/** Keys that any kind of backend knows. */
export const SOURCE_KEYS: readonly string[] = [
  ...new Set([...COMMON_KEYS, ...KINDS.flatMap((kind) => kind.keys)].flatMap(wordsOfKey)),
];

export function isSourceKey(key: string): boolean {
  return SOURCE_KEYS.includes(key);
}

/** Cuts at single commas; `,,` is a comma in the text. */
export function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < text.length; i++) {
    const isComma = text.charAt(i) === ',';
    if (isComma && text.charAt(i + 1) !== ',') {
      parts.push(part);
      part = '';
      continue;
    }
    part += text.charAt(i);
    if (isComma) i++;
  }
  return [...parts, part];
}

/** @throws PstoreError EINVAL for an unknown or repeated key, or an unknown backend */
export function parseSource(text: string): SourceSpec {
  const [place = '', ...rest] = splitCommas(text);
  const keys = rest.map((part) => splitKey(part, text));
  const seen = new Set<string>();
  for (const [key] of keys) {
    const name = canonicalKey(key);
    if (seen.has(name)) throw new PstoreError('EINVAL', `${text}: the key ${key} is given twice`);
    if (!isSourceKey(key)) throw unknownKey(text, key);
    seen.add(name);
  }
  const { kind, path } = splitBackend(place, text);
  if (path === '') throw new PstoreError('EINVAL', `"${text}": the path of an image is missing; give [BACKEND:]PATH`);
  if (kind) {
    const foreign = keys.find(([key]) => !knows(kind, key));
    if (foreign) {
      const what = `the backend ${kind.name} has no key ${foreign[0]}`;
      throw new PstoreError('EINVAL', `${text}: ${what}; ${keysOf(kind)}`);
    }
  }
  return { text, kind, path, keys };
}

function unknownKey(text: string, key: string): PstoreError {
  const otherwise = 'man pstorefuse lists the keys (a comma in a path is written ,,)';
  return new PstoreError('EINVAL', `${text}: unknown key "${key}"; ${didYouMean(key, SOURCE_KEYS, otherwise)}`);
}

function keysOf({ keys }: AnyKind): string {
  return keys.length === 0 ? 'it has none of its own' : `its own are ${keys.join(', ')}`;
}

/** @param where what it was found in, with a colon behind it, or nothing */
function unknownBackend(where: string, name: string): PstoreError {
  const names = KINDS.map((kind) => kind.name);
  const advice = didYouMean(name, names, `known are ${names.join(', ')}`);
  return new PstoreError('EINVAL', `${where}unknown backend "${name}"; ${advice}`);
}

function splitKey(part: string, text: string): readonly [string, string] {
  const at = part.indexOf('=');
  const key = at < 0 ? part : part.slice(0, at);
  if (key === '')
    throw new PstoreError('EINVAL', `${text}: a key is missing behind a comma (a comma in a path is written ,,)`);
  return [key, at < 0 ? '' : part.slice(at + 1)];
}

function knows(kind: AnyKind, key: string): boolean {
  const name = canonicalKey(key);
  return kind.keys.includes(name) || (COMMON_KEYS as readonly string[]).includes(name);
}

function splitBackend(place: string, text: string): { kind: AnyKind | undefined; path: string } {
  const colon = place.indexOf(':');
  if (colon < 0 || place.startsWith('./') || place.startsWith('/')) return { kind: undefined, path: place };
  const kind = kindNamed(place.slice(0, colon));
  if (kind) return { kind, path: place.slice(colon + 1) };
  if (exists(place)) return { kind: undefined, path: place };
  if (place.slice(0, colon).includes('/')) return { kind: undefined, path: place };
  throw unknownBackend(`${text}: `, place.slice(0, colon));
}

export interface OpenOptions {
  /** Keys of `-o`, which apply to every source that knows them; a key behind the SOURCE wins. */
  readonly sharedKeys: readonly (readonly [string, string])[];
  /** How the image is opened. */
  readonly mode: 'read' | 'try' | 'must';
  readonly cache: TextCache;
  /** Soft problems of geometry become errors. */
  readonly strict: boolean;
}

/** A source that is open. */
export interface OpenSource {
  readonly spec: SourceSpec;
  readonly kind: AnyKind;
  readonly backend: Backend;
  readonly keys: SourceKeys;
  /** The bytes in use, to tell whether two sources are the same: device, inode, first and last byte; and the file's. */
  readonly identity: { readonly file: string; readonly from: number; readonly to: number; readonly whole: number };
}

/** Images that are open for other sources: the writer's lock is on a descriptor, and parts of one file share it. */
type OpenImages = Map<string, FileStorage>;

/** @throws PstoreError with one sentence that says what is wrong with this source */
export function openSource(spec: SourceSpec, options: OpenOptions, images: OpenImages = new Map()): OpenSource {
  try {
    return spec.kind?.source === 'folder' || (!spec.kind && sourceKind(spec.path) === 'folder')
      ? openFolder(spec, options)
      : openFile(spec, options, images);
  } catch (error) {
    throw naming(spec, advised(spec, options, error));
  }
}

/** Of an image that is none of the backend that was given by hand, it is said what it looks like. */
function advised(spec: SourceSpec, options: OpenOptions, error: unknown): unknown {
  const isOther = error instanceof PstoreError && (error.code === 'EBADMSG' || error.code === 'ENOTDIR');
  if (!isOther || !spec.kind) return error;
  const advice = otherKind(spec, options);
  return advice === undefined ? error : new PstoreError(error.code, `${error.message}; ${advice}`, error.data);
}

function otherKind(spec: SourceSpec, options: OpenOptions): string | undefined {
  let whole: Storage | undefined;
  try {
    whole = openImage(spec.path, { mode: 'read' });
    const part = partOf(whole, new SourceKeys([...sharedKeysFor(spec, options), ...spec.keys]));
    return looksLike(spec, SurvivingStorage.opening(part));
  } catch (error) {
    // What it looks like cannot be seen, either.
    if (error instanceof PstoreError) return undefined;
    throw error;
  } finally {
    whole?.close();
  }
}

/** Above this another kind is the right one, unless the given one is as sure as MAYBE: an empty zone of it looks so. */
const LIKELY = 0.5;
const MAYBE = 0.4;

/** What an image looks like that is hardly of the kind that was given by hand; undefined where that may be right. */
function looksLike({ kind: given, path, keys }: SourceSpec, storage: SurvivingStorage): string | undefined {
  if (given?.source === 'file' && (given.probe(storage)?.sure ?? 0) >= MAYBE) return undefined;
  const files = KINDS.filter((kind) => kind.source === 'file');
  const best = likeliest(files, storage, LIKELY)?.kind;
  if (!best) return packedAdvice(storage, path);
  const kept = keys.filter(([key]) => (COMMON_KEYS as readonly string[]).includes(key));
  const words = kept.map(([key, value]) => (value === '' ? `,${key}` : `,${key}=${value.replaceAll(',', ',,')}`));
  return `it looks like ${best.name}: take ${best.name}:${path.replaceAll(',', ',,')}${words.join('')}`;
}

/** What unpacks files that begin so. */
const PACKED = [
  { program: 'gunzip', name: 'gzip', magic: GZIP_MAGIC },
  { program: 'unxz', name: 'xz', magic: Buffer.from('fd377a585a00', 'hex') },
  { program: 'unzstd', name: 'zstd', magic: Buffer.from('28b52ffd', 'hex') },
  { program: 'unlz4', name: 'lz4', magic: Buffer.from('04224d18', 'hex') },
  { program: 'bunzip2', name: 'bzip2', magic: Buffer.from('BZh') },
  { program: 'unzip', name: 'zip', magic: Buffer.from('PK\x03\x04') },
];

/** Said only where nothing else is found: any bytes may stand at the beginning of an image. */
function packedAdvice(storage: Storage, path: string): string | undefined {
  const packed = PACKED.find(({ magic }) => magic.equals(readRange(storage, 0, magic.length)));
  if (!packed) return undefined;
  const { program, name } = packed;
  const named = name === 'gzip' && !path.endsWith('.gz') ? `name it ${path}.gz, or ` : '';
  return `${path} is ${name} data: ${named}unpack it first (${program})`;
}

/** What is wrong with a key's value is said without knowing whose key it is. */
function naming(spec: SourceSpec, error: unknown): unknown {
  if (!(error instanceof PstoreError) || error.message.includes(spec.path)) return error;
  return new PstoreError(error.code, `${spec.path}: ${error.message}`, error.data);
}

/** The keys of `-o` that the source does not give itself. */
function sharedKeysFor(spec: SourceSpec, { sharedKeys }: OpenOptions): OpenOptions['sharedKeys'] {
  const own = new Set(spec.keys.map(([key]) => canonicalKey(key)));
  return sharedKeys.filter(([key]) => !own.has(canonicalKey(key)));
}

function openFile(spec: SourceSpec, options: OpenOptions, images: OpenImages): OpenSource {
  const { path } = spec;
  const shared = sharedKeysFor(spec, options);
  const all = new SourceKeys([...shared, ...spec.keys]);
  const readOnly = all.flag('ro');
  if (readOnly && options.mode === 'must') {
    throw new PstoreError('EROFS', `${path}: the key ro is given, so nothing is written`, { path });
  }
  const whole = openShared(path, readOnly ? 'read' : options.mode, images);
  try {
    if (whole.size === 0) throw new PstoreError('EBADMSG', `${path}: the file is empty`, { path });
    const warnings = new Warnings();
    const part = partOf(whole, all);
    const storage = SurvivingStorage.opening(part, warnings);
    const { kind, finding } = spec.kind
      ? { kind: spec.kind as BackendKind, finding: spec.kind as BackendKind }
      : recognise(spec, storage, all);
    const keys = knownKeys(kind, shared, spec, options.strict);
    if (options.mode === 'try' && !whole.writable && !readOnly && !path.endsWith('.gz')) {
      warnings.add('read-only', `${path} cannot be written: its records can be read, but not erased`);
    }
    const opened = finding.open({
      path: storage.path,
      storage,
      keys,
      warnings,
      cache: options.cache,
      readFile: readCompanion,
    });
    const backend = keys.flag('salvage') ? withSalvagedStreams(opened) : opened;
    if (spec.kind && backend.space().records === 0) checkKind(spec, storage, options, warnings);
    storage.settle();
    const from = part instanceof SliceStorage ? part.base : 0;
    return {
      spec,
      kind,
      backend,
      keys,
      identity: { file: identityOf(path), from, to: from + storage.size, whole: whole.size },
    };
  } catch (error) {
    whole.close();
    throw error;
  }
}

/** An image of another kind looks like an empty one, by given sizes: shown so, but nothing is written over it. */
function checkKind(spec: SourceSpec, storage: SurvivingStorage, options: OpenOptions, warnings: Warnings): void {
  const advice = looksLike(spec, storage);
  if (advice === undefined) return;
  const sentence = `${spec.path}: no record of ${spec.kind!.name} is found in it`;
  if (options.strict || options.mode === 'must') throw new PstoreError('EBADMSG', sentence, { path: spec.path });
  warnings.addFirst('geometry-mismatch', `${sentence}; ${advice}`);
}

function openShared(path: string, mode: OpenOptions['mode'], images: OpenImages): Storage {
  // Says what a path is that is no image, before it is looked at further.
  sourceKind(path);
  const key = `${mode} ${identityOf(path)}`;
  const open = images.get(key);
  if (open?.share()) return open;
  const storage = openImage(path, { mode });
  if (storage instanceof FileStorage) images.set(key, storage);
  return storage;
}

/** A folder of dumps, or the device through which a firmware gives them. */
function openFolder(spec: SourceSpec, options: OpenOptions): OpenSource {
  const { path } = spec;
  const warnings = new Warnings();
  const shared = sharedKeysFor(spec, options);
  const firmware = openFirmware(path);
  const kind =
    spec.kind ?? KINDS.find((candidate) => candidate.source === 'folder' && candidate.probe(firmware) !== undefined);
  if (kind?.source !== 'folder') {
    const advice = `if it is a folder of saved dumps, name its backend: platform-dump:${path}`;
    throw new PstoreError('EISDIR', `${path} is a directory, not an image; ${advice}`, { path });
  }
  const keys = knownKeys(kind, options.mode === 'read' ? [...shared, ['ro', '']] : shared, spec, options.strict);
  const backend = kind.open({ path, firmware, keys, warnings, scratch: createScratch, lockdown: machineLockdown });
  return { spec, kind, backend, keys, identity: { file: identityOf(path), from: 0, to: 0, whole: 0 } };
}

/** The keys of `-o` that this kind knows, and those of the source. */
function knownKeys(
  kind: AnyKind,
  shared: readonly (readonly [string, string])[],
  spec: SourceSpec,
  strict: boolean,
): SourceKeys {
  const foreign = spec.keys.find(([key]) => !knows(kind, key));
  if (foreign) {
    throw new PstoreError(
      'EINVAL',
      `${spec.text}: ${spec.path} is a source of ${kind.name}, which has no key ${foreign[0]}; ${keysOf(kind)}`,
    );
  }
  const strictKey: (readonly [string, string])[] = strict ? [['strict', '']] : [];
  const keys = new SourceKeys([...shared.filter(([key]) => knows(kind, key)), ...strictKey, ...spec.keys]);
  updateMsOf(keys);
  return keys;
}

const DAY_MS = 86_400_000;

/** Milliseconds; undefined for a source whose state at mount is shown. @throws PstoreError EINVAL */
export function updateMsOf(keys: SourceKeys): number | undefined {
  return keys.number('update_ms', 1, DAY_MS);
}

function partOf(whole: Storage, keys: SourceKeys): Storage {
  const offset = keys.size('offset');
  const size = keys.size('size');
  if (offset !== undefined && offset >= whole.size) {
    throw new PstoreError('EINVAL', `${whole.path} has ${whole.size} bytes: offset=${offset} is behind its end`, {
      path: whole.path,
      offset,
    });
  }
  return offset === undefined && size === undefined ? whole : new SliceStorage(whole, offset ?? 0, size);
}

interface Recognised {
  readonly kind: BackendKind;
  readonly finding: Finding<OpenContext>;
}

/** @param least how sure a kind must at least be, and a little more */
function likeliest(kinds: readonly BackendKind[], storage: SurvivingStorage, least = 0): Recognised | undefined {
  let best: Recognised | undefined;
  for (const kind of kinds) {
    const finding = kind.probe(storage);
    if (finding && finding.sure > (best?.finding.sure ?? least)) best = { kind, finding };
    if (finding && finding.sure >= CERTAIN) break;
  }
  return best;
}

/** Nothing that another kind could find would outweigh it. */
const CERTAIN = 1;

/** pstore/zone and blkoops: a smaller partition is refused. */
const LEAST_PARTITION = 4096;

function recognise(spec: SourceSpec, storage: SurvivingStorage, keys: SourceKeys): Recognised {
  const files = KINDS.filter((kind) => kind.source === 'file');
  // A key that only some kinds know tells which kind is meant; one that the image's own kind does not know is told later.
  const meant = files.filter((kind) => spec.keys.every(([key]) => knows(kind, key)));
  const best = likeliest(meant, storage) ?? likeliest(files, storage);
  if (best) return best;
  const packed = packedAdvice(storage, spec.path);
  if (packed !== undefined) throw new PstoreError('EBADMSG', packed, { path: spec.path });
  if (storage.size < LEAST_PARTITION) {
    throw new PstoreError(
      'EBADMSG',
      `${spec.path}: ${storage.size} bytes are too few for a crash-log partition, which has at least ${LEAST_PARTITION}`,
      { path: spec.path },
    );
  }
  const names = files.filter((kind) => kind.format).map(({ name }) => name);
  const given = keys.has('kmsg_size') || keys.has('record_size');
  const sizes = given ? '' : ', and give the sizes that its kernel had (kmsg_size=, …)';
  throw new PstoreError(
    'EBADMSG',
    `${spec.path}: no signature of any known format is found in it; if it is a fresh partition, name its backend (${names.join(', ')}) as in ${names[0]}:${spec.path}${sizes}`,
    { path: spec.path },
  );
}

function identityOf(path: string): string {
  const { dev, ino, rdev } = statSync(path);
  return rdev !== 0 ? `device ${rdev}` : `${dev}:${ino}`;
}

/** Companion files (memory maps, symbol tables) larger than this are a mistake. */
const MOST_COMPANION = 256 << 20;

function readCompanion(path: string): Uint8Array {
  try {
    if (statSync(path).size > MOST_COMPANION)
      throw new PstoreError('EFBIG', `${path} is larger than 256 MiB: no memory map or symbol table is`, { path });
    return readFileSync(path);
  } catch (error) {
    if (error instanceof PstoreError) throw error;
    throw new PstoreError('ENOENT', `${path} cannot be read: ${reasonOf(error)}`, { path, cause: error });
  }
}

/** A source that did not open, and why. */
export interface FailedSource {
  readonly spec: SourceSpec;
  readonly error: PstoreError;
}

/**
 * Opens several sources in their order; one that fails does not hide the others.
 * @param only exact names of backends in the order wanted, or null for all sources as they were given
 * @throws PstoreError EINVAL for an unknown name in `only`, or for the same bytes given twice; ENOENT when all sources
 *   are of other backends than those in `only`
 */
export function openSources(
  texts: readonly string[],
  options: OpenOptions,
  only: readonly string[] | null = null,
): { opened: OpenSource[]; failed: FailedSource[] } {
  const unknown = only?.find((name) => !kindNamed(name));
  if (unknown !== undefined) throw unknownBackend('', unknown);
  const opened: OpenSource[] = [];
  const failed: FailedSource[] = [];
  const others: string[] = [];
  const images: OpenImages = new Map();
  const specs = texts.map(parseSource);
  if (specs.length > MOST_BACKENDS) {
    throw new PstoreError('EINVAL', `${specs.length} sources are too many; give at most ${MOST_BACKENDS}`);
  }
  checkSameFile(specs, options);
  for (const spec of specs) {
    try {
      const source =
        only && spec.kind && !only.includes(spec.kind.name) ? undefined : openSource(spec, options, images);
      const { name } = (source ?? spec).kind!;
      if (source && (!only || only.includes(name))) opened.push(source);
      else {
        source?.backend.close();
        others.push(`${spec.path} is ${source ? 'of' : 'given as'} ${name}`);
      }
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      failed.push({ spec, error });
    }
  }
  if (only && opened.length + failed.length === 0) {
    throw new PstoreError('ENOENT', `none of the sources is of ${only.join(' or ')}: ${others.join(', ')}`);
  }
  if (only) opened.sort((a, b) => only.indexOf(a.kind.name) - only.indexOf(b.kind.name));
  return { opened, failed };
}

/** The same bytes twice would have two writers in one process. */
function checkSameFile(specs: readonly SourceSpec[], options: OpenOptions): void {
  const seen: { spec: SourceSpec; file: string; from: number; to: number }[] = [];
  for (const spec of specs) {
    if (!exists(spec.path)) continue;
    const { from, to } = placeOf(spec, options);
    const file = identityOf(spec.path);
    const twin = seen.find((other) => other.file === file && other.from < to && from < other.to);
    if (twin) {
      throw new PstoreError('EINVAL', `${spec.path} and ${twin.spec.path} are the same file; give it once`, {
        path: spec.path,
      });
    }
    seen.push({ spec, file, from, to });
  }
}

/** The bytes that a source asks for. */
function placeOf(spec: SourceSpec, options: OpenOptions): { from: number; to: number } {
  try {
    const keys = new SourceKeys([...options.sharedKeys, ...spec.keys]);
    const from = keys.size('offset') ?? 0;
    return { from, to: from + (keys.size('size') ?? Number.POSITIVE_INFINITY) };
  } catch (error) {
    throw naming(spec, error);
  }
}

/** Whether there is anything; what cannot be looked at is told when it is opened. */
function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Labels are letters, digits, `_`, `-` and `.`, and do not begin with a dot. */
const LABEL = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/;

/**
 * Gives each backend the name of its directory: `label=`, else its own name, `.2` and so on for more of one name.
 * @throws PstoreError EINVAL for a label that is not allowed or not unique
 */
export function labelled(sources: readonly OpenSource[]): (Mounted & { source: OpenSource })[] {
  const taken = new Set<string>();
  const given = sources.map(({ keys, spec }) => {
    const label = keys.text('label');
    if (label === undefined) return undefined;
    if (!LABEL.test(label)) {
      throw new PstoreError(
        'EINVAL',
        `${spec.text}: label=${label}: a label has up to 64 letters, digits, _, - and ., and does not begin with a dot`,
      );
    }
    if (taken.has(label))
      throw new PstoreError('EINVAL', `${spec.text}: the label ${label} is given twice; give another one`);
    if (sources.some(({ backend }) => parseRecordName(backend.name, label))) {
      throw new PstoreError('EINVAL', `${spec.text}: the label ${label} is the name of a record; take another one`);
    }
    taken.add(label);
    return label;
  });
  return sources.map((source, i) => {
    let label = given[i];
    for (let n = 1; label === undefined; n++) {
      const candidate = n === 1 ? source.backend.name : `${source.backend.name}.${n}`;
      if (!taken.has(candidate)) label = candidate;
    }
    taken.add(label);
    const isLive = source.keys.has('update_ms');
    return { backend: source.backend, label, base: source.identity.from, isLive, source };
  });
}

/** The real path of a file, for comparing places; the path itself where it does not exist. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

export { TextCache };
