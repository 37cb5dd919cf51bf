import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FirmwareFolder, openFirmware } from '../../lib/storage/firmware-folder.js';
import { fillPattern } from '../builders/platform-dump.js';

function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  fillPattern(bytes, 0, seed);
  return bytes;
}

t.test('a folder with more files than there are dumps is refused, and none of them is looked into', async (t) => {
  const folder = t.testdir({});
  for (let i = 0; i < 8192; i++) writeFileSync(join(folder, `dump-${i}`), 'x');
  t.equal(new FirmwareFolder(folder).tags().length, 8192);
  writeFileSync(join(folder, 'one-more'), 'x');
  t.throws(() => new FirmwareFolder(folder).tags(), {
    code: 'EFBIG',
    message: /has more than 8192 files, .* move the dumps to one of their own$/,
  });
});

/** Files below a folder that this process has open. */
function openFiles(folder: string): string[] {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link.startsWith(`${folder}/`));
}

function tagOf(firmware: FirmwareFolder, size: number): bigint {
  return firmware.tags().find((dump) => dump.size === size)!.tag;
}

t.test('regular files, in the order of their names; nothing else', async (t) => {
  const folder = t.testdir({ b: 'bb', a: 'a', '.hidden': 'xxxx', nested: { c: 'ccc' }, empty: '' });
  symlinkSync(join(folder, 'a'), join(folder, 'link'));
  symlinkSync('/nonexistent', join(folder, 'dangling'));
  linkSync(join(folder, 'a'), join(folder, 'z-hard'));
  utimesSync(join(folder, 'a'), 1_600_000_000.5, 1_600_000_000.5);
  const firmware = new FirmwareFolder(folder);
  const dumps = firmware.tags();
  t.same(
    dumps.map(({ size }) => size),
    [1, 2, 0, 1],
  );
  t.equal(dumps[0]!.mtimeNs, 1_600_000_000_500_000_000n);
  t.equal(new Set(dumps.map(({ tag }) => tag)).size, 4);
  t.same(firmware.tags(), dumps, 'a listing changes nothing');
  t.same(new FirmwareFolder(folder).tags(), dumps, 'tags are the same the next time');
  t.same(openFiles(folder), [], 'nothing is open');
});

t.test('tags last, whatever comes and goes beside them', async (t) => {
  const folder = t.testdir({ m: 'm', 'platform-dump-77': 'seventy', 'platform-dump-99999999999999999999': 'large' });
  const firmware = new FirmwareFolder(folder);
  const before = new Map(firmware.tags().map(({ tag, size }) => [size, tag]));
  t.equal(before.get(7), 77n, 'a name with a tag has that tag');
  t.ok(before.get(5)! < 2n ** 64n);
  for (const name of ['a', 'l', 'n', 'z']) writeFileSync(join(folder, name), 'twelve bytes');
  const after = new Map(firmware.tags().map(({ tag, size }) => [size, tag]));
  for (const [size, tag] of before) t.equal(after.get(size), tag);
});

t.test('names of any bytes', async (t) => {
  const folder = t.testdir({});
  const names = [Buffer.from([0xff, 0xfe]), Buffer.from('a\nb'), Buffer.from('é'), Buffer.from(' ')];
  for (const [i, name] of names.entries()) {
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), pattern(100 + i));
  }
  const firmware = new FirmwareFolder(folder);
  t.equal(firmware.tags().length, 4);
  const file = firmware.openFile(tagOf(firmware, 100));
  const target = new Uint8Array(100);
  t.equal(file.read(target, 0), 100);
  t.same(target, pattern(100));
  file.close();
  firmware.close();
});

