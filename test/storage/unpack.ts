import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { openImage } from '../../lib/storage/file.js';
import { readRange } from '../../lib/storage/storage.js';
import { packedAs, refuseWriting, takeFromPipe, unpack } from '../../lib/storage/unpack.js';
import { Warnings } from '../../lib/warnings.js';
import { qcow2 } from '../builders/qcow2.js';
import { goldenImage } from '../fixture-path.js';
import { PROGRAM, pstorefuse } from '../mounted.js';

const isMissing = spawnSync('qemu-img', ['--version']).error !== undefined;
const folder = t.testdir({});
const IMAGE = goldenImage('s1');
const plain = join(folder, 'plain');
writeFileSync(plain, IMAGE);

function packedFile(path: string) {
  const file = openImage(path, { mode: 'read' });
  const packed = packedAs(file);
  file.close();
  return packed;
}

for (const program of ['gzip', 'xz', 'zstd', 'bzip2', 'lz4']) {
  const isMissing = spawnSync(program, ['--version']).error !== undefined;
  t.test(program, { skip: isMissing && 'it is not installed' }, async (t) => {
    const path = join(folder, `a file of ${program}`);
    writeFileSync(path, execFileSync(program, ['-c', plain], { maxBuffer: 1 << 24 }));
    const packed = packedFile(path)!;
    t.ok(packed, 'told by its content');
    t.throws(() => refuseWriting(path, packed), { code: 'EROFS', message: /can only be read; unpack it first/ });
    const warnings = new Warnings();
    const storage = unpack(path, packed, warnings);
    t.equal(Buffer.compare(readRange(storage, 0, storage.size), IMAGE), 0);
    t.same(warnings.list, []);
    t.throws(() => storage.write(new Uint8Array(1), 0), { code: 'EROFS' });
    storage.close();
  });
}

t.test('a cut file gives what it has', async (t) => {
  const path = join(folder, 'cut');
  const whole = execFileSync('gzip', ['-c', plain], { maxBuffer: 1 << 24 });
  writeFileSync(path, whole.subarray(0, whole.length / 2));
  const warnings = new Warnings();
  const storage = unpack(path, packedFile(path)!, warnings);
  t.match(warnings.list, [{ code: 'medium-damaged', message: /is cut or damaged.*copy it again/ }]);
  t.ok(storage.size > 0 && storage.size % 4096 === 0);
  t.equal(Buffer.compare(readRange(storage, 0, 32768), IMAGE.subarray(0, 32768)), 0);
  storage.close();
  writeFileSync(path, whole.subarray(0, 12));
  t.throws(() => unpack(path, packedFile(path)!, warnings), { code: 'EBADMSG', message: /cannot be unpacked/ });
});

t.test('what was packed more than once', async (t) => {
  const path = join(folder, 'twice');
  writeFileSync(path, gzipSync(gzipSync(IMAGE)));
  const storage = unpack(path, packedFile(path)!, new Warnings());
  t.equal(Buffer.compare(readRange(storage, 0, storage.size), IMAGE), 0);
  storage.close();
  const disk = join(folder, 'disk.gz');
  writeFileSync(disk, gzipSync(qcow2(IMAGE)));
  const open = () => unpack(disk, packedFile(disk)!, new Warnings());
  if (isMissing) t.throws(open, { message: /install qemu-img/ });
  else t.equal(Buffer.compare(readRange(open(), 0, IMAGE.length), IMAGE), 0, 'a disk that is packed');
  writeFileSync(disk, gzipSync(Buffer.concat([Buffer.from('514649fb00000003', 'hex'), Buffer.alloc(4088, 0x5a)])));
  t.throws(open, { code: 'EBADMSG', message: /is a qcow2 disk/ });
});

t.test('what is not packed, and what only qemu-img reads', async (t) => {
  t.equal(packedFile(plain), undefined);
  writeFileSync(join(folder, 'empty'), '');
  t.equal(packedFile(join(folder, 'empty')), undefined);
  const disk = join(folder, 'disk');
  writeFileSync(disk, Buffer.concat([Buffer.from('514649fb00000003', 'hex'), Buffer.alloc(4088, 0x5a)]));
  const packed = packedFile(disk)!;
  t.same(packed, { kind: 'disk', name: 'qcow2' });
  t.throws(() => unpack(disk, packed, new Warnings()), { code: 'EBADMSG', message: /is a qcow2 disk/ });
});

