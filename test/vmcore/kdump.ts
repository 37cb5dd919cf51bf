import fc from 'fast-check';
import t from 'tap';
import {
  hasSignature,
  KDUMP_SIGNATURE,
  kdumpFirstFrame,
  kdumpNotes,
  kdumpVmcoreinfo,
  readKdumpHeader,
} from '../../lib/vmcore/kdump.js';
import { type KdumpLayout, kdump } from '../builders/vmcore.js';

const LAYOUTS: KdumpLayout[] = ['lp64', 'ilp32-align8', 'ilp32-align4', 'ilp32-time64'];

t.test('headers of every machine', (t) => {
  for (const endian of ['little', 'big'] as const) {
    for (const layout of LAYOUTS) {
      for (const block of [4096, 65536]) {
        const image = kdump(endian, layout, new Uint8Array(64), { block, machineName: 'armv7l', version: 6 });
        t.ok(hasSignature(image, KDUMP_SIGNATURE));
        const header = readKdumpHeader(image)!;
        const narrow = layout === 'ilp32-align8' || layout === 'ilp32-align4';
        t.match(header, {
          endian,
          version: 6,
          blockSize: block,
          subHeaderBlocks: 3,
          release: '6.1.192',
          machine: 'armv7l',
          narrow,
        });
        const readings = kdumpNotes(header, image.subarray(block, block + 104));
        const infos = kdumpVmcoreinfo({ ...header, version: 3 }, image.subarray(block, block + 104));
        const told = infos.find((one) => one.layout === (layout === 'ilp32-time64' ? 'ilp32-align8' : layout));
        t.match(told, { size: 16n, offset: BigInt(block + 104 + 64) });
        const wanted = layout === 'ilp32-time64' ? 'ilp32-align8' : layout;
        const reading = readings.find((notes) => notes.layout === wanted);
        t.same(reading, { layout: wanted, offset: BigInt(block + 104), size: 64n }, `${endian} ${layout}`);
      }
    }
  }
  t.end();
});

t.test('a dump of notes alone has no bitmap', (t) => {
  for (const layout of ['lp64', 'ilp32-align8'] as const) {
    const image = kdump('little', layout, new Uint8Array(64));
    const at = layout === 'lp64' ? 436 : 424;
    new DataView(image.buffer, image.byteOffset).setUint32(at, 0, true);
    t.match(readKdumpHeader(image), { bitmapBlocks: 0, blockSize: 4096, narrow: layout !== 'lp64' });
  }
  t.end();
});

t.test('numbers of pages of a narrow header without a sub-header do not pass for sizes of a wide one', (t) => {
  for (const layout of ['ilp32-align8', 'ilp32-align4'] as const) {
    const image = kdump('big', layout, new Uint8Array(64));
    const view = new DataView(image.buffer, image.byteOffset);
    view.setUint32(420, 0);
    view.setUint32(428, 131072);
    view.setUint32(432, 130000);
    t.match(readKdumpHeader(image), { subHeaderBlocks: 0, bitmapBlocks: 2, blockSize: 4096, narrow: true });
  }
  t.end();
});

t.test('where a part of a split dump begins, in every version and layout', (t) => {
  const places = [
    ['lp64', 'lp64', 12, 16, 80],
    ['ilp32-align8', 'ilp32-align8', 8, 12, 72],
    ['ilp32-align4', 'ilp32-align4', 8, 12, 56],
    ['ilp32-time64', 'ilp32-align8', 8, 12, 72],
  ] as const;
  for (const [writer, layout, split, start, start64] of places) {
    const header = readKdumpHeader(kdump('little', writer, new Uint8Array(64)))!;
    const bytes = new Uint8Array(104);
    const view = new DataView(bytes.buffer);
    view.setUint32(start, 77, true);
    view.setUint32(start64, 99, true);
    t.equal(kdumpFirstFrame(header, layout, bytes), 0, 'not split');
    view.setUint32(split, 1, true);
    t.equal(kdumpFirstFrame({ ...header, version: 1 }, layout, bytes), 0);
    t.equal(kdumpFirstFrame({ ...header, version: 2 }, layout, bytes), 77);
    t.equal(kdumpFirstFrame(header, layout, bytes), 99);
    t.equal(kdumpFirstFrame(header, layout, bytes.subarray(0, 100)), 0, 'a sub-header that is cut');
  }
  t.end();
});

t.test('a machine that QEMU has no name for', (t) => {
  const image = kdump('little', 'lp64', new Uint8Array(64), { machineName: 'Unknown' });
  t.equal(readKdumpHeader(image)!.machine, '');
  t.end();
});

t.test('what is none', (t) => {
  t.notOk(hasSignature(Uint8Array.from(Buffer.from('KDUMP  ')), KDUMP_SIGNATURE));
  t.equal(readKdumpHeader(new Uint8Array(463)), undefined);
  t.equal(readKdumpHeader(new Uint8Array(464)), undefined);
  const image = kdump('little', 'lp64', new Uint8Array(64));
  for (const [at, value, label] of [
    [8, 65, 'version'],
    [428, 4095, 'block size no power of two'],
    [428, 256, 'block size too small'],
  ] as const) {
    const bytes = image.slice();
    new DataView(bytes.buffer).setUint32(at, value, true);
    t.equal(readKdumpHeader(bytes), undefined, label);
  }
  const bare = image.slice();
  new DataView(bare.buffer).setUint32(432, 0, true);
  t.match(readKdumpHeader(bare), { subHeaderBlocks: 0, narrow: false, blockSize: 4096 }, 'no sub-header');
  t.same(kdumpNotes(readKdumpHeader(bare)!, bare.subarray(4096, 4200)), [], 'then nothing says where the notes are');
  const header = readKdumpHeader(image)!;
  t.same(kdumpNotes(header, image.subarray(4096, 4096 + 63)), [], 'a sub-header that is cut');
  t.same(kdumpNotes({ ...header, version: 3 }, image.subarray(4096, 4200)), [], 'an old version');
  t.equal(
    readKdumpHeader(image.map((byte, at) => (at >= 142 && at < 150 ? 7 : byte)))!.release,
    '',
    'control characters',
  );
  t.end();
});

t.test('any bytes give a header or none', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 464, maxLength: 600 }), (bytes) => {
      const header = readKdumpHeader(bytes);
      if (header) kdumpNotes(header, bytes);
    }),
    { numRuns: 300 },
  );
  t.end();
});
