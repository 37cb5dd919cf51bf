// Power cuts: what a change writes is recorded once, and then every state is made in which the medium may be found
// afterwards. The record that is changed may be old, new or damaged; every other one must be as it was.

import { type OpenImageOptions, open, type Pstore } from '../../lib/core.js';
import { PstoreError } from '../../lib/errors.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import type { Storage } from '../../lib/storage/storage.js';
import type { Random } from './random.js';
import { isSameRead, orCode, type Shown } from './sane.js';

/** What a medium writes as a whole. */
const SECTOR = 512;
/** Bytes at the beginning and end of a write after each of which it is cut; in between only at sectors. */
const EACH_BYTE = 96;

type Step = { readonly offset: number; readonly bytes: Uint8Array } | 'sync';

/** A medium in memory that remembers what is done to it. */
class Recorder extends MemoryStorage {
  readonly steps: Step[] = [];

  override write(bytes: Uint8Array, offset: number): void {
    this.steps.push({ offset, bytes: new Uint8Array(bytes) });
    super.write(bytes, offset);
  }

  override sync(): void {
    this.steps.push('sync');
  }
}

/** A change of an image, as a command makes it. */
export interface Change {
  readonly name: string;
  /** Names of the records that it may change; undefined where it is known only afterwards. */
  readonly targets: readonly string[] | undefined;
  act(store: Pstore): void;
}

/** Everything that can be asked of an image that changes it; what its family refuses is left out. */
export function changesOf(image: Uint8Array, backend: string): Change[] {
  const changes: Change[] = [...open(image, { backend })].map(({ name }) => ({
    name: `rm ${name}`,
    targets: [name],
    act: (store) => store.erase(name),
  }));
  const data = new TextEncoder().encode('<4>[    9.000000] a new line\n'.repeat(40));
  const record = { reason: 2, timeNs: 1_700_000_000_000_000_000n, compress: 'none', data };
  for (const type of ['dmesg', 'console', 'pmsg', 'tty'] as const) {
    const what = type === 'dmesg' ? 'record' : `tee ${type}`;
    const act = (store: Pstore) => store.backend.write?.({ ...record, type });
    changes.push({ name: what, targets: undefined, act });
  }
  changes.push({ name: 'repair', targets: undefined, act: (store) => void store.backend.repair?.() });
  return changes;
}

/** What came of a state. */
export interface Outcome {
  states: number;
  old: number;
  new: number;
  /** Neither, which is shown by an error, a warning, or a name; or not at all where the format has no checksum. */
  other: number;
  readonly wrong: string[];
}

/** @returns undefined where the family refuses the change, or writes nothing for it */
export function cutPower(
  image: Uint8Array,
  backend: string,
  change: Change,
  random: Random,
  shuffles: number,
): Outcome | undefined {
  const recorder = new Recorder(new Uint8Array(image));
  const store = openAs(recorder, backend);
  const keys = Object.fromEntries(keysOf(store));
  if (orCode(() => change.act(store)) !== undefined) return undefined;
  const { steps } = recorder;
  if (!steps.some((step) => step !== 'sync')) return undefined;
  const before = everything(image, { backend, keys });
  const after = everything(recorder.bytes, { backend, keys });
  const outcome: Outcome = { states: 0, old: 0, new: 0, other: 0, wrong: [] };
  for (const state of states(image, steps, random, shuffles))
    judge(state, { backend, keys, before, after, change }, outcome);
  if (steps.at(-1) !== 'sync') outcome.wrong.push('what was written last is not synced');
  return outcome;
}

function openAs(storage: Storage, backend: string): Pstore {
  return open(storage, { backend, write: true });
}

/** The sizes that were found, as keys: what a person has in a mount's unit. */
function keysOf(store: Pstore): [string, string][] {
  const words = store
    .info()
    .sourceKeys.split(',')
    .filter((word) => word !== '');
  return words.map((word) => [word.split('=')[0]!, word.split('=')[1] ?? '']);
}

