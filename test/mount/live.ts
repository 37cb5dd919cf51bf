// Live images: what another process writes to the image appears in the mount, without a remount.

import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { partition } from '../builders/zone.js';
import { mounted, names, PROGRAM, pstorefuse, run, scratchFolder, shell, TRANSPORTS } from '../mounted.js';

const UPDATE_MS = 300;
const SIZE = 64 << 10;
const KMSG = 8 << 10;

function record(index: number, counter: number, text: string): { offset: number; bytes: Uint8Array } {
  const built = partition(SIZE)
    .kmsg(KMSG)
    .dmesg(index, { body: `Oops#1 Part1\n${text}\n`, counter, seconds: 1_700_000_000 + counter });
  return { offset: index * KMSG, bytes: built.bytes.subarray(index * KMSG, (index + 1) * KMSG) };
}

/** Writes as a machine does that knows nothing of our lock. */
function writeBehind(path: string, { offset, bytes }: { offset: number; bytes: Uint8Array }): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

function fresh(folder: string): string {
  const path = join(folder, 'live.raw');
  writeFileSync(
    path,
    partition(SIZE).kmsg(KMSG).formatted().dmesg(0, { body: 'Oops#1 Part1\nfirst\n', counter: 1 }).bytes,
  );
  return path;
}

for (const transport of TRANSPORTS) {
  const by = ['--transport', transport];

  t.test(`a record of pstorefuse record appears within 2 × update_ms (${transport})`, async (t) => {
    const image = fresh(scratchFolder(t));
    const mountPoint = mounted(t, [`${image},kmsg_size=${KMSG}`], [...by, '-o', `ro,update_ms=${UPDATE_MS}`]);
    t.same(names(mountPoint), ['dmesg-pstore_blk-0', 'pstore_blk']);
    const args = ['record', `${image},kmsg_size=${KMSG}`, '--reason', 'panic', '--compress', 'none'];
    const { status, stderr } = run(process.execPath, [PROGRAM, ...args], { input: 'a new record\n' });
    t.equal(status, 0, stderr);
    await sleep(2 * UPDATE_MS);
    t.same(names(mountPoint), ['dmesg-pstore_blk-0', 'dmesg-pstore_blk-1', 'pstore_blk']);
    t.match(shell(`cat '${mountPoint}/dmesg-pstore_blk-1'`), /a new record\n$/);
  });

  t.test(
    `a reused zone shows its new record; what is open stays; an erase leaves it alone (${transport})`,
    async (t) => {
      const image = fresh(scratchFolder(t));
      const mountPoint = mounted(t, [`${image},kmsg_size=${KMSG},update_ms=${UPDATE_MS}`], by);
      const file = `${mountPoint}/dmesg-pstore_blk-0`;
      t.match(shell(`cat '${file}'`), /first\n$/);
      writeFileSync(`${image}.new`, record(0, 9, 'second').bytes);
      const open = shell(`exec 3<'${file}'; dd if='${image}.new' of='${image}' conv=notrunc status=none
      sleep ${(2 * UPDATE_MS) / 1000}; stat '${file}' >/dev/null; cat <&3`);
      t.match(open, /first\n$/, 'the open file reads on');
      t.match(shell(`cat '${mountPoint}/pstore_blk/dmesg-pstore_blk-0'`), /second\n$/, 'the name shows the new record');
      t.match(shell(`cat '${file}'`), /Oops: Total 9 times\n.*\nsecond\n$/s);

      // Without waiting: the mount still shows record 9 when the writer has replaced it.
      writeBehind(image, record(0, 10, 'third'));
      const before = readFileSync(image);
      shell(`rm -f '${file}'`);
      t.ok(readFileSync(image).equals(before), 'the new record was not erased for the old one');
      await sleep(2 * UPDATE_MS);
      t.match(shell(`cat '${file}'`), /third\n$/);
      shell(`rm -f '${file}'`);
      t.same(names(mountPoint), ['pstore_blk']);
      t.equal(pstorefuse('ls', `${image},kmsg_size=${KMSG}`).stdout, '');
    },
  );

  t.test(`without update_ms the state at mount is shown (${transport})`, async (t) => {
    const image = fresh(scratchFolder(t));
    const mountPoint = mounted(t, [`${image},kmsg_size=${KMSG}`], [...by, '-o', 'ro']);
    writeBehind(image, record(1, 2, 'unseen'));
    await sleep(2 * UPDATE_MS);
    t.same(names(mountPoint), ['dmesg-pstore_blk-0', 'pstore_blk']);
  });
}
