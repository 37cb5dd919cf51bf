import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { platformDump } from '../../lib/platform-dump/backend.js';
import type { Backend, PstoreRecord } from '../../lib/pstore/backend.js';
import { contentBytes } from '../../lib/pstore/content.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import type { Firmware, FirmwareStatus, Lockdown } from '../../lib/storage/firmware.js';
import { FirmwareFolder } from '../../lib/storage/firmware-folder.js';
import { createScratch } from '../../lib/storage/scratch.js';
import type { Scratch } from '../../lib/storage/spool.js';
import { Warnings } from '../../lib/warnings.js';
import { type ScriptedDump, ScriptedFirmware } from '../builders/firmware.js';
import { dumpBytes, FSPDUMP, fillPattern, SYSDUMP } from '../builders/platform-dump.js';

type Keys = Record<string, string | number | boolean>;

interface Given {
  keys?: Keys;
  lockdown?: () => Lockdown;
  scratch?: (folder?: string) => Scratch;
}

function open(
  firmware: Firmware,
  { keys = {}, lockdown = () => 'none', scratch = createScratch }: Given = {},
): Backend {
  return platformDump.open({
    path: firmware.path,
    firmware,
    keys: SourceKeys.of(keys),
    warnings: new Warnings(),
    scratch,
    lockdown,
  });
}

function openFolder(path: string, given: Given = {}): Backend {
  return open(new FirmwareFolder(path), given);
}

function openScript(dumps: ScriptedDump[], given: Given = {}): { backend: Backend; firmware: ScriptedFirmware } {
  const firmware = new ScriptedFirmware(dumps);
  return { firmware, backend: open(firmware, given) };
}

function shown(backend: Backend): PstoreRecord[] {
  return Array.from({ length: backend.slots }, (_, slot) => backend.record(slot)).filter(
    (record) => record !== undefined,
  );
}

const names = (backend: Backend): string[] => shown(backend).map(({ name }) => name);
const codes = (backend: Backend): string[] => backend.warnings.list.map(({ code }) => code);

/** Reads a record from its beginning to its end. */
function readAll(backend: Backend, name: string): Buffer {
  return Buffer.from(contentBytes(backend.open(backend.find(name)!)));
}

function saved(t: Test, files: Record<string, Uint8Array>): string {
  const folder = t.testdir({});
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}

// ── names and listing ──

t.test('a folder of saved dumps', async (t) => {
  const one = dumpBytes({ name: SYSDUMP, sections: [100n, 900n] });
  const two = dumpBytes({ name: FSPDUMP, data: 70_000 });
  const plain = Buffer.from('no dump at all, but kept with them');
  const folder = saved(t, { first: one, 'second.bin': two, 'platform-dump-42': plain });
  mkdirSync(join(folder, 'nested'));
  writeFileSync(join(folder, 'nested', 'deep'), one);
  symlinkSync(join(folder, 'first'), join(folder, 'link'));
  utimesSync(join(folder, 'platform-dump-42'), 1_500_000_000, 1_500_000_000);
  const backend = openFolder(folder);
  t.match(shown(backend), [
    {
      name: SYSDUMP,
      type: 'dump',
      id: 0,
      slot: 0,
      size: one.length,
      title: SYSDUMP,
      state: 'live',
      mtimeNs: 1631610900_000_000_000n,
    },
    { name: 'platform-dump-42', id: 1, size: plain.length, title: null, mtimeNs: 1_500_000_000_000_000_000n },
    { name: FSPDUMP, id: 2, size: two.length, title: FSPDUMP },
  ]);
  t.same(codes(backend), []);
  t.equal(Buffer.compare(readAll(backend, SYSDUMP), one), 0);
  t.equal(Buffer.compare(readAll(backend, FSPDUMP), two), 0);
  t.equal(Buffer.compare(readAll(backend, 'platform-dump-42'), plain), 0);
  t.equal(backend.find('first'), undefined, 'the dump goes by its own name');
  t.match(backend.info(), {
    format: 'platform-dump',
    abi: null,
    geometry: { dumps: 3 },
    nextZone: null,
    counters: null,
  });
  t.match(
    [...backend.info().zones].map(({ state, reason }) => `${state} ${reason}`),
    [
      /^live the file first: read to its end/,
      /^live the file platform-dump-42: no header.*read to its end/,
      /^live the file second.bin: read to its end/,
    ],
  );
  t.same(backend.space(), { bytes: one.length + two.length + plain.length, freeBytes: 0, records: 3, freeSlots: 0 });
  backend.close();
});

