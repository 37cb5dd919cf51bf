// What a pstorefs refuses, and with which errno: by fs/pstore where the kernel has an answer, ours in addition.

import type { ErrorCode } from '../errors.js';

export const REFUSALS = {
  create: 'EACCES',
  mknod: 'EACCES',
  mkdir: 'EPERM',
  symlink: 'EPERM',
  link: 'EPERM',
  rename: 'EPERM',
  setxattr: 'ENOTSUP',
  removexattr: 'ENOTSUP',
  openForWriting: 'EACCES',
  truncate: 'EACCES',
  chmod: 'EPERM',
  chown: 'EPERM',
  utimens: 'EPERM',
  rmdir: 'EBUSY',
} as const satisfies Record<string, ErrorCode>;

export type Refused = keyof typeof REFUSALS;

/** The errno's name: on a read-only mount everything that changes is EROFS. */
export function refusal(what: Refused, readOnly: boolean): ErrorCode {
  return readOnly ? 'EROFS' : REFUSALS[what];
}
