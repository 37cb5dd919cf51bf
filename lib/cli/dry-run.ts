// The option --dry-run: a command does all that it does, but over a copy in memory, and says what it would have written.

import { hexText } from '../bytes.js';
import type { Change } from '../storage/overlay.js';
import { OverlayStorage } from '../storage/overlay.js';
import type { Storage } from '../storage/storage.js';
import { print, printable } from './print.js';

/** Bytes of a run of changes that are printed. */
const SHOWN = 16;

export class DryRun {
  readonly #overlays: OverlayStorage[] = [];

  /** For OpenOptions.overlay. */
  readonly overlay = (medium: Storage): Storage => {
    const overlay = new OverlayStorage(medium);
    this.#overlays.push(overlay);
    return overlay;
  };

  /** Prints what would have been written, byte by byte. */
  tell(): void {
    let isNothing = true;
    for (const overlay of this.#overlays) {
      for (const change of overlay.changes()) {
        isNothing = false;
        print(`${printable(overlay.path)}: ${changeText(change)}\n`);
      }
    }
    if (isNothing) print('nothing would be written\n');
  }
}

/** `offset 65540: 4a 1f -> 00 00`. */
export function changeText({ offset, from, to }: Change): string {
  const more = to.length > SHOWN ? ` … (${to.length} bytes)` : '';
  return `offset ${offset}: ${hexText(from.subarray(0, SHOWN))} -> ${hexText(to.subarray(0, SHOWN))}${more}`;
}
