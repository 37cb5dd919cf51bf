// Many processes at once in both directories over two backends: no stale name, every erase durable.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Format, partition } from '../builders/zone.js';
import { ROOT } from '../fixture-path.js';
import { beside, mounted, pstorefuse, scratchFolder, TRANSPORTS } from '../mounted.js';

const CLIENT = join(ROOT, 'dist', 'test', 'builders', 'stress-client.js');
const CLIENTS = 8;
/** Each transport gets this long. */
const SECONDS = { 'dev-fuse': 15, 'fuse-native': 15 } as const;
const ZONES = 6000;
const ZONE_SIZE = 4096;

function image(path: string, format: Format): void {
  const built = partition(ZONES * ZONE_SIZE, { format }).kmsg(ZONE_SIZE);
  for (let id = 0; id < ZONES; id++) {
    built.dmesg(id, {
      body: `Oops#1 Part1\nrecord ${id} of ${format}\n`,
      counter: id + 1,
      seconds: 1_700_000_000 + id,
    });
  }
  writeFileSync(path, built.bytes);
}

// Longer than tap gives a file by itself.
t.setTimeout(150_000);

for (const transport of TRANSPORTS) {
  t.test(`${CLIENTS} processes list, read and erase (${transport})`, { timeout: 90_000 }, async (t) => {
    const folder = scratchFolder(t);
    const paths = { pstore_blk: join(folder, 'a.raw'), blkoops: join(folder, 'b.raw') };
    for (const format of ['pstore_blk', 'blkoops'] as const) image(paths[format], format);
    const before = { pstore_blk: readFileSync(paths.pstore_blk), blkoops: readFileSync(paths.blkoops) };
    const mountPoint = mounted(
      t,
      [`pstore_blk:${paths.pstore_blk}`, `blkoops:${paths.blkoops}`],
      ['--transport', transport],
    );
    const seconds = String(SECONDS[transport]);
    const ends = await Promise.all(
      Array.from({ length: CLIENTS }, (_, i) => beside(process.execPath, [CLIENT, mountPoint, seconds, String(i + 1)])),
    );
    const erased: string[] = [];
    for (const { status, output } of ends) {
      t.equal(
        status,
        0,
        output
          .split('\n')
          .filter((line) => !line.startsWith('ERASED'))
          .join('\n'),
      );
      erased.push(
        ...output
          .split('\n')
          .filter((line) => line.startsWith('ERASED '))
          .map((line) => line.slice(7)),
      );
    }
    t.equal(new Set(erased).size, erased.length, 'each record was erased by one process only');
    t.ok(erased.length > 0, `${erased.length} records were erased`);
    t.equal(pstorefuse('umount', mountPoint).status, 0);
    for (const format of ['pstore_blk', 'blkoops'] as const) {
      const after = readFileSync(paths[format]);
      const gone = new Set(
        erased.filter((name) => name.includes(format)).map((name) => Number(name.split('-').at(-1))),
      );
      const expected = Buffer.from(before[format]);
      for (const id of gone) expected.writeUInt32LE(0, id * ZONE_SIZE + 4);
      t.ok(after.equals(expected), `${format}: the erased lengths are 0, and nothing else has changed`);
    }
  });
}
