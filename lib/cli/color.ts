// Colours on a terminal: those of dmesg(1) for the levels of a log, and few others for tables.

import type { Argv } from 'yargs';
import type { Arguments } from './command.js';
import { isTerminal } from './print.js';

/** Parameters of the terminal's SGR sequence. Only colours that can be read on light and on dark terminals. */
const STYLES = {
  emergency: '7;31',
  critical: '1;31',
  error: '31',
  warning: '1',
  time: '32',
  head: '1',
  match: '1;31',
} as const;

export type Style = keyof typeof STYLES;

/** Styles of the levels 0 to 4, as dmesg(1) has them; less grave ones have none. */
const LEVEL_STYLES: readonly Style[] = ['emergency', 'emergency', 'critical', 'error', 'warning'];

export type Paint = (text: string, style: Style | undefined) => string;

export const WHEN = ['auto', 'always', 'never'] as const;

export function colorOption(yargs: Argv): Argv {
  return yargs.option('color', {
    type: 'string',
    requiresArg: true,
    describe: 'auto (on a terminal, unless NO_COLOR is set), always or never; --color alone is always',
  });
}

/** @throws PstoreError EINVAL for an unknown word */
export function isColored(args: Arguments): boolean {
  const when = args.choice('color', WHEN) ?? 'auto';
  if (when !== 'auto') return when === 'always';
  const { NO_COLOR: refused = '', TERM: terminal = '' } = process.env;
  return refused === '' && terminal !== '' && terminal !== 'dumb' && isTerminal();
}

export function painter(colored: boolean): Paint {
  if (!colored) return (text) => text;
  return (text, style) => (style === undefined || text === '' ? text : `\x1b[${STYLES[style]}m${text}\x1b[0m`);
}

/** What stands in front of a line of a record: its level, and its time. */
const PREFIX = /^(<(\d{1,3})>)?(\[ {0,12}\d{1,10}\.\d{1,9}\])?/;
/** The lowest three bits are the level, those above syslog's facility. */
const LEVEL_MASK = 7;
/** No prefix is longer: so many characters of a line tell how to paint it. */
const LONGEST_PREFIX = 64;

/** Paints a log that comes in pieces: they may end anywhere, and little of a long line is kept. */
export class LogPainter {
  readonly #paint: Paint;
  #begun = '';
  /** Of the line whose beginning was given already. */
  #style: Style | undefined;
  #isWithin = false;

  constructor(paint: Paint) {
    this.#paint = paint;
  }

  push(piece: string): string {
    const lines = (this.#begun + piece).split('\n');
    this.#begun = '';
    const last = lines.pop()!;
    let painted = '';
    for (const line of lines) {
      painted += `${this.#line(line)}\n`;
      this.#isWithin = false;
    }
    if (last.length < LONGEST_PREFIX && !this.#isWithin) {
      this.#begun = last;
      return painted;
    }
    painted += this.#line(last);
    this.#isWithin = true;
    return painted;
  }

  end(): string {
    const rest = this.#begun === '' ? '' : this.#line(this.#begun);
    this.#begun = '';
    this.#isWithin = false;
    return rest;
  }

  #line(line: string): string {
    if (this.#isWithin) return this.#paint(line, this.#style);
    const [prefix = '', level = '', number, time = ''] = PREFIX.exec(line) ?? [];
    this.#style = number === undefined ? undefined : LEVEL_STYLES[Number(number) & LEVEL_MASK];
    return level + this.#paint(time, 'time') + this.#paint(line.slice(prefix.length), this.#style);
  }
}
