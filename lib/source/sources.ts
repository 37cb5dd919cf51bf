// SOURCE arguments: parsed, recognised, and opened as backends.

import { PstoreError } from '../errors.js';
import { tagsOf } from '../platform-dump/backend.js';
import { type Backend, MAX_BACKENDS, parseRecordName } from '../pstore/backend.js';
import { TextCache } from '../pstore/cache.js';
import { SourceKeys } from '../pstore/keys.js';
import type { AnyKind } from '../pstore/kind.js';
import { FileStorage, sourceKind } from '../storage/file.js';
import { openFirmware } from '../storage/firmware-folder.js';
import { machineLockdown } from '../storage/lockdown.js';
import { NodeFolder } from '../storage/node-folder.js';
import { OverlayStorage } from '../storage/overlay.js';
import { overlaid } from '../storage/overlay-file.js';
import { exists, isOwn, readCompanion } from '../storage/path.js';
import { createScratch } from '../storage/scratch.js';
import type { Storage } from '../storage/storage.js';
import { SurvivingStorage } from '../storage/surviving.js';
import { Warnings } from '../warnings.js';
import { identityOf, isPipe, type OpenFiles, openMedium } from './files.js';
import { parseSource as parseSpec, type SourceSpec, unknownBackend } from './grammar.js';
import { KINDS, kindNamed } from './kinds.js';
import { placed, unwrapped } from './medium.js';
import { knownKeys, type OpenOptions, openStorage, sharedKeysFor, warningsFor } from './open-storage.js';
import { kindOfFiles, kindOfFirmware, looksLike } from './recognise.js';
import { shownPath } from './typed.js';

export { isSourceKey, SOURCE_KEYS, type SourceSpec, splitCommas } from './grammar.js';
export { type OpenOptions, updateMsOf } from './open-storage.js';

/** @throws PstoreError EINVAL for an unknown or repeated key, or an unknown backend */
export function parseSource(text: string): SourceSpec {
  return parseSpec(text, exists);
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

/** @throws PstoreError with one sentence that says what is wrong with this source */
export function openSource(spec: SourceSpec, options: OpenOptions, images: OpenFiles = new Map()): OpenSource {
  try {
    return spec.kind?.source === 'folder' ||
      (takesFolder(spec.kind) && !isPipe(spec.path) && sourceKind(spec.path) === 'folder')
      ? openFolder(spec, options)
      : openFile(spec, options, images);
  } catch (error) {
    throw naming(spec, advised(spec, options, error));
  }
}

/** Whether a folder may be meant, though not only a folder. */
function takesFolder(kind: AnyKind | undefined): boolean {
  return kind === undefined || (kind.source === 'file' && kind.folder !== undefined);
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
    const warnings = new Warnings();
    whole = openMedium(spec.path, { mode: 'read' }, new Map(), warnings).storage;
    const keys = new SourceKeys([...sharedKeysFor(spec, options), ...spec.keys]);
    const part = placed(unwrapped(whole, keys, warnings), keys, warnings);
    return looksLike(spec, SurvivingStorage.opening(part), true);
  } catch (error) {
    // What it looks like cannot be seen, either.
    if (error instanceof PstoreError) return undefined;
    throw error;
  } finally {
    whole?.close();
  }
}

/** What is wrong with a key's value is said without knowing whose key it is. */
function naming(spec: SourceSpec, error: unknown): unknown {
  if (!(error instanceof PstoreError) || error.message.includes(shownPath(spec.path))) return error;
  return new PstoreError(error.code, `${shownPath(spec.path)}: ${error.message}`, error.data);
}

