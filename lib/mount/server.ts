// The server of a mount: opens the sources, builds the tree, serves it through a transport until it is unmounted.

import { closeSync } from 'node:fs';

import { nowNs } from '#platform';
import { PstoreError } from '../errors.js';
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
import { useDeviceCalls } from '../storage/device-calls.js';
import { takeLocksBy } from '../storage/lock.js';
import { Tree, type TreeOptions } from '../tree/tree.js';
import { RecordAttributes } from '../triage/attributes.js';
import { Deadlines } from './deadlines.js';
import { serveDevFuse } from './dev-fuse.js';
import { checkFuse } from './device.js';
import { startersFds, Variable } from './launch.js';
import { checkMountPoint } from './mountpoint.js';
import type { MountOptions } from './options.js';
import { makeMount, OwnMount } from './own-mount.js';
import {
  hasSystemCalls,
  leaveSession,
  lockExclusively,
  missingForSystemCalls,
  setEndsWithReader,
  systemDeviceCalls,
} from './syscalls.js';
import type { ServeOptions } from './transport.js';

export interface ServerOptions {
  readonly sources: readonly string[];
  readonly mountPoint: string;
  readonly mount: MountOptions;
  readonly report: Report;
  readonly hooks: {
    /** Called when the mount answers, with the exit status. @returns false when nobody waits for it any more */
    onReady(status: number): boolean;
    /** Called when the mount has answered, and there is time for other things. */
    onIdle(): void;
  };
}

/** What is said to the person before the mount answers. */
export interface Report {
  warnings(source: OpenSource): void;
  failure(failed: FailedSource): void;
  log(line: string): void;
  /** `-d`: what is done. */
  readonly debug: ((line: string) => void) | undefined;
}

type Transport = 'dev-fuse' | 'fuse-native';

/** Each of them unmounts. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Servers of mounts that nobody uses have ended by then. */
const PATIENCE_MS = 2000;
/** Uses that follow another one so soon are not told to onActivity. */
const SLACK_MS = 1500;
/** After this long the first listing is over. */
const TIDY_AFTER_MS = 500;
/** sysexits.h, and 1: a part failed, the rest is done. */
const OK = 0;
const PARTLY = 1;

/**
 * Serves until it is unmounted.
 * @throws PstoreError what keeps the mount from being made
 */
export async function serve(options: ServerOptions): Promise<number> {
  const { mount, report } = options;
  const transport: Transport = mount.transport === 'fuse-native' ? 'fuse-native' : 'dev-fuse';
  const missing = missingForSystemCalls();
  if (missing !== undefined && transport === 'dev-fuse') {
    throw new PstoreError('ENODEV', `a mount needs ${missing}, or take --transport fuse-native`);
  }
  if (missing === undefined) {
    takeLocksBy(lockExclusively);
    useDeviceCalls(systemDeviceCalls);
  }
  if (!endWithStarter(true)) return PARTLY;
  const images = options.sources.map((text) => realPath(parseSource(text).path));
  const mountPoint = checkMountPoint(options.mountPoint, { nonempty: mount.nonempty, images });
  checkFuse(mount);
  const { opened, failed } = openSources(
    options.sources,
    {
      sharedKeys: mount.sourceKeys,
      mode: mount.readOnly ? 'read' : 'try',
      writesForeign: mount.writesForeign,
      cache: new TextCache(mount.cache),
      strict: mount.strict,
    },
    mount.backends,
  );
  try {
    if (!endWithStarter(false)) return PARTLY;
    reportSources(options, opened, failed);
    const status = failed.length > 0 ? PARTLY : OK;
    await new Serving(options, transport, mountPoint, opened, status).run();
    report.debug?.('unmounted');
    return status;
  } finally {
    for (const { backend } of opened) backend.close();
  }
}

/**
 * Opening the sources may take a while, in which nothing else is done and the images are locked. If the command that waits
 * is killed then, this process ends at once. Once there may be a mount it does not: Serving takes that away.
 * @returns false where the command is gone already
 */
function endWithStarter(ends: boolean): boolean {
  return !hasSystemCalls() || startersFds().every((fd) => setEndsWithReader(fd, ends));
}

function reportSources(
  { mountPoint, report }: ServerOptions,
  opened: readonly OpenSource[],
  failed: readonly FailedSource[],
): void {
  for (const failure of failed) report.failure(failure);
  if (failed.length > 0) {
    report.log(`${mountPoint}: mounted without ${failed.map(({ spec }) => spec.path).join(', ')}`);
  }
  for (const source of opened) report.warnings(source);
}

