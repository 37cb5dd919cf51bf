import t from 'tap';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { vmcoredd } from '../../lib/vmcore/backend.js';
import { Warnings } from '../../lib/warnings.js';
import {
  BE32,
  BE64,
  concat,
  deviceDump,
  elfHeaders,
  LE64,
  type Machine,
  vmcoreinfo,
  Writer,
} from '../builders/vmcore.js';

/** s390, where virtual addresses below 2^52 are the physical ones. */
const IDENTITY = 22;
const MEMORY_AT = 0x10000;

/** A core with VMCOREINFO and one range of memory. */
function core(machine: Machine, info: string, memory: Uint8Array, eMachine = IDENTITY, more?: Uint8Array): Uint8Array {
  const notes = concat(more ?? new Uint8Array(0), vmcoreinfo(machine, info));
  const notesAt = machine.bits === 64 ? 64 + 2 * 56 : 52 + 2 * 32;
  const segments = [
    { type: 4, offset: notesAt, filesz: notes.length },
    { type: 1, offset: notesAt + notes.length, filesz: memory.length, paddr: MEMORY_AT },
  ];
  return concat(elfHeaders(machine, segments, { eMachine }), notes, memory);
}

function log(image: Uint8Array): { text: string | undefined; warnings: string[]; mtimeNs: bigint | null | undefined } {
  const warnings = new Warnings();
  const storage = SurvivingStorage.over(new MemoryStorage(image, { path: 'vmcore' }));
  const keys = new SourceKeys();
  const readFile = () => new Uint8Array(0);
  const backend = vmcoredd.open({ path: 'vmcore', storage, keys, warnings, cache: new TextCache(), readFile });
  const slot = backend.find('dmesg-vmcore-0');
  const text = slot === undefined ? undefined : Buffer.from(contentBytes(backend.open(slot))).toString('latin1');
  const record = slot === undefined ? undefined : backend.record(slot);
  t.equal(record?.size, text?.length);
  return { text, warnings: warnings.list.map(({ message }) => message), mtimeNs: record?.mtimeNs };
}

interface Message {
  readonly text: string;
  readonly ns: number;
  /** 1 committed, 2 finalized, 3 may be used again. */
  readonly state?: number;
  /** Its text did not fit: FAILED_LPOS. */
  readonly isLost?: boolean;
}

/** The three rings of Linux 5.10 and later, with the members in an order of their own. */
function prb(machine: Machine, messages: readonly Message[], first: number, textBits = 10): Uint8Array {
  const { bits, endian } = machine;
  const word = bits / 8;
  const count = 8;
  const top = 1n << BigInt(bits - 2);
  const [ringAt, descsAt, infosAt, dataAt] = [16, 128, 128 + count * 3 * word, 128 + count * 3 * word + count * 24];
  const size = 2 ** textBits;
  const whole = new Writer(endian).padTo(dataAt + size).done();
  const put = (at: number, writer: Writer) => whole.set(writer.done(), at);
  put(0, new Writer(endian).word(MEMORY_AT + ringAt, bits));
  const last = first + messages.length - 1;
  const ring = new Writer(endian).word(MEMORY_AT + descsAt, bits).word(MEMORY_AT + infosAt, bits);
  ring
    .word(first, bits)
    .word(last, bits)
    .word(MEMORY_AT + dataAt, bits)
    .u32(3)
    .u32(textBits);
  put(ringAt, ring);
  let lpos = 0;
  for (const [i, { text, ns, state = 2, isLost }] of messages.entries()) {
    const id = first + i;
    let begin = lpos;
    let next = begin + word + Math.ceil(text.length / word) * word;
    if (Math.floor(begin / size) !== Math.floor(next / size)) {
      next = Math.floor(next / size) * size + word + Math.ceil(text.length / word) * word;
      put(dataAt, new Writer(endian).word(id, bits).text(text));
    } else put(dataAt + (begin % size), new Writer(endian).word(id, bits).text(text));
    lpos = next;
    if (text === '') [begin, next] = isLost ? [1, 1] : [3, 3];
    const desc = new Writer(endian)
      .word(BigInt(id) | (BigInt(state) * top), bits)
      .word(begin, bits)
      .word(next, bits);
    put(descsAt + (id % count) * 3 * word, desc);
    put(infosAt + (id % count) * 24, new Writer(endian).u64(id).u64(ns).u16(text.length));
  }
  return whole;
}

