// pstorefuse format: makes a fresh image, for which a kernel shows nothing and which tells its own geometry.

import { truncateSync } from 'node:fs';
import { fromSystem, PstoreError } from '../errors.js';
import type { BackendInfo } from '../pstore/backend.js';
import { canonicalKey, parseSize, SourceKeys, sourceText } from '../pstore/keys.js';
import type { BackendKind } from '../pstore/kind.js';
import { KINDS, kindNamed } from '../source/kinds.js';
import { type OpenSource, openSource, type SourceSpec, TextCache } from '../source/sources.js';
import { shellWord } from '../source/typed.js';
import { FileStorage, openImage, reasonOf, sourceKind } from '../storage/file.js';
import { makeNewFile } from '../storage/new-file.js';
import { SliceStorage } from '../storage/slice.js';
import { readRange, type Storage } from '../storage/storage.js';
import { type Arguments, type Command, EXIT } from './command.js';
import { complain } from './print.js';

/** Options of the command that are keys of a source. */
const SIZE_OPTIONS = [
  'kmsg-size',
  'record-size',
  'pmsg-size',
  'console-size',
  'tty-size',
  'ftrace-size',
  'cpus',
  'ecc',
  'abi',
] as const;
/** No larger file is made. */
const MAX_SIZE = 2 ** 44;

const FORMATS = KINDS.filter((kind) => kind.source === 'file' && kind.format).map(({ name }) => name);

export const format: Command = {
  usage: 'format <image>',
  summary: 'Make a fresh image',
  examples: [
    ['$0 format new.raw --size 1M --kmsg-size 64K', 'dmesg zones only'],
    ['$0 format mem --backend ramoops --size 256K --record-size 32K --ecc 16', 'persistent RAM'],
  ],
  build: (yargs) => {
    let built = yargs
      .option('backend', {
        type: 'string',
        requiresArg: true,
        describe: `${FORMATS.join(', ')}; default ${FORMATS[0]}`,
      })
      .option('size', { type: 'string', requiresArg: true, describe: 'bytes of the image' })
      .option('force', { type: 'boolean', describe: 'overwrite what is there' })
      .option('o', { type: 'string', requiresArg: true, describe: 'further keys of the backend' })
      .option('dmesg-size', { type: 'string', requiresArg: true, describe: 'the same as --kmsg-size' });
    for (const name of SIZE_OPTIONS) {
      built = built.option(name, { type: 'string', requiresArg: true, describe: describeKey(name.replace('-', '_')) });
    }
    return built;
  },
  run: (args) => {
    const path = args.text('image')!;
    refuseSource(path);
    const kind = kindNamed(args.choice('backend', FORMATS) ?? FORMATS[0]!) as BackendKind;
    const keys = keysOf(args, kind);
    const given = args.text('size');
    const size = given === undefined ? undefined : parseSize('--size', given);
    if (size !== undefined && size > MAX_SIZE) throw new PstoreError('EINVAL', `--size ${given} is more than 16T`);
    const write = (storage: Storage) => {
      kind.format!(storage, keys);
      storage.sync();
    };
    if (exists(path)) writeOver(path, size, args.flag('force'), { check: checkSizes(kind, keys, path), write });
    else writeNew(path, size, { check: checkSizes(kind, keys, path), write });
    sayWhatIsNotTold(path, kind, keys);
    return EXIT.OK;
  },
};

/** What is meant as a SOURCE would become a file of that name, and of another format. */
function refuseSource(path: string): void {
  const prefix = path.slice(0, Math.max(0, path.indexOf(':')));
  if (!kindNamed(prefix) || exists(path)) return;
  const advice = FORMATS.includes(prefix)
    ? `format takes only a path: say --backend ${prefix} ${shellWord(path.slice(prefix.length + 1))}`
    : `no image of ${prefix} can be made, only of ${FORMATS.join(', ')}`;
  throw new PstoreError('EINVAL', `${path}: ${advice}; for a file of this very name say ${shellWord(`./${path}`)}`);
}

/** And which backends have it, if not all. */
function describeKey(key: string): string {
  if (key === 'kmsg_size') return 'key kmsg_size; for ramoops the same as --record-size';
  const having = FORMATS.filter((name) => kindNamed(name)!.keys.includes(key));
  return having.length === FORMATS.length ? `key ${key}` : `key ${key} (${having.join(', ')})`;
}

