// Points in time: as a person gives them (systemd.time(7), as journalctl reads them), and as a table shows them.

import { PstoreError } from '../errors.js';

/** Microseconds of systemd's units: a month and a year have their mean length. */
const UNITS: readonly (readonly [RegExp, bigint])[] = [
  [/^(?:usecs?|us|[\u00b5\u03bc]s)$/, 1n],
  [/^(?:msecs?|ms)$/, 1_000n],
  [/^(?:seconds?|secs?|s|)$/, 1_000_000n],
  [/^(?:minutes?|mins?|m)$/, 60_000_000n],
  [/^(?:hours?|hrs?|hr|h)$/, 3_600_000_000n],
  [/^(?:days?|d)$/, 86_400_000_000n],
  [/^(?:weeks?|w)$/, 604_800_000_000n],
  [/^(?:months?|M)$/, 2_629_800_000_000n],
  [/^(?:years?|y)$/, 31_557_600_000_000n],
];

const DAY_WORDS: Readonly<Record<string, number>> = { yesterday: -1, today: 0, tomorrow: 1 };

const CALENDAR =
  /^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]* )?(?:(\d{4}|\d\d)-(\d{1,2})-(\d{1,2}))?(?:(?:^|[T ])(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(?: ?(UTC|Z|[+-]\d\d:?\d\d))?$/i;

/**
 * Nanoseconds since 1970 of what a person wrote: `yesterday`, `-2h`, `3 days ago`, `2026-11-01 12:00`, `@1700000000`.
 * @param option for the message
 * @throws PstoreError EINVAL
 */
export function parseWhen(text: string, option: string, now = new Date()): bigint {
  const found = parseMoment(text.trim(), now);
  if (found !== undefined) return found;
  const examples = 'give a time such as 2026-11-01 12:00, yesterday, -2h or "3 days ago"';
  throw new PstoreError('EINVAL', `--${option} ${text}: this is no time that can be read; ${examples}`);
}

function parseMoment(text: string, now: Date): bigint | undefined {
  if (text === 'now') return nanoseconds(now);
  const day = Object.hasOwn(DAY_WORDS, text) ? DAY_WORDS[text] : undefined;
  if (day !== undefined) return nanoseconds(new Date(now.getFullYear(), now.getMonth(), now.getDate() + day));
  const [, seconds, fraction = ''] = /^@(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (seconds !== undefined) return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
  const [, sign, signed, plain, side] = /^(?:([+-])(.+)|(.+?) (ago|left))$/.exec(text) ?? [];
  const span = parseSpan(signed ?? plain ?? '');
  if (span !== undefined) return nanoseconds(now) + (sign === '-' || side === 'ago' ? -span : span);
  return parseCalendar(text, now);
}

const nanoseconds = (date: Date): bigint => BigInt(date.getTime()) * 1_000_000n;

/** `1h 30min`, `2days`, `90` (seconds): nanoseconds. */
function parseSpan(text: string): bigint | undefined {
  const parts = [...text.matchAll(/(\d{1,9})(?:\.(\d{1,6}))? ?([a-zA-Z\u00b5\u03bc]*)\s*/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) return undefined;
  let sum = 0n;
  for (const [, number = '', fraction = '', unit = ''] of parts) {
    const micros = UNITS.find(([pattern]) => pattern.test(unit))?.[1];
    if (micros === undefined) return undefined;
    sum += (BigInt(number + fraction.padEnd(6, '0')) * micros) / 1_000n;
  }
  return sum;
}

function parseCalendar(text: string, now: Date): bigint | undefined {
  const match = text === '' ? null : CALENDAR.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone] = match;
  if (day === undefined && hour === undefined) return undefined;
  const [y, mo, d] =
    day === undefined
      ? today(now, zone)
      : [Number(year) + (year!.length === 2 ? 2000 : 0), Number(month) - 1, Number(day)];
  const [h, mi, s] = [Number(hour ?? 0), Number(minute ?? 0), Number(second)];
  const asUtc = new Date(Date.UTC(y, mo, d, h, mi, s));
  // A Date takes the 31st of June for the 1st of July.
  if (asUtc.getUTCMonth() !== mo || asUtc.getUTCDate() !== d || h > 23 || mi > 59 || s > 59) return undefined;
  const at = zone === undefined ? new Date(y, mo, d, h, mi, s) : new Date(asUtc.getTime() - offsetMs(zone));
  return nanoseconds(at) + BigInt(fraction.padEnd(9, '0'));
}

function today(now: Date, zone: string | undefined): [number, number, number] {
  if (zone === undefined) return [now.getFullYear(), now.getMonth(), now.getDate()];
  const there = new Date(now.getTime() + offsetMs(zone));
  return [there.getUTCFullYear(), there.getUTCMonth(), there.getUTCDate()];
}

function offsetMs(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** As programs get it: JSON's numbers are too small for nanoseconds. */
export function nanosecondsText(ns: bigint | null): string | null {
  return ns === null ? null : String(ns);
}

/** How times are shown. */
export interface Clock {
  readonly utc: boolean;
  /** ISO 8601, with the zone. */
  readonly iso: boolean;
}

/** `2021-09-14 09:39:05`, in the local time zone as `ls -l` has it. */
export function clockText(ns: bigint, { utc, iso }: Clock): string {
  const date = new Date(Number(ns / 1_000_000n));
  if (Number.isNaN(date.getTime())) return `${ns / 1_000_000_000n} s`;
  const offset = utc ? 0 : -date.getTimezoneOffset();
  const shown = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
  return iso ? `${shown}${zoneText(offset, utc)}` : shown.replace('T', ' ');
}

function zoneText(minutes: number, utc: boolean): string {
  if (utc) return 'Z';
  const two = (n: number) => String(Math.trunc(n)).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(size / 60)}:${two(size % 60)}`;
}
