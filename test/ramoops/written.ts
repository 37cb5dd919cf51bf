// What `record` writes is what the kernels of each dialect read.

import { inflateRawSync, inflateSync } from 'node:zlib';
import t from 'tap';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { Reason } from '../../lib/pstore/record-type.js';
import { ramoops } from '../../lib/ramoops/open.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { namesOf, openBytes, textOf } from '../builders/open.js';

const K = 1024;
const LOG = `${'<6>[    1.000001] valve 7 jammed after the turn\n'.repeat(80)}`;
const SIZES = { record_size: 16 * K, console_size: 32 * K, ftrace_size: 0, pmsg_size: 16 * K, ecc: 0 };

/** How the kernels of a dialect compress, by fs/pstore/platform.c of those years: undefined where they do not. */
const WRITERS: readonly [string, Record<string, number>, ((stream: Uint8Array) => Buffer) | undefined, RegExp][] = [
  ['mainline', SIZES, (stream) => inflateRawSync(stream), /^====12\.000034-C\n/],
  ['pre-4.10', SIZES, (stream) => inflateSync(stream, { windowBits: 12 }), /^====12\.34-C\n/],
  ['rockchip', SIZES, (stream) => inflateRawSync(stream), /^====12\.000034-C\n/],
  ['mediatek', SIZES, (stream) => inflateSync(stream, { windowBits: 12 }), /^====12\.000034-C\n/],
  ['pre-3.5', { record_size: 16 * K }, undefined, /^====12\.34\n/],
];

for (const [dialect, sizes, inflate, line] of WRITERS) {
  t.test(`a record in an image of ${dialect}`, async (t) => {
    const image = new Uint8Array(256 * K);
    const keys = { dialect, ...sizes };
    ramoops.format!(new MemoryStorage(image), SourceKeys.of(keys));
    const writer = openBytes(ramoops, image, keys);
    const data = Buffer.from(LOG);
    writer.write!({ type: 'dmesg', reason: Reason.Oops, timeNs: 12_000_034_000n, compress: 'deflate', data });
    writer.write!({ type: 'dmesg', reason: Reason.Panic, timeNs: 13_000_034_000n, compress: 'none', data });
    const from = dialect === 'pre-3.5' ? 0 : 12;
    const size = from === 0 ? image.indexOf(0) : new DataView(image.buffer).getUint32(8, true);
    const stored = Buffer.from(image.subarray(from, from + size)).toString('latin1');
    t.match(stored, line);
    const text = `Oops#1 Part1\n${LOG}`;
    const body = image.subarray(from + stored.indexOf('\n') + 1, from + size);
    t.equal(inflate ? inflate(body).toString() : Buffer.from(body).toString(), text, 'as its kernels read it');
    for (const given of [keys, dialect === 'mainline' || from === 0 ? {} : { dialect }]) {
      const reader = openBytes(ramoops, image, given);
      t.same(namesOf(reader), ['dmesg-ramoops-0', 'dmesg-ramoops-1']);
      t.equal(textOf(reader, 'dmesg-ramoops-0'), text);
      t.equal(textOf(reader, 'dmesg-ramoops-1'), `Panic#2 Part1\n${LOG}`);
    }
  });
}

t.test('an image of the later layout whose records are zlib streams (Linux 4.10 to 4.16) keeps them', async (t) => {
  const image = new Uint8Array(256 * K);
  ramoops.format!(new MemoryStorage(image), SourceKeys.of(SIZES));
  const dump = { type: 'dmesg' as const, reason: Reason.Oops, data: Buffer.from(LOG) };
  openBytes(ramoops, image, SIZES).write!({ ...dump, timeNs: 12_000_034_000n, compress: 'zlib' });
  openBytes(ramoops, image, SIZES).write!({ ...dump, timeNs: 13_000_034_000n, compress: 'deflate' });
  const at = 16 * K + Math.floor((256 * K - 48 * K) / 13 - 16 * K);
  const size = new DataView(image.buffer).getUint32(at + 8, true);
  const stored = Buffer.from(image.subarray(at + 12, at + 12 + size));
  t.equal(inflateSync(stored.subarray(stored.indexOf('\n') + 1)).toString(), `Oops#1 Part1\n${LOG}`);
});
