// The viewer in a browser: an image of each family that is dropped on it shows what ls shows.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { SPECIMENS } from '../builders/specimens.js';
import { goldenImage } from '../fixture-path.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';
import { browserFor, chosen, complete, shownRows, skipped, VIEWER, watched } from './chromium.js';

const options = { skip: skipped };

interface Listed {
  readonly name: string;
  readonly mtimeNs: string | null;
}

const listed = (...args: string[]) => JSON.parse(pstorefuse('ls', '--json', ...args).stdout) as Listed[];

t.test('an image of each family', options, async (t) => {
  const folder = scratchFolder(t);
  const browser = await browserFor(t);
  const { page, wrong } = await watched(browser, VIEWER);
  for (const [i, { kind, name, bytes }] of SPECIMENS.entries()) {
    await t.test(`${kind}: ${name}`, async (t) => {
      const path = join(folder, `specimen-${i}.raw`);
      writeFileSync(path, bytes());
      await chosen(page, path);
      const rows = await shownRows(page);
      for (const isErased of [false, true]) {
        const expected = listed(...(isErased ? ['--erased'] : []), path);
        const shown = rows.filter((row) => row.isErased === isErased);
        t.same(
          shown.flatMap(({ names }) => names).sort(),
          expected.map((each) => each.name).sort(),
          `erased: ${isErased}`,
        );
        const times = new Map(expected.map((each) => [each.name, each.mtimeNs]));
        for (const { names, ms } of shown) {
          const ns = times.get(names[0]!);
          t.equal(ms, ns ? String(BigInt(ns) / 1_000_000n) : '', `time of ${names[0]}`);
        }
      }
      const titles = JSON.parse(pstorefuse('explain', '--json', path).stdout) as {
        names: string[];
        title: string | null;
      }[];
      for (const { names, title } of titles) {
        // An image that is nearly all log is a text to explain.
        if (title === null || names.length === 0) continue;
        const row = rows.find((each) => !each.isErased && each.names.includes(names[0]!));
        t.equal(row?.title, title, `title of ${names[0]}`);
      }
    });
  }
  t.same(wrong, []);
});

t.test('dropping, saving, searching', options, async (t) => {
  const folder = scratchFolder(t);
  const browser = await browserFor(t);
  const { page, wrong } = await watched(browser, VIEWER);
  await t.test('a packed image is dropped', async (t) => {
    const packed = gzipSync(goldenImage('s3')).toString('base64');
    await page.evaluate(`
      const bytes = Uint8Array.from(atob('${packed}'), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], 'part.raw.gz'));
      dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }));
    `);
    await complete(page);
    const expected = listed(imageFile(folder, 's3')).map(({ name }) => name);
    t.same((await shownRows(page)).flatMap(({ names }) => names).sort(), expected.sort());
  });
  await t.test('a record is shown, saved and found', async (t) => {
    const path = join(folder, 's3.raw');
    const name = 'dmesg-pstore_blk-1';
    const bytes = Buffer.from(pstorefuse('cat', path, name).stdout, 'latin1');
    const row = page.locator(`[id="r/${name}"]`);
    await row.locator('summary').click();
    await row.locator('pre').waitFor();
    t.equal(await row.locator('pre').textContent(), bytes.toString());
    const [download] = await Promise.all([page.waitForEvent('download'), row.locator('[data-do="save"]').click()]);
    t.ok(readFileSync(await download.path()).equals(bytes));
    await page.fill('#search', 'Oops#2 Part1');
    await page.locator('#found', { hasText: /^\d+ of \d+ records?$/ }).waitFor();
    const found = await page.$$eval('.r', (rows) => rows.filter((each) => each.checkVisibility()).map(({ id }) => id));
    t.same(found, [`r/${name}`]);
  });
  await t.test('what is no image is told of, beside one that is', async (t) => {
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'no crash log\n'.repeat(1000));
    await page.setInputFiles('#choose', [path]);
    await page.waitForSelector('#status.failed');
    t.match(await page.textContent('#status'), /^notes\.txt/);
    await chosen(page, path, imageFile(folder, 'r1'));
    t.match(await page.textContent('#status'), /^notes\.txt/);
    t.equal((await shownRows(page)).length, listed(join(folder, 'r1.raw')).length);
  });
  t.same(wrong, []);
});

t.test('the viewer is small, and may connect to nothing', async (t) => {
  const text = readFileSync(VIEWER, 'utf8');
  t.ok(text.length < 300_000, `${text.length} bytes`);
  t.match(text, /http-equiv="Content-Security-Policy" content="default-src 'none'; [^"]*connect-src 'none'/);
  t.notMatch(text, /unsafe-/);
});