function prbInfo({ bits }: Machine): string {
  const word = bits / 8;
  return `CRASHTIME=1700000000
SYMBOL(prb)=${MEMORY_AT.toString(16)}
OFFSET(printk_ringbuffer.desc_ring)=0
OFFSET(printk_ringbuffer.text_data_ring)=0
OFFSET(prb_desc_ring.descs)=0
OFFSET(prb_desc_ring.infos)=${word}
OFFSET(prb_desc_ring.tail_id)=${2 * word}
OFFSET(prb_desc_ring.head_id)=${3 * word}
OFFSET(prb_desc_ring.count_bits)=${5 * word}
OFFSET(prb_data_ring.data)=${4 * word}
OFFSET(prb_data_ring.size_bits)=${5 * word + 4}
SIZE(prb_desc)=${3 * word}
OFFSET(prb_desc.state_var)=0
OFFSET(prb_desc.text_blk_lpos)=${word}
OFFSET(prb_data_blk_lpos.begin)=0
OFFSET(prb_data_blk_lpos.next)=${word}
SIZE(printk_info)=24
OFFSET(printk_info.ts_nsec)=8
OFFSET(printk_info.text_len)=16
OFFSET(atomic_long_t.counter)=0
`;
}

t.test('the ring buffer of Linux 5.10 and later', (t) => {
  const messages: Message[] = [
    { text: 'first', ns: 0 },
    { text: 'two\nlines\there', ns: 1_234_567_891 },
    { text: 'being written', ns: 5, state: 0 },
    { text: '', ns: 2_000_000_000 },
    { text: '', ns: 2_000_000_001, isLost: true },
    { text: 'a bell \x07 and \xe4', ns: 123_456_000_000_999 },
    { text: 'not finalized', ns: 123_457_000_000_000, state: 1 },
  ];
  const expected = `[    0.000000] first
[    1.234567] two
               lines\there
[    2.000000] 
[123456.000000] a bell \\x07 and \\xe4
[123457.000000] not finalized
`;
  for (const machine of [LE64, BE64, BE32]) {
    for (const first of [0, 6, 2 ** 29]) {
      const found = log(core(machine, prbInfo(machine), prb(machine, messages, first)));
      t.same(found, { text: expected, warnings: [], mtimeNs: 1_700_000_000_000_000_000n });
    }
  }
  t.end();
});

t.test('texts that go round the ring stand at its beginning', (t) => {
  const messages = Array.from({ length: 5 }, (_, i) => ({ text: String(i).repeat(20), ns: i * 1000 }));
  const found = log(core(LE64, prbInfo(LE64), prb(LE64, messages.slice(2), 2, 6)));
  t.match(found.text, /4{20}\n$/);
  t.end();
});

