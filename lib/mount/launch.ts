// The parent of a mount: starts the server under a supervisor, makes the mount for it where root can, waits until it
// answers, and then leaves it alone – or stays, in the foreground.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { environment, isRoot } from './programs.js';

/** What the server says to its parent, a line of JSON each. */
export type ServerMessage =
  /** Please run mount(8) with the descriptor of /dev/fuse: arguments, and how to unmount. */
  | { readonly mount: readonly string[]; readonly unmount: Unmounting }
  /** The mount answers. */
  | { readonly ready: true; readonly unmount: Unmounting };

/** What the supervisor needs to know to unmount. */
export interface Unmounting {
  readonly command: readonly string[];
  readonly lazyCommand: readonly string[];
  readonly mountPoint: string;
}

/** Descriptors of the server: 3 is the pipe to the parent, 4 is /dev/fuse where root has opened it. */
export const CONTROL_FD = 3;
export const FUSE_FD = 4;

export interface LaunchOptions {
  /** Script and arguments of the server, for this same Node. */
  readonly server: readonly string[];
  readonly foreground: boolean;
  /** Prints what the server said on its standard error. */
  readonly relay: (text: Uint8Array) => void;
  /** Prints one sentence of our own. */
  readonly complain: (sentence: string) => void;
}

/**
 * The supervisor: reads how and what to unmount from its standard input, unmounts when it is told to end, and takes a
 * mount away whose server has died. The shell is small, and has an event loop where the server has none.
 */
const SUPERVISOR = `
"$@" </dev/null &
server=$!
exec 3>&- 4>&-
IFS= read -r command; IFS= read -r lazy; IFS= read -r dir
exec </dev/null
stop() {
  [ -n "$dir" ] || { kill "$server"; return; }
  $command -- "$dir" 2>/dev/null || $lazy -- "$dir" 2>/dev/null || umount -f -- "$dir" 2>/dev/null || kill "$server"
}
trap stop TERM INT HUP
while :; do
  wait "$server"; status=$?
  kill -0 "$server" 2>/dev/null || break
done
[ "$status" = 0 ] || [ -z "$dir" ] || $lazy -- "$dir" 2>/dev/null
exit "$status"
`;

/** mount(8)'s failure, by its own exit codes. */
const MOUNT_FAILED = 69;
const BUG = 70;

/** @returns the exit status of the command */
export async function launch(options: LaunchOptions): Promise<number> {
  const fuse = openFuse();
  const server = [process.execPath, ...process.execArgv, ...options.server];
  const child = spawn('sh', ['-c', 'eval "$PSTOREFUSE_SUPERVISOR"', 'pstorefuse', ...server], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe', fuse ?? 'ignore'],
    detached: true,
    // In the environment, so that a list of processes stays readable.
    env: { ...environment(), PSTOREFUSE_SUPERVISOR: SUPERVISOR },
  });
  const ended = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      options.complain(`the server could not be started: ${error.message}`);
      resolve(BUG);
    });
    child.on('close', (code) => resolve(code ?? BUG));
  });
  child.stderr!.on('data', options.relay);
  // The supervisor may be gone before it was told what to unmount: its end is what counts.
  (child.stdin as Writable).on('error', () => {});
  const forward = () => child.kill('SIGTERM');
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  const ready = handleMessages(child, fuse, options);
  const first = await Promise.race([ended, ready]);
  if (fuse !== undefined) closeSync(fuse);
  if (typeof first === 'number' && first !== READY) {
    child.kill('SIGTERM');
    return first;
  }
  if (options.foreground) return await ended;
  child.stderr!.destroy();
  child.unref();
  return 0;
}

const READY = 0;

/** /dev/fuse, where root can open it; why it cannot be opened is the server's to say. */
function openFuse(): number | undefined {
  if (!isRoot()) return undefined;
  try {
    return openSync('/dev/fuse', 'r+');
  } catch {
    return undefined;
  }
}

/** @returns 0 when the mount answers, or the exit status of a mount that could not be made */
function handleMessages(child: ChildProcess, fuse: number | undefined, options: LaunchOptions): Promise<number> {
  let told = false;
  const tell = ({ command, lazyCommand, mountPoint }: Unmounting) => {
    if (!told) (child.stdin as Writable).end(`${command.join(' ')}\n${lazyCommand.join(' ')}\n${mountPoint}\n`);
    told = true;
  };
  return new Promise((resolve) => {
    let pending = '';
    const control = child.stdio[CONTROL_FD] as Readable;
    control.setEncoding('utf8').on('data', (text: string) => {
      pending += text;
      const lines = pending.split('\n');
      pending = lines.pop()!;
      for (const line of lines) {
        const message = JSON.parse(line) as ServerMessage;
        tell(message.unmount);
        if ('ready' in message) resolve(READY);
        else runMount(message.mount, fuse!, options, (status) => status !== 0 && resolve(status));
      }
    });
    control.on('close', () => (child.stdin as Writable).end());
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
