// Faults of the medium, each under every family and command: prints a table of what a person sees. scripts/faults runs it.

import { open, type Pstore } from '../lib/core.js';
import { PstoreError } from '../lib/errors.js';
import { MemoryStorage } from '../lib/storage/memory.js';
import { FaultyStorage } from '../test/builders/faulty.js';
import { SPECIMENS, type Specimen } from '../test/builders/specimens.js';

const BLOCK = 4096;

/** What happens to the medium. @param after it was opened, where that is when it happens */
interface Fault {
  readonly name: string;
  apply(medium: FaultyStorage, bytes: Uint8Array): void;
  readonly isLater?: boolean;
}

const FAULTS: readonly Fault[] = [
  { name: 'none', apply: () => {} },
  { name: 'EIO, first block', apply: (medium) => broken(medium, 0, BLOCK, 'read') },
  { name: 'EIO, second half', apply: (medium, { length }) => broken(medium, length >> 1, length, 'read') },
  { name: 'EIO everywhere', apply: (medium, { length }) => broken(medium, 0, length, 'read') },
  { name: 'EIO on writes', apply: (medium, { length }) => broken(medium, 0, length, 'write') },
  { name: 'EIO on sync', apply: (medium) => set(medium, { failingSyncs: 1 }) },
  { name: 'short', apply: (medium, { length }) => set(medium, { end: length >> 1 }) },
  { name: 'cut while open', apply: (medium, { length }) => set(medium, { end: length >> 1 }), isLater: true },
  { name: 'gone while open', apply: (medium) => set(medium, { there: false }), isLater: true },
  { name: 'other bytes while open', apply: (_, bytes) => void bytes.fill(0x41), isLater: true },
];

function set(medium: FaultyStorage, state: Partial<Pick<FaultyStorage, 'failingSyncs' | 'end' | 'there'>>): void {
  Object.assign(medium, state);
}

function broken(medium: FaultyStorage, offset: number, length: number, on: 'read' | 'write'): void {
  medium.broken = [{ offset, length, code: 'EIO', on }];
}

const COMMANDS: Readonly<Record<string, (store: Pstore) => void>> = {
  ls: (store) => void [...store],
  info: (store) => void [...store.info().zones],
  cat: (store) => {
    for (const record of store) store.read(record);
  },
  rm: (store) => {
    for (const record of [...store]) store.erase(record);
  },
  record: (store) => {
    const data = new TextEncoder().encode('<4>[    9.000000] a new line\n');
    store.backend.write?.({ type: 'dmesg', reason: 2, timeNs: 1n, compress: 'none', data });
  },
};

/** How it ends: the code of the error, or the warnings that are said, or nothing. */
function outcome(specimen: Specimen, fault: Fault, act: (store: Pstore) => void): string {
  const bytes = specimen.bytes();
  const medium = new FaultyStorage(new MemoryStorage(bytes, { path: 'image.raw' }));
  try {
    if (!fault.isLater) fault.apply(medium, bytes);
    const store = open(medium, { backend: specimen.kind, write: true, name: 'image.raw' });
    if (fault.isLater) fault.apply(medium, bytes);
    act(store);
    const codes = new Set(store.warnings.map(({ code }) => code));
    return codes.size > 0 ? [...codes].join(' ') : 'as usual';
  } catch (error) {
    if (!(error instanceof PstoreError)) {
      bugs++;
      return `A BUG: ${(error as Error).message}`;
    }
    if (!error.message.includes('image.raw')) {
      bugs++;
      return `A MESSAGE THAT NAMES NO IMAGE: ${error.message}`;
    }
    return error.code;
  }
}

let bugs = 0;
process.stdout.write('| family | fault | command | what is seen |\n|---|---|---|---|\n');
for (const specimen of SPECIMENS) {
  for (const fault of FAULTS) {
    for (const [command, act] of Object.entries(COMMANDS)) {
      const seen = outcome(specimen, fault, act);
      process.stdout.write(`| ${specimen.kind} ${specimen.name} | ${fault.name} | ${command} | ${seen} |\n`);
    }
  }
}
process.stdout.write(`\n${bugs} bugs\n`);
process.exit(bugs === 0 ? 0 : 1);
