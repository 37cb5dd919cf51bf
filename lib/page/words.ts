// Times, sizes and numbers as a page writes them.

export { counted } from '../warnings.js';

/** `2021-09-14 09:39:05`, in UTC; what no calendar has is told in seconds. */
export function timeText(ns: bigint | null): string {
  if (ns === null) return '';
  const date = new Date(Number(ns / 1_000_000n));
  return Number.isNaN(date.getTime()) ? `${ns / 1_000_000_000n} s` : date.toISOString().slice(0, 19).replace('T', ' ');
}

/** As `ls -h` has it. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const scaled = bytes / 1024 ** power;
  return `${scaled < 10 && !Number.isInteger(scaled) ? scaled.toFixed(1) : Math.round(scaled)} ${'KMGT'.charAt(power - 1)}iB`;
}
