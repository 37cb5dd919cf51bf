import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { KINDS } from '../../lib/source/kinds.js';
import {
  isSourceKey,
  labelled,
  type OpenOptions,
  type OpenSource,
  openSource,
  openSources,
  parseSource,
  splitCommas,
  updateMsOf,
} from '../../lib/source/sources.js';
import { gptDisk } from '../builders/disk.js';
import { buildFadump } from '../builders/fadump.js';
import { goldenImage } from '../fixture-path.js';

const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-sources-'));
t.teardown(() => rmSync(folder, { recursive: true }));
process.chdir(folder);

const S1 = goldenImage('s1');
const V1 = goldenImage('v1');
writeFileSync('s1.raw', S1);
writeFileSync('v1.raw', V1);
writeFileSync('two.raw', Buffer.concat([S1, V1]));
writeFileSync('r1.raw', goldenImage('r1'));
writeFileSync('zeros.raw', new Uint8Array(1 << 20));
for (const name of ['a,b.raw', 'trailing,', 'a=b.raw', 'weird:name.raw', 'blkoops:v1.raw']) writeFileSync(name, V1);
symlinkSync('s1.raw', 'link.raw');
linkSync('s1.raw', 'hard.raw');
mkdirSync('folder');

const OPTIONS: OpenOptions = { sharedKeys: [], mode: 'read', cache: new TextCache(), strict: false };

/** What is wrong, or undefined. */
function errorOf(act: () => unknown): PstoreError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof PstoreError) return error;
    throw error;
  }
}

function closeAll(sources: readonly OpenSource[]): void {
  for (const { backend } of sources) backend.close();
}

// ── grammar ──

t.test('commas', (t) => {
  const cases: [string, string[]][] = [
    ['', ['']],
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    ['a,,b', ['a,b']],
    ['a,,,b', ['a,', 'b']],
    ['a,,,,b', ['a,,b']],
    ['a,', ['a', '']],
    ['a,,', ['a,']],
    [',a', ['', 'a']],
    [',,a', [',a']],
  ];
  for (const [text, parts] of cases) t.same(splitCommas(text), parts, text);
  fc.assert(
    fc.property(fc.string(), (text) => splitCommas(text.replaceAll(',', ',,')).join('') === text),
    { numRuns: 200 },
  );
  t.end();
});

t.test('SOURCE = [BACKEND:]PATH[,key=value]...', (t) => {
  const cases: [string, string | undefined, string, [string, string][]][] = [
    ['s1.raw', undefined, 's1.raw', []],
    ['pstore_blk:s1.raw', 'pstore_blk', 's1.raw', []],
    ['blkoops:v1.raw', 'blkoops', 'v1.raw', []],
    ['./blkoops:v1.raw', undefined, './blkoops:v1.raw', []],
    ['weird:name.raw', undefined, 'weird:name.raw', []],
    ['/x:y', undefined, '/x:y', []],
    ['folder/x:y', undefined, 'folder/x:y', []],
    ['a,,b.raw', undefined, 'a,b.raw', []],
    ['trailing,,', undefined, 'trailing,', []],
    ['trailing,,,ro', undefined, 'trailing,', [['ro', '']]],
    ['a=b.raw', undefined, 'a=b.raw', []],
    ['s1.raw,ro', undefined, 's1.raw', [['ro', '']]],
    [
      's1.raw,kmsg_size=64K,label=x',
      undefined,
      's1.raw',
      [
        ['kmsg_size', '64K'],
        ['label', 'x'],
      ],
    ],
    ['vmcoredd:core,label=a=b', 'vmcoredd', 'core', [['label', 'a=b']]],
    ['fadump:f,memory=a,,b.json', 'fadump', 'f', [['memory', 'a,b.json']]],
    ['blkoops:blkoops:v1.raw', 'blkoops', 'blkoops:v1.raw', []],
  ];
  for (const [text, kind, path, keys] of cases) {
    const spec = parseSource(text);
    t.same([spec.kind?.name, spec.path, spec.keys, spec.text], [kind, path, keys, text], text);
  }
  t.end();
});

