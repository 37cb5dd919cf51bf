// From `function+0x12/0x34` to `file.c:56`, by the debugging information of a vmlinux and the programs that read it.

import { spawnSync } from 'node:child_process';
import { type FunctionSymbol, findFunctions } from '../elf-symbols.js';
import { environment, findProgram } from '../mount/programs.js';
import { openImage } from '../storage/file.js';
import type { Crash } from '../triage/crash.js';
import type { Frame } from '../triage/frame.js';

/** Each prints one line an address, in the order of the addresses. The first that reads the file is taken. */
const PROGRAMS: readonly { readonly name: string; args(vmlinux: string): string[] }[] = [
  { name: 'addr2line', args: (vmlinux) => ['-e', vmlinux] },
  { name: 'eu-addr2line', args: (vmlinux) => ['-e', vmlinux] },
  {
    name: 'llvm-symbolizer',
    args: (vmlinux) => ['--output-style=GNU', '--functions=none', '--no-inlines', `--obj=${vmlinux}`],
  },
];

/** Debugging information of a whole kernel takes its time. */
const MAX_MS = 120_000;
const MAX_OUTPUT = 64 << 20;

/** Crashes with `source` in each frame that the vmlinux knows, and a sentence for what it does not. */
export interface Located {
  readonly crashes: Crash[];
  readonly sentence: string | undefined;
}

/** @throws PstoreError for a file that cannot be read, or is no ELF file with symbols */
export function locate(crashes: readonly Crash[], vmlinux: string): Located {
  const frames = crashes.flatMap((crash) => crash.frames.filter(isOfKernel));
  if (frames.length === 0) return { crashes: [...crashes], sentence: undefined };
  const file = openImage(vmlinux, { mode: 'read' });
  let functions: Map<string, FunctionSymbol[]>;
  try {
    functions = findFunctions(file, new Set(frames.map(({ symbol }) => symbol)));
  } finally {
    file.close();
  }
  const addresses = new Map<Frame, string>();
  for (const frame of frames) {
    const address = addressOf(frame, functions.get(frame.symbol));
    if (address !== undefined) addresses.set(frame, `0x${address.toString(16)}`);
  }
  if (addresses.size === 0) {
    return {
      crashes: [...crashes],
      sentence: `${vmlinux} has none of the functions: is it of the kernel that crashed?`,
    };
  }
  const places = linesOf(vmlinux, [...addresses.values()]);
  if (typeof places === 'string') return { crashes: [...crashes], sentence: places };
  const sources = new Map([...addresses.keys()].map((frame, i) => [frame, places[i]!]));
  const located = (frame: Frame): Frame => {
    const source = sources.get(frame);
    return source === undefined || source.startsWith('??') ? frame : { ...frame, source };
  };
  const known = [...sources.values()].some((source) => !source.startsWith('??'));
  const sentence = known ? undefined : `${vmlinux} has no debugging information: lines of source are not known`;
  return { crashes: crashes.map((crash) => ({ ...crash, frames: crash.frames.map(located) })), sentence };
}

const isOfKernel = ({ module, offset }: Frame) => module === undefined && offset !== undefined;

/** Of several functions of one name, the one whose length the trace tells. */
function addressOf(frame: Frame, functions: readonly FunctionSymbol[] | undefined): bigint | undefined {
  const [offset, length] = frame.offset!.split('/').map(BigInt) as [bigint, bigint];
  const found = functions?.find(({ size }) => size === length) ?? (functions?.length === 1 ? functions[0] : undefined);
  if (!found) return undefined;
  // A frame on the stack is where the call returns to: the call itself is before it.
  const before = frame.ip || offset === 0n ? 0n : 1n;
  return found.address + offset - before;
}

/** @returns a line an address, or a sentence that says why there is none */
function linesOf(vmlinux: string, addresses: readonly string[]): string[] | string {
  const installed = PROGRAMS.flatMap(({ name, args }) => {
    const path = findProgram(name);
    return path === undefined ? [] : [{ name, path, args: args(vmlinux) }];
  });
  if (installed.length === 0) {
    return 'lines of source need one of the programs addr2line (binutils), eu-addr2line (elfutils) or llvm-symbolizer';
  }
  for (const { path, args } of installed) {
    const { status, stdout } = spawnSync(path, args, {
      input: `${addresses.join('\n')}\n`,
      encoding: 'utf8',
      timeout: MAX_MS,
      maxBuffer: MAX_OUTPUT,
      env: environment(),
    });
    const lines = (stdout ?? '').split('\n').filter((line) => line !== '');
    if (status === 0 && lines.length === addresses.length) return lines.map((line) => line.replace(/ \(.*$/, ''));
  }
  return `${installed.map(({ name }) => name).join(', ')} cannot read ${vmlinux}`;
}