t.test('a disk of a virtual machine', { skip: isMissing && 'qemu-img is not installed' }, async (t) => {
  for (const golden of ['efi-oops3', 's1']) {
    // So a program would take it for an address.
    const disk = join(folder, `nbd:${golden} disk`);
    const raw = goldenImage(golden);
    writeFileSync(disk, qcow2(raw));
    t.equal(spawnSync('qemu-img', ['check', disk]).status, 0, 'what the builder has made is such a disk');
    const packed = packedFile(disk)!;
    t.same(packed, { kind: 'disk', name: 'qcow2' });
    t.throws(() => refuseWriting(disk, packed), { code: 'EROFS' });
    const storage = unpack(disk, packed, new Warnings());
    t.equal(Buffer.compare(readRange(storage, 0, storage.size), raw), 0, `${golden}, byte by byte`);
    storage.close();
    writeFileSync(`${disk}.raw`, raw);
    const names = (path: string) => pstorefuse('ls', path).stdout;
    t.not(names(disk), '');
    t.equal(names(disk), names(`${disk}.raw`), 'ls shows the same records');
  }
});

t.test('disks that only qemu-img makes', { skip: isMissing && 'qemu-img is not installed' }, async (t) => {
  const raw = goldenImage('s1');
  const plain = join(folder, 'plain.raw');
  writeFileSync(plain, raw);
  for (const [format, name] of [
    ['vdi', 'vdi'],
    ['vmdk', 'vmdk'],
    ['vpc', 'VHD'],
    ['vhdx', 'VHDX'],
  ] as const) {
    const disk = join(folder, `plain.${format}`);
    t.equal(spawnSync('qemu-img', ['convert', '-O', format, plain, disk]).status, 0);
    const packed = packedFile(disk)!;
    t.same(packed, { kind: 'disk', name });
    const storage = unpack(disk, packed, new Warnings());
    t.equal(Buffer.compare(readRange(storage, 0, raw.length), raw), 0, `${format}, byte by byte`);
    storage.close();
  }
});

t.test(
  'the zeros after a partition in a VHD, which are no whole page',
  { skip: isMissing && 'no qemu-img' },
  async (t) => {
    const plain = join(folder, 'bare.raw');
    const disk = join(folder, 'bare.vhd');
    const sizeOf = (raw: Uint8Array) => {
      writeFileSync(plain, raw);
      t.equal(spawnSync('qemu-img', ['convert', '-O', 'vpc', plain, disk]).status, 0);
      const storage = unpack(disk, packedFile(disk)!, new Warnings());
      storage.close();
      return storage.size;
    };
    const raw = Buffer.from(goldenImage('s1').subarray(0, 212 << 10));
    t.equal(sizeOf(raw), 236 << 10, 'are left out');
    t.match(pstorefuse('ls', disk), { status: 0, stdout: /^dmesg-pstore_blk-0\n/ });
    raw.writeUInt16LE(0xaa55, 510);
    t.equal(sizeOf(raw), 238 << 10, 'stay in a disk that has partitions');
    t.equal(sizeOf(Buffer.alloc(238 << 10, 1)), 238 << 10, 'and other bytes stay, too');
  },
);

t.test('a disk that was cut reads as zeros, and that is told', { skip: isMissing && 'no qemu-img' }, async (t) => {
  const raw = randomBytes(2 << 20);
  const plain = join(folder, 'whole.raw');
  writeFileSync(plain, raw);
  for (const format of ['qcow2', 'vdi', 'vmdk'] as const) {
    const disk = join(folder, `cut.${format}`);
    t.equal(spawnSync('qemu-img', ['convert', '-O', format, plain, disk]).status, 0);
    const whole = readFileSync(disk);
    for (const [length, codes] of [
      [whole.length, []],
      [whole.length - 8192, ['medium-damaged']],
      [whole.length / 2, ['medium-damaged']],
    ] as const) {
      writeFileSync(disk, whole.subarray(0, length));
      const warnings = new Warnings();
      const storage = unpack(disk, packedFile(disk)!, warnings);
      t.same(
        warnings.list.map(({ code }) => code),
        codes,
        `${format}, ${length} bytes`,
      );
      if (codes.length > 0) t.match(warnings.list[0]!.message, /that was cut: .*; copy it again$/);
      storage.close();
    }
  }
});

