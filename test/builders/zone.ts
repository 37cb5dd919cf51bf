// Builds partitions of zones byte by byte, both generations and every machine, and says what is in them. Knows nothing
// of the code under test.

/** What of a C compiler shapes the structs. */
interface Machine {
  readonly little: boolean;
  /** Bytes of `long`. */
  readonly word: 4 | 8;
  /** Alignment of a 64-bit integer. */
  readonly align: 4 | 8;
}

/** By the names that `abi=` has for them. */
export const MACHINES = {
  le64: { little: true, word: 8, align: 8 },
  le32: { little: true, word: 4, align: 8 },
  'le32-align4': { little: true, word: 4, align: 4 },
  be64: { little: false, word: 8, align: 8 },
  be32: { little: false, word: 4, align: 8 },
  'be32-align4': { little: false, word: 4, align: 4 },
} as const satisfies Record<string, Machine>;

export type MachineName = keyof typeof MACHINES;
export const MACHINE_NAMES = Object.keys(MACHINES) as MachineName[];

export type Format = 'blkoops' | 'pstore_blk';
export const FORMATS: readonly Format[] = ['pstore_blk', 'blkoops'];

export type Kind = 'pmsg' | 'console' | 'tty' | 'ftrace' | 'dmesg';

const SIGNATURE = 0x43474244;
const TYPE_NUMBERS: Record<Kind, number> = { dmesg: 0, console: 2, ftrace: 3, pmsg: 7, tty: 9 };

/** A struct as a C compiler lays it out. */
class Struct {
  readonly bytes: number[] = [];
  readonly #machine: Machine;
  readonly #padding: number;

  constructor(machine: Machine, padding: number) {
    this.#machine = machine;
    this.#padding = padding;
  }

