// Faults of the medium, each under every family and command: prints a table of what a person sees. scripts/faults runs it.

import { open, type Pstore } from '../lib/core.js';
import { PstoreError } from '../lib/errors.js';
import { MemoryStorage } from '../lib/storage/memory.js';
import { FaultyStorage } from '../test/builders/faulty.js';
import { SPECIMENS, type Specimen } from '../test/builders/specimens.js';
import { scriptOptions } from './options.js';

const BLOCK = 4096;
/** Bytes that a grown image has more. */
const GROWTH = 12_345;

/** What happens to the medium. */
interface Fault {
  readonly name: string;
  apply(medium: FaultyStorage, bytes: Uint8Array): void;
  /** It happens after the image was opened. */
  readonly isLater?: boolean;
  /** Nothing can be written: an erase is an error, and no byte changes. */
  readonly isReadOnly?: boolean;
  /** What the image becomes before anybody opens it. */
  change?(bytes: Uint8Array): Uint8Array;
}

const FAULTS: readonly Fault[] = [
  { name: 'none', apply: () => {} },
  { name: 'EIO, first block', apply: (medium) => broken(medium, 0, BLOCK, 'read') },
  { name: 'EIO, second half', apply: (medium, { length }) => broken(medium, length >> 1, length, 'read') },
  { name: 'EIO everywhere', apply: (medium, { length }) => broken(medium, 0, length, 'read') },
  { name: 'EIO while open', apply: (medium, { length }) => broken(medium, 0, length, 'read'), isLater: true },
  { name: 'EIO on writes', apply: (medium, { length }) => broken(medium, 0, length, 'write'), isReadOnly: true },
  { name: 'ENOSPC on writes', apply: (medium, { length }) => full(medium, length, 'ENOSPC'), isReadOnly: true },
  { name: 'EROFS on writes', apply: (medium, { length }) => full(medium, length, 'EROFS'), isReadOnly: true },
  { name: 'EIO on sync', apply: (medium) => set(medium, { failingSyncs: 1 }) },
  { name: 'short', apply: (medium, { length }) => set(medium, { end: length >> 1 }) },
  { name: 'cut while open', apply: (medium, { length }) => set(medium, { end: length >> 1 }), isLater: true },
  { name: 'empty while open', apply: (medium) => set(medium, { end: 0 }), isLater: true },
  { name: 'gone while open', apply: (medium) => set(medium, { there: false }), isLater: true },
  { name: 'other bytes while open', apply: (_, bytes) => void bytes.fill(0x41), isLater: true },
  { name: 'zeros while open', apply: (_, bytes) => void bytes.fill(0), isLater: true },
  { name: 'grown by zeros', apply: () => {}, change: (bytes) => grown(bytes, 0) },
  { name: 'grown by 0xFF', apply: () => {}, change: (bytes) => grown(bytes, 0xff) },
];

function grown(bytes: Uint8Array, filler: number): Uint8Array {
  const longer = new Uint8Array(bytes.length + GROWTH).fill(filler, bytes.length);
  longer.set(bytes);
  return longer;
}

function full(medium: FaultyStorage, length: number, code: 'ENOSPC' | 'EROFS'): void {
  medium.broken = [{ offset: 0, length, code, on: 'write' }];
}

function set(medium: FaultyStorage, state: Partial<Pick<FaultyStorage, 'failingSyncs' | 'end' | 'there'>>): void {
  Object.assign(medium, state);
}

function broken(medium: FaultyStorage, offset: number, length: number, on: 'read' | 'write'): void {
  medium.broken = [{ offset, length, code: 'EIO', on }];
}

const LINE = new TextEncoder().encode('<4>[    9.000000] a new line\n');

const COMMANDS: Readonly<Record<string, (store: Pstore) => void>> = {
  ls: (store) => void [...store],
  info: (store) => void [...store.info().zones],
  cat: (store) => {
    for (const record of store) store.read(record);
  },
  rm: (store) => {
    for (const record of [...store]) store.erase(record);
  },
  record: (store) => store.backend.write?.({ type: 'dmesg', reason: 2, timeNs: 1n, compress: 'none', data: LINE }),
  tee: (store) => store.backend.write?.({ type: 'console', reason: 0, timeNs: 1n, compress: 'none', data: LINE }),
  repair: (store) => void store.backend.repair?.(),
};

/** How it ends: the code of the error, or the warnings that are said, or nothing. */
function outcome(specimen: Specimen, fault: Fault, act: (store: Pstore) => void): string {
  const before = specimen.bytes();
  const bytes = fault.change?.(before) ?? new Uint8Array(before);
  const medium = new FaultyStorage(new MemoryStorage(bytes, { path: 'image.raw' }));
  let seen: string;
  let left = 0;
  try {
    if (!fault.isLater) fault.apply(medium, bytes);
    const store = open(medium, { backend: specimen.kind, write: true, name: 'image.raw' });
    if (fault.isLater) fault.apply(medium, bytes);
    left = [...store].length;
    act(store);
    const codes = new Set(store.warnings.map(({ code }) => code));
    left -= [...store].length;
    store.close();
    seen = codes.size > 0 ? [...codes].join(' ') : 'as usual';
  } catch (error) {
    left = 0;
    seen = sentenceOf(error);
  }
  if (fault.isReadOnly && left > 0) seen = bug(`${left} records are erased that are still there`);
  if (fault.isReadOnly && Buffer.compare(bytes, before) !== 0) seen = bug('bytes have changed');
  return seen;
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof PstoreError)) return bug((error as Error).message);
  return error.message.includes('image.raw') ? error.code : bug(`the message names no image: ${error.message}`);
}

function bug(what: string): string {
  bugs++;
  return `A BUG: ${what}`;
}

const { values: options } = scriptOptions('faults', {
  options: {
    /** Only the first specimen of each family. */
    first: { type: 'boolean', default: false },
  },
});
const isFirst = ({ kind }: Specimen, i: number) => SPECIMENS.findIndex((other) => other.kind === kind) === i;
let bugs = 0;
process.stdout.write('| family | fault | command | what is seen |\n|---|---|---|---|\n');
for (const specimen of SPECIMENS.filter((one, i) => !options.first || isFirst(one, i))) {
  for (const fault of FAULTS) {
    for (const [command, act] of Object.entries(COMMANDS)) {
      const seen = outcome(specimen, fault, act);
      process.stdout.write(`| ${specimen.kind} ${specimen.name} | ${fault.name} | ${command} | ${seen} |\n`);
    }
  }
}
process.stdout.write(`\n${bugs} bugs\n`);
process.exit(bugs === 0 ? 0 : 1);
