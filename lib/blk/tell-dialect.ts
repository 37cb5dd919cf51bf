// Tells which dialect wrote a partition: the one to whose rules most headers and texts keep.

import type { Abi } from '../pstore/abi.js';
import { readRange, type Storage } from '../storage/storage.js';
import { dialectsOf, isDmesgFirst, reasonText, type ZoneDialect } from './dialects.js';
import { BUFFER_HEADER_SIZE, dmesgHeaderSize, type Generation, readDmesgHeader } from './format.js';
import type { ZoneSizes } from './geometry.js';
import type { Mark } from './marks.js';
import { reasonWord } from './reason-words.js';

export interface ToldDialect {
  readonly dialect: ZoneDialect;
  /** By what it was told, for people; undefined where nothing speaks for another. */
  readonly how: string | undefined;
  /** Whether one damaged header could have told it wrongly. */
  readonly isWeak: boolean;
  /** Whether nothing in the image speaks for it and against another: no dump, and no ring. */
  readonly isOpen: boolean;
}

export interface DialectEvidence {
  /** Headers of one generation and byte order, in the order of their offsets. */
  readonly marks: readonly Mark[];
  /** Those of the dmesg zones. */
  readonly dmesg: readonly Mark[];
  readonly storage: Storage;
  readonly abi: Abi;
  readonly given: Partial<ZoneSizes>;
}

/** Dumps whose texts are looked at. */
const MAX_DUMPS = 16;
/** A lead of this many contradictions is clear: a single damaged header makes no such difference. */
const CLEAR = 2;

/** Of dialects that as much speaks against, the likeliest. */
export function tellDialect(generation: Generation, evidence: DialectEvidence): ToldDialect {
  const candidates = dialectsOf(generation).filter((dialect) => hasGivenZones(dialect, evidence.given));
  const [first] = candidates.length > 0 ? candidates : dialectsOf(generation);
  if (candidates.length < 2) return { dialect: first!, how: undefined, isWeak: false, isOpen: false };
  const reasons = reasonsOf(evidence, generation);
  const judged = candidates.map((dialect) => {
    const wrongReasons = reasons.filter(({ number, word }) => reasonText(dialect, number) !== word).length;
    const misplaced = misplacedHeaders(dialect, evidence);
    return { dialect, wrongReasons, misplaced, against: wrongReasons + misplaced };
  });
  const best = judged.reduce((a, b) => (b.against < a.against ? b : a));
  const others = judged.filter((other) => other !== best);
  const rival = Math.min(...others.map(({ against }) => against));
  const how = [
    ...(others.some(({ wrongReasons }) => wrongReasons > best.wrongReasons)
      ? ['the numbers of the reasons mean what the texts say']
      : []),
    ...(others.some(({ misplaced }) => misplaced > best.misplaced) ? ['the kinds of zones stand in its order'] : []),
  ];
  return {
    dialect: best.dialect,
    how: how.length > 0 ? how.join(', and ') : undefined,
    isOpen: rival === best.against,
    isWeak:
      best.dialect !== first &&
      rival - best.against < CLEAR &&
      !others.some(({ misplaced }) => misplaced > best.misplaced),
  };
}

/** Whether it has all kinds of zones to which sizes are given. */
function hasGivenZones({ order }: ZoneDialect, { consoleSize = 0, ttySize = 0, ftraceSize = 0 }: Partial<ZoneSizes>) {
  const isMissing = (kind: ZoneDialect['order'][number], size: number) => size > 0 && !order.includes(kind);
  return !isMissing('console', consoleSize) && !isMissing('tty', ttySize) && !isMissing('ftrace', ftraceSize);
}

/** What the first dumps say of their reasons: the header by a number, the text by a word. */
function reasonsOf(
  { dmesg, storage, abi }: DialectEvidence,
  generation: Generation,
): readonly { number: number; word: string }[] {
  const headerSize = dmesgHeaderSize(abi);
  const dumps = dmesg.filter(({ signed, magic, datalen }) => signed && magic && datalen > headerSize);
  return dumps.slice(0, MAX_DUMPS).flatMap(({ offset, datalen }) => {
    const bytes = readRange(storage, offset + BUFFER_HEADER_SIZE[generation], headerSize);
    if (bytes.length < headerSize) return [];
    const header = readDmesgHeader(bytes, abi);
    const word = reasonWord(storage, { offset, datalen, header }, generation, abi);
    return word === null ? [] : [{ number: header.reason, word }];
  });
}

/** Headers that stand where a kernel of this dialect puts none of their kind. */
function misplacedHeaders(dialect: ZoneDialect, { marks, dmesg, given }: DialectEvidence): number {
  const firstDump = dmesg[0]?.offset;
  const lastDump = dmesg.at(-1)?.offset ?? -1;
  const rings = marks.filter(({ type, signed }) => type !== 'dmesg' && signed);
  if (isDmesgFirst(dialect)) {
    const wrong = rings.filter(({ type, offset }) => !dialect.order.includes(type) || offset <= Math.max(0, lastDump));
    return wrong.length + (firstDump === undefined || firstDump === 0 ? 0 : 1);
  }
  const { pmsgSize = 0, consoleSize = 0, ttySize = 0, ftraceSize = 0 } = given;
  const front = pmsgSize + consoleSize + ttySize + ftraceSize;
  const wrong = rings.filter(({ type, offset }) => type === dialect.order[0] && offset > 0);
  return wrong.length + dmesg.filter(({ offset }) => offset < front).slice(0, MAX_DUMPS).length;
}
