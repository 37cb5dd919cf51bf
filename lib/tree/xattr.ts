// The extended attributes of a record: user.pstore.*, read-only.

import type { Backend, PstoreRecord } from '../pstore/backend.js';

const PREFIX = 'user.pstore.';

/**
 * What is not known of a record has no attribute.
 * @param base first byte of the source in its file: offsets of records count from there
 * @param understood what the text tells, by names without prefix
 */
export function recordXattrs(
  { backend, base = 0 }: { readonly backend: Backend; readonly base?: number },
  record: PstoreRecord,
  understood: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
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
  for (const [name, value] of understood) attributes.set(PREFIX + name, value);
  return attributes;
}
