// Measures the page of report in Chromium: when it is first painted, and how long each key waits while the search is typed.
//
//   pstorefuse report SOURCE... -o report.html && node dist/scripts/measure-page.js report.html [--text 'NULL pointer'] [--trace FILE]

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    text: { type: 'string', default: 'null pointer deref' },
    trace: { type: 'string' },
    program: { type: 'string', default: '/usr/bin/chromium' },
  },
});
const [path] = positionals;
if (path === undefined) throw new Error('which page?');

/** Between two keys of a person who types fast. */
const KEY_MS = 80;

const browser = await chromium.launch({
  executablePath: values.program,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
if (values.trace !== undefined) await browser.startTracing(page);
const begun = performance.now();
await page.goto(pathToFileURL(resolve(path)).href);
const loaded = performance.now() - begun;
const painted = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime");
// An event has the time at which its key was pressed; what waited for other work shows here.
await page.evaluate(`
  globalThis.frames = [];
  document.getElementById('search').addEventListener('keydown', ({ timeStamp }) => {
    requestAnimationFrame(() => frames.push(performance.now() - timeStamp));
  });
`);
await page.focus('#search');
for (const key of values.text) {
  await page.keyboard.type(key);
  await page.waitForTimeout(KEY_MS);
}
await page.waitForTimeout(1000);
const frames = (await page.evaluate('frames')) as number[];
const found = await page.textContent('#found');
frames.sort((a, b) => a - b);
const records = await page.locator('.r').count();
console.log(
  `${records} records, loaded in ${Math.round(loaded)} ms, first contentful paint at ${Math.round(painted as number)} ms`,
);
console.log(
  `${frames.length} keys, from each to the next frame ${Math.round(frames[frames.length >> 1] ?? 0)} ms in the middle, ${Math.round(frames.at(-1) ?? 0)} at most; ${found}`,
);
if (values.trace !== undefined) writeFileSync(values.trace, await browser.stopTracing());
await browser.close();
