// The transport dev-fuse: the FUSE protocol spoken directly on /dev/fuse. For root; no native code, no library.

import { readSync, writeSync } from 'node:fs';
import { CODES, PstoreError } from '../errors.js';
import type { Tree } from '../tree/tree.js';
import { Frame, IN_HEADER, OUT_HEADER, opcodeName } from './fuse-protocol.js';
import { FuseSession, MAX_READ, type SessionOptions } from './fuse-session.js';
import type { ServeOptions } from './transport.js';

/** The descriptor of /dev/fuse in the process of mount(8). */
const MOUNT_FD = 3;
/** How long the mount may take to be made after the server has begun to wait for it. */
const MOUNT_WITHIN_MS = 30_000;
const POLL_MS = 0.2;
/** After this many polls the mount is taking its time: see MOUNT_WITHIN_MS. */
const QUICK_POLLS = 2000;
const SLOW_POLL_MS = 10;

export type DevFuseOptions = SessionOptions & Pick<ServeOptions, 'onReady'> & Partial<Pick<ServeOptions, 'debug'>>;

/** Arguments of mount(8) for a server that reads from descriptor 3. */
export function mountArguments({ mountPoint, fsname, readOnly, mount }: ServeOptions): string[] {
  const isRoot = process.geteuid?.() === 0;
  const options = [
    `fd=${MOUNT_FD}`,
    'rootmode=40000',
    `user_id=${process.geteuid?.() ?? 0}`,
    `group_id=${process.getegid?.() ?? 0}`,
    'default_permissions',
    `max_read=${MAX_READ}`,
    ...(mount.allowOther || (isRoot && !mount.allowRoot) ? ['allow_other'] : []),
    readOnly ? 'ro' : 'rw',
    'nosuid',
    'nodev',
    ...mount.kernelFlags,
  ];
  return ['-i', '-t', 'fuse.pstorefuse', '-o', options.join(','), '--', fsname, mountPoint];
}

/**
 * Serves a tree until it is unmounted. May be called before the mount is made: it waits for it.
 * @param fd of /dev/fuse, opened for reading and writing
 * @throws PstoreError EIO when the mount is not made within 30 seconds, or when the device fails
 */
export function serveDevFuse(fd: number, tree: Tree, options: DevFuseOptions): void {
  const session = new FuseSession(tree, options, (bytes, length) => send(fd, bytes, length, options.log));
  const { bytes } = session.request;
  const wait = new MountWait();
  // What opening the sources has left behind, while mount(8) starts.
  globalThis.gc?.();
  let ready = false;
  while (!session.ended) {
    let length: number;
    try {
      length = readSync(fd, bytes, 0, bytes.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENODEV' || code === 'ECONNABORTED') return;
      if (code === 'EPERM' && !session.started) wait.poll();
      else if (code === 'EAGAIN') pause(POLL_MS);
      else if (code !== 'EINTR' && code !== 'ENOENT') {
        throw new PstoreError('EIO', `/dev/fuse cannot be read: ${(error as Error).message}`, { cause: error });
      }
      continue;
    }
    options.debug?.(describe(session.request));
    session.handle(length);
    if (!ready && session.started) {
      ready = true;
      options.onReady();
    }
  }
}

/** A request in a line, for `-d`. */
function describe(request: Frame): string {
  return `${opcodeName(request.u32(IN_HEADER.opcode))} of inode ${request.u64(IN_HEADER.nodeid)}`;
}

/** Reading from /dev/fuse says EPERM until mount(8) has put a file system behind it. */
class MountWait {
  #polls = 0;
  #started = performance.now();

  /** @throws PstoreError EIO */
  poll(): void {
    if (performance.now() - this.#started > MOUNT_WITHIN_MS) {
      throw new PstoreError('EIO', `the mount was not made within ${MOUNT_WITHIN_MS / 1000} seconds`);
    }
    pause(++this.#polls < QUICK_POLLS ? POLL_MS : SLOW_POLL_MS);
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function pause(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

/** One message, one write. A caller that was killed in the meantime does not wait for its answer any more. */
function send(fd: number, bytes: Uint8Array, length: number, log: (line: string) => void): void {
  try {
    writeSync(fd, bytes, 0, length);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ECONNABORTED') return;
    log(`the kernel did not take an answer: ${message}`);
    refuse(fd, bytes);
  }
}

/** Answers EIO in place of what the kernel did not take: whoever waits must get an answer. */
function refuse(fd: number, rejected: Uint8Array): void {
  const answer = new Frame(OUT_HEADER.size);
  answer.bytes.set(rejected.subarray(0, OUT_HEADER.size));
  if (answer.u64(OUT_HEADER.unique) === 0) return;
  answer.setU32(OUT_HEADER.len, OUT_HEADER.size);
  answer.setI32(OUT_HEADER.error, -CODES.EIO.errno);
  try {
    writeSync(fd, answer.bytes);
  } catch {
    // The kernel does not know the request any more.
  }
}
