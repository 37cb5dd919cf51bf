// Firmware made of a folder of saved dumps: each regular file is a dump, and so is the file `dump` of each folder in it, as
// /sys/firmware/opal/dump has them. Nothing is locked, so files may come and go.

import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { type ErrorCode, fromSystem, PstoreError } from '../errors.js';
import {
  type DumpFile,
  type Firmware,
  type FirmwareBlock,
  type FirmwareDump,
  type FirmwareStatus,
  MIN_BUFFER,
} from './firmware.js';
import { PaprFirmware } from './papr.js';

/** In a folder of the OPAL firmware (Documentation/ABI/stable/sysfs-firmware-opal-dump): the dump, and what removes it. */
const OPAL_DUMP = '/dump';
const OPAL_ACKNOWLEDGE = '/acknowledge';

/** More than firmware ever wrote. Each dump takes memory as long as the folder is open, and a hostile folder may have millions. */
const MAX_DUMPS = 8192;
/** Files that are kept open because they were read lately. */
const MAX_IDLE = 16;
/** Removed files that are kept open because somebody still reads them. */
const MAX_REMOVED = 64;
const TAGS = 2n ** 64n;

/**
 * The firmware behind a path.
 * @param tags of the dumps that are meant, where the path is the kernel's device
 * @throws PstoreError EINVAL for the device without tags, or tags without it; ENODEV where nobody here can make its system
 *   calls; ENOENT, ENOTDIR, EACCES for what is no folder that can be read
 */
export function openFirmware(path: string, tags: readonly bigint[] = []): Firmware {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(path);
  } catch (error) {
    throw failed(path, 'cannot be opened', error);
  }
  if (stats.isCharacterDevice()) {
    if (tags.length > 0) return new PaprFirmware(path, tags);
    const advice = 'give those of the events that announced them, as in tag=0x100:0x101';
    throw new PstoreError('EINVAL', `${path} gives a dump by its tag, and does not list them; ${advice}`, { path });
  }
  if (!stats.isDirectory()) {
    throw new PstoreError('ENOTDIR', `${path} is no folder: platform-dump takes a folder of saved dumps`, {
      path,
      exit: 66,
    });
  }
  if (tags.length > 0) {
    throw new PstoreError('EINVAL', `${path} is a folder, whose dumps have no tags: leave tag= out`, { path });
  }
  return new FirmwareFolder(path);
}

