// Tells the sizes of the zones in front of the dmesg zones (pmsg, console, tty, one ftrace zone a CPU) from where their
// headers stand.

import { GUESS, PROVEN } from '../pstore/geometry.js';
import { type SizeConfidence, type SizeEvidence, wrappedSize } from './evidence.js';
import { BUFFER_HEADER_SIZE } from './format.js';
import { type FtraceZones, findFtrace, ftraceSizeOf, hiddenFtrace } from './ftrace-zones.js';
import { ZONE_MULTIPLE, type ZoneSizes } from './geometry.js';
import type { Mark } from './marks.js';

export type FrontSizes = Omit<ZoneSizes, 'kmsgSize'>;

export interface Front {
  readonly sizes: FrontSizes;
  readonly confidence: Omit<SizeConfidence, 'kmsgSize'>;
  /** The word size that ftrace records fit, or undefined without such. */
  readonly wordBits: 32 | 64 | undefined;
}

export interface FrontEvidence extends SizeEvidence {
  /** Headers of one generation and byte order, in the order of their offsets. */
  readonly marks: readonly Mark[];
}

type TextKind = 'pmsg' | 'console' | 'tty';

/** In the order of the partition. */
const KINDS = ['pmsg', 'console', 'tty', 'ftrace', 'dmesg'] as const;
const TEXT_KINDS: readonly TextKind[] = ['pmsg', 'console', 'tty'];
const SIZE_OF = { pmsg: 'pmsgSize', console: 'consoleSize', tty: 'ttySize', ftrace: 'ftraceSize' } as const;

/** Where the zones of a kind begin. */
interface Anchor {
  readonly kind: (typeof KINDS)[number];
  readonly offset: number;
}

/** A zone goes on to where the next one with a header begins, unless a full ring tells where it ends. */
export function findFront(evidence: FrontEvidence): Front {
  const { given, kmsgOffset, total } = evidence;
  const limit = kmsgOffset ?? total;
  const marks = evidence.marks.filter(({ signed, offset }) => signed && offset < limit);
  const text = textMarks(marks, given);
  const firstTrace = marks.find(({ type, offset }) => type === 'ftrace' && offset >= firstByteBehind(text));
  const { least, exact } = textEnd(text, given, firstTrace?.offset ?? limit);
  const ftrace = given.ftraceSize === 0 ? undefined : findFtraceFrom(least, exact, marks, text, evidence);
  const hidden = ftrace ?? (kmsgOffset === undefined ? undefined : hiddenFtrace(least, kmsgOffset, given));
  const anchors: Anchor[] = TEXT_KINDS.flatMap((kind) => (text[kind] ? { kind, offset: text[kind].offset } : []));
  if (hidden) anchors.push({ kind: 'ftrace', offset: hidden.offset });
  anchors.push({ kind: 'dmesg', offset: limit });
  return place(text, anchors, ftrace, evidence);
}

/** Where the length of the zone before leaves no good place for them, that length is damaged. */
function findFtraceFrom(
  least: number,
  start: number | undefined,
  marks: readonly Mark[],
  text: Partial<Record<TextKind, Mark>>,
  evidence: FrontEvidence,
): FtraceZones | undefined {
  const from = (offset: number) => marks.filter((mark) => mark.type === 'ftrace' && mark.offset >= offset);
  const believed = findFtrace(from(least), { ...evidence, least, start });
  if (believed && believed.misfit < 1) return believed;
  const behind = firstByteBehind(text);
  const other = findFtrace(from(behind), { ...evidence, least: behind, start: undefined });
  return believed && !(other && other.misfit < believed.misfit) ? believed : other;
}

function textMarks(marks: readonly Mark[], given: Partial<ZoneSizes>): Partial<Record<TextKind, Mark>> {
  const found: Partial<Record<TextKind, Mark>> = {};
  let from = 0;
  for (const kind of TEXT_KINDS) {
    if (given[SIZE_OF[kind]] === 0) continue;
    const mark = marks.find(({ type, offset }) => type === kind && offset >= from && offset % ZONE_MULTIPLE === 0);
    if (!mark || (kind === 'pmsg' && mark.offset > 0)) continue;
    found[kind] = mark;
    from = mark.offset + ZONE_MULTIPLE;
  }
  return found;
}

function lastOf(text: Partial<Record<TextKind, Mark>>): TextKind | undefined {
  return TEXT_KINDS.findLast((kind) => text[kind]);
}

function firstByteBehind(text: Partial<Record<TextKind, Mark>>): number {
  const last = lastOf(text);
  return last ? text[last]!.offset + ZONE_MULTIPLE : 0;
}

