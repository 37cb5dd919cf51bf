// The options of a mount (`-o`), told apart from the keys of sources.

import { PstoreError } from '../errors.js';
import { canonicalKey, parseNumber, parseSize } from '../pstore/keys.js';
import { didYouMean } from '../source/nearest.js';
import { isSourceKey, SOURCE_KEYS, splitCommas } from '../source/sources.js';
import type { Layout } from '../tree/tree.js';

export const TRANSPORTS = ['auto', 'dev-fuse', 'fuse-native'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface MountOptions {
  readonly readOnly: boolean;
  /** `rw` was given: images of other users are written, too. */
  readonly writesForeign: boolean;
  readonly layout: Layout;
  /** Exact names of backends in their order, or null for all sources as they were given. */
  readonly backends: readonly string[] | null;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly umask: number | null;
  readonly allowOther: boolean;
  readonly allowRoot: boolean;
  readonly nonempty: boolean;
  readonly fsname: string | null;
  /** Bytes of decoded texts that are kept. */
  readonly cache: number;
  readonly strict: boolean;
  /** A directory `.joined` with each dump as one text. */
  readonly joined: boolean;
  /** A directory `.erased` with what is left of erased records. */
  readonly erased: boolean;
  /** Unmount when nothing was asked for that long; null: never. */
  readonly idleSeconds: number | null;
  readonly transport: Transport;
  /** Options that the kernel's mount takes as they are: `nosuid`, `nodev`, `context=…`. */
  readonly kernelFlags: readonly string[];
  /** Keys of sources. */
  readonly sourceKeys: readonly (readonly [string, string])[];
}

/** Options that the VFS understands; mount(8) hands them on. */
const KERNEL_FLAGS = new Set([
  'nosuid',
  'suid',
  'nodev',
  'dev',
  'noexec',
  'exec',
  'noatime',
  'atime',
  'relatime',
  'norelatime',
  'strictatime',
  'nostrictatime',
  'nodiratime',
  'diratime',
  'sync',
  'async',
  'dirsync',
  'lazytime',
  'nolazytime',
  'silent',
  'loud',
]);

/** Options that mount(8) and fstab hand on and that mean nothing to a file system. */
const IGNORED = new Set([
  'defaults',
  'nofail',
  '_netdev',
  'auto',
  'noauto',
  'user',
  'nouser',
  'users',
  'nousers',
  'owner',
  'noowner',
  'group',
  'nogroup',
  'symfollow',
  'nosymfollow',
  'mand',
  'nomand',
  'iversion',
  'noiversion',
  'comment',
  'helper',
  'uhelper',
  'default_permissions',
  'auto_unmount',
]);

/** What a security module makes of a mount: mount(8) itself leaves these out where there is none. */
const LABELS = new Set(['context', 'fscontext', 'defcontext', 'rootcontext']);

const LAYOUTS: readonly Layout[] = ['both', 'flat', 'subdirs'];
const MAX_ID = 0xffff_fffe;

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  if (!(choices as readonly string[]).includes(value)) {
    throw new PstoreError('EINVAL', `${name}=${value}: known are ${choices.join(', ')}`);
  }
  return value as T;
}

function octal(name: string, value: string): number {
  if (!/^[0-7]{1,4}$/.test(value))
    throw new PstoreError('EINVAL', `${name}=${value}: give an octal number such as 022`);
  return Number.parseInt(value, 8) & 0o777;
}

/** A number and no name, as with other FUSE file systems. */
function parseId(name: 'uid' | 'gid', value: string): number {
  if (/^[A-Za-z_][\w.-]*$/.test(value)) {
    const command = name === 'uid' ? 'id -u' : 'getent group';
    throw new PstoreError('EINVAL', `${name}=${value}: give the number, not a name; "${command} ${value}" shows it`);
  }
  return parseNumber(name, value, 0, MAX_ID);
}

/** What each option of the mount sets. */
const SETTINGS: Readonly<Record<string, (value: string) => Partial<MountOptions>>> = {
  ro: () => ({ readOnly: true, writesForeign: false }),
  rw: () => ({ readOnly: false, writesForeign: true }),
  layout: (value) => ({ layout: oneOf('layout', value, LAYOUTS) }),
  backend: (value) => ({ backends: parseBackends(value, ':') }),
  all: () => ({ backends: null }),
  uid: (value) => ({ uid: parseId('uid', value) }),
  gid: (value) => ({ gid: parseId('gid', value) }),
  umask: (value) => ({ umask: octal('umask', value) }),
  allow_other: () => ({ allowOther: true }),
  allow_root: () => ({ allowRoot: true }),
  nonempty: () => ({ nonempty: true }),
  fsname: (value) => ({ fsname: value }),
  cache: (value) => ({ cache: parseSize('cache', value) }),
  strict: () => ({ strict: true }),
  joined: () => ({ joined: true }),
  erased: () => ({ erased: true }),
  timeout: (value) => ({ idleSeconds: parseNumber('timeout', value, 1, 10_000_000) }),
  remount: () => {
    throw new PstoreError(
      'EINVAL',
      '-o remount: a mount of pstorefuse cannot be remounted; umount it, and mount it again',
    );
  },
  transport: (value) => ({ transport: parseTransport(value) }),
};

