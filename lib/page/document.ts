// The whole document: the template, which is built with script and style sheet in it, and what is put into it.

import { html, type Markup } from './html.js';

/** Where the template has something to be put in. */
const PLACES = ['TITLE', 'HEADING', 'MAIN', 'FOOTER', 'CORE'] as const;
type Place = (typeof PLACES)[number];

/** The document in pieces, so that nobody has to hold all of it. @param fill the content of each place, in pieces */
export function* documentPieces(template: string, fill: Readonly<Record<Place, Iterable<Markup>>>): Generator<string> {
  let at = 0;
  for (const place of PLACES) {
    const mark = `@${place}@`;
    const found = template.indexOf(mark, at);
    if (found < 0) throw new Error(`the template has no ${mark}`);
    yield template.slice(at, found);
    for (const { text } of fill[place]) yield text;
    at = found + mark.length;
  }
  yield template.slice(at);
}

export const VIEWER_TITLE = 'pstorefuse viewer';

/** What the viewer shows before an image is dropped on it. */
export function viewerMain(): Markup {
  return html`<section class="drop" id="drop" aria-label="Open an image">
<p><label>Drop an image here, or choose one: <input type="file" id="choose" class="script" multiple></label></p>
<p class="more"><label>Or a folder of records (efivarfs, saved dumps): <input type="file" id="choose-folder" class="script" webkitdirectory></label></p>
<p class="note more">A partition of pstore/blk, a region of ramoops, mtdoops flash, EFI variables, an ERST store, a vmcore: as it is, or as .gz. Everything is read in this page: nothing leaves this machine.</p>
<noscript><p class="failed">This page needs JavaScript to read an image. The command pstorefuse report makes pages that need none.</p></noscript>
<p role="status" id="status"></p><progress id="progress" hidden aria-label="Reading"></progress>
</section><div id="content"></div>`;
}
