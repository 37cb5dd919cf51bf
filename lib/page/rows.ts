// The records of a page: a line for each, which opens to its facts and its text.

import { printableLine } from '../printable.js';
import type { Frame } from '../triage/frame.js';
import type { PageImage, PageRow, PageText } from './data.js';
import { html, Markup, NOTHING, textMarkup } from './html.js';
import { markedText } from './marked-text.js';
import { counted, sizeText, timeText } from './words.js';

/** Rows are kept together in so many: a browser passes over those that are not in sight at once. */
export const ROWS_IN_CHUNK = 100;

/** Frames of the stack that are shown; the text has all. */
const MAX_FRAMES = 16;

/** @param body what is in it when it is opened; without it the page's script gets it then */
export function rowMarkup(row: PageRow, image: PageImage, isOne: boolean, body: Markup = NOTHING): Markup {
  const { id, severity, state, title, timeNs, what, name, size, crash, parts } = row;
  const look = [severity ?? 'calm', state === 'live' ? '' : state].filter((word) => word !== '').join(' ');
  const ms = timeNs === null ? '' : String(timeNs / 1_000_000n);
  const others = parts[0]?.name !== name ? parts.map((part) => part.name).join(' ') : '';
  return html`<details class="r ${look}" id="${id}" data-ms="${ms}" data-group="${crash?.signature}" data-image="${row.image}" data-names="${others}">
<summary><time>${timeNs === null ? '–' : timeText(timeNs)}</time><b class="what">${what}</b><span class="title">${title || html`<i>${untitled(row)}</i>`}</span><span class="where"><span class="name">${name}</span>${!isOne && html` <span class="of">${image.path}</span>`}</span><span class="size">${sizeText(size)}</span></summary>
<div class="body">${body}</div></details>
`;
}

function untitled({ state, isLog, isExplained }: PageRow): string {
  if (!isExplained) return '…';
  if (state === 'erased') return 'erased';
  return isLog ? 'no crash' : '';
}

type Line = readonly [label: string, value: Markup | string | null | undefined | false];

/** @param canSave whether all bytes can be had, though the page does not show them */
export function bodyMarkup(row: PageRow, image: PageImage, text: PageText, canSave: boolean): Markup {
  const { verdict, reasons, id, name, crash } = row;
  const data = text.exact !== null && html`<script type="text/plain" class="exact">${base64(text.exact)}</script>`;
  const line = text.isBinary || text.remark !== null ? undefined : crash?.line;
  const marked = text.isBinary ? textMarkup(text.shown) : markedText(text.shown, line);
  return html`<p class="verdict ${verdict}">Verdict: <b>${verdict}</b> ${reasons.length > 0 ? reasons.join(' ') : 'Nothing speaks against this text.'}</p>
<dl>${factLines(row)}</dl>${stack(crash?.frames ?? [])}
<p class="do"${canSave || text.remark === null || text.exact !== null ? SAVED : NOTHING}><a href="#${encodeURIComponent(id)}">Link to this record</a></p>
${text.remark !== null && html`<p class="note">${text.remark} <code>pstorefuse cat ${row.state === 'erased' && '--erased '}${image.path} ${name}</code> prints all.</p>`}
<pre tabindex="0" aria-label="Text of ${name}">
${marked}</pre>${data}`;
}

/** For the page's script, which makes the buttons. */
const SAVED = html` data-save`;

function factLines(row: PageRow): Markup[] {
  const { crash, parts, timeNs, count, state } = row;
  const taint = crash?.taint;
  const lines: Line[] = [
    ['signature', crash && html`<a href="#group=${crash.signature}">${crash.signature}</a>`],
    ['module', row.module],
    ['kernel', [row.kernel, crash?.architecture && `(${crash.architecture})`].filter(Boolean).join(' ')],
    ['machine', [row.machine, row.hardware].filter(Boolean).join(', ')],
    ['task', taskWords(row)],
    ['taint', taint && (taint.flags === '' ? 'none' : `${taint.flags}: ${taint.words.join('; ')}`)],
    ['uptime', typeof crash?.uptime === 'number' && `${crash.uptime.toFixed(3)} s`],
    ['wall clock', crash?.wall],
    ['written', timeNs !== null && `${timeText(timeNs)} UTC`],
    ['counter', count === null ? null : String(count)],
    ['state', state === 'live' ? null : state],
    ['stored', storedWords(row)],
  ];
  const shown = lines.filter((line): line is [string, Markup | string] => Boolean(line[1]));
  const made = shown.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`);
  if (parts.length === 1) return made;
  const names = parts.map(({ name, size, offset }) => html`<li>${name}, ${sizeText(size)} at ${offset}</li>`);
  return [...made, html`<div><dt>parts</dt><dd><ul>${names}</ul></dd></div>`];
}

function taskWords({ crash }: PageRow): string {
  if (!crash) return '';
  const { comm, pid, cpu } = crash;
  return [comm, pid === null ? null : `pid ${pid}`, cpu === null ? null : `CPU ${cpu}`].filter(Boolean).join(', ');
}

function storedWords({ parts, size }: PageRow): string {
  const how = parts[0]?.compressed;
  const at = parts.length === 1 ? ` at offset ${parts[0]!.offset}` : ` in ${counted(parts.length, 'part')}`;
  return `${counted(size, 'byte')}${at}${how ? `, ${how}` : ''}`;
}

/** One text: thousands of rows with an element for each frame would take a browser long. */
function stack(frames: readonly Frame[]): Markup {
  if (frames.length === 0) return NOTHING;
  const shown = frames.slice(0, MAX_FRAMES).map(({ symbol, offset, module, source }) => {
    const place = offset === undefined ? '' : `+${offset}`;
    return printableLine(`${symbol}${place}${module === undefined ? '' : ` [${module}]`}${source ? ` ${source}` : ''}`);
  });
  if (frames.length > MAX_FRAMES) shown.push(`… and ${frames.length - MAX_FRAMES} more`);
  return html`<div class="stack" role="group" aria-label="Call trace">${shown.join('\n')}</div>`;
}

/** Pieces of three bytes end without padding. */
const PIECE = 3 * 4096;

function base64(bytes: Uint8Array): Markup {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) text += btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE)));
  return new Markup(text);
}
