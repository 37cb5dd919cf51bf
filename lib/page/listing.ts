// The list of records, newest first, in chunks.

import type { PageImage, PageRow } from './data.js';
import { html, Markup } from './html.js';
import { listHead } from './render.js';
import { ROWS_IN_CHUNK, rowMarkup } from './rows.js';

/** What has no time stands after the others, in the order of the listing. */
export function newestFirst(rows: readonly PageRow[]): PageRow[] {
  return rows.toSorted((a, b) => {
    if (a.timeNs === null || b.timeNs === null) return Number(a.timeNs === null) - Number(b.timeNs === null);
    return a.timeNs < b.timeNs ? 1 : a.timeNs > b.timeNs ? -1 : 0;
  });
}

/**
 * @param bodyOf what is in a row; without it the page's script asks for it when it is opened. To a browser with scripts it
 * is one text until then: ten thousand bodies as elements would take it many seconds.
 */
export function* listMarkup(
  rows: readonly PageRow[],
  images: readonly PageImage[],
  bodyOf?: (row: PageRow) => Markup,
): Generator<Markup> {
  const isOne = images.length === 1;
  yield new Markup('<section id="records" aria-labelledby="h-records">');
  yield listHead(rows.length);
  for (let at = 0; at < rows.length; at += ROWS_IN_CHUNK) {
    yield new Markup('<div class="chunk">\n');
    for (const row of rows.slice(at, at + ROWS_IN_CHUNK)) {
      yield rowMarkup(row, images[row.image]!, isOne, bodyOf && html`<noscript>${bodyOf(row)}</noscript>`);
    }
    yield new Markup('</div>\n');
  }
  yield new Markup('</section>');
}
