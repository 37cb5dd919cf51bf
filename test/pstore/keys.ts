import t from 'tap';
import { canonicalKey, parseNumber, parseSize, SourceKeys, sourceText } from '../../lib/pstore/keys.js';

t.test('sizes', async (t) => {
  const good: [string, number][] = [
    ['0', 0],
    ['65536', 65536],
    ['64K', 65536],
    ['64k', 65536],
    ['64KiB', 65536],
    ['64 KiB', 65536],
    ['64KB', 65536],
    ['1M', 1 << 20],
    ['3G', 3 * 2 ** 30],
    ['1T', 2 ** 40],
    ['0x8000', 0x8000],
    ['0X10K', 16 * 1024],
    [' 512 ', 512],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, bytes] of good) t.equal(parseSize('size', text), bytes, text);
  const bad = ['', 'K', '-1', '-64K', '1.5K', '1e3', '64Q', '64KK', '0x', '0xg', '٣', 'NaN', '1,000'];
  for (const text of bad) {
    t.throws(
      () => parseSize('kmsg_size', text),
      { code: 'EINVAL', message: `kmsg_size=${text}: give a number of bytes such as` },
      text,
    );
  }
  for (const text of ['9007199254740992', '9999999999T', '0x20000000000000', '9'.repeat(400)]) {
    t.throws(() => parseSize('kmsg_size', text), { code: 'EINVAL', message: `kmsg_size=${text} is too large` }, text);
  }
});

t.test('numbers', async (t) => {
  t.equal(parseNumber('cpus', '8', 1, 8), 8);
  t.equal(parseNumber('cpus', '0x8', 1, 8), 8);
  for (const text of ['0', '9', '-1', '', '1.5', '8K', 'eight', '99999999999999999999']) {
    t.throws(() => parseNumber('cpus', text, 1, 8), { code: 'EINVAL', message: /^cpus=.*from 1 to 8$/ }, text);
  }
});

t.test('the keys of a source', async (t) => {
  const keys = new SourceKeys([
    ['dmesg_size', '64K'],
    ['cpus', '4'],
    ['ro', ''],
    ['strict', 'no'],
    ['salvage', 'maybe'],
    ['compress', 'lz4'],
    ['abi', 'mips'],
  ]);
  t.equal(canonicalKey('dmesg_size'), 'kmsg_size');
  t.equal(keys.size('kmsg_size'), 65536, "blkoops' own word for the same key");
  t.equal(keys.has('dmesg_size'), false);
  t.equal(keys.size('pmsg_size'), undefined);
  t.equal(keys.number('cpus', 1, 8), 4);
  t.equal(keys.number('ecc', 0, 8), undefined);
  t.equal(keys.flag('ro'), true);
  t.equal(keys.flag('strict'), false);
  t.equal(keys.flag('absent'), false);
  t.throws(() => keys.flag('salvage'), { code: 'EINVAL', message: 'salvage=maybe: give yes or no' });
  for (const yes of ['1', 'yes', 'TRUE', 'on']) t.equal(SourceKeys.of({ ro: yes }).flag('ro'), true, yes);
  for (const no of ['0', 'No', 'false', 'off']) t.equal(SourceKeys.of({ ro: no }).flag('ro'), false, no);
  t.equal(keys.choice('compress', ['deflate', 'lz4']), 'lz4');
  t.throws(() => keys.choice('compress', ['deflate', 'none']), {
    code: 'EINVAL',
    message: 'compress=lz4: known are deflate, none',
  });
  t.same(keys.abi(), { endian: 'big', wordBits: 32, align: 8 });
  t.equal(new SourceKeys().abi(), undefined);
  t.throws(() => SourceKeys.of({ abi: 'vax' }).abi(), { code: 'EINVAL', message: /unknown abi "vax"/ });
  t.throws(() => SourceKeys.of({ abi: 'toString' }).abi(), { code: 'EINVAL' });
  t.same(keys.names(), ['kmsg_size', 'cpus', 'ro', 'strict', 'salvage', 'compress', 'abi']);
  t.same(SourceKeys.of({ size: 5, ro: true }).text('size'), '5');
});

t.test('the SOURCE that opens an image again', async (t) => {
  const whole = SourceKeys.of({ kmsg_size: '64K', salvage: '' });
  t.equal(sourceText('blkoops', 'a,b.raw', whole, 'kmsg_size=64K'), 'blkoops:a,,b.raw,kmsg_size=64K');
  const part = SourceKeys.of({ size: '1M', offset: 4096 });
  t.equal(sourceText('vmcoredd', 'x', part, ''), 'vmcoredd:x,offset=4096,size=1M');
});