function openFile(spec: SourceSpec, options: OpenOptions, images: OpenFiles): OpenSource {
  const { path } = spec;
  const shared = sharedKeysFor(spec, options);
  const all = new SourceKeys([...shared, ...spec.keys]);
  const readOnly = all.flag('ro');
  if (readOnly && options.mode === 'must') {
    throw new PstoreError('EROFS', `${path}: the key ro is given, so nothing is written`, { path });
  }
  const warnings = warningsFor(spec, options);
  const { overlay } = options;
  const kept = overlayOf(all, readOnly || overlay ? 'read' : options.mode);
  const isForeign = !readOnly && !overlay && !kept && isReadAsForeign(path, options);
  if (isForeign) {
    const sentence = `${path} belongs to another user, and is only read; the option rw lets records be erased in it`;
    warnings.add('read-only', sentence);
  }
  const openMode = readOnly || overlay || kept || isForeign ? 'read' : options.mode;
  const access = { mode: openMode, force: all.flag('force') } as const;
  const { storage: below, isCopy } = openMedium(path, access, images, warnings);
  let medium: Storage = below;
  try {
    if (kept) medium = kept(medium);
    if (overlay) medium = overlay(medium);
  } catch (error) {
    below.close();
    throw error;
  }
  try {
    const asked = isForeign ? ({ ...options, mode: 'read' } as const) : options;
    const opened = openStorage(spec, medium, asked, readCompanion, { isCopy, warnings });
    const { kind, backend, keys, from, size, whole } = opened;
    const isMemory = kind.source === 'file' && kind.isMemory === true;
    if (below instanceof FileStorage && below.isInUse(isMemory)) warnOfUse(backend, path);
    return {
      spec,
      kind,
      backend,
      keys,
      identity: { file: identityOf(path), from, to: from + size, whole },
    };
  } catch (error) {
    medium.close();
    throw inDamaged(error, warnings);
  }
}

/** What is missed in an image may stand in what its medium has lost: that is said first. */
function inDamaged(error: unknown, { list }: Warnings): unknown {
  const damage = list.find(({ code }) => code === 'medium-damaged');
  if (!(error instanceof PstoreError) || error.code !== 'EBADMSG' || !damage) return error;
  return new PstoreError(error.code, `${damage.message} (of the rest: ${error.message})`, error.data);
}

function warnOfUse({ warnings, writable }: Backend, path: string): void {
  const both = '; what is written here, the machine may write over, and it goes on with what it has read';
  const sentence = `${path} is in use by QEMU: what is shown may change at any time${writable ? both : ''}`;
  warnings.add('image-in-use', sentence);
}

/** The key overlay: without a value what is written is gone when the program ends. */
function overlayOf(keys: SourceKeys, mode: OpenOptions['mode']): OpenOptions['overlay'] {
  const path = keys.text('overlay');
  if (path === undefined) return undefined;
  if (path === '') return (medium) => new OverlayStorage(medium);
  return (medium) => overlaid(medium, path, mode === 'read' ? 'read' : 'must');
}

/** Evidence of somebody else is not changed by who only wanted to look at it. */
function isReadAsForeign(path: string, { mode, writesForeign = false }: OpenOptions): boolean {
  return mode === 'try' && !writesForeign && !isPipe(path) && !isOwn(path);
}

/** A folder of dumps or of files, or the device through which a firmware gives dumps. */
function openFolder(spec: SourceSpec, options: OpenOptions): OpenSource {
  const { path } = spec;
  const warnings = warningsFor(spec, options);
  const shared = sharedKeysFor(spec, options);
  const kind = spec.kind ?? recogniseFolder(path);
  if (!kind) {
    const advice = `if it is a folder of saved dumps, name its backend: platform-dump:${path}`;
    throw new PstoreError('EISDIR', `${path} is a directory, not an image; ${advice}`, { path });
  }
  const keys = knownKeys(kind, options.mode === 'read' ? [...shared, ['ro', '']] : shared, spec);
  const context = { path, keys, warnings };
  const backend =
    kind.source === 'folder'
      ? kind.open({
          ...context,
          firmware: openFirmware(path, tagsOf(keys)),
          scratch: createScratch,
          lockdown: machineLockdown,
        })
      : kind.folder!.open({ ...context, folder: new NodeFolder(path), cache: options.cache });
  return { spec, kind, backend, keys, identity: { file: identityOf(path), from: 0, to: 0, whole: 0 } };
}

