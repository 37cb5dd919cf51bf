// The one error class of pstorefuse, and the table of its codes.

/**
 * The codes that a PstoreError may carry, each with the Linux errno number that a mount answers with
 * (asm-generic/errno-base.h, asm-generic/errno.h) and the exit status of a command (sysexits.h).
 */
export const CODES = {
  EPERM: { errno: 1, exit: 77 },
  ENOENT: { errno: 2, exit: 66 },
  EIO: { errno: 5, exit: 74 },
  ENXIO: { errno: 6, exit: 66 },
  EAGAIN: { errno: 11, exit: 75 },
  ENOMEM: { errno: 12, exit: 70 },
  EACCES: { errno: 13, exit: 77 },
  EBUSY: { errno: 16, exit: 75 },
  EEXIST: { errno: 17, exit: 73 },
  ENODEV: { errno: 19, exit: 69 },
  ENOTDIR: { errno: 20, exit: 73 },
  EISDIR: { errno: 21, exit: 66 },
  EINVAL: { errno: 22, exit: 64 },
  EFBIG: { errno: 27, exit: 65 },
  ENOSPC: { errno: 28, exit: 74 },
  EROFS: { errno: 30, exit: 77 },
  ERANGE: { errno: 34, exit: 65 },
  ENAMETOOLONG: { errno: 36, exit: 64 },
  ENOSYS: { errno: 38, exit: 69 },
  ENOTEMPTY: { errno: 39, exit: 73 },
  /** The storage says that this one place is broken (pstore/zone: "-ENOMSG: try the next zone"). */
  ENOMSG: { errno: 42, exit: 74 },
  ENODATA: { errno: 61, exit: 66 },
  /** The image is not what it should be. */
  EBADMSG: { errno: 74, exit: 65 },
  /** The image is of a kind with which this cannot be done. */
  ENOTSUP: { errno: 95, exit: 65 },
  EALREADY: { errno: 114, exit: 75 },
  EINPROGRESS: { errno: 115, exit: 75 },
  /** A bug of ours: anything that is not a PstoreError becomes this at the outermost wrapper. */
  EUNKNOWN: { errno: 5, exit: 70 },
} as const;

export type ErrorCode = keyof typeof CODES;

export interface ErrorData {
  /** The file that the sentence is about. */
  path?: string;
  /** Byte offset in that file. */
  offset?: number;
  /** Exit status that a command ends with, where it differs from the code's own. */
  exit?: number;
  cause?: unknown;
}

/**
 * A failure that a person can act on: `message` is one sentence that names the file, the offset and what was found,
 * and what to do where there is something to do.
 */
export class PstoreError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, data: ErrorData = {}) {
    super(message, data.cause === undefined ? undefined : { cause: data.cause });
    this.name = 'PstoreError';
    this.code = code;
    this.data = data;
  }

  /** Positive errno number. */
  get errno(): number {
    return CODES[this.code].errno;
  }

  /** Exit status by sysexits.h. */
  get exit(): number {
    return this.data.exit ?? CODES[this.code].exit;
  }
}

/** Turns an error of Node's fs module into ours; anything else that is thrown is handed back unchanged. */
export function fromSystem(error: unknown, sentence: string, data: ErrorData = {}): PstoreError {
  if (error instanceof PstoreError) return error;
  const code = (error as NodeJS.ErrnoException)?.code;
  const known = code !== undefined && Object.hasOwn(CODES, code) ? (code as ErrorCode) : 'EIO';
  return new PstoreError(known, sentence, { ...data, cause: error });
}