t.test('awkward names', async (t) => {
  const header = (name: string | Uint8Array) => dumpBytes({ name, data: 10 });
  const folder = saved(t, {
    a: header('../../etc/passwd'),
    b: header('new\nline'),
    c: header(SYSDUMP),
    d: header(SYSDUMP),
    e: header(`${SYSDUMP.slice(0, 36)}.2`),
    f: header(SYSDUMP.slice(0, 36)),
    g: header(SYSDUMP.slice(0, 36)),
    h: header(new Uint8Array(40)),
    i: header('.'),
    j: header('platform-dump'),
    k: header(Uint8Array.of(0x41, 0, 0x42)),
    l: header(Uint8Array.of(0xff, 0x1b, 0x5b, 0x41)),
  });
  const backend = openFolder(folder);
  const all = names(backend);
  t.match(all, [
    '_._.._etc_passwd',
    'new_line',
    SYSDUMP,
    `${SYSDUMP}.2`,
    `${SYSDUMP.slice(0, 36)}.2`,
    SYSDUMP.slice(0, 36),
    `${SYSDUMP.slice(0, 36)}.3`,
    'h',
    'i',
    'platform-dump.2',
    'A',
    '___A',
  ]);
  t.equal(new Set(all).size, all.length);
  for (const name of all) t.equal(backend.record(backend.find(name)!)?.name, name);
  t.match(shown(backend)[1], { title: 'new\\x0aline' });
  t.match(shown(backend)[7], { title: null });
  t.equal(shown(backend)[11]!.title, '\\xff\\x1b[A');
  t.same(codes(backend), ['header-damaged', 'header-damaged']);
  t.equal(backend.find('..'), undefined);
  t.equal(backend.find('__proto__'), undefined);
});

t.test('a folder of folders, as OPAL has it, and names that look like options', async (t) => {
  const folder = saved(t, {
    '--help': Buffer.from('log'),
    '.hidden': dumpBytes({ name: SYSDUMP }),
    '-rf': Buffer.from('x'),
  });
  for (const [entry, name] of [
    ['0x1-0x0001', SYSDUMP],
    ['0x2-0x0002', ''],
  ] as const) {
    mkdirSync(join(folder, entry));
    writeFileSync(join(folder, entry, 'dump'), name === '' ? Buffer.from('no header') : dumpBytes({ name, data: 10 }));
    writeFileSync(join(folder, entry, 'acknowledge'), 'ack\n');
  }
  const backend = openFolder(folder);
  t.same(names(backend), ['_-help', '_rf', SYSDUMP, '0x2-0x0002']);
  t.equal(readAll(backend, '_rf').toString(), 'x');
  const text = readAll(backend, '0x2-0x0002').toString();
  t.equal(text, 'no header');
  backend.erase(backend.find('0x2-0x0002')!);
  t.same(readdirSync(join(folder, '0x2-0x0002')), ['acknowledge']);
});

t.test('damaged headers, and dumps that were not saved whole', async (t) => {
  const folder = saved(t, {
    a: dumpBytes({ name: SYSDUMP, sections: [2n ** 63n, 2n ** 63n] }),
    b: dumpBytes({ name: FSPDUMP, prefixLength: 41 }),
    c: dumpBytes({ name: SYSDUMP }).subarray(0, 63),
    d: new Uint8Array(0),
  });
  const backend = openFolder(folder);
  t.match(names(backend), [SYSDUMP, FSPDUMP, 'c', 'd']);
  t.match(backend.warnings.list, [
    { code: 'header-damaged', message: /2 sections have 18446744073709551616 bytes.*not saved whole/ },
    { code: 'header-damaged', message: /prefix of 41 bytes/ },
  ]);
  t.equal(readAll(backend, names(backend)[3]!).length, 0);
});

