import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeRecord } from '../../lib/compress/decompress.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { withSalvage } from '../../lib/pstore/salvage.js';
import { openSources } from '../../lib/source/sources.js';
import { FakeBackend } from '../builders/fake-backend.js';
import { Region } from '../builders/ramoops.js';
import { partition } from '../builders/zone.js';

const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-streams-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function logOf(counter: number): string {
  let text = `Oops#${counter} Part1\n`;
  for (let i = 0; i < 400; i++) text += `<6>[    ${i}.${(i * 7919) % 1_000_003}] device ${(i * 31) % 97} is ready\n`;
  return text;
}

/** A stream whose second half is rubbish: ones may be the end of a deflate stream. */
function damaged(stream: Uint8Array, compression: string): Uint8Array {
  return stream.map((byte, i) => (i < stream.length / 2 ? byte : compression === 'deflate' ? 0 : 0xff));
}

function open(name: string, bytes: Uint8Array, keys = 'salvage'): Backend {
  const path = join(folder, `${name}.raw`);
  writeFileSync(path, bytes);
  const options = { sharedKeys: [], mode: 'try' as const, cache: new TextCache(), strict: false };
  const { opened, failed } = openSources([`${path}${keys === '' ? '' : `,${keys}`}`], options);
  if (failed[0]) throw failed[0].error;
  t.teardown(() => opened[0]!.backend.close());
  return opened[0]!.backend;
}

function names(backend: Backend): string[] {
  const all: string[] = [];
  for (let slot = 0; slot < backend.slots; slot++)
    all.push(...(backend.record(slot) ? [backend.record(slot)!.name] : []));
  return all;
}

function text(backend: Backend, name: string): string {
  return Buffer.from(contentBytes(backend.open(backend.find(name)!))).toString('latin1');
}

t.test('the beginning of a stream that is damaged stands beside the stream itself', async (t) => {
  for (const compression of ['deflate', 'lz4', 'lzo', '842'] as const) {
    const image = partition(131_072).kmsg(32_768);
    const streams = [1, 2, 3].map((counter) => encodeRecord(Buffer.from(logOf(counter)), compression));
    streams[1] = damaged(streams[1]!, compression);
    for (const [i, body] of streams.entries()) {
      image.dmesg(i, { body, compressed: 1, counter: i + 1, seconds: 1_700_000_000 + i });
    }
    const plain = ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-1.enc.z', 'dmesg-pstore_blk-2'];
    t.same(names(open(`${compression} plain`, image.bytes, '')), plain, `${compression}: without salvage`);
    const backend = open(compression, image.bytes);
    const name = 'dmesg-pstore_blk-1.enc.z.salvaged';
    t.same(names(backend), [...plain, name], `${compression}: with salvage`);
    t.equal(text(backend, plain[1]!), Buffer.from(streams[1]!).toString('latin1'), 'the stream as it is');
    const start = text(backend, name);
    t.ok(logOf(2).startsWith(start.slice(0, 3000)) && start.length > 3000, 'and what can be read of it');
    const slot = backend.find(name)!;
    t.match(backend.record(slot), {
      ...{ slot, type: 'dmesg', id: 1, name, size: start.length, state: 'salvaged', compressed: compression },
      ...{ count: 2, reason: 'Oops', mtimeNs: 1_700_000_001_123_456_789n, offset: 32_768 },
    });
    t.throws(() => backend.erase(slot), {
      code: 'EPERM',
      message: 'dmesg-pstore_blk-1.enc.z.salvaged is the readable part of dmesg-pstore_blk-1.enc.z: erase that one',
    });
    backend.erase(backend.find(plain[1]!)!);
    t.same(names(backend), [plain[0], plain[2]], 'both go together');
    t.equal(backend.find(name), undefined);
    t.throws(() => backend.open(slot), { code: 'ENOENT' });
  }
});

t.test('of ramoops, too; and what a kernel without the right compression shows', async (t) => {
  const region = new Region({ mem: 65_536, record: 16_384, console: 16_384 });
  const stream = encodeRecord(Buffer.from(logOf(1)), 'deflate');
  region.dump(0, '====1700000000.000123-C\n', damaged(stream, 'deflate'));
  region.dump(1, '====1700000001.000123-C\n', stream);
  const name = 'dmesg-ramoops-0.enc.z.salvaged';
  const backend = open('ramoops', region.bytes, 'salvage,record_size=16K,console_size=16K');
  t.same(names(backend), ['dmesg-ramoops-0.enc.z', 'dmesg-ramoops-1', name]);
  t.ok(logOf(1).startsWith(text(backend, name).slice(0, 3000)));

  const other = open('other', region.bytes, 'salvage,record_size=16K,console_size=16K,compress=lz4');
  const both = ['dmesg-ramoops-0.enc.z', 'dmesg-ramoops-1.enc.z'];
  t.same(names(other), [...both, ...both.map((one) => `${one}.salvaged`)]);
  t.equal(text(other, 'dmesg-ramoops-1.enc.z.salvaged'), logOf(1));
});

t.test('nothing is made up where nothing can be read', async (t) => {
  const image = partition(65_536)
    .kmsg(32_768)
    .dmesg(0, { body: 'not a stream at all, but long enough', compressed: 1 });
  t.same(names(open('none', image.bytes)), ['dmesg-pstore_blk-0.enc.z']);
});

t.test('the backend within shines through', async (t) => {
  const inner = new FakeBackend('fake', ['one', null, 'three']);
  const backend = withSalvage(inner);
  t.same(names(backend), ['dmesg-fake-0', 'dmesg-fake-2']);
  t.equal(backend.slots, 6);
  t.match(backend, { name: 'fake', path: 'fake.raw', writable: true, warnings: inner.warnings });
  t.equal('write' in backend, 'write' in inner);
  t.equal('repair' in backend, 'repair' in inner);
  inner.reuse(0, 'another');
  t.equal(backend.generation(0), 1);
  t.equal(backend.generation(3), 1);
  backend.erase(2);
  t.same(names(backend), ['dmesg-fake-0']);
  backend.close();
  t.ok(inner.isClosed);
});
