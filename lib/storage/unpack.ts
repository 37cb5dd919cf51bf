// Files that are not images, but become some when a program unpacks them: compressed ones, disks of virtual machines (see
// virtual-disk.ts), and what comes through a pipe. What comes out goes to a temporary file without a name, and zeros
// become holes in it, so that neither memory nor the disk pays for them.

import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { fromSystem, PstoreError } from '../errors.js';
import type { Warnings } from '../warnings.js';
import { cutBlockOfLz4 } from './cut-lz4.js';
import { FileStorage, reasonOf } from './file.js';
import { checkScratchRoom, openScratch, scratchNotWritten } from './scratch.js';
import { takeAhead } from './stdin-ahead.js';
import type { Storage } from './storage.js';
import { convertCommand, convertDisk, type DiskName, diskNamed } from './virtual-disk.js';
import { readWaiting } from './waiting.js';

interface Packing {
  readonly name: string;
  /** How a file begins, in hexadecimal digits; a dot stands for any digit. */
  readonly magic: RegExp;
  /** Programs that unpack it from standard input to standard output; the first that is installed is taken. */
  readonly programs: readonly (readonly [string, ...string[]])[];
  /** What a person types. */
  readonly advice: string;
  /** What of a cut file the programs leave out, after the bytes that they gave. */
  readonly cutPiece?: (file: Storage, unpacked: number) => Uint8Array;
}

/** Node itself, as a program that unpacks gzip. */
export const NODE_GUNZIP =
  'const z=require("zlib").createGunzip();process.stdin.pipe(z).pipe(process.stdout);z.on("error",()=>process.exit(1))';

const PACKINGS: readonly Packing[] = [
  {
    name: 'gzip',
    // RFC 1952, 2.3.1: ID1, ID2, CM 8, and FLG without its reserved bits.
    magic: /^1f8b08[01]/,
    // Asked for when it is wanted: where a snapshot of us is started, Node stands somewhere else than where it was made.
    get programs(): readonly [string, ...string[]][] {
      return [
        ['gzip', '-dc'],
        [process.execPath, '-e', NODE_GUNZIP],
      ];
    },
    advice: 'gunzip',
  },
  { name: 'xz', magic: /^fd377a585a00/, programs: [['xz', '-dc', '-T1']], advice: 'unxz' },
  { name: 'zstd', magic: /^28b52ffd/, programs: [['zstd', '-dcq', '--long=31']], advice: 'unzstd' },
  { name: 'lz4', magic: /^04224d18[4-7]/, programs: [['lz4', '-dcq']], advice: 'unlz4', cutPiece: cutBlockOfLz4 },
  { name: 'bzip2', magic: /^425a683[1-9]314159265359/, programs: [['bzip2', '-dc']], advice: 'bunzip2' },
];

const HEAD = 128;
const CHUNK = 1 << 18;
/** Runs of zeros that become holes: a file system's block. */
const BLOCK = 4096;

/** What a file is packed with. */
export type Packed = { readonly kind: 'stream'; readonly packing: Packing } | { readonly kind: 'disk'; name: DiskName };

/** Tells by its content whether a file must be unpacked before it is an image. */
export function packedAs(storage: Storage): Packed | undefined {
  const head = new Uint8Array(Math.min(HEAD, storage.size));
  const got = head.length === 0 ? 0 : storage.read(head, 0);
  const digits = (from: number) => Buffer.from(head.subarray(Math.min(from, got), got)).toString('hex');
  const packing = PACKINGS.find(({ magic }) => magic.test(digits(0)));
  if (packing) return { kind: 'stream', packing };
  const name = diskNamed(digits);
  return name && { kind: 'disk', name };
}

/** @throws PstoreError EROFS: what is packed can only be read */
export function refuseWriting(path: string, packed: Packed): never {
  const [what, how] =
    packed.kind === 'disk' ? [`a ${packed.name} disk`, convertCommand(path)] : ['compressed', packed.packing.advice];
  throw new PstoreError('EROFS', `${path} is ${what} and can only be read; unpack it first (${how})`, { path });
}

/** A file that was packed so often is a trap. */
const MAX_LAYERS = 8;

/**
 * Unpacks a file, and what comes out of it where that is packed, too.
 * @param path as it is named in messages
 * @param place where the file is opened
 * @throws PstoreError EBADMSG where nothing can be unpacked, or the program for it is not installed; ENOSPC where the
 *   temporary file has no room
 */
export function unpack(path: string, packed: Packed, warnings: Warnings, place = path): Storage {
  let storage = unpackOnce(path, packed, warnings, place);
  for (let layer = 1; layer < MAX_LAYERS; layer++) {
    const inner = packedAs(storage);
    if (!inner) break;
    const below = storage;
    try {
      storage = unpackOnce(path, inner, warnings, `/proc/${process.pid}/fd/${below.fd}`);
    } finally {
      below.close();
    }
  }
  return storage;
}

function unpackOnce(path: string, packed: Packed, warnings: Warnings, place: string): FileStorage {
  return packed.kind === 'disk'
    ? convertDisk(path, packed.name, warnings, place)
    : unpackStream(path, packed.packing, warnings, place);
}

