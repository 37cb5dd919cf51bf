// A file that was dropped on the page, as a storage: read from the disk as it is asked for.

import { PstoreError } from '../../errors.js';
import { MemoryStorage } from '../../storage/memory.js';
import type { Storage } from '../../storage/storage.js';

/** Only a worker has it: TypeScript's words for a page lack it. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

/** Smaller files are read at once. */
const MAX_IN_MEMORY = 256 << 20;
/** At most this many bytes are unpacked: a file that holds more may be made to fill the memory. */
const MAX_UNPACKED = 1 << 30;

/** @throws PstoreError where a packed file holds too much, or is damaged */
export async function fileStorage(file: File): Promise<Storage> {
  const head = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return memory(await unpacked(file), file.name);
  if (file.size <= MAX_IN_MEMORY) return memory(new Uint8Array(await file.arrayBuffer()), file.name);
  return new SlicedFile(file);
}

function memory(bytes: Uint8Array, path: string): Storage {
  return new MemoryStorage(bytes, { path, writable: false });
}

async function unpacked(file: File): Promise<Uint8Array> {
  const reader = file.stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  const pieces: BlobPart[] = [];
  let size = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > MAX_UNPACKED) break;
      pieces.push(value);
    }
  } catch {
    throw new PstoreError('EBADMSG', `${file.name} is damaged: it cannot be unpacked; gunzip may give a part of it`);
  }
  if (size > MAX_UNPACKED) {
    await reader.cancel();
    throw new PstoreError('EFBIG', `${file.name} unpacks to more than ${MAX_UNPACKED} bytes; unpack it with gunzip`);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

const BLOCK = 1 << 20;
const MAX_BLOCKS = 64;

/** Of a large file only what is looked at is read; a worker may wait for it. */
class SlicedFile implements Storage {
  readonly path: string;
  readonly size: number;
  readonly writable = false;
  readonly #file: File;
  readonly #reader = new FileReaderSync();
  /** The last ones that were read: the oldest first. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(file: File) {
    this.#file = file;
    this.path = file.name;
    this.size = file.size;
  }

  read(target: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(target.length, this.size - offset));
    for (let done = 0; done < length; ) {
      const at = offset + done;
      const block = this.#block(Math.floor(at / BLOCK));
      const part = block.subarray(at % BLOCK, (at % BLOCK) + length - done);
      if (part.length === 0)
        throw new PstoreError('EIO', `${this.path} became shorter while it was read; open it again`);
      target.set(part, done);
      done += part.length;
    }
    return length;
  }

  #block(index: number): Uint8Array {
    let block = this.#blocks.get(index);
    if (block === undefined) {
      block = this.#readBlock(index);
      if (this.#blocks.size >= MAX_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value!);
    } else this.#blocks.delete(index);
    this.#blocks.set(index, block);
    return block;
  }

  #readBlock(index: number): Uint8Array {
    try {
      return new Uint8Array(this.#reader.readAsArrayBuffer(this.#file.slice(index * BLOCK, (index + 1) * BLOCK)));
    } catch (error) {
      const why = (error as Error).message;
      throw new PstoreError('EIO', `${this.path} cannot be read at offset ${index * BLOCK}: ${why}`, {
        path: this.path,
      });
    }
  }

  write(): void {
    throw new PstoreError('EROFS', `${this.path} is only read`);
  }

  sync(): void {}
  close(): void {}
}
