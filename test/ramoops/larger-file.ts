// A region in a file that is too large to be looked through for every damaged header shows what it shows by itself.

import t from 'tap';
import { open } from '../../lib/core.js';
import { HugeStorage } from '../builders/huge.js';
import { Region, type RegionSizes } from '../builders/ramoops.js';
import { failureOf, readAll } from '../builders/store.js';

const K = 1024;
const M = 1 << 20;
const FILE = 17 * M;
const ascii = (text: string) => new TextEncoder().encode(text);

/** The dump zones share what the rings leave: none of them is a multiple of 512 bytes. */
const UNEVEN: RegionSizes = { mem: M, record: 64 * K, console: 16 * K };
const REGIONS: Readonly<Record<string, RegionSizes>> = {
  'even zones': { mem: M, record: 64 * K, console: 64 * K, pmsg: 64 * K },
  'uneven zones': UNEVEN,
  'uneven zones with parity': { ...UNEVEN, ecc: 16 },
  'uneven zones of four processors': { mem: M, record: 64 * K, ftrace: 32 * K, cpus: 4 },
};

function built(sizes: RegionSizes): Region {
  const region = new Region(sizes);
  for (let id = 0; id < 5; id++) {
    region.dump(id, `====1700000${id}00.000000-D\n`, ascii(`Oops#${id + 1} Part1\n<6>[    1.000000] a log\n`));
  }
  if (sizes.console) region.ring('console', ascii('[    1.000000] the console\n'));
  if (sizes.pmsg) region.ring('pmsg', ascii('a message of a program\n'));
  if (sizes.ftrace) for (let cpu = 0; cpu < 4; cpu++) region.ring('ftrace', new Uint8Array(240).fill(cpu + 1), cpu);
  return region;
}

/** A bit of the signature is wrong. */
function damage(region: Region, type: 'dmesg' | 'console' | 'ftrace', id: number): void {
  const zone = region.zones.find((one) => one.type === type && one.id === id);
  if (zone) region.bytes[zone.offset]! ^= 4;
}

for (const [name, sizes] of Object.entries(REGIONS)) {
  t.test(name, async (t) => {
    const damages: [string, (region: Region) => void][] = [
      ['whole', () => {}],
      ["a console's header is damaged", (region) => damage(region, 'console', 0)],
      ["an empty dump zone's header is damaged", (region) => damage(region, 'dmesg', 9)],
      ["a processor's header is damaged", (region) => damage(region, 'ftrace', 2)],
    ];
    for (const [what, act] of damages) {
      const region = built(sizes);
      act(region);
      const alone = open(region.bytes.slice());
      const wanted = readAll(alone);
      t.ok(wanted.size >= 4, `${what}: ${[...wanted.keys()]}`);
      for (const at of [0, 4 * M]) {
        const file = new Uint8Array(FILE);
        file.set(region.bytes, at);
        const store = open(file);
        t.same(readAll(store), wanted, `${what}, at ${at / M} MiB`);
        t.equal([...store.info().zones].length, [...alone.info().zones].length, 'with as many zones');
      }
    }
  });
}

t.test('the beginning is a region where its size is given, whatever its first header is', async (t) => {
  const region = new Region({ mem: 32 * M, record: 0, console: 16 * M, pmsg: 16 * M });
  const message = ascii('a message of a program\n');
  const pmsg = region.zone('pmsg');
  region.bytes.set(message, pmsg.offset + 12);
  region.header('pmsg', 0, message.length, message.length);
  damage(region, 'console', 0);
  const file = new Uint8Array(64 * M);
  file.set(region.bytes);
  const keys = { mem_size: '32M', console_size: '16M', pmsg_size: '16M', record_size: '0' };
  const store = open(file, { backend: 'ramoops', keys });
  t.same([...readAll(store)], [['pmsg-ramoops-0', message]]);
});

t.test('a header that goes beyond the end of the region is none of its own', async (t) => {
  const sizes: RegionSizes = { mem: 64 * K, record: 8 * K, console: 8 * K };
  const wanted = readAll(open(built(sizes).bytes));
  for (let beyond = 1; beyond < 12; beyond++) {
    const region = built(sizes);
    const file = new Uint8Array(65 * K);
    file.set(region.bytes);
    const zone = region.zone('dmesg');
    file.set(region.bytes.subarray(zone.offset, zone.offset + 12), sizes.mem - 12 + beyond);
    t.same(readAll(open(file, { backend: 'ramoops', keys: { mem_size: '64K' } })), wanted, `${beyond} bytes beyond`);
  }
});

