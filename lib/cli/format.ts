// pstorefuse format: makes a fresh image, for which a kernel shows nothing and which tells its own geometry.

import { closeSync, constants, ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { canonicalKey, parseSize, SourceKeys } from '../backend/keys.js';
import { KINDS, kindNamed } from '../backend/registry.js';
import { fromSystem, PstoreError } from '../errors.js';
import { openImage, reasonOf, sourceKind } from '../storage/file.js';
import { SliceStorage } from '../storage/slice.js';
import { readRange, type Storage } from '../storage/storage.js';
import { type Arguments, type Command, EXIT } from './command.js';

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
/** A file of at most this size is made when none is given and the image does not exist. */
const MOST_SIZE = 2 ** 44;

export const format: Command = {
  usage: 'format <image>',
  summary: 'Make a fresh image',
  examples: [
    ['$0 format new.raw --size 1M --kmsg-size 64K', 'a pstore_blk partition of dmesg zones'],
    ['$0 format new.raw --backend ramoops --size 256K --record-size 32K --console-size 32K --ecc 16', 'persistent RAM'],
  ],
  build: (yargs) => {
    const formats = KINDS.filter((kind) => kind.source === 'file' && kind.format).map(({ name }) => name);
    let built = yargs
      .positional('image', { type: 'string', describe: 'the file to make, or a block device' })
      .option('backend', { choices: formats, default: 'pstore_blk', describe: 'kind of image' })
      .option('size', { type: 'string', requiresArg: true, describe: 'bytes of the image' })
      .option('force', { type: 'boolean', describe: 'overwrite what is there' })
      .option('o', { type: 'string', requiresArg: true, describe: 'further keys of the backend' })
      .option('dmesg-size', { type: 'string', requiresArg: true, describe: 'the same as --kmsg-size' });
    for (const name of SIZE_OPTIONS)
      built = built.option(name, { type: 'string', requiresArg: true, describe: `key ${name.replace('-', '_')}` });
    return built;
  },
  run: (args) => {
    const path = args.text('image')!;
    const kind = kindNamed(args.text('backend')!);
    if (kind?.source !== 'file' || !kind.format)
      throw new PstoreError('EINVAL', `no image can be made for ${kind?.name}`);
    const keys = keysOf(args, kind.keys, kind.name);
    const given = args.text('size');
    const size = given === undefined ? undefined : parseSize('--size', given);
    if (size !== undefined && (size < 1 || size > MOST_SIZE))
      throw new PstoreError('EINVAL', `--size ${given}: give 4K or more`);
    const { storage, created } = openTarget(path, size, args.flag('force'));
    try {
      kind.format(storage, keys);
    } catch (error) {
      if (created) unlinkSync(path);
      throw error;
    } finally {
      storage.close();
    }
    return EXIT.OK;
  },
};

function keysOf(args: Arguments, known: readonly string[], backend: string): SourceKeys {
  const keys: [string, string][] = [];
  for (const option of [...SIZE_OPTIONS, 'dmesg-size']) {
    const value = args.text(option);
    if (value !== undefined) keys.push([canonicalKey(option.replace('-', '_')), value]);
  }
  for (const part of args.list('o').flatMap((text) => text.split(','))) {
    const at = part.indexOf('=');
    keys.push(at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]);
  }
  const foreign = keys.find(([key]) => !known.includes(canonicalKey(key)));
  if (foreign) throw new PstoreError('EINVAL', `the backend ${backend} has no key ${foreign[0]}`);
  return new SourceKeys(keys);
}

/** @throws PstoreError EEXIST when something is there that is not blank and --force is not given */
function openTarget(path: string, size: number | undefined, force: boolean): { storage: Storage; created: boolean } {
  if (!exists(path)) {
    if (size === undefined) throw new PstoreError('EINVAL', `${path} does not exist: give its --size`);
    create(path, size);
    return { storage: openImage(path, { mode: 'must' }), created: true };
  }
  const isFile = sourceKind(path) === 'file';
  const storage = openImage(path, { mode: 'must' });
  try {
    if (!force && !isBlank(storage)) {
      throw new PstoreError('EEXIST', `${path} is there and not blank; take --force to overwrite it`, { path });
    }
    if (size === undefined || size === storage.size) return { storage, created: false };
    if (!isFile && size < storage.size) return { storage: new SliceStorage(storage, 0, size), created: false };
    if (!isFile)
      throw new PstoreError('EINVAL', `${path} has ${storage.size} bytes, fewer than --size ${size}`, { path });
  } catch (error) {
    storage.close();
    throw error;
  }
  storage.close();
  const fd = openSync(path, constants.O_RDWR);
  ftruncateSync(fd, size);
  closeSync(fd);
  return { storage: openImage(path, { mode: 'must' }), created: false };
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

function create(path: string, size: number): void {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o644);
    ftruncateSync(fd, size);
    closeSync(fd);
  } catch (error) {
    throw fromSystem(error, `${path} cannot be made: ${reasonOf(error)}`, { path, exit: 73 });
  }
}

/** Nothing but zeros or 0xFF. */
function isBlank(storage: Storage): boolean {
  for (let at = 0; at < storage.size; at += 1 << 20) {
    if (!readRange(storage, at, 1 << 20).every((byte) => byte === 0 || byte === 0xff)) return false;
  }
  return true;
}
