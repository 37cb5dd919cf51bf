// Erased records: shown byte for byte as their kernel had shown them, and taken back exactly where that is safe.

import t from 'tap';
import type { Backend, PstoreRecord } from '../../lib/pstore/backend.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { ErasedRecords } from '../../lib/pstore/erased-records.js';
import type { BackendKind } from '../../lib/pstore/kind.js';
import { kindNamed } from '../../lib/source/kinds.js';
import { Tree } from '../../lib/tree/tree.js';
import { changedBytes } from '../builders/changed.js';
import { openBytes, recordsOf } from '../builders/open.js';
import { partition } from '../builders/zone.js';
import { goldenImage } from '../fixture-path.js';

const fileKind = (name: string) => kindNamed(name) as BackendKind;

function bytesOf(backend: Backend, { slot }: PstoreRecord): Buffer {
  return Buffer.from(contentBytes(backend.open(slot)));
}

function erasedOf(backend: Backend): Map<string, Buffer> {
  const view = new ErasedRecords(backend);
  return new Map(recordsOf(view).map((record) => [record.name, bytesOf(view, record)]));
}

// A kernel or a firmware has erased a record of each of these, and shown it before.
for (const [kind, folder, before] of [
  ['pstore_blk', 's5', 's1'],
  ['blkoops', 'v3', 'v1'],
  ['efi', 'efi-rm', undefined],
  ['erst', 'erst-rm', undefined],
] as const) {
  t.test(`${folder}: what a kernel has erased is shown as it was, and comes back byte for byte`, async (t) => {
    const image = goldenImage(folder);
    const old = before ? goldenImage(before) : goldenImage(folder, 'image-before.raw');
    const backend = openBytes(fileKind(kind), image);
    const shownBefore = openBytes(fileKind(kind), old);
    const live = new Set(recordsOf(backend).map(({ name }) => name));
    const gone = recordsOf(shownBefore).filter(({ name }) => !live.has(name));
    t.ok(gone.length > 0);
    const erased = erasedOf(backend);
    for (const record of gone) t.ok(erased.get(record.name)?.equals(bytesOf(shownBefore, record)), record.name);
    for (const { name } of gone) {
      const view = new ErasedRecords(backend);
      view.undelete(view.find(name)!);
      t.ok(backend.find(name) !== undefined, `${name} is shown again`);
    }
    const now = changedBytes(image, goldenImage(folder));
    if (before) t.same(changedBytes(image, old), [], 'the image is what it was before the kernel erased it');
    // The firmware has written variables of its own since.
    else t.ok(now.length > 0 && now.every((at) => image[at] === old[at]), `${now.length} bytes are what they were`);
  });
}

// Of these every record is erased and taken back, one by one.
for (const [kind, folder, cannot] of [
  ['pstore_blk', 's1', []],
  ['pstore_blk', 's2', []],
  ['pstore_blk', 'be-s2', []],
  ['pstore_blk', 's3', ['console', 'ftrace', 'pmsg']],
  ['pstore_blk', 's6-lz4', []],
  ['blkoops', 'v1', []],
  ['blkoops', 'v2', []],
  ['ramoops', 'r1', ['console', 'pmsg']],
  ['ramoops', 'r2', ['console', 'pmsg']],
  ['efi', 'efi-oops3', []],
  ['erst', 'erst-oops3', []],
  ['mtdoops', 'mtdoops-1', ['dmesg']],
] as const) {
  t.test(`${folder}: what is erased here is taken back exactly, or nothing is written`, async (t) => {
    for (const { name, type } of recordsOf(openBytes(fileKind(kind), goldenImage(folder)))) {
      const image = goldenImage(folder);
      const backend = openBytes(fileKind(kind), image);
      const slot = backend.find(name)!;
      const text = Buffer.from(contentBytes(backend.open(slot)));
      backend.erase(slot);
      const after = image.slice();
      const view = new ErasedRecords(backend);
      const erased = view.find(name);
      if ((cannot as readonly string[]).includes(type)) {
        if (erased !== undefined) {
          try {
            view.undelete(erased);
          } catch (error) {
            t.match(error, { code: 'EPERM', message: /is not undeleted: .+; cat --erased shows/ });
            t.same(changedBytes(image, after), [], 'and nothing is written');
            continue;
          }
          t.same(changedBytes(image, goldenImage(folder)), [], `${name} is back`);
        }
        continue;
      }
      t.ok(erased !== undefined && bytesOf(view, view.record(erased)!).equals(text), `${name} is shown`);
      view.undelete(erased!);
      t.same(changedBytes(image, goldenImage(folder)), [], `${name} is back`);
      t.ok(Buffer.from(contentBytes(backend.open(backend.find(name)!))).equals(text));
    }
  });
}