function everything(bytes: Uint8Array, how: OpenImageOptions): Shown {
  const store = open(new Uint8Array(bytes), how);
  const shown = new Map([...store].map((record) => [record.name, orCode(() => store.read(record))]));
  store.close();
  return shown;
}

/** The medium after a cut anywhere: in a write, and with any of the writes since the last sync on it, by sectors. */
function* states(image: Uint8Array, steps: readonly Step[], random: Random, shuffles: number): Generator<Uint8Array> {
  const done = new Uint8Array(image);
  let open: Exclude<Step, 'sync'>[] = [];
  for (const step of [...steps, 'sync' as const]) {
    if (step !== 'sync') {
      for (const length of cuts(step.bytes.length)) yield withPart(done, open, step, length);
      open.push(step);
      continue;
    }
    const sectors = open.flatMap(sectorsOf);
    for (let i = 0; i < shuffles && sectors.length > 1; i++) {
      const state = new Uint8Array(done);
      for (const { offset, bytes } of sectors) if (random.oneIn(2)) state.set(bytes, offset);
      yield state;
    }
    for (const { offset, bytes } of open) done.set(bytes, offset);
    open = [];
  }
  yield done;
}

function* cuts(length: number): Generator<number> {
  for (let at = 0; at < length; at++) {
    if (at < EACH_BYTE || at >= length - EACH_BYTE || at % SECTOR === 0) yield at;
  }
}

function withPart(
  done: Uint8Array,
  open: readonly Exclude<Step, 'sync'>[],
  { offset, bytes }: Exclude<Step, 'sync'>,
  length: number,
): Uint8Array {
  const state = new Uint8Array(done);
  for (const whole of open) state.set(whole.bytes, whole.offset);
  state.set(bytes.subarray(0, length), offset);
  return state;
}

function sectorsOf({ offset, bytes }: Exclude<Step, 'sync'>): Exclude<Step, 'sync'>[] {
  const parts: Exclude<Step, 'sync'>[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(SECTOR - ((offset + at) % SECTOR), bytes.length - at);
    parts.push({ offset: offset + at, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return parts;
}

interface Expected {
  readonly backend: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly before: Shown;
  readonly after: Shown;
  readonly change: Change;
}

function judge(state: Uint8Array, { backend, keys, before, after, change }: Expected, outcome: Outcome): void {
  outcome.states++;
  let shown: Shown;
  try {
    // By turns as a unit names it, and as a person opens it who knows nothing of it.
    shown = everything(state, outcome.states % 2 === 0 ? { backend, keys } : {});
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    // Where all records go at once there is none to be kept: an image that says what is damaged is right.
    if (after.size === 0) outcome.other++;
    else outcome.wrong.push(`it does not open: ${error.message}`);
    return;
  }
  // What shares a block of flash with a target goes with it: what the uncut change makes of others is right.
  const isTarget = (name: string) =>
    change.targets?.includes(name) === true || !isSameRead(before.get(name), after.get(name));
  const changed = new Set([...before.keys(), ...after.keys()].filter(isTarget));
  for (const [name, read] of before) {
    if (!changed.has(name) && !isSameRead(read, shown.get(name))) outcome.wrong.push(`${name} is another one`);
  }
  const is = (wanted: Shown) => [...changed].every((name) => isSameRead(wanted.get(name), shown.get(name)));
  if (is(before)) outcome.old++;
  else if (is(after)) outcome.new++;
  else outcome.other++;
  // The ring goes on: what is written next is there.
  if (change.name !== 'record' || outcome.states % 16 !== 0) return;
  const next = open(state, { backend, keys, write: true });
  const names = new Set([...next].map(({ name }) => name));
  change.act(next);
  if (![...next].some(({ name, size }) => size > 0 && (!names.has(name) || after.has(name)))) {
    outcome.wrong.push('the ring does not go on');
  }
  next.close();
}
