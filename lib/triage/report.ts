// One report in a log: its opening line, the lines after it, and the stack traces in them.

import { isReporting } from './dull.js';
import { type Frame, parseBareFrame, parseFrames, parsePointer } from './frame.js';
import type { LogLine } from './line.js';

/** Frames that stand together, under one heading. */
export interface Section {
  /** The line that the section stands after; empty for the first. */
  readonly heading: string;
  readonly frames: Frame[];
  /** It is the stack of one CPU or one task, not a list that the report shows of the past. */
  readonly live: boolean;
}

/** Lines that begin another stack: what was, or what others do. */
const PAST =
  /^\s*(?:Allocated by|Kernel panic - not syncing: hung_task|\S{1,64} is trying to (?:release|contend) lock|Freed by|Last potentially|Second to last|Uninit was|Local variable|-> #\d|\.\.\. which became|the dependencies|the existing dependency|\{[A-Z?-]+\} state was|stack backtrace of|allocated by task|freed by task|The buggy address|Memory state around|Last Breaking-Event-Address|Showing all locks|INFO: (?:Allocated|Freed) in|backtrace from|Preemption disabled at|(?:task:)?rcu_\w{2,12}\s{1,20}(?:state:)?[A-Z]\s|(?:rcu: )?(?:\w{1,16} kthread (?:starved|timer)|RCU grace-period kthread))/;
const OTHERS =
  /^\s*(?:CPU: \d{1,5} (?:UID: \d{1,10} )?PID: \d|Pid: \d{1,10}, comm: |Task dump for CPU|NMI backtrace for|Sending NMI|Backtrace for cpu|Mem-Info|(?:write|read|race|assert)\b.{0,40} (?:to|at) |---\[ end trace|stack backtrace:|task:\S{1,32}\s{1,20}state:|(?:rcu: )?(?:Stack dump where))/;

/** In a panic, the other CPUs tell where they stop: that is no part of the crash. */
const STOPPING = /^\s{0,4}(?:CPU\d{0,4}: stopping|SMP: stopping secondary)/;

/** A frame that is doubted, with the address that x86 printed before Linux 4.11. */
const GUESSED = /\[<[\da-f]{8,16}>\] \? /;

/** A function's first byte, or the one behind it: nothing was called there, a pointer lay on the stack. */
const POINTER_ONLY = /^(?:0x0\/|(0x[\da-f]+)\/\1$)/;

/** A report of a log, with its traces parsed once. */
export class Report {
  readonly opening: LogLine;
  /** The opening and all after it. */
  readonly lines: readonly LogLine[];
  readonly sections: readonly Section[];
  /** The first instruction pointer of the kernel: `unnamed` where it lies in no function. */
  readonly pointer: Frame | 'unnamed' | undefined;

  constructor(lines: readonly LogLine[]) {
    this.opening = lines[0]!;
    const others = lines.findIndex(({ text }) => STOPPING.test(text));
    this.lines = others < 0 ? lines : lines.slice(0, others);
    const { sections, pointer } = readSections(this.lines);
    this.sections = sections;
    this.pointer = pointer;
  }

  /** The frames of the first trace that has any: the crash's own. */
  get trace(): readonly Frame[] {
    const live = this.sections.filter((section) => section.live && section.frames.length > 0 && !isInjected(section));
    return (live.find(({ frames }) => frames.some(({ ip }) => !ip)) ?? live[0])?.frames ?? [];
  }

  /** The trace that a function stands in, or else the crash's own. */
  traceWith(name: string | null): readonly Frame[] {
    const found = this.sections.find(({ frames, live }) => live && frames.some((frame) => frame.name === name));
    return found?.frames ?? this.trace;
  }

  /** Where a kernel without symbols ran: places within pages, the inner one first. Empty where any function is named. */
  get places(): readonly string[] {
    if (this.sections.some(({ frames }) => frames.length > 0)) return [];
    return this.lines.map(({ text }) => parseBareFrame(text)).filter((place) => place !== undefined);
  }

  /** Frames of the section after the heading. */
  after(heading: RegExp): readonly Frame[] {
    return this.sections.find((section) => heading.test(section.heading))?.frames ?? [];
  }

  /** The first line that matches, among the first lines of the report. */
  find(pattern: RegExp, most = this.lines.length): RegExpExecArray | undefined {
    for (const { text } of this.lines.slice(0, most)) {
      const match = pattern.exec(text);
      if (match) return match;
    }
    return undefined;
  }
}

/** What injects failures shows where it did, which is no crash: mostly another task's trace in the middle of a report. */
const INJECTED = /^should_fail(?:slab|_ex)?$/;

function isInjected({ frames }: Section): boolean {
  const own = frames.find(({ name, reliable }) => reliable && (INJECTED.test(name) || !isReporting(name)));
  return own !== undefined && INJECTED.test(own.name);
}

function readSections(lines: readonly LogLine[]): { sections: Section[]; pointer: Frame | 'unnamed' | undefined } {
  let section: Section = { heading: '', frames: [], live: true };
  const sections = [section];
  const guessed = new Set<Section>();
  let pointer: Frame | 'unnamed' | undefined;
  let caller: string | undefined;
  for (const { text } of lines) {
    if (GUESSED.test(text)) guessed.add(section);
    const past = PAST.test(text);
    if (past || OTHERS.test(text)) {
      section = { heading: text, frames: [], live: !past };
      sections.push(section);
      caller = undefined;
      continue;
    }
    const pointed = parsePointer(text);
    if (pointed !== undefined) {
      if (pointed !== 'user') pointer = pointer === undefined || pointer === 'unnamed' ? pointed : pointer;
      // x86 tells it up to three times.
      const isKnown = section.frames.some(
        ({ symbol, ip }) => ip && typeof pointed === 'object' && pointed.symbol === symbol,
      );
      if (typeof pointed === 'object' && !isKnown) section.frames.push(pointed);
      continue;
    }
    for (const frame of parseFrames(text)) {
      // arm names each caller again as the next line's callee.
      if (frame.symbol === caller) caller = undefined;
      else if (!repeatsPointer(section.frames.at(-1), frame)) section.frames.push(frame);
    }
    caller = text.includes(' from ') ? section.frames.at(-1)?.symbol : undefined;
  }
  return { sections: sections.map((each) => (guessed.has(each) ? trusted(each) : each)), pointer };
}

/** Where old unwinders doubt all frames, as they do without frame pointers, the doubt tells nothing. */
function trusted(section: Section): Section {
  if (section.frames.some(({ reliable, ip }) => reliable && !ip)) return section;
  // In front of the first function that reports stands what earlier calls left on the stack.
  const from = section.frames.findIndex(({ name }) => /^(?:dump_stack|warn_slowpath)/.test(name));
  const own = section.frames.filter(({ ip, offset }, i) => ip || (i >= from && !POINTER_ONLY.test(offset ?? '')));
  return { ...section, frames: own.map((frame) => ({ ...frame, reliable: true })) };
}

/** arm, arm64 and mips begin the trace with the frame that the instruction pointer lies in. */
function repeatsPointer(last: Frame | undefined, frame: Frame): boolean {
  if (!last?.ip || last.symbol !== frame.symbol) return false;
  return frame.offset === undefined || frame.offset === last.offset;
}
