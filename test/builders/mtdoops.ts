// An mtdoops device made of plain bytes, by the description of the pages and by the order in which a kernel writes
// them; shares nothing with the code under test.

export interface BuiltPage {
  seq: number;
  text: Uint8Array | string;
  /** Nanoseconds since 1970; null makes an old header. */
  time: bigint | null;
  /** What follows the text: default a NUL, then 0xFF to the page's end. */
  tail?: Uint8Array;
}

export interface BuiltDevice {
  size: number;
  recordSize: number;
  eraseSize: number;
  endian: 'little' | 'big';
  /** What the flash holds before anything is written. */
  fill: number;
  /** Erase blocks that are bad. */
  bad: number[];
}

export const DEVICE: BuiltDevice = {
  size: 262144,
  recordSize: 4096,
  eraseSize: 65536,
  endian: 'little',
  fill: 0xff,
  bad: [],
};

function put(bytes: Uint8Array, offset: number, value: bigint, length: number, endian: 'little' | 'big'): void {
  for (let i = 0; i < length; i++) {
    const shift = BigInt(8 * (endian === 'little' ? i : length - 1 - i));
    bytes[offset + i] = Number((value >> shift) & 0xffn);
  }
}

/** The bytes of one page, 0xFF where nothing stands. */
export function pageBytes(page: BuiltPage, recordSize: number, endian: 'little' | 'big'): Uint8Array {
  const bytes = new Uint8Array(recordSize).fill(0xff);
  put(bytes, 0, BigInt(page.seq), 4, endian);
  put(bytes, 4, page.time === null ? 0x5d005d00n : 0x5d005e00n, 4, endian);
  const from = page.time === null ? 8 : 16;
  if (page.time !== null) put(bytes, 8, BigInt.asUintN(64, page.time), 8, endian);
  const text = typeof page.text === 'string' ? new TextEncoder().encode(page.text) : page.text;
  const tail = page.tail ?? Uint8Array.of(0);
  bytes.set(text.subarray(0, recordSize - from), from);
  bytes.set(tail.subarray(0, Math.max(0, recordSize - from - text.length)), Math.min(recordSize, from + text.length));
  return bytes;
}

/** A log of whole lines that leaves less room in a page than its next line would take. */
export function logText(room: number, seed: number): string {
  let text = '';
  for (let i = 0; ; i++) {
    const line = `<4>[   ${seed}.${String(i).padStart(6, '0')}] line ${'x'.repeat((i * 7 + seed) % 60)}\n`;
    if (text.length + line.length > room) return text;
    text += line;
  }
}

/** A device as a kernel fills it, one record after the other. */
export class MtdDevice {
  readonly options: BuiltDevice;
  readonly bytes: Uint8Array;
  readonly pages: number;
  /** The kernel's own idea of the next page and number. */
  next = 0;
  nextSeq: number;
  /** Pages that hold a record, the oldest first, as written. */
  order: number[] = [];
  #used: boolean[];

  constructor(options: Partial<BuiltDevice> = {}, firstSeq = 1) {
    this.options = { ...DEVICE, ...options };
    const { size, recordSize, fill } = this.options;
    this.bytes = new Uint8Array(size).fill(fill);
    this.pages = Math.floor(size / recordSize);
    this.#used = new Array(this.pages).fill(fill !== 0xff);
    this.nextSeq = firstSeq;
    for (let page = 0; page < this.pages; page++) if (this.#inBadBlock(page)) this.#used[page] = false;
    this.#makeRoom();
  }

  #inBadBlock(page: number): boolean {
    const { recordSize, eraseSize, bad } = this.options;
    return bad.includes(Math.floor((page * recordSize) / eraseSize));
  }

  /** When the next page is in use: on to the next good block, which is erased. */
  #makeRoom(): void {
    if (!this.#used[this.next]) return;
    const { recordSize, eraseSize } = this.options;
    const perBlock = eraseSize / recordSize;
    while (this.next % perBlock !== 0) this.next = (this.next + 1) % this.pages;
    while (this.#inBadBlock(this.next)) this.next = (this.next + perBlock) % this.pages;
    for (let page = this.next; page < this.next + perBlock; page++) {
      this.bytes.fill(0xff, page * recordSize, (page + 1) * recordSize);
      this.#used[page] = false;
      this.order = this.order.filter((one) => one !== page);
    }
  }

  /** Writes a record the way an oops does. @returns its page */
  oops(text: string, time: bigint | null): number {
    const { recordSize, endian } = this.options;
    const page = this.next;
    this.bytes.set(pageBytes({ seq: this.nextSeq, text, time }, recordSize, endian), page * recordSize);
    this.#used[page] = true;
    this.order = [...this.order.filter((one) => one !== page), page];
    this.next = (this.next + 1) % this.pages;
    this.nextSeq = this.nextSeq + 1 === 0xffffffff ? 0 : this.nextSeq + 1;
    this.#makeRoom();
    return page;
  }
}

/** Records of Android's binary log: a header with NULs, then priority, tag and message. */
export function userLog(count: number): Buffer {
  const records = Array.from({ length: count }, (_, i) => {
    const message = Buffer.from(`\x04Store\0shelf ${i} moved ${i * 7} boxes\0`);
    const head = Buffer.alloc(18);
    head.write('l', 0);
    head.writeUInt16LE(head.length + message.length, 1);
    head.writeUInt16LE(1000, 3);
    head.writeUInt32LE(1_600_000_000 + i, 10);
    return Buffer.concat([head, message]);
  });
  return Buffer.concat(records);
}

/** A device of phones' kernels: a second text, the log of user space, follows the kernel's in each page. */
export function secondTextImage(): Uint8Array {
  const [pages, recordSize] = [8, 16384];
  const image = new Uint8Array(pages * recordSize).fill(0xff);
  for (let page = 0; page < pages; page++) {
    const heading = '\n```\n#### LOG TYPE:LAST LOGCAT\n#####2024-01-02 03:04:05\t\n```c\t\n';
    const text = Buffer.concat([Buffer.from(logText(6000, page + 1) + heading), userLog(40 + page)]);
    const time = 1_700_000_000_000_000_000n + BigInt(page);
    image.set(
      pageBytes({ seq: page + 1, text, time, tail: new Uint8Array(0) }, recordSize, 'little'),
      page * recordSize,
    );
  }
  return image;
}
