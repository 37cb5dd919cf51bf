// pstorefuse umount: unmounts, and waits until the image is free again.

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { PstoreError } from '../errors.js';
import { placeOf, unmount } from '../mount/mountpoint.js';
import { environment, isRoot } from '../mount/programs.js';
import { MOUNT_TYPE, type MountEntry, mountAt } from '../storage/mountinfo.js';
import { type Command, EXIT } from './command.js';

/** How long the server may take to let go of the image. */
const WAIT_SECONDS = 3;

export const umount: Command = {
  usage: 'umount <mountpoint>',
  summary: 'Unmount',
  examples: [['$0 umount /mnt', 'and wait until the image is free']],
  build: (yargs) => yargs,
  run: (args) => {
    const path = args.text('mountpoint')!;
    const mounted = mountAt(placeOf(path));
    if (!mounted)
      throw new PstoreError('EINVAL', `${path} is not mounted; findmnt -t ${MOUNT_TYPE} lists what is`, { path });
    if (mounted.type !== MOUNT_TYPE) {
      throw new PstoreError('EINVAL', `${path} is mounted, but not by pstorefuse (${mounted.type}): take umount`, {
        path,
      });
    }
    checkOwner(mounted, path);
    unmount(mounted.mountPoint);
    if (!mounted.options.includes('ro')) waitUntilFree(mounted.source);
    return EXIT.OK;
  },
};

/** fuse(4): `user_id` is who mounted it. @throws PstoreError EPERM for another user's mount */
function checkOwner({ options }: MountEntry, path: string): void {
  const owner = options.find((option) => option.startsWith('user_id='))?.slice('user_id='.length);
  if (isRoot() || owner === undefined || owner === String(process.getuid!())) return;
  const who = owner === '0' ? 'root, who alone' : `the user ${owner}: only that user, or root,`;
  throw new PstoreError('EPERM', `${path} was mounted by ${who} can unmount it`, { path });
}

/** The lock of a mount that could write dies with its server. */
function waitUntilFree(source: string): void {
  if (!source.startsWith('/') || !existsSync(source)) return;
  let fd: number;
  try {
    fd = openSync(source, 'r');
  } catch {
    return;
  }
  spawnSync('flock', ['-w', String(WAIT_SECONDS), '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    env: environment(),
  });
  closeSync(fd);
}
