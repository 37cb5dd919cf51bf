// The journal export format (systemd.io/JOURNAL_EXPORT_FORMATS): what systemd-journal-remote takes.

import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Crash } from '../triage/crash.js';
import type { Kind } from '../triage/rule.js';
import type { Exported } from './exported.js';

/** Tells these entries from all others: `journalctl MESSAGE_ID=…`. */
const MESSAGE_ID = '7d1d7e5c3a0f4f6c9b8e2a4c61d35f90';

/** syslog's levels. */
const Priority = { EMERGENCY: 0, CRITICAL: 2, ERROR: 3, WARNING: 4, INFO: 6 } as const;

/** After these the kernel goes on as before. */
const WARNINGS: ReadonlySet<Kind> = new Set(['warning', 'lockdep', 'ubsan', 'kcsan', 'leak', 'atomic-sleep']);

type Field = readonly [name: string, value: string | number | Uint8Array | null | undefined];

const encoder = new TextEncoder();

/** One entry: a field a line, or with its length where the value has lines of its own or is no text; then an empty line. */
function serialize(fields: readonly Field[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const [name, value] of fields) {
    if (value === null || value === undefined || value === '') continue;
    const bytes = typeof value === 'object' ? value : encoder.encode(String(value));
    if (bytes.every((byte) => byte >= 0x20 && byte !== 0x7f)) {
      pieces.push(encoder.encode(`${name}=`), bytes, NEWLINE);
      continue;
    }
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true);
    pieces.push(encoder.encode(`${name}\n`), length, bytes, NEWLINE);
  }
  pieces.push(NEWLINE);
  return Buffer.concat(pieces);
}

const NEWLINE = Uint8Array.of(0x0a);

export function journalEntry(exported: Exported): Uint8Array {
  const { path, dump, explained, crash, bytes, sha256 } = exported;
  const { record, mounted } = dump.parts[0].kept;
  const { kernel, machine, verdict } = crash ?? explained.explanation;
  const what = crash?.title ?? `${record.reason ?? record.type}: ${explained.names[0]}`;
  const text = record.state === 'undecodable' ? undefined : bytes;
  return serialize([
    ...timeFields(path, record.mtimeNs, crash),
    ['PRIORITY', priorityOf(record.reason, crash)],
    ['SYSLOG_IDENTIFIER', 'pstorefuse'],
    ['MESSAGE_ID', MESSAGE_ID],
    ['_HOSTNAME', machine],
    ['MESSAGE', text ? Buffer.concat([encoder.encode(`${what}\n`), withoutEnd(text)]) : what],
    ['PSTORE_PATH', path],
    ['PSTORE_SHA256', sha256],
    ['PSTORE_BACKEND', mounted.backend.name],
    ...explained.names.map((name): Field => ['PSTORE_NAME', name]),
    ['PSTORE_TYPE', record.type],
    ['PSTORE_REASON', record.reason],
    ['PSTORE_COUNT', record.count],
    ['PSTORE_TITLE', crash?.title],
    ['PSTORE_KIND', crash?.kind],
    ['PSTORE_FUNCTION', crash?.function],
    ['PSTORE_SIGNATURE', crash?.signature],
    ['PSTORE_KERNEL', kernel],
    ['PSTORE_COMM', crash?.comm],
    ['PSTORE_PID', crash?.pid],
    ['PSTORE_CPU', crash?.cpu],
    ['PSTORE_TAINT', crash?.taint?.flags],
    ['PSTORE_VERDICT', verdict],
    ...exported.warnings.map((warning): Field => ['PSTORE_WARNING', warning]),
  ]);
}

export function journalError(path: string, message: string): Uint8Array {
  return serialize([
    ...timeFields(path, null, undefined),
    ['PRIORITY', Priority.ERROR],
    ['SYSLOG_IDENTIFIER', 'pstorefuse'],
    ['MESSAGE_ID', MESSAGE_ID],
    ['MESSAGE', message],
    ['PSTORE_PATH', path],
    ['PSTORE_ERROR', message],
  ]);
}

/** journalctl ends each message itself. */
function withoutEnd(text: Uint8Array): Uint8Array {
  return text.at(-1) === 0x0a ? text.subarray(0, -1) : text;
}

/** systemd-journal-remote takes the time of its own clock where an entry lacks one of these. */
function timeFields(path: string, mtimeNs: bigint | null, crash: Crash | undefined): Field[] {
  // A number that stands for the boot that wrote the image: nobody knows the real one.
  const boot = createHash('sha256').update(path).digest('hex').slice(0, 32);
  const micros = Math.max(1, Math.round((crash?.uptime ?? 0) * 1e6));
  return [
    ['__REALTIME_TIMESTAMP', String(realtimeOf(path, mtimeNs, crash))],
    ['__MONOTONIC_TIMESTAMP', micros],
    ['_BOOT_ID', boot],
  ];
}

/** Microseconds since 1970: of the record, else of the crash, else of the image's file. */
function realtimeOf(path: string, mtimeNs: bigint | null, crash: Crash | undefined): bigint {
  if (mtimeNs !== null && mtimeNs > 0n) return mtimeNs / 1000n;
  const wall = Date.parse(crash?.wall ?? '');
  if (wall > 0) return BigInt(Math.round(wall)) * 1000n;
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && stats.mtimeMs >= 1 ? BigInt(Math.round(stats.mtimeMs)) * 1000n : BigInt(Date.now()) * 1000n;
}

function priorityOf(reason: string | null, crash: Crash | undefined): number {
  if (crash?.panicked || reason === 'Panic') return Priority.EMERGENCY;
  if (!crash) return Priority.INFO;
  return WARNINGS.has(crash.kind) ? Priority.WARNING : Priority.CRITICAL;
}
