// The extended attributes of a record: user.pstore.*, read-only.

import type { PstoreRecord } from '../pstore/backend.js';
import type { Mounted } from './tree.js';

const PREFIX = 'user.pstore.';

/** What is not known of a record has no attribute. */
export function recordXattrs({ backend, base = 0 }: Mounted, record: PstoreRecord): ReadonlyMap<string, string> {
  const values: Record<string, string | number | null> = {
    backend: backend.name,
    type: record.type,
    reason: record.reason,
    count: record.count,
    compression: record.compressed,
    offset: base + record.offset,
    ecc: record.ecc,
    state: record.state,
    title: record.title,
  };
  const attributes = new Map<string, string>();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null) attributes.set(PREFIX + name, String(value));
  }
  return attributes;
}
