import t from 'tap';
import { open } from '../../lib/core.js';
import { PstoreError } from '../../lib/errors.js';
import { TextCache } from '../../lib/pstore/cache.js';
import { SourceKeys } from '../../lib/pstore/keys.js';
import { ramoops } from '../../lib/ramoops/open.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { SliceStorage } from '../../lib/storage/slice.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';
import { Warnings } from '../../lib/warnings.js';
import { Region } from '../builders/ramoops.js';
import { type Dialectal, dice, MAKERS } from '../builders/ramoops-dialects.js';
import { fastParityOf, parityOf } from '../builders/reed-solomon.js';
import { readAll } from '../builders/store.js';

/** `right`, `warned` where it is wrong and said so, or `silent`. */
function judge({ image, files, keys }: Dialectal, given: boolean): 'right' | 'warned' | 'silent' {
  const { offset, size, ...rest } = given ? keys : ({} as Record<string, string>);
  const memory = new MemoryStorage(image.slice(), { path: 'image', writable: false });
  const part = offset === undefined ? memory : new SliceStorage(memory, Number(offset), Number(size));
  const storage = SurvivingStorage.opening(part);
  const warnings = new Warnings();
  try {
    const context = { path: 'image', storage, keys: SourceKeys.of(rest), warnings, cache: new TextCache() };
    const finding = given ? ramoops : ramoops.probe(storage);
    if (!finding) return files.size === 0 ? 'right' : 'warned';
    const backend = finding.open({ ...context, readFile: () => new Uint8Array(0) });
    let wrong = 0;
    let seen = 0;
    for (let slot = 0; slot < backend.slots; slot++) {
      const record = backend.record(slot);
      if (!record) continue;
      seen++;
      const bytes = new Uint8Array(record.size);
      backend.open(slot).read(bytes, 0);
      const expected = files.get(record.name);
      if (!expected || Buffer.compare(bytes, expected) !== 0) wrong++;
    }
    if (wrong === 0 && seen === files.size) return 'right';
    return warnings.list.length > 0 ? 'warned' : 'silent';
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    return files.size === 0 && !given ? 'right' : 'warned';
  }
}

/** More of them, from another seed, to measure: RAMOOPS_IMAGES=200 RAMOOPS_SEED=1 node dist/test/ramoops/dialects.js */
const images = Number(process.env.RAMOOPS_IMAGES ?? 5);
const seed = Number(process.env.RAMOOPS_SEED ?? 7);
const only = process.env.RAMOOPS_DIALECT;

/** Of every image: headers of an older boot leave several geometries that explain a region as well. */
const FOUND = { usual: 0.9, regeometry: 0.75 };

for (const [name, make] of Object.entries(MAKERS)) {
  if (only !== undefined && name !== only) continue;
  t.test(`${name}: ${images} random images`, async (t) => {
    const counts = { right: 0, warned: 0, silent: 0 };
    let [rightGiven, began] = [0, performance.now()];
    for (let i = 0; i < images; i++) {
      const image = make(dice(seed * 1000 + i));
      const verdict = judge(image, false);
      counts[verdict]++;
      const withKeys = judge(image, true);
      if (withKeys === 'right') rightGiven++;
      if (verdict !== 'right' || withKeys !== 'right')
        t.comment(`${i}: ${verdict}, with keys ${withKeys}: ${JSON.stringify(image.keys)}, ${image.image.length}`);
    }
    const ms = Math.round((performance.now() - began) / images);
    t.comment(`${name}: ${JSON.stringify(counts)}, with keys ${rightGiven} of ${images}, ${ms} ms each`);
    t.equal(counts.silent, 0, 'no wrong listing without a warning');
    const share = name === 'regeometry' ? FOUND.regeometry : FOUND.usual;
    t.ok(counts.right >= Math.floor(images * share), 'found without keys');
    t.equal(rightGiven, images, "right with the kernel's own parameters");
  });
}

t.test('the parity of these images is that of another implementation', async (t) => {
  for (const parity of [2, 16, 33]) {
    const data = Uint8Array.from({ length: 128 }, (_, i) => (i * 73) & 255);
    t.same(fastParityOf(data, parity), parityOf(data, parity));
  }
});

t.test('dumps that begin with the second zone may stand behind an empty boot log: that is said', async (t) => {
  for (const seed of [41_027, 41_034]) t.equal(judge(MAKERS['rockchip-boot-log']!(dice(seed)), false), 'warned');
});

t.test(
  'a second console that is used, though the first one is not, may be of another boot: that is said',
  async (t) => {
    t.equal(judge(MAKERS.regeometry!(dice(51_021)), false), 'warned');
  },
);

t.test('many ftrace zones do not hide that pmsg stands in front of them', async (t) => {
  t.equal(judge(MAKERS['larger file']!(dice(41_002)), false), 'right');
});

t.test('a single ring of a later 3.4 tree has the parity of mainline, which tells it', async (t) => {
  const region = new Region({ mem: 128 << 10, record: 0, console: 128 << 10, ecc: 16 });
  const text = new TextEncoder().encode('[    1.000000] the console\n'.repeat(300));
  region.ring('console', text);
  const keys = { dialect: 'android-3.4', console_size: '128K', record_size: '0', pmsg_size: '0', ecc: '16' };
  const shown = new TextDecoder().decode(open(region.bytes, { backend: 'ramoops', keys }).read('console-ramoops-0'));
  t.equal(shown, `${new TextDecoder().decode(text)}\nECC: No errors detected\n`);
});

t.test('a ring that is the whole region is found by its parity, whatever byte of its header is wrong', async (t) => {
  for (let seed = 0; seed < 6; seed++) {
    const { image, files } = MAKERS['android-3.4']!(dice(61_000 + seed));
    const text = Buffer.from(files.get('console-ramoops-0')!);
    const told = text.toString().replace('No errors detected', '1 Corrected bytes, 0 unrecoverable blocks');
    for (let at = 0; at < 12; at++) {
      const bytes = image.slice();
      // A signature is known by its other bits; lengths may be any.
      bytes[at]! ^= at < 4 ? 1 : 0xa5;
      const shown = readAll(open(bytes));
      t.same([...shown.keys()], ['console-ramoops-0'], `seed ${seed}, byte ${at}`);
      t.ok(Buffer.from(told).equals(shown.get('console-ramoops-0') as Uint8Array));
    }
  }
});
