// A mount for tests: a server process, and clients as processes of their own, each with a time limit. The
// test's own process never touches the mount.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServerPlan } from './dev-fuse-server.js';

const SERVER = fileURLToPath(new URL('dev-fuse-server.js', import.meta.url));
const LIMIT_MS = 20_000;

/** Python itself: a wrapper that chooses one would be started for each client. */
const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout?.trim();

/** Why no mount can be made here, or false. */
export const cannotMount: string | false =
  process.getuid?.() !== 0
    ? 'only root can mount through /dev/fuse'
    : !existsSync('/dev/fuse')
      ? 'there is no /dev/fuse'
      : !python
        ? 'the clients need python3'
        : false;

export interface Ended {
  /** Exit status of the server. */
  readonly code: number | null;
  /** What it logged. */
  readonly log: string;
}

export class TestMount {
  readonly directory: string;
  readonly #server: ChildProcess;
  #log = '';
  readonly #ended: Promise<number | null>;

  private constructor(directory: string, server: ChildProcess) {
    this.directory = directory;
    this.#server = server;
    server.stderr!.setEncoding('utf8').on('data', (text) => {
      this.#log += text;
    });
    this.#ended = new Promise((resolve) => server.on('close', (code) => resolve(code)));
  }

  /** Starts the server, which makes the mount. */
  static async make(plan: ServerPlan): Promise<TestMount> {
    const directory = mkdtempSync(join(tmpdir(), 'dev-fuse-'));
    const args = [SERVER, JSON.stringify(plan), directory];
    const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const mount = new TestMount(directory, server);
    let said = '';
    server.stdout!.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    const limit = Date.now() + LIMIT_MS;
    while (!said.includes('ready')) {
      if (Date.now() > limit || server.exitCode !== null) {
        await mount.end();
        throw new Error(`the server is not ready: ${mount.#log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return mount;
  }

  /**
   * Runs a Python script in the mount: `root` is its path, `args` the other arguments.
   * @returns what the script gave to `give()`
   */
  async python<T>(script: string, ...args: string[]): Promise<T> {
    const prelude =
      'import errno, hashlib, json, os, stat, sys\n' +
      'root, args = sys.argv[1], sys.argv[2:]\n' +
      'def give(value): print(json.dumps(value))\n' +
      'def failure(call):\n' +
      '    try: call(); return "success"\n' +
      '    except OSError as error: return errno.errorcode[error.errno]\n';
    return JSON.parse(await this.run(python, '-I', '-S', '-c', prelude + script, this.directory, ...args)) as T;
  }

  /** Runs a program. @returns its standard output */
  async run(program: string, ...args: string[]): Promise<string> {
    const client = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => client.kill('SIGKILL'), LIMIT_MS);
    let out = '';
    let err = '';
    client.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
    });
    client.stderr.setEncoding('utf8').on('data', (text) => {
      err += text;
    });
    const [code, signal] = await once(client, 'close');
    clearTimeout(timer);
    if (code !== 0) throw new Error(`${program} ended with ${code ?? signal}: ${err}`);
    return out;
  }

  /** Kills the server, as the kernel does when memory is short. */
  kill(): void {
    this.#server.kill('SIGKILL');
  }

  /** Unmounts, whatever has happened, and waits for the server. */
  async end(): Promise<Ended> {
    for (const args of [[], ['-l'], ['-f']]) {
      if (spawnSync('umount', [...args, this.directory], { timeout: 5000 }).status === 0) break;
    }
    const timer = setTimeout(() => this.#server.kill('SIGKILL'), 5000);
    const code = await this.#ended;
    clearTimeout(timer);
    try {
      rmdirSync(this.directory);
    } catch {
      // Still mounted: nothing behind it answers any more.
    }
    return { code, log: this.#log };
  }
}
