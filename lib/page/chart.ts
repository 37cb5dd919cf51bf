// Crashes over time: a bar for each span of time, as a drawing that needs no script.

import type { Severity } from '../triage/severity.js';
import type { PageRow } from './data.js';
import { html, type Markup, NOTHING } from './html.js';
import { counted, timeText } from './words.js';

const SECOND = 1000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long a bar may be, and what that is called. */
const STEPS = [
  [SECOND, 'a second'],
  [10 * SECOND, '10 seconds'],
  [MINUTE, 'a minute'],
  [10 * MINUTE, '10 minutes'],
  [HOUR, 'an hour'],
  [6 * HOUR, '6 hours'],
  [DAY, 'a day'],
  [7 * DAY, 'a week'],
  [30 * DAY, '30 days'],
  [91 * DAY, '13 weeks'],
  [365 * DAY, 'a year'],
] as const;

const MAX_BARS = 120;
/** Fewer are not wider. */
const MIN_BARS = 30;
/** A machine whose clock was never set counts from 1970 on. */
const CLOCK_SET_MS = Date.UTC(2000, 0, 1);

const SEVERITIES: readonly Severity[] = ['warning', 'error', 'critical'];
const HEIGHT = 100;

interface Bar {
  readonly from: number;
  readonly counts: Record<Severity, number>;
}

const msOf = ({ timeNs }: PageRow) => Number((timeNs ?? 0n) / 1_000_000n);
const sumOf = ({ counts }: Bar) => SEVERITIES.reduce((sum, severity) => sum + counts[severity], 0);

/** @param crashes the rows that tell of one, each crash once */
export function chart(crashes: readonly PageRow[]): Markup {
  const dated = crashes.filter((row) => row.timeNs !== null && isCalendarTime(msOf(row)));
  const set = dated.filter((row) => msOf(row) >= CLOCK_SET_MS);
  const notes = [
    note(crashes.length - dated.length, 'without a time'),
    note(dated.length - set.length, 'by a clock that was never set'),
  ].filter((text) => text !== '');
  const told = notes.length > 0 && html`<p class="note">Not drawn: ${notes.join(', ')}.</p>`;
  if (set.length === 0) return told ? html`${told}` : NOTHING;
  return html`${drawing(set)}${told}`;
}

const isCalendarTime = (ms: number) => !Number.isNaN(new Date(ms).getTime());
const note = (count: number, words: string) => (count === 0 ? '' : `${counted(count, 'crash', 'crashes')} ${words}`);

/** Clocks that were set to nonsense may be far apart: then a bar is longer than any that has a name. */
function stepFor(span: number): readonly [ms: number, name: string] {
  const found = STEPS.find(([ms]) => span / ms < MAX_BARS - 1);
  if (found) return found;
  const years = Math.ceil(span / (MAX_BARS - 1) / (365 * DAY));
  return [years * 365 * DAY, `${years} years`];
}

function drawing(rows: readonly PageRow[]): Markup {
  const times = rows.map(msOf);
  const first = times.reduce((a, b) => Math.min(a, b));
  const last = times.reduce((a, b) => Math.max(a, b));
  const [step, stepName] = stepFor(last - first);
  const from = Math.floor(first / step) * step;
  const count = Math.floor((last - from) / step) + 1;
  const bars: Bar[] = Array.from({ length: count }, (_, i) => ({
    from: from + i * step,
    counts: { critical: 0, error: 0, warning: 0 },
  }));
  for (const row of rows) bars[Math.floor((msOf(row) - from) / step)]!.counts[row.severity!]++;
  const most = bars.map(sumOf).reduce((a, b) => Math.max(a, b));
  const width = Math.max(count, MIN_BARS);
  const when = (ms: number) => timeText(BigInt(Math.floor(ms)) * 1_000_000n).slice(0, step < DAY ? 19 : 10);
  const label = `Crashes over time: ${counted(rows.length, 'crash', 'crashes')}, at most ${most} in ${stepName}`;
  const drawn = bars.flatMap((bar, i) => (sumOf(bar) === 0 ? [] : [barOf(bar, { x: i, most, step })]));
  return html`<figure class="chart"><svg viewBox="0 0 ${width} ${HEIGHT}" preserveAspectRatio="none" role="group" aria-label="${label}">
<line class="axis" x1="0" y1="${HEIGHT}" x2="${width}" y2="${HEIGHT}"/>${drawn}</svg>
<figcaption><span>${when(from)}</span><span>a bar is ${stepName}; the highest has ${most}</span><span>${count === width && when(last)}</span></figcaption></figure>`;
}

function barOf(bar: Bar, { x, most, step }: { x: number; most: number; step: number }): Markup {
  let y = HEIGHT;
  const pieces = SEVERITIES.flatMap((severity) => {
    const height = (bar.counts[severity] / most) * (HEIGHT - 4);
    if (height === 0) return [];
    y -= height;
    return [html`<rect class="${severity}" x="${x + 0.1}" y="${round(y)}" width="0.8" height="${round(height)}"/>`];
  });
  const until = bar.from + step;
  const told = `${timeText(BigInt(Math.floor(bar.from)) * 1_000_000n)} UTC: ${counted(sumOf(bar), 'crash', 'crashes')}`;
  return html`<a href="#from=${bar.from}&to=${until}"><title>${told}</title>${pieces}</a>`;
}

const round = (value: number) => Math.round(value * 100) / 100;
