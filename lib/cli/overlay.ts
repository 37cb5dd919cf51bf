// pstorefuse overlay: what was written over an image, and bringing it into the image or giving it up.

import { unlinkSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { openImage } from '../storage/file.js';
import { OverlayStorage } from '../storage/overlay.js';
import { commitOverlay, OverlayFile } from '../storage/overlay-file.js';
import { type Command, EXIT } from './command.js';
import { changeText } from './dry-run.js';
import { print, printable } from './print.js';

const ACTIONS = ['status', 'diff', 'commit', 'discard'] as const;

export const overlay: Command = {
  usage: 'overlay <action> <overlay>',
  summary: 'Show, commit or discard what overlay=FILE has kept (status, diff, commit, discard)',
  examples: [
    ['$0 rm log.raw,overlay=work.ovl dmesg-pstore_blk-0', 'the image is only read'],
    ['$0 overlay diff work.ovl', 'which bytes differ'],
    ['$0 overlay commit work.ovl', 'they are written to the image'],
  ],
  build: (yargs) => yargs,
  run: (args) => {
    const action = args.choice('action', ACTIONS);
    const path = args.text('overlay')!;
    if (action === 'commit') print(`blocks written: ${commitOverlay(path)}\n`);
    else if (action === 'discard') discard(path);
    else show(path, action === 'diff');
    return EXIT.OK;
  },
};

function show(path: string, withBytes: boolean): void {
  const file = OverlayFile.open(path, 'read');
  try {
    const { path: image, size, isCommitting } = file.header;
    if (!withBytes) {
      const state = isCommitting ? 'a commit was cut off: commit again' : stateOf(file);
      print(
        `image:   ${printable(image)} (${size} bytes)\nblocks:  ${[...file.numbers()].length}\nstate:   ${state}\n`,
      );
      return;
    }
    const below = openImage(image, { mode: 'read' });
    try {
      if (!isCommitting) file.check(below);
      for (const change of new OverlayStorage(below, file).changes()) print(`${changeText(change)}\n`);
    } finally {
      below.close();
    }
  } finally {
    file.close();
  }
}

function stateOf(file: OverlayFile): string {
  try {
    const below = openImage(file.header.path, { mode: 'read' });
    try {
      file.check(below);
      return 'it can be committed';
    } finally {
      below.close();
    }
  } catch (error) {
    if (error instanceof PstoreError) return printable(error.message);
    throw error;
  }
}

/** @throws PstoreError EBUSY where half of it may be in the image */
function discard(path: string): void {
  const file = OverlayFile.open(path, 'must');
  try {
    if (file.header.isCommitting) {
      throw new PstoreError('EBUSY', `${path}: a part of it may be in the image already: commit it again`, { path });
    }
    unlinkSync(path);
  } finally {
    file.close();
  }
}