t.test('cut at every boundary: a name or a tag, and the bytes that are there', async (t) => {
  const whole = dumpBytes({ name: SYSDUMP, sections: [100n, 900n], data: 20 });
  const folder = t.testdir({});
  for (let size = 0; size <= whole.length; size++) {
    writeFileSync(join(folder, 'dump'), whole.subarray(0, size));
    const backend = openFolder(folder);
    const [record] = shown(backend);
    if (record!.size !== size) t.fail(`${size}: ${record!.size}`);
    if ((record!.name === SYSDUMP) !== size >= 64) t.fail(`${size}: ${record!.name}`);
    if (Buffer.compare(readAll(backend, record!.name), whole.subarray(0, size)) !== 0) t.fail(`${size}: bytes`);
    backend.close();
  }
});

t.test('mutated headers: never a crash, always unique safe names', async (t) => {
  const good = dumpBytes({ name: SYSDUMP, sections: [100n], data: 20 });
  const mutations = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 30 });
  fc.assert(
    fc.property(fc.array(mutations, { minLength: 1, maxLength: 4 }), (dumps) => {
      const heads = dumps.map((changes) => {
        const head = good.slice();
        for (const [at, value] of changes) head[at] = value;
        return head;
      });
      const { backend } = openScript(heads.map((head, i) => ({ tag: BigInt(i), size: head.length, head })));
      const all = names(backend);
      return (
        new Set(all).size === heads.length &&
        all.every((name, i) => /^[A-Za-z0-9_+:@=-][A-Za-z0-9._+:@=-]*$/.test(name) && backend.find(name) === i) &&
        heads.every((head, i) => Buffer.compare(readAll(backend, all[i]!), head) === 0)
      );
    }),
    { numRuns: 150 },
  );
  t.pass();
});

t.test('probe: a folder that has a saved dump', async (t) => {
  const yes = new FirmwareFolder(saved(t, { x: Buffer.from('text'), y: dumpBytes({ name: SYSDUMP }) }));
  t.equal(platformDump.probe(yes)?.sure, 0.9);
  const no = new FirmwareFolder(t.testdir({ x: 'text' }));
  t.equal(platformDump.probe(no), undefined);
  t.equal(platformDump.probe(new FirmwareFolder('/nonexistent')), undefined);
  t.equal(platformDump.probe(new ScriptedFirmware([{ tag: 1n, size: 5, refusal: 'not-authorised' }])), undefined);
});

// ── reading and removing ──

