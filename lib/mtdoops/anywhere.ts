// Finds devices of mtdoops anywhere in a larger file, by the headers of their records.

import { type Anywhere, type Region, type SeenHeader, wordInBothOrders } from '../pstore/anywhere.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import {
  MTDOOPS_HEADER_MAX,
  MTDOOPS_MAGIC_V1,
  MTDOOPS_MAGIC_V2,
  MTDOOPS_MAX_DEVICE,
  MTDOOPS_MAX_RECORD,
  MTDOOPS_PAGE_MULTIPLE,
  mtdoopsEndian,
  readMtdoopsHeader,
} from './format.js';
import { findRecordSize, mtdoopsMarks } from './geometry.js';

/** Bytes of a record's text that are looked at: a log begins with letters. */
const TEXT = 16;
/** struct mtdoops_hdr has the magic after seq. */
const MAGIC_AT = 4;
const SEQ_TOP = 0xffffff00;

export const mtdoopsAnywhere: Anywhere = {
  words: [...wordInBothOrders(MTDOOPS_MAGIC_V1, MAGIC_AT), ...wordInBothOrders(MTDOOPS_MAGIC_V2, MAGIC_AT)],
  headerSize: MTDOOPS_HEADER_MAX + TEXT,
  reach: MTDOOPS_MAX_RECORD / 4,
  most: MTDOOPS_MAX_DEVICE,
  headerAt,
  regionIn,
};

function headerAt(bytes: Uint8Array): SeenHeader | undefined {
  const endian = mtdoopsEndian(bytes);
  const header = endian && readMtdoopsHeader(bytes, endian);
  if (header?.state !== 'record' || header.seq >= SEQ_TOP) return undefined;
  const text = bytes.subarray(header.textOffset, header.textOffset + TEXT);
  return text.length === TEXT && text.every(isOfText) ? { sort: endian!, length: MTDOOPS_PAGE_MULTIPLE } : undefined;
}

function isOfText(byte: number): boolean {
  return byte === 9 || byte === 10 || byte === 13 || (byte >= 0x20 && byte !== 0x7f && byte !== 0xff);
}

function regionIn(storage: SurvivingStorage, sort: string): Region | undefined {
  const marks = [...mtdoopsMarks(storage)].filter(({ endian }) => endian === sort);
  const found = findRecordSize(storage, marks, Math.min(MTDOOPS_MAX_RECORD, storage.size));
  if (!found || marks[0]?.offset !== 0) return undefined;
  const { recordSize, valid } = found.best;
  const last = marks.findLast(({ offset }) => offset % recordSize === 0)?.offset ?? 0;
  const length = last + recordSize;
  return { length: length <= storage.size ? length : null, sure: Math.min(1, 0.6 + 0.1 * valid) };
}
