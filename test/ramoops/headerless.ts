// Records of drivers/char/ramoops.c: their size follows from what stands in them and after them.

import t from 'tap';
import { open } from '../../lib/index.js';
import { textGeometry } from '../../lib/ramoops/headerless.js';
import { MemoryStorage } from '../../lib/storage/memory.js';

const K = 1024;

/** A record as the driver writes it: all of its bytes are cleared first. @param length of line and text */
function record(bytes: Uint8Array, at: number, size: number, seconds: number, length: number): void {
  bytes.fill(0, at, at + size);
  const text = Buffer.from(`====${seconds}.5\n`.padEnd(length, '<4>[    1.000000] a line of the log\n'));
  bytes.set(text.subarray(0, size), at);
}

function found(bytes: Uint8Array, lines: readonly number[], given = {}) {
  return textGeometry(new MemoryStorage(bytes, { path: 'memory', writable: false }), lines, given, undefined);
}

function memory(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => 128 + ((i * 37) & 127));
}

t.test('records of one size', async (t) => {
  const bytes = memory(64 * K);
  for (let i = 0; i < 3; i++) record(bytes, i * 8 * K, 8 * K, 1_300_000_000 + i, i === 1 ? 8 * K : 2000);
  const seen = found(bytes, [0, 8 * K, 16 * K]);
  t.match(seen, { geometry: { recordSize: 8 * K }, isProven: true, isMixed: false });
});

t.test('a large record over small ones of an earlier boot', async (t) => {
  const bytes = memory(64 * K);
  for (let i = 0; i < 16; i++) record(bytes, i * 4 * K, 4 * K, 1_300_000_000 + i, 900);
  record(bytes, 0, 16 * K, 1_400_000_000, 14_000);
  const lines = Array.from({ length: 16 }, (_, i) => i * 4 * K).filter((at) => at === 0 || at >= 16 * K);
  t.match(found(bytes, lines), { geometry: { recordSize: 16 * K }, isMixed: true });
});

t.test('a small record that is full over large ones of an earlier boot', async (t) => {
  const bytes = memory(64 * K);
  for (let i = 0; i < 4; i++) record(bytes, i * 16 * K, 16 * K, 1_300_000_000 + i, 900);
  record(bytes, 0, 4 * K, 1_400_000_000, 4 * K);
  t.match(found(bytes, [0, 16 * K, 32 * K, 48 * K]), { geometry: { recordSize: 4 * K }, isMixed: true });
});

t.test('a region of a given size begins with its file where it would not fit later', async (t) => {
  const bytes = memory(32 * K);
  record(bytes, 8 * K, 4 * K, 1_300_000_000, 900);
  t.equal(found(bytes, [8 * K], { memSize: 32 * K, recordSize: 4 * K })?.geometry.base, 0);
});

t.test('records of several sizes are said', async (t) => {
  const bytes = memory(64 * K);
  for (let i = 0; i < 16; i++) record(bytes, i * 4 * K, 4 * K, 1_300_000_000 + i, 900);
  record(bytes, 0, 16 * K, 1_400_000_000, 14_000);
  const pstore = open(bytes);
  t.match(pstore.warnings[0]?.message, /record_size=16K is only a guess; give what the kernel had/);
  pstore.close();
});

t.test('a full record is no longer than its text, whatever memory follows', async (t) => {
  const bytes = memory(64 * K);
  record(bytes, 0, 8 * K, 1_300_000_000, 8 * K);
  t.match(found(bytes, [0]), { geometry: { recordSize: 8 * K } });
});

t.test('what may follow a full record: memory with letters in it', async (t) => {
  const poison = new Uint8Array(4096).fill(0x6b);
  const strings = Buffer.from('a name=1\0another name=2\0'.repeat(100));
  for (const following of [poison, strings]) {
    const bytes = memory(64 * K);
    record(bytes, 0, 8 * K, 1_300_000_000, 8 * K);
    bytes.set(following, 8 * K);
    t.match(found(bytes, [0]), { geometry: { recordSize: 8 * K }, isMixed: false });
  }
});

t.test('a single text that no size explains may end elsewhere: that is said', async (t) => {
  const bytes = memory(64 * K);
  record(bytes, 0, 8 * K, 1_300_000_000, 5 * K);
  bytes.fill(0x80, 6 * K, 7 * K);
  t.match(found(bytes, [0]), { isMixed: true });
  const pstore = open(bytes);
  t.match(pstore.warnings[0]?.message, /record_size=8K is only a guess; give what the kernel had/);
  pstore.close();
});
