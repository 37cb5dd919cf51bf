// The kernel log of Linux 5.10 and later: a ring of descriptors, one of infos, and one of text
// (kernel/printk/printk_ringbuffer.c; the layout of the structs is in VMCOREINFO).

import { PstoreError } from '../errors.js';
import { type KernelMemory, wordAt } from './kernel-memory.js';
import type { LogText } from './log-text.js';
import { infoBytes, type Vmcoreinfo } from './vmcoreinfo.js';

/** enum desc_state, the highest two bits of state_var: the text of these two is there. */
const COMMITTED = 1n;
const FINALIZED = 2n;
/** An lpos with bit 0 set has no text. */
const NO_TEXT = 1n;
/** FAILED_LPOS: the text did not fit, and no reader of the kernel gets the message. */
const FAILED = 1n;
/** Messages that are read: a ring of 64 MiB has 2^21 descriptors. */
const MAX_COUNT_BITS = 21;
const MAX_SIZE_BITS = 31;
/**
 * Descriptors between the oldest and the newest that may have no message: a few are being written when a kernel stops. A
 * hole in the dump looks like many more.
 */
const MAX_UNUSED = 1 << 14;

/** The members that are read, by their keys in VMCOREINFO. */
const OFFSETS = [
  'printk_ringbuffer.desc_ring',
  'printk_ringbuffer.text_data_ring',
  'prb_desc_ring.count_bits',
  'prb_desc_ring.descs',
  'prb_desc_ring.infos',
  'prb_desc_ring.head_id',
  'prb_desc_ring.tail_id',
  'prb_desc.state_var',
  'prb_desc.text_blk_lpos',
  'prb_data_blk_lpos.begin',
  'prb_data_blk_lpos.next',
  'printk_info.ts_nsec',
  'printk_info.text_len',
  'prb_data_ring.size_bits',
  'prb_data_ring.data',
  'atomic_long_t.counter',
] as const;
type Member = (typeof OFFSETS)[number];

interface Layout {
  readonly at: Readonly<Record<Member, number>>;
  readonly descSize: number;
  readonly infoSize: number;
}

interface Ring {
  readonly layout: Layout;
  readonly countBits: number;
  readonly descs: bigint;
  readonly infos: bigint;
  readonly tail: bigint;
  readonly head: bigint;
  readonly sizeBits: number;
  readonly data: bigint;
}

/**
 * Adds the messages from the oldest to the newest.
 * @param prb the value of SYMBOL(prb): the address of a pointer to the ring
 * @throws PstoreError ENODATA where the dump does not have a part of it; EBADMSG where a size makes no sense
 */
export function readPrintkRingbuffer(memory: KernelMemory, info: Vmcoreinfo, prb: bigint, log: LogText): void {
  const ring = readRing(memory, layoutOf(info), memory.word(prb));
  const idMask = (1n << BigInt(8 * memory.wordSize - 2)) - 1n;
  // Texts do not share bytes in the ring. What says so is damaged, and must not make the log larger than the ring.
  let room = 2 ** ring.sizeBits;
  const count = 2 ** ring.countBits;
  let unused = 0;
  let id = ring.tail & idMask;
  for (let read = 0; read < count; read++) {
    const message = readMessage(memory, ring, id, idMask);
    if (message) {
      room -= message.text.length;
      if (room < 0) throw damaged('its messages are longer than its ring');
      log.message(message.time, message.text);
    } else if (unused++ === MAX_UNUSED) {
      throw damaged(
        `more than ${MAX_UNUSED} of its ${count} descriptors have no message; those after them are not read`,
      );
    }
    if (id === (ring.head & idMask)) return;
    id = (id + 1n) & idMask;
  }
}

function layoutOf(info: Vmcoreinfo): Layout {
  const missing = (key: string) => damaged(`VMCOREINFO has no ${key}`);
  const at = Object.fromEntries(
    OFFSETS.map((member) => {
      const offset = infoBytes(info, `OFFSET(${member})`);
      if (offset === undefined) throw missing(`OFFSET(${member})`);
      return [member, offset];
    }),
  ) as Record<Member, number>;
  const [descSize, infoSize] = [infoBytes(info, 'SIZE(prb_desc)'), infoBytes(info, 'SIZE(printk_info)')];
  const wanted = {
    desc: at['prb_desc.text_blk_lpos'] + at['prb_data_blk_lpos.next'] + 8,
    info: at['printk_info.text_len'] + 2,
  };
  if (!descSize || !infoSize) throw missing('SIZE(prb_desc) or SIZE(printk_info)');
  if (infoSize < wanted.info || infoSize < at['printk_info.ts_nsec'] + 8)
    throw damaged('SIZE(printk_info) is too small');
  return { at, descSize: Math.max(descSize, 0), infoSize };
}

