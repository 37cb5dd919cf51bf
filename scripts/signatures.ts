// Signatures over many logs and images: what shares one, on which architectures; two titles under one are a fault.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { open } from '../lib/core.js';
import { PstoreError } from '../lib/errors.js';
import { MemoryStorage } from '../lib/storage/memory.js';
import type { Crash } from '../lib/triage/crash.js';
import { explain } from '../lib/triage/explain.js';
import { explainRecords } from '../lib/triage/explained.js';
import { isLogText, TEXT_SAMPLE } from '../lib/triage/text.js';

interface Seen {
  readonly titles: Set<string>;
  readonly architectures: Set<string>;
  readonly files: Set<string>;
  count: number;
}

const isAll = process.argv.includes('--all');
const paths = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const signatures = new Map<string, Seen>();
let crashes = 0;

for (const path of paths.flatMap(filesIn)) for (const crash of crashesOf(path)) add(path, crash);

const rows = [...signatures].sort(([, a], [, b]) => b.count - a.count);
const shown = rows.filter(([, { count }]) => isAll || count > 1);
for (const [signature, { titles, architectures, files, count }] of shown) {
  console.log(`${String(count).padStart(6)}  ${signature}  ${files.size} files, ${[...architectures].join(' ')}`);
  for (const title of titles) console.log(`        ${title}`);
}
const mixed = rows.filter(([, { titles }]) => titles.size > 1);
console.log(`${crashes} crashes, ${rows.length} signatures, ${mixed.length} with more than one title`);
for (const [signature, { titles }] of mixed) console.log(`mixed: ${signature}: ${[...titles].join(' | ')}`);
process.exitCode = mixed.length > 0 ? 1 : 0;

function add(path: string, { signature, title, architecture }: Crash): void {
  const none = { titles: new Set<string>(), architectures: new Set<string>(), files: new Set<string>(), count: 0 };
  const seen = signatures.get(signature) ?? none;
  signatures.set(signature, seen);
  crashes++;
  seen.count++;
  seen.titles.add(title);
  seen.architectures.add(architecture ?? '?');
  seen.files.add(path);
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}

function crashesOf(path: string): readonly Crash[] {
  const packed = readFileSync(path);
  const bytes = path.endsWith('.gz') ? gunzipSync(packed) : packed;
  if (isLogText(bytes.subarray(0, TEXT_SAMPLE))) return explain(bytes.toString('utf8'), { first: true }).crashes;
  try {
    const store = open(new MemoryStorage(bytes, { path }), { name: path });
    const records = [...store].map((record) => ({ mounted: { backend: store.backend, label: path }, record }));
    return [...explainRecords(records, {})].flatMap(({ explanation }) => explanation.crashes);
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    return [];
  }
}
