// What is mounted where: /proc/self/mountinfo. Reading it touches no mount.

import { readFileSync } from 'node:fs';

export interface MountEntry {
  readonly id: number;
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
      mountPoint: unescapeOctal(fields[4]!),
      type,
      source: unescapeOctal(source),
      options: [...fields[5]!.split(','), ...(superOptions ?? '').split(',')],
    });
  }
  return entries;
}

/** The mount on top at a place. */
export function mountAt(path: string): MountEntry | undefined {
  return readMounts().findLast((entry) => entry.mountPoint === path);
}

function unescapeOctal(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return bytes;
}
