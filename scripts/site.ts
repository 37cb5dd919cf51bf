// Makes the pages of a site beside the viewer: docs/formats as HTML, and an index of all.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { marked } from 'marked';
import { html, Markup } from '../lib/page/html.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const docs = join(root, 'docs');

const STYLE = `${readFileSync(join(root, 'lib', 'page', 'page.css'), 'utf8')}
main { max-width: 56rem; }
main pre { max-height: none; }
main table { margin: 1rem 0; }
`;

/** No page of a site runs anything but the viewer. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

function pageOf(title: string, up: string, content: Markup): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${title}</title><style>${new Markup(STYLE)}</style></head>
<body><header><p><a href="${up}index.html">pstorefuse</a> <a href="${up}viewer.html">Viewer</a></p></header>
<main>${content}</main></body></html>
`.text;
}

/** Links to pages that the site has lead to them; of others the words stay. */
function linked(markdown: string, names: ReadonlySet<string>): string {
  return markdown.replace(
    /\[([^\]]*)\]\((?!https?:)([^)#]*)(#[^)]*)?\)/g,
    (whole, words: string, to: string, at = '') => {
      if (to === '') return whole;
      return names.has(to) ? `[${words}](${to.replace(/\.md$/, '.html')}${at})` : words;
    },
  );
}

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error('usage: scripts/site FOLDER');
const names = readdirSync(join(docs, 'formats')).filter((name) => name.endsWith('.md'));
mkdirSync(join(out, 'formats'));
const entries = names.map((name) => {
  const markdown = readFileSync(join(docs, 'formats', name), 'utf8');
  const title = /^# (.*)$/m.exec(markdown)?.[1] ?? name;
  const content = new Markup(marked.parse(linked(markdown, new Set(names)), { async: false }));
  const file = `${basename(name, '.md')}.html`;
  writeFileSync(join(out, 'formats', file), pageOf(title, '../', content));
  return html`<li><a href="formats/${file}">${title}</a></li>`;
});
const index = html`<h1>pstorefuse</h1>
<p>Crash records of Linux out of the image of a partition, of persistent RAM, of flash, of firmware, or out of a vmcore.</p>
<h2><a href="viewer.html">The viewer</a></h2>
<p>Drop an image on it: it is read in your browser, and nothing leaves your machine. The page works from the disk, too.</p>
<h2>The formats, byte by byte</h2>
<ul>${entries}</ul>`;
writeFileSync(join(out, 'index.html'), pageOf('pstorefuse', '', index));