function failed(path: string, what: string, error: unknown, fallback: ErrorCode = 'EIO'): PstoreError {
  const known = fromSystem(error, '');
  const code = (error as NodeJS.ErrnoException).code;
  const reason = code === undefined ? String(error) : (REASONS[code] ?? code);
  return new PstoreError(known.code === 'EIO' ? fallback : known.code, `${path} ${what}: ${reason}`, {
    path,
    cause: error,
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ELOOP: 'it is a symbolic link',
};

/** A file as it was when it was listed. */
class SavedDump {
  readonly tag: bigint;
  /** The path inside the folder. */
  readonly name: Buffer;
  /** The entry of the folder itself. */
  readonly fileName: Buffer;
  readonly identity: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Open contents. */
  users = 0;
  fd: number | undefined;
  removed = false;

  constructor(tag: bigint, fileName: Buffer, name: Buffer, stats: BigIntStats) {
    this.tag = tag;
    this.fileName = fileName;
    this.name = name;
    this.identity = identityOf(stats);
    this.size = Number(stats.size);
    this.mtimeNs = stats.mtimeNs;
  }
}

function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}`;
}

export class FirmwareFolder implements Firmware {
  readonly path: string;
  readonly writable: boolean;
  #dumps = new Map<bigint, SavedDump>();
  /** Open files that can be opened again; the one that was read last stands last. */
  readonly #idle = new Set<SavedDump>();
  /** Open files without a name, in the order in which they were removed. */
  readonly #removed = new Set<SavedDump>();

  constructor(path: string) {
    this.path = path;
    this.writable = isWritable(path);
  }

  /**
   * Regular files whose names do not begin with a dot, and folders that have a `dump`, in the order of their names. Links
   * are not followed.
   * @throws PstoreError EFBIG for more than 8,192 of them
   */
  tags(): readonly FirmwareDump[] {
    const dumps = new Map<bigint, SavedDump>();
    for (const entry of this.#names()) {
      const isFolder = this.#stat(entry)?.isDirectory();
      const name = isFolder ? Buffer.concat([entry, Buffer.from(OPAL_DUMP)]) : entry;
      const stats = this.#stat(name);
      if (!stats?.isFile()) continue;
      if (dumps.size === MAX_DUMPS) {
        const sentence = `has more than ${MAX_DUMPS} files, which no folder of platform dumps has; move the dumps to one of their own`;
        throw new PstoreError('EFBIG', `${this.path} ${sentence}`, { path: this.path });
      }
      const tag = tagOf(entry, dumps);
      const known = this.#dumps.get(tag);
      const same = known && known.identity === identityOf(stats) && known.name.equals(name);
      dumps.set(tag, same ? known : new SavedDump(tag, entry, name, stats));
    }
    for (const gone of this.#dumps.values()) if (dumps.get(gone.tag) !== gone && gone.users === 0) this.#close(gone);
    this.#dumps = dumps;
    return [...dumps.values()];
  }

  #names(): Buffer[] {
    try {
      const names = readdirSync(this.path, { encoding: 'buffer' });
      return names.filter((name) => name[0] !== 0x2e).sort(Buffer.compare);
    } catch (error) {
      throw failed(this.path, 'cannot be listed', error);
    }
  }

  #stat(name: Buffer): BigIntStats | undefined {
    try {
      return lstatSync(this.#pathOf(name), { bigint: true });
    } catch {
      // Gone between the listing and now, or not to be looked at: no dump of ours.
      return undefined;
    }
  }

  #pathOf(name: Buffer): Buffer {
    return Buffer.concat([Buffer.from(`${this.path}/`), name]);
  }

  /** The sequence number of a saved dump is the offset of its next byte. */
  next(tag: bigint, sequence: bigint, buffer: Uint8Array): FirmwareBlock {
    if (buffer.length < MIN_BUFFER) {
      throw new PstoreError('EINVAL', `a buffer of ${buffer.length} bytes is too small for a dump: give ${MIN_BUFFER}`);
    }
    const dump = this.#dumps.get(tag);
    if (!dump) return { status: 'no-such-dump', sequence, bytes: 0 };
    const position = sequence >= 0n && sequence <= BigInt(dump.size) ? Number(sequence) : dump.size;
    const bytes = this.#read(dump, buffer, position);
    const end = position + bytes;
    return { status: end === dump.size ? 'complete' : 'more', sequence: BigInt(end), bytes };
  }

  openFile(tag: bigint): DumpFile {
    const dump = this.#dumps.get(tag);
    if (!dump) throw new PstoreError('ENOENT', `${this.path}: dump ${tag} is not there any more`, { path: this.path });
    dump.users++;
    let open = true;
    return {
      size: dump.size,
      read: (target, position) => this.#read(dump, target, position),
      close: () => {
        if (!open) return;
        open = false;
        dump.users--;
        if (dump.users === 0 && (dump.removed || this.#dumps.get(dump.tag) !== dump)) this.#close(dump);
      },
    };
  }

  /** Removes the file, if it still is the one that was listed. */
  invalidate(tag: bigint): FirmwareStatus {
    const dump = this.#dumps.get(tag);
    const stats = dump && this.#stat(dump.name);
    if (!dump || !stats || identityOf(stats) !== dump.identity) return 'no-such-dump';
    try {
      if (dump.users > 0) this.#fdOf(dump);
      this.#remove(dump);
    } catch (error) {
      if (error instanceof PstoreError) throw error;
      throw failed(this.#title(dump), 'cannot be removed', error);
    }
    this.#dumps.delete(tag);
    this.#keepRemoved(dump);
    this.#sync();
    return 'complete';
  }

  /** The firmware's own file cannot be unlinked: it goes when it is acknowledged. */
  #remove(dump: SavedDump): void {
    try {
      unlinkSync(this.#pathOf(dump.name));
    } catch (error) {
      if (dump.name === dump.fileName || (error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
      const path = this.#pathOf(Buffer.concat([dump.fileName, Buffer.from(OPAL_ACKNOWLEDGE)]));
      const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
      try {
        writeSync(fd, '1\n');
      } finally {
        closeSync(fd);
      }
    }
  }

  #keepRemoved(dump: SavedDump): void {
    dump.removed = true;
    if (dump.users === 0) {
      this.#close(dump);
      return;
    }
    this.#idle.delete(dump);
    this.#removed.add(dump);
    if (this.#removed.size > MAX_REMOVED) this.#close(this.#removed.values().next().value!);
  }

  /** Brings the removal to the medium. */
  #sync(): void {
    let fd: number | undefined;
    try {
      fd = openSync(this.path, constants.O_RDONLY | constants.O_DIRECTORY);
      fsyncSync(fd);
    } catch (error) {
      throw failed(this.path, 'could not be brought to the medium', error);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  #read(dump: SavedDump, target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.length, dump.size - position));
    const fd = length === 0 ? -1 : this.#fdOf(dump);
    let done = 0;
    try {
      while (done < length) {
        const got = readSync(fd, target, done, length - done, position + done);
        if (got === 0) break;
        done += got;
      }
    } catch (error) {
      throw failed(this.#title(dump), `cannot be read at offset ${position + done}`, error);
    }
    if (done < length) {
      throw new PstoreError(
        'EIO',
        `${this.#title(dump)} ends at ${position + done}, but had ${dump.size} bytes when it was listed: it was cut while in use`,
        { path: this.#title(dump), offset: position + done },
      );
    }
    return done;
  }

  #title(dump: SavedDump): string {
    return `${this.path}/${dump.name.toString()}`;
  }

  /** @throws PstoreError ENOENT, EACCES, EIO: the file cannot be opened, or is another one now */
  #fdOf(dump: SavedDump): number {
    if (dump.fd === undefined) {
      if (dump.removed) {
        throw new PstoreError(
          'EIO',
          `${this.#title(dump)} was removed, and ${MAX_REMOVED} other removed dumps are still being read`,
        );
      }
      dump.fd = this.#open(dump);
    }
    if (!dump.removed) {
      this.#idle.delete(dump);
      this.#idle.add(dump);
      if (this.#idle.size > MAX_IDLE) this.#close(this.#idle.values().next().value!);
    }
    return dump.fd;
  }

  #open(dump: SavedDump): number {
    let fd: number;
    try {
      // Not blocking: a FIFO may have taken the file's place.
      fd = openSync(this.#pathOf(dump.name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      throw failed(this.#title(dump), 'cannot be opened', error);
    }
    const { dev, ino } = fstatSync(fd, { bigint: true });
    if (!dump.identity.startsWith(`${dev}:${ino}:`)) {
      closeSync(fd);
      throw new PstoreError('EIO', `${this.#title(dump)} is another file than the one that was listed; list again`);
    }
    return fd;
  }

  #close(dump: SavedDump): void {
    this.#idle.delete(dump);
    this.#removed.delete(dump);
    if (dump.fd !== undefined) closeSync(dump.fd);
    dump.fd = undefined;
  }

  close(): void {
    for (const dump of [...this.#idle, ...this.#removed]) this.#close(dump);
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The number in `platform-dump-<tag>`, else a number that the name alone decides (FNV-1a, 64 bits), or the next free one
 * where two names have the same.
 */
function tagOf(name: Buffer, taken: ReadonlyMap<bigint, SavedDump>): bigint {
  const match = /^platform-dump-(0|[1-9][0-9]{0,19})$/.exec(name.toString('latin1'));
  let tag = match ? BigInt(match[1]!) : TAGS;
  if (tag >= TAGS) {
    tag = 0xcbf29ce484222325n;
    for (const byte of name) tag = ((tag ^ BigInt(byte)) * 0x100000001b3n) % TAGS;
  }
  while (taken.has(tag)) tag = (tag + 1n) % TAGS;
  return tag;
}
