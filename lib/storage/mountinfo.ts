// What is mounted where: /proc/self/mountinfo. Reading it touches no mount.

import { readFileSync } from 'node:fs';

export interface MountEntry {
  readonly id: number;
  /** `major:minor` of what is mounted. */
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly source: string;
  /** Options of the mount and of the file system. */
  readonly options: readonly string[];
}

/** Type that a mount of ours has, by whichever transport. */
export const MOUNT_TYPE = 'fuse.pstorefuse';

/** In the order in which they were made: of two on one place the later one is on top. */
export function readMounts(text = readFileSync('/proc/self/mountinfo', 'utf8')): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const [front = '', back = ''] = line.split(' - ');
    const fields = front.split(' ');
    const [type, source, superOptions] = back.split(' ');
    if (fields.length < 6 || type === undefined || source === undefined) continue;
    entries.push({
      id: Number(fields[0]),
      device: fields[2]!,
      mountPoint: unescapeOctal(fields[4]!),
      type,
      source: unescapeOctal(source),
      options: [...fields[5]!.split(','), ...(superOptions ?? '').split(',')],
    });
  }
  return entries;
}

/**
 * The mount that a server of ours serves: the one whose connection it has open where the kernel tells (fdinfo of
 * /dev/fuse in Linux 6.18, but not in 6.1), else the one and only that can write this image.
 * @param image real path
 * @param fdinfos what /proc/PID/fdinfo says of the server's descriptors
 */
export function mountServed(
  image: string,
  fdinfos: readonly string[],
  mounts: readonly MountEntry[] = readMounts(),
): MountEntry | undefined {
  const own = mounts.filter(({ type }) => type === MOUNT_TYPE);
  const connections = fdinfos.flatMap((text) => /^fuse_connection:\s*(\d+)$/m.exec(text)?.[1] ?? []);
  const served = own.findLast(({ device }) => connections.some((minor) => device === `0:${minor}`));
  if (served) return served;
  const writing = own.filter(({ source, options }) => source === image && !options.includes('ro'));
  return connections.length === 0 && writing.length === 1 ? writing[0] : undefined;
}

/** The mount on top at a place. */
export function mountAt(path: string): MountEntry | undefined {
  return readMounts().findLast((entry) => entry.mountPoint === path);
}

function unescapeOctal(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return bytes;
}