/** Zones without a record do not tell the machine, and those of one size not even the backend: both look the same. */
function sayWhatIsNotTold(path: string, kind: BackendKind, keys: SourceKeys): void {
  const given = keys.names().map((name) => [name, keys.text(name)!] as const);
  const made = opened({ text: path, kind, path, keys: given }, ({ backend }) => backend.info());
  const facts = ({ geometry, abi }: BackendInfo) => JSON.stringify([geometry, abi]);
  const isTold = opened({ text: path, kind: undefined, path, keys: [] }, (found) => {
    const info = found.backend.info();
    const isSure = Object.values(info.confidence).every((confidence) => confidence === 1);
    return found.kind === kind && isSure && facts(info) === facts(made);
  });
  if (isTold) return;
  const source = sourceText(kind.name, path, keys, made.sourceKeys);
  complain(`${path}: as long as it is empty, not all of this can be told from it; name it as ${source}`);
}

function opened<T>(spec: SourceSpec, look: (source: OpenSource) => T): T {
  const source = openSource(spec, { sharedKeys: [], mode: 'read', cache: new TextCache(), strict: false });
  try {
    return look(source);
  } finally {
    source.backend.close();
  }
}

/** @throws PstoreError EINVAL for a key that is unknown or given twice */
function keysOf(args: Arguments, kind: BackendKind): SourceKeys {
  const keys = new Map<string, string>();
  const add = (name: string, value: string) => {
    const key = canonicalKey(name);
    if (!kind.keys.includes(key)) {
      throw new PstoreError(
        'EINVAL',
        `the backend ${kind.name} has no key ${name}; its own are ${kind.keys.join(', ')}`,
      );
    }
    if (keys.has(key)) throw new PstoreError('EINVAL', `the key ${name} is given twice`);
    keys.set(key, value);
  };
  for (const option of [...SIZE_OPTIONS, 'dmesg-size']) {
    const value = args.text(option);
    if (value !== undefined) add(option.replace('-', '_'), value);
  }
  for (const part of args.list('o').flatMap((text) => text.split(','))) {
    const at = part.indexOf('=');
    add(at < 0 ? part : part.slice(0, at), at < 0 ? '' : part.slice(at + 1));
  }
  return new SourceKeys(keys);
}

/** The first write of a format that is only tried. */
class SizesFit extends Error {}

/** Sizes are refused before anything is made or cut. @throws PstoreError EINVAL */
function checkSizes(kind: BackendKind, keys: SourceKeys, path: string): (size: number) => void {
  const write = () => {
    throw new SizesFit();
  };
  return (size) => {
    try {
      kind.format!({ path, size, writable: true, read: () => 0, write, sync: write, close: () => {} }, keys);
    } catch (error) {
      if (!(error instanceof SizesFit)) throw error;
    }
  };
}

interface Making {
  /** Is given the size before anything changes. */
  readonly check: (size: number) => void;
  readonly write: (storage: Storage) => void;
}

/** What interrupts it, a full disk too, leaves no file. @throws PstoreError EINVAL without a size; EEXIST, ENOSPC, EIO */
function writeNew(path: string, size: number | undefined, { check, write }: Making): void {
  if (size === undefined) throw new PstoreError('EINVAL', `${path} does not exist: give its --size`);
  check(size);
  makeNewFile(path, { size, mode: 0o644, fill: (fd) => write(new FileStorage(path, fd, true, 'file')) });
}

/** @throws PstoreError EEXIST when something is there that is not blank and --force is not given */
function writeOver(path: string, size: number | undefined, force: boolean, { check, write }: Making): void {
  const storage = openTarget(path, size, force, check);
  try {
    write(storage);
  } finally {
    storage.close();
  }
}

/** Opens what is to be formatted over; a file is brought to its size. */
function openTarget(path: string, size: number | undefined, force: boolean, check: (size: number) => void): Storage {
  const storage = openImage(path, { mode: 'must' });
  try {
    if (!force && !isBlank(storage)) {
      throw new PstoreError('EEXIST', `${path} is there and not blank; take --force to overwrite it`, { path });
    }
    check(size ?? storage.size);
    if (size === undefined || size === storage.size) return storage;
    if (sourceKind(path) === 'block') return new SliceStorage(storage, 0, size);
    truncateSync(path, size);
  } catch (error) {
    storage.close();
    throw fromSystem(error, `${path} cannot be brought to ${size} bytes: ${reasonOf(error)}`, { path });
  }
  storage.close();
  return openImage(path, { mode: 'must' });
}

function exists(path: string): boolean {
  try {
    sourceKind(path);
    return true;
  } catch (error) {
    if (error instanceof PstoreError && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Nothing but zeros or 0xFF. */
function isBlank(storage: Storage): boolean {
  for (let at = 0; at < storage.size; at += 1 << 20) {
    if (!readRange(storage, at, 1 << 20).every((byte) => byte === 0 || byte === 0xff)) return false;
  }
  return true;
}
