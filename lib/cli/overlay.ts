// pstorefuse overlay: what was written over an image, and bringing it into the image or giving it up.
//
// The overlay names its image, but a stranger may have made it: only an image that stands on the command line is opened.

import { unlinkSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { shellWord } from '../source/typed.js';
import { openImage } from '../storage/file.js';
import { OverlayStorage } from '../storage/overlay.js';
import { commitOverlay, OverlayFile } from '../storage/overlay-file.js';
import type { Storage } from '../storage/storage.js';
import { type Command, EXIT } from './command.js';
import { changeText } from './dry-run.js';
import { print, printable } from './print.js';

export const ACTIONS = ['status', 'diff', 'commit', 'discard'] as const;

export const overlay: Command = {
  usage: 'overlay <action> <overlay> [image]',
  summary: 'Show, commit or discard what overlay=FILE has kept (status, diff, commit, discard)',
  examples: [
    ['$0 rm log.raw,overlay=work.ovl dmesg-pstore_blk-0', 'the image is only read'],
    ['$0 overlay status work.ovl log.raw', 'whether it belongs to this image'],
    ['$0 overlay diff work.ovl log.raw', 'which bytes differ'],
    ['$0 overlay commit work.ovl log.raw', 'they are written to the image'],
    ['$0 overlay discard work.ovl', 'they are given up'],
  ],
  details: [
    'diff and commit need the image, status compares with it where it is given. The path that an overlay has for its image ' +
      'is only shown, never opened: who made the overlay may have written any path into it.',
  ],
  build: (yargs) => yargs,
  run: (args) => {
    const action = ACTIONS.find((known) => known === args.text('action'));
    if (action === undefined)
      throw new PstoreError('EINVAL', `overlay ${args.text('action')}: known are ${ACTIONS.join(', ')}`);
    const path = args.text('overlay')!;
    const image = args.text('image');
    if (action === 'status') printStatus(path, image);
    else if (action === 'discard') discard(path);
    else if (image === undefined) throw imageMissing(action, path);
    else if (action === 'diff') printChanges(path, image);
    else print(`blocks written: ${commitOverlay(path, image)}\n`);
    return EXIT.OK;
  },
};

function imageMissing(action: string, path: string): PstoreError {
  const named = withOverlay(path, (file) => file.header.path);
  const sentence = `${path} was made over ${named}, by its own account; name the image that you mean`;
  return new PstoreError('EINVAL', `${sentence}: pstorefuse overlay ${action} ${shellWord(path)} IMAGE`, { path });
}

function withOverlay<T>(path: string, act: (file: OverlayFile) => T): T {
  const file = OverlayFile.open(path, 'read');
  try {
    return act(file);
  } finally {
    file.close();
  }
}

function withImage<T>(path: string, act: (image: Storage) => T): T {
  const image = openImage(path, { mode: 'read' });
  try {
    return act(image);
  } finally {
    image.close();
  }
}

function printStatus(path: string, image: string | undefined): void {
  withOverlay(path, (file) => {
    const { path: named, size } = file.header;
    let blocks = 0;
    for (const _ of file.numbers()) blocks++;
    print(`image:   ${printable(named)} (${size} bytes)\nblocks:  ${blocks}\nstate:   ${stateOf(file, image)}\n`);
  });
}

function stateOf(file: OverlayFile, image: string | undefined): string {
  const { isCommitting } = file.header;
  const cutOff = 'a commit was cut off: commit again';
  if (image === undefined) return isCommitting ? cutOff : 'open; name an image to know whether it belongs to that';
  try {
    withImage(image, (below) => file.checkToCommit(below));
    return isCommitting ? cutOff : 'it can be committed';
  } catch (error) {
    if (error instanceof PstoreError) return printable(error.message);
    throw error;
  }
}

function printChanges(path: string, image: string): void {
  withOverlay(path, (file) =>
    withImage(image, (below) => {
      file.checkToCommit(below);
      for (const change of new OverlayStorage(below, file).changes()) print(`${changeText(change)}\n`);
    }),
  );
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
