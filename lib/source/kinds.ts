// All kinds of backends. A new one is one line here.

import { blkoops } from '../blk/blkoops.js';
import { pstoreBlk } from '../blk/pstore_blk.js';
import { efi } from '../efi/backend.js';
import { erst } from '../erst/backend.js';
import { fadump } from '../fadump/backend.js';
import { mtdoops } from '../mtdoops/open.js';
import { platformDump } from '../platform-dump/backend.js';
import type { AnyKind } from '../pstore/kind.js';
import { ramoops } from '../ramoops/open.js';
import { vmcoredd } from '../vmcore/backend.js';

export const KINDS: readonly AnyKind[] = [
  pstoreBlk,
  blkoops,
  ramoops,
  vmcoredd,
  fadump,
  mtdoops,
  efi,
  erst,
  platformDump,
];

export function kindNamed(name: string): AnyKind | undefined {
  return KINDS.find((kind) => kind.name === name);
}
