import t from 'tap';
import { otherFormat, otherFormatSentence } from '../../lib/source/other-formats.js';
import { MemoryStorage } from '../../lib/storage/memory.js';

function image(offset: number, bytes: string, size = 0x20000): MemoryStorage {
  const all = new Uint8Array(size);
  all.set(Buffer.from(bytes, 'latin1'), offset);
  return new MemoryStorage(all, { path: 'file' });
}

t.test('formats by their magic numbers', (t) => {
  for (const [offset, bytes, name, advice] of [
    [0, '\x1f\x8b', /gzip/, /gunzip/],
    [0, 'DISKDUMP', /diskdump/, /crash/],
    [0, '\xed\x23\x8f\x61\x73\x01\x19\xa8', /LKCD/, /crash/],
    [0, 'PAGEDU64', /Windows.*64/, /WinDbg/],
    [0, 'EMiL', /LiME/, /volatility/],
    [0, 'QEVM', /QEVM/, /crash/],
    [0, 'MDMP', /minidump/, /minidump_stackwalk/],
    [0, 'QFI\xfb', /qcow2/, /qemu-img/],
    [0, '\x3a\xff\x26\xed', /sparse/, /simg2img/],
    [0, 'hsqs', /squashfs/, /mount/],
    [1080, '\x53\xef', /ext4/, /mount/],
    [0x10040, '_BHRfS_M', /btrfs/, /mount/],
    [0, 'UBI#', /UBI/, /volume/],
    [257, 'ustar', /tar/, /tar -x/],
    [0, '\xa8\x19\x01\x73\x61\x8f\x23\xfd', /s390/, /zgetdump/],
    [0, '\x7fVirtualBox SavedState V2.0', /VirtualBox/, /dumpvmcore/],
    [0, 'EVF\x09\x0d\x0a\xff\0', /EnCase/, /ewfexport/],
    [0, 'QED\0', /QED/, /qemu-img/],
    [0, 'VNDRBOOT', /Android boot/, /partition/],
    [0, '\x19\x85\x20\x03', /JFFS2/, /mount/],
    [4096, '\xfc\x4e\x2b\xa9', /RAID/, /mdadm/],
    [0, '070701', /cpio/, /cpio -i/],
    [0, `FILE${'\0'.repeat(20)}SYSDUMP.77AB01C`, /platform dump/, /folder/],
    [0, '\x5d\0\0\x80\0', /lzma/, /unlzma/],
  ] as const) {
    const found = otherFormat(image(offset, bytes))!;
    t.match(found.name, name);
    t.match(found.advice, advice);
  }
  t.end();
});

t.test('a text, from its beginning to its end', async (t) => {
  const text = Buffer.from('[    1.000000] Oops: größer\n'.repeat(1000));
  t.match(otherFormat(new MemoryStorage(text)), { name: 'a text', advice: /pstorefuse explain/ });
  text[text.length - 1] = 0;
  t.equal(otherFormat(new MemoryStorage(text)), undefined);
});

t.test('what is none, or too short for a magic number', (t) => {
  t.equal(otherFormat(image(0, 'nothing known')), undefined);
  t.equal(otherFormat(image(0, 'QF', 2)), undefined);
  t.equal(otherFormat(image(0, '', 0)), undefined);
  t.end();
});

t.test('the sentence', (t) => {
  t.equal(
    otherFormatSentence(image(0, 'EMiL'), 'ram'),
    'ram is a LiME memory dump: volatility reads it, and so does crash',
  );
  t.match(otherFormatSentence(image(0, '\x1f\x8b'), 'dump'), /name it dump.gz, or unpack it first/);
  t.notMatch(otherFormatSentence(image(0, '\x1f\x8b'), 'dump.gz'), /name it/);
  t.end();
});
