// Finds crash dumps anywhere in a larger file: ELF cores, makedumpfile's format, and the flattened one.

import { ELF_HEADER_MAX, isCore } from '../elf.js';
import { PstoreError } from '../errors.js';
import { type Anywhere, type Region, type SeenHeader, wordOfText } from '../pstore/anywhere.js';
import { readRange } from '../storage/storage.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { Warnings } from '../warnings.js';
import { asNumber, eachProgramHeader, findProgramHeaders, readCoreHeader } from './core-header.js';
import { FLATTENED_SIGNATURE, isFlattened } from './flattened.js';
import { hasSignature, KDUMP_HEADER_SIZE, KDUMP_SIGNATURE, readKdumpHeader } from './kdump.js';

const ELF = 'elf';
const KDUMP = 'kdump';
const FLATTENED = 'flattened';
const ELF_MAGIC = '\x7fELF';
/** struct makedumpfile_header: type and version, both 1 in 64 bits, whatever the machine. The program has the letters, too. */
const FLATTENED_TYPE_AT = 16;
const FLATTENED_TYPE = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];

/** A signature of letters, and nothing of a header after it. */
const DOUBTFUL = 0.3;

export const vmcoreAnywhere: Anywhere = {
  words: [wordOfText(ELF_MAGIC), wordOfText(KDUMP_SIGNATURE), wordOfText(FLATTENED_SIGNATURE)],
  headerSize: ELF_HEADER_MAX,
  reach: 0,
  most: Number.POSITIVE_INFINITY,
  headerAt,
  regionIn,
};

function headerAt(bytes: Uint8Array): SeenHeader | undefined {
  const sort = isCore(bytes)
    ? ELF
    : hasSignature(bytes, KDUMP_SIGNATURE)
      ? KDUMP
      : isFlattened(bytes) && FLATTENED_TYPE.every((byte, i) => bytes[FLATTENED_TYPE_AT + i] === byte)
        ? FLATTENED
        : undefined;
  return sort === undefined ? undefined : { sort, length: ELF_HEADER_MAX };
}

function regionIn(storage: SurvivingStorage, sort: string): Region | undefined {
  if (sort === ELF) return coreIn(storage);
  if (sort === FLATTENED) return { length: null, sure: 1 };
  const header = readKdumpHeader(readRange(storage, 0, KDUMP_HEADER_SIZE));
  const isSound = header !== undefined && header.version > 0 && header.bitmapBlocks > 0 && header.machine !== '';
  return { length: null, sure: isSound ? 1 : DOUBTFUL };
}

/** A core ends where the last of its segments does. */
function coreIn(storage: SurvivingStorage): Region | undefined {
  try {
    const header = readCoreHeader(storage);
    const table = findProgramHeaders(storage, header, new Warnings());
    let end = table.offset + table.count * header.phentsize;
    for (const [, { offset, filesz }] of eachProgramHeader(storage, header, table)) {
      end = Math.max(end, asNumber(offset + filesz));
    }
    return { length: end > 0 && end <= storage.size ? end : null, sure: table.count > 0 ? 1 : DOUBTFUL };
  } catch (error) {
    if (error instanceof PstoreError) return undefined;
    throw error;
  }
}
