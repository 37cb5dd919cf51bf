// A table for people that fits the terminal: what has no room beside the other columns is told below them.

import { besideLabel, folded } from './fold.js';
import { isTerminal, printable } from './print.js';

export interface Column<Row> {
  readonly head: string;
  readonly isRight?: boolean;
  cell(row: Row): string;
  /** A cell that has its final width, in colour. */
  paint?(padded: string, row: Row): string;
  /** Columns of the lowest number go below the others first; those without one always stay. */
  readonly below?: number;
}

const GAP = '  ';
const INDENT = '    ';
/** A column of text that is narrower than this is better told below the others. */
const MIN_TEXT = 36;

/** The terminal's columns; no end of them where nobody looks. A narrower terminal is not worth folding for. */
export function terminalColumns(least = 60): number {
  // Node makes any pipe that it asks for its width one that does not wait.
  const columns = isTerminal() ? process.stdout.columns : 0;
  return columns >= least ? columns : Number.POSITIVE_INFINITY;
}

/** Where the columns of a table stand. */
export class Table<Row> {
  readonly #columns: number;
  /** Those of one line, and their widths. */
  readonly #beside: readonly Column<Row>[];
  readonly #widths: readonly number[];
  readonly #below: readonly Column<Row>[];

  /** @param rows all of them, to find the widths by; columns without any text are left out */
  constructor(all: readonly Column<Row>[], rows: readonly Row[], columns = terminalColumns()) {
    this.#columns = columns;
    const used = all
      .map((column) => ({ column, width: Math.max(0, ...rows.map((row) => printable(column.cell(row)).length)) }))
      .filter(({ width }) => width > 0)
      .map(({ column, width }) => ({ column, width: Math.max(width, column.head.length) }));
    let beside = used;
    const total = () => beside.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length);
    const ranks = [...new Set(used.map(({ column }) => column.below ?? 0))].filter((rank) => rank > 0).sort();
    for (const rank of ranks) if (total() > columns) beside = beside.filter(({ column }) => column.below !== rank);
    // The text may be folded in its column where that has room enough.
    const text = used.find(({ column }) => column.below === 1);
    if (text && !beside.includes(text) && beside.length === used.filter(({ column }) => column.below !== 1).length) {
      const room = columns - total() - GAP.length;
      if (room >= MIN_TEXT) beside = used.map((one) => (one === text ? { ...one, width: room } : one));
    }
    this.#beside = beside.map(({ column }) => column);
    this.#widths = beside.map(({ width }) => width);
    this.#below = used.map(({ column }) => column).filter((column) => !this.#beside.includes(column));
  }

  /** The names of the columns. */
  head(): string[] {
    const cells = this.#beside.map(({ head, isRight }, i) => padded(head, this.#widths[i]!, isRight));
    const first = cells.join(GAP).trimEnd();
    return [first, ...(this.#below.length === 0 ? [] : [INDENT + this.#below.map(({ head }) => head).join(GAP)])];
  }

  lines(row: Row): string[] {
    const cells = this.#beside.map((column, i) => folded(words(column.cell(row)), this.#widths[i]!));
    const height = Math.max(1, ...cells.map(({ length }) => length));
    const lines: string[] = [];
    for (let at = 0; at < height; at++) {
      const line = this.#beside.map((column, i) => {
        const isLast = i === this.#beside.length - 1;
        const text = padded(cells[i]![at] ?? '', isLast && !column.isRight ? 0 : this.#widths[i]!, column.isRight);
        return column.paint?.(text, row) ?? text;
      });
      lines.push(line.join(GAP).trimEnd());
    }
    const below = this.#below.filter((column) => column.cell(row) !== '');
    for (const column of below) {
      for (const line of besideLabel(INDENT, words(column.cell(row)), this.#columns)) {
        lines.push(column.paint?.(line, row) ?? line);
      }
    }
    return lines;
  }
}

const words = (text: string): string[] => (text === '' ? [] : text.split(' '));

const padded = (text: string, width: number, isRight = false): string =>
  isRight ? text.padStart(width) : text.padEnd(width);
