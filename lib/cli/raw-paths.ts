// Paths that are no UTF-8. To Linux a path is bytes, and Node makes text of it: what is no UTF-8 is lost then.
//
// Here such a byte becomes the lone surrogate U+DC00 + byte, which no text has otherwise (Python's "surrogateescape" does
// the same), and becomes the byte again where a path goes to the system. Both ends are in this file: the arguments come in
// by rawArguments(), and passRawPaths() is before the functions of node:fs, so that nothing in between has to know of it.

import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What Node puts in the place of bytes that it does not understand. */
const REPLACEMENT = '\ufffd';
/** Not the second half of a character beyond U+FFFF. */
const LONE = /(?<![\ud800-\udbff])[\udc80-\udcff]/;
const LONE_BYTES = new RegExp(`(${LONE.source})`);
const SURROGATES = 0xdc00;

/** The bytes of a path; the text itself where it is one, which is nearly always. */
export function pathBytes(text: string): string | Buffer {
  if (!LONE.test(text)) return text;
  const parts = text.split(LONE_BYTES);
  return Buffer.concat(parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part) : byteOf(part))));
}

const byteOf = (surrogate: string) => Buffer.of(surrogate.charCodeAt(0) - SURROGATES);

/** A text from which pathBytes() makes the same bytes. */
export function pathText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8');
  if (!text.includes(REPLACEMENT)) return text;
  let made = '';
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    made += length > 0 ? Buffer.from(bytes.subarray(at, at + length)).toString('utf8') : surrogateOf(bytes[at]!);
    at += Math.max(1, length);
  }
  return made;
}

const surrogateOf = (byte: number) => String.fromCharCode(SURROGATES + byte);

/** Bytes of the UTF-8 character that begins there; 0 where none does. */
function characterLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    const one = Buffer.from(bytes.subarray(at, at + length));
    if (Buffer.from(one.toString('utf8')).equals(one)) return length;
  }
  return 0;
}

/** The arguments as they were given. @param argv as Node has them: a last part of all that the process was called with */
export function rawArguments(argv: readonly string[]): readonly string[] {
  if (!argv.some((arg) => arg.includes(REPLACEMENT))) return argv;
  try {
    const all = readFileSync('/proc/self/cmdline', 'latin1').split('\0').slice(0, -1);
    return all.slice(-argv.length).map((arg) => pathText(Buffer.from(arg, 'latin1')));
  } catch {
    // Without /proc there is nothing better.
    return argv;
  }
}

/** Functions of node:fs whose first argument is a path. */
const OF_A_PATH = [
  'accessSync',
  'createReadStream',
  'existsSync',
  'lstatSync',
  'mkdirSync',
  'openSync',
  'readFileSync',
  'readdirSync',
  'readlinkSync',
  'statSync',
  'statfsSync',
  'truncateSync',
  'unlinkSync',
  'watch',
  'writeFileSync',
] as const;
const OF_TWO_PATHS = ['linkSync', 'renameSync'] as const;

type Function = (...args: unknown[]) => unknown;

/** From now on the functions of node:fs take the paths of rawArguments(), in this thread. */
export function passRawPaths(): void {
  const { native } = realpathSync;
  const fs = createRequire(import.meta.url)('node:fs') as Record<string, Function>;
  const bytesOf = (value: unknown) => (typeof value === 'string' ? pathBytes(value) : value);
  for (const name of OF_A_PATH) {
    const call = fs[name]!;
    fs[name] = (path, ...rest) => call(bytesOf(path), ...rest);
  }
  for (const name of OF_TWO_PATHS) {
    const call = fs[name]!;
    fs[name] = (from, to) => call(bytesOf(from), bytesOf(to));
  }
  const { readdirSync } = fs;
  fs.readdirSync = (path, ...options) => {
    const names = readdirSync!(path, ...options) as string[];
    if (options.length > 0 || !names.some((name) => name.includes(REPLACEMENT))) return names;
    return (readdirSync!(path, 'buffer') as Uint8Array[]).map(pathText);
  };
  // Where a link leads may be no UTF-8 either.
  const realpath = (path: string) => pathText(native(pathBytes(path), 'buffer'));
  fs.realpathSync = Object.assign(realpath, { native: realpath }) as Function;
}