function readRing(memory: KernelMemory, layout: Layout, address: bigint): Ring {
  const { at } = layout;
  const place = (base: Member, member: Member) => address + BigInt(at[base] + at[member]);
  const descRing = (member: Member) => place('printk_ringbuffer.desc_ring', member);
  const dataRing = (member: Member) => place('printk_ringbuffer.text_data_ring', member);
  const counter = BigInt(at['atomic_long_t.counter']);
  const countBits = memory.u32(descRing('prb_desc_ring.count_bits'));
  const sizeBits = memory.u32(dataRing('prb_data_ring.size_bits'));
  if (countBits === 0 || countBits > MAX_COUNT_BITS || sizeBits === 0 || sizeBits > MAX_SIZE_BITS) {
    throw damaged(`its ring says that it has 2^${countBits} messages and 2^${sizeBits} bytes`);
  }
  return {
    layout,
    countBits,
    sizeBits,
    descs: memory.word(descRing('prb_desc_ring.descs')),
    infos: memory.word(descRing('prb_desc_ring.infos')),
    tail: memory.word(descRing('prb_desc_ring.tail_id') + counter),
    head: memory.word(descRing('prb_desc_ring.head_id') + counter),
    data: memory.word(dataRing('prb_data_ring.data')),
  };
}

/** A message, or undefined where its descriptor is used for another one now, or is not written to its end. */
function readMessage(
  memory: KernelMemory,
  { layout, countBits, descs, infos, sizeBits, data }: Ring,
  id: bigint,
  idMask: bigint,
): { time: bigint; text: Uint8Array } | undefined {
  const { at, descSize, infoSize } = layout;
  const { wordSize } = memory;
  const index = id & ((1n << BigInt(countBits)) - 1n);
  const lpos = at['prb_desc.text_blk_lpos'];
  const stateAt = at['prb_desc.state_var'] + at['atomic_long_t.counter'];
  const beginAt = lpos + at['prb_data_blk_lpos.begin'];
  const nextAt = lpos + at['prb_data_blk_lpos.next'];
  const desc = memory.fields(descs + index * BigInt(descSize), Math.max(stateAt, beginAt, nextAt) + wordSize);
  const state = wordAt(desc, stateAt, wordSize);
  const kind = state >> BigInt(8 * wordSize - 2);
  if ((state & idMask) !== id || (kind !== COMMITTED && kind !== FINALIZED)) return undefined;
  const [begin, next] = [wordAt(desc, beginAt, wordSize), wordAt(desc, nextAt, wordSize)];
  if (begin === FAILED && next === FAILED) return undefined;
  const message = memory.fields(infos + index * BigInt(infoSize), infoSize);
  const time = message.u64(at['printk_info.ts_nsec']);
  const length = message.u16(at['printk_info.text_len']);
  const block = textBlock(begin, next, sizeBits);
  // A block begins with the message's id, one word.
  const room = block ? Math.max(0, block.size - wordSize) : 0;
  const text = block ? memory.bytes(data + BigInt(block.offset + wordSize), Math.min(length, room)) : new Uint8Array(0);
  return { time, text };
}

/** Where a block of text stands in the ring: one that would go round stands at the ring's beginning as a whole. */
function textBlock(begin: bigint, next: bigint, sizeBits: number): { offset: number; size: number } | undefined {
  if ((begin & NO_TEXT) !== 0n) return undefined;
  const size = 2 ** sizeBits;
  const from = Number(begin % BigInt(size));
  const to = Number(next % BigInt(size));
  if (to > from) return { offset: from, size: to - from };
  // Since Linux 6.18 a block may end where the ring does.
  return to === 0 ? { offset: from, size: size - from } : { offset: 0, size: to };
}

function damaged(what: string): PstoreError {
  return new PstoreError('EBADMSG', what);
}
