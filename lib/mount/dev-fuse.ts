// The transport dev-fuse: the FUSE protocol spoken directly on /dev/fuse.

import { readSync, writeSync } from 'node:fs';
import { CODES, PstoreError } from '../errors.js';
import type { Tree } from '../tree/tree.js';
import { Frame, IN_HEADER, OUT_HEADER, opcodeName } from './fuse-protocol.js';
import { FuseSession, type SessionOptions } from './fuse-session.js';
import { eventLoopFd, ReadableOf } from './syscalls.js';
import type { ServeOptions } from './transport.js';

export type DevFuseOptions = SessionOptions &
  Pick<ServeOptions, 'onReady' | 'deadlines'> &
  Partial<Pick<ServeOptions, 'debug'>>;

/**
 * Serves a tree until it is unmounted. It waits for requests, for its deadlines and for Node's event loop at once; the
 * event loop turns only when something waits for it, such as a signal.
 * @param fd of /dev/fuse, mounted, which does not wait in read(2)
 * @throws PstoreError EIO when the device fails
 */
export async function serveDevFuse(fd: number, tree: Tree, options: DevFuseOptions): Promise<void> {
  const session = new FuseSession(tree, options, (bytes, length) => send(fd, bytes, length, options.log));
  const readable = new ReadableOf(fd, eventLoopFd());
  const { deadlines, updateMs } = options;
  const refreshLater = () =>
    deadlines.set('refresh', updateMs, () => {
      session.refresh();
      refreshLater();
    });
  if (updateMs > 0) refreshLater();
  let ready = false;
  await eventLoopTurns();
  while (!session.ended) {
    readable.wait(deadlines.nextMs());
    deadlines.run();
    if (readable.first && !answerOne(fd, session, options)) return;
    if (readable.second) await eventLoopTurns();
    if (!ready && session.started) {
      ready = true;
      options.onReady();
      // It may have started something that the event loop is to wait for.
      await eventLoopTurns();
    }
  }
}

/** Lets Node do what waits. What that starts is watched only when the loop turns a second time. */
async function eventLoopTurns(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
}

/** @returns false when it is unmounted */
function answerOne(fd: number, session: FuseSession, { debug }: DevFuseOptions): boolean {
  const { bytes } = session.request;
  let length: number;
  try {
    length = readSync(fd, bytes, 0, bytes.length, null);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENODEV' || code === 'ECONNABORTED') return false;
    // Nothing there any more: whoever asked was killed.
    if (code === 'EAGAIN' || code === 'EINTR' || code === 'ENOENT') return true;
    throw new PstoreError('EIO', `/dev/fuse cannot be read: ${(error as Error).message}`, { cause: error });
  }
  debug?.(describe(session.request));
  session.handle(length);
  return true;
}

/** A request in a line, for `-d`. */
function describe(request: Frame): string {
  return `${opcodeName(request.u32(IN_HEADER.opcode))} of inode ${request.u64(IN_HEADER.nodeid)}`;
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
