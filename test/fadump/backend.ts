import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { PstoreError } from '../../lib/errors.js';
import { fadump } from '../../lib/fadump/backend.js';
import type { Backend } from '../../lib/pstore/backend.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { kindNamed } from '../../lib/source/kinds.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import type { Storage } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { buildFadump, type FadumpSpec, registerValue } from '../builders/fadump.js';
import { howSure } from '../builders/how-sure.js';
import { concat, kernelCore, LE64, prstatus } from '../builders/vmcore.js';

const kind = fadump;

t.equal(kindNamed('fadump'), fadump, 'it is registered');

const MAP = {
  boot_memory: { destination: '0x40000000', regions: [{ base: 0, size: '0x10000000' }] },
  memory: [{ base: 0, size: '0x100000000' }],
  reserved: { base: '0x40000000', size: '0x20000000' },
};

function open(
  source: Uint8Array | Storage,
  keys: Record<string, string | number | boolean> = {},
  map: unknown = MAP,
): Backend {
  const storage = source instanceof Uint8Array ? new MemoryStorage(source, { path: 'reserved.bin' }) : source;
  return kind.open({
    path: storage.path,
    storage: SurvivingStorage.over(storage),
    keys: SourceKeys.of(keys),
    warnings: new Warnings(),
    cache: new TextCache(),
    readFile: (path) => {
      if (path !== 'map.json') throw new PstoreError('ENOENT', `${path}: no such file`);
      return new TextEncoder().encode(JSON.stringify(map));
    },
  });
}

const names = (backend: Backend) =>
  Array.from({ length: backend.slots }, (_, slot) => backend.record(slot)?.name).filter((name) => name !== undefined);

function text(backend: Backend, name: string): string {
  const slot = backend.find(name);
  if (slot === undefined) throw new Error(`no ${name}`);
  const bytes = contentBytes(backend.open(slot));
  if (bytes.length !== backend.record(slot)!.size) throw new Error(`size of ${name}`);
  return new TextDecoder().decode(bytes);
}

/** The header's fields as the text shows them. */
function fields(backend: Backend): Record<string, string> {
  const lines = text(backend, 'header-fadump-0').trimEnd().split('\n');
  return Object.fromEntries(lines.map((line) => /^([^:]+): +(.*)$/.exec(line)!.slice(1)));
}

const messages = (backend: Backend) => backend.warnings.list.map(({ message }) => message);

t.test('new, draft and old headers in both byte orders', (t) => {
  for (const endian of ['little', 'big'] as const) {
    for (const layout of ['new', 'draft', 'old'] as const) {
      for (const ptRegs of [352, 368, 384]) {
        const label = `${endian} ${layout} ${ptRegs}`;
        const header = buildFadump({
          endian,
          layout,
          ptRegs,
          cpumask: 256,
          cpus: [0, 1, 2, 9, 64, 2047],
          cpu: 9,
          elf: true,
        });
        const image = concat(header, new Uint8Array(5000).fill(0xdd));
        const storage = new MemoryStorage(image);
        t.equal(howSure(kind, storage), 1, label);
        const before = image.slice();
        const backend = open(storage);
        t.same(names(backend), ['header-fadump-0', 'raw-fadump-0', 'regs-fadump-0']);
        const shown = fields(backend);
        t.match(shown, {
          magic: layout === 'old' ? 'FADMPINF' : 'FADMPSIG',
          'byte order': `${endian}-endian`,
          layout,
          'crashing CPU': '9',
        });
        t.equal(shown.CPUs, '0-2,9,64,2047', label);
        if (layout !== 'new') t.equal(shown['elfcorehdr address'], '0x0000000123456000');
        if (layout !== 'old') {
          t.match(shown, {
            version: '1',
            'vmcoreinfo address': '0x0000000200001000',
            'vmcoreinfo size': '4096 bytes',
            'pt_regs size': `${ptRegs} bytes`,
            'cpumask size': '256 bytes',
          });
        }
        const regs = text(backend, 'regs-fadump-0').trimEnd().split('\n');
        t.equal(regs.length, ptRegs / 8);
        t.equal(regs[0], `gpr0      0x${registerValue(0).toString(16).padStart(16, '0')}`);
        t.equal(regs[32], `nip       0x${registerValue(32).toString(16).padStart(16, '0')}`);
        t.same(
          regs.slice(30, 44).map((line) => line.split(' ')[0]),
          'gpr30 gpr31 nip msr orig_gpr3 ctr link xer ccr softe trap dar dsisr result'.split(' '),
        );
        const length = { new: 40, draft: 56, old: 24 }[layout] + ptRegs + 256;
        t.same(contentBytes(backend.open(2)), image.subarray(0, length), 'raw');
        t.match(backend.info(), {
          format: 'fadump',
          abi: { endian, wordBits: 64 },
          geometry: { pt_regs_size: ptRegs, cpumask_size: 256 },
          details: { layout, 'crashing CPU': '9' },
        });
        t.same(
          [...backend.info().zones],
          [
            {
              index: 0,
              type: 'header',
              offset: 0,
              size: length,
              state: 'live',
              reason: backend.info().details.verdict,
            },
          ],
        );
        t.equal(backend.warnings.list.length, layout === 'old' ? 1 : 0);
        t.same(image, before, 'looking changes nothing');
      }
    }
  }
  t.end();
});

