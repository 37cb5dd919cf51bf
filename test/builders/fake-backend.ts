// A backend in memory for tests of what stands above it: slots that hold a text, are erased, and are used again.

import { type ErrorCode, PstoreError } from '../../lib/errors.js';
import type { Backend, BackendInfo, PstoreRecord, RecordContent, SpaceUsage } from '../../lib/pstore/backend.js';
import { Warnings } from '../../lib/warnings.js';

interface Slot {
  generation: number;
  name: string;
  text: string | undefined;
}

export class FakeBackend implements Backend {
  readonly name: string;
  readonly path: string;
  readonly warnings = new Warnings();
  readonly writable = true;
  hasUsualNames = true;
  /** Set, it is what the next erase fails with. */
  failsWith: ErrorCode | undefined;
  isClosed = false;
  /** Contents that are open now. */
  opened = 0;
  readonly #slots: Slot[] = [];

  /** @param texts of the slots' records; null is an empty slot */
  constructor(name: string, texts: readonly (string | null)[] = []) {
    this.name = name;
    this.path = `${name}.raw`;
    for (const text of texts) this.#slots.push(this.#slot(this.#slots.length, text ?? undefined));
  }

  #slot(slot: number, text: string | undefined, name = `dmesg-${this.name}-${slot}`): Slot {
    return { generation: 0, name, text };
  }

  get slots(): number {
    return this.#slots.length;
  }

  /** A record with a name of its own in a new slot. */
  add(text: string, name?: string): number {
    this.hasUsualNames &&= name === undefined;
    return this.#slots.push(this.#slot(this.#slots.length, text, name)) - 1;
  }

  /** Another record in the same slot. */
  reuse(slot: number, text: string): void {
    const reused = this.#slots[slot]!;
    reused.generation++;
    reused.text = text;
  }

  record(slot: number): PstoreRecord | undefined {
    const { text, name } = this.#slots[slot] ?? {};
    if (text === undefined || name === undefined) return undefined;
    return {
      slot,
      type: 'dmesg',
      id: slot,
      name,
      size: Buffer.byteLength(text),
      mtimeNs: slot % 2 === 0 ? BigInt(slot) * 1_000_000_001n : null,
      reason: slot === 0 ? 'Oops' : null,
      count: slot === 0 ? 7 : null,
      compressed: null,
      state: 'live',
      offset: slot * 4096,
      title: slot === 0 ? 'eth0' : null,
      ecc: null,
    };
  }

  find(name: string): number | undefined {
    const slot = this.#slots.findIndex((candidate) => candidate.text !== undefined && candidate.name === name);
    return slot < 0 ? undefined : slot;
  }

  generation(slot: number): number {
    return this.#slots[slot]?.generation ?? 0;
  }

  open(slot: number): RecordContent {
    const text = this.#slots[slot]?.text;
    if (text === undefined) throw new PstoreError('ENOENT', `${this.path}: slot ${slot} shows no record`);
    const bytes = Buffer.from(text);
    this.opened++;
    return {
      size: bytes.length,
      read: (target, position) => {
        const part = bytes.subarray(position, position + target.length);
        target.set(part);
        return part.length;
      },
      close: () => {
        this.opened--;
      },
    };
  }

  erase(slot: number): void {
    if (this.failsWith) throw new PstoreError(this.failsWith, `${this.path}: ${this.failsWith}`);
    this.#slots[slot]!.text = undefined;
  }

  space(): SpaceUsage {
    const records = this.#slots.filter(({ text }) => text !== undefined).length;
    const freeSlots = this.slots - records;
    return { bytes: this.slots * 4096 + 100, freeBytes: freeSlots * 4096, records, freeSlots };
  }

  info(): BackendInfo {
    throw new Error('the tree asks for no explanation');
  }

  close(): void {
    this.isClosed = true;
  }
}
