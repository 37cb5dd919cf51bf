// All kinds of backends. A new one is one line here.

import { blkoops } from './blkoops.js';
import { fadump } from './fadump.js';
import type { AnyKind } from './kind.js';
import { mtdoops } from './mtdoops.js';
import { platformDump } from './platform-dump.js';
import { pstoreBlk } from './pstore_blk.js';
import { ramoops } from './ramoops.js';
import { vmcoredd } from './vmcoredd.js';

export const KINDS: readonly AnyKind[] = [pstoreBlk, blkoops, ramoops, vmcoredd, fadump, mtdoops, platformDump];

export function kindNamed(name: string): AnyKind | undefined {
  return KINDS.find((kind) => kind.name === name);
}
