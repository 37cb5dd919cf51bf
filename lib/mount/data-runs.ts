// Where a sparse file has data, so that its holes need not be read.

import { closeSync, fstatSync, openSync } from 'node:fs';
import { hasSystemCalls, nextData } from './syscalls.js';

export interface DataRuns {
  /** The next run of data from an offset on; undefined after the last. */
  dataFrom(offset: number): { readonly from: number; readonly to: number } | undefined;
  close(): void;
}

/** A file system may keep the bytes of a file that is no larger with its name, and count no blocks for them. */
const MAX_INLINE = 1 << 20;

/** Undefined for what is no sparse file, or where nothing tells of its holes: then all of it is read. */
export function dataRunsOf(path: string): DataRuns | undefined {
  const fd = openSync(path, 'r');
  const { size, blocks } = fstatSync(fd);
  const isFile = fstatSync(fd).isFile();
  // A file without a single block is one hole, and Node itself tells so much.
  if (isFile && blocks === 0 && size > MAX_INLINE) return { dataFrom: () => undefined, close: () => closeSync(fd) };
  if (isFile && blocks * 512 < size && hasSystemCalls() && answers(fd)) {
    return { dataFrom: (offset) => (offset < size ? nextData(fd, offset) : undefined), close: () => closeSync(fd) };
  }
  closeSync(fd);
  return undefined;
}

function answers(fd: number): boolean {
  try {
    nextData(fd, 0);
    return true;
  } catch {
    return false;
  }
}
