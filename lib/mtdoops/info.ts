// What `info` says of each page of mtdoops, and of the order of the records.

import { type Abi, abiName } from '../pstore/abi.js';
import type { BackendInfo, ZoneInfo } from '../pstore/backend.js';
import { plausibleText } from '../pstore/plausible-text.js';
import { readRange, type Storage } from '../storage/storage.js';
import {
  MTDOOPS_MAGIC_V1,
  MTDOOPS_MAGIC_V2,
  MTDOOPS_MAX_DEVICE,
  type MtdoopsHeader,
  type NextPage,
  nextSeq,
  type PageState,
  readMtdoopsHeader,
  seqDistance,
  textLength,
} from './format.js';
import type { MtdoopsGeometry } from './geometry.js';
import type { AfterText } from './second-text.js';

/** Pages that are listed by age. */
const MAX_LISTED = 64;
/** Bytes of a page without a header that tell whether a text begins there. */
const TEXT_BEGINNING = 16;

/** What is explained of a device. */
export interface ExplainedPages {
  readonly name: string;
  readonly storage: Storage;
  readonly geometry: MtdoopsGeometry;
  /** Whole pages. */
  readonly whole: number;
  /** All pages. */
  readonly count: number;
  offset(page: number): number;
  state(page: number): PageState;
  seq(page: number): number;
  textOffset(page: number): number;
  isBad(offset: number): boolean;
  newest(): number | null;
  next(newest: number | null): NextPage;
  live(): number[];
  after(page: number): AfterText | undefined;
}

export function describePages(pages: ExplainedPages): BackendInfo {
  const { endian, endianConfidence, recordSize, recordSizeConfidence, eraseSize, badBlocks } = pages.geometry;
  const newest = pages.newest();
  const next = pages.next(newest);
  const abi: Abi = { endian, wordBits: 64, align: 8 };
  const given = [
    ...(eraseSize === null ? [] : [`erase_size=${eraseSize}`]),
    ...(badBlocks.size === 0 ? [] : [`bad_blocks=${[...badBlocks].join(':')}`]),
  ];
  return {
    format: pages.name,
    abi,
    geometry: {
      total_size: pages.storage.size,
      record_size: recordSize,
      pages: pages.whole,
      ...(eraseSize !== null && { erase_size: eraseSize }),
    },
    confidence: { record_size: recordSizeConfidence, endian: endianConfidence },
    kernelParameters: [`mtdoops.record_size=${recordSize}`],
    sourceKeys: [`record_size=${recordSize}`, ...given, `abi=${abiName(abi)}`].join(','),
    counters: null,
    nextZone: next.page,
    zones: explainPages(pages, newest),
    details: details(pages, newest, next),
  };
}

function details(pages: ExplainedPages, newest: number | null, next: NextPage): Record<string, string> {
  const { eraseSize, recordSize } = pages.geometry;
  const { size } = pages.storage;
  const seq = newest === null ? 1 : nextSeq(pages.seq(newest));
  const told: Record<string, string> = {
    'word size': 'not told by the header, which is the same on 32- and 64-bit machines',
    'newest record': newest === null ? 'none' : `page ${newest}, seq ${pages.seq(newest)}`,
  };
  if (next.page !== null) {
    told['next record'] = `page ${next.page}, seq ${seq}${next.erases ? ', after the block is erased' : ''}`;
    told['kernel says'] = `mtdoops: ready ${next.page}, ${seq | 0}${next.erases ? '' : ' (no erase)'}`;
  } else if (eraseSize === null) {
    told['next record'] =
      `seq ${seq}, at the next start of an erase block, which the kernel erases first; erase_size= tells where that is`;
  } else told['next record'] = `seq ${seq}, nowhere: all erase blocks are bad`;
  if (newest !== null) told['pages, oldest first'] = byAge(pages, newest);
  if (size > MTDOOPS_MAX_DEVICE) {
    const why = 'a kernel takes no device of more than 8 MiB for mtdoops, trees of phones 16 MiB';
    told['device size'] = `${why}; offset= and size= take a part`;
  }
  const rest = size % recordSize;
  if (rest > 0) told['left over'] = `${rest} bytes at the end make no whole page`;
  return told;
}

