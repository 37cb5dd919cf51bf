// The reports in a log: where each begins, and which lines belong to it. Memory is bounded whatever the log's length.

import type { LogLine } from './line.js';
import { Report } from './report.js';
import type { Kind } from './rule.js';
import { type Opened, openingOf } from './title.js';

/** At most this many lines of a report are kept: no kernel prints as many before the trace that tells what went wrong. */
const MAX_REPORT_LINES = 1000;

/** At most this many reports, of several tasks and CPUs, are followed at the same time. */
const MAX_OPEN = 4;

/** A report that was interrupted by another gets what it lacks within so many lines after it, or never. */
const MAX_AWAITED = 16;
const MAX_AWAITED_STALL = 80;

/** A line that goes on with a report comes within this time after it, in seconds. */
const MAX_PAUSE = 10;

const STALLS: ReadonlySet<Kind> = new Set(['rcu-stall', 'soft-lockup', 'hard-lockup']);

/** Faults tell their instruction pointer after the opening. */
const POINTED: ReadonlySet<Kind> = new Set(['null-deref', 'page-fault', 'gpf', 'double-fault', 'oops', 'bug']);

/** A report whose end has been seen. */
export interface Found {
  readonly opened: Opened;
  readonly report: Report;
  /** The report ended in a panic. */
  readonly panicked: boolean;
  /** Number of the line that it begins at. */
  readonly line: number;
}

interface Open {
  readonly opened: Opened;
  readonly line: number;
  readonly lines: LogLine[];
  readonly kind: Kind | undefined;
  hasPointer: boolean;
  panicked: boolean;
  hasFrames: boolean;
  /** How many more lines belong to it after another report has begun; undefined as long as none has. */
  awaited: number | undefined;
  lastSeconds: number | undefined;
}

const POINTER = /^\s*(?:[RE]?IP(?: is at|:)|[pP][cC] is at |pc ?: |epc\s{0,4}: |NIP[ :]|ERA: |IAOQ\[0\]: |Krnl PSW : )/;
const FRAME = /^\s.{0,64}\+0x[\da-f]+\/0x|^\s*\[<[\da-f]+>\]/;
const PANIC = /Kernel panic - not syncing/;

/** Takes lines, gives reports. */
export class ReportFinder {
  /** The oldest first. */
  #open: Open[] = [];

  /** @param number of the line in the log. @returns the reports that the line ends */
  push(line: LogLine, number: number): Found[] {
    const opened = openingOf(line);
    if (opened && !this.#continues(line, opened)) return this.#begin(line, opened, number);
    for (const open of this.#open) add(open, line);
    const ended = this.#open.filter(({ awaited }) => awaited === 0);
    if (ended.length > 0) this.#open = this.#open.filter(({ awaited }) => awaited !== 0);
    return ended.map(found);
  }

  /** @returns the reports that the end of the log ends */
  end(): Found[] {
    const open = this.#open;
    this.#open = [];
    return open.map(found);
  }

  #begin(line: LogLine, opened: Opened, number: number): Found[] {
    const stays = (open: Open) =>
      opened.rule.isLine || !sameContext(open, line) || (open.awaited === undefined && lacks(open));
    const ended = this.#open.filter((open) => !stays(open));
    this.#open = this.#open.filter(stays);
    for (const open of this.#open) {
      add(open, line);
      if (opened.rule.isLine || !sameContext(open, line)) continue;
      open.awaited = open.kind !== undefined && STALLS.has(open.kind) ? MAX_AWAITED_STALL : MAX_AWAITED;
    }
    const kind = opened.rule.forms[0]?.kind;
    this.#open.push({
      opened,
      line: number,
      lines: [line],
      kind,
      hasPointer: false,
      hasFrames: false,
      awaited: undefined,
      panicked: PANIC.test(line.text),
      lastSeconds: line.seconds,
    });
    while (this.#open.length > MAX_OPEN) ended.push(this.#open.shift()!);
    return ended.map(found);
  }

  /** Whether a line that could begin a report is the consequence of one. */
  #continues(line: LogLine, { rule: { partOf, isEarly } }: Opened): boolean {
    if (this.#open.some(({ lines }) => lines.length === 1 && isTwice(lines[0]!, line))) return true;
    if (!partOf) return false;
    const open = this.#open.findLast((candidate) => sameContext(candidate, line) && isSoon(candidate, line));
    if (isEarly && open?.hasPointer) return false;
    return open !== undefined && (partOf.length === 0 || (open.kind !== undefined && partOf.includes(open.kind)));
  }
}

function add(open: Open, line: LogLine): void {
  if (!belongs(open, line)) return;
  if (line.seconds !== undefined) open.lastSeconds = line.seconds;
  if (open.awaited !== undefined) open.awaited--;
  if (PANIC.test(line.text)) open.panicked = true;
  if (open.lines.length >= MAX_REPORT_LINES) return;
  open.lines.push(line);
  open.hasPointer ||= POINTER.test(line.text);
  open.hasFrames ||= FRAME.test(line.text);
}

const found = ({ opened, lines, panicked, line }: Open): Found => ({
  opened,
  report: new Report(lines),
  panicked,
  line,
});

/** Two consoles that write into one log print each line twice. */
function isTwice(first: LogLine, { text, seconds, context }: LogLine): boolean {
  return seconds !== undefined && first.seconds === seconds && first.text === text && first.context === context;
}

function sameContext({ lines }: Open, { context }: LogLine): boolean {
  const own = lines[0]!.context;
  return own === undefined || context === undefined || own === context;
}

/** Where a report tells its context, lines of others, and of programs, are not its own. */
function belongs({ lines }: Open, { context }: LogLine): boolean {
  const own = lines[0]!.context;
  return own === undefined || context === own;
}

/** Whether a report has not yet got what its title needs. */
function lacks({ kind, hasPointer, hasFrames }: Open): boolean {
  if (kind === undefined) return false;
  return (POINTED.has(kind) && !hasPointer) || (STALLS.has(kind) && !hasFrames);
}

function isSoon({ lastSeconds }: Open, { seconds }: LogLine): boolean {
  return lastSeconds === undefined || seconds === undefined || Math.abs(seconds - lastSeconds) <= MAX_PAUSE;
}