t.test('reading never removes, unlink does, once the dump was read to its end', async (t) => {
  for (const kind of ['folder', 'script']) {
    const bytes = dumpBytes({ name: SYSDUMP, data: 300_000 });
    const folder = saved(t, { one: bytes });
    const script = new ScriptedFirmware([{ tag: 7n, size: bytes.length, head: bytes, block: 1000 }]);
    const left = () => (kind === 'folder' ? readdirSync(folder).length : script.dumps.length);
    const backend = kind === 'folder' ? openFolder(folder) : open(script);
    const slot = backend.find(SYSDUMP)!;
    t.throws(() => backend.erase(slot), { code: 'EBUSY', message: /not been read to its end \(0 / }, kind);
    const content = backend.open(slot);
    const part = new Uint8Array(1000);
    content.read(part, 0);
    content.read(part, bytes.length - 1000);
    t.equal(content.read(part, bytes.length), 0);
    t.equal(content.read(part, bytes.length + 1e6), 0, 'the end, as often as one likes');
    t.throws(() => backend.erase(slot), { code: 'EBUSY', message: new RegExp(`2000 of ${bytes.length} bytes`) });
    for (let round = 0; round < 3; round++) t.equal(Buffer.compare(readAll(backend, SYSDUMP), bytes), 0);
    t.equal(left(), 1, 'the end of the file removes nothing');
    backend.erase(slot);
    t.equal(left(), 0);
    t.equal(backend.find(SYSDUMP), undefined);
    t.equal(backend.record(slot), undefined);
    t.not(backend.generation(slot), 0);
    t.throws(() => backend.open(slot), { code: 'ENOENT' });
    t.equal(Buffer.compare(contentBytes(content), bytes), 0, 'what is open reads on');
    content.close?.();
    backend.erase(slot);
    t.same(backend.space(), { bytes: 0, freeBytes: 0, records: 0, freeSlots: 0 });
    backend.close();
  }
});

t.test('read in pieces, backwards, by several readers: still read to its end', async (t) => {
  const bytes = dumpBytes({ name: SYSDUMP, data: 50_000 });
  const { backend, firmware } = openScript([{ tag: 7n, size: bytes.length, head: bytes, block: 3000 }]);
  const [a, b] = [backend.open(0), backend.open(0)];
  const piece = new Uint8Array(7000);
  for (let at = bytes.length - (bytes.length % 7000), i = 0; at >= 0; at -= 7000, i++) {
    t.throws(() => backend.erase(0), { code: 'EBUSY' });
    const got = (i % 2 ? a : b).read(piece, at);
    t.equal(Buffer.compare(piece.subarray(0, got), bytes.subarray(at, at + 7000)), 0);
  }
  backend.erase(0);
  t.equal(firmware.dumps.length, 0);
});

t.test('force_invalidate', async (t) => {
  const bytes = dumpBytes({ name: SYSDUMP, data: 300_000 });
  const folder = saved(t, { one: bytes, two: dumpBytes({ name: FSPDUMP }) });
  const backend = openFolder(folder, { keys: { force_invalidate: true } });
  backend.erase(backend.find(SYSDUMP)!);
  t.same(readdirSync(folder), ['two']);
  t.match(backend.info().sourceKeys, 'force_invalidate');
  const script = openScript([{ tag: 1n, size: 1_000_000 }], { keys: { force_invalidate: '' } });
  script.backend.erase(0);
  t.equal(script.firmware.dumps.length, 0, 'the firmware is asked to the end, as it wants it');
  const stubborn = openScript([{ tag: 1n, size: 10, invalidateRefusal: 'in-progress' }], {
    keys: { force_invalidate: '' },
  });
  t.throws(() => stubborn.backend.erase(0), { code: 'EBUSY', message: /try again later/ });
});

t.test('what the firmware says to a removal', async (t) => {
  const table: [FirmwareStatus, string | undefined][] = [
    ['in-progress', 'EBUSY'],
    ['already-open', 'EALREADY'],
    ['not-authorised', 'EPERM'],
    ['hardware-error', 'EIO'],
    ['no-such-dump', undefined],
    ['more', 'EIO'],
  ];
  for (const [invalidateRefusal, code] of table) {
    const { backend } = openScript([{ tag: 1n, size: 10, invalidateRefusal }]);
    readAll(backend, 'platform-dump-1');
    if (code) t.throws(() => backend.erase(0), { code }, invalidateRefusal);
    else backend.erase(0);
    t.equal(backend.record(0) === undefined, code === undefined);
  }
});

t.test('read-only', async (t) => {
  const folder = saved(t, { one: dumpBytes({ name: SYSDUMP }) });
  const backend = openFolder(folder, { keys: { ro: true, force_invalidate: true } });
  t.notOk(backend.writable);
  t.throws(() => backend.erase(0), { code: 'EROFS' });
  const { firmware } = openScript([{ tag: 1n, size: 1 }]);
  firmware.writable = false;
  t.throws(() => open(firmware).erase(0), { code: 'EROFS' });
  t.equal(readdirSync(folder).length, 1);
});

t.test('lockdown hides contents, not names', async (t) => {
  const bytes = dumpBytes({ name: SYSDUMP });
  const folder = saved(t, { one: bytes });
  const locked: Given[] = [
    { keys: { lockdown: 'confidentiality' } },
    { lockdown: () => 'confidentiality' },
    { keys: { lockdown: 'confidentiality', force_invalidate: true } },
  ];
  for (const given of locked) {
    const backend = openFolder(folder, given);
    t.match(shown(backend), [{ name: SYSDUMP, size: bytes.length }]);
    t.throws(() => readAll(backend, SYSDUMP), { code: 'EPERM', message: /locked down for confidentiality/ });
    t.match(backend.info().details.lockdown, /confidentiality: contents are not shown/);
    if (!given.keys?.force_invalidate) t.throws(() => backend.erase(0), { code: 'EBUSY' });
  }
  for (const mode of ['none', 'integrity'] as const) {
    t.equal(readAll(openFolder(folder, { lockdown: () => mode }), SYSDUMP).length, bytes.length);
    const own = openFolder(folder, { keys: { lockdown: mode }, lockdown: () => 'confidentiality' });
    t.equal(readAll(own, SYSDUMP).length, bytes.length, 'the key wins');
  }
  let mode: Lockdown = 'none';
  const later = openFolder(folder, { lockdown: () => mode });
  const content = later.open(0);
  t.equal(content.read(new Uint8Array(10), 0), 10);
  mode = 'confidentiality';
  await new Promise((done) => setTimeout(done, 150));
  t.throws(() => content.read(new Uint8Array(10), 0), { code: 'EPERM' }, 'a machine that is locked down later');
  t.throws(() => openFolder(folder, { keys: { lockdown: 'paranoia' } }), { code: 'EINVAL', message: /known are none/ });
  const { backend, firmware } = openScript([{ tag: 1n, size: 1e6 }], { keys: { lockdown: 'confidentiality' } });
  const given = firmware.given;
  t.equal(shown(backend)[0]!.size, 0);
  t.throws(() => backend.open(0).size, { code: 'EPERM' });
  t.equal(firmware.given, given, 'nothing is fetched to find a size');
});

// ── what firmware answers ──

t.test('dumps that cannot be fetched are listed, and tried again', async (t) => {
  const head = dumpBytes({ name: SYSDUMP });
  for (const [refusal, code] of [
    ['in-progress', 'EAGAIN'],
    ['already-open', 'EALREADY'],
    ['not-authorised', 'EPERM'],
    ['hardware-error', 'EIO'],
  ] as const) {
    const dumps: ScriptedDump[] = [
      { tag: 5n, size: head.length, head, refusal },
      { tag: 6n, size: 10 },
    ];
    const { backend, firmware } = openScript(dumps);
    t.match(shown(backend), [
      { name: 'platform-dump-5', size: 0 },
      { name: 'platform-dump-6', size: 10 },
    ]);
    t.throws(() => backend.open(0).read(new Uint8Array(10), 0), { code }, refusal);
    t.throws(() => backend.erase(0), { code: 'EBUSY' });
    t.equal([...backend.info().zones][0]!.state, 'unreadable');
    shown(backend);
    t.same(codes(backend), ['source-failed'], 'said once');
    t.notOk(backend.refresh?.());
    firmware.dumps[0]!.refusal = undefined;
    t.equal(Buffer.compare(readAll(backend, 'platform-dump-5'), head), 0);
    t.ok(backend.refresh?.());
    t.match(shown(backend), [{ name: SYSDUMP, size: head.length }, { name: 'platform-dump-6' }]);
  }
});

t.test('short blocks, empty blocks, an empty end', async (t) => {
  const head = dumpBytes({ name: SYSDUMP, data: 3000 });
  for (const script of [{ block: 1 }, { block: 63 }, { block: 64 }, { empty: 5 }, { endsEmpty: true }]) {
    const { backend } = openScript([{ tag: 1n, size: head.length, head, ...script }]);
    t.match(shown(backend), [{ name: SYSDUMP, size: head.length }], JSON.stringify(script));
    t.equal(Buffer.compare(readAll(backend, SYSDUMP), head), 0);
  }
});

t.test('refresh: dumps come, go and are replaced', async (t) => {
  const folder = saved(t, { b: dumpBytes({ name: SYSDUMP }) });
  const backend = openFolder(folder);
  t.notOk(backend.refresh?.());
  writeFileSync(join(folder, 'a'), dumpBytes({ name: FSPDUMP }));
  t.ok(backend.refresh?.());
  t.same(names(backend), [SYSDUMP, FSPDUMP], 'what was there keeps its slot');
  t.equal(backend.generation(0), 0);
  readAll(backend, SYSDUMP);
  readAll(backend, FSPDUMP);
  backend.erase(0);
  t.same(names(backend), [FSPDUMP]);
  writeFileSync(join(folder, 'c'), dumpBytes({ name: SYSDUMP, data: 5 }));
  t.ok(backend.refresh?.());
  t.match(shown(backend), [{ slot: 0, name: SYSDUMP, size: 69 }, { slot: 1 }], 'a free slot is used again');
  t.not(backend.generation(0), 0);
  t.throws(() => backend.erase(0), { code: 'EBUSY' }, 'the new one was not read');
  writeFileSync(join(folder, 'a'), dumpBytes({ name: 'OTHER.DUMP', data: 7 }));
  t.ok(backend.refresh?.());
  t.same(names(backend).sort(), ['OTHER.DUMP', SYSDUMP].sort());
  t.throws(() => backend.erase(backend.find('OTHER.DUMP')!), { code: 'EBUSY' });
  t.equal(readFileSync(join(folder, 'a')).length, 71);
});

// ── the spool ──

t.test('spool=DIR is tried at once', async (t) => {
  const folder = t.testdir({ spool: {} });
  const { backend } = openScript([{ tag: 1n, size: 100 }], { keys: { spool: join(folder, 'spool') } });
  t.equal(readAll(backend, 'platform-dump-1').length, 100);
  t.same(readdirSync(join(folder, 'spool')), []);
  t.equal(backend.info().details.spool, `${1 << 20} of at most ${256 << 20} bytes in use`);
  t.match(openFolder(folder).info().details.spool, /not needed/);
  backend.close();
  const missing = { keys: { spool: join(folder, 'none') } };
  t.throws(() => openScript([{ tag: 1n, size: 100 }], missing), { code: 'ENOENT', message: /spool/ });
});

t.test('dumps of 3 GiB: little memory, a bounded spool', async (t) => {
  const size = 3 * 2 ** 30 + 12_345;
  const folder = t.testdir({});
  let largest = 0;
  const scratch = (): Scratch => {
    const file = createScratch(folder);
    return {
      write: (bytes, offset) => {
        largest = Math.max(largest, offset + bytes.length);
        file.write(bytes, offset);
      },
      read: (target, offset) => file.read(target, offset),
      close: () => file.close(),
    };
  };
  const head = dumpBytes({ name: SYSDUMP, data: 0 });
  const { backend, firmware } = openScript(
    [
      { tag: 2n ** 63n, size, head },
      { tag: 2n, size, seed: 2 },
    ],
    { scratch },
  );
  const before = process.memoryUsage();
  t.equal(backend.record(0)!.size, size, 'stat');
  t.ok(firmware.given < size + 10_000, 'fetched once');
  const bytes = new Uint8Array(128 << 10);
  const wanted = new Uint8Array(bytes.length);
  const [one, two] = [backend.open(0), backend.open(1)];
  const check = (content: typeof one, at: number, seed: number) => {
    const got = content.read(bytes, at);
    fillPattern(wanted, at, seed);
    if (at === 0 && seed === 1) wanted.set(head);
    if (Buffer.compare(bytes.subarray(0, got), wanted.subarray(0, got)) !== 0) t.fail(`${at}`);
    return got;
  };
  // Both from the beginning, in turns; then the first at its end, in its middle, and at its beginning again.
  for (let at = 0; at < 64 << 20; at += bytes.length) {
    check(one, at, 1);
    check(two, at, 2);
  }
  t.equal(check(one, size - 5, 1), 5);
  check(one, 2 ** 31, 1);
  check(one, 2 ** 31 + bytes.length, 1);
  check(one, 0, 1);
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  t.ok(grown < 32 << 20, `${grown} bytes of memory`);
  t.ok(after.rss - before.rss < 64 << 20, `${after.rss - before.rss} bytes more are resident`);
  t.ok(largest <= 256 << 20, `${largest} bytes of spool`);
  t.throws(() => backend.erase(0), { code: 'EBUSY' });
  backend.close();
  t.ok(firmware.closed);
});
