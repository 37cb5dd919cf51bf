// A partition that kernels with several sizes have used, one boot after the other: each recovers what it finds as its
// source says, and writes its dumps. Knows nothing of the code under test.

import { latin1, recordHeader } from './zone.js';

const SIGNATURE = 0x43474244;
const MAGIC = 0x4dfc3ae5;
const LE64 = { little: true, word: 8, align: 8 } as const;
const RECORD_HEADER = 40;

export interface Boot {
  /** First byte of its first dmesg zone, and of what follows the last one. */
  readonly base?: number;
  readonly end?: number;
  readonly size: number;
  /** Seconds of each of its dumps. */
  readonly at: readonly number[];
  /** How much of its zone each dump fills, 0 to 1. */
  readonly fill?: number;
}

interface PlacedDump {
  readonly seconds: number;
  readonly counter: number;
  readonly reason: number;
}

interface Found {
  next: number;
  counter: number;
}

export class ReusedPartition {
  readonly bytes: Uint8Array;
  readonly #bufferHeader: 8 | 12;
  readonly #isMainline: boolean;

  constructor(size: number, dialect: 'rfc5' | 'vendor' | 'mainline') {
    this.bytes = new Uint8Array(size).fill(0xff);
    this.#bufferHeader = dialect === 'rfc5' ? 8 : 12;
    this.#isMainline = dialect === 'mainline';
  }

  boot({ base = 0, end = this.bytes.length, size, at, fill = 1 }: Boot): this {
    const count = Math.floor((end - base) / size);
    let { next, counter } = this.#recover(base, size, count);
    for (const seconds of at) {
      const body = `Oops#1 Part1\n${'a line of the log\n'.repeat(Math.ceil(size / 18))}`;
      const room = size - this.#bufferHeader - RECORD_HEADER;
      this.#write(base + next * size, size, body.slice(0, Math.floor(room * fill)), seconds, ++counter);
      next = (next + 1) % count;
    }
    return this;
  }

  /** A short dump in the first zone that has none, whatever its time and counter. */
  append(size: number, dump: PlacedDump): this {
    const view = new DataView(this.bytes.buffer);
    let index = 0;
    while (view.getUint32(index * size, true) === SIGNATURE) index++;
    return this.place(index * size, dump, 'Oops#1 Part1\na line of the log\n');
  }

  place(offset: number, { seconds, counter, reason }: PlacedDump, body: string): this {
    this.#write(offset, 0, body, seconds, counter, reason);
    return this;
  }

  /** A ring with so many bytes of text, or one that is full. */
  ring(type: 'pmsg' | 'console', offset: number, size: number, used = size - 12): this {
    const start = used === size - 12 ? 1 : used;
    const header = new DataView(new ArrayBuffer(12));
    header.setUint32(0, SIGNATURE ^ (type === 'pmsg' ? 7 : 2), true);
    header.setUint32(4, used, true);
    header.setUint32(8, start, true);
    this.bytes.set(new Uint8Array(header.buffer), offset);
    this.bytes.fill(0x61, offset + 12, offset + 12 + used);
    return this;
  }

  #recover(base: number, size: number, count: number): Found {
    const view = new DataView(this.bytes.buffer);
    const found = { next: 0, counter: 0 };
    let newest = 0n;
    for (let index = 0; index < count; index++) {
      const offset = base + index * size;
      const header = offset + this.#bufferHeader;
      if (view.getUint32(offset, true) !== SIGNATURE) {
        if (this.#isMainline) continue;
        found.next = index;
        break;
      }
      if (view.getUint32(offset + 4, true) > size - this.#bufferHeader) continue;
      if (view.getUint32(header, true) !== MAGIC) continue;
      const seconds = view.getBigInt64(header + 8, true);
      if (seconds >= newest) {
        newest = seconds;
        found.next = (index + 1) % count;
      }
      found.counter = Math.max(found.counter, view.getUint32(header + 28, true));
    }
    return found;
  }

  #write(
    offset: number,
    size: number,
    body: string,
    seconds: number,
    counter: number,
    reason = this.#bufferHeader === 12 && !this.#isMainline ? 3 : 2,
  ): void {
    if (this.#isMainline) this.bytes.fill(0, offset, offset + size);
    const header = recordHeader(LE64, { seconds, counter, reason }, 0);
    const buffer = new DataView(new ArrayBuffer(this.#bufferHeader));
    buffer.setUint32(0, SIGNATURE, true);
    buffer.setUint32(4, header.length + body.length, true);
    this.bytes.set([...new Uint8Array(buffer.buffer), ...header, ...latin1(body)], offset);
  }
}