  alignTo(boundary: number): this {
    while (this.bytes.length % boundary !== 0) this.bytes.push(this.#padding);
    return this;
  }

  integer(value: number | bigint, size: number): this {
    for (let i = 0; i < size; i++) {
      const shift = BigInt(8 * (this.#machine.little ? i : size - 1 - i));
      this.bytes.push(Number((BigInt(value) >> shift) & 0xffn));
    }
    return this;
  }

  u32(value: number): this {
    return this.alignTo(4).integer(value, 4);
  }
}

export interface RecordSpec {
  /** Stored behind the header. */
  readonly body?: Uint8Array | string;
  readonly seconds?: bigint | number;
  readonly nanoseconds?: bigint | number;
  readonly compressed?: number;
  readonly counter?: number;
  readonly reason?: number;
  /** Damage. */
  readonly sig?: number;
  readonly magic?: number;
  readonly datalen?: number;
  readonly erased?: boolean;
}

/** struct psz_kmsg_header, struct blkz_dmesg_header */
export function recordHeader(machine: Machine, spec: RecordSpec, padding: number): number[] {
  return (
    new Struct(machine, padding)
      .u32(spec.magic ?? 0x4dfc3ae5)
      .alignTo(machine.align)
      // struct timespec64
      .integer(spec.seconds ?? 1_700_000_000, 8)
      .integer(spec.nanoseconds ?? 123_456_789, machine.word)
      .alignTo(machine.align)
      .integer(spec.compressed ?? 0, 1)
      .u32(spec.counter ?? 1)
      .u32(spec.reason ?? 2)
      .alignTo(machine.align).bytes
  );
}

/** A zone's ring: what was written to it, one write after the other; or its fields as they stand, for damage. */
export type RingSpec =
  | readonly (Uint8Array | string)[]
  | {
      readonly data: Uint8Array | string;
      readonly datalen: number;
      readonly start: number;
      readonly sig?: number;
    };

/** A ring as the kernel keeps it in memory, written byte by byte. */
export class PlainRing {
  readonly data: Uint8Array;
  datalen = 0;
  start = 0;

  constructor(area: number, fill = 0xff) {
    this.data = new Uint8Array(area).fill(fill);
  }

  write(chunk: Uint8Array): void {
    const area = this.data.length;
    let full = this.datalen >= area;
    for (const byte of chunk.slice(Math.max(0, chunk.length - area))) {
      if (this.start === area) {
        this.start = 0;
        full = true;
      }
      this.data[this.start++] = byte;
    }
    this.datalen = full ? area : this.start;
  }

  /** Oldest byte first. */
  text(): Uint8Array {
    const { data, datalen, start } = this;
    return new Uint8Array([...data.slice(start, datalen), ...data.slice(0, start)]);
  }
}

export function latin1(text: Uint8Array | string): Uint8Array {
  return typeof text === 'string' ? new Uint8Array(Buffer.from(text, 'latin1')) : text;
}

interface Place {
  readonly kind: Kind;
  readonly index: number;
  readonly offset: number;
  readonly size: number;
}

export interface PartitionOptions {
  readonly format?: Format;
  readonly abi?: MachineName;
  /** What stands where nothing was written. */
  readonly fill?: number;
}

export function partition(size: number, options: PartitionOptions = {}): ZonePartition {
  return new ZonePartition(size, options);
}

export class ZonePartition {
  readonly bytes: Uint8Array;
  readonly format: Format;
  readonly abi: MachineName;
  /** Keys of a source, as the kernel had its parameters. */
  readonly keys: Record<string, string> = {};
  readonly places: Place[] = [];
  readonly #machine: Machine;
  #end = 0;
  /** Sizes as given, which may be more than their zones take. */
  #taken = 0;

  constructor(size: number, { format = 'pstore_blk', abi = 'le64', fill = 0xff }: PartitionOptions) {
    this.bytes = new Uint8Array(size).fill(fill);
    this.format = format;
    this.abi = abi;
    this.#machine = MACHINES[abi];
  }

  get bufferHeaderSize(): number {
    return this.format === 'blkoops' ? 8 : 12;
  }

  get recordHeaderSize(): number {
    return recordHeader(this.#machine, {}, 0).length;
  }

  get kmsgSize(): number {
    return Number(this.keys.kmsg_size ?? 0);
  }

  /** Bytes that a record may have behind its header. */
  get room(): number {
    return this.kmsgSize - this.bufferHeaderSize - this.recordHeaderSize;
  }

  get kmsgZones(): Place[] {
    return this.places.filter(({ kind }) => kind === 'dmesg');
  }

  #place(kind: Kind, index: number, size: number): Place {
    const place = { kind, index, offset: this.#end, size };
    this.places.push(place);
    this.#end += size;
    return place;
  }

  #header(kind: Kind, datalen: number, start: number, sig = SIGNATURE ^ TYPE_NUMBERS[kind]): number[] {
    const header = new Struct(this.#machine, 0).u32(sig >>> 0).u32(datalen);
    if (this.format === 'pstore_blk') header.u32(start);
    return header.bytes;
  }

  #front(kind: 'pmsg' | 'console' | 'tty', size: number, ring: RingSpec | undefined): this {
    this.keys[`${kind}_size`] = String(size);
    this.#taken += size;
    if (size > 0) this.ring(this.#place(kind, 0, size), ring);
    return this;
  }

  pmsg(size: number, ring?: RingSpec): this {
    return this.#front('pmsg', size, ring);
  }

  console(size: number, ring?: RingSpec): this {
    return this.#front('console', size, ring);
  }

  tty(size: number, ring?: RingSpec): this {
    return this.#front('tty', size, ring);
  }

  /** @param rings one for each zone, in the order of the CPUs; one that is missing was never written */
  ftrace(size: number, cpus: number, rings: readonly (RingSpec | undefined)[] = []): this {
    this.keys.ftrace_size = String(size);
    this.keys.cpus = String(cpus);
    this.#taken += size;
    const zone = Math.floor(size / cpus);
    for (let i = 0; zone > 0 && i < Math.floor(size / zone); i++) this.ring(this.#place('ftrace', i, zone), rings[i]);
    return this;
  }

  /** Writes a ring zone; nothing when the ring is missing. */
  ring(place: Place, ring: RingSpec | undefined): this {
    if (ring === undefined) return this;
    if ('datalen' in ring) {
      this.bytes.set(latin1(ring.data), place.offset + 12);
      this.bytes.set(this.#header(place.kind, ring.datalen, ring.start, ring.sig), place.offset);
      return this;
    }
    const plain = new PlainRing(place.size - 12, this.bytes[place.offset + 12]);
    for (const chunk of ring) plain.write(latin1(chunk));
    this.bytes.set(plain.data, place.offset + 12);
    this.bytes.set(this.#header(place.kind, plain.datalen, plain.start), place.offset);
    return this;
  }

  /** The dmesg zones: from here to the end. */
  kmsg(size: number): this {
    this.keys.kmsg_size = String(size);
    const count = Math.floor((this.bytes.length - this.#taken) / size);
    for (let index = 0; index < count; index++) this.#place('dmesg', index, size);
    return this;
  }

  /** A record as its kernel writes it: mainline the whole zone, RFC v5 nothing behind the data. */
  dmesg(index: number, spec: RecordSpec): this {
    const { offset, size } = this.kmsgZones[index]!;
    const padding = this.format === 'blkoops' ? 0xff : 0;
    const data = [...recordHeader(this.#machine, spec, padding), ...latin1(spec.body ?? '')].slice(
      0,
      size - this.bufferHeaderSize,
    );
    const datalen = spec.erased ? 0 : (spec.datalen ?? data.length);
    if (this.format === 'pstore_blk') this.bytes.fill(0, offset, offset + size);
    this.bytes.set([...this.#header('dmesg', datalen, 0, spec.sig), ...data], offset);
    return this;
  }

  /** The buffer header of every zone, with lengths 0. */
  formatted(): this {
    for (const { kind, offset } of this.places) this.bytes.set(this.#header(kind, 0, 0), offset);
    return this;
  }

  /** FLUSH_META of an unlink. */
  erase(place: Place): this {
    this.bytes.set(this.#header(place.kind, 0, 0), place.offset);
    return this;
  }
}