t.test('where the search ends early, that is said', async (t) => {
  const region = built(REGIONS['even zones']!);
  const file = new Uint8Array(24 * M);
  file.set(region.bytes);
  const signature = Buffer.from('DBGC');
  // Words that are no header: what follows each is too large for any zone.
  for (let at = 18 * M; at < 20 * M; at += 16) file.fill(0xff, at + 4, at + 12).set(signature, at);
  const store = open(file, { backend: 'ramoops' });
  t.equal(readAll(store).size, readAll(open(region.bytes)).size, 'what stands before is shown');
  const [warning, ...more] = store.warnings.filter(({ code }) => code === 'search-ended');
  t.match(warning?.message, /^image: only the first 19922944 bytes were searched .* offset= and size= /);
  t.equal(warning?.offset, 19 * M);
  t.same(more, []);
  file.fill(0, 18 * M, 19.5 * M);
  t.same(
    open(file, { backend: 'ramoops' }).warnings.filter(({ code }) => code === 'search-ended'),
    [],
    'all was searched',
  );
});

t.test('of a file whose beginning leaves no question open the rest is not searched, and that is said', async (t) => {
  const whole = built(REGIONS['even zones']!);
  whole.ring('console', ascii('[    0.100000] ramoops: using 0x100000@0x4000000, ecc: 0\n'));
  const region = new Uint8Array(whole.bytes);
  const at = 700 * M;
  const told = (parts: ConstructorParameters<typeof HugeStorage>[1], options = {}) => {
    const medium = new HugeStorage(1024 * M, parts);
    const store = open(medium, options);
    return { store, medium, ended: store.warnings.filter(({ code }) => code === 'search-ended') };
  };
  const first = { offset: 0, bytes: region };
  const both = told([first, { offset: at, bytes: region }]);
  t.equal(readAll(both.store).size, readAll(open(region)).size);
  t.match(
    both.ended[0]?.message,
    /: only the first 16777216 bytes were searched .* pstorefuse scan looks at all of it$/,
  );
  t.equal(both.ended.length, 1);
  t.ok(both.medium.bytesRead < 40 * M, `${both.medium.bytesRead} bytes were read, also for the other kinds`);
  t.same(told([first]).ended, [], 'nothing follows');
  const near = told([first, { offset: 15 * M, bytes: region }]);
  t.same(near.ended, [], 'a second region near it leaves a question');
  t.ok(near.store.warnings.some(({ code }) => code === 'header-stray'));
  const sizes = { mem_size: String(region.length) };
  t.same(
    told([first, { offset: at, bytes: region }], { backend: 'ramoops', keys: sizes }).ended,
    [],
    'only a part is asked for',
  );
  const untold = new Uint8Array(built(REGIONS['even zones']!).bytes);
  const doubtful = told([
    { offset: 0, bytes: untold },
    { offset: at, bytes: new Uint8Array(4096).fill(1) },
  ]);
  t.same(doubtful.ended, [], 'a beginning that is doubtful is no reason to end');
});

t.test('a blank zone in front of the first header may be what precedes the region: that is said', async (t) => {
  const { bytes } = built({ mem: 128 * K, record: 4 * K, console: 16 * K });
  const file = new Uint8Array(4 * K + bytes.length);
  file.set(bytes, 4 * K);
  const pstore = open(file);
  const isSaid = ({ message }: { message: string }) =>
    /if the region begins only at 0x1000, give offset=0x1000/.test(message);
  t.ok(pstore.warnings.some(isSaid));
  pstore.close();
  const given = open(file, { keys: { offset: '4K' } });
  t.notOk(given.warnings.some(isSaid));
  given.close();
});

t.test(
  'a region whose first header is lost begins with its file, where the given sizes explain all others',
  async (t) => {
    const { bytes } = built({ mem: M, record: 128 * K, console: 16 * K, pmsg: 16 * K });
    for (let i = 0; i < 12; i++) bytes[i] = 17 * i + 3;
    const keys = { record_size: '128K', console_size: '16K', ftrace_size: '0', pmsg_size: '16K', ecc: '0' };
    const pstore = open(bytes, { backend: 'ramoops', keys });
    t.same(
      [...pstore].map(({ name }) => name),
      ['console-ramoops-0', ...[1, 2, 3, 4].map((id) => `dmesg-ramoops-${id}`), 'pmsg-ramoops-0'],
    );
    pstore.close();
  },
);

t.test('a console with its lines proves a region without any dump', async (t) => {
  const region = new Region({ mem: 128 * K, record: 0, console: 128 * K });
  const text = ascii('[    1.000000] the console\n'.repeat(300));
  const file = new Uint8Array(512 * K);
  region.ring('console', text);
  file.set(region.bytes, 64 * K);
  t.same([...readAll(open(file))], [['console-ramoops-0', text]]);
  region.ring('console', ascii('any other text\n'.repeat(600)));
  file.set(region.bytes, 64 * K);
  t.equal(
    failureOf(() => open(file)),
    'EBADMSG',
  );
});
