import t from 'tap';
import { blkoops } from '../../lib/blk/blkoops.js';
import { pstoreBlk } from '../../lib/blk/pstore_blk.js';
import { FuseSession, type SessionOptions } from '../../lib/mount/fuse-session.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { type Layout, Tree } from '../../lib/tree/tree.js';
import { Warnings } from '../../lib/warnings.js';
import { goldenImage } from '../fixture-path.js';

// Requests and answers are put together and taken apart here by numbers, as <linux/fuse.h> has them.
const [LOOKUP, FORGET, GETATTR, SETATTR, UNLINK, OPEN, READ, STATFS] = [1, 2, 3, 4, 10, 14, 15, 17];
const [RELEASE, GETXATTR, LISTXATTR, FLUSH, INIT, OPENDIR, READDIR, ACCESS] = [18, 22, 23, 25, 26, 27, 28, 34];
const [INTERRUPT, DESTROY, BATCH_FORGET, READDIRPLUS] = [36, 38, 42, 44];
const [ENOENT, EIO, EACCES, EINVAL, ENOSYS, EPROTO, ESTALE] = [-2, -5, -13, -22, -38, -71, -116];
const INC_EPOCH = 8;
const INVAL_INODE = 2;
const DIRECTORY = 2;

const { buffer: probe } = new Uint16Array([1]);
const LITTLE = new Uint8Array(probe)[0] === 1;

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function u32(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  for (const [i, value] of values.entries()) view(bytes).setUint32(i * 4, value, LITTLE);
  return bytes;
}

function u64(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  for (const [i, value] of values.entries()) view(bytes).setBigUint64(i * 8, BigInt(value), LITTLE);
  return bytes;
}

function name(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}

function read(offset: number, size: number): Uint8Array {
  return Buffer.concat([u64(0, offset), u32(size, 0), u64(0), u32(0, 0)]);
}

interface Message {
  readonly error: number;
  readonly unique: number;
  readonly body: Uint8Array;
}

/** A session over golden images in memory, as the kernel sees it. */
class Kernel {
  readonly session: FuseSession;
  readonly storages: MemoryStorage[] = [];
  readonly log: string[] = [];
  readonly sent: Message[] = [];
  #unique = 0;

  constructor(options: Partial<SessionOptions> = {}, layout: Layout = 'both', folders = ['v1', 's1']) {
    const mounted = folders.map((folder) => {
      const medium = new MemoryStorage(goldenImage(folder), { path: folder });
      this.storages.push(medium);
      const storage = SurvivingStorage.over(medium);
      const kind = folder.startsWith('v') ? blkoops : pstoreBlk;
      const keys = SourceKeys.of({ kmsg_size: '64K' });
      const readFile = () => new Uint8Array(0);
      const warnings = new Warnings();
      const backend = kind.open({ path: folder, storage, keys, warnings, cache: new TextCache(), readFile });
      return { backend, label: folder };
    });
    const readOnly = options.readOnly ?? false;
    const tree = new Tree(mounted, { layout, readOnly, uid: 0, gid: 0, umask: null, mountTimeNs: 5n });
    const log = (line: string) => this.log.push(line);
    const all: SessionOptions = { readOnly, updateMs: 0, onActivity: () => {}, log, ...options };
    this.session = new FuseSession(tree, all, (bytes, length) => {
      const [len, error, unique] = [0, 4, 8].map((at) => view(bytes).getInt32(at, LITTLE)) as [number, number, number];
      if (len !== length) throw new Error(`an answer of ${length} bytes says that it has ${len}`);
      this.sent.push({ error, unique, body: Uint8Array.from(bytes.subarray(16, length)) });
    });
  }

  init(minor: number, major = 7): Message {
    return this.ask(INIT!, 0, u32(major, minor, 131072, 0xffff_ffff));
  }

