// Finds crash info headers of firmware-assisted dump anywhere in a larger file.

import { type Anywhere, type Region, type SeenHeader, wordOfText } from '../pstore/anywhere.js';
import { readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import {
  FADUMP_FIXED_MAX,
  FADUMP_MAGIC,
  FADUMP_MAGIC_OLD,
  FADUMP_MAGIC_SIZE,
  fadumpSizes,
  judgeFadumpHeader,
  readFadumpHeader,
  readFadumpMagic,
} from './format.js';

/** Registers and the mask of CPUs follow the fixed part: all of it has some kilobytes. */
const MAX = 64 << 10;
/** A machine's page. */
const PAGE = 4096;
/** Letters that may stand in a program's text, too. */
const DOUBTFUL = 0.4;
const SURE = 0.9;

const backwards = (text: string) => [...text].reverse().join('');

export const fadumpAnywhere: Anywhere = {
  words: [FADUMP_MAGIC, FADUMP_MAGIC_OLD].flatMap((magic) => [wordOfText(magic), wordOfText(backwards(magic))]),
  headerSize: FADUMP_MAGIC_SIZE,
  reach: 0,
  most: MAX,
  headerAt: (bytes): SeenHeader | undefined => {
    const magic = readFadumpMagic(bytes);
    return magic && { sort: magic.endian, length: FADUMP_FIXED_MAX };
  },
  regionIn,
};

function regionIn(storage: SurvivingStorage): Region | undefined {
  const header = readFadumpHeader(readRange(storage, 0, FADUMP_FIXED_MAX));
  if (!header) return undefined;
  const isGood = judgeFadumpHeader(header).every(({ kind }) => kind === 'good' || kind === 'old-magic');
  const isUsual = header.crashingCpu === null || header.crashingCpu < MAX_CPUS;
  const { ptRegs, cpumask } = fadumpSizes(header);
  const length = Math.ceil((header.regsOffset + ptRegs + cpumask) / PAGE) * PAGE;
  return { length: Math.min(length, storage.size), sure: isGood && isUsual ? SURE : DOUBTFUL };
}

/** More than any kernel can be configured for: letters in place of the number are more. */
const MAX_CPUS = 8192;