t.test('every verdict has its own message', (t) => {
  const good: FadumpSpec = { endian: 'big', layout: 'new' };
  const table: [string, FadumpSpec, Record<string, string | number>, RegExp[], string[]][] = [
    ['good', good, {}, [/^good: FADMPSIG, version 1$/], []],
    ['good, as expected', good, { abi: 'be64', pt_regs_size: 352, cpumask_size: 256 }, [/^good/], []],
    ['old', { ...good, layout: 'old' }, {}, [/^old magic: FADMPINF/], ['header-version']],
    ['swapped', good, { abi: 'le64' }, [/^other byte order: .*big-endian and not little-endian/], ['header-version']],
    ['swapped', { ...good, endian: 'little' }, { abi: 'ppc64' }, [/^other byte order/], ['header-version']],
    ['version 0', { ...good, version: 0 }, {}, [/^unknown version: 0/], ['header-version']],
    ['version 2', { ...good, version: 2 }, {}, [/^unknown version: 2/], ['header-version']],
    ['regs', { ...good, ptRegs: 360 }, {}, [/^size mismatch: pt_regs has 360 bytes/], ['header-damaged']],
    ['regs, asked', good, { pt_regs_size: 384 }, [/pt_regs has 352 bytes, and expected were 384/], ['header-damaged']],
    ['mask, asked', good, { cpumask_size: 1024 }, [/cpumask has 256 bytes, and expected was 1024/], ['header-damaged']],
    ['no mask', { ...good, cpumask: 0, cpus: [] }, {}, [/cpumask has 0 bytes/], ['header-damaged']],
    [
      'all at once',
      { ...good, version: 7, ptRegs: 400, claims: { cpumask: 99999 } },
      { abi: 'le64' },
      [/^other byte order/, /^unknown version/, /pt_regs has 400/, /cpumask has 99999/],
      ['header-version', 'header-version', 'header-damaged', 'header-damaged', 'header-damaged'],
    ],
  ];
  for (const [label, spec, keys, verdicts, codes] of table) {
    const backend = open(buildFadump(spec), keys);
    const { verdict } = backend.info().details;
    for (const pattern of verdicts) {
      t.ok(
        verdict!.split('; ').some((sentence) => pattern.test(sentence)),
        `${label}: ${verdict}`,
      );
    }
    t.same(
      backend.warnings.list.map(({ code }) => code),
      codes,
      label,
    );
    const shown = text(backend, 'header-fadump-0');
    for (const sentence of verdict!.split('; ')) t.ok(shown.includes(sentence), `${label} in the text`);
  }
  const corrupted = buildFadump({ ...good, magic: 'FADMPXXX' });
  t.equal(howSure(kind, new MemoryStorage(corrupted)), 0);
  t.throws(() => open(corrupted), {
    code: 'EBADMSG',
    message: /corrupted: the bytes at 0 \(46 41 44 4d 50 58 58 58\)/,
  });
  t.throws(() => open(new Uint8Array(0)), { code: 'EBADMSG', message: /\(none\)/ });
  t.throws(() => open(new Uint8Array(9000)), { code: 'EBADMSG', message: /corrupted or was invalidated/ });
  t.end();
});

