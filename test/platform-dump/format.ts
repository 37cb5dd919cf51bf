import fc from 'fast-check';
import t from 'tap';
import {
  dumpFileName,
  dumpNameTime,
  readDumpSections,
  readPlatformDumpHeader,
} from '../../lib/platform-dump/format.js';
import { dumpBytes, FSPDUMP, SYSDUMP } from '../builders/platform-dump.js';

const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

t.test('the header of a saved dump', async (t) => {
  const header = readPlatformDumpHeader(dumpBytes({ name: SYSDUMP, type: 0x1234, prefixLength: 7 }))!;
  t.match(header, { directorySize: 0x40, type: 0x1234, prefixLength: 7 });
  t.same(Buffer.from(header.name).toString(), SYSDUMP);
  t.equal(Buffer.from(readPlatformDumpHeader(dumpBytes({ name: 'SHORT   ' }))!.name).toString(), 'SHORT');
  t.equal(readPlatformDumpHeader(dumpBytes({ name: 'a'.repeat(40) }))!.name.length, 40, 'unterminated');
  t.ok(readPlatformDumpHeader(dumpBytes({ name: SYSDUMP, label: 'FILE\0\0\0\0' })));
  t.equal(
    readPlatformDumpHeader(bytesOf('FILE NOT FOUND, says a text of more than 64 bytes in all, no dump')),
    undefined,
  );
  t.equal(readPlatformDumpHeader(dumpBytes({ name: SYSDUMP, label: 'file' })), undefined);
  const whole = dumpBytes({ name: SYSDUMP });
  for (let length = 0; length < 0x40; length++) {
    t.equal(readPlatformDumpHeader(whole.subarray(0, length)), undefined);
  }
  t.ok(readPlatformDumpHeader(whole.subarray(0, 0x40)));
});

t.test('the section directory', async (t) => {
  const sizes = [100n, 2n ** 40n, 2n ** 64n - 1n];
  const bytes = dumpBytes({ name: SYSDUMP, sections: sizes });
  t.same(
    readDumpSections(bytes).map(({ size }) => size),
    sizes,
  );
  t.same(readDumpSections(bytes.subarray(0, 0x40 + 0x28 + 5)).length, 1, 'as far as it is there');
  t.same(readDumpSections(dumpBytes({ name: SYSDUMP })), []);
  const endless = dumpBytes({ name: SYSDUMP, sections: [1n, 2n] });
  endless.set([0, 0], 0x48);
  t.equal(readDumpSections(endless).length, 1, 'an entry of no size ends the directory');
});

t.test('names for files', async (t) => {
  const table: [string, string | undefined][] = [
    [SYSDUMP, SYSDUMP],
    [FSPDUMP, FSPDUMP],
    ['../../etc/passwd', '_._.._etc_passwd'],
    ['.hidden', '_hidden'],
    ['a/b', 'a_b'],
    ['a\nb\tc', 'a_b_c'],
    ['a b', 'a_b'],
    ['\x1b[31mred', '__31mred'],
    ['caf\xc3\xa9', 'caf__'],
    ['', undefined],
    ['.', undefined],
    ['..', undefined],
    ['///', undefined],
    ['-rf', '_rf'],
    ['--help', '_-help'],
  ];
  for (const [name, expected] of table) t.equal(dumpFileName(bytesOf(name)), expected, JSON.stringify(name));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (name) => {
      const file = dumpFileName(name);
      return file === undefined || /^[A-Za-z0-9_+:@=-][A-Za-z0-9._+:@=-]{0,39}$/.test(file);
    }),
    { numRuns: 500 },
  );
});

t.test('the time in a name', async (t) => {
  const table: [string, bigint | undefined][] = [
    [SYSDUMP, 1631610900_000_000_000n],
    ['X.20000229000000', 951782400_000_000_000n],
    ['X.20010229000000', undefined],
    ['X.20211301000000', undefined],
    ['X.20211231235960', undefined],
    ['X.20211231240000', undefined],
    ['X.00000000000000', undefined],
    ['X.19691231235959', undefined],
    ['X.2021091409150', undefined],
    ['20210914091500', undefined],
    ['SYSDUMP', undefined],
  ];
  for (const [name, expected] of table) t.equal(dumpNameTime(bytesOf(name)), expected, name);
});

t.test('any bytes: a header or none, never an error', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, labelled) => {
      if (labelled && bytes.length > 8) bytes.set(bytesOf('FILE    '));
      const header = readPlatformDumpHeader(bytes);
      readDumpSections(bytes);
      return header === undefined || header.name.length <= 40;
    }),
    { numRuns: 500 },
  );
});
