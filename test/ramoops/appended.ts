// Dump zones of kernels before 5.5, which append a dump to what the zone still holds. Once such a zone has come round, the
// oldest bytes are the end of an older dump.

import { deflateSync } from 'node:zlib';
import t from 'tap';
import { open } from '../../lib/index.js';
import { Region, type RegionSizes } from '../builders/ramoops.js';
import { readAll } from '../builders/store.js';

const K = 1024;
const SIZES: RegionSizes = { mem: 128 * K, record: 16 * K, console: 32 * K, pmsg: 16 * K };
const ascii = (text: string) => new TextEncoder().encode(text);

/** Lines of a log, at least so many bytes of them. */
function log(length: number, first = 0): string {
  let text = '';
  for (let i = first; text.length < length; i++)
    text += `<6>[  100.${String(i).padStart(6, '0')}] usb 1-1: line ${i}\n`;
  return text;
}

const dump = (seconds: number, length: number) => `====${seconds}.123-D\nOops#1 Part1\n${log(length, seconds % 1000)}`;

/** Writes dumps one after the other into a zone, as into a ring. */
function append(region: Region, id: number, dumps: readonly string[]): void {
  const { offset, area } = region.zone('dmesg', id);
  const stream = Buffer.from(dumps.join(''), 'latin1');
  stream.forEach((byte, at) => {
    region.bytes[offset + 12 + (at % area)] = byte;
  });
  region.header('dmesg', id, stream.length % area, Math.min(area, stream.length));
}

function region(): Region {
  const built = new Region(SIZES);
  built.ring('console', ascii(log(20 * K).replaceAll('<6>', '')));
  built.ring('pmsg', ascii('a message of a program\n'.repeat(2000)));
  return built;
}

const names = (bytes: Uint8Array) => [...readAll(open(bytes)).keys()].sort();

t.test('a dump zone that has come round is none of the boot log', async (t) => {
  const built = region();
  for (const id of [0, 1]) append(built, id, [dump(1500000000, 10 * K), dump(1500000100, 10 * K)]);
  append(built, 2, [dump(1500000200, 4 * K)]);
  t.same(names(built.bytes), ['console-ramoops-0', 'dmesg-ramoops-2', 'pmsg-ramoops-0']);
});

t.test('a newer dump that fits behind the older one is a part of its record', async (t) => {
  const built = region();
  const second = dump(1500000100, 5 * K);
  append(built, 0, [dump(1500000000, 5 * K), second]);
  const text = new TextDecoder().decode(open(built.bytes).read('dmesg-ramoops-0'));
  t.ok(text.endsWith(second));
});

t.test('the line of the newer dump stands on both sides of the end', async (t) => {
  const { area } = region().zone('dmesg', 0);
  for (const before of [1, 4, 12, 19]) {
    const built = region();
    const first = dump(1500000000, area).slice(0, area - before);
    for (const id of [0, 1]) append(built, id, [first, dump(1500000100, 6 * K)]);
    t.same(names(built.bytes), ['console-ramoops-0', 'pmsg-ramoops-0'], `${before} bytes before it`);
  }
});

t.test('where all dumps are appended ones, the region is found in a larger file', async (t) => {
  const built = region();
  append(built, 0, [dump(1500000000, 10 * K), dump(1500000100, 10 * K)]);
  const file = new Uint8Array(1 << 20);
  file.set(built.bytes, 0x30000);
  t.same(names(file), ['console-ramoops-0', 'pmsg-ramoops-0']);
});

t.test('salvage shows the newest dump of such a zone, and why a kernel does not', async (t) => {
  const built = region();
  const newest = `Oops#2 Part1\n${log(12 * K)}`;
  append(built, 0, [dump(1500000000, 10 * K), dump(1500000100, 10 * K)]);
  // A compressed one follows bytes that do not decompress.
  const stream = deflateSync(newest, { windowBits: 12 });
  append(built, 1, [dump(1500000000, 15 * K), '====1500000200.5-C\n', stream.toString('latin1')]);
  const store = open(built.bytes, { backend: 'ramoops', keys: { salvage: 'yes' } });
  const shown = new Map([...store].map((record) => [record.name, record]));
  t.ok(new TextDecoder().decode(store.read('dmesg-ramoops-0.salvaged')).endsWith(dump(1500000100, 10 * K)));
  t.equal(new TextDecoder().decode(store.read('dmesg-ramoops-1.salvaged')), newest);
  t.equal(shown.get('dmesg-ramoops-1.salvaged')?.mtimeNs, 1_500_000_200_000_005_000n);
  t.match(store.warnings[0]?.message, /a dump was appended to an older one/);
});