t.test('what is no SOURCE', (t) => {
  const cases: [string, RegExp][] = [
    ['', /path of an image is missing/],
    ['blkoops:', /path of an image is missing/],
    ['s1.raw,', /a key is missing after a comma/],
    ['s1.raw,=1', /a key is missing after a comma/],
    ['s1.raw,foo=1', /unknown key "foo"; man pstorefuse lists the keys/],
    ['s1.raw,recordsize=64K', /unknown key "recordsize"; did you mean record_size\?$/],
    ['s1.raw,dmseg_size=64K', /unknown key "dmseg_size"; did you mean dmesg_size\?$/],
    ['a,b.raw', /unknown key "b.raw".*written ,,/],
    ['s1.raw,ro,ro', /the key ro is given twice/],
    ['s1.raw,kmsg_size=64K,kmsg_size=64K', /the key kmsg_size is given twice/],
    ['s1.raw,kmsg_size=64K,dmesg_size=64K', /given twice/],
    ['vmcoredd:core,kmsg_size=64K', /the backend vmcoredd has no key kmsg_size/],
    ['ram:x', /unknown backend "ram"; did you mean ramoops\?$/],
    ['cramoops:x', /unknown backend "cramoops"; did you mean ramoops\?$/],
    ['PSTORE_BLK:s1.raw', /unknown backend "PSTORE_BLK"; did you mean pstore_blk\?$/],
    [':x', /unknown backend ""/],
  ];
  for (const [text, said] of cases) {
    const error = errorOf(() => parseSource(text));
    t.equal(error?.code, 'EINVAL', text);
    t.match(error?.message, said, text);
    t.ok(error?.message.includes(text), 'names the source');
  }
  const known = errorOf(() => parseSource('nobody:x'))!.message;
  for (const { name } of KINDS) t.match(known, name, 'an unknown backend is answered with all known ones');
  t.end();
});

t.test('keys of sources', (t) => {
  for (const key of [
    'ro',
    'label',
    'salvage',
    'update_ms',
    'offset',
    'size',
    'kmsg_size',
    'dmesg_size',
    'ecc',
    'memory',
  ]) {
    t.ok(isSourceKey(key), key);
  }
  for (const key of ['layout', 'uid', '', 'toString', '__proto__', 'KMSG_SIZE']) t.notOk(isSourceKey(key), key);
  t.end();
});

// ── opening ──

t.test('a kind is found, or was given', (t) => {
  for (const [text, backend, records] of [
    ['s1.raw', 'pstore_blk', 3],
    ['pstore_blk:s1.raw', 'pstore_blk', 3],
    ['v1.raw', 'blkoops', 3],
    ['r1.raw', 'ramoops', 5],
    ['two.raw,offset=512K', 'blkoops', 3],
    ['two.raw,size=512K', 'pstore_blk', 3],
    ['two.raw,offset=0x80000,size=0x80000', 'blkoops', 3],
    ['pstore_blk:zeros.raw,kmsg_size=64K', 'pstore_blk', 0],
    ['blkoops:zeros.raw,kmsg_size=64K', 'blkoops', 0],
  ] as const) {
    const source = openSource(parseSource(text), OPTIONS);
    t.equal(source.backend.name, backend, text);
    t.equal(source.backend.space().records, records, text);
    source.backend.close();
  }
  t.end();
});