/** Where the last of the text zones ends: at least there, and exactly there when its size is known. */
function textEnd(
  text: Partial<Record<TextKind, Mark>>,
  given: Partial<ZoneSizes>,
  limit: number,
): { least: number; exact: number | undefined } {
  const { pmsgSize, consoleSize, ttySize } = given;
  if (pmsgSize !== undefined && consoleSize !== undefined && (ttySize !== undefined || !text.tty)) {
    const end = pmsgSize + consoleSize + (ttySize ?? 0);
    return { least: end, exact: end };
  }
  const last = lastOf(text);
  if (!last) return { least: 0, exact: undefined };
  const mark = text[last]!;
  const size = given[SIZE_OF[last]] ?? wrappedTextSize(mark, limit);
  const bytes = BUFFER_HEADER_SIZE.pstore_blk + mark.datalen;
  const used = bytes <= limit - mark.offset ? bytes : 1;
  const end = mark.offset + (size ?? Math.ceil(used / ZONE_MULTIPLE) * ZONE_MULTIPLE);
  return { least: end, exact: size !== undefined && isNextTo(last, 'ftrace', given) ? end : undefined };
}

function wrappedTextSize(mark: Mark, limit: number): number | undefined {
  const size = wrappedSize(mark, limit);
  return size !== undefined && size % ZONE_MULTIPLE === 0 ? size : undefined;
}

/** Whether no zones without a header can stand between two kinds: tty zones are made by our own format only. */
function isNextTo(kind: Anchor['kind'], next: Anchor['kind'], given: Partial<ZoneSizes>): boolean {
  const between = KINDS.slice(KINDS.indexOf(kind) + 1, KINDS.indexOf(next)) as (TextKind | 'ftrace')[];
  return between.every((other) => other === 'tty' || given[SIZE_OF[other]] !== undefined);
}

/** Sizes kind by kind: what lies before the next anchor belongs to the last kind that can be there. */
function place(
  text: Partial<Record<TextKind, Mark>>,
  anchors: readonly Anchor[],
  ftrace: FtraceZones | undefined,
  { given, kmsgOffset, total, formatted }: FrontEvidence,
): Front {
  const sizes = { pmsgSize: 0, consoleSize: 0, ttySize: 0 };
  const confidence = { pmsgSize: GUESS, consoleSize: GUESS, ttySize: GUESS };
  let end = 0;
  let certain = true;
  for (const kind of TEXT_KINDS) {
    const name = SIZE_OF[kind];
    const bound = anchors.find(({ kind: other }) => KINDS.indexOf(other) > KINDS.indexOf(kind))!;
    const room = Math.max(0, Math.floor((bound.offset - end) / ZONE_MULTIPLE) * ZONE_MULTIPLE);
    // Where the header of the very next kind stands, the zone ends, whatever a damaged length says.
    const ends = KINDS.indexOf(bound.kind) === KINDS.indexOf(kind) + 1;
    const known = given[name] ?? (text[kind] && !ends ? wrappedTextSize(text[kind], bound.offset) : undefined);
    const noTty = kind === 'tty' && !text.tty && (!ftrace || given.ftraceSize !== undefined);
    sizes[name] = known ?? (noTty ? 0 : room);
    const shown = bound.kind !== 'ftrace' || ftrace?.certain === true;
    // Where ftrace zones only seem to begin, there may be room that they leave to it.
    if (known === undefined && (shown ? room > 0 && sizes[name] > 0 : !noTty)) {
      certain &&= formatted || (shown && isNextTo(kind, bound.kind, given));
    }
    if (certain) confidence[name] = PROVEN;
    end += sizes[name];
  }
  const behind = placeFtrace(ftrace, end, kmsgOffset, total, given);
  // Without a header after it, nothing tells what the rest is.
  const isTold = kmsgOffset !== undefined || end >= total;
  const certainFtrace = ftrace ? ftrace.certain : certain && isTold && behind.ftraceSize === 0;
  const last = certainFtrace || given.ftraceSize !== undefined ? PROVEN : GUESS;
  return {
    sizes: { ...sizes, ...behind },
    confidence: { ...confidence, ftraceSize: last, cpus: given.cpus !== undefined ? PROVEN : last },
    wordBits: ftrace?.wordBits,
  };
}

/** The ftrace zones with a header, or the room that is left for some without. */
function placeFtrace(
  ftrace: FtraceZones | undefined,
  offset: number,
  kmsgOffset: number | undefined,
  total: number,
  given: Partial<ZoneSizes>,
): Pick<ZoneSizes, 'ftraceSize' | 'cpus'> {
  const zones = ftrace ?? (kmsgOffset === undefined ? undefined : hiddenFtrace(offset, kmsgOffset, given, true));
  if (!zones) return { ftraceSize: given.ftraceSize ?? 0, cpus: given.cpus ?? 1 };
  const room = Math.max(0, Math.floor((total - offset) / ZONE_MULTIPLE) * ZONE_MULTIPLE);
  const ftraceSize = given.ftraceSize ?? Math.min(room, ftraceSizeOf(zones.size, zones.cpus));
  return { ftraceSize, cpus: given.cpus ?? zones.cpus };
}