t.test('a sequence of fetches gives the file; dumps in turns', async (t) => {
  const folder = t.testdir({});
  writeFileSync(join(folder, 'one'), pattern(10_000, 1));
  writeFileSync(join(folder, 'two'), pattern(4096, 2));
  writeFileSync(join(folder, 'none'), '');
  const firmware = new FirmwareFolder(folder);
  const dumps = [10_000, 4096, 0].map((size) => ({
    tag: tagOf(firmware, size),
    sequence: 0n,
    bytes: Buffer.alloc(0),
    status: 'more',
  }));
  const buffer = new Uint8Array(1024);
  for (let round = 0; round < 20; round++) {
    for (const dump of dumps) {
      if (dump.status !== 'more') continue;
      const block = firmware.next(dump.tag, dump.sequence, buffer);
      dump.bytes = Buffer.concat([dump.bytes, buffer.subarray(0, block.bytes)]);
      dump.sequence = block.sequence;
      dump.status = block.status;
    }
  }
  t.same(
    dumps.map(({ status }) => status),
    ['complete', 'complete', 'complete'],
  );
  t.equal(Buffer.compare(dumps[0]!.bytes, pattern(10_000, 1)), 0);
  t.equal(Buffer.compare(dumps[1]!.bytes, pattern(4096, 2)), 0);
  t.match(firmware.next(123n, 0n, buffer), { status: 'no-such-dump' });
  t.match(firmware.next(dumps[0]!.tag, 2n ** 63n, buffer), { status: 'complete', bytes: 0 });
  t.match(firmware.next(dumps[0]!.tag, -5n, buffer), { status: 'complete', bytes: 0 });
  t.throws(() => firmware.next(dumps[0]!.tag, 0n, new Uint8Array(1023)), { code: 'EINVAL' });
  firmware.close();
  t.same(openFiles(folder), []);
});

t.test('files that are open are few', async (t) => {
  const folder = t.testdir({});
  for (let i = 0; i < 100; i++) writeFileSync(join(folder, `dump${i}`), pattern(1000 + i));
  const firmware = new FirmwareFolder(folder);
  const files = firmware.tags().map(({ tag }) => firmware.openFile(tag));
  for (let round = 0; round < 2; round++) {
    for (const file of files) {
      const target = new Uint8Array(file.size);
      if (file.read(target, 0) !== file.size) t.fail(`${file.size}`);
    }
  }
  t.ok(openFiles(folder).length <= 16);
  firmware.close();
  t.same(openFiles(folder), []);
});

t.test('invalidate removes the file; what is open reads on', async (t) => {
  const folder = t.testdir({});
  writeFileSync(join(folder, 'dump'), pattern(5000));
  const firmware = new FirmwareFolder(folder);
  const tag = tagOf(firmware, 5000);
  const file = firmware.openFile(tag);
  t.equal(firmware.invalidate(tag), 'complete');
  t.same(readdirSync(folder), []);
  const target = new Uint8Array(6000);
  t.equal(file.read(target, 0), 5000, 'though it was never opened before');
  t.same(target.subarray(0, 5000), pattern(5000));
  t.equal(file.read(target, 5000), 0);
  t.equal(firmware.invalidate(tag), 'no-such-dump');
  t.throws(() => firmware.openFile(tag), { code: 'ENOENT' });
  writeFileSync(join(folder, 'dump'), pattern(77));
  firmware.tags();
  t.equal(file.read(target, 0), 5000, 'a new file of the name is another dump');
  t.equal(openFiles(folder).length, 1);
  file.close();
  file.close();
  t.same(openFiles(folder), [], 'the last reader lets go of the bytes');
});

t.test('many removed dumps that are all open', async (t) => {
  const folder = t.testdir({});
  for (let i = 0; i < 70; i++) writeFileSync(join(folder, `dump${i}`), pattern(1000 + i));
  const firmware = new FirmwareFolder(folder);
  const dumps = firmware.tags();
  const files = dumps.map(({ tag }) => firmware.openFile(tag));
  for (const { tag } of dumps) t.equal(firmware.invalidate(tag), 'complete');
  t.ok(openFiles(folder).length <= 64 + 16);
  const readable = files.filter((file) => {
    try {
      return file.read(new Uint8Array(10), 0) === 10;
    } catch {
      return false;
    }
  });
  t.equal(readable.length, 64);
  t.throws(() => files[0]!.read(new Uint8Array(10), 0), { code: 'EIO', message: /was removed/ });
  firmware.close();
});