t.test('what cannot be opened', (t) => {
  writeFileSync('empty', '');
  writeFileSync('small', S1.subarray(0, 2000));
  writeFileSync('uneven', S1.subarray(0, 5000));
  writeFileSync('uneven-v1', V1.subarray(0, 70_000));
  const cases: [string, string, RegExp][] = [
    ['nothing', 'ENOENT', /there is no such file/],
    ['s1.raw/x', 'ENOENT', /there is no such file/],
    ['folder', 'EISDIR', /is a directory, not an image/],
    ['pstore_blk:folder', 'EISDIR', /is a directory/],
    ['empty', 'EBADMSG', /is empty/],
    ['empty,offset=0', 'EBADMSG', /is empty/],
    ['small', 'EBADMSG', /too few bytes.*\(2000\).*4096/],
    ['pstore_blk:small', 'EBADMSG', /too few bytes.*\(2000\)/],
    ['blkoops:small', 'EBADMSG', /too few bytes.*\(2000\)/],
    ['uneven', 'EBADMSG', /5000 bytes are not a multiple of 4096/],
    ['uneven-v1', 'EBADMSG', /70000 bytes are not a multiple of 4096/],
    ['zeros.raw', 'EBADMSG', /no signature.*pstore_blk:zeros.raw.*kmsg_size=/],
    ['zeros.raw,kmsg_size=64K', 'EBADMSG', /no signature.*name its backend/],
    ['pstore_blk:zeros.raw', 'EBADMSG', /give kmsg_size=/],
    ['/dev/null', 'ENXIO', /is a character device/],
    ['s1.raw,offset=1M', 'EINVAL', /offset=1048576 lies after its end/],
    ['s1.raw,offset=512K', 'EINVAL', /offset=524288 lies after its end/],
    ['s1.raw,size=1M', 'EINVAL', /leaves it/],
    ['s1.raw,offset=x', 'EINVAL', /offset=x: give a number of bytes/],
    ['s1.raw,ro=perhaps', 'EINVAL', /ro=perhaps: give yes or no/],
    ['s1.raw,kmsg_size=-1', 'EINVAL', /kmsg_size=-1: give a number of bytes/],
    ['s1.raw,kmsg_size=1e3', 'EINVAL', /give a number of bytes/],
    ['s1.raw,kmsg_size=99999999999999999999', 'EINVAL', /kmsg_size=99999999999999999999 is too large/],
    ['s1.raw,kmsg_size=9000T', 'EINVAL', /kmsg_size=9000T is too large/],
    ['s1.raw,kmsg_size=1000', 'EINVAL', /not a multiple of 512/],
    ['s1.raw,kmsg_size=64', 'EINVAL', /did you mean kmsg_size=64K\?/],
    ['s1.raw,kmsg_size=1M', 'EINVAL', /larger than the image/],
    ['s1.raw,kmsg_size=64K,pmsg_size=512K', 'EINVAL', /s1\.raw/],
    ['s1.raw,cpus=0', 'EINVAL', /cpus=0/],
    ['s1.raw,ecc=16', 'EINVAL', /is a source of pstore_blk, which has no key ecc/],
  ];
  for (const [text, code, said] of cases) {
    const error = errorOf(() => openSource(parseSource(text), OPTIONS));
    t.equal(error?.code, code, `${text}: ${error?.message}`);
    t.match(error?.message, said, text);
    t.match(error?.message, parseSource(text).path, 'names the file');
    t.notMatch(error?.message, /\n/, 'one line');
  }
  t.end();
});

t.test('a backend given by hand that the image is not of', (t) => {
  const cases: [string, string | undefined][] = [
    ['pstore_blk:v1.raw', 'blkoops:v1.raw'],
    ['ramoops:v1.raw', 'blkoops:v1.raw'],
    ['blkoops:s1.raw', 'pstore_blk:s1.raw'],
    ['ramoops:s1.raw,ro', 'pstore_blk:s1.raw,ro'],
    ['vmcoredd:r1.raw', 'ramoops:r1.raw'],
    ['fadump:s1.raw', 'pstore_blk:s1.raw'],
    ['mtdoops:s1.raw', 'pstore_blk:s1.raw'],
    ['platform-dump:v1.raw', 'blkoops:v1.raw'],
    ['pstore_blk:two.raw,offset=512K,label=x', 'blkoops:two.raw,offset=512K,label=x'],
    ['pstore_blk:a,,b.raw', 'blkoops:a,,b.raw'],
    ['pstore_blk:zeros.raw', undefined],
    ['ramoops:zeros.raw', undefined],
    ['platform-dump:zeros.raw', undefined],
    ['pstore_blk:uneven', undefined],
  ];
  for (const [text, taken] of cases) {
    const error = errorOf(() => openSource(parseSource(text), OPTIONS));
    const [, advice] = /; (it looks like .*)$/.exec(error?.message ?? '') ?? [];
    t.equal(advice, taken && `it looks like ${taken.split(':')[0]}: take ${taken}`, `${text}: ${error?.message}`);
    if (taken) openSource(parseSource(taken), OPTIONS).backend.close();
  }
  t.end();
});

