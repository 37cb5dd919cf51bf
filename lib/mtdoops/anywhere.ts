// Finds devices of mtdoops anywhere in a larger file, by the headers of their records.

import { type Anywhere, type Region, type SeenHeader, wordInBothOrders } from '../pstore/anywhere.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import {
  beginsAsText,
  MTDOOPS_HEADER_MAX,
  MTDOOPS_MAGIC_V1,
  MTDOOPS_MAGIC_V2,
  MTDOOPS_MAX_DEVICE,
  MTDOOPS_MAX_RECORD,
  MTDOOPS_PAGE_MULTIPLE,
  MTDOOPS_TEXT_BEGIN,
  mtdoopsEndian,
  readMtdoopsHeader,
} from './format.js';
import { findRecordSize, mtdoopsMarks } from './geometry.js';

/** struct mtdoops_hdr has the magic after seq. */
const MAGIC_AT = 4;
const SEQ_TOP = 0xffffff00;

export const mtdoopsAnywhere: Anywhere = {
  fillsTheRest: true,
  words: [...wordInBothOrders(MTDOOPS_MAGIC_V1, MAGIC_AT), ...wordInBothOrders(MTDOOPS_MAGIC_V2, MAGIC_AT)],
  headerSize: MTDOOPS_HEADER_MAX + MTDOOPS_TEXT_BEGIN,
  reach: MTDOOPS_MAX_RECORD / 4,
  most: MTDOOPS_MAX_DEVICE,
  headerAt,
  regionIn,
};

function headerAt(bytes: Uint8Array): SeenHeader | undefined {
  const endian = mtdoopsEndian(bytes);
  const header = endian && readMtdoopsHeader(bytes, endian);
  if (header?.state !== 'record' || header.seq >= SEQ_TOP) return undefined;
  const text = bytes.subarray(header.textOffset, header.textOffset + MTDOOPS_TEXT_BEGIN);
  return beginsAsText(text) ? { sort: endian!, length: MTDOOPS_PAGE_MULTIPLE } : undefined;
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
