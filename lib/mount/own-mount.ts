// A mount of our own: made by mount(2) for root, by the set-uid program fusermount for everybody else; and unmounted
// without waiting for anything that may ask its server, which is this process.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { MOUNT_TYPE, mountAt } from '../storage/mountinfo.js';
import { IN_A_CONTAINER, openDevice, WITHOUT_A_MOUNT } from './device.js';
import { MAX_READ } from './fuse-answer.js';
import { unmountCommand } from './mountpoint.js';
import { environment, findProgram, isRoot } from './programs.js';
import { MountFlag, mount, receiveDescriptor, setNonBlocking, socketPair, umount } from './syscalls.js';
import type { ServeOptions } from './transport.js';

type MountPlan = Pick<ServeOptions, 'mountPoint' | 'fsname' | 'readOnly' | 'mount'>;

/** Sets and clears bits of mount(2). What the kernel does by itself has none. */
const FLAGS: Readonly<Record<string, { readonly set?: number; readonly clear?: number }>> = {
  nosuid: { set: MountFlag.NOSUID },
  suid: { clear: MountFlag.NOSUID },
  nodev: { set: MountFlag.NODEV },
  dev: { clear: MountFlag.NODEV },
  noexec: { set: MountFlag.NOEXEC },
  exec: { clear: MountFlag.NOEXEC },
  sync: { set: MountFlag.SYNCHRONOUS },
  async: { clear: MountFlag.SYNCHRONOUS },
  dirsync: { set: MountFlag.DIRSYNC },
  noatime: { set: MountFlag.NOATIME },
  atime: { clear: MountFlag.NOATIME },
  nodiratime: { set: MountFlag.NODIRATIME },
  diratime: { clear: MountFlag.NODIRATIME },
  relatime: { set: MountFlag.RELATIME },
  norelatime: { clear: MountFlag.RELATIME },
  strictatime: { set: MountFlag.STRICTATIME },
  nostrictatime: { clear: MountFlag.STRICTATIME },
  lazytime: { set: MountFlag.LAZYTIME },
  nolazytime: { clear: MountFlag.LAZYTIME },
  silent: { set: MountFlag.SILENT },
  loud: { clear: MountFlag.SILENT },
};

/** Flags that every fusermount knows; the others make no difference to a file system that is only read and unlinked. */
const OF_FUSERMOUNT = new Set(['noexec', 'exec', 'noatime', 'atime', 'sync', 'async', 'dirsync']);

/**
 * Makes the mount.
 * @returns the descriptor of /dev/fuse, which reads what the kernel asks and does not wait
 * @throws PstoreError ENODEV, EPERM, EACCES, EBUSY, EINVAL
 */
export function makeMount(plan: MountPlan): number {
  const fd = isRoot() ? mountAsRoot(plan) : mountByFusermount(plan);
  setNonBlocking(fd);
  return fd;
}

function mountAsRoot({ mountPoint, fsname, readOnly, mount: options }: MountPlan): number {
  const fd = openDevice();
  const data = [
    `fd=${fd},rootmode=40000,user_id=${process.geteuid!()},group_id=${process.getegid!()}`,
    `default_permissions,max_read=${MAX_READ}`,
  ];
  if (options.allowOther || !options.allowRoot) data.push('allow_other');
  let flags: number = MountFlag.NOSUID | MountFlag.NODEV | (readOnly ? MountFlag.RDONLY : 0);
  for (const flag of options.kernelFlags) {
    const { set = 0, clear = 0 } = FLAGS[flag] ?? {};
    flags = (flags | set) & ~clear;
    // What a security module makes of a mount; mount(8), too, leaves it out where there is none.
    if (FLAGS[flag] === undefined && existsSync('/sys/fs/selinux/enforce')) data.push(flag);
  }
  try {
    mount(fsname, mountPoint, MOUNT_TYPE, flags, data.join(','));
  } catch (error) {
    closeSync(fd);
    throw refusedMount(error as PstoreError, mountPoint);
  }
  return fd;
}