t.test('a crashing CPU that is not known, and masks of every machine', (t) => {
  t.equal(
    fields(open(buildFadump({ endian: 'big', layout: 'new', cpu: 0xffffffff })))['crashing CPU'],
    'unknown (0xffffffff)',
  );
  for (const endian of ['little', 'big'] as const) {
    for (const [cpus, list] of [
      [[], 'none'],
      [[0], '0'],
      [[7, 8], '7-8'],
      [Array.from({ length: 128 }, (_, i) => i), '0-127'],
      [[1, 3, 5, 63, 64, 127], '1,3,5,63-64,127'],
    ] as const) {
      t.equal(fields(open(buildFadump({ endian, layout: 'new', cpumask: 16, cpus }))).CPUs, list);
    }
    const narrow = open(buildFadump({ endian, layout: 'new', bits: 32, ptRegs: 176, cpumask: 8, cpus: [1, 33, 63] }));
    t.equal(fields(narrow).CPUs, '1,33,63');
    const regs = text(narrow, 'regs-fadump-0').trimEnd().split('\n');
    t.same([regs.length, regs[39], narrow.info().abi?.wordBits], [44, 'mq        0xa0001027', 32]);
    t.same(narrow.warnings.list, []);
  }
  t.end();
});

t.test('an old header without the ELF header behind it shows what all kernels have', (t) => {
  const backend = open(buildFadump({ endian: 'big', layout: 'old', ptRegs: 384 }));
  t.equal(text(backend, 'regs-fadump-0').trimEnd().split('\n').length, 44);
  t.equal(backend.record(2)!.size, 24 + 352);
  t.equal(fields(backend).CPUs, undefined);
  t.match(backend.info(), { geometry: { pt_regs_size: 352 }, confidence: { pt_regs_size: 0.5 } });
  t.end();
});

t.test('a header that stands behind other pages is found, and that is said', (t) => {
  const header = buildFadump({ endian: 'little', layout: 'new' });
  const image = concat(new Uint8Array(3 * 4096).fill(0x41), header);
  const storage = new MemoryStorage(image, { path: 'reserved.bin' });
  t.equal(howSure(kind, storage), 0.5);
  const backend = open(storage);
  t.match(backend.warnings.list, [{ code: 'geometry-guess', offset: 12288, message: /offset=12288/ }]);
  t.equal(backend.record(1)!.offset, 12288);
  backend.erase(1);
  t.ok(image.subarray(12288, 12296).every((byte) => byte === 0));
  t.ok(image.subarray(0, 12288).every((byte) => byte === 0x41));
  t.end();
});

t.test('unlink invalidates: the magic is cleared, and all files are gone', (t) => {
  for (const slot of [0, 1, 2, 3]) {
    const image = buildFadump({ endian: 'big', layout: 'draft' });
    const before = image.slice();
    let synced = 0;
    const storage = new MemoryStorage(image);
    storage.sync = () => void synced++;
    const backend = open(storage, { memory: 'map.json' });
    t.same(names(backend), ['elfcorehdr-fadump-0', 'header-fadump-0', 'raw-fadump-0', 'regs-fadump-0']);
    const raw = backend.open(2);
    t.equal(backend.writable, true);
    backend.erase(slot);
    t.equal(synced, 1);
    t.same(image.subarray(0, 8), new Uint8Array(8));
    t.same(image.subarray(8), before.subarray(8));
    t.same(names(backend), []);
    t.equal(backend.find('raw-fadump-0'), undefined);
    t.throws(() => backend.open(slot), { code: 'ENOENT' });
    t.same(contentBytes(raw), before, 'a file that is open reads on');
    t.same(
      [...backend.info().zones].map(({ state }) => state),
      ['erased'],
    );
    t.same(backend.space(), { bytes: before.length, freeBytes: before.length, records: 0, freeSlots: 1 });
    backend.erase(slot);
    t.equal(synced, 1, 'and once is enough');
    const again = open(image);
    t.same([names(again), again.warnings.list, [...again.info().zones][0]!.state], [[], [], 'erased']);
    t.match(again.info().details.verdict, /^invalidated/);
  }
  t.end();
});

