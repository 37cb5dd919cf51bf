import assert from 'node:assert/strict';
import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import { findBytes, native, nowNs } from '../../lib/platform/node.js';

const { inflateRaw } = native!;
const deflateRaw = (bytes: Uint8Array) => native!.deflateRaw(bytes, 11);

const text = new Uint8Array(Buffer.from('<6>[    1.000000] usb 1-1: new device\n'.repeat(100)));

t.test('inflate', async (t) => {
  const packed = deflateRaw(text);
  t.same(inflateRaw(packed, text.length), { output: Buffer.from(text), used: packed.length });
  const behind = new Uint8Array([...packed, 1, 2, 3]);
  t.same(inflateRaw(behind, 1e6)!.used, packed.length, 'what follows the stream is not counted');
  t.equal(inflateRaw(packed, text.length - 1), undefined, 'more output than is allowed');
  t.equal(inflateRaw(packed.subarray(0, packed.length - 2), 1e6), undefined, 'cut');
  t.equal(inflateRaw(new Uint8Array(0), 1e6), undefined);
  t.equal(inflateRaw(new Uint8Array([6, 7, 8]), 1e6), undefined, 'rubbish');
  t.equal(inflateRaw(packed, 0), undefined);
  t.same(inflateRaw(deflateRawSync(''), 0), { output: Buffer.alloc(0), used: 2 });
});

t.test('streams that fail keep little memory until the next tick', async (t) => {
  const packed = deflateRaw(text);
  const broken = packed.map((byte, i) => (i > 3 ? byte ^ 0x5a : byte));
  const before = process.memoryUsage().external;
  for (let i = 0; i < 5000; i++) assert.equal(inflateRaw(broken, 1e6), undefined);
  const kept = process.memoryUsage().external - before;
  t.ok(kept < 5000 * (4 * broken.length + 1024), `${kept} bytes for ${5000} streams of ${broken.length}`);
});

t.test('finding bytes', async (t) => {
  const bytes = new Uint8Array([0, 1, 2, 3, 1, 2, 3]);
  t.equal(findBytes(bytes, new Uint8Array([1, 2]), 0), 1);
  t.equal(findBytes(bytes, new Uint8Array([1, 2]), 2), 4);
  t.equal(findBytes(bytes, new Uint8Array([9]), 0), -1);
  t.equal(findBytes(bytes.subarray(2), new Uint8Array([1, 2]), 0), 2, 'in a part of a buffer');
});

t.test('the wall clock', async (t) => {
  const difference = Number(nowNs() / 1_000_000n) - Date.now();
  t.ok(Math.abs(difference) < 2000, `${difference} ms`);
});
