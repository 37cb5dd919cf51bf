// All kinds of backends. A new one is one line here.

import { blkoops } from './blkoops.js';
import type { BackendKind } from './kind.js';
import { mtdoops } from './mtdoops.js';
import { pstoreBlk } from './pstore_blk.js';
import { ramoops } from './ramoops.js';
import { vmcoredd } from './vmcoredd.js';

export const KINDS: readonly BackendKind[] = [pstoreBlk, blkoops, ramoops, vmcoredd, mtdoops];

export function kindNamed(name: string): BackendKind | undefined {
  return KINDS.find((kind) => kind.name === name);
}