function recogniseFolder(path: string): AnyKind | undefined {
  return kindOfFiles(KINDS, new NodeFolder(path)) ?? kindOfFirmware(KINDS, openFirmware(path));
}

/** A source that did not open, and why. */
export interface FailedSource {
  readonly spec: SourceSpec;
  readonly error: PstoreError;
}

/**
 * Opens several sources in their order; one that fails does not hide the others, unless that is strict.
 * @param only exact names of backends in the order wanted, or null for all sources as they were given
 * @throws PstoreError EINVAL for an unknown name in `only`, or for the same bytes given twice; ENOENT when all sources
 *   are of other backends than those in `only`; the first failure where nothing is opened, or with `strict`
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
  const images: OpenFiles = new Map();
  const specs = texts.map((text) => parseSource(text));
  if (specs.length > MAX_BACKENDS) {
    throw new PstoreError('EINVAL', `${specs.length} sources are too many; give at most ${MAX_BACKENDS}`);
  }
  checkSameFile(specs, options);
  for (const spec of specs) {
    try {
      const source =
        only && spec.kind && !only.includes(spec.kind.name) ? undefined : openSource(spec, options, images);
      const twin = source && opened.find((other) => isSamePlace(other, source));
      if (twin) {
        source.backend.close();
        throw sameFile(spec, twin.spec);
      }
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
  if (failed.length > 0 && (options.strict || opened.length === 0)) {
    for (const { backend } of opened) backend.close();
    throw failed[0]!.error;
  }
  if (only) opened.sort((a, b) => only.indexOf(a.kind.name) - only.indexOf(b.kind.name));
  return { opened, failed };
}

/** The same bytes twice would have two writers in one process. */
function checkSameFile(specs: readonly SourceSpec[], options: OpenOptions): void {
  const seen: { spec: SourceSpec; file: string; part: string | undefined; from: number; to: number }[] = [];
  for (const spec of specs) {
    if (!exists(spec.path)) continue;
    const { part, from, to } = placeOf(spec, options);
    const file = identityOf(spec.path);
    const twin = seen.find((other) => other.file === file && other.part === part && other.from < to && from < other.to);
    if (twin) throw sameFile(spec, twin.spec);
    seen.push({ spec, file, part, from, to });
  }
}

/** Whether two open sources have bytes in common: partitions may be named in several ways. */
function isSamePlace({ identity: a }: OpenSource, { identity: b }: OpenSource): boolean {
  return a.file === b.file && a.from < b.to && b.from < a.to;
}

function sameFile(spec: SourceSpec, twin: SourceSpec): PstoreError {
  const { path } = spec;
  return new PstoreError('EINVAL', `${path} and ${twin.path} are the same file; give it once`, { path });
}

/** The bytes that a source asks for. */
function placeOf(spec: SourceSpec, options: OpenOptions): { part: string | undefined; from: number; to: number } {
  try {
    const keys = new SourceKeys([...options.sharedKeys, ...spec.keys]);
    const from = keys.size('offset') ?? 0;
    return { part: keys.text('part'), from, to: from + (keys.size('size') ?? Number.POSITIVE_INFINITY) };
  } catch (error) {
    throw naming(spec, error);
  }
}

/** Labels are letters, digits, `_`, `-` and `.`, and do not begin with a dot. */
const LABEL = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/;

/** What the tree mounts. */
export interface LabelledSource {
  readonly backend: Backend;
  /** Name of its directory: unique. */
  readonly label: string;
  /** First byte of the source in its file. */
  readonly base: number;
  /** Whether it is looked at again while it is mounted. */
  readonly isLive: boolean;
  readonly source: OpenSource;
}

/**
 * Gives each backend the name of its directory: `label=`, else its own name, `.2` and so on for more of one name.
 * @throws PstoreError EINVAL for a label that is not allowed or not unique
 */
export function labelled(sources: readonly OpenSource[]): LabelledSource[] {
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

export { realPath } from '../storage/path.js';
export { TextCache };
