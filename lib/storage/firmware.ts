// Firmware that keeps platform dumps: the interface of ibm,platform-dump (PAPR), and of what stands in for it.

/** The kernel's lockdown modes (security/security.c): dumps are kernel memory, which `confidentiality` hides. */
export const LOCKDOWNS = ['none', 'integrity', 'confidentiality'] as const;
export type Lockdown = (typeof LOCKDOWNS)[number];

/** How a call ended. The names are those of PAPR's statuses and of the errors that the kernel's driver makes of them. */
export type FirmwareStatus =
  /** Done; of a fetch: these bytes are the last ones. */
  | 'complete'
  /** More bytes follow: call again with the sequence number that was given. */
  | 'more'
  /** The dump is still being made (fetch), or has not been fetched to its end (invalidate): EINPROGRESS. */
  | 'in-progress'
  /** Somebody else is fetching this dump: EALREADY. */
  | 'already-open'
  /** -9002: EPERM. */
  | 'not-authorised'
  | 'no-such-dump'
  /** -1: EIO. */
  | 'hardware-error';

/** What one fetch gave. */
export interface FirmwareBlock {
  readonly status: FirmwareStatus;
  /** What the next call is made with. Means nothing to anyone but the firmware. */
  readonly sequence: bigint;
  /** Bytes that were put at the buffer's beginning: with `complete` and `more` only; may be 0. */
  readonly bytes: number;
}

/** A dump as the firmware lists it. */
export interface FirmwareDump {
  /** 0 … 2^64 − 1. */
  readonly tag: bigint;
  /** The name under which somebody saved it, as bytes, or null where it never was a file. */
  readonly fileName: Uint8Array | null;
  /** Bytes, where the firmware knows that without the dump being fetched, else null. */
  readonly size: number | null;
  /** Nanoseconds since 1970, or null. */
  readonly mtimeNs: bigint | null;
  /** Differs when the tag is no longer that of the same dump. */
  readonly identity: string;
}

/** A dump that can be read at any place, and goes on being readable after it was invalidated, until it is closed. */
export interface DumpFile {
  readonly size: number;
  /** @returns bytes read: less than asked only at the end. @throws PstoreError EIO */
  read(target: Uint8Array, position: number): number;
  close(): void;
}

/** The least that a fetch's buffer may have, in bytes. */
export const MIN_BUFFER = 1024;

export interface Firmware {
  /** What to call it in messages. */
  readonly path: string;
  /** Whether invalidate() can work at all. */
  readonly writable: boolean;

  /**
   * All dumps that there are now, in a lasting order. The other calls know the dumps of the last listing.
   * @throws PstoreError EIO, EACCES
   */
  tags(): readonly FirmwareDump[];

  /**
   * Fetches the next bytes of a dump. Dumps of several tags may be fetched in turns.
   * @param sequence 0 begins with the dump's first byte, whatever was fetched before; else what the last call gave
   * @param buffer at least MIN_BUFFER bytes
   */
  next(tag: bigint, sequence: bigint, buffer: Uint8Array): FirmwareBlock;

  /** Removes a dump for good. @returns `complete` when it is gone. @throws PstoreError EROFS, EACCES, EIO */
  invalidate(tag: bigint): FirmwareStatus;

  /**
   * Where the firmware can give any part of a dump itself: no spool is needed then.
   * @throws PstoreError ENOENT
   */
  openFile?(tag: bigint): DumpFile;

  close(): void;
}