t.test('damage: what is there is shown, and it is said', (t) => {
  const messages = Array.from({ length: 6 }, (_, i) => ({ text: `message ${i} of a log`, ns: i * 1000 }));
  const memory = prb(LE64, messages, 0);
  const cut = log(core(LE64, prbInfo(LE64), memory.subarray(0, memory.length - 900)));
  t.match(cut.text, /message 0/);
  t.match(cut.warnings, [/not whole: the kernel's memory at 0x[0-9a-f]+ is not in this dump/]);
  const none = log(core(LE64, prbInfo(LE64), memory.subarray(0, 8)));
  t.equal(none.text, undefined);
  t.match(none.warnings, [/no device dumps, and no kernel log can be read.*is not in this dump/]);
  const zeros = log(core(LE64, prbInfo(LE64), new Uint8Array(4096)));
  t.match(zeros.warnings, [/no kernel log can be read/]);
  const lacking = log(core(LE64, prbInfo(LE64).replace(/OFFSET\(printk_info.text_len\).*\n/, ''), memory));
  t.match(lacking.warnings, [/VMCOREINFO has no OFFSET\(printk_info.text_len\)/]);
  t.end();
});

t.test('a log that cannot be read is not passed over beside device dumps', (t) => {
  const memory = prb(LE64, [{ text: 'a message', ns: 5 }], 0);
  const dump = deviceDump(LE64, 'eth0', new Uint8Array(8));
  const whole = core(LE64, prbInfo(LE64), memory, IDENTITY, dump);
  t.same(log(whole).warnings, []);
  const head = log(whole.subarray(0, whole.length - memory.length));
  t.same(head, { text: undefined, warnings: [], mtimeNs: undefined }, 'the beginning of a dump, as somebody wanted it');
  const cut = log(whole.subarray(0, whole.length - memory.length + 4));
  t.equal(cut.text, undefined);
  t.match(cut.warnings, [
    /cannot be read, and is not shown: the kernel's memory at 0x10000 is not in this dump, which was cut: copy all of it$/,
  ]);
  t.end();
});

t.test('machines whose kernels map memory in one piece', (t) => {
  const machines = [
    { machine: BE32, eMachine: 8, at: 0x8000_0000n },
    { machine: BE64, eMachine: 8, at: 0x9800_0000_0000_0000n },
    { machine: BE64, eMachine: 8, at: 0xffff_ffff_8000_0000n },
    { machine: BE32, eMachine: 20, at: 0xc000_0000n },
    { machine: BE32, eMachine: 40, at: 0xc000_0000n },
    { machine: LE64, eMachine: 258, at: 0x9000_0000_0000_0000n },
  ];
  for (const { machine, eMachine, at } of machines) {
    const memory = prb(machine, [{ text: 'a message', ns: 5 }], 0);
    const fields = new DataView(memory.buffer);
    const little = machine.endian === 'little';
    // Pointers: to the ring, and in it to descriptors, infos and texts.
    for (const place of [0, 16, 16 + machine.bits / 8, 16 + machine.bits / 2]) {
      if (machine.bits === 64) fields.setBigUint64(place, fields.getBigUint64(place, little) + at, little);
      else fields.setUint32(place, fields.getUint32(place, little) + Number(at), little);
    }
    const info = prbInfo(machine).replace(/prb\)=.*/, `prb)=${(at + BigInt(MEMORY_AT)).toString(16)}`);
    const { text, warnings } = log(core(machine, info, memory, eMachine));
    t.same({ text, warnings }, { text: '[    0.000000] a message\n', warnings: [] }, at.toString(16));
  }
  t.end();
});

t.test('a ring that holds hardly any message is not read to its end', (t) => {
  const countBits = 15;
  const memory = new Uint8Array(128 + 24 * 2 ** countBits);
  const ring = new Writer(LE64.endian)
    .word(MEMORY_AT + 128, 64)
    .word(MEMORY_AT + 128, 64)
    .word(1, 64);
  ring
    .word(2 ** countBits, 64)
    .word(MEMORY_AT, 64)
    .u32(countBits)
    .u32(10);
  memory.set(new Writer(LE64.endian).word(MEMORY_AT + 16, 64).done());
  memory.set(ring.done(), 16);
  const { text, warnings } = log(core(LE64, prbInfo(LE64), memory));
  t.equal(text, undefined);
  t.match(warnings, [/more than 16384 of its 32768 descriptors have no message/]);
  t.end();
});

t.test('an empty log is not said to be nowhere', (t) => {
  const memory = prb(LE64, [{ text: 'being written', ns: 5, state: 0 }], 0);
  const { text, warnings } = log(core(LE64, prbInfo(LE64), memory));
  t.equal(text, undefined);
  t.match(warnings, [/no kernel log can be read from it \(the kernel had not logged anything\)/]);
  t.end();
});

t.test('texts that share bytes do not make a log larger than its ring', (t) => {
  const messages = Array.from({ length: 8 }, (_, i) => ({ text: 'x'.repeat(50), ns: i }));
  const memory = prb(LE64, messages, 0, 10);
  const view = new DataView(memory.buffer);
  for (let i = 0; i < 8; i++) {
    view.setBigUint64(128 + i * 24 + 8, 0n, true);
    view.setBigUint64(128 + i * 24 + 16, 1000n, true);
    view.setUint16(128 + 8 * 24 + i * 24 + 16, 900, true);
  }
  const { text, warnings } = log(core(LE64, prbInfo(LE64), memory));
  t.ok(text!.length < 4 * 1024, 'bytes that cannot be printed take four');
  t.match(warnings, [/messages are longer than its ring/]);
  t.end();
});

t.test('records of Linux 3.5 to 5.9, and the text before', (t) => {
  const { endian } = LE64;
  const record = (text: string, ns: number) => {
    const writer = new Writer(endian).u64(ns);
    return writer
      .u16(16 + Math.ceil(text.length / 4) * 4)
      .u16(text.length)
      .u32(0)
      .text(text)
      .align(4)
      .done();
  };
  const oldest = record('oldest', 1000);
  const newest = concat(record('in the middle', 2_000_000), record('the newest', 3_000_000_000));
  const size = 128;
  const buffer = new Uint8Array(size);
  buffer.set(newest);
  buffer.set(oldest, 80);
  const head = (first: number, next: number) =>
    new Writer(endian)
      .u64(MEMORY_AT + 64)
      .u32(size)
      .u32(first)
      .u32(next)
      .padTo(64)
      .done();
  const at = (offset: number) => (MEMORY_AT + offset).toString(16);
  const info = `SYMBOL(log_buf)=${at(0)}\nSYMBOL(log_buf_len)=${at(8)}\n`;
  const records = `${info}SYMBOL(log_first_idx)=${at(12)}\nSYMBOL(log_next_idx)=${at(16)}
SIZE(printk_log)=16\nOFFSET(printk_log.ts_nsec)=0\nOFFSET(printk_log.len)=8\nOFFSET(printk_log.text_len)=10\n`;
  const wrapped = log(core(LE64, records, concat(head(80, newest.length), buffer)));
  t.equal(wrapped.text, '[    0.000001] oldest\n[    0.002000] in the middle\n[    3.000000] the newest\n');
  const lost = log(core(LE64, records, concat(head(80, 4), buffer)));
  t.match(lost.warnings, [/not whole: the record at|not whole: a record at|go round/]);
  const texts = `${info}SYMBOL(log_end)=${at(12)}\nSYMBOL(logged_chars)=${at(16)}\n`;
  const ring = Buffer.from('B'.repeat(100) + 'A'.repeat(28));
  const text = (end: number, logged: number, buffer: Uint8Array = ring) =>
    log(core(LE64, texts, concat(head(end, logged), buffer))).text;
  const whole = 'A'.repeat(28) + 'B'.repeat(100);
  t.equal(text(size + 100, size), whole);
  t.equal(text(size + 100, 20), whole, 'cleared by dmesg -c: it is there all the same');
  t.equal(text(100, size), whole, 'after 4 GiB the number of all bytes begins at 0 again');
  t.equal(text(0, size), ring.toString());
  t.equal(text(100, 0), 'B'.repeat(100), 'never filled');
  t.equal(text(100, size, Buffer.from(ring).fill(0, 100)), 'B'.repeat(100), 'moved to a larger buffer');
  t.end();
});

t.test('a text that is too long is shown from where the rest fits, without zeros', (t) => {
  const at = (offset: number) => (MEMORY_AT + offset).toString(16);
  const info = `SYMBOL(log_buf)=${at(0)}\nSYMBOL(log_buf_len)=${at(8)}\nSYMBOL(log_end)=${at(12)}\n`;
  const memory = (text: Uint8Array) =>
    concat(
      new Writer(LE64.endian)
        .u64(MEMORY_AT + 64)
        .u32(text.length)
        .u32(text.length)
        .padTo(64)
        .done(),
      text,
    );
  const bytes = new Uint8Array(33 << 20).fill(0x61);
  const long = log(core(LE64, info, memory(bytes)));
  t.equal(long.text?.length, 32 << 20);
  t.match(long.warnings, [/not whole: it is too long, and its first 1048576 bytes are left out$/]);
  const holed = log(core(LE64, info, memory(bytes.subarray(0, 256 << 10).fill(0, 64 << 10, 192 << 10))));
  t.equal(holed.text?.length, 128 << 10);
  t.match(holed.warnings, [/not whole: 131072 bytes of it are zeros, and are left out$/]);
  t.end();
});
