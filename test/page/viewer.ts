// The viewer in a browser: an image of each family that is dropped on it shows what ls shows.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import t from 'tap';
import { dumpBytes, FSPDUMP, SYSDUMP } from '../builders/platform-dump.js';
import { SPECIMENS } from '../builders/specimens.js';
import { golden, goldenImage } from '../fixture-path.js';
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

/** Drops a path of the machine on the page, as a file manager does. */
async function dropped(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 150, data });
  }
  await session.detach();
}

t.test('a folder of records', options, async (t) => {
  const folder = scratchFolder(t);
  const browser = await browserFor(t);
  const { page, wrong } = await watched(browser, VIEWER);
  const variables = join(folder, 'efivars');
  cpSync(golden('efi-61', 'efivars'), variables, { recursive: true });
  const dumps = join(folder, 'opal');
  mkdirSync(join(dumps, '0x1-0x2a'), { recursive: true });
  writeFileSync(join(dumps, 'saved'), dumpBytes({ name: SYSDUMP, data: 3000 }));
  writeFileSync(join(dumps, '0x1-0x2a', 'dump'), dumpBytes({ name: FSPDUMP }));
  for (const path of [variables, dumps]) {
    await page.setInputFiles('#choose-folder', path);
    await complete(page);
    const expected = listed(path).map(({ name }) => name);
    t.ok(expected.length >= 2);
    const shown = (await shownRows(page)).filter(({ isErased }) => !isErased);
    t.same(shown.flatMap(({ names }) => names).sort(), expected.sort(), path);
  }
  const row = page.locator('.r').first();
  await row.locator('summary').click();
  const [download] = await Promise.all([page.waitForEvent('download'), row.locator('[data-do="save"]').click()]);
  const saved = readFileSync(await download.path(), 'latin1');
  t.equal(saved, pstorefuse('cat', dumps, download.suggestedFilename()).stdout);
  await page.evaluate("document.getElementById('content').removeAttribute('data-state')");
  await dropped(page, variables);
  await complete(page);
  const names = (await shownRows(page)).filter(({ isErased }) => !isErased).flatMap((each) => each.names);
  t.same(
    names.sort(),
    listed(variables)
      .map(({ name }) => name)
      .sort(),
    'it is dropped, too',
  );
  const other = join(folder, 'photos');
  mkdirSync(other);
  writeFileSync(join(other, 'a.jpg'), 'no record');
  await page.setInputFiles('#choose-folder', other);
  await page.waitForSelector('#status.failed');
  t.match(await page.textContent('#status'), /^photos is a folder, and none of records/);
  t.same(wrong, []);
});

t.test('the viewer is small, and may connect to nothing', async (t) => {
  const text = readFileSync(VIEWER, 'utf8');
  t.ok(text.length < 300_000, `${text.length} bytes`);
  t.match(text, /http-equiv="Content-Security-Policy" content="default-src 'none'; [^"]*connect-src 'none'/);
  t.notMatch(text, /unsafe-/);
});
