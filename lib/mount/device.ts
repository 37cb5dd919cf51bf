// Whether this user can mount at all: /dev/fuse, fusermount, and what root has allowed. Asked before libfuse is, which
// says it in words and lines of its own.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { reasonOf } from '../storage/file.js';
import type { MountOptions } from './options.js';
import { findProgram, isRoot } from './programs.js';

const DEVICE = '/dev/fuse';
/** Documentation/admin-guide/devices.txt: character device 10, 229, in the encoding of st_rdev. */
const FUSE_RDEV = (10 << 8) | 229;
const CONFIGURATION = '/etc/fuse.conf';
/** What a person can do who has no FUSE. */
export const WITHOUT_A_MOUNT = 'pstorefuse ls, cat and info work without a mount';

/** What a person can do whose container keeps FUSE away. */
export const IN_A_CONTAINER = 'a container needs --device /dev/fuse --cap-add SYS_ADMIN';

/** @throws PstoreError ENODEV when there is no FUSE here; EACCES, EPERM when this user may not use it so */
export function checkFuse(mount: MountOptions): void {
  closeSync(openDevice());
  if (isRoot()) return;
  // libfuse 2 knows it by the second name only.
  const names = mount.transport === 'fuse-native' ? ['fusermount'] : ['fusermount3', 'fusermount'];
  if (findProgram(...names) === undefined) {
    throw new PstoreError(
      'ENODEV',
      `a user who is not root needs the program fusermount to mount, and it is not there; install the package fuse3; ${WITHOUT_A_MOUNT}`,
    );
  }
  if (mount.allowRoot && mount.transport !== 'fuse-native') {
    throw new PstoreError('EINVAL', '-o allow_root: only libfuse can do that; take --transport fuse-native with it');
  }
  const option = mount.allowOther ? 'allow_other' : mount.allowRoot ? 'allow_root' : undefined;
  if (option !== undefined && !allowsOthers()) {
    throw new PstoreError(
      'EPERM',
      `-o ${option} is for root only, unless ${CONFIGURATION} has a line user_allow_other`,
    );
  }
}

/** @returns a descriptor for reading and writing. @throws PstoreError ENODEV, EACCES */
export function openDevice(): number {
  let fd: number;
  try {
    fd = openSync(DEVICE, constants.O_RDWR);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') {
      const advice = isRoot() ? IN_A_CONTAINER : `root can allow it with chmod 666 ${DEVICE}`;
      const sentence = `${DEVICE} may not be opened; ${advice}; ${WITHOUT_A_MOUNT}`;
      throw new PstoreError('EACCES', sentence, { path: DEVICE, cause: error });
    }
    const why = code === 'ENOENT' ? `there is no ${DEVICE}` : `${DEVICE} cannot be opened (${reasonOf(error)})`;
    const sentence = `${why}: the kernel has no FUSE, or its module is not loaded (modprobe fuse); ${IN_A_CONTAINER}; ${WITHOUT_A_MOUNT}`;
    throw new PstoreError('ENODEV', sentence, { path: DEVICE, cause: error });
  }
  if (!isFuse(fd)) {
    closeSync(fd);
    const sentence = `${DEVICE} is not the device of FUSE (character device 10, 229); ${WITHOUT_A_MOUNT}`;
    throw new PstoreError('ENODEV', sentence, { path: DEVICE });
  }
  return fd;
}

/** Whether a descriptor is of FUSE's device, whatever its node is called, or has been. */
export function isFuse(fd: number): boolean {
  return fstatSync(fd).rdev === FUSE_RDEV;
}

function allowsOthers(): boolean {
  try {
    return /^\s*user_allow_other\s*$/m.test(readFileSync(CONFIGURATION, 'utf8'));
  } catch {
    return false;
  }
}
