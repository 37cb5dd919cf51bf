// Headers of records as evidence for or against spare bytes in a file: each begins at a multiple of some size.

import { findBytes } from '#platform';
import { DMESG_MAGIC, ZONE_SIGNATURE } from '../blk/format.js';
import { MTDOOPS_MAGIC_V1, MTDOOPS_MAGIC_V2 } from '../mtdoops/format.js';
import type { PageShape } from '../storage/spare.js';
import { type Storage, searchedPieces } from '../storage/storage.js';

/** Zones and pages of records begin at multiples of this. */
const BLOCK = 4096;
const CHUNK = 1 << 20;

/** Words that stand at fixed places in a header. */
const LANDMARKS = (
  [
    [ZONE_SIGNATURE, [0]],
    [DMESG_MAGIC, [8, 12]],
    [MTDOOPS_MAGIC_V1, [4]],
    [MTDOOPS_MAGIC_V2, [4]],
  ] as const
).flatMap(([word, places]) => [true, false].map((little) => ({ bytes: wordBytes(word, little), places })));

function wordBytes(word: number, little: boolean): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, word, little);
  return bytes;
}

/** A hostile file may consist of nothing but such words. */
const MAX_HEADERS = 4096;

/** For each landmark the places where its header may begin. */
export type Headers = readonly (readonly number[])[];

export interface HeaderEvidence {
  /** Headers that begin where they must when the spare bytes are left out. */
  for: number;
  /** Those of them that would not stand there in a file without spare bytes. */
  apart: number;
  /** By how many different ways these were moved: all headers of an image that lies somewhere in a file are moved alike. */
  moves: number;
  /** Headers that stand where they must as the file is, and not when the spare bytes are left out. */
  against: number;
}

/** The headers in the first `most` bytes. */
export function headersOf(storage: Storage, most: number): Headers {
  const headers: number[][] = [];
  const end = Math.min(storage.size, most);
  for (const { bytes, offset: base } of searchedPieces(storage, { end, length: CHUNK, overlap: 4 })) {
    for (const { bytes: word, places } of LANDMARKS) {
      for (let at = findBytes(bytes, word, 0); at >= 0 && at < CHUNK; at = findBytes(bytes, word, at + 1)) {
        headers.push(places.map((place) => base + at - place));
        if (headers.length >= MAX_HEADERS) return headers;
      }
    }
  }
  return headers;
}

export function evidenceOf(headers: Headers, { data, spare }: PageShape): HeaderEvidence {
  const evidence = { for: 0, apart: 0, against: 0 };
  const residues = new Set<number>();
  for (const begins of headers) {
    const isApart = begins.every((begin) => begin % BLOCK !== 0);
    const begin = begins.find((at) => placeOf(at, data, spare) % BLOCK === 0);
    if (begin !== undefined) {
      evidence.for++;
      if (isApart) evidence.apart++;
      residues.add(begin % BLOCK);
    } else if (!isApart) evidence.against++;
  }
  return { ...evidence, moves: Math.max(0, residues.size - 1) };
}

/** Where a byte of the dump stands among the data; not a number for one in a spare area. */
function placeOf(at: number, data: number, spare: number): number {
  const into = at % (data + spare);
  return at < 0 || into >= data ? Number.NaN : Math.floor(at / (data + spare)) * data + into;
}