/** Options of the mount that need a value. */
const WITH_VALUE = new Set(['layout', 'backend', 'uid', 'gid', 'umask', 'fsname', 'cache', 'timeout', 'transport']);

/** @throws PstoreError EINVAL for a value that is missing, or that does not belong there */
function checkValue(name: string, value: string | null): void {
  if (WITH_VALUE.has(name) && (value ?? '') === '') {
    throw new PstoreError('EINVAL', `-o ${name}: a value is missing, as in ${name}=…`);
  }
  if (!WITH_VALUE.has(name) && value !== null) {
    throw new PstoreError('EINVAL', `-o ${name}=${value}: the option ${name} takes no value`);
  }
}

/** @throws PstoreError EINVAL for a key that is given twice with different values */
function addKey(keys: Map<string, string>, name: string, value: string): void {
  const key = canonicalKey(name);
  if ((keys.get(key) ?? value) !== value) {
    throw new PstoreError('EINVAL', `-o ${name}=${value}: the key ${name} is given twice`);
  }
  keys.set(key, value);
}

/** Options of the mount that other commands know too: which sources, how strictly, whether anything is written. */
const FOR_ALL_COMMANDS = new Set(['ro', 'rw', 'backend', 'all', 'strict', 'cache']);

/**
 * For commands that mount nothing.
 * @throws PstoreError EINVAL for an option that only a mount has
 */
export function refuseMountOptions(texts: readonly string[]): void {
  for (const part of texts.flatMap(splitCommas)) {
    const [name = ''] = part.split('=', 1);
    const isOfMount = Object.hasOwn(SETTINGS, name) || KERNEL_FLAGS.has(name) || LABELS.has(name) || IGNORED.has(name);
    if (!isOfMount || FOR_ALL_COMMANDS.has(name)) continue;
    throw new PstoreError(
      'EINVAL',
      `-o ${part}: ${name} is an option of mount only, and means nothing here; leave it out`,
    );
  }
}

/** All that mean something to us, for the help. */
export const MOUNT_OPTIONS: readonly string[] = Object.keys(SETTINGS).filter((name) => name !== 'remount');

/** @throws PstoreError EINVAL */
export function parseTransport(text: string): Transport {
  return oneOf('transport', text, TRANSPORTS);
}

/** `a,b` or `all`. @returns null for all */
export function parseBackends(text: string, separator: ',' | ':'): string[] | null {
  return text === 'all' ? null : text.split(separator);
}

/**
 * @param texts what stood after each `-o`
 * @throws PstoreError EINVAL for an option that nobody knows
 */
export function parseMountOptions(texts: readonly string[]): MountOptions {
  const kernelFlags: string[] = [];
  const sourceKeys = new Map<string, string>();
  const options: MountOptions = {
    readOnly: false,
    writesForeign: false,
    layout: 'both',
    backends: null,
    uid: null,
    gid: null,
    umask: null,
    allowOther: false,
    allowRoot: false,
    nonempty: false,
    fsname: null,
    cache: 64 << 20,
    strict: false,
    joined: false,
    erased: false,
    idleSeconds: null,
    transport: 'auto',
    kernelFlags,
    sourceKeys: [],
  };
  for (const part of texts.flatMap(splitCommas)) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = at < 0 ? part : part.slice(0, at);
    const value = at < 0 ? null : part.slice(at + 1);
    if (Object.hasOwn(SETTINGS, name)) {
      checkValue(name, value);
      Object.assign(options, SETTINGS[name]!(value ?? ''));
    } else if (KERNEL_FLAGS.has(name)) {
      checkValue(name, value);
      kernelFlags.push(name);
    } else if (LABELS.has(name)) kernelFlags.push(part);
    else if (isSourceKey(name)) addKey(sourceKeys, name, value ?? '');
    else if (!IGNORED.has(name) && !/^[xX]-/.test(name)) {
      const known = [...MOUNT_OPTIONS, ...SOURCE_KEYS, ...KERNEL_FLAGS, ...LABELS, ...IGNORED];
      const advice = didYouMean(name, known, 'man pstorefuse lists them');
      throw new PstoreError('EINVAL', `-o ${part}: there is no option ${name}; ${advice}`);
    }
  }
  return { ...options, sourceKeys: [...sourceKeys] };
}
