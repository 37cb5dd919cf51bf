// One healthy image or more of every kind: what the contract is checked on. A new kind adds its own here.

import { goldenImage } from '../fixture-path.js';
import { BLK_MAKERS } from './blk-dialects.js';
import { buildFadump } from './fadump.js';
import { secondTextImage } from './mtdoops.js';
import { dice } from './ramoops-dialects.js';

export interface Specimen {
  /** The kind that recognises it. */
  readonly kind: string;
  readonly name: string;
  readonly bytes: () => Uint8Array;
  /** Bytes that hold the format's only header: without them nothing tells what the image is. */
  readonly header: number;
}

const golden = (kind: string, folder: string, image = 'image.raw', header = 0): Specimen => ({
  kind,
  name: folder,
  bytes: () => goldenImage(folder, image),
  header,
});

/** An image with several dumps and a ring. */
const VENDOR_SEED = 15;

export const SPECIMENS: readonly Specimen[] = [
  golden('pstore_blk', 's1'),
  golden('pstore_blk', 's3'),
  golden('blkoops', 'v2'),
  golden('ramoops', 'r1'),
  golden('ramoops', 'r2'),
  golden('ramoops', 'a64-r1-ftrace'),
  {
    kind: 'pstore_blk',
    name: "the vendors' dialect",
    bytes: () => BLK_MAKERS.vendor!(dice(VENDOR_SEED)).image,
    header: 0,
  },
  golden('mtdoops', 'mtdoops-1'),
  { kind: 'mtdoops', name: 'a second text in each page', bytes: secondTextImage, header: 0 },
  golden('vmcoredd', 'vmcoredd-1', 'vmcore-head.raw', 4096),
  golden('efi', 'efi-rec4096', 'image.raw', 4096),
  golden('efi', 'efi-oops3', 'image.raw', 4096),
  golden('erst', 'erst-rm', 'image.raw', 4096),
  {
    kind: 'fadump',
    name: 'new layout',
    bytes: () => buildFadump({ endian: 'big', layout: 'new' }),
    header: Number.POSITIVE_INFINITY,
  },
];