t.test('sizes make an image of another kind an empty one, but nothing is written over it', (t) => {
  const ramoops = 'record_size=16K,console_size=0,ftrace_size=0,pmsg_size=0,ecc=0';
  for (const [text, said] of [
    [
      'pstore_blk:v1.raw,kmsg_size=64K',
      'no record of pstore_blk is found in it; it looks like blkoops: take blkoops:v1.raw',
    ],
    [
      `ramoops:s1.raw,${ramoops}`,
      'no record of ramoops is found in it; it looks like pstore_blk: take pstore_blk:s1.raw',
    ],
    [
      'pstore_blk:r1.raw,kmsg_size=16K',
      'no record of pstore_blk is found in it; it looks like ramoops: take ramoops:r1.raw',
    ],
  ] as const) {
    const spec = parseSource(text);
    const { backend } = openSource(spec, OPTIONS);
    t.equal(backend.space().records, 0);
    t.equal(backend.warnings.list[0]?.message, `${spec.path}: ${said}`, text);
    backend.close();
    for (const options of [
      { ...OPTIONS, mode: 'must' },
      { ...OPTIONS, strict: true },
    ] as const) {
      const error = errorOf(() => openSource(spec, options));
      t.ok(error, text);
      if (!options.strict) t.match(error, { code: 'EBADMSG', message: `${spec.path}: ${said}` });
    }
  }
  // An empty zone looks the same in both: a signature, and two zeros.
  const one = new Uint8Array(16 << 10).fill(0xff);
  one.set(Buffer.concat([Buffer.from('DBGC'), new Uint8Array(8)]));
  writeFileSync('one.raw', one);
  for (const text of [`ramoops:one.raw,${ramoops}`, 'pstore_blk:one.raw,kmsg_size=16K']) {
    const { backend } = openSource(parseSource(text), { ...OPTIONS, mode: 'must' });
    t.notOk(
      backend.warnings.list.some(({ code }) => code === 'geometry-mismatch'),
      text,
    );
    backend.close();
  }
  const fresh = openSource(parseSource('pstore_blk:zeros.raw,kmsg_size=64K'), { ...OPTIONS, mode: 'must' });
  t.same(
    fresh.backend.warnings.list.map(({ code }) => code),
    ['image-fresh'],
  );
  fresh.backend.close();
  t.end();
});

t.test('a key of -o goes to every source that knows it; a key of the source wins', (t) => {
  const sharedKeys = [
    ['dmesg_size', '128K'],
    ['ecc', '16'],
    ['label', 'shared'],
  ] as const;
  const options: OpenOptions = { ...OPTIONS, sharedKeys };
  const own = openSource(parseSource('s1.raw,kmsg_size=64K,label=own'), options);
  t.equal(own.keys.text('kmsg_size'), '64K', 'dmesg_size is the same key');
  t.equal(own.keys.text('label'), 'own');
  t.notOk(own.keys.has('ecc'), 'a zone partition has no ECC');
  own.backend.close();
  const shared = openSource(parseSource('s1.raw'), options);
  t.equal(shared.keys.size('kmsg_size'), 128 << 10);
  t.equal(shared.keys.text('label'), 'shared');
  shared.backend.close();
  t.end();
});

t.test('ro, and files that cannot be written', (t) => {
  const modeOf = (text: string, mode: OpenOptions['mode']) => {
    const { backend } = openSource(parseSource(text), { ...OPTIONS, mode });
    const { writable } = backend;
    backend.close();
    return writable;
  };
  t.equal(modeOf('s1.raw', 'read'), false);
  t.equal(modeOf('s1.raw', 'try'), true);
  t.equal(modeOf('s1.raw', 'must'), true);
  t.equal(modeOf('s1.raw,ro', 'try'), false);
  t.equal(modeOf('s1.raw,ro=no', 'try'), true);
  t.equal(errorOf(() => modeOf('s1.raw,ro', 'must'))?.code, 'EROFS');
  const strict = { ...OPTIONS, strict: true };
  t.equal(errorOf(() => openSource(parseSource('s1.raw,kmsg_size=128K'), strict))?.code, 'EINVAL', 'strict refuses');
  t.equal(
    errorOf(() => openSource(parseSource('s1.raw,kmsg_size=64K'), strict)),
    undefined,
  );
  t.end();
});

t.test('what was cut off while it was open is not erased in silence', (t) => {
  const images: [string, Uint8Array, number][] = [
    ['s3', goldenImage('s3'), 6],
    ['v1', V1, 3],
    ['r1-ftrace', goldenImage('r1-ftrace'), 5],
    ['r2', goldenImage('r2'), 5],
    ['mtdoops-1', goldenImage('mtdoops-1'), 3],
    ['fadump', buildFadump({ endian: 'little', layout: 'new' }), 3],
  ];
  for (const [name, bytes, least] of images) {
    writeFileSync(name, bytes);
    const { backend } = openSource(parseSource(name), { ...OPTIONS, mode: 'must' });
    const slots = Array.from({ length: backend.slots }, (_, slot) => slot).filter((slot) => backend.record(slot));
    t.ok(slots.length >= least, `${name}: ${slots.length} records`);
    truncateSync(name, 3);
    for (const slot of slots) {
      const error = errorOf(() => backend.erase(slot));
      t.equal(error?.code, 'EIO', `${name}: ${error?.message}`);
      t.match(error?.message, /cut while in use/);
      t.ok(backend.record(slot), 'it is still listed');
    }
    t.equal(statSync(name).size, 3);
    backend.close();
  }
  t.end();
});