t.test('a disk whose header names another file opens none', async (t) => {
  const raw = goldenImage('s1');
  const other = join(folder, 'other');
  writeFileSync(other, raw);
  const below = qcow2(new Uint8Array(raw.length));
  below.writeBigUInt64BE(512n, 8);
  below.writeUInt32BE(below.write(other, 512), 16);
  const outside = qcow2(raw);
  outside.writeUInt32BE(3, 4);
  outside.writeBigUInt64BE(4n, 72);
  const vmdk = Buffer.alloc(4096);
  vmdk.write('KDMV\x01\0\0\0', 'latin1');
  [8n, 128n, 1n, 1n].forEach((value, i) => {
    vmdk.writeBigUInt64LE(value, 12 + i * 8);
  });
  vmdk.write(`# Disk DescriptorFile\nparentCID=12345678\nparentFileNameHint="${other}"\n`, 512);
  const empty = Buffer.from(vmdk).fill(0, 12, 20);
  const parentless = Buffer.from(vmdk).fill(0x20, 512).fill('parentCID=12345678\n', 512, 531);
  const cases = { below, outside, vmdk, empty, parentless };
  for (const [name, bytes] of Object.entries(cases)) {
    const path = join(folder, `disk ${name}`);
    writeFileSync(path, bytes);
    const open = () => unpack(path, packedFile(path)!, new Warnings());
    t.throws(open, { code: 'EBADMSG', message: /that needs .* which is not opened/ }, name);
  }
  t.match(pstorefuse('ls', join(folder, 'disk below')).stderr, `the disk below it, ${other}`, 'it is named');
});

t.test('a FIFO, with holes where it has zeros', async (t) => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  writeFileSync(plain, Buffer.concat([new Uint8Array(1 << 20), IMAGE]));
  spawn('sh', ['-c', 'cat "$0" > "$1"', plain, fifo], { stdio: 'ignore' }).unref();
  const storage = takeFromPipe(fifo, new Warnings());
  t.equal(Buffer.compare(readRange(storage, 0, storage.size), readFileSync(plain)), 0);
  t.equal(storage.size, statSync(plain).size);
  storage.close();
});

t.test('a full disk is not taken for a damaged image', async (t) => {
  const image = join(folder, 'random');
  writeFileSync(image, randomBytes(600_000));
  writeFileSync(`${image}.gz`, gzipSync(readFileSync(image)));
  // What a file may have at most, in blocks of 512 bytes, fails as a full disk does, and needs no root.
  const limited = (blocks: number, words: string) => {
    const line = `unset NODE_OPTIONS; trap '' XFSZ; ulimit -f ${blocks}; exec "$0" "$1" ${words}`;
    return spawnSync('sh', ['-c', line, process.execPath, PROGRAM], { cwd: folder, encoding: 'utf8' });
  };
  for (const blocks of [0, 64, 1100]) {
    for (const words of ['info random.gz', 'info - < random', 'info - < random.gz']) {
      const { status, stderr } = limited(blocks, words);
      t.match(stderr, /a temporary file cannot be written: .*; TMPDIR= names another folder\n$/, `${words}: ${blocks}`);
      t.notMatch(stderr, /damaged|cannot be read/);
      t.equal(status, 74);
    }
  }
  if (!isMissing) {
    execFileSync('qemu-img', ['convert', '-O', 'qcow2', '-f', 'raw', image, `${image}.qcow2`]);
    const { status, stderr } = limited(64, 'info random.qcow2');
    t.match(stderr, /a temporary file cannot be written: .*; TMPDIR= names another folder\n$/);
    t.equal(status, 74);
  }
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'info', 'random.gz'], {
    cwd: folder,
    env: { ...process.env, TMPDIR: '/nowhere' },
    encoding: 'utf8',
  });
  t.match(stderr, /\/nowhere: a temporary file cannot be made: .*; TMPDIR= names another folder\n$/);
  t.equal(status, 73);
});
