// Measurements: medians of interleaved rounds, and how they are printed.

export interface Row {
  /** As it is called on the command line. */
  readonly id: string;
  readonly title: string;
  /** Medians in the row's unit, by contender, in their order. */
  readonly values: Readonly<Record<string, number>>;
  /** The value to which the others are a ratio. */
  readonly base: string;
  readonly unit: 'ms' | 'µs' | 'MB' | 'bytes a zone';
  /** Most that a ratio to the base (or, for a unit that is no time, a value) may be. */
  readonly targets: Readonly<Record<string, number>>;
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Times what runs, in milliseconds. */
export function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** Runs each of the jobs once a round, so that what disturbs the machine disturbs all of them. */
export function interleaved(rounds: number, jobs: Readonly<Record<string, () => number>>): Record<string, number> {
  const samples = new Map(Object.keys(jobs).map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, job] of Object.entries(jobs)) samples.get(name)!.push(job());
  }
  return Object.fromEntries([...samples].map(([name, values]) => [name, median(values)]));
}

const isTime = ({ unit }: Row): boolean => unit === 'ms' || unit === 'µs';

export function ratio(row: Row, name: string): number {
  return isTime(row) ? row.values[name]! / row.values[row.base]! : row.values[name]!;
}

/** Lines of a row: each value, its ratio, and whether a target is reached. */
export function rowText(row: Row): string {
  const lines = Object.keys(row.values).map((name) => {
    const value = row.values[name]!;
    const number = isTime(row) ? ratio(row, name).toFixed(2) : '';
    const target = row.targets[name];
    const verdict =
      target === undefined ? '' : `target ${target}: ${ratio(row, name) <= target ? 'reached' : 'MISSED'}`;
    const shown = `${value.toFixed(value < 10 ? 2 : 0)} ${row.unit}`;
    return `  ${name.padEnd(26)}${shown.padStart(18)}${number.padStart(9)}  ${verdict}`.trimEnd();
  });
  const base = isTime(row) ? ` (ratios to ${row.base})` : '';
  return [`${row.id}: ${row.title}${base}`, ...lines, ...(row.note ? [`  ${row.note}`] : []), ''].join('\n');
}
