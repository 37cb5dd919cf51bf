// The parent of a mount: starts the server under a supervisor, makes the mount for it where root can, waits until it
// answers, and then leaves it alone – or stays, in the foreground.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { MOUNT_TYPE, mountAt } from '../storage/mountinfo.js';
import { environment, isRoot } from './programs.js';

/**
 * How the server's Node keeps its memory small: what answering a request leaves behind is taken away early, and what
 * opening the sources left, once before it serves.
 */
export const LEAN = ['--max-semi-space-size=2', '--expose-gc'];

/** What the server says to its parent, a line of JSON each. */
export type ServerMessage =
  /** Please run mount(8) with the descriptor of /dev/fuse: arguments, and how to unmount. */
  | { readonly mount: readonly string[]; readonly unmount: Unmounting }
  /** The mount answers. */
  | { readonly ready: true; readonly complete: boolean; readonly unmount: Unmounting };

/** What the supervisor needs to know to unmount. The words of a command have no spaces. */
export interface Unmounting {
  readonly command: readonly string[];
  readonly lazyCommand: readonly string[];
  readonly mountPoint: string;
}

/** First argument of the server: whether it is given the descriptor of /dev/fuse. */
export const WITH_FUSE = 'fuse';
export const WITHOUT_FUSE = 'no-fuse';
/** Descriptors of the server: 3 is the pipe to the parent, 4 is /dev/fuse where root has opened it. */
export const CONTROL_FD = 3;
export const FUSE_FD = 4;

export interface LaunchOptions {
  /** Script of the server, for this same Node. */
  readonly server: string;
  /** Arguments of the mount, as a person gave them. */
  readonly args: readonly string[];
  readonly foreground: boolean;
  /** Prints what the server said on its standard error. */
  readonly relay: (text: Uint8Array) => void;
  /** Prints one sentence of our own. */
  readonly complain: (sentence: string) => void;
}

/**
 * The supervisor: reads how and what to unmount from its standard input, unmounts when it is told to end, and takes a
 * mount away whose server has died. The shell is small, and has an event loop where the server has none. It says
 * nothing: where its words would go, nobody listens any more. It keeps no file system busy. A wait that a signal ends
 * is begun again: only then the status is the server's, and 127 says that it was known before.
 */
const SUPERVISOR = `
"$@" </dev/null &
server=$!
exec 3>&- 4>&- 2>/dev/null
cd /
dir=
early= known= gone=
stop() {
  interrupted=1
  [ -z "$gone" ] || return 0
  if [ -z "$dir" ]; then
    early=1
    [ -z "$known" ] || kill "$server"
    return
  fi
  if $command -- "$dir" || $lazy -- "$dir" || umount -f -- "$dir"; then gone=1; else kill "$server"; fi
}
trap stop TERM INT HUP
told=$(cat; printf .)
exec </dev/null
line='
'
told=\${told%.}; command=\${told%%"$line"*}; told=\${told#*"$line"}; lazy=\${told%%"$line"*}; dir=\${told#*"$line"}
known=1
[ -z "$early" ] || stop
while :; do
  interrupted=
  wait "$server"; ended=$?
  [ "$ended" = 127 ] || status=$ended
  [ -n "$interrupted" ] || break
done
[ "$status" = 0 ] || [ -z "$dir" ] || [ -n "$gone" ] || $lazy -- "$dir"
exit "$status"
`;

/** Some sources failed, the rest is mounted. */
const PARTLY = 1;
/** mount(8)'s failure, by its own exit codes. */
const MOUNT_FAILED = 69;
const BUG = 70;

/** Node reads these certificates whenever it starts, which takes longer than all else; the server needs none. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...rest } = environment();
  return rest;
}

/** The mount answers, with all its sources or without some. */
interface Ready {
  readonly complete: boolean;
  readonly mountPoint: string;
}