/** One mount, from when its sources are open until it is gone. */
class Serving {
  readonly #options: ServerOptions;
  readonly #transport: Transport;
  readonly #mountPoint: string;
  readonly #opened: readonly OpenSource[];
  readonly #status: number;
  readonly #deadlines = new Deadlines();
  #own: OwnMount | undefined;

  constructor(
    options: ServerOptions,
    transport: Transport,
    mountPoint: string,
    opened: readonly OpenSource[],
    status: number,
  ) {
    this.#options = options;
    this.#transport = transport;
    this.#mountPoint = mountPoint;
    this.#opened = opened;
    this.#status = status;
  }

  async run(): Promise<void> {
    const { report } = this.#options;
    const mounted = labelled(this.#opened);
    for (const { label, backend, source } of mounted) {
      report.debug?.(`${backend.path} as ${label}, a source of ${source.kind.name}, ${backend.slots} slots`);
    }
    report.debug?.(`mounting at ${this.#mountPoint} by ${this.#transport}`);
    const { layout, readOnly, uid, gid, umask, joined, erased } = this.#options.mount;
    const owner = { uid: uid ?? process.getuid!(), gid: gid ?? process.getgid!() };
    const attributes = new RecordAttributes();
    const understand: TreeOptions['understand'] = (kept) => attributes.of(kept);
    const shown = { layout, readOnly, ...owner, umask, joined, erased, understand };
    const tree = new Tree(mounted, { ...shown, mountTimeNs: nowNs() });
    const served = this.#serveOptions();
    for (const signal of SIGNALS) process.on(signal, () => this.#stop());
    // The file system that we were called from is not to be kept busy; a folder's files are yet to be found by its path.
    if (this.#opened.every(({ kind }) => kind.source === 'file')) process.chdir('/');
    if (process.env[Variable.WAITING] !== undefined && hasSystemCalls()) leaveSession();
    try {
      await this.#serve(tree, served);
    } finally {
      this.#own?.end({ lazily: true });
    }
  }

  async #serve(tree: Tree, served: ServeOptions): Promise<void> {
    if (this.#transport === 'fuse-native') {
      const { serveFuseNative } = await import('./fuse-native.js');
      return await serveFuseNative(tree, served);
    }
    const fd = makeMount(served);
    this.#own = new OwnMount(this.#mountPoint, true);
    try {
      await serveDevFuse(fd, tree, served);
    } finally {
      closeSync(fd);
    }
  }

  #serveOptions(): ServeOptions {
    const { mount, report } = this.#options;
    return {
      mountPoint: this.#mountPoint,
      fsname: this.#fsname(),
      readOnly: mount.readOnly,
      updateMs: shortestUpdateMs(this.#opened),
      mount,
      deadlines: this.#deadlines,
      onReady: () => this.#ready(),
      onActivity: () => this.#used(),
      log: report.log,
      debug: report.debug,
    };
  }

  /** What stands as the source in /proc/mounts. */
  #fsname(): string {
    const given = this.#options.mount.fsname;
    if (given !== null) return given;
    const path = this.#opened.length === 1 ? realPath(this.#opened[0]!.spec.path) : 'pstorefuse';
    return this.#transport === 'fuse-native' && /[,\\]/.test(path) ? 'pstorefuse' : path;
  }

  /** The mount answers. */
  #ready(): void {
    this.#own ??= new OwnMount(this.#mountPoint, false);
    this.#options.report.debug?.('the mount answers');
    this.#used();
    // Whoever has started us was killed: nobody knows of this mount.
    if (!this.#options.hooks.onReady(this.#status)) this.#own.end({ lazily: true });
    this.#deadlines.set('tidy', TIDY_AFTER_MS, () => {
      // What opening the sources has left behind.
      globalThis.gc?.();
      this.#options.hooks.onIdle();
    });
  }

  /** `timeout=`: unmounts what nobody has used for that long, and what nobody uses then. */
  #used(): void {
    const { idleSeconds } = this.#options.mount;
    if (idleSeconds === null) return;
    this.#deadlines.set('idle', idleSeconds * 1000 + SLACK_MS, () => {
      this.#own?.end({ lazily: false });
      this.#used();
    });
  }

  #stop(): void {
    this.#own?.end({ lazily: true });
    this.#deadlines.set('patience', PATIENCE_MS, () => {
      const sentence = `${this.#mountPoint} is unmounted; waiting for the programs that still use it`;
      if (!this.#own?.isOnTop()) this.#options.report.log(sentence);
    });
  }
}

/** The shortest update_ms of all sources; 0 where none has one. */
function shortestUpdateMs(sources: readonly OpenSource[]): number {
  const given = sources.map(({ keys }) => updateMsOf(keys)).filter((ms) => ms !== undefined);
  return given.length === 0 ? 0 : Math.min(...given);
}
