import t from 'tap';
import { dialectsOf, MAINLINE } from '../../lib/blk/dialects.js';
import { passedOverDmesg, passedOverRing } from '../../lib/blk/salvage.js';
import { deflateRaw } from '../../lib/compress/deflate.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import type { PassedOver } from '../../lib/pstore/backend.js';
import { readableText } from '../../lib/pstore/salvage.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { FORMATS, latin1, MACHINE_NAMES, partition, type RecordSpec, type ZonePartition } from '../builders/zone.js';

const TEXT = 'Oops#3 Part1\n<1>[    5.4] BUG: kernel NULL pointer dereference\n<4>[    5.5] Call Trace:\n';

/** What a person gets to read of a place, with what its header tells. */
function readable(passed: PassedOver | undefined) {
  const found = passed && readableText(passed);
  return found && { ...passed, bytes: found.text, compressed: found.compression };
}

const salvageDmesg = (...of: Parameters<typeof passedOverDmesg>) => readable(passedOverDmesg(...of));
const salvageRing = (...of: Parameters<typeof passedOverRing>) => readable(passedOverRing(...of));

function salvage(image: ZonePartition, index = 0) {
  const zone = { ...image.kmsgZones[index]!, type: 'dmesg' as const };
  const found = salvageDmesg(new MemoryStorage(image.bytes), zone, dialectsOf(image.format)[0]!, parseAbi(image.abi));
  return found && { ...found, bytes: Buffer.from(found.bytes).toString('latin1') };
}

t.test('records that a kernel skips', async (t) => {
  const time = 1_700_000_000_000_000_007n;
  const table: [string, RecordSpec, object | undefined][] = [
    [
      'a damaged signature',
      { sig: 0x43474344 },
      { bytes: TEXT, mtimeNs: time, reason: 'Oops', count: 5, compressed: null },
    ],
    ['no signature at all', { sig: 0 }, { bytes: TEXT, reason: 'Oops' }],
    ['a datalen beyond the zone', { datalen: 99999 }, { bytes: TEXT, reason: 'Oops', count: 5 }],
    ['a datalen of −1', { datalen: -1 }, { bytes: TEXT }],
    ['a datalen below the header', { datalen: 3 }, { bytes: TEXT }],
    [
      'a wrong magic: the header tells nothing',
      { magic: 1 },
      { bytes: TEXT, mtimeNs: null, reason: null, count: null },
    ],
    [
      'nanoseconds out of range',
      { sig: 1, nanoseconds: 2_000_000_000 },
      { bytes: TEXT, mtimeNs: 1_700_000_000_000_000_000n },
    ],
    ['no time', { sig: 1, seconds: 0 }, { bytes: TEXT, mtimeNs: null }],
    ['compressed', { sig: 1, compressed: 1, body: deflateRaw(latin1(TEXT)) }, { bytes: TEXT, compressed: 'deflate' }],
    [
      'compressed, with a damaged length',
      { datalen: 99999, compressed: 1, body: deflateRaw(latin1(TEXT)) },
      { bytes: TEXT, compressed: 'deflate' },
    ],
    ['hardly any text', { sig: 1, body: 'too short' }, undefined],
    ['no text', { sig: 1, body: new Uint8Array(500) }, undefined],
    ['text and then rubbish', { sig: 1, body: `${TEXT}\x01\x02\x03` }, { bytes: TEXT }],
  ];
  for (const format of FORMATS) {
    for (const abi of MACHINE_NAMES) {
      for (const [name, spec, expected] of table) {
        const image = partition(8192, { format, abi }).kmsg(4096);
        image.dmesg(0, { body: TEXT, nanoseconds: 7, counter: 5, reason: 2, ...spec });
        const found = salvage(image);
        if (!expected) t.equal(found, undefined, `${format} ${abi}: ${name}`);
        else t.match(found, { offset: 0, ...expected }, `${format} ${abi}: ${name}`);
      }
    }
  }
});

t.test('zones with nothing in them', async (t) => {
  for (const fill of [0, 0xff]) t.equal(salvage(partition(8192, { fill }).kmsg(4096)), undefined);
  t.equal(salvage(partition(8192).kmsg(4096).formatted()), undefined);
  const cut = partition(8192).kmsg(4096).dmesg(1, { body: TEXT });
  for (const end of [4096, 4100, 4147, 4150]) {
    const storage = new MemoryStorage(cut.bytes.slice(0, end));
    t.equal(salvageDmesg(storage, { ...cut.kmsgZones[1]!, type: 'dmesg' }, MAINLINE, parseAbi('le64')), undefined);
  }
});

t.test('a record whose end was cut off', async (t) => {
  const image = partition(8192).kmsg(4096).dmesg(1, { body: TEXT });
  const storage = new MemoryStorage(image.bytes.slice(0, 4096 + 52 + 40));
  const found = salvageDmesg(storage, { ...image.kmsgZones[1]!, type: 'dmesg' }, MAINLINE, parseAbi('le64'))!;
  t.equal(Buffer.from(found.bytes).toString(), TEXT.slice(0, 40));
});

t.test('a compressed record whose end was cut off, or whose stream is damaged', async (t) => {
  const lines = Array.from({ length: 100 }, (_, i) => `<6>[    1.${i * 7919}] line ${i * i}\n`);
  const text = `${TEXT}${lines.join('')}`;
  const image = partition(8192)
    .kmsg(4096)
    .dmesg(1, { compressed: 1, body: deflateRaw(latin1(text)) });
  const zone = { ...image.kmsgZones[1]!, type: 'dmesg' as const };
  const shown = (bytes: Uint8Array) => {
    const found = salvageDmesg(new MemoryStorage(bytes), zone, MAINLINE, parseAbi('le64'))!;
    t.match(found, { compressed: 'deflate', reason: 'Oops' });
    return Buffer.from(found.bytes).toString('latin1');
  };
  const cut = shown(image.bytes.slice(0, 4096 + 52 + 400));
  t.ok(cut.length > 200 && text.startsWith(cut) && cut !== text);
  const damaged = image.bytes.slice();
  damaged.fill(0xff, 4096 + 52 + 400, 4096 + 52 + 500);
  damaged[4096] = 0;
  t.ok(shown(damaged).startsWith(cut.slice(0, -10)));
});

t.test('rings', async (t) => {
  const line = '[    1.0] console text\n';
  const table: [string, Parameters<ZonePartition['console']>[1], string | undefined][] = [
    ['lengths beyond the zone', { data: line, datalen: 99999, start: 0 }, line],
    ['a damaged signature', { data: line, datalen: line.length, start: line.length, sig: 7 }, line],
    ['erased: that was wanted', { data: line, datalen: 0, start: 0 }, undefined],
    ['no text', { data: '\0\x01', datalen: 2, start: 2, sig: 7 }, undefined],
  ];
  for (const [name, ring, expected] of table) {
    const image = partition(8192).console(4096, ring);
    const zone = { ...image.places[0]!, type: 'console' as const };
    const found = salvageRing(new MemoryStorage(image.bytes), zone, parseAbi('le64'));
    t.equal(found && Buffer.from(found.bytes).toString('latin1'), expected, name);
  }
});
