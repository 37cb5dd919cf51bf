// The page of report in a browser: what it lists, searching, dark, without JavaScript, and images that are hostile.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { open } from '../../lib/core.js';
import { golden, goldenImage } from '../fixture-path.js';
import { imageFile, pstorefuse, scratchFolder } from '../mounted.js';
import { browserFor, chosen, type ShownRow, shownRows, skipped, VIEWER, watched } from './chromium.js';

const options = { skip: skipped };

interface Listed {
  readonly name: string;
  readonly size: number;
  readonly mtimeNs: string | null;
}

function listed(...args: string[]): Listed[] {
  const { stdout } = pstorefuse('ls', '--json', ...args);
  return JSON.parse(stdout) as Listed[];
}

function reportOf(t: Test, ...sources: string[]): string {
  const path = join(scratchFolder(t), 'report.html');
  const { status, stderr } = pstorefuse('report', ...sources, '-o', path);
  t.equal(status, 0, stderr);
  return path;
}

/** Each record once, with its time. */
function sameAsListed(t: Test, rows: readonly ShownRow[], path: string): void {
  const times = new Map(listed(path).map(({ name, mtimeNs }) => [name, mtimeNs]));
  const live = rows.filter(({ isErased }) => !isErased);
  t.same(live.flatMap(({ names }) => names).sort(), [...times.keys()].sort(), `${path}: names`);
  for (const { names, ms } of live) {
    const ns = times.get(names[0]!);
    t.equal(ms, ns === null ? '' : String(BigInt(ns!) / 1_000_000n), `${names[0]}: time`);
  }
  const erased = listed('--erased', path).map(({ name }) => name);
  t.same(
    rows
      .filter(({ isErased }) => isErased)
      .flatMap(({ names }) => names)
      .sort(),
    erased.sort(),
    'erased',
  );
}

const textOf = (page: Page, id: string) => page.locator(`[id="${id}"] pre`).textContent();
/** Waits until the search has come to that. */
const found = (page: Page, text: string) => page.locator('#found', { hasText: new RegExp(`^${text}$`) }).waitFor();
const foundText = (page: Page) => page.textContent('#found');

t.test('the report of an image', options, async (t) => {
  const image = imageFile(scratchFolder(t), 's5');
  const path = reportOf(t, image);
  const browser = await browserFor(t);
  const { page, wrong } = await watched(browser, path, { permissions: ['clipboard-read', 'clipboard-write'] });

  await t.test('lists what ls lists, and has the texts', async (t) => {
    const rows = await shownRows(page);
    sameAsListed(t, rows, image);
    for (const name of ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-2']) {
      await page.click(`[id="r/${name}"] summary`);
      t.equal(await textOf(page, `r/${name}`), readFileSync(golden('s5', 'files', name), 'utf8'), name);
    }
    t.ok(await page.locator('[id="r/dmesg-pstore_blk-0"] pre .t').count(), 'the call trace is marked');
    t.match(await page.locator('[id="r/dmesg-pstore_blk-0"] pre .c').textContent(), /NULL pointer dereference/);
    t.equal(await page.locator('.groups tbody tr').count(), 1, 'one signature');
    t.equal(await page.locator('.map a').count(), 3, 'the zones of three records lead to them');
  });

  await t.test('finds words of titles and of texts', async (t) => {
    await page.fill('#search', 'Oops#3');
    await found(page, '1 of 3 records');
    t.same(await visible(page), ['r/dmesg-pstore_blk-2']);
    await page.fill('#search', 'erased/ no such word');
    await found(page, '0 of 3 records');
    await page.keyboard.press('Escape');
    t.equal(await foundText(page), '3 records');
    await page.click('[data-kind="erased"]');
    t.same(await visible(page), ['r/erased/dmesg-pstore_blk-1']);
    await page.click('[data-kind=""]');
  });

  await t.test('goes where its address says', async (t) => {
    await page.evaluate("location.hash = '#r/erased/dmesg-pstore_blk-1'");
    const row = page.locator('[id="r/erased/dmesg-pstore_blk-1"]');
    await row.locator('pre').waitFor();
    t.equal(await row.getAttribute('open'), '');
    await page.click('.groups a');
    await page.waitForSelector('#filter:visible');
    t.match(await page.textContent('#filter'), /^1:null-deref:/);
    await page.click('#filter');
    t.equal(await foundText(page), '3 records');
  });

  await t.test('the map and the chart lead to records', async (t) => {
    await page.locator('.map a').first().dispatchEvent('click');
    const first = page.locator('[id="r/dmesg-pstore_blk-0"]');
    await first.locator('pre').waitFor();
    t.equal(await first.getAttribute('open'), '');
    await page.locator('svg a[href^="#from="]').last().dispatchEvent('click');
    await page.waitForSelector('#filter:visible');
    const there = await visible(page);
    t.ok(there.includes('r/dmesg-pstore_blk-2') && !there.includes('r/none'), 'the newest crash is in the last bar');
    await page.click('#filter');
    t.equal(await foundText(page), '3 records');
  });

  await t.test('copies a record as text', async (t) => {
    const row = page.locator('[id="r/dmesg-pstore_blk-0"]');
    await row.locator('[data-do="copy"]').click();
    await row.locator('.said', { hasText: 'Copied.' }).waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    t.equal(copied, await textOf(page, 'r/dmesg-pstore_blk-0'));
  });

  await t.test('is used by the keyboard', async (t) => {
    await page.keyboard.press('/');
    t.equal(await page.evaluate('document.activeElement.id'), 'search');
    await page.keyboard.press('Enter');
    const first = await page.evaluate("document.activeElement.closest('.r').id");
    await page.keyboard.press('j');
    const second = await page.evaluate("document.activeElement.closest('.r').id");
    t.same([first, second], ['r/dmesg-pstore_blk-2', 'r/erased/dmesg-pstore_blk-1']);
  });

  await t.test('saves a record as it is', async (t) => {
    const row = page.locator('[id="r/dmesg-pstore_blk-0"]');
    const [download] = await Promise.all([page.waitForEvent('download'), row.locator('[data-do="save"]').click()]);
    t.equal(download.suggestedFilename(), 'dmesg-pstore_blk-0');
    const saved = readFileSync(await download.path());
    t.ok(saved.equals(readFileSync(golden('s5', 'files', 'dmesg-pstore_blk-0'))));
  });
  t.same(wrong, []);
});

