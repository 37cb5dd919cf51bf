// The kernel's device through which a machine's firmware gives its platform dumps (Documentation/arch/powerpc/papr-*): a
// descriptor for each tag, which gives a dump once, from its beginning to its end. The device does not list the tags.

import { accessSync, closeSync, constants, openSync, readSync } from 'node:fs';
import { fromSystem, PstoreError } from '../errors.js';
import { type DeviceCalls, needDeviceCalls } from './device-calls.js';
import { reasonOf } from './file.js';
import { type Firmware, type FirmwareBlock, type FirmwareDump, type FirmwareStatus, MIN_BUFFER } from './firmware.js';

/** What the errors of the kernel's driver mean. */
const STATUS: Readonly<Record<string, FirmwareStatus>> = {
  EINPROGRESS: 'in-progress',
  EALREADY: 'already-open',
  EPERM: 'not-authorised',
  ENOENT: 'no-such-dump',
  EIO: 'hardware-error',
};

/** A dump that is being fetched. */
interface Fetch {
  readonly fd: number;
  /** Bytes that it has given. */
  position: number;
  isComplete: boolean;
}

export class PaprFirmware implements Firmware {
  readonly path: string;
  readonly writable: boolean;
  readonly #calls: DeviceCalls;
  readonly #device: number;
  readonly #fetches = new Map<bigint, Fetch>();
  /** Those that the caller has named, and that are not known to be gone. */
  readonly #tags: Set<bigint>;

  /** @throws PstoreError ENODEV where nobody here can make the system calls; ENOENT, EACCES */
  constructor(path: string, tags: readonly bigint[]) {
    this.path = path;
    this.#calls = needDeviceCalls(path, 'fetching dumps');
    this.#tags = new Set(tags);
    try {
      this.writable = isWritable(path);
      this.#device = openSync(path, this.writable ? constants.O_RDWR : constants.O_RDONLY);
    } catch (error) {
      throw fromSystem(error, `${path} cannot be opened: ${reasonOf(error)}`, { path });
    }
  }

  tags(): readonly FirmwareDump[] {
    const facts = { fileName: null, size: null, mtimeNs: null };
    return [...this.#tags].map((tag) => ({ tag, identity: `tag ${tag}`, ...facts }));
  }

  /** The sequence number is how many bytes the descriptor has given: only from there it can go on. */
  next(tag: bigint, sequence: bigint, buffer: Uint8Array): FirmwareBlock {
    if (buffer.length < MIN_BUFFER) {
      throw new PstoreError('EINVAL', `a buffer of ${buffer.length} bytes is too small for a dump: give ${MIN_BUFFER}`);
    }
    if (!this.#tags.has(tag)) return { status: 'no-such-dump', sequence, bytes: 0 };
    try {
      const fetch = sequence === 0n ? this.#begin(tag) : this.#fetches.get(tag);
      if (!fetch || BigInt(fetch.position) !== sequence) return { status: 'hardware-error', sequence, bytes: 0 };
      return this.#read(fetch, buffer);
    } catch (error) {
      return { status: statusOf(error), sequence, bytes: 0 };
    }
  }

  #begin(tag: bigint): Fetch {
    const before = this.#fetches.get(tag);
    if (before?.position === 0 && !before.isComplete) return before;
    this.#end(tag);
    const fetch = { fd: this.#calls.openPlatformDump(this.#device, tag), position: 0, isComplete: false };
    this.#fetches.set(tag, fetch);
    return fetch;
  }

  /** A descriptor that has given nothing once more is at its end, and answers EINVAL from then on. */
  #read(fetch: Fetch, buffer: Uint8Array): FirmwareBlock {
    const bytes = fetch.isComplete ? 0 : readSync(fetch.fd, buffer, 0, buffer.length, null);
    fetch.position += bytes;
    fetch.isComplete = bytes === 0;
    return { status: fetch.isComplete ? 'complete' : 'more', sequence: BigInt(fetch.position), bytes };
  }

  #end(tag: bigint): void {
    const fetch = this.#fetches.get(tag);
    if (fetch) closeSync(fetch.fd);
    this.#fetches.delete(tag);
  }

  /** Only through a descriptor that has given all. */
  invalidate(tag: bigint): FirmwareStatus {
    if (!this.#tags.has(tag)) return 'no-such-dump';
    const fetch = this.#fetches.get(tag);
    if (!fetch?.isComplete) return 'in-progress';
    try {
      this.#calls.invalidatePlatformDump(fetch.fd, tag);
    } catch (error) {
      return statusOf(error);
    }
    this.#end(tag);
    this.#tags.delete(tag);
    return 'complete';
  }

  close(): void {
    for (const tag of this.#fetches.keys()) this.#end(tag);
    closeSync(this.#device);
  }
}

/** @throws what is no answer of the firmware */
function statusOf(error: unknown): FirmwareStatus {
  const { code, cause } = error as PstoreError & { cause?: NodeJS.ErrnoException };
  const status = STATUS[cause?.code ?? code];
  if (status === undefined) throw error;
  return status;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
