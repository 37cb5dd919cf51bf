// The markup of a page by itself: nothing breaks out of it, and what is drawn is to scale.

import fc from 'fast-check';
import t from 'tap';
import { chart } from '../../lib/page/chart.js';
import type { PageImage, PageRow, PageZone } from '../../lib/page/data.js';
import { documentPieces } from '../../lib/page/document.js';
import { html, textMarkup } from '../../lib/page/html.js';
import { newestFirst } from '../../lib/page/listing.js';
import { zoneMap, zoneTable } from '../../lib/page/map.js';
import { markedText } from '../../lib/page/marked-text.js';
import { overviewMarkup } from '../../lib/page/render.js';
import { explain } from '../../lib/triage/explain.js';

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('</pre><script>', '"\'>&lt;', '\u202e\u0000\u001b[2J', '<!--'),
);

t.test('no text becomes markup', async (t) => {
  fc.assert(
    fc.property(hostile, hostile, (a, b) => {
      const { text } = html`<p title="${a}">${b}${textMarkup(b)}</p>`;
      const inside = text.slice('<p title="'.length, -'</p>'.length);
      const [attribute = '', ...rest] = inside.split('">');
      return !/["<]/.test(attribute) && !rest.join('').includes('<');
    }),
  );
  t.equal(html`${null}${undefined}${false}${0}${''}`.text, '0');
  t.equal(html`${[html`<b>${'<'}</b>`, html`&amp;`]}`.text, '<b>&lt;</b>&amp;');
  t.equal(html`${'a\u202eb\n'}`.text, 'a\\u202eb\n', 'what turns a text around is written out');
});

t.test('a log with its marks is the same text', async (t) => {
  const lines = fc.constantFrom(
    '<4>[    1.0] vfs_write+0xaa/0x320',
    '<0>[    1.0] Kernel panic - not syncing: x <&>',
    '<7>[    2.0] debug',
    'Oops#1 Part1',
    '',
    '<6>[    3.0] RIP: 0010:lkdtm_EXCEPTION+0x6/0x20',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(lines, fc.string())), fc.boolean(), fc.nat(9), (parts, isEnded, crash) => {
      const text = parts.join('\n') + (isEnded ? '\n' : '');
      const { text: markup } = markedText(text, crash);
      return (
        markup
          .replace(/<[^>]*>/g, '')
          .replaceAll('&lt;', '<')
          .replaceAll('&amp;', '&') === text
      );
    }),
  );
  const { text } = markedText('<4>[ 1.0] a\n<4>[ 1.0]  vfs_write+0xaa/0x320\n<1>[ 1.0] BUG: x\n', 3);
  t.match(text, /^<span class="w">.*\n<\/span><span class="t">.*\n<\/span><span class="c">.*\n<\/span>$/);
});

const zone = (index: number, state: string, size = 4096): PageZone => {
  return { index, type: 'dmesg', offset: index * 4096, size, state, reason: null, isNext: state === 'unused' };
};

const image = (zones: readonly PageZone[], size: number): PageImage => {
  return { path: 'x.raw', label: 'x', backend: 'pstore_blk', size, facts: [], zones };
};

const row = (index: number, timeNs: bigint | null, state: PageRow['state'] = 'live'): PageRow => ({
  id: `r/dmesg-${index}`,
  image: 0,
  name: `dmesg-${index}`,
  parts: [{ name: `dmesg-${index}`, size: 10, state, offset: index * 4096, compressed: null }],
  type: 'dmesg',
  state,
  what: 'Oops',
  severity: 'error',
  title: 'BUG',
  timeNs,
  count: 1,
  size: 10,
  isLog: true,
  isExplained: true,
  crash: undefined,
  module: '',
  kernel: null,
  machine: null,
  hardware: null,
  verdict: 'ok',
  reasons: [],
});

/** Units that are drawn of each look, over all lines of the map. */
function drawn(markup: string): Map<string, number> {
  const widths = new Map<string, number>();
  for (const [, look, width] of markup.matchAll(/<rect class="z (\w+)[^"]*" x="[\d.]+" y="\d+" width="([\d.]+)"/g)) {
    widths.set(look!, (widths.get(look!) ?? 0) + Number(width));
  }
  return widths;
}