// ── several ──

function open(texts: readonly string[], only: readonly string[] | null = null, options = OPTIONS) {
  const { opened, failed } = openSources(texts, options, only);
  const result = {
    opened: opened.map(({ spec }) => spec.text),
    failed: failed.map(({ spec, error }) => [spec.text, error.code]),
    labels: labelled(opened).map(({ label }) => label),
  };
  closeAll(opened);
  return result;
}

t.test('a source that fails does not hide the others', (t) => {
  t.same(open(['nothing', 's1.raw', 'zeros.raw', 'v1.raw']), {
    opened: ['s1.raw', 'v1.raw'],
    failed: [
      ['nothing', 'ENOENT'],
      ['zeros.raw', 'EBADMSG'],
    ],
    labels: ['pstore_blk', 'blkoops'],
  });
  t.equal(
    errorOf(() => open(['nothing', 'zeros.raw']))?.code,
    'ENOENT',
    'where none opens, the first failure is that of all',
  );
  const strict = { ...OPTIONS, strict: true };
  t.equal(errorOf(() => open(['s1.raw', 'zeros.raw'], null, strict))?.code, 'EBADMSG', 'strict: one is enough');
  t.end();
});

t.test('update_ms: of the sources that have it, checked for every command', (t) => {
  const { opened } = openSources(['s1.raw,update_ms=250', 'v1.raw'], OPTIONS);
  t.same(
    labelled(opened).map(({ isLive, source }) => [isLive, updateMsOf(source.keys)]),
    [
      [true, 250],
      [false, undefined],
    ],
  );
  closeAll(opened);
  for (const value of ['0', '-1', 'abc', '', '86400001']) {
    t.same(open(['v1.raw', `s1.raw,update_ms=${value}`]).failed, [[`s1.raw,update_ms=${value}`, 'EINVAL']]);
  }
  t.end();
});

t.test('--backend: exact names, in their order', (t) => {
  const all = ['s1.raw', 'v1.raw', 'r1.raw'];
  t.same(open(all).opened, all, 'all, as they were given');
  t.same(open(all, ['ramoops', 'pstore_blk']).opened, ['r1.raw', 's1.raw']);
  t.same(open(all, ['blkoops']).opened, ['v1.raw']);
  const none = errorOf(() => open(['s1.raw', 'blkoops:v1.raw'], ['vmcoredd', 'ramoops']));
  t.equal(none?.code, 'ENOENT');
  const is = 's1.raw is of pstore_blk, v1.raw is given as blkoops';
  t.equal(none?.message, `none of the sources is of vmcoredd or ramoops: ${is}`);
  const named = ['pstore_blk:s1.raw', 'blkoops:nothing', 'v1.raw'];
  t.same(open(named, ['pstore_blk']).failed, [], 'a source that was not asked for is not opened');
  t.same(open(named, ['blkoops', 'pstore_blk']), {
    opened: ['v1.raw', 'pstore_blk:s1.raw'],
    failed: [['blkoops:nothing', 'ENOENT']],
    labels: ['blkoops', 'pstore_blk'],
  });
  for (const name of ['ram', 'oops', 'cramoops', '', 'RAMOOPS']) {
    const error = errorOf(() => open(all, [name]));
    t.equal(error?.code, 'EINVAL', name);
    t.match(error?.message, /unknown backend ".*"; (known are pstore_blk, |did you mean ramoops\?$)/);
  }
  t.end();
});

t.test('the same bytes twice', (t) => {
  for (const twin of [
    's1.raw',
    './s1.raw',
    'link.raw',
    'hard.raw',
    'pstore_blk:link.raw',
    's1.raw,ro',
    's1.raw,label=x',
  ]) {
    const error = errorOf(() => open(['s1.raw', 'v1.raw', twin]));
    t.equal(error?.code, 'EINVAL', twin);
    t.match(error?.message, /s1\.raw|link\.raw|hard\.raw/);
    t.match(error?.message, /are the same file; give it once/);
  }
  const overlapping = ['two.raw,size=512K', 'two.raw,offset=256K,size=512K'];
  t.match(errorOf(() => open(overlapping))?.message, /same file/);
  t.same(open(['two.raw,size=512K', 'two.raw,offset=512K']).opened.length, 2, 'two parts that do not overlap');
  t.end();
});

