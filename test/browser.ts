// The core in a browser's page: bundled for one, run where there is nothing of Node, against what the kernels showed.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { runInContext } from 'node:vm';
import t, { type Test } from 'tap';
import type * as Core from '../lib/core.js';
import { golden, goldenImage } from './fixture-path.js';
import { type GoldenCase, type GoldenFile, goldenBytes, goldenCases, withoutSymbols } from './golden.js';
import { page } from './trials/page.js';

function shows(t: Test, pstore: Core.Pstore, folder: string, files: readonly GoldenFile[]): void {
  t.same(
    [...pstore].map(({ name }) => name),
    files.map(({ name }) => name).sort(),
  );
  const tree = pstore.tree();
  for (const file of files) {
    const expected = goldenBytes(folder, file.name);
    const found = pstore.read(file.name);
    const attr = tree.attr(tree.resolve(`/${file.name}`))!;
    t.equal(attr.size, found.length, `${file.name}: st_size`);
    if (file.name.startsWith('ftrace')) {
      t.equal(withoutSymbols(found), withoutSymbols(expected), file.name);
      continue;
    }
    t.ok(Buffer.from(found).equals(expected), `${file.name}: bytes`);
    if (!file.name.startsWith('dmesg')) continue;
    t.equal(attr.timeNs, BigInt(file.mtime_sec) * 1_000_000_000n + BigInt(file.mtime_nsec), `${file.name}: time`);
  }
}

/** A kernel shows what it cannot decompress as `.enc.z`; where nothing is given, we find the compression. */
function openOptions({ keys, backend }: GoldenCase, given: boolean): Core.OpenImageOptions {
  if (given) return { keys, backend };
  return 'compress' in keys ? { keys: { compress: keys.compress! } } : {};
}

t.test('there is nothing of Node in the page', async (t) => {
  const { global } = page();
  for (const name of ['process', 'Buffer', 'require', 'SharedArrayBuffer', 'Atomics']) {
    t.equal(runInContext(`typeof ${name}`, global), 'undefined', name);
  }
});

for (const shown of goldenCases('zone', 'rfc5', 'ramoops')) {
  for (const given of [true, false]) {
    t.test(`${shown.folder} ${given ? 'with' : 'without'} the kernel's parameters`, async (t) => {
      const { core } = page();
      const bytes = goldenImage(shown.folder);
      const before = Buffer.from(bytes);
      t.equal(core.recognise(bytes), shown.backend);
      const pstore = core.open(bytes, openOptions(shown, given));
      t.equal(pstore.kind, shown.backend);
      shows(t, pstore, shown.folder, shown.files);
      t.ok(before.equals(bytes), 'looking changes nothing');
    });
  }
}

t.test('mtdoops-1', async (t) => {
  const { core } = page();
  const pstore = core.open(goldenImage('mtdoops-1'));
  t.equal(pstore.kind, 'mtdoops');
  const names = [...pstore].map(({ name }) => name);
  t.same(names, ['dmesg-mtdoops-0', 'dmesg-mtdoops-1', 'dmesg-mtdoops-2']);
  for (const [i, name] of names.entries()) {
    t.ok(Buffer.from(pstore.read(name)).equals(goldenBytes('mtdoops-1', `page-${i}`)), name);
  }
});

t.test('vmcoredd-1', async (t) => {
  const { core } = page();
  const expect = JSON.parse(readFileSync(golden('vmcoredd-1', 'expect.json'), 'utf8'));
  const pstore = core.open(goldenImage('vmcoredd-1', 'vmcore-head.raw'));
  t.equal(pstore.kind, 'vmcoredd');
  for (const dump of expect.device_dumps) {
    const found = pstore.read(`device-vmcoredd-${dump.index}`);
    t.equal(createHash('sha256').update(found).digest('hex'), dump.data_sha256, dump.name);
  }
});

t.test('records are erased and written in memory', async (t) => {
  const { core } = page();
  const bytes = goldenImage('s1');
  const pstore = core.open(bytes, { write: true });
  const [first, second] = [...pstore].map(({ name }) => name);
  pstore.erase(first!);
  t.throws(() => pstore.read(first!), { code: 'ENOENT' });
  pstore.backend.write!({
    type: 'dmesg',
    reason: 2,
    timeNs: 1_700_000_000_000_000_005n,
    compress: 'deflate',
    data: Buffer.from('<4>a line\n'.repeat(200)),
  });
  pstore.close();
  const again = core.open(bytes);
  const written = [...again].find(({ mtimeNs }) => mtimeNs === 1_700_000_000_000_000_005n)!;
  t.equal(written.compressed, 'deflate');
  t.match(Buffer.from(again.read(written)).toString(), /^Oops#\d+ Part1\n<4>a line\n/);
  t.ok(again.read(second!).length > 0);
  t.throws(() => again.erase(second!), { code: 'EROFS' }, 'without write');
});

t.test('what is wrong is said as in Node', async (t) => {
  const { core } = page();
  t.equal(core.recognise(new Uint8Array(8192)), undefined);
  t.throws(() => core.open(new Uint8Array(8192)), { code: 'EBADMSG', name: 'PstoreError' });
  t.throws(() => core.open(goldenImage('s1'), { keys: { kmsg_sise: '64K' } }), {
    code: 'EINVAL',
    message: /kmsg_size/,
  });
  t.throws(() => core.open(goldenImage('s1'), { backend: 'ramops' }), { code: 'EINVAL', message: /ramoops/ });
  t.throws(() => core.open(goldenImage('s1'), { backend: 'platform-dump' }), { code: 'EINVAL' });
});