t.test('the map is to scale, and leads to the records', async (t) => {
  const zones = [zone(0, 'live'), zone(1, 'erased'), zone(2, 'overtop'), zone(3, 'unused')];
  const rows = [row(0, 1n), row(1, 2n, 'erased')];
  const { text } = zoneMap(image(zones, 8 * 4096), rows);
  t.same(Object.fromEntries(drawn(text)), { live: 125, erased: 125, damaged: 125, unused: 125, spare: 500 });
  t.same(
    [...text.matchAll(/href="([^"]*)"/g)].map(([, to]) => to),
    ['#r%2Fdmesg-0', '#r%2Fdmesg-1'],
  );
  t.match(text, /class="z unused next"/, 'where the next record goes');
  const older = zoneMap(image(zones, 4 * 4096), [...rows, row(0, null, 'erased')]).text;
  t.equal(drawn(older).get('stale'), 250, 'a record with an older one after it');
  const many = Array.from({ length: 100 }, (_, index) => zone(index, index % 2 === 0 ? 'live' : 'unused'));
  const folded = drawn(zoneMap(image(many, 100 * 4096), []).text);
  const total = (folded.get('live') ?? 0) + (folded.get('unused') ?? 0);
  t.ok(Math.abs(total - 5000) < 2, 'five lines, all of them full');
  t.ok(Math.abs(folded.get('live')! - folded.get('unused')!) < 2);
  t.equal(zoneMap(image([], 0), []).text, '', 'a folder has no map');
  t.match(zoneTable(image(zones, 8 * 4096), rows).text, /<td>overtop<\/td>/);
});

t.test('crashes over time, whatever the clocks say', async (t) => {
  const at = (iso: string) => BigInt(Date.parse(iso)) * 1_000_000n;
  t.equal(chart([]).text, '');
  const { text } = chart([
    row(0, at('2024-01-01')),
    row(1, at('2024-01-01T00:00:01Z')),
    row(2, at('2024-03-01')),
    row(3, null),
    row(4, 35n),
  ]);
  t.match(text, /Crashes over time: 3 crashes, at most 2 in a day/);
  t.match(text, /Not drawn: 1 crash without a time, 1 crash by a clock that was never set/);
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), { maxLength: 50 }), (times) => {
      const markup = chart(times.map((time, i) => row(i, time))).text;
      const bars = markup.split('<a href=').length - 1;
      return bars <= 121 && !markup.includes('NaN') && !markup.includes('Infinity');
    }),
  );
});

t.test('a crash that a record and the console tell of counts once', async (t) => {
  const crash = explain('[    9.790326] Kernel panic - not syncing: board lost\n').crashes[0]!;
  const panic = { ...row(0, 1_700_000_000_000_000_000n), severity: 'critical', crash } as const;
  const console = { ...row(1, null), type: 'console', severity: 'critical', crash } as const;
  const { text } = overviewMarkup({ images: [image([], 0)], rows: [panic, console], warnings: [] });
  t.match(text, /<b>2<\/b> records.*<b>1<\/b> panic</);
  t.match(text, /Crashes over time: 1 crash,/);
  t.notMatch(text, /Not drawn/);
  t.match(text, /<td class="num">1<\/td><td class="critical">/);
});

t.test('the newest first, what has no time last', async (t) => {
  const order = newestFirst([row(0, null), row(1, 5n), row(2, 9n), row(3, null)]).map(({ name }) => name);
  t.same(order, ['dmesg-2', 'dmesg-1', 'dmesg-0', 'dmesg-3']);
});

t.test('a document has all its parts, in their order', async (t) => {
  const fill = { TITLE: [html`1`], HEADING: [html`2`], MAIN: [html`@FOOTER@`, html`3`], FOOTER: [html`4`], CORE: [] };
  const pieces = [...documentPieces('a@TITLE@b@HEADING@c@MAIN@d@FOOTER@e@CORE@f', fill)];
  t.equal(pieces.join(''), 'a1b2c@FOOTER@3d4ef', 'what an image says is no place to put something in');
  t.throws(() => [...documentPieces('a@TITLE@', fill)], /HEADING/);
});
