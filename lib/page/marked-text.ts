// A log as markup: lines by their level, the crash's first line and its call trace.

import { parseFrames, parsePointer } from '../triage/frame.js';
import { type LogLine, parseLine } from '../triage/line.js';
import { html, Markup, textMarkup } from './html.js';

/** Classes of lines, in the order in which they win: crash, trace, error (0 to 3), warning (4), debug (7), head. */
type Mark = 'c' | 't' | 'e' | 'w' | 'd' | 'h' | '';

/** The first lines of dumps: `Oops#1 Part1`. */
const HEAD = /^[A-Z][A-Za-z]{1,20}#\d+ Part\d+$/;

/** @param crashLine number of the line that the crash begins at, from 1 */
export function markedText(text: string, crashLine: number | undefined): Markup {
  let out = '';
  let mark: Mark = '';
  let from = 0;
  let number = 0;
  let at = 0;
  const flush = (to: number) => {
    if (to > from) out += spanOf(text.slice(from, to), mark);
    from = to;
  };
  while (at < text.length) {
    const end = text.indexOf('\n', at);
    const next = end < 0 ? text.length : end + 1;
    number++;
    const own = markOf(text.slice(at, end < 0 ? next : end), number === crashLine);
    if (own !== mark) flush(at);
    mark = own;
    at = next;
  }
  flush(text.length);
  return new Markup(out);
}

function spanOf(text: string, mark: Mark): string {
  const markup = textMarkup(text);
  return (mark === '' ? markup : html`<span class="${mark}">${markup}</span>`).text;
}

function markOf(raw: string, isCrash: boolean): Mark {
  if (isCrash) return 'c';
  if (raw.length < 64 && HEAD.test(raw)) return 'h';
  const lines = parseLine(raw);
  if (lines.some(isTrace)) return 't';
  const level = lines.reduce<number | undefined>((least, line) => lower(least, line.level), undefined);
  if (level === undefined) return '';
  return level <= 3 ? 'e' : level === 4 ? 'w' : level === 7 ? 'd' : '';
}

const lower = (a: number | undefined, b: number | undefined) => (a === undefined || (b !== undefined && b < a) ? b : a);

function isTrace({ text }: LogLine): boolean {
  if (!text.includes('+0x')) return false;
  return parseFrames(text).length > 0 || parsePointer(text) !== undefined;
}
