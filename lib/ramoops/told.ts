// What a kernel itself says of its region: parameters on its command line, and the line that it prints at boot.

import { findBytes } from '#platform';
import { eccOf, type Name, withoutUndefined } from './keys.js';
import type { GivenSizes } from './region-sizes.js';

/** A region as a kernel was told it. */
export interface ToldRegion {
  readonly sizes: GivenSizes;
  /** Physical address of its first byte. */
  readonly address: number | undefined;
}

/** Parameters of the module, by what they set. */
const PARAMETERS: Readonly<Record<string, Name>> = {
  mem_size: 'memSize',
  record_size: 'recordSize',
  console_size: 'consoleSize',
  ftrace_size: 'ftraceSize',
  pmsg_size: 'pmsgSize',
  ecc: 'ecc',
};

/** fs/pstore/ram.c, MIN_MEM_SIZE: what a size is that is not given on the command line. */
const DEFAULT_SIZE = 4096;

const WORD = new TextEncoder().encode('ramoops');
/** Bytes around the word that are kept; a command line is no longer than 4096 in most kernels. */
const AROUND = 1024;
/** More places are not looked at. */
const MAX_PLACES = 256;

/** Collects the places in a file where a kernel says something of ramoops. */
export class Told {
  /** Bytes that parts of a file are to overlap by, so that no place is cut. */
  static readonly OVERLAP = AROUND;
  readonly #texts = new Set<string>();
  #places = 0;

  /** Parts of a file, one after the other. */
  add(bytes: Uint8Array): void {
    let from = 0;
    for (let at = findBytes(bytes, WORD, 0); at >= 0; at = findBytes(bytes, WORD, from)) {
      from = at + AROUND;
      if (this.#places++ > MAX_PLACES) return;
      this.#texts.add(latin1(bytes.subarray(at, at + AROUND)));
    }
  }

  /** What was said, each once, the latest first. */
  regions(): ToldRegion[] {
    const found = new Map<string, ToldRegion>();
    for (const text of [...this.#texts].reverse()) {
      for (const region of [usingLine(text), commandLine(text)]) {
        if (region) found.set(JSON.stringify(region.sizes), region);
      }
    }
    return [...found.values()];
  }
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** `ramoops: using 0x20000@0x4000000, ecc: 0`, as ramoops_probe prints it (`attached 0x…` in kernels before 4.4). */
function usingLine(text: string): ToldRegion | undefined {
  const match = /ramoops: (?:using|attached) 0x([0-9a-f]{1,12})@0x([0-9a-f]{1,16})(?:, ecc: ([0-9]+))?/.exec(text);
  if (!match) return undefined;
  const ecc = match[3] === undefined ? undefined : Number(match[3]);
  return {
    sizes: withoutUndefined({ memSize: Number.parseInt(match[1]!, 16), ecc }),
    address: Number.parseInt(match[2]!, 16),
  };
}

/**
 * The parameters `ramoops.NAME=VALUE` in a command line; a size that is missing is the module's own default.
 * @returns undefined where no region is given
 */
export function commandLine(text: string): ToldRegion | undefined {
  const values = new Map<string, number>();
  // The first line that ends is the whole of it: what follows is another one.
  const line = text.split(/[\n\0]/, 1)[0]!;
  for (const [, name, value] of line.matchAll(/\bramoops\.([a-z_]+)=(0x[0-9a-fA-F]{1,13}|[0-9]{1,15})\b/g)) {
    values.set(name!, Number(value));
  }
  if (!values.has('mem_size') && !/\bramoops\.mem_name=/.test(line)) return undefined;
  const sizes: { [name in Name]?: number } = {};
  for (const [parameter, name] of Object.entries(PARAMETERS)) {
    const value = values.get(parameter);
    if (name === 'memSize') sizes[name] = value;
    else if (name === 'ecc') sizes[name] = eccOf(value ?? 0);
    else sizes[name] = value ?? DEFAULT_SIZE;
  }
  return { sizes: withoutUndefined(sizes as GivenSizes), address: values.get('mem_address') };
}
