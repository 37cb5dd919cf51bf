// The server of a mount: opens the sources, builds the tree, serves it through a transport until it is unmounted.

import { spawn, spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { nowNs } from '../platform/node.js';
import {
  type FailedSource,
  labelled,
  type OpenSource,
  openSources,
  parseSource,
  realPath,
  TextCache,
  updateMsOf,
} from '../source/sources.js';
import { Tree } from '../tree/tree.js';
import { mountArguments, serveDevFuse } from './dev-fuse.js';
import { checkFuse } from './device.js';
import { CONTROL_FD, FUSE_FD, type ServerMessage, type Unmounting } from './launch.js';
import { checkMountPoint, unmountCommand } from './mountpoint.js';
import type { MountOptions, Transport } from './options.js';
import { environment } from './programs.js';
import type { ServeOptions } from './transport.js';

export interface ServerOptions {
  readonly sources: readonly string[];
  readonly mountPoint: string;
  readonly mount: MountOptions;
  /** Whether the parent has opened /dev/fuse and hands it on. */
  readonly hasFuse: boolean;
  readonly report: Report;
}

/** What is said to the person before the mount answers. */
export interface Report {
  warnings(source: OpenSource): void;
  failure(failed: FailedSource): void;
  log(line: string): void;
  /** `-d`: what is done. */
  readonly debug: ((line: string) => void) | undefined;
}

/**
 * Serves until it is unmounted.
 * @throws PstoreError what keeps the mount from being made
 */
export async function serve(options: ServerOptions): Promise<void> {
  const { mount, report } = options;
  const images = options.sources.map((text) => realPath(parseSource(text).path));
  const mountPoint = checkMountPoint(options.mountPoint, { nonempty: mount.nonempty, images });
  checkFuse(mount);
  const transport = chooseTransport(mount.transport, options.hasFuse);
  const { opened, failed } = openSources(
    options.sources,
    {
      sharedKeys: mount.sourceKeys,
      mode: mount.readOnly ? 'read' : 'try',
      cache: new TextCache(mount.cache),
      strict: mount.strict,
    },
    mount.backends,
  );
  const close = () => {
    for (const { backend } of opened) backend.close();
  };
  try {
    if (failed.length > 0 && (mount.strict || opened.length === 0)) throw failed[0]!.error;
    for (const failure of failed) report.failure(failure);
    if (failed.length > 0) {
      report.log(`${options.mountPoint}: mounted without ${failed.map(({ spec }) => spec.path).join(', ')}`);
    }
    for (const source of opened) report.warnings(source);
    const mounted = labelled(opened);
    const tree = new Tree(mounted, {
      layout: mount.layout,
      readOnly: mount.readOnly,
      uid: mount.uid ?? process.getuid!(),
      gid: mount.gid ?? process.getgid!(),
      umask: mount.umask,
      mountTimeNs: nowNs(),
    });
    const fsname = mount.fsname ?? (opened.length === 1 ? realPath(opened[0]!.spec.path) : 'pstorefuse');
    const idle = mount.idleSeconds === null ? undefined : new IdleTimer(mount.idleSeconds, mountPoint);
    const unmounting = unmountingOf(mountPoint);
    for (const { label, backend, source } of mounted) {
      report.debug?.(`${backend.path} as ${label}, a source of ${source.kind.name}, ${backend.slots} slots`);
    }
    report.debug?.(`mounting at ${mountPoint} by ${transport}`);
    const served: ServeOptions = {
      mountPoint,
      fsname: transport === 'fuse-native' && /[,\\]/.test(fsname) && mount.fsname === null ? 'pstorefuse' : fsname,
      readOnly: mount.readOnly,
      updateMs: shortestUpdateMs(opened),
      mount,
      onReady: () => {
        tell({ ready: true, complete: failed.length === 0, unmount: unmounting });
        report.debug?.('the mount answers');
        idle?.touch();
      },
      onActivity: () => idle?.touch(),
      log: report.log,
      debug: report.debug,
    };
    // The file system that we were called from is not to be kept busy; a folder's files are yet to be found by its path.
    if (opened.every(({ kind }) => kind.source === 'file')) process.chdir('/');
    await serveBy(transport, tree, served, unmounting);
    report.debug?.('unmounted');
    idle?.stop();
  } finally {
    close();
  }
}

/** dev-fuse where root has the device, fuse-native for everybody else. */
function chooseTransport(wanted: Transport, hasFuse: boolean): 'dev-fuse' | 'fuse-native' {
  if (wanted === 'dev-fuse' && !hasFuse) {
    throw new PstoreError('EPERM', 'the transport dev-fuse is for root only; take --transport fuse-native');
  }
  return wanted === 'auto' ? (hasFuse ? 'dev-fuse' : 'fuse-native') : wanted;
}

function unmountingOf(mountPoint: string): Unmounting {
  return { command: unmountCommand(false) ?? ['false'], lazyCommand: unmountCommand(true) ?? ['false'], mountPoint };
}

/** The shortest update_ms of all sources; 0 where none has one. */
function shortestUpdateMs(sources: readonly OpenSource[]): number {
  const given = sources.map(({ keys }) => updateMsOf(keys)).filter((ms) => ms !== undefined);
  return given.length === 0 ? 0 : Math.min(...given);
}

/** A line to the parent, which may have left. */
function tell(message: ServerMessage): void {
  try {
    writeSync(CONTROL_FD, `${JSON.stringify(message)}\n`);
  } catch {
    // Nobody waits for it.
  }
}

async function serveBy(
  transport: 'dev-fuse' | 'fuse-native',
  tree: Tree,
  options: ServeOptions,
  unmounting: Unmounting,
): Promise<void> {
  if (transport === 'fuse-native') {
    const { serveFuseNative } = await import('./fuse-native.js');
    unmountOnSignals(unmounting);
    await serveFuseNative(tree, options);
    return;
  }
  tell({ mount: mountArguments(options), unmount: unmounting });
  serveDevFuse(FUSE_FD, tree, options);
}

/**
 * Without this, libfuse would take the signals, and stop to answer without unmounting. Nothing is waited for: umount(8)
 * itself may ask the mount.
 */
function unmountOnSignals({ command, lazyCommand, mountPoint }: Unmounting): void {
  const run = ([program, ...args]: readonly string[]) =>
    spawn(program!, [...args, '--', mountPoint], { env: environment(), stdio: 'ignore' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => run(command).on('close', (status) => status !== 0 && run(lazyCommand)));
  }
}

/**
 * `timeout=`: a process beside the server that sleeps, then unmounts; every use starts it anew. The server itself may
 * be waiting in the kernel and has no timer, nor could it reap a child: the shell leaves the sleeper to init.
 */
class IdleTimer {
  /** It is not started anew more often than this. */
  static readonly STEP_MS = 500;
  /** Uses that came too soon to be told, or to start it anew, in seconds. */
  static readonly SLACK = 1.5;
  /** While umount(8) runs it is not stopped: it may ask the mount itself, which is a use that starts a new sleeper. */
  static readonly SLEEPER = `server=$1; seconds=$2; dir=$3; shift 3; stopped=
while sleep "$seconds" && kill -0 "$server"; do
  trap 'stopped=1' TERM
  (trap '' TERM; exec "$@" -- "$dir") && exit
  [ -z "$stopped" ] || exit
  trap - TERM
done`;

  readonly #seconds: number;
  readonly #mountPoint: string;
  #sleeper = 0;
  #armed = 0;

  constructor(seconds: number, mountPoint: string) {
    this.#seconds = seconds;
    this.#mountPoint = mountPoint;
  }

  touch(): void {
    const now = Date.now();
    const command = unmountCommand(false);
    if (now - this.#armed < IdleTimer.STEP_MS || !command) return;
    this.#armed = now;
    this.stop();
    const start = 'setsid sh -c "$0" pstorefuse "$@" </dev/null >/dev/null 2>&1 & echo $!';
    const numbers = [process.pid, this.#seconds + IdleTimer.SLACK].map(String);
    const args = ['-c', start, IdleTimer.SLEEPER, ...numbers, this.#mountPoint, ...command];
    const { stdout } = spawnSync('sh', args, { env: environment(), encoding: 'utf8' });
    this.#sleeper = Number(stdout);
  }

  stop(): void {
    if (!(this.#sleeper > 0)) return;
    try {
      process.kill(-this.#sleeper, 'SIGTERM');
    } catch {
      // It has unmounted and ended.
    }
    this.#sleeper = 0;
  }
}
