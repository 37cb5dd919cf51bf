// The one ftrace file that all rings of a backend make together: one ring a CPU, or one that all CPUs share.

import type { Abi } from './abi.js';
import { type FtraceEncoding, findEncoding, ftraceText, mergeRings, oldStartCut, type SymbolTable } from './ftrace.js';

/** One ring. An empty one stays in its place, because a ring's place tells its CPU. */
export interface FtraceRing {
  /** The data, oldest first. */
  readonly bytes: Uint8Array;
  /**
   * Of a ring whose `start` is larger than its `datalen`: the whole data area from its beginning. Whether records follow
   * after `datalen` can be told only once their encoding is known.
   */
  readonly traced?: { readonly area: Uint8Array; readonly start: number; readonly datalen: number };
}

export interface FtraceOptions {
  readonly abi: Abi;
  /** Whether the word size of `abi` is certain; otherwise the records tell it. */
  readonly abiGiven: boolean;
  readonly symbols: SymbolTable | undefined;
  /** Whether CPUs may share a single ring; pstore/zone has one a CPU. */
  readonly mayShare?: boolean;
}

export interface FtraceFile {
  readonly text: Uint8Array;
  readonly encoding: FtraceEncoding;
}

/** The text of all rings, merged as the kernel merges them. */
export function ftraceFile(
  rings: readonly FtraceRing[],
  { abi, abiGiven, symbols, mayShare }: FtraceOptions,
): FtraceFile {
  const bytes = rings.map((ring) => ring.bytes);
  const encoding = findEncoding(bytes, abi, abiGiven, mayShare);
  const records = rings.map(({ bytes, traced }) =>
    traced ? oldStartCut(traced.area, traced.start, traced.datalen, encoding, abi.endian) : bytes,
  );
  return { text: ftraceText(mergeRings(records, encoding, abi.endian), encoding, abi.endian, symbols), encoding };
}