const visible = (page: Page) =>
  page.$$eval('.r', (rows) => rows.filter((row) => row.checkVisibility()).map(({ id }) => id));

t.test('a page of several images, light and dark', options, async (t) => {
  const folder = scratchFolder(t);
  const images = ['s3', 'r1', 'efi-oops3'].map((name) => imageFile(folder, name));
  const path = reportOf(t, ...images);
  const browser = await browserFor(t);
  const paper = (page: Page) => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const light = await watched(browser, path, { colorScheme: 'light' });
  const dark = await watched(browser, path, { colorScheme: 'dark' });
  t.equal(await paper(light.page), 'rgb(255, 255, 255)');
  t.equal(await paper(dark.page), 'rgb(21, 25, 29)');
  await dark.page.click('#theme');
  t.equal(await paper(dark.page), 'rgb(255, 255, 255)', 'the button turns it over');
  const rows = await shownRows(light.page);
  t.same(
    rows.flatMap(({ names }) => names).sort(),
    images.flatMap((image) => listed(image).map(({ name }) => name)).sort(),
  );
  const narrow = await watched(browser, path, { viewport: { width: 390, height: 844 } });
  const overflow = await narrow.page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  t.ok(overflow <= 0, 'a phone has nothing to scroll sideways');
  t.same([...light.wrong, ...dark.wrong, ...narrow.wrong], []);
});

t.test('everything is readable without JavaScript', options, async (t) => {
  const image = imageFile(scratchFolder(t), 's3');
  const browser = await browserFor(t);
  const { page, wrong } = await watched(browser, reportOf(t, image), { javaScriptEnabled: false });
  t.equal(await page.locator('.groups tbody tr').count(), 2);
  const row = page.locator('[id="r/dmesg-pstore_blk-2"]');
  await row.locator('summary').click();
  t.ok(await row.locator('pre').isVisible());
  t.equal(await row.locator('pre').textContent(), readFileSync(golden('s3', 'files', 'dmesg-pstore_blk-2'), 'utf8'));
  t.notOk(await page.locator('#search').isVisible(), 'what needs a script is not there');
  t.same(wrong, []);
});

const SCRIPT = '<script>window.hit=1</script><img src=x onerror=window.hit=1>';
const TURNED = '\u202Egnp.\u2066';

/** A partition whose log tries what a page could be attacked with. */
function hostileImage(folder: string): string {
  const bytes = goldenImage('s1');
  const pstore = open(bytes, { write: true });
  const line = (text: string) => `<0>[    1.000000] ${text}\n`;
  const log = [
    line(`Kernel panic - not syncing: "'${SCRIPT}${TURNED}`),
    line(`CPU: 0 PID: 1 Comm: <b onclick=1> Not tainted 6.1.0"'${SCRIPT} #1`),
    line(`Hardware name: </dd></pre></noscript></textarea></style>${SCRIPT}`),
    line(`</pre></div></details></noscript>${SCRIPT}${TURNED}\u001b[31m\u0000 &lt;script&gt; --> ]]>`),
  ].join('');
  const data = new TextEncoder().encode(log);
  pstore.backend.write!({ type: 'dmesg', reason: 1, timeNs: 1_700_000_000_000_000_000n, compress: 'none', data });
  pstore.close();
  const path = join(folder, `"'><img src=x onerror=window.hit=1>${TURNED}.raw`);
  writeFileSync(path, bytes);
  return path;
}

t.test('an image cannot make a page run anything', options, async (t) => {
  const image = hostileImage(scratchFolder(t));
  const browser = await browserFor(t);
  const report = await watched(browser, reportOf(t, image));
  const viewer = await watched(browser, VIEWER);
  await chosen(viewer.page, image);
  const plain = await watched(browser, reportOf(t, image), { javaScriptEnabled: false });
  for (const [name, { page, wrong }] of Object.entries({ report, viewer, plain })) {
    await t.test(name, async (t) => {
      const { id, title } = (await shownRows(page)).find(({ names }) => names[0] === 'dmesg-pstore_blk-3')!;
      t.match(title, 'kernel panic: ');
      await page.locator(`[id="${id}"] summary`).click();
      const text = page.locator(`[id="${id}"] pre`);
      t.match(await text.textContent(), `"'${SCRIPT}\\u202egnp.\\u2066`, 'it is shown as what it is');
      t.match(await text.textContent(), '\\x1b[31m\\x00 &lt;script&gt; --> ]]>');
      t.equal(
        await page.locator('img, iframe, object, [onclick], [onerror], [style]').count(),
        0,
        'no element is made of it',
      );
      if (name !== 'plain') {
        await page.fill('#search', '<script>window');
        await found(page, '1 of 4 records');
        t.equal(await page.evaluate('window.hit'), undefined);
      }
      // The name of the file, too, and what is drawn of it.
      t.notOk(/[\u202a-\u202e\u2066-\u2069\0\u001b]/.test(await page.content()), 'nothing turns the text around');
      t.same(wrong, [], 'the policy had nothing to forbid');
    });
  }
});
