// The content of a page: what crashed over time, groups, images with their maps, and the head of the list of records.

import { Groups } from '../triage/groups.js';
import type { Severity } from '../triage/severity.js';
import { chart } from './chart.js';
import type { PageImage, PageRow } from './data.js';
import { html, type Markup, NOTHING } from './html.js';
import { zoneMap, zoneTable } from './map.js';
import { counted, timeText } from './words.js';

export interface PageContent {
  readonly images: readonly PageImage[];
  readonly rows: readonly PageRow[];
  /** What is not as it should be, by image: sentences, which may have come while records were read. */
  readonly warnings: readonly (readonly string[])[];
}

/** Images whose maps are open at first. */
const MAX_OPEN = 2;
/** More of them would hide the records behind them. */
const MAX_LISTED = 12;

/** All that stands above the records. */
export function overviewMarkup({ images, rows, warnings }: PageContent): Markup {
  const groups = new Groups();
  const crashes = rows.filter((row) => row.state !== 'erased' && isNew(row, images, groups));
  return html`${numbers(images, rows, crashes)}
<section id="crashes" aria-labelledby="h-crashes"><h2 id="h-crashes">Crashes over time</h2>${chart(crashes)}${groupTable(images, rows, groups)}</section>
<section id="images" aria-labelledby="h-images"><h2 id="h-images">${images.length === 1 ? 'Image' : 'Images'}</h2>${imagesMarkup({ images, rows, warnings })}</section>`;
}

/** Whether it tells of a crash that no row before it does: those with a time stand before the console, which has none. */
function isNew(
  { isLog, crash, image, timeNs, severity }: PageRow,
  images: readonly PageImage[],
  groups: Groups,
): boolean {
  const isCounted = !isLog || groups.add({ crash, image: images[image]!.path, timeNs });
  return isCounted && severity !== undefined;
}

function imagesMarkup({ images, rows, warnings }: PageContent): Markup {
  const byImage = images.map((): PageRow[] => []);
  for (const row of rows) byImage[row.image]!.push(row);
  const isOpen = images.length <= MAX_OPEN;
  const list = images.map((image, i) => imageMarkup(image, { rows: byImage[i]!, warnings: warnings[i] ?? [], isOpen }));
  if (images.length <= MAX_LISTED) return html`${list}`;
  return html`<details><summary>${counted(images.length, 'image')}, with their maps and facts</summary>${list}</details>`;
}

function numbers(images: readonly PageImage[], rows: readonly PageRow[], crashes: readonly PageRow[]): Markup {
  const live = rows.filter(({ state }) => state !== 'erased');
  const count = (wanted: PageRow['severity']) => crashes.filter(({ severity }) => severity === wanted).length;
  const told: readonly (readonly [number, string, string])[] = [
    [images.length, images.length === 1 ? 'image' : 'images', ''],
    [live.length, live.length === 1 ? 'record' : 'records', ''],
    [count('critical'), count('critical') === 1 ? 'panic' : 'panics', 'critical'],
    [count('error'), count('error') === 1 ? 'oops' : 'oopses', 'error'],
    [count('warning'), count('warning') === 1 ? 'warning' : 'warnings', 'warning'],
    [rows.length - live.length, 'erased', 'erased'],
  ];
  const items = told.filter(([n], i) => n > 0 || i < 2);
  return html`<ul class="numbers">${items.map(([n, word, look]) => html`<li class="${look}"><b>${n.toLocaleString('en-US')}</b> ${word}</li>`)}</ul>`;
}

function groupTable(images: readonly PageImage[], rows: readonly PageRow[], groups: Groups): Markup {
  const list = groups.list().filter(({ signature }) => signature !== null);
  if (list.length === 0) return html`<p class="note">No crash is told of in these records.</p>`;
  const several = images.length > 1;
  const worst = worstOf(rows);
  const lines = list.map(
    ({ signature, count, firstNs, lastNs, titles, images: on }) =>
      html`<tr><td class="num">${count}</td><td class="${worst.get(signature!)}"><a href="#group=${signature}">${titles.join('; ')}</a></td>
<td><code>${signature}</code></td><td class="when">${timeText(firstNs)}</td><td class="when">${timeText(lastNs)}</td>${several && html`<td class="num">${on.size}</td>`}</tr>`,
  );
  return html`<div class="wide"><table class="groups"><caption>Groups by signature, times in UTC</caption>
<thead><tr><th class="num">Count</th><th>Title</th><th>Signature</th><th>First</th><th>Last</th>${several && html`<th class="num">Images</th>`}</tr></thead>
<tbody>${lines}</tbody></table></div>`;
}

const ORDER: readonly Severity[] = ['warning', 'error', 'critical'];

/** How bad the worst crash of each signature was. */
function worstOf(rows: readonly PageRow[]): ReadonlyMap<string, Severity> {
  const worst = new Map<string, Severity>();
  for (const { crash, severity } of rows) {
    if (!crash || !severity) continue;
    const known = worst.get(crash.signature);
    if (!known || ORDER.indexOf(severity) > ORDER.indexOf(known)) worst.set(crash.signature, severity);
  }
  return worst;
}

interface OfImage {
  readonly rows: readonly PageRow[];
  readonly warnings: readonly string[];
  readonly isOpen: boolean;
}

function imageMarkup(image: PageImage, { rows, warnings, isOpen }: OfImage): Markup {
  const facts = image.facts.map(([label, text]) => html`<div><dt>${label}</dt><dd>${text}</dd></div>`);
  const told = warnings.length > 0 && html`<ul class="warnings">${warnings.map((text) => html`<li>${text}</li>`)}</ul>`;
  const records = counted(rows.filter(({ state }) => state !== 'erased').length, 'record');
  return html`<details class="image" ${isOpen ? OPEN : NOTHING}><summary><b>${image.path}</b> <span>${image.backend}, ${records}${warnings.length > 0 && `, ${counted(warnings.length, 'warning')}`}</span></summary>
${told}${zoneMap(image, rows)}<details class="facts"><summary>Facts</summary><dl>${facts}</dl></details>${zoneTable(image, rows)}</details>`;
}

const OPEN = html`open`;

/** The head of the list; the rows come after it. */
export function listHead(count: number): Markup {
  return html`<h2 id="h-records">Records</h2>
<div class="search script" role="search"><input type="search" id="search" placeholder="Search titles, names and texts" aria-label="Search titles, names and texts" autocomplete="off" spellcheck="false">
<div class="kinds" role="group" aria-label="Show only"><button type="button" data-kind="" aria-pressed="true">All</button><button type="button" data-kind="critical" aria-pressed="false">Panics</button><button type="button" data-kind="error" aria-pressed="false">Oopses</button><button type="button" data-kind="warning" aria-pressed="false">Warnings</button><button type="button" data-kind="erased" aria-pressed="false">Erased</button></div>
<button type="button" id="filter" hidden></button><output id="found" for="search">${counted(count, 'record')}</output></div>
<p class="heads" aria-hidden="true"><span>Time (UTC)</span><span>What</span><span>Title</span><span>Name</span><span>Size</span></p>`;
}