t.test('a file that was replaced or rewritten is left alone', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'dump');
  writeFileSync(path, pattern(5000));
  const firmware = new FirmwareFolder(folder);
  const [old] = firmware.tags();
  const file = firmware.openFile(old!.tag);
  writeFileSync(join(folder, '.new'), pattern(6000));
  renameSync(join(folder, '.new'), path);
  t.equal(firmware.invalidate(old!.tag), 'no-such-dump');
  t.same(readdirSync(folder), ['dump']);
  t.throws(() => file.read(new Uint8Array(10), 0), { code: 'EIO', message: /another file/ });
  const [now] = firmware.tags();
  t.equal(now!.tag, old!.tag);
  t.not(now!.identity, old!.identity);
  t.equal(firmware.invalidate(now!.tag), 'complete');
});

t.test('a file that is open while it is replaced reads on', async (t) => {
  const folder = t.testdir({});
  writeFileSync(join(folder, 'dump'), pattern(5000));
  const firmware = new FirmwareFolder(folder);
  const file = firmware.openFile(firmware.tags()[0]!.tag);
  file.read(new Uint8Array(10), 0);
  rmSync(join(folder, 'dump'));
  t.same(firmware.tags(), []);
  const target = new Uint8Array(5000);
  t.equal(file.read(target, 0), 5000);
  t.same(target, pattern(5000));
  file.close();
  t.same(openFiles(folder), []);
});

t.test('files that are cut, or become something else', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'dump');
  writeFileSync(path, pattern(5000));
  const firmware = new FirmwareFolder(folder);
  const { tag } = firmware.tags()[0]!;
  truncateSync(path, 100);
  const file = firmware.openFile(tag);
  t.throws(() => file.read(new Uint8Array(200), 0), { code: 'EIO', message: /ends at 100, but had 5000/ });
  t.equal(file.read(new Uint8Array(50), 0), 50);
  const other = new FirmwareFolder(folder);
  other.tags();
  unlinkSync(path);
  symlinkSync('/etc/passwd', path);
  t.throws(() => other.openFile(tag).read(new Uint8Array(10), 0), { message: /symbolic link/ });
  unlinkSync(path);
  mkdirSync(path);
  t.throws(() => other.openFile(tag).read(new Uint8Array(10), 0), { code: 'EIO' });
  firmware.close();
  other.close();
});

t.test('what is no folder', async (t) => {
  const folder = t.testdir({ file: 'x', dir: {} });
  t.ok(openFirmware(join(folder, 'dir')) instanceof FirmwareFolder);
  t.throws(() => openFirmware(join(folder, 'none')), { code: 'ENOENT', message: /no such file/ });
  t.throws(() => openFirmware(join(folder, 'file')), { code: 'ENOTDIR', message: /takes a folder/ });
  t.throws(() => openFirmware(join(folder, 'file', 'x')), { code: 'ENOTDIR' });
  t.throws(() => openFirmware(join(folder, 'dir'), [1n]), { code: 'EINVAL', message: /leave tag= out/ });
  t.throws(() => openFirmware('/dev/null'), { code: 'EINVAL', message: /by its tag.*tag=0x100:0x101/ });
});

t.test('a folder that cannot be written', async (t) => {
  const folder = t.testdir({ dir: { dump: 'x' } });
  const path = join(folder, 'dir');
  t.ok(new FirmwareFolder(path).writable);
  t.test('permissions', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async (t) => {
    chmodSync(path, 0o500);
    const firmware = new FirmwareFolder(path);
    t.notOk(firmware.writable);
    t.throws(() => firmware.invalidate(firmware.tags()[0]!.tag), { code: 'EACCES' });
    chmodSync(path, 0o700);
  });
  t.equal(readFileSync(join(path, 'dump'), 'utf8'), 'x');
});
