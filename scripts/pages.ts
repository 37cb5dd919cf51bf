// Builds the pages from lib/page: the template of `report`, and the viewer, which has the reader packed into it.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import { documentPieces, VIEWER_TITLE, viewerMain } from '../lib/page/document.js';
import { html, Markup } from '../lib/page/html.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const source = (name: string) => join(root, 'lib', 'page', name);

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** Browsers since 2024. */
const TARGET = 'es2022';

function bundled(name: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [source(name)],
    bundle: true,
    write: false,
    minify: true,
    platform: 'browser',
    format: 'iife',
    target: TARGET,
    // Only the script of a thread has a place of its own, and a page starts none.
    logOverride: { 'empty-import-meta': 'silent' },
  });
  return outputFiles[0]!.text.trim();
}

function minified(name: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [source(name)],
    write: false,
    minify: true,
    loader: { '.css': 'css' },
  });
  return outputFiles[0]!.text.trim();
}

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** What a page may do: run its own script, use its own style, and nothing else. */
function policy(script: string, style: string, more: readonly string[]): string {
  return [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    ...more,
  ].join('; ');
}

function templateWith(more: readonly string[]): string {
  const [script, style] = [bundled('browser/page.ts'), minified('page.css')];
  return readFileSync(source('page.html'), 'utf8')
    .replace('@VERSION@', () => version)
    .replace('@POLICY@', () => policy(script, style, more))
    .replace('@STYLE@', () => style)
    .replace('@SCRIPT@', () => script);
}

function viewer(): string {
  const core = gzipSync(bundled('browser/worker.ts'), { level: 9 }).toString('base64');
  const pieces = documentPieces(templateWith(['worker-src blob:']), {
    TITLE: [html`${VIEWER_TITLE}`],
    HEADING: [html`pstorefuse <small>viewer</small>`],
    MAIN: [viewerMain()],
    FOOTER: [html`Nothing leaves this machine: the page may not connect to anything.`],
    CORE: [new Markup(`<script type="text/plain" id="core">${core}</script>`)],
  });
  return [...pieces].join('');
}

const [out = 'dist/bin'] = process.argv.slice(2);
writeFileSync(join(out, 'report.html'), templateWith([]));
writeFileSync(join(root, 'docs', 'viewer.html'), viewer());
