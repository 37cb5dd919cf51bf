// Finds partitions of either generation anywhere in a larger file, by the headers of their zones.

import { ALL_ABIS } from '../pstore/abi.js';
import type { Anywhere, Region, SeenHeader } from '../pstore/anywhere.js';
import { wordInBothOrders } from '../pstore/anywhere.js';
import { type FrontEnd, RECORD_TYPE_NUMBERS } from '../pstore/record-type.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { detectZones } from './detect.js';
import {
  BUFFER_HEADER_SIZE,
  DMESG_MAGIC,
  type Generation,
  MAX_DMESG_HEADER_SIZE,
  readDmesgHeader,
  ZONE_SIGNATURE,
  zoneSignature,
} from './format.js';
import { PARTITION_MULTIPLE, PSTORE_BLK_CAP } from './geometry.js';
import { bitsIn, type Mark } from './marks.js';
import { sureness } from './probe.js';

/** Rings, whose headers no other family has; that of a dmesg zone is told by its magic. */
const RINGS: readonly FrontEnd[] = ['console', 'pmsg', 'ftrace', 'tty'];
/** Zones of one partition whose headers are further apart are rare: the kernel fills them one after the other. */
const REACH = 4 << 20;
/** A damaged signature has lost a few bits, not all of them. */
const MAX_LOST_BITS = 8;
/** Rings alone, by words that may stand anywhere: a partition without any record is only likely. */
const RINGS_ONLY = 0.5;
/** A ring that holds something and a second one of the same format are no accident. */
const SEVERAL_RINGS = 0.7;

export function zonesAnywhere(generation: Generation): Anywhere {
  const magicAt = BUFFER_HEADER_SIZE[generation];
  const rings = generation === 'pstore_blk' ? RINGS : [];
  return {
    fillsTheRest: true,
    words: [
      ...wordInBothOrders(DMESG_MAGIC, magicAt),
      ...rings.flatMap((type) => wordInBothOrders(zoneSignature(type), 0)),
    ],
    headerSize: magicAt + MAX_DMESG_HEADER_SIZE,
    reach: REACH,
    most: PSTORE_BLK_CAP,
    headerAt: (bytes) => headerAt(bytes, generation),
    regionIn: (storage) => regionIn(storage, generation),
  };
}

function headerAt(bytes: Uint8Array, generation: Generation): SeenHeader | undefined {
  const magicAt = BUFFER_HEADER_SIZE[generation];
  if (bytes.length < magicAt + MAX_DMESG_HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const little of [true, false]) {
    const lost = (view.getUint32(0, little) ^ ZONE_SIGNATURE) >>> 0;
    const datalen = view.getUint32(4, little);
    const sort = little ? 'little' : 'big';
    if (view.getUint32(magicAt, little) === DMESG_MAGIC) {
      const isKnown = bitsIn(lost) <= MAX_LOST_BITS || isRecord(bytes.subarray(magicAt), sort);
      return isKnown ? { sort, length: magicAt + Math.min(datalen, PSTORE_BLK_CAP) } : undefined;
    }
    const start = view.getUint32(8, little);
    const isRing = generation === 'pstore_blk' && RINGS.some((type) => RECORD_TYPE_NUMBERS[type] === lost);
    if (isRing && start <= datalen && datalen < PSTORE_BLK_CAP) return { sort, length: magicAt + datalen };
  }
  return undefined;
}

function isRecord(bytes: Uint8Array, endian: 'little' | 'big'): boolean {
  return ALL_ABIS.some((abi) => {
    const header = readDmesgHeader(bytes, abi);
    return abi.endian === endian && header.compressed <= 1 && header.reason >= 1 && header.reason <= 6;
  });
}

function regionIn(storage: SurvivingStorage, generation: Generation): Region | undefined {
  const detected = detectZones(storage, { generation });
  if (!detected) return undefined;
  const { marks, sizes } = detected;
  const [first] = marks;
  if (first?.offset !== 0) return undefined;
  const base = detected.kmsgOffset ?? storage.size;
  const ends = marks.map((mark) => {
    const size = mark.type === 'dmesg' ? sizes.kmsgSize : sizeInFront(mark, base, detected);
    return mark.offset + Math.max(size, Math.min(mark.datalen + BUFFER_HEADER_SIZE[generation], size));
  });
  const end = Math.max(...ends.filter((_, i) => belongs(marks[i]!, base, sizes.kmsgSize)), 0);
  const length = Math.ceil(Math.max(end, 1) / PARTITION_MULTIPLE) * PARTITION_MULTIPLE;
  return { length: length > storage.size ? null : length, sure: sureOf(marks, detected) };
}

type Detected = NonNullable<ReturnType<typeof detectZones>>;

/** Whether a mark is where a zone of this geometry begins. */
function belongs({ type, offset }: Mark, base: number, kmsgSize: number): boolean {
  if (type !== 'dmesg') return offset < base;
  return offset >= base && kmsgSize > 0 && (offset - base) % kmsgSize === 0;
}

/** Up to the next header where there is one; else as long as its kind was found to be. */
function sizeInFront(mark: Mark, base: number, { marks, sizes }: Detected): number {
  const next = marks.find(({ offset }) => offset > mark.offset)?.offset;
  if (next !== undefined) return next - mark.offset;
  const used = BUFFER_HEADER_SIZE.pstore_blk + mark.datalen;
  if (base < Number.POSITIVE_INFINITY && mark.type === 'ftrace') return Math.ceil(sizes.ftraceSize / sizes.cpus);
  return used;
}

function sureOf(marks: readonly Mark[], detected: Detected): number {
  if (marks.some(({ signed, magic }) => signed && magic)) return sureness(detected);
  const rings = marks.filter(({ type, signed, datalen }) => type !== 'dmesg' && signed && datalen > 0);
  return rings.length > 1 ? SEVERAL_RINGS : rings.length === 1 ? RINGS_ONLY : RINGS_ONLY / 2;
}
