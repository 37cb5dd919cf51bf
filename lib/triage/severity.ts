// How bad a record is, at a glance.

import type { Crash } from './crash.js';
import type { Dump } from './dump.js';
import type { Kind } from './rule.js';

export type Severity = 'critical' | 'error' | 'warning';

/** After these the kernel goes on as before. */
const HARMLESS: ReadonlySet<Kind> = new Set(['warning', 'lockdep', 'ubsan', 'kcsan', 'leak', 'atomic-sleep']);

export function isHarmless(kind: string | null): boolean {
  return kind !== null && (HARMLESS as ReadonlySet<string>).has(kind);
}

/** undefined where nothing crashed. @param crash that wrote the dump */
export function severityOf(dump: Dump, crash: Crash | undefined): Severity | undefined {
  const { reason, type } = dump.parts[0].kept.record;
  if (crash?.panicked || (type === 'dmesg' && reason === 'Panic')) return 'critical';
  if (crash) return isHarmless(crash.kind) ? 'warning' : 'error';
  return type === 'dmesg' && reason === 'Oops' ? 'error' : undefined;
}

/** What wrote a dump, in one word: the reason where it is a dump of the log, else the type. */
export function whatOf(dump: Dump): string {
  const { type, reason } = dump.parts[0].kept.record;
  return type === 'dmesg' && reason !== null ? reason : type;
}

/** Module of the function that the title names. */
export function moduleOf(crash: Crash | undefined): string {
  return crash?.frames.find(({ name }) => name === crash.function)?.module ?? '';
}
