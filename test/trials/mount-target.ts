// Fuzzes a real mount: what another process lists and reads there is what the library shows of the same bytes.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SPECIMENS } from '../builders/specimens.js';
import { isMounted, pstorefuse, run, TRANSPORTS, unmountHard } from '../mounted.js';
import { isSameRead, look, must, type Shown } from './sane.js';
import type { Target } from './targets.js';

/** Prints each file's name, then its bytes in base64, or `!` where it cannot be read. */
const READER = `for file in "$1"/*; do
  if [ -f "$file" ]; then
    printf '%s\\n' "\${file##*/}"
    base64 -w 0 "$file" 2>/dev/null || printf '!'
    echo
  fi
done`;

interface Place {
  readonly image: string;
  readonly mountPoint: string;
}

let place: Place | undefined;

/** A folder of this process alone; gone with it, unless something is still mounted there. */
function ownPlace(): Place {
  if (place) return place;
  const folder = mkdtempSync(join(tmpdir(), 'pstorefuse-fuzz-mount-'));
  const made = { image: join(folder, 'image.raw'), mountPoint: join(folder, 'mnt') };
  mkdirSync(made.mountPoint);
  process.on('exit', () => {
    unmountHard(made.mountPoint);
    if (!isMounted(made.mountPoint)) rmSync(folder, { recursive: true, force: true });
  });
  place = made;
  return made;
}

function shownBy(mountPoint: string): Shown {
  const { status, stdout, stderr } = run('sh', ['-c', READER, 'reader', mountPoint]);
  must(status === 0, `a reader of the mount ended with ${status}: ${stderr}`);
  const lines = Buffer.from(stdout, 'latin1').toString('utf8').split('\n');
  const shown = new Map<string, Uint8Array | string>();
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const text = lines[i + 1]!;
    shown.set(lines[i]!, text.endsWith('!') ? 'EIO' : new Uint8Array(Buffer.from(text, 'base64')));
  }
  return shown;
}

export const MOUNT_TARGET: Target = {
  name: 'mount',
  isSlow: true,
  // One of each kind.
  seeds: () =>
    SPECIMENS.filter(({ kind }, i) => SPECIMENS.findIndex((one) => one.kind === kind) === i).map(({ bytes }) =>
      bytes(),
    ),
  run: (input, random) => {
    const { image, mountPoint } = ownPlace();
    writeFileSync(image, input);
    const wanted = look(input);
    try {
      const { status, stderr } = pstorefuse('mount', image, mountPoint, '--transport', random.pick([...TRANSPORTS]));
      must(
        stderr
          .split('\n')
          .slice(0, -1)
          .every((line) => line.startsWith('pstorefuse: ')),
        stderr,
      );
      must(
        (status === 0) === (wanted !== undefined),
        `mounting ended with ${status}, and the library disagrees: ${stderr}`,
      );
      if (!wanted) return;
      const shown = shownBy(mountPoint);
      const names = [...wanted.keys()].sort().join();
      must([...shown.keys()].sort().join() === names, `a mount lists ${[...shown.keys()]}, the library ${names}`);
      for (const [name, read] of wanted) {
        const isLost = typeof read === 'string' && typeof shown.get(name) === 'string';
        must(isLost || isSameRead(shown.get(name), read), `${name} has other bytes in a mount`);
      }
      const { status: ended, stderr: why } = pstorefuse('umount', mountPoint);
      must(ended === 0 && !isMounted(mountPoint), `it is not unmounted: ${why}`);
    } finally {
      unmountHard(mountPoint);
    }
  },
};
