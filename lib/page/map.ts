// The map of a source: each zone as long as it is, in rows as the lines of a book.

import { zoneRuns } from '../pstore/zone-runs.js';
import type { PageImage, PageRow, PageZone } from './data.js';
import { html, type Markup, NOTHING } from './html.js';
import { counted, sizeText } from './words.js';

/** What is drawn alike. */
const LOOKS: Readonly<Record<string, string>> = {
  live: 'live',
  erased: 'erased',
  unused: 'unused',
  'blank-header': 'unused',
  other: 'other',
};
const DAMAGED = 'damaged';
const LEGEND: Readonly<Record<string, string>> = {
  live: 'record',
  stale: 'record, with an older one after it',
  erased: 'erased',
  damaged: 'damaged, or not shown by a kernel',
  unused: 'unused',
  other: "somebody else's",
  spare: 'no zone',
};

/** Zones in a row, for the most part: so that each is wide enough to be met by a finger. */
const ZONES_IN_ROW = 24;
const MAX_ROWS = 40;
const WIDTH = 1000;
const ROW = 20;
const BAR = 16;
/** What is smaller is drawn as wide, so that it can be seen at all. */
const MIN = 2;

interface Drawn {
  readonly from: number;
  readonly to: number;
  readonly look: string;
  readonly words: string;
  readonly row: PageRow | undefined;
  readonly isNext: boolean;
}

export function zoneMap(image: PageImage, rows: readonly PageRow[]): Markup {
  if (image.zones.length === 0 || image.size === 0) return NOTHING;
  const drawn = [...withGaps(image, drawnZones(image, rows))];
  const lines = Math.max(1, Math.min(MAX_ROWS, Math.ceil(drawn.length / ZONES_IN_ROW)));
  const start = drawn[0]!.from;
  const scale = (WIDTH * lines) / Math.max(1, drawn.at(-1)!.to - start);
  const shapes = drawn.map((each) => shape(each, (each.from - start) * scale, (each.to - start) * scale));
  const looks = Object.keys(LEGEND).filter((look) => drawn.some((each) => each.look === look));
  const label = `Map of ${image.path}: ${counted(image.zones.length, 'zone')}, to scale`;
  const legend = looks.map((look) => html`<li><i class="z ${look}"></i>${LEGEND[look]}</li>`);
  const next = drawn.some(({ isNext }) => isNext) && html`<li><i class="z next"></i>where the next record goes</li>`;
  return html`<svg class="map" viewBox="0 0 ${WIDTH} ${lines * ROW}" height="${lines * ROW}" preserveAspectRatio="none" role="group" aria-label="${label}">${shapes}</svg>
<ul class="legend">${legend}${next}</ul>`;
}

function drawnZones({ zones }: PageImage, rows: readonly PageRow[]): Drawn[] {
  const [live, erased] = [new Map<number, PageRow>(), new Map<number, PageRow>()];
  for (const row of rows) {
    for (const { offset } of row.parts) (row.state === 'erased' ? erased : live).set(offset, row);
  }
  return zones.map((zone): Drawn => {
    const row = live.get(zone.offset) ?? erased.get(zone.offset);
    const own = LOOKS[zone.state] ?? DAMAGED;
    const look = own === 'live' && erased.has(zone.offset) ? 'stale' : own;
    return {
      from: zone.offset,
      to: zone.offset + zone.size,
      look,
      words: wordsOf(zone, row),
      row,
      isNext: zone.isNext,
    };
  });
}

function wordsOf(zone: PageZone, row: PageRow | undefined): string {
  const what = row === undefined ? '' : `. ${[row.what, row.title].filter((text) => text !== '').join(': ')}`;
  const next = zone.isNext ? '. The next record goes here' : '';
  const why = zone.reason === null ? '' : `: ${zone.reason}`;
  return `${zone.type} ${zone.index} at ${zone.offset}, ${sizeText(zone.size)}, ${zone.state}${why}${what}${next}`;
}

/** With what lies between the zones; what begins first comes first. */
function* withGaps({ size }: PageImage, zones: readonly Drawn[]): Generator<Drawn> {
  const sorted = zones.toSorted((a, b) => a.from - b.from || b.to - a.to);
  let at = Math.min(0, sorted[0]!.from);
  const gap = (from: number, to: number): Drawn => {
    return {
      from,
      to,
      look: 'spare',
      words: `${to - from} bytes at ${from} that belong to no zone`,
      row: undefined,
      isNext: false,
    };
  };
  for (const zone of sorted) {
    if (zone.from > at) yield gap(at, zone.from);
    yield zone;
    at = Math.max(at, zone.to);
  }
  if (at < size) yield gap(at, size);
}

/** A zone that goes over the end of a line goes on in the next one. */
function shape({ look, words, row, isNext }: Drawn, from: number, to: number): Markup {
  const pieces: Markup[] = [];
  const end = Math.max(to, from + MIN);
  const name = `z ${look}${isNext ? ' next' : ''}`;
  for (let at = from; at < end - 0.001; ) {
    const line = Math.floor(at / WIDTH + 1e-9);
    const until = Math.min(end, (line + 1) * WIDTH);
    const x = at - line * WIDTH;
    pieces.push(
      html`<rect class="${name}" x="${round(x)}" y="${line * ROW + (ROW - BAR) / 2}" width="${round(until - at)}" height="${BAR}"/>`,
    );
    at = until;
  }
  const inside = html`<title>${words}</title>${pieces}`;
  // The table has the same zones for who walks with the keyboard.
  if (row === undefined) return html`<g>${inside}</g>`;
  return html`<a href="#${encodeURIComponent(row.id)}" tabindex="-1">${inside}</a>`;
}

const round = (value: number) => Math.round(value * 100) / 100;

/** The zones as a table, those alike in a row as one line. */
export function zoneTable(image: PageImage, rows: readonly PageRow[]): Markup {
  const byOffset = new Map<number, PageRow>();
  for (const row of rows.toReversed()) for (const { offset } of row.parts) byOffset.set(offset, row);
  const lines = Array.from(zoneRuns(image.zones, false), ({ first, last, size, reason }) => {
    const row = byOffset.get(first.offset);
    const link = row && html`<a href="#${encodeURIComponent(row.id)}">${row.title || row.name}</a>`;
    return html`<tr><td>${first.type}</td><td class="num">${first === last ? first.index : `${first.index}–${last.index}`}</td>
<td class="num">${first.offset}</td><td class="num">${size}</td><td>${first.state}</td><td>${reason}</td><td>${link}</td></tr>`;
  });
  return html`<details class="zones"><summary>Zones as a table</summary><div class="wide"><table>
<thead><tr><th>Zone</th><th class="num">Index</th><th class="num">Offset</th><th class="num">Size</th><th>State</th><th>Why</th><th>Record</th></tr></thead>
<tbody>${lines}</tbody></table></div></details>`;
}
