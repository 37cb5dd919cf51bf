// Understanding a log: its crashes, each with title, signature, context and verdict. Any length, in bounded memory.

import { parseHeadLine } from '../pstore/head-line.js';
import { contextOf, LogContext } from './context.js';
import type { Crash } from './crash.js';
import { isReporting } from './dull.js';
import { type LogLine, MAX_LINE, parseLine } from './line.js';
import { type Found, ReportFinder } from './reports.js';
import { signatureOf } from './signature.js';
import { titleOf } from './title.js';
import { judge, observe, type RecordFacts, type TextFacts, type Verdict } from './verdict.js';

export interface ExplainOptions {
  /** What is known of the record that the text is from. */
  readonly record?: RecordFacts;
  /** At most this many crashes are kept, the last ones; the others are only counted. */
  readonly most?: number;
  /** The first ones are kept instead of the last ones. */
  readonly first?: boolean;
}

export interface Explanation {
  /** In the order of the log. */
  readonly crashes: readonly Crash[];
  /** Crashes that were found and not kept. */
  readonly skipped: number;
  /** The release, as `uname -r` prints it, of the last kernel that the text tells of. */
  readonly kernel: string | null;
  readonly build: string | null;
  readonly machine: string | null;
  readonly hardware: string | null;
  readonly architecture: string | null;
  readonly lines: number;
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
}

const DEFAULT_MAX = 100;

/** Writers on several CPUs may be this far apart, in seconds. */
const MAX_UNORDERED = 1;

/** At most this many places of one fault are remembered. */
const MAX_PLACES = 8;

/**
 * Explains a text that comes in pieces.
 *
 * Memory is bounded by the number of crashes that are kept and by the lines of four reports, whatever the text.
 */
export class Explainer {
  readonly #options: ExplainOptions;
  readonly #most: number;
  readonly #finder = new ReportFinder();
  readonly #log = new LogContext();
  readonly #text = new TextWatch();
  #crashes: Omit<Crash, 'verdict' | 'reasons'>[] = [];
  #skipped = 0;
  /** What came after the last newline. */
  #rest = '';

  constructor(options: ExplainOptions = {}) {
    this.#options = options;
    this.#most = Math.max(1, options.most ?? DEFAULT_MAX);
  }