function unpackStream(
  path: string,
  { name, programs, advice, cutPiece }: Packing,
  warnings: Warnings,
  place: string,
): FileStorage {
  const input = openSync(place, constants.O_RDONLY);
  try {
    for (const program of programs) {
      const scratch = openScratch();
      try {
        const { status, said, isWritten } = runProgram(program, input, scratch);
        if (status === undefined) {
          closeSync(scratch);
          continue;
        }
        // The image is not to blame where there is no room for what comes out of it.
        if (status !== 0 || !isWritten) checkScratchRoom(scratch, isWritten);
        if (status !== 0) {
          const { size } = fstatSync(scratch);
          const piece = cutPiece?.(new FileStorage(path, input, false, 'file'), size);
          if (piece) writeWhole(scratch, piece, size);
          sayWhatIsMissing(path, name, scratch, said, warnings);
        }
        return new FileStorage(path, scratch, false, 'file');
      } catch (error) {
        closeSync(scratch);
        throw error;
      }
    }
  } finally {
    closeSync(input);
  }
  const sentence = `${path} is ${name} data, and no program that unpacks them is installed: unpack it first (${advice})`;
  throw new PstoreError('EBADMSG', sentence, { path });
}

/** What a program that fails has given is kept: a cut file gives what it has. */
function sayWhatIsMissing(path: string, name: string, scratch: number, said: string, warnings: Warnings): void {
  const { size } = fstatSync(scratch);
  const why = said === '' ? '' : ` (${said})`;
  if (size === 0) {
    throw new PstoreError('EBADMSG', `${path} is damaged: its ${name} data cannot be unpacked${why}; copy it again`, {
      path,
      offset: 0,
    });
  }
  const sentence = `${path} is cut or damaged: its ${name} data give ${size} bytes${why}, and what these hold is shown`;
  warnings.add('medium-damaged', `${sentence}; copy it again`);
  // No partition ends inside a block.
  ftruncateSync(scratch, Math.ceil(size / BLOCK) * BLOCK);
}

/**
 * Runs a program whose output goes to the temporary file: dd makes holes where it writes zeros, and the program itself
 * writes where there is no such dd.
 * @returns its exit status, undefined where it is not installed; whether dd has written all of it
 */
function runProgram(
  program: readonly string[],
  input: number,
  output: number,
): { status: number | undefined; said: string; isWritten: boolean } {
  const script = `command -v "$1" >/dev/null || exit ${NOT_INSTALLED}
if dd conv=sparse iflag=fullblock count=0 </dev/null >/dev/null 2>&1; then
  { { "$@" 2>&3; echo $? >&4; } | dd conv=sparse iflag=fullblock bs=64K 2>/dev/null >&5; } 4>&1 || echo ${NOT_WRITTEN}
else
  "$@" 2>&3 >&5; echo $?
fi`;
  const result = spawnSync('sh', ['-c', script, 'pstorefuse', ...program], {
    stdio: [input, 'pipe', 'ignore', 'pipe', 'ignore', output],
    encoding: 'utf8',
  });
  if (result.status === NOT_INSTALLED) return { status: undefined, said: '', isWritten: true };
  const said = String(result.output[3] ?? '')
    .trim()
    .split('\n')[0]!;
  const status = Number.parseInt(result.stdout.trim(), 10);
  return { status: Number.isNaN(status) ? 1 : status, said, isWritten: !result.stdout.includes(NOT_WRITTEN) };
}

/** Stands after the exit status where dd failed. */
const NOT_WRITTEN = 'not written';

/** sh(1) ends with this where a command is not found. */
const NOT_INSTALLED = 127;

/**
 * Takes all that comes through a pipe to a temporary file, and unpacks that where it is packed.
 * @param path of the FIFO, or null for standard input
 * @throws PstoreError EIO, EACCES; ENOSPC where the temporary file has no room
 */
export function takeFromPipe(path: string | null, warnings: Warnings): Storage {
  const named = path ?? 'standard input';
  const scratch = openScratch();
  try {
    const input = path === null ? 0 : openSync(path, constants.O_RDONLY);
    try {
      copySparsely(input, scratch, path === null ? takeAhead() : new Uint8Array(0));
    } finally {
      if (path !== null) closeSync(input);
    }
    const storage = new FileStorage(named, scratch, false, 'file');
    const packed = packedAs(storage);
    if (!packed) return storage;
    const image = unpack(named, packed, warnings, `/proc/${process.pid}/fd/${scratch}`);
    storage.close();
    return image;
  } catch (error) {
    closeSync(scratch);
    throw fromSystem(error, `${named} cannot be read: ${reasonOf(error)}`, { path: named });
  }
}

/** @param first bytes of the input that were read before */
function copySparsely(input: number, output: number, first: Uint8Array): void {
  const buffer = new Uint8Array(CHUNK);
  let total = 0;
  const put = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const block = bytes.subarray(at, at + BLOCK);
      if (block.some((byte) => byte !== 0)) writeWhole(output, block, total + at);
    }
    total += bytes.length;
  };
  put(first);
  for (let got = readWaiting(input, buffer); got > 0; got = readWaiting(input, buffer)) put(buffer.subarray(0, got));
  ftruncateSync(output, total);
}

/** Writing to a nearly full disk may write a part. @throws PstoreError ENOSPC and the like */
function writeWhole(scratch: number, bytes: Uint8Array, at: number): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(scratch, bytes, done, bytes.length - done, at + done);
  } catch (error) {
    throw scratchNotWritten(error);
  }
}