function byAge(pages: ExplainedPages, newest: number): string {
  const age = (page: number) => seqDistance(pages.seq(page), pages.seq(newest));
  const sorted = pages.live().sort((a, b) => age(b) - age(a));
  return sorted.length > MAX_LISTED ? `… ${sorted.slice(-MAX_LISTED).join(' ')}` : sorted.join(' ');
}

function* explainPages(pages: ExplainedPages, newest: number | null): Generator<ZoneInfo> {
  for (let page = 0; page < pages.count; page++) {
    const offset = pages.offset(page);
    const bytes = readRange(pages.storage, offset, pages.geometry.recordSize);
    if (page >= pages.whole && pages.state(page) !== 'truncated') continue;
    yield { index: page, type: 'dmesg', offset, size: bytes.length, ...explain(pages, page, bytes, newest) };
  }
}

type Explained = Pick<ZoneInfo, 'state' | 'reason'>;

function explain(pages: ExplainedPages, page: number, bytes: Uint8Array, newest: number | null): Explained {
  const state = pages.state(page);
  switch (state) {
    case 'record':
      return { state: 'live', reason: remark(pages, page, bytes, newest) };
    case 'blank':
      return explainBlank(bytes);
    case 'truncated':
      return { state, reason: 'the image ends inside this page' };
    case 'other':
      return { state, reason: explainOther(bytes) };
    default: {
      const header = readMtdoopsHeader(bytes, pages.geometry.endian);
      return { state, reason: header ? damage(state, header) : null };
    }
  }
}

function remark(pages: ExplainedPages, page: number, bytes: Uint8Array, newest: number | null): string | null {
  const from = pages.textOffset(page);
  const end = from + textLength(bytes, from);
  const remarks = [];
  if (page === newest) remarks.push('the newest record');
  if (pages.isBad(pages.offset(page))) {
    remarks.push('in a bad block, at which a kernel does not look when it starts');
  }
  if (end === bytes.length) remarks.push('no NUL ends the text: it is shown to the end of the page');
  const after = pages.after(page);
  if (after?.isSecond) {
    remarks.push(`a second text of ${after.to - after.from} bytes follows it: logcat-mtdoops-${page}`);
  } else if (after) {
    const place = `the NUL at ${pages.offset(page) + end}`;
    remarks.push(`remains of another text stand after ${place}: salvage shows them`);
  }
  return remarks.join('; ') || null;
}

/** What is wrong with the header of a page, as the rest of a sentence about the page. */
export function damage(state: PageState, { magic, seq, version }: MtdoopsHeader): string {
  const known = hex(version === 1 ? MTDOOPS_MAGIC_V1 : MTDOOPS_MAGIC_V2);
  switch (state) {
    case 'bad-seq':
      return `has the magic of a record and the seq ${hex(seq)}, which is never written: a kernel takes it for used, not for a record`;
    case 'other-endian':
      return 'has the magic of a record in the other byte order: a kernel takes it for used, not for a record';
    default:
      return `has the magic ${hex(magic)} where ${known} should be: a kernel takes it for used, not for a record`;
  }
}

function explainBlank(bytes: Uint8Array): Explained {
  const at = bytes.findIndex((byte) => byte !== 0xff);
  if (at < 0) return { state: 'erased', reason: null };
  return {
    state: 'blank-header',
    reason: `seq and magic are blank, but bytes follow from ${at} on: a kernel takes the page for erased`,
  };
}

function explainOther(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0)) return 'zeros: a kernel takes the page for used and erases its block first';
  const head = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const isText = plausibleText(bytes.subarray(0, TEXT_BEGINNING)).length === TEXT_BEGINNING;
  const text = isText ? ', a text that goes on' : '';
  return `no header: begins with the bytes ${head}${text}; a kernel takes the page for used`;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