t.test('unlink of what cannot be written, and of what is not there any more', (t) => {
  const image = buildFadump({ endian: 'big', layout: 'new' });
  const before = image.slice();
  const readOnly = open(new MemoryStorage(image, { writable: false }));
  t.equal(readOnly.writable, false);
  t.throws(() => readOnly.erase(1), { code: 'EPERM' });
  t.same(image, before);
  const reused = open(new MemoryStorage(image));
  image[40] = 0x77;
  image[13] = 0x12;
  const changed = image.slice();
  reused.erase(1);
  t.same(image, changed, 'another header than the one that was shown is left alone');
  t.same(names(reused), []);
  t.end();
});

t.test('a header cut at every byte', (t) => {
  for (const layout of ['new', 'draft', 'old'] as const) {
    const whole = buildFadump({ endian: 'little', layout, ptRegs: 352, cpumask: 16 });
    const fixed = { new: 40, draft: 56, old: 24 }[layout];
    for (let length = 0; length < whole.length; length++) {
      const image = whole.slice(0, length);
      // A draft header that is cut before its sizes cannot be told from a new one.
      const certain = layout === 'draft' ? 40 : fixed;
      if (length < certain) t.throws(() => open(image), { code: 'EBADMSG' }, `${layout} ${length}`);
      else if (length < fixed) t.doesNotThrow(() => open(image));
      else {
        const backend = open(image);
        const count = Math.min(44, Math.floor((length - fixed) / 8));
        t.equal(text(backend, 'regs-fadump-0').split('\n').length - 1, count, `${layout} ${length}`);
        const needed = layout === 'old' ? fixed + 352 : whole.length;
        if (length < needed) t.ok(messages(backend).some((message) => /but the file ends after/.test(message)));
        t.equal(contentBytes(backend.open(2)).length, Math.min(length, needed));
      }
    }
  }
  t.end();
});

t.test('sizes that overflow are not believed', (t) => {
  for (const [ptRegs, cpumask] of [
    [0xffffffff, 0xffffffff],
    [0, 0],
    [352, 0xffffffff],
    [0x80000000, 8],
  ] as const) {
    const image = concat(
      buildFadump({ endian: 'big', layout: 'new', claims: { ptRegs, cpumask } }),
      new Uint8Array(1 << 20).fill(0xff),
    );
    const backend = open(image);
    t.ok(backend.record(2)!.size <= 40 + 4096 + 8192);
    t.match(messages(backend).join(), /size mismatch/);
    t.ok(text(backend, 'header-fadump-0').length < 1 << 16);
  }
  t.end();
});

