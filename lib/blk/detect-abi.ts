// Tells the machine that wrote a partition: its alignment and its word size, from the headers of records.

import { type Abi, Fields } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import {
  BUFFER_HEADER_SIZE,
  type Generation,
  isNanoseconds,
  MAX_DMESG_HEADER_SIZE,
  readDmesgHeader,
} from './format.js';
import type { Mark } from './marks.js';

/** Records whose headers vote on the machine. */
const MAX_VOTERS = 1024;
/** Where the second half of 64-bit nanoseconds stands in a header that is aligned to 8; a 32-bit machine has padding. */
const AFTER_NANOSECONDS = 20;
/** Padding of a buffer that was all 0xFF before the header came into it. */
const PADDING = 0xffffffff;

export interface ToldAbi {
  readonly abi: Abi;
  readonly proven: boolean;
  /** Whether the headers leave no other alignment. */
  readonly alignProven: boolean;
  readonly wordBitsProven: boolean;
}

/** Alignment and word size, each by the majority of the records: one damaged header must not change the machine. */
export function detectAbi(
  storage: Storage,
  dmesg: readonly Mark[],
  generation: Generation,
  endian: 'little' | 'big',
): ToldAbi {
  const candidates: Abi[] = [
    { endian, wordBits: 64, align: 8 },
    { endian, wordBits: 32, align: 8 },
    { endian, wordBits: 32, align: 4 },
  ];
  const votes = candidates.map(() => 0);
  let voters = 0;
  let [padded, wide] = [0, 0];
  for (const mark of dmesg.filter((candidate) => candidate.magic).slice(0, MAX_VOTERS)) {
    const bytes = readRange(storage, mark.offset + BUFFER_HEADER_SIZE[generation], MAX_DMESG_HEADER_SIZE);
    if (bytes.length < MAX_DMESG_HEADER_SIZE) continue;
    voters++;
    const scores = candidates.map((abi) => plausibility(bytes, abi));
    const best = Math.max(...scores);
    scores.forEach((score, i) => {
      if (score === best) votes[i]!++;
    });
    const second = new Fields(bytes, endian).u32(AFTER_NANOSECONDS);
    if (second === PADDING && scores[1] === PLAUSIBLE) padded++;
    // The second half is the low one of a big-endian machine with 64 bits.
    else if (endian === 'big' && second !== 0 && scores[0] === PLAUSIBLE) wide++;
  }
  // Where padding is zero, a little-endian machine's nanoseconds read the same with 4 and with 8 bytes: such records
  // tell nothing, and those with other padding decide.
  const likely = candidates[votes.indexOf(Math.max(...votes))]!;
  const isPaddingTold = likely.align === 8 && padded > wide;
  const abi = isPaddingTold ? candidates[1]! : likely;
  const isRivalled = (field: 'align' | 'wordBits') =>
    candidates.some((other, i) => other[field] !== abi[field] && votes[i]! * 2 >= voters);
  return {
    abi,
    proven: voters > 0,
    alignProven: voters > 0 && !isRivalled('align'),
    wordBitsProven: isPaddingTold || !isRivalled('wordBits'),
  };
}

/** Whether a 32-bit machine has left what it does where one with 64 bits has half of its nanoseconds. */
function isPadded(bytes: Uint8Array, { endian, wordBits, align }: Abi): boolean {
  if (wordBits === 64 || align === 4) return true;
  const padding = new Fields(bytes, endian).u32(AFTER_NANOSECONDS);
  return padding === 0 || padding === PADDING;
}

/** What plausibility() gives a header without any damage. */
const PLAUSIBLE = 8;

/** How many fields of a dmesg header are what a kernel would write, if the machine is this one. */
function plausibility(bytes: Uint8Array, abi: Abi): number {
  const header = readDmesgHeader(bytes, abi);
  let score = 0;
  if (header.seconds >= 0n && header.seconds < 1n << 34n) score += 2;
  if (isNanoseconds(header.nanoseconds) && isPadded(bytes, abi)) score += 2;
  if (header.compressed <= 1) score += 1;
  if (header.reason >= 1 && header.reason <= 6) score += 2;
  if (header.counter >= 0 && header.counter < 1 << 24) score += 1;
  return score;
}
