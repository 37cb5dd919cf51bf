// The option --erased: what was erased, in the place of what is there.

import { ErasedRecords } from '../pstore/erased-records.js';
import type { Mounted } from '../tree/tree.js';

/** A source with its erased records in the place of the others. */
export function erasedOf<M extends Mounted>(mounted: M): Omit<M, 'backend'> & { readonly backend: ErasedRecords } {
  return { ...mounted, backend: new ErasedRecords(mounted.backend) };
}