function refusedMount(error: PstoreError, path: string): PstoreError {
  const data = { path, cause: error, exit: 69 };
  if (error.code === 'EPERM') {
    const sentence = `the kernel does not let this root mount anything: it has no CAP_SYS_ADMIN; ${IN_A_CONTAINER}; ${WITHOUT_A_MOUNT}`;
    return new PstoreError('EPERM', sentence, data);
  }
  return new PstoreError(error.code, `the kernel refused the mount at ${path} (${error.message})`, data);
}

function mountByFusermount({ mountPoint, fsname, readOnly, mount: options }: MountPlan): number {
  const version3 = findProgram('fusermount3');
  const program = version3 ?? findProgram('fusermount')!;
  const words = [
    readOnly ? 'ro' : 'rw',
    'nosuid,nodev,default_permissions',
    `max_read=${MAX_READ}`,
    `fsname=${fsname.replace(/[\\,]/g, '\\$&')}`,
    `subtype=${MOUNT_TYPE.replace(/^fuse\./, '')}`,
    ...options.kernelFlags.filter((flag) => OF_FUSERMOUNT.has(flag)),
  ];
  if (options.allowOther) words.push('allow_other');
  // Version 2 looks for itself whether the directory is empty, version 3 does not know the word.
  if (options.nonempty && version3 === undefined) words.push('nonempty');
  const [ours, theirs] = socketPair();
  try {
    const { status, stderr, error } = spawnSync(program, ['-o', words.join(','), '--', mountPoint], {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: { ...environment(), _FUSE_COMMFD: '3' },
      encoding: 'utf8',
    });
    closeSync(theirs);
    const fd = status === 0 ? receiveDescriptor(ours) : undefined;
    if (fd !== undefined) return fd;
    const said = (stderr || String(error ?? `status ${status}`)).trim().split('\n')[0];
    throw new PstoreError('EPERM', `${program} did not mount ${mountPoint}: ${said}`, { path: mountPoint, exit: 69 });
  } finally {
    closeSync(ours);
  }
}

/** The mount that this process serves. */
export class OwnMount {
  readonly #mountPoint: string;
  /** No other file system has this number while we serve this one. */
  readonly #device: string | undefined;
  readonly #byCall: boolean;

  /** @param byCall whether system calls can be made */
  constructor(mountPoint: string, byCall: boolean) {
    this.#mountPoint = mountPoint;
    this.#device = mountAt(mountPoint)?.device;
    this.#byCall = byCall && isRoot();
  }

  /** Whether it stands at its place, and nothing is mounted over it. */
  isOnTop(): boolean {
    return this.#device !== undefined && mountAt(this.#mountPoint)?.device === this.#device;
  }

  /**
   * Unmounts, and does not wait for it: the end of the connection to the kernel is what counts.
   * @param lazily take it away also when a program uses it, which can go on with what it has
   */
  end({ lazily }: { lazily: boolean }): void {
    // What is mounted above it, or there after it, is not ours.
    if (!this.isOnTop()) return;
    if (this.#byCall) this.#endByCall(lazily);
    else this.#endByProgram(false, lazily);
  }

  #endByCall(lazily: boolean): void {
    try {
      umount(this.#mountPoint, false);
    } catch {
      if (lazily) umount(this.#mountPoint, true);
    }
  }

  #endByProgram(lazy: boolean, lazily: boolean): void {
    const [program, ...args] = unmountCommand(lazy) ?? [];
    if (program === undefined) return;
    const child = spawn(program, [...args, '--', this.#mountPoint], { env: environment(), stdio: 'ignore' });
    child.on('error', () => {});
    child.on('close', (status) => {
      if (status !== 0 && lazily && !lazy) this.#endByProgram(true, lazily);
    });
  }
}