t.test('hostile bytes: an answer or a clear error', (t) => {
  const base = buildFadump({ endian: 'big', layout: 'draft', cpumask: 32 });
  const edit = fc.tuple(fc.nat(base.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 10 }), fc.nat(base.length), (edits, length) => {
      const bytes = base.slice(0, length);
      for (const [at, value] of edits) if (at < length) bytes[at] = value;
      try {
        const backend = open(bytes);
        for (const name of names(backend)) text(backend, name);
        backend.info();
      } catch (error) {
        if (!(error instanceof PstoreError) || error.code !== 'EBADMSG') throw error;
      }
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('what a kernel wrote comes out again', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom('little', 'big'),
      fc.constantFrom('new', 'draft'),
      fc.constantFrom(352, 368, 384),
      fc.constantFrom(8, 256, 1024),
      fc.bigInt({ min: 0n, max: (1n << 60n) - 1n }),
      fc.uniqueArray(fc.nat(63), { maxLength: 64 }),
      fc.nat(0xfffffffe),
      (endian, layout, ptRegs, cpumask, address, cpus, cpu) => {
        const vmcoreinfo = [address, address / 3n] as const;
        const backend = open(buildFadump({ endian, layout, ptRegs, cpumask, vmcoreinfo, cpus, cpu }));
        const shown = fields(backend);
        const wanted = {
          layout,
          'crashing CPU': String(cpu),
          'vmcoreinfo address': `0x${address.toString(16).padStart(16, '0')}`,
          'vmcoreinfo size': `${address / 3n} bytes`,
          'cpumask size': `${cpumask} bytes`,
        };
        for (const [label, value] of Object.entries(wanted)) {
          if (shown[label] !== value) throw new Error(`${label}: ${shown[label]}, not ${value}`);
        }
        const listed = new Set<number>();
        for (const range of shown.CPUs === 'none' ? [] : shown.CPUs!.split(',')) {
          const [from, to] = range.split('-').map(Number);
          for (let n = from!; n <= (to ?? from!); n++) listed.add(n);
        }
        if (listed.size !== cpus.length || cpus.some((n) => !listed.has(n))) throw new Error(shown.CPUs);
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('the memory map: its errors name the file, and a missing file is told', (t) => {
  const image = buildFadump({ endian: 'big', layout: 'new' });
  t.throws(() => open(image, { memory: 'map.json' }, { ...MAP, memory: [{ base: 0, size: 0 }] }), {
    code: 'EINVAL',
    message: 'map.json: memory[0].size must be at least 1',
  });
  t.throws(() => open(image, { memory: 'none.json' }), { code: 'ENOENT' });
  t.equal(open(image, { memory: 'map.json', abi: 'be64' }).info().sourceKeys, 'memory=map.json,abi=be64');
  t.end();
});

t.test('other files are none of its own', (t) => {
  t.equal(howSure(kind, new MemoryStorage(kernelCore(LE64, prstatus(LE64)))), 0);
  t.equal(howSure(kind, new MemoryStorage(new Uint8Array(3))), 0);
  t.equal(howSure(kind, new MemoryStorage(new Uint8Array(0))), 0);
  const backend = open(buildFadump({ endian: 'big', layout: 'new' }));
  for (const name of ['elfcorehdr-fadump-0', 'header-fadump-1', 'header-fadump-0.enc.z', 'dmesg-fadump-0']) {
    t.equal(backend.find(name), undefined, name);
  }
  t.throws(() => backend.open(0), { code: 'ENOENT' });
  backend.close();
  t.end();
});

const noReadelf = existsSync('/usr/bin/readelf') ? false : 'readelf is not installed (Debian package binutils)';

t.test('readelf reads the ELF core header', { skip: noReadelf }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fadump-'));
  try {
    for (const endian of ['little', 'big'] as const) {
      const backend = open(buildFadump({ endian, layout: 'new' }), { memory: 'map.json' });
      const path = join(folder, 'elfcorehdr');
      writeFileSync(path, contentBytes(backend.open(0)));
      const output = execFileSync('readelf', ['-hlW', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      t.match(output, new RegExp(`2's complement, ${endian} endian.*CORE.*PowerPC64`, 's'));
      const rows = [...output.matchAll(/^\s+(NOTE|LOAD)\s+(0x\w+) (0x\w+) (0x\w+) (0x\w+) (0x\w+)\s+(RWE)?\s+0$/gm)];
      t.same(
        rows.map(([, type, offset, vaddr, paddr, filesz, memsz, flags]) => [
          type,
          ...[offset, vaddr, paddr, filesz, memsz].map((value) => BigInt(value!)),
          flags ?? '',
        ]),
        [
          ['NOTE', 0n, 0n, 0n, 0n, 0n, ''],
          ['NOTE', 0x200001000n, 0n, 0x200001000n, 0x1000n, 0x1000n, ''],
          ['LOAD', 0x40000000n, 0xc000000000000000n, 0n, 0x10000000n, 0x10000000n, 'RWE'],
          ['LOAD', 0x10000000n, 0xc000000010000000n, 0x10000000n, 0x30000000n, 0x30000000n, 'RWE'],
          ['LOAD', 0x60000000n, 0xc000000060000000n, 0x60000000n, 0xa0000000n, 0xa0000000n, 'RWE'],
        ],
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  t.end();
});
