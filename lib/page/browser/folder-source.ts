// A folder that was dropped on the page, as a source: records in files of their own, or saved dumps of a firmware.

import { PstoreError } from '../../errors.js';
import type { Backend } from '../../pstore/backend.js';
import type { TextCache } from '../../pstore/cache.js';
import { SourceKeys } from '../../pstore/keys.js';
import { KINDS } from '../../source/kinds.js';
import { kindOfFiles, kindOfFirmware } from '../../source/recognise.js';
import type { DumpFile, Firmware, FirmwareBlock, FirmwareDump } from '../../storage/firmware.js';
import type { Folder, FolderFile } from '../../storage/folder.js';
import { Warnings } from '../../warnings.js';
import type { DroppedFolder } from './dropped.js';

/** Bytes of all files of a folder: they are held in memory. */
const MAX_BYTES = 512 << 20;

type Contents = ReadonlyMap<string, Uint8Array>;

/** @throws PstoreError EFBIG; EBADMSG for a folder of no known kind */
export async function folderBackend(dropped: DroppedFolder, cache: TextCache): Promise<Backend> {
  const path = dropped.name;
  const size = dropped.files.reduce((sum, { file }) => sum + file.size, 0);
  if (size > MAX_BYTES) {
    throw new PstoreError('EFBIG', `${path} has ${size} bytes in its files: a page takes ${MAX_BYTES >> 20} MiB`, {
      path,
    });
  }
  const contents = new Map<string, Uint8Array>();
  for (const { name, file } of dropped.files) contents.set(name, new Uint8Array(await file.arrayBuffer()));
  const keys = new SourceKeys([['ro', '']]);
  const warnings = new Warnings();
  const folder = new FilesInMemory(path, contents);
  const ofFiles = kindOfFiles(KINDS, folder);
  if (ofFiles) return ofFiles.folder!.open({ path, keys, warnings, folder, cache });
  const firmware = new FirmwareInMemory(path, dropped, contents);
  const ofDumps = kindOfFirmware(KINDS, firmware);
  if (ofDumps) return ofDumps.open({ path, keys, warnings, firmware, scratch: noScratch, lockdown: () => 'none' });
  throw new PstoreError('EBADMSG', `${path} is a folder, and none of records; drop the images in it, not the folder`, {
    path,
  });
}

function noScratch(): never {
  throw new PstoreError('ENOSPC', 'a page makes no temporary files');
}

class FilesInMemory implements Folder {
  readonly path: string;
  readonly writable = false;
  readonly #contents: Contents;

  constructor(path: string, contents: Contents) {
    this.path = path;
    this.#contents = contents;
  }

  files(): readonly FolderFile[] {
    const names = [...this.#contents.keys()].sort();
    return names.map((name) => ({ name, size: this.#contents.get(name)!.length, identity: name }));
  }

  read({ name }: FolderFile, length: number, offset = 0): Uint8Array {
    return this.#contents.get(name)!.slice(offset, offset + length);
  }

  remove(): never {
    throw new PstoreError('EROFS', 'a page removes no files');
  }
}

const encoder = new TextEncoder();

class FirmwareInMemory implements Firmware {
  readonly path: string;
  readonly writable = false;
  readonly #dumps: readonly (FirmwareDump & { readonly bytes: Uint8Array })[];

  constructor(path: string, { files }: DroppedFolder, contents: Contents) {
    this.path = path;
    this.#dumps = files.map(({ name, file }, i) => {
      const bytes = contents.get(name)!;
      const mtimeNs = BigInt(file.lastModified) * 1_000_000n;
      return { tag: BigInt(i), fileName: encoder.encode(name), size: bytes.length, mtimeNs, identity: name, bytes };
    });
  }

  tags(): readonly FirmwareDump[] {
    return this.#dumps;
  }

  next(tag: bigint, sequence: bigint, buffer: Uint8Array): FirmwareBlock {
    const { bytes } = this.#dumps[Number(tag)]!;
    const part = bytes.subarray(Number(sequence), Number(sequence) + buffer.length);
    buffer.set(part);
    const end = Number(sequence) + part.length;
    return { status: end === bytes.length ? 'complete' : 'more', sequence: BigInt(end), bytes: part.length };
  }

  openFile(tag: bigint): DumpFile {
    const { bytes } = this.#dumps[Number(tag)]!;
    const read = (target: Uint8Array, position: number): number => {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    };
    return { size: bytes.length, read, close: () => {} };
  }

  invalidate(): never {
    throw new PstoreError('EROFS', 'a page removes no dumps');
  }

  close(): void {}
}
