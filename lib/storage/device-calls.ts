// What file systems and devices do by system calls that Node has no words for. Whoever can make them says so at the start.

import { PstoreError } from '../errors.js';
import type { Run } from './storage.js';

export interface DeviceCalls {
  /**
   * Takes an exclusive lock on an open file, without waiting.
   * @returns false when somebody else holds it
   */
  lockExclusively(fd: number): boolean;

  /**
   * Takes off the flag by which nobody may remove an open file.
   * @returns false where it is not set
   */
  clearImmutable(fd: number): boolean;

  /**
   * The next run of data of an open file from an offset on, as SEEK_DATA and SEEK_HOLE tell; undefined after the last.
   * @throws PstoreError where its file system does not tell
   */
  nextData(fd: number, offset: number): Run | undefined;

  /** Whether the erase block of flash that an offset lies in is marked as bad. */
  isBadBlock(fd: number, offset: number): boolean;

  /** Erases whole erase blocks of flash. */
  eraseFlash(fd: number, offset: number, length: number): void;

  /** @returns a descriptor that gives a dump of the firmware once, from its first byte on */
  openPlatformDump(device: number, tag: bigint): number;

  /** @param fd of openPlatformDump(), read to its end */
  invalidatePlatformDump(fd: number, tag: bigint): void;
}

let find: () => DeviceCalls | undefined = () => undefined;

/** From now on these calls are made so. @param calls asked when the first one is needed; undefined where none can be made */
export function useDeviceCalls(calls: () => DeviceCalls | undefined): void {
  find = calls;
}

/** Undefined where nobody here can make such calls. */
export function deviceCalls(): DeviceCalls | undefined {
  return find();
}

/** @throws PstoreError ENODEV where nobody here can make such calls. @param what they are needed for */
export function needDeviceCalls(path: string, what: string): DeviceCalls {
  const calls = find();
  if (calls) return calls;
  const sentence = `${path}: ${what} needs the npm package koffi; install it with "npm install koffi"`;
  throw new PstoreError('ENODEV', sentence, { path });
}
