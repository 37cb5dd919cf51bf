// What a mount tells of a record in extended attributes: a title, a signature, a verdict.

import { PstoreError } from '../errors.js';
import { dumpOfOne, isLog, type KeptRecord } from './dump.js';
import { writer } from './explain.js';
import { explainDump } from './explained.js';

/** `getfattr -d` asks for each attribute by itself: so many records are not explained again for each. */
const MAX_KEPT = 64;

export type Attributes = ReadonlyMap<string, string>;

const NONE: Attributes = new Map();

/** Gives the attributes of records, and remembers those of the last ones. */
export class RecordAttributes {
  readonly #kept = new Map<string, Attributes>();

  /** By names without `user.pstore.`; none of a record that holds no log, or cannot be read. */
  of(kept: KeptRecord): Attributes {
    if (!isLog(kept.record)) return NONE;
    const { label, backend } = kept.mounted;
    const { slot, name } = kept.record;
    const key = `${label}/${name} ${slot} ${backend.generation(slot)} ${kept.record.size}`;
    const known = this.#kept.get(key);
    if (known) return known;
    const attributes = explained(kept);
    this.#kept.set(key, attributes);
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return attributes;
  }
}

function explained(kept: KeptRecord): Attributes {
  try {
    const { explanation, reason } = explainDump(dumpOfOne(kept));
    const crash = writer(explanation, reason ?? undefined);
    const attributes = new Map([
      ['summary', crash?.title ?? 'no crash'],
      ['verdict', crash?.verdict ?? explanation.verdict],
    ]);
    if (crash) attributes.set('signature', crash.signature);
    return attributes;
  } catch (error) {
    if (error instanceof PstoreError) return NONE;
    throw error;
  }
}