/** @returns the exit status of the command */
export async function launch(options: LaunchOptions): Promise<number> {
  const fuse = openFuse();
  const server = [options.server, fuse === undefined ? WITHOUT_FUSE : WITH_FUSE, ...options.args];
  const command = [process.execPath, ...process.execArgv, ...LEAN, ...server];
  const child = spawn('sh', ['-c', 'eval "$PSTOREFUSE_SUPERVISOR"', 'pstorefuse', ...command], {
    // Whoever reads our standard output waits for its end: the server must not hold it.
    stdio: ['pipe', 'ignore', 'pipe', 'pipe', fuse ?? 'ignore'],
    detached: true,
    // In the environment, so that a list of processes stays readable.
    env: { ...serverEnvironment(), PSTOREFUSE_SUPERVISOR: SUPERVISOR },
  });
  const ended = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      options.complain(`the server could not be started: ${error.message}`);
      resolve(BUG);
    });
    child.on('close', (code) => resolve(code ?? BUG));
  });
  child.stderr!.on('data', options.relay);
  const supervisor = new Supervisor(child.stdin as Writable);
  const forward = () => {
    child.kill('SIGTERM');
    supervisor.nothing();
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  const first = await Promise.race([ended, handleMessages(child, supervisor, fuse, options)]);
  if (fuse !== undefined) closeSync(fuse);
  if (typeof first === 'number') {
    child.kill('SIGTERM');
    return first;
  }
  const good = first.complete ? 0 : PARTLY;
  if (options.foreground) return (await endedInForeground(ended, first.mountPoint, options)) || good;
  child.stderr!.destroy();
  child.unref();
  return good;
}

/** Each of them unmounts. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Servers of mounts that nobody uses have ended by then. */
const PATIENCE_MS = 2000;

/** A program may still use a mount that a signal has taken away: then it is said what is waited for. */
async function endedInForeground(
  ended: Promise<number>,
  mountPoint: string,
  { complain }: LaunchOptions,
): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    if (mountAt(mountPoint)?.type === MOUNT_TYPE) return;
    clearInterval(timer);
    complain(`${mountPoint} is unmounted; waiting for the programs that still use it`);
  };
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      timer ??= setInterval(look, PATIENCE_MS);
    });
  }
  const status = await ended;
  clearInterval(timer);
  return status;
}

/** /dev/fuse, where root can open it; why it cannot be opened is the server's to say. */
function openFuse(): number | undefined {
  if (!isRoot()) return undefined;
  try {
    return openSync('/dev/fuse', 'r+');
  } catch {
    return undefined;
  }
}

/** What the supervisor reads: how to unmount what is mounted, and only that; below it may be a mount that is not ours. */
class Supervisor {
  readonly #input: Writable;
  #isMounting = false;

  constructor(input: Writable) {
    this.#input = input;
    // It may be gone before it was told: its end is what counts.
    input.on('error', () => {});
  }

  /** mount(8) is at work: until it has ended, nobody knows whether there is something to unmount. */
  mounting(): void {
    this.#isMounting = true;
  }

  tell({ command, lazyCommand, mountPoint }: Unmounting): void {
    if (!this.#input.writableEnded) {
      this.#input.end(`${command.join(' ')}\n${lazyCommand.join(' ')}\n${mountPoint}`);
    }
  }

  refused(): void {
    this.#isMounting = false;
    this.nothing();
  }

  /** Nothing is mounted yet, and nothing will be. */
  nothing(): void {
    if (!this.#isMounting) this.#input.end();
  }
}

/** @returns that the mount answers, or the exit status when it could not be made */
function handleMessages(
  child: ChildProcess,
  supervisor: Supervisor,
  fuse: number | undefined,
  options: LaunchOptions,
): Promise<Ready | number> {
  return new Promise((resolve) => {
    const handle = (message: ServerMessage) => {
      if ('ready' in message) {
        supervisor.tell(message.unmount);
        resolve({ complete: message.complete, mountPoint: message.unmount.mountPoint });
        return;
      }
      supervisor.mounting();
      runMount(message.mount, fuse!, options, (status) => {
        if (status === 0) supervisor.tell(message.unmount);
        else {
          supervisor.refused();
          resolve(status);
        }
      });
    };
    let pending = '';
    const control = child.stdio[CONTROL_FD] as Readable;
    control.setEncoding('utf8').on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop()!;
      for (const line of lines) handle(JSON.parse(line) as ServerMessage);
    });
    control.on('close', () => supervisor.nothing());
  });
}

function runMount(
  args: readonly string[],
  fuse: number,
  { complain }: LaunchOptions,
  done: (status: number) => void,
): void {
  const mount = spawn('mount', [...args], { stdio: ['ignore', 'ignore', 'pipe', fuse], env: environment() });
  let said = '';
  mount.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  mount.on('error', (error) => {
    complain(`the program mount could not be started: ${error.message}`);
    done(MOUNT_FAILED);
  });
  mount.on('close', (code) => {
    if (code !== 0) complain(`the kernel refused the mount: ${said.trim().split('\n')[0]}`);
    done(code === 0 ? 0 : MOUNT_FAILED);
  });
}