  /** Takes the next piece of the text: it may end anywhere. */
  push(piece: string): void {
    let from = 0;
    for (let end = piece.indexOf('\n'); end >= 0; end = piece.indexOf('\n', from)) {
      this.#line(this.#rest + piece.slice(from, Math.min(end, from + MAX_LINE)));
      this.#rest = '';
      from = end + 1;
    }
    // No more of a line is looked at, so no more is kept.
    if (this.#rest.length < MAX_LINE) this.#rest += piece.slice(from, from + MAX_LINE);
  }

  /** The end of the text. */
  end(): Explanation {
    if (this.#rest !== '') this.#line(this.#rest);
    this.#rest = '';
    for (const found of this.#finder.end()) this.#keep(found);
    const facts = this.#text.facts(this.#log);
    const { record } = this.#options;
    const { kernel, build, machine, hardware, architecture } = this.#log;
    return {
      crashes: this.#crashes.map((crash) => ({ ...crash, ...judge(observe(facts, record, crash.function)) })),
      skipped: this.#skipped,
      kernel,
      build,
      machine,
      hardware,
      architecture,
      lines: this.#text.lines,
      ...judge(observe(facts, record)),
    };
  }

  #line(raw: string): void {
    this.#text.push(raw);
    for (const line of parseLine(raw)) {
      this.#log.push(line);
      this.#text.pushParsed(line);
      for (const found of this.#finder.push(line, this.#text.lines)) this.#keep(found);
    }
  }

  #keep({ opened, report, panicked, line }: Found): void {
    const titled = titleOf(report, opened);
    const reliable = report.traceWith(titled.function).filter((frame) => frame.reliable);
    // What reports stands innermost: it is not the crash's.
    const own = reliable.findIndex(({ name, ip }) => ip || name === titled.function || !isReporting(name));
    const frames = own < 0 ? [] : reliable.slice(own);
    const signature = signatureOf(titled, frames, report.places);
    const crash = { ...titled, signature, frames, panicked, line, ...contextOf(report, this.#log) };
    // Reports of several tasks do not end in the order in which they began.
    const before = this.#crashes.findLastIndex((earlier) => earlier.line <= line);
    if (before === this.#crashes.length - 1) this.#crashes.push(crash);
    else this.#crashes.splice(before + 1, 0, crash);
    if (this.#crashes.length <= this.#most) return;
    this.#skipped++;
    if (this.#options.first) this.#crashes.pop();
    else this.#crashes.shift();
  }
}

/** Watches what speaks for and against a text. */
class TextWatch {
  lines = 0;
  #strange = 0;
  #length = 0;
  #boots = 0;
  #seconds: number | undefined;
  readonly #backwards: { line: number; from: number; to: number }[] = [];
  readonly #heads: { line: number; reason: string; count: number; part: number }[] = [];

  push(raw: string): void {
    this.lines++;
    this.#length += raw.length + 1;
    if (STRANGE.test(raw)) this.#strange += raw.match(STRANGE_ALL)?.length ?? 0;
    const head = raw.length < 64 && raw.includes('#') ? parseHeadLine(raw) : undefined;
    if (head && this.#heads.length < MAX_PLACES) this.#heads.push({ line: this.lines, ...head });
  }

  pushParsed({ text, seconds }: LogLine): void {
    const boots = /^\s{0,4}(?:Linux version \d|Booting Linux on)/.test(text) && (seconds ?? 0) < MAX_UNORDERED;
    // arm's two first lines belong to one boot.
    if (boots && !(text.includes('Linux version') && this.#wasBooting)) this.#boots++;
    this.#wasBooting = boots;
    if (seconds === undefined) return;
    const last = this.#seconds;
    if (last !== undefined && seconds < last - MAX_UNORDERED && this.#backwards.length < MAX_PLACES) {
      this.#backwards.push({ line: this.lines, from: last, to: seconds });
    }
    this.#seconds = seconds;
  }

  #wasBooting = false;

  facts(log: LogContext): TextFacts {
    return {
      backwards: this.#backwards,
      boots: this.#boots,
      strange: this.#strange,
      length: this.#length,
      heads: this.#heads,
      endSeconds: log.secondsAt(this.#seconds),
    };
  }
}

/** No kernel prints these: control characters but tab, carriage return and escape, and what is no UTF-8. */
const STRANGE = /[\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\ufffd]/;
const STRANGE_ALL = new RegExp(STRANGE.source, 'g');

/**
 * The crashes of a text.
 * @param text the text, or its pieces: they may end anywhere
 */
export function explain(text: string | Iterable<string>, options: ExplainOptions = {}): Explanation {
  const explainer = new Explainer(options);
  if (typeof text === 'string') explainer.push(text);
  else for (const piece of text) explainer.push(piece);
  return explainer.end();
}

/** The crashes of a text. @param chunks its bytes in UTF-8: they may end anywhere */
export function explainBytes(chunks: Iterable<Uint8Array>, options: ExplainOptions = {}): Explanation {
  const explainer = new Explainer(options);
  const decoder = new TextDecoder();
  for (const bytes of chunks) explainer.push(decoder.decode(bytes, { stream: true }));
  explainer.push(decoder.decode());
  return explainer.end();
}

/**
 * The crash that wrote a record: the last one, for a panic the last that ended in a panic. A shutdown is no crash.
 * @param reason of the record, where it is known
 */
export function writer({ crashes }: Explanation, reason?: string): Crash | undefined {
  const known = reason?.toLowerCase();
  if (known === 'panic') return crashes.findLast(({ panicked }) => panicked) ?? crashes.at(-1);
  if (known !== undefined && known !== 'oops' && known !== 'unknown') return undefined;
  return crashes.at(-1);
}
