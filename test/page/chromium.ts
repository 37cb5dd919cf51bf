// Pages in a real browser: Debian's Chromium, without a window.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';
import { ROOT } from '../fixture-path.js';

export const VIEWER = join(ROOT, 'docs', 'viewer.html');

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

/** Where it is to be skipped, why. CI installs it, and skips nothing. */
export const skipped: string | false =
  PROGRAM === undefined && process.env.CI !== 'true' && 'there is no chromium (apt install chromium)';

/** For what a busy machine may take; nothing waits so long otherwise. */
export const LIMIT_MS = 120_000;

/** Ends with the test. Root has no sandbox in a container, and a container may have little /dev/shm. */
export async function browserFor(t: Test): Promise<Browser> {
  if (PROGRAM === undefined) throw new Error('chromium is not installed; scripts/test installs it as root');
  const browser = await chromium.launch({
    executablePath: PROGRAM,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    timeout: LIMIT_MS,
  });
  t.teardown(() => browser.close());
  return browser;
}

/** A page, and what must not have happened in it. */
export interface Watched {
  readonly page: Page;
  /** Errors, breaches of the page's policy, and requests for anything but the page itself. */
  readonly wrong: string[];
}

export async function watched(browser: Browser, path: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(LIMIT_MS);
  const page = await context.newPage();
  const wrong: string[] = [];
  const own = pathToFileURL(path).href;
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('console', (message) => wrong.push(`console: ${message.text()}`));
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!/^(?:blob:|data:,$)/.test(request.url()) && request.url().split('#')[0] !== own)
      wrong.push(`request: ${request.url()}`);
  });
  await page.goto(own, { timeout: LIMIT_MS });
  return { page, wrong };
}

/** Puts a file on the viewer as a person does who chooses it, and waits until all is told of it. */
export async function chosen(page: Page, ...paths: readonly string[]): Promise<void> {
  await page.setInputFiles('#choose', paths);
  await complete(page);
}

export async function complete(page: Page): Promise<void> {
  await page.waitForSelector('#content[data-state="complete"]', { state: 'attached' });
}

/** A row as it stands in the page. */
export interface ShownRow {
  readonly id: string;
  readonly names: readonly string[];
  readonly ms: string;
  readonly title: string;
  readonly isErased: boolean;
}

export function shownRows(page: Page): Promise<ShownRow[]> {
  return page.$$eval('.r', (rows) =>
    rows.map((row) => {
      const data = (row as unknown as { dataset: Record<string, string> }).dataset;
      const text = (selector: string) => row.querySelector(selector)?.textContent ?? '';
      const names = data.names ? data.names.split(' ') : [text('.name')];
      return {
        id: row.id,
        names,
        ms: data.ms ?? '',
        title: text('.title'),
        isErased: row.classList.contains('erased'),
      };
    }),
  );
}
