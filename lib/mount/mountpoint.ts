// Checks a mount point before anything is mounted on it, and unmounts.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { fromSystem, PstoreError } from '../errors.js';
import { reasonOf } from '../storage/file.js';
import { MOUNT_TYPE, mountAt, readMounts } from '../storage/mountinfo.js';
import { environment, findProgram, isRoot } from './programs.js';

/** inode(7): the sticky bit. */
const S_ISVTX = 0o1000;

export interface MountPointOptions {
  readonly nonempty: boolean;
  /** Real paths of the images that are to be mounted. */
  readonly images: readonly string[];
}

/**
 * @returns the real, absolute path of the mount point
 * @throws PstoreError ENOENT, ENOTDIR, ENOTEMPTY, EBUSY, EACCES, EINVAL, ENAMETOOLONG
 */
export function checkMountPoint(path: string, { nonempty, images }: MountPointOptions): string {
  const absolute = detachDead(path);
  let stats: Stats;
  try {
    stats = statSync(absolute);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new PstoreError('ENOENT', `the mount point ${path} does not exist; make it first (mkdir)`, { path });
    throw fromSystem(error, `the mount point ${path} cannot be used: ${reasonOf(error)}`, { path });
  }
  if (!stats.isDirectory()) throw new PstoreError('ENOTDIR', `the mount point ${path} is not a directory`, { path });
  const real = realpathSync.native(absolute);
  // Bytes of a path that are no UTF-8 are lone surrogates here; fusermount and libfuse take text.
  if (/\p{Cs}/u.test(real)) {
    const sentence = `the mount point ${real} has bytes that are no UTF-8; take another directory, an image may have them`;
    throw new PstoreError('EINVAL', sentence, { path });
  }
  const there = mountAt(real);
  if (there?.type === MOUNT_TYPE) {
    throw new PstoreError('EBUSY', `${path} is in use: ${there.source} is mounted there already; umount it first`, {
      path,
      exit: 73,
    });
  }
  const hidden = images.find((image) => image === real || image.startsWith(`${real}/`));
  if (hidden !== undefined) {
    throw new PstoreError(
      'EBUSY',
      `the mount point ${path} holds the image ${hidden}, which it would hide; take another directory`,
      { path, exit: 73 },
    );
  }
  if (!nonempty && !isEmpty(real, path)) {
    throw new PstoreError(
      'ENOTEMPTY',
      `the mount point ${path} is not empty; take an empty directory, or the option nonempty`,
      { path },
    );
  }
  checkOwner(real, path, stats);
  return real;
}

/** fusermount(1) lets a user mount where he may write; in a folder such as /tmp itself only where it is his own. */
function checkOwner(real: string, path: string, { mode, uid }: Stats): void {
  if (isRoot()) return;
  try {
    accessSync(real, constants.W_OK);
    if ((mode & S_ISVTX) === 0 || uid === process.getuid!()) return;
  } catch {
    // It may not be written.
  }
  throw new PstoreError('EACCES', `the mount point ${path} belongs to somebody else; take a directory of your own`, {
    path,
  });
}

function isEmpty(real: string, path: string): boolean {
  try {
    return readdirSync(real).length === 0;
  } catch (error) {
    throw new PstoreError('EACCES', `the mount point ${path} cannot be read: ${reasonOf(error)}`, {
      path,
      cause: error,
    });
  }
}

/** A mount whose server was killed answers ENOTCONN to everything: it is taken away first. */
export function detachDead(path: string): string {
  const absolute = absoluteOf(path);
  for (let tries = 0; isDead(absolute); tries++) {
    const real = placeOf(absolute);
    const dead = mountAt(real);
    if (dead?.type !== MOUNT_TYPE || tries === MAX_DEAD) {
      throw new PstoreError('EBUSY', `${path} is a dead mount of ${dead?.type ?? 'another program'}; umount it first`, {
        path,
        exit: 73,
      });
    }
    unmount(real, { lazy: true });
  }
  return absolute;
}

/** Dead mounts, one above the other, that are taken away. */
const MAX_DEAD = 100;

function isDead(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTCONN';
  }
}

/** The real path of a mount point, which is not looked at: its server may be dead, or never answer. */
export function placeOf(path: string): string {
  const mountPoints = new Set(readMounts().map(({ mountPoint }) => mountPoint));
  const absolute = absoluteOf(path);
  const names = absolute.split('/');
  let place = '/';
  for (let links = 0; names.length > 0; ) {
    const next = join(place, names.shift()!);
    const target = mountPoints.has(next) ? undefined : linkTarget(next);
    if (target === undefined) {
      place = next;
      continue;
    }
    if (++links > MAX_LINKS) return resolve(absolute);
    names.unshift(...target.split('/'));
    if (isAbsolute(target)) place = '/';
  }
  return place;
}

/** As it is: what stands before a `..` may be a symbolic link. */
function absoluteOf(path: string): string {
  return isAbsolute(path) ? path : `${process.cwd()}/${path}`;
}

/** path_resolution(7): more symbolic links are not followed. */
const MAX_LINKS = 40;

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // It is no link, or there is nothing.
    return undefined;
  }
}

/**
 * Words of the command that unmounts for this user: `umount` for root, else the set-uid `fusermount`. With `-c` umount(8)
 * does not look at the mount point, which would wait for a server that never answers.
 */
export function unmountCommand(lazy: boolean): string[] | undefined {
  if (isRoot()) return ['umount', '-i', '-c', ...(lazy ? ['-l'] : [])];
  const fusermount = ['fusermount3', 'fusermount'].find((name) => findProgram(name) !== undefined);
  return fusermount === undefined ? undefined : [fusermount, '-u', ...(lazy ? ['-z'] : [])];
}

/** @throws PstoreError EBUSY while a program uses it; EPERM for another user's mount; ENODEV without fusermount */
export function unmount(mountPoint: string, { lazy = false } = {}): void {
  const command = unmountCommand(lazy);
  if (!command)
    throw new PstoreError('ENODEV', 'fusermount is needed to unmount and is not there; install the package fuse3');
  const result = spawnSync(command[0]!, [...command.slice(1), '--', mountPoint], {
    env: environment(),
    encoding: 'utf8',
  });
  if (result.status === 0) return;
  if (result.error) {
    const install = `install the package ${command[0] === 'umount' ? 'mount' : 'fuse3'}`;
    throw new PstoreError('ENODEV', `${command[0]} is needed to unmount and cannot be started; ${install}`);
  }
  const said = (result.stderr ?? '').trim().split('\n')[0] ?? '';
  const busy = /busy/i.test(said);
  throw new PstoreError(
    busy ? 'EBUSY' : 'EPERM',
    busy
      ? `${mountPoint} is in use by a program; end it, or leave the directory, and try again`
      : `${mountPoint} could not be unmounted: ${said}`,
    { path: mountPoint },
  );
}