  /** @param length what the header says, where it is not the truth */
  send(opcode: number, nodeid: number, body: Uint8Array, length = 40 + body.length): void {
    const header = Buffer.concat([u32(length, opcode), u64(++this.#unique, nodeid), u32(0, 0, 1, 0)]);
    this.session.request.bytes.set(Buffer.concat([header, body]));
    this.session.handle(40 + body.length);
  }

  /** @returns the answer to this request; notices stay in `sent` */
  ask(opcode: number, nodeid: number, body: Uint8Array = new Uint8Array(0), length?: number): Message {
    this.send(opcode, nodeid, body, length);
    const answer = this.sent.pop();
    if (!answer || answer.unique !== this.#unique) throw new Error(`request ${opcode} was not answered`);
    return answer;
  }

  notices(): number[] {
    return this.sent.splice(0).map(({ error, unique }) => {
      if (unique !== 0) throw new Error('an answer that nobody has asked for');
      return error;
    });
  }
}

/** Of struct fuse_entry_out. */
function entry({ body }: Message) {
  const at = view(body);
  return {
    ino: Number(at.getBigUint64(0, LITTLE)),
    entryMs: Number(at.getBigUint64(16, LITTLE)) * 1000 + at.getUint32(32, LITTLE) / 1e6,
    attrMs: Number(at.getBigUint64(24, LITTLE)) * 1000 + at.getUint32(36, LITTLE) / 1e6,
    nlink: at.getUint32(40 + 64, LITTLE),
  };
}

const DAY = 86_400_000;

t.test('INIT', (t) => {
  const kernel = new Kernel();
  t.equal(kernel.session.started, false);
  const newer = kernel.init(0, 8);
  t.equal(view(newer.body).getUint32(0, LITTLE), 7, 'a newer major version is asked to come back with 7');
  t.equal(kernel.session.started, false);
  for (const [minor, spoken] of [
    [23, 23],
    [31, 31],
    [44, 44],
    [99, 44],
  ] as const) {
    const kernel = new Kernel();
    const { error, body } = kernel.init(minor);
    const at = view(body);
    t.same([error, body.length, at.getUint32(0, LITTLE), at.getUint32(4, LITTLE)], [0, 64, 7, spoken], `7.${minor}`);
    t.equal(at.getUint16(28, LITTLE), 256, 'pages of one request');
    t.ok(at.getUint32(20, LITTLE) >= 4096, 'max_write');
    t.equal(kernel.session.started, true);
  }
  const flagless = new Kernel();
  const { body } = flagless.ask(INIT!, 0, u32(7, 31, 65536, 0));
  t.equal(view(body).getUint32(12, LITTLE), 0, 'nothing that the kernel does not have');
  t.equal(view(body).getUint32(8, LITTLE), 65536, 'no more read-ahead than the kernel has');
  const old = new Kernel();
  t.equal(old.init(8).error, EPROTO);
  t.equal(old.init(40, 6).error, EPROTO);
  t.match(old.log.join(), /7\.8/);
  t.equal(old.session.started, false);
  t.end();
});

t.test('names and time-outs with epochs', (t) => {
  const kernel = new Kernel();
  kernel.init(44);
  const inRoot = entry(kernel.ask(LOOKUP!, 1, name('dmesg-blkoops-0')));
  t.match(inRoot, { entryMs: DAY, attrMs: DAY, nlink: 2 });
  t.same(entry(kernel.ask(LOOKUP!, DIRECTORY, name('dmesg-blkoops-0'))), inRoot, 'the other name is the same inode');
  t.match(entry(kernel.ask(LOOKUP!, 1, name('v1'))), { ino: 2, entryMs: DAY, nlink: 2 });
  t.match(entry(kernel.ask(LOOKUP!, 3, name('dmesg-pstore_blk-0'))), { entryMs: DAY, nlink: 1 });
  t.match(entry(kernel.ask(LOOKUP!, 1, name('dmesg-pstore_blk-0'))), { ino: 0, entryMs: DAY }, 'is not in the root');
  t.match(entry(kernel.ask(LOOKUP!, 1, name('nöthing'))), { ino: 0 });

  t.equal(kernel.ask(UNLINK!, 3, name('dmesg-pstore_blk-0')).error, 0);
  t.same(kernel.notices(), [], 'one name: the kernel knows by itself');
  t.equal(kernel.ask(UNLINK!, 1, name('dmesg-blkoops-0')).error, 0);
  t.same(kernel.notices(), [INC_EPOCH, INVAL_INODE], 'its other name was known');
  kernel.ask(LOOKUP!, 1, name('dmesg-blkoops-1'));
  t.equal(kernel.ask(UNLINK!, 1, name('dmesg-blkoops-1')).error, 0);
  t.same(kernel.notices(), [INVAL_INODE], 'its other name was not known, but a listing may still bring it');
  t.match(entry(kernel.ask(LOOKUP!, DIRECTORY, name('dmesg-blkoops-1'))), { ino: 0 });
  t.same(kernel.notices(), [INC_EPOCH], 'before somebody is told that it is gone, nobody may find it any more');
  kernel.ask(LOOKUP!, DIRECTORY, name('dmesg-blkoops-1'));
  t.same(kernel.notices(), [], 'once');
  t.equal(kernel.ask(UNLINK!, DIRECTORY, name('dmesg-blkoops-1')).error, ENOENT);
  t.end();
});

t.test('names and time-outs on a kernel without epochs', (t) => {
  const kernel = new Kernel();
  kernel.init(43);
  t.match(entry(kernel.ask(LOOKUP!, 1, name('dmesg-blkoops-0'))), { entryMs: 0, attrMs: DAY, nlink: 2 });
  t.match(entry(kernel.ask(LOOKUP!, 1, name('v1'))), { entryMs: DAY });
  t.match(entry(kernel.ask(LOOKUP!, 3, name('dmesg-pstore_blk-0'))), { entryMs: DAY });
  t.equal(kernel.ask(UNLINK!, 1, name('dmesg-blkoops-0')).error, 0);
  t.same(kernel.notices(), [INVAL_INODE]);
  t.end();
});

t.test('a live image: nothing is remembered for longer than update_ms', (t) => {
  const kernel = new Kernel({ updateMs: 1000 });
  kernel.init(44);
  for (const text of ['dmesg-blkoops-0', 'nothing']) {
    const { entryMs, attrMs, ino } = entry(kernel.ask(LOOKUP!, 1, name(text)));
    t.ok(entryMs > 500 && entryMs <= 1000, `${text}: ${entryMs}`);
    if (ino !== 0) t.ok(attrMs > 500 && attrMs <= 1000);
  }
  t.end();
});

t.test('opening, erasing, reading on', (t) => {
  const kernel = new Kernel();
  kernel.init(44);
  const { ino } = entry(kernel.ask(LOOKUP!, 1, name('dmesg-blkoops-2')));
  const { body } = kernel.ask(READ!, ino, read(0, 1 << 20));
  for (const flags of [1, 2, 3]) t.equal(kernel.ask(OPEN!, ino, u32(flags, 0)).error, EACCES, `flags ${flags}`);
  t.equal(kernel.ask(OPEN!, ino, u32(0o100000, 0)).error, 0);
  t.equal(kernel.ask(OPEN!, ino, u32(0, 0)).error, 0);
  t.equal(kernel.ask(UNLINK!, 1, name('dmesg-blkoops-2')).error, 0);
  t.same(kernel.notices(), [INVAL_INODE], 'its link count is 0 now');
  t.equal(kernel.ask(OPEN!, ino, u32(0, 0)).error, 0, 'through /proc/PID/fd');
  t.same(kernel.ask(READ!, ino, read(0, 1 << 20)).body, body);
  t.same(kernel.ask(READ!, ino, read(100, 50)).body, body.subarray(100, 150));
  t.equal(view(kernel.ask(GETATTR!, ino, new Uint8Array(16)).body).getUint32(16 + 64, LITTLE), 0, 'no link');
  for (let i = 0; i < 3; i++) {
    t.equal(kernel.ask(READ!, ino, read(0, 10)).error, 0, 'still open');
    t.equal(kernel.ask(RELEASE!, ino, new Uint8Array(24)).error, 0);
  }
  t.equal(kernel.ask(READ!, ino, read(0, 10)).error, ENOENT);
  t.equal(kernel.ask(GETATTR!, ino, new Uint8Array(16)).error, ENOENT);
  t.equal(kernel.ask(OPEN!, ino, u32(0, 0)).error, ESTALE, 'the kernel looks the name up again');
  t.equal(kernel.ask(RELEASE!, ino, new Uint8Array(24)).error, 0);
  t.same(kernel.log, []);
  t.end();
});

t.test('read-only: OPEN is not needed', (t) => {
  const kernel = new Kernel({ readOnly: true });
  kernel.init(44);
  const { ino } = entry(kernel.ask(LOOKUP!, 1, name('dmesg-blkoops-2')));
  t.equal(kernel.ask(OPEN!, ino, u32(0, 0)).error, ENOSYS);
  t.equal(new Kernel({ readOnly: true, updateMs: 10 }).ask(OPEN!, ino, u32(0, 0)).error, 0, 'but where it is live');
  t.end();
});

function* listed(kernel: Kernel, opcode: number, directory: number, size: number) {
  for (let offset = 0; ; ) {
    const { error, body } = kernel.ask(opcode, directory, read(offset, size));
    if (error !== 0) throw new Error(`READDIR: ${error}`);
    if (body.length > size) throw new Error('more than was asked for');
    if (body.length === 0) return;
    for (let at = 0; at < body.length; ) {
      const dirent = at + (opcode === READDIRPLUS ? 128 : 0);
      const [ino, next] = [0, 8].map((i) => Number(view(body).getBigUint64(dirent + i, LITTLE)));
      const [length, type] = [16, 20].map((i) => view(body).getUint32(dirent + i, LITTLE)) as [number, number];
      const text = Buffer.from(body.subarray(dirent + 24, dirent + 24 + length)).toString();
      yield { ino, type, text };
      at = dirent + 24 + Math.ceil(length / 8) * 8;
      offset = next!;
    }
  }
}

t.test('READDIR and READDIRPLUS, whatever fits at a time', (t) => {
  const kernel = new Kernel();
  kernel.init(44);
  const expected = ['.', '..', 'v1', 's1', 'dmesg-blkoops-0', 'dmesg-blkoops-1', 'dmesg-blkoops-2'];
  for (const opcode of [READDIR!, READDIRPLUS!]) {
    for (const size of [176, 200, 350, 4096, 1 << 20]) {
      const all = [...listed(kernel, opcode, 1, size)];
      t.same(
        all.map(({ text }) => text),
        expected,
        `${opcode}: ${size} bytes at a time`,
      );
      t.same(
        all.map(({ type }) => type),
        [4, 4, 4, 4, 8, 8, 8],
      );
      t.same(
        all.slice(0, 4).map(({ ino }) => ino),
        [1, 1, 2, 3],
      );
    }
  }
  t.same(
    [...listed(kernel, READDIR!, 3, 4096)].map(({ ino, text }) => [text, ino! > 3]),
    [
      ['.', false],
      ['..', false],
      ['dmesg-pstore_blk-0', true],
      ['dmesg-pstore_blk-1', true],
      ['dmesg-pstore_blk-2', true],
    ],
  );
  const { body } = kernel.ask(READDIRPLUS!, 1, read(4, 4096));
  const found = entry(kernel.ask(LOOKUP!, 1, name('dmesg-blkoops-0')));
  t.same(entry({ error: 0, unique: 0, body }), found, 'as LOOKUP gives it');
  t.equal(kernel.ask(READDIR!, 1, read(0, 8)).body.length, 0, 'no room for one');
  t.equal(kernel.ask(READDIR!, 1, read(2 ** 40, 4096)).body.length, 0, 'behind the end');
  t.end();
});

t.test('what the kernel can do by itself, and what is not answered', (t) => {
  const kernel = new Kernel();
  kernel.init(44);
  for (const opcode of [FLUSH!, ACCESS!, 20, 30, 31, 37, 39, 40, 46, 50, 51, 52, 53, 4711]) {
    t.equal(kernel.ask(opcode, 1, new Uint8Array(64)).error, ENOSYS, `${opcode}`);
  }
  for (const opcode of [FORGET!, BATCH_FORGET!, INTERRUPT!]) kernel.send(opcode, 1024, u64(1));
  t.same(kernel.sent, []);
  t.equal(kernel.session.ended, false);
  t.equal(kernel.ask(DESTROY!, 0).error, 0);
  t.equal(kernel.session.ended, true);
  t.same(kernel.log, []);
  t.end();
});

t.test('malformed requests are answered, never more', (t) => {
  const kernel = new Kernel();
  kernel.init(44);
  for (const opcode of [LOOKUP, SETATTR, UNLINK, OPEN, OPENDIR, READ, READDIR, READDIRPLUS, GETXATTR, LISTXATTR]) {
    t.equal(kernel.ask(opcode!, 1, new Uint8Array(1)).error, EINVAL, `${opcode} without a body`);
  }
  t.equal(kernel.ask(LOOKUP!, 1, name('x'), 4711).error, EIO, 'another length than its header says');
  t.equal(kernel.ask(LOOKUP!, 1, Buffer.from('abc')).error, EINVAL, 'a name without its end');
  t.equal(kernel.ask(LOOKUP!, 4711, name('x')).body.length, 128, 'in an unknown inode');
  t.equal(kernel.ask(READ!, 1, read(0, 0xffff_ffff)).error, EINVAL, 'more than any kernel asks for');
  t.equal(kernel.ask(READ!, 2 ** 52, read(0, 4096)).error, ENOENT, 'an unknown inode');
  t.equal(kernel.ask(READ!, 1, read(0, 4096)).error, ENOENT, 'a directory is not read as a file');
  t.equal(kernel.ask(READDIR!, 4711, read(0, 4096)).error, 0, 'what is no directory lists as empty but for its dots');
  t.equal(kernel.ask(STATFS!, 2 ** 52).error, 0);
  t.same(kernel.log, []);
  kernel.session.handle(12);
  t.match(kernel.log.join(), /12 bytes/);
  t.end();
});

t.test('a fault of ours is EIO and a line in the log, once', (t) => {
  const kernel = new Kernel({}, 'both', ['v2']);
  kernel.init(44);
  const { ino } = entry(kernel.ask(LOOKUP!, 1, name('dmesg-blkoops-0')));
  kernel.storages[0]!.read = () => {
    throw new TypeError('a bug');
  };
  t.equal(kernel.ask(READ!, ino, read(0, 4096)).error, EIO);
  t.equal(kernel.ask(READ!, ino, read(0, 4096)).error, EIO);
  t.equal(kernel.log.length, 1);
  t.match(kernel.log[0], /^a bug of pstorefuse at READ: TypeError: a bug/);
  t.end();
});

t.test('using it is told, but not at each request', (t) => {
  let used = 0;
  const kernel = new Kernel({ onActivity: () => used++ });
  kernel.init(44);
  for (let i = 0; i < 50; i++) kernel.ask(STATFS!, 1);
  t.ok(used === 1 || used === 2, `${used}`);
  t.end();
});
