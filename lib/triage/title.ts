// The title of a report: the rule that its opening line meets, and what the rule makes of it.

import { printableLine } from '../printable.js';
import { stableName } from './frame.js';
import type { LogLine } from './line.js';
import type { Report } from './report.js';
import { CORRUPTED, type Form, type Groups, type Kind, type Rule } from './rule.js';
import { CHECKERS } from './rules-checkers.js';
import { FAULTS } from './rules-faults.js';
import { LOCKS } from './rules-locks.js';
import { OTHERS, WARNINGS } from './rules-warnings.js';

/** Longer titles are cut. */
const MAX_TITLE = 120;

export interface Titled {
  readonly title: string;
  readonly kind: Kind;
  /** The function that is to blame, `corrupted` where the report was cut before one could be read. */
  readonly function: string | null;
}

/** The order is that of searching: what is known exactly stands in front of what is known only by its first words. */
const RULES: readonly Rule[] = [...CHECKERS, ...LOCKS, ...FAULTS, ...WARNINGS, ...OTHERS];

/** What the kernel's subsystems write in front: `watchdog: BUG: soft lockup`, `rcu: INFO: …`, `syzkaller login: `, and a shell's prompt. */
const LEAD =
  /^\s{0,4}(?:\*\* \d+ printk messages dropped \*\*\s*)?(?:(?:NMI )?watchdog: |rcu: |kernel: |kmemleak: |mce: |traps: |[\w.-]{1,32} login: ?|\[?[\w.-]{1,32}@[\w.-]{1,64}[: ][^#$\]]{0,64}\]?[#$] |[~/]? ?# |kasan: GPF could be caused by NULL-ptr deref or user memory access|segment-related |\[\s?)?/;

interface Opening {
  readonly rule: Rule;
  /** What every text of the pattern begins with: most patterns are never compiled. */
  readonly words: string;
  sticky?: RegExp;
}

const OPENINGS: readonly Opening[] = RULES.map((rule) => ({ rule, words: beginning(rule.opening) }));

/** The literal words that a pattern begins with: none where it takes turns at its top, or minds no case. */
function beginning({ source, ignoreCase }: RegExp): string {
  const words = /^[\w ,:'-]*/.exec(source)![0];
  const rest = source.slice(words.length);
  if (ignoreCase || takesTurns(rest)) return '';
  return /^[?*{]/.test(rest) ? words.slice(0, -1) : words;
}

function takesTurns(source: string): boolean {
  let depth = 0;
  for (const [sign] of source.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|[()|]/g)) {
    if (sign === '(') depth++;
    else if (sign === ')') depth--;
    else if (sign === '|' && depth === 0) return true;
  }
  return false;
}

/** What an opening says of a text, from one place on. */
function matched(opening: Opening, text: string, at: number): RegExpExecArray | null {
  if (!text.startsWith(opening.words, at)) return null;
  const { source, flags } = opening.rule.opening;
  opening.sticky ??= new RegExp(source, `${flags}y`);
  opening.sticky.lastIndex = at;
  return opening.sticky.exec(text);
}

/** One of these words is in every opening: most lines have none, and need no search. */
const HINT =
  /BUG|WARNING:|Badness|INFO: |UBSAN|panic|Unable|fault|PANIC|Internal error|divide[ _]error|VFS: Busy|unregister_netdevice|corruption|usercopy|LOCKUP|opcode|Bad |Oops|exception|instruction|Kernel |Kmode|double add|Machine|stack overflow|Unhandled|bus error|SError|Insufficient|double fault|bark!|: Vector: |Division by|\[#\d|CFI failure|TRAP: /;

/** Lines that look like openings and are none. */
const LOOKALIKES =
  /INFO: lockdep is turned off|INFO: Stall ended|INFO: NMI handler|INFO: recovery required|BUG UNIX \d|_BUG_ON|DEBUG:|WARNING: see |(?:BUG: K[A-Z]+SAN|WARNING): .{1,300}\[inline\]$|note: .{0,64} exited with/;

export interface Opened {
  readonly rule: Rule;
  readonly groups: Groups;
}

/** The rule whose opening a line is. */
export function openingOf({ text }: LogLine): Opened | undefined {
  if (!HINT.test(text) || LOOKALIKES.test(text)) return undefined;
  // A word of the lead may be the opening's own.
  const [begin, led] = [/^\s{0,4}/.exec(text)![0].length, LEAD.exec(text)![0].length];
  for (const opening of OPENINGS) {
    const match = matched(opening, text, led) ?? (begin < led ? matched(opening, text, begin) : null);
    const { rule } = opening;
    if (match) return rule.forms.length === 0 ? undefined : { rule, groups: { ...match.groups } };
  }
  return undefined;
}

/** The title of a report that begins with such an opening. */
export function titleOf(report: Report, { rule, groups }: Opened): Titled {
  for (const form of rule.forms) {
    const found = needsOf(report, form);
    if (!found) continue;
    const all = { ...groups, ...found };
    const blamed = form.place?.(report, all, form);
    const needsFunction = form.title.includes('{f}');
    const name = blamed ?? (needsFunction ? CORRUPTED : null);
    return { title: fill(form.title, { ...all, f: name ?? undefined }), kind: form.kind, function: name };
  }
  return { title: fill(report.opening.text, {}), kind: rule.forms[0]?.kind ?? 'bug', function: null };
}

function needsOf(report: Report, form: Form): Groups | undefined {
  let groups: Groups = {};
  for (const pattern of form.needs ?? []) {
    const match = report.find(pattern, form.within);
    if (!match) return undefined;
    groups = { ...groups, ...match.groups };
  }
  return groups;
}

/** The groups of the patterns that match functions. */
const FUNCTIONS: ReadonlySet<string> = new Set(['f', 'raw', 'first', 'second']);

function fill(template: string, groups: Groups): string {
  const title = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = groups[name] ?? '';
    return FUNCTIONS.has(name) ? stableName(value) : withoutNumbers(value);
  });
  return cut(printableLine(title.trim().replace(/ ?\.{3}$/, '')));
}

/** Two crashes with the same text and other numbers are the same crash. */
function withoutNumbers(text: string): string {
  return text
    .replace(/\+0x[\da-f]+\/0x[\da-f]+/gi, '')
    .replace(/(?<=[\w-]\.\w{1,4}:)\d+/g, 'LINE')
    .replace(/\b(?:0x[\da-f]+|(?=[\da-f]*\d)[\da-f]{8,16})\b/gi, 'ADDR')
    .replace(/(?<![A-Za-z_.])\d+(?![A-Za-z_])/g, 'NUM');
}

function cut(title: string): string {
  return title.length > MAX_TITLE ? title.slice(0, MAX_TITLE).trimEnd() : title;
}
