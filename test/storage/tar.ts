import t from 'tap';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { readTar } from '../../lib/storage/tar.js';
import { tarArchive } from '../builders/tar.js';

const filesOf = (bytes: Uint8Array) => readTar(new MemoryStorage(bytes))?.partitions;

t.test('the regular files of an archive, each where it stands', async (t) => {
  const archive = tarArchive([
    { name: 'folder', bytes: new Uint8Array(0), type: '5' },
    { name: 'folder/a.raw', bytes: new Uint8Array(700).fill(1) },
    { name: 'empty', bytes: new Uint8Array(0) },
    { name: 'b.raw', bytes: new Uint8Array(512).fill(2) },
  ]);
  t.match(filesOf(archive), [
    { number: 1, name: 'folder/a.raw', offset: 1024, size: 700 },
    { number: 2, name: 'b.raw', offset: 3072, size: 512 },
  ]);
  t.match(filesOf(archive.subarray(0, 1200)), [{ name: 'folder/a.raw', size: 700 }], 'of a cut one what is there');
});

t.test('a size in binary digits, and sizes that are none', async (t) => {
  const archive = tarArchive([{ name: 'a', bytes: new Uint8Array(512) }]);
  const sized = (size: Buffer) => {
    const copy = Buffer.from(archive);
    size.copy(copy, 124);
    copy.write(' '.repeat(8), 148, 'latin1');
    const sum = copy.subarray(0, 512).reduce((before, byte) => before + byte, 0);
    copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return filesOf(copy);
  };
  t.match(sized(Buffer.from('800000000000000000000200', 'hex')), [{ size: 512 }]);
  t.equal(sized(Buffer.from('80ffffffffffffffffffffff', 'hex')), undefined);
  t.equal(sized(Buffer.from('-0000000001 ')), undefined);
});

t.test('what is no archive', async (t) => {
  const archive = tarArchive([{ name: 'a', bytes: new Uint8Array(512) }]);
  archive[0]! ^= 1;
  t.equal(filesOf(archive), undefined, 'its checksum is wrong');
  t.equal(filesOf(new Uint8Array(4096)), undefined);
  t.equal(filesOf(new Uint8Array(0)), undefined);
});