t.test('what cannot be taken back safely is refused, with the reason', async (t) => {
  const refuses = (kind: string, image: Uint8Array, name: string, message: RegExp) => {
    const view = new ErasedRecords(openBytes(fileKind(kind), image));
    const before = image.slice();
    t.throws(() => view.undelete(view.find(name)!), { code: 'EPERM', message }, name);
    t.same(changedBytes(image, before), [], 'nothing is written');
  };
  const LONG = '<6>[    1.000000] a long line of an older log that goes on and on\n'.repeat(20);
  const SHORT = '<6>[   90.000000] a short one\n';
  const older = partition(8192, { format: 'blkoops' }).kmsg(4096);
  older.dmesg(0, { body: `Oops#1 Part1\n${LONG}` });
  older.dmesg(0, { body: `Oops#9 Part1\n${SHORT}`, counter: 9, erased: true });
  refuses('blkoops', older.bytes, 'dmesg-blkoops-0', /an older text may follow it/);
  older.dmesg(0, { body: `Oops#9 Part1\n${SHORT}`, counter: 9 });
  refuses('blkoops', older.bytes, 'dmesg-blkoops-0.older', /another record stands in its place/);
  const ring = partition(65536)
    .console(8192, ['x'.repeat(9000)])
    .kmsg(8192)
    .dmesg(0, { body: LONG });
  ring.erase(ring.places[0]!);
  refuses('pstore_blk', ring.bytes, 'console-pstore_blk-0', /its ring is full/);
});

t.test('a zone that was used since is not taken back', async (t) => {
  const image = goldenImage('s5');
  const view = new ErasedRecords(openBytes(fileKind('pstore_blk'), image));
  const slot = view.find('dmesg-pstore_blk-1')!;
  image.set(goldenImage('s1').subarray(0, 65536), 65536);
  t.throws(() => view.undelete(slot), { code: 'EBUSY', message: /has been used since/ });
});

t.test('what was erased and what is there stand in folders of their own', async (t) => {
  const backend = openBytes(fileKind('pstore_blk'), goldenImage('s1'));
  const options = { layout: 'both', readOnly: false, uid: 0, gid: 0, umask: null, mountTimeNs: 0n } as const;
  const tree = new Tree([{ backend, label: 'pstore_blk' }], { ...options, erased: true, joined: true });
  const names = () => [...tree.entries(tree.resolve('/.erased'))].slice(2).map(({ name }) => name);
  t.same(names(), []);
  tree.unlink(1, 'dmesg-pstore_blk-1');
  t.same(names(), ['dmesg-pstore_blk-1']);
  const ino = tree.resolve('/.erased/dmesg-pstore_blk-1');
  t.equal(tree.attr(ino)?.size, contentBytes(tree.open(ino)).length);
  t.throws(() => tree.unlink(tree.resolve('/.erased'), 'dmesg-pstore_blk-1'), { code: 'EPERM' });
  t.same(
    [...tree.entries(1)].map(({ name }) => name).filter((name) => name.startsWith('.')),
    ['.', '..', '.joined', '.erased'],
  );
  t.equal(tree.attr(1)?.nlink, 5);
  t.equal(tree.countsReads(ino), false);
});
