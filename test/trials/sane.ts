// What must hold of any image, whatever is in it. Each check throws a sentence that says what is wrong.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OpenImageOptions, open, type Pstore } from '../../lib/core.js';
import { PstoreError } from '../../lib/errors.js';
import { ROOT_INO } from '../../lib/tree/tree.js';
import { HARMLESS_NAME } from '../builders/store.js';

export class Wrong extends Error {}

export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Wrong(otherwise);
}

/** What names and messages must not bring to a terminal. */
export const CONTROLS = /[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
let scratch: string | undefined;

/** A folder of this process alone, gone with it. */
export function scratchFile(name: string): string {
  if (scratch === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'pstorefuse-fuzz-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    scratch = made;
  }
  return join(scratch, name);
}

/** One record, or why it cannot be read. */
export type Shown = ReadonlyMap<string, Uint8Array | string>;

/** The result of something that may be refused with a PstoreError, but fails in no other way. */
export function orCode<T>(act: () => T): T | string {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    must(!CONTROLS.test(error.message), `a message has control characters: ${JSON.stringify(error.message)}`);
    return error.code;
  }
}

/** Looks at everything in an image twice, and changes nothing. @returns what it shows; undefined where it does not open */
export function look(bytes: Uint8Array, options: OpenImageOptions = {}): Shown | undefined {
  const before = new Uint8Array(bytes);
  const store = orCode(() => open(bytes, { name: 'image.raw', ...options }));
  if (typeof store === 'string') return undefined;
  try {
    const shown = everything(store);
    must(store.backend.refresh?.() !== true, 'a second look at the same bytes finds a change');
    must(isSame(shown, everything(store)), 'a second look shows something else');
    must(Buffer.compare(before, bytes) === 0, 'looking changed a byte');
    return shown;
  } finally {
    store.close();
  }
}

function everything(store: Pstore): Shown {
  const shown = new Map<string, Uint8Array | string>();
  for (const record of store) {
    must(HARMLESS_NAME.test(record.name), `a record is called ${JSON.stringify(record.name)}`);
    must(!shown.has(record.name), `two records are called ${record.name}`);
    must(store.backend.find(record.name) === record.slot, `${record.name} is not found by its name`);
    const read = orCode(() => store.read(record));
    must(typeof read === 'string' || read.length === record.size, `${record.name}: its size is not what reading gives`);
    shown.set(record.name, read);
  }
  const { zones } = store.info();
  for (const { state, reason } of zones) must(!CONTROLS.test(`${state}${reason}`), `control characters in ${reason}`);
  for (const { message } of store.warnings) must(!CONTROLS.test(message), `control characters in ${message}`);
  return shown;
}

/** What the file system of an image shows, by inodes and names. */
export function byTree(store: Pstore): Shown {
  const tree = store.tree();
  const shown = new Map<string, Uint8Array | string>();
  for (const { name, ino, attr, isDirectory } of tree.entries(ROOT_INO)) {
    if (isDirectory) continue;
    must(tree.lookup(ROOT_INO, name) === ino, `${name} is listed with another inode than it is found with`);
    const bytes = new Uint8Array(attr.size);
    shown.set(
      name,
      orCode(() => bytes.subarray(0, tree.read(ino, bytes, 0))),
    );
  }
  return shown;
}

export function isSame(a: Shown, b: Shown): boolean {
  if (a.size !== b.size) return false;
  for (const [name, read] of a) if (!isSameRead(read, b.get(name))) return false;
  return true;
}

export function isSameRead(a: Uint8Array | string | undefined, b: Uint8Array | string | undefined): boolean {
  if (a === undefined || b === undefined || typeof a === 'string' || typeof b === 'string') return a === b;
  return Buffer.compare(a, b) === 0;
}
