// A .lz4 file that was cut gives what is there of the block in which it ends.

import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cutBlockOfLz4 } from '../../lib/storage/cut-lz4.js';
import { openImage } from '../../lib/storage/file.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { readRange } from '../../lib/storage/storage.js';
import { packedAs, unpack } from '../../lib/storage/unpack.js';
import { Warnings } from '../../lib/warnings.js';
import { goldenImage } from '../fixture-path.js';

const skip = spawnSync('lz4', ['--version']).error !== undefined && 'lz4 is not installed';
const BLOCK = 64 << 10;
const folder = t.testdir({});

function packed(bytes: Uint8Array, ...options: string[]): Uint8Array {
  return execFileSync('lz4', ['-c', ...options], {
    input: bytes,
    maxBuffer: 1 << 26,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

function cut(file: Uint8Array, length: number, unpacked = 0): Buffer {
  return Buffer.from(cutBlockOfLz4(new MemoryStorage(file.subarray(0, length)), unpacked));
}

t.test('the only block', { skip }, async (t) => {
  const image = goldenImage('s1');
  for (const options of [[], ['-BX'], ['--content-size'], ['-BD']]) {
    const file = packed(image, ...options);
    const given = cut(file, file.length - 4000);
    t.ok(given.length >= BLOCK, `${options}: ${given.length} bytes`);
    t.equal(Buffer.compare(given, image.subarray(0, given.length)), 0, `${options}: as they were`);
    t.equal(cut(file, file.length).length, 0, 'nothing is missing');
  }
});

t.test('the second block', { skip }, async (t) => {
  const image = Buffer.concat([Buffer.alloc(BLOCK, 'one block of a log\n'), Buffer.alloc(BLOCK, 'another one\n')]);
  const file = packed(image, '-B4');
  const given = cut(file, file.length - 12, BLOCK);
  t.ok(given.length > 0);
  t.equal(Buffer.compare(given, image.subarray(BLOCK, BLOCK + given.length)), 0);
  t.equal(cut(file, file.length - 12).length, 0, 'lz4(1) stopped before it: something else is damaged');
  t.equal(cut(packed(image, '-B4', '-BD'), 400, BLOCK).length, 0, 'it refers to the first one');
});

t.test('a block that is stored as it is', { skip }, async (t) => {
  const image = randomBytes(BLOCK);
  t.equal(Buffer.compare(cut(packed(image), 5000), image.subarray(0, 5000 - 11)), 0);
});

t.test('nothing is given of a header that was cut, or of a block that is too long', { skip }, async (t) => {
  const file = Buffer.from(packed(goldenImage('s1'), '-B4'));
  for (let length = 0; length < 12; length++) t.equal(cut(file, length).length, 0);
  file.writeUInt32LE(BLOCK + 1, 7);
  t.equal(cut(file, 5000).length, 0);
});

t.test('an image in one block is shown as far as it is there', { skip }, async (t) => {
  const path = join(folder, 'cut.lz4');
  const image = goldenImage('s1');
  const file = packed(image);
  writeFileSync(path, file.subarray(0, file.length - 4000));
  const opened = openImage(path, { mode: 'read' });
  const warnings = new Warnings();
  const storage = unpack(path, packedAs(opened)!, warnings);
  opened.close();
  t.match(warnings.list, [{ code: 'medium-damaged', message: /is cut or damaged: its lz4 data give [0-9]+ bytes/ }]);
  t.equal(Buffer.compare(readRange(storage, 0, BLOCK), image.subarray(0, BLOCK)), 0);
  storage.close();
});