t.test('several partitions of one disk, but none of them twice', async (t) => {
  const images = [S1, goldenImage('s3')];
  const firsts = [64, 64 + S1.length / 512];
  const partitions = images.map((image, i) => ({ name: `p${i}`, first: firsts[i]!, count: image.length / 512 }));
  const disk = gptDisk(firsts[1]! + images[1]!.length / 512 + 64, 512, partitions);
  images.forEach((image, i) => {
    disk.set(image, firsts[i]! * 512);
  });
  writeFileSync('disk.raw', disk);
  for (const ro of ['', ',ro']) {
    const { opened, failed } = openSources([`disk.raw,part=1${ro}`, `disk.raw,part=p1${ro}`], OPTIONS);
    t.equal(opened.length, 2);
    t.same(failed, []);
    for (const { backend } of opened) backend.close();
  }
  const { opened, failed } = openSources(['disk.raw,part=1', 'disk.raw,part=p0'], OPTIONS);
  t.equal(opened.length, 1);
  t.match(failed, [{ error: { code: 'EINVAL', message: /are the same file; give it once/ } }]);
  for (const { backend } of opened) backend.close();
});

t.test('parts of one file are written through one lock', (t) => {
  const texts = ['two.raw,size=512K', 'two.raw,offset=512K'];
  const { opened, failed } = openSources(texts, { ...OPTIONS, mode: 'must' });
  t.same(failed, []);
  const other = errorOf(() => openSource(parseSource('two.raw'), { ...OPTIONS, mode: 'must' }));
  t.equal(other?.code, 'EBUSY', 'nobody else writes meanwhile');
  const [first, second] = opened.map(({ backend }) => backend);
  first!.erase(first!.find('dmesg-pstore_blk-1')!);
  first!.close();
  second!.erase(second!.find('dmesg-blkoops-1')!);
  t.equal(errorOf(() => openSource(parseSource('two.raw'), { ...OPTIONS, mode: 'must' }))?.code, 'EBUSY');
  second!.close();
  const again = openSources(texts, { ...OPTIONS, mode: 'must' });
  t.same(
    again.opened.map(({ backend }) => backend.space().records),
    [2, 2],
  );
  closeAll(again.opened);
  t.end();
});

t.test('labels', (t) => {
  writeFileSync('s2.raw', goldenImage('s2'));
  writeFileSync('s9.raw', goldenImage('s9-00'));
  t.same(open(['s1.raw', 's2.raw', 's9.raw']).labels, ['pstore_blk', 'pstore_blk.2', 'pstore_blk.3']);
  t.same(open(['s1.raw', 's2.raw,label=x', 's9.raw']).labels, ['pstore_blk', 'x', 'pstore_blk.2']);
  t.same(open(['s1.raw', 's2.raw,label=pstore_blk']).labels, ['pstore_blk.2', 'pstore_blk']);
  t.same(open(['s1.raw,label=pstore_blk.2', 's2.raw', 's9.raw']).labels, [
    'pstore_blk.2',
    'pstore_blk',
    'pstore_blk.3',
  ]);
  for (const label of ['a', 'A-1_b.c', '0', '-x', 'x'.repeat(64)])
    t.same(open([`s1.raw,label=${label}`]).labels, [label]);
  for (const label of [
    '',
    '.',
    '..',
    '.x',
    'a/b',
    'a b',
    'ä',
    'a\n',
    'x'.repeat(65),
    'dmesg-pstore_blk-0',
    'x-pstore_blk-5.enc.z',
  ]) {
    const error = errorOf(() => open([`s1.raw,label=${label}`]));
    t.equal(error?.code, 'EINVAL', JSON.stringify(label));
    t.match(error?.message, 's1.raw');
  }
  t.match(errorOf(() => open(['s1.raw,label=x', 's2.raw,label=x']))?.message, /the label x is given twice/);
  t.end();
});

t.test('where a cut file gives nothing, it is said that it is cut', async (t) => {
  const whole = gzipSync(Buffer.concat([new Uint8Array(60_000), randomBytes(100_000)]));
  writeFileSync('cut.gz', whole.subarray(0, 50_000));
  t.throws(() => openSource(parseSource('cut.gz'), OPTIONS), {
    code: 'EBADMSG',
    message: /^cut\.gz is cut or damaged: .*; copy it again \(of the rest: cut\.gz: no signature /,
  });
});
