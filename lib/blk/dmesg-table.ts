// What is known of every dmesg zone, in columns: a partition may have hundreds of thousands of them.

/** What recovery made of a zone. */
export const ZoneState = {
  /** The signature differs: never used, or damaged. */
  Unsigned: 0,
  /** datalen is larger than the zone. */
  Overtop: 1,
  /** The dmesg header's magic is wrong. */
  Invalid: 2,
  Erased: 3,
  Live: 4,
  /** After the zone at which RFC v5 stops looking. */
  NotLookedAt: 5,
  /** The storage would not give the header: a broken place, or the end of a cut image. */
  Unreadable: 6,
} as const;

export type ZoneState = (typeof ZoneState)[keyof typeof ZoneState];

/** One row, as a value. Times as stored. */
export interface DmesgRow {
  readonly state: ZoneState;
  readonly datalen: number;
  readonly counter: number;
  readonly reason: number;
  readonly compressed: number;
  readonly seconds: bigint;
  readonly nanoseconds: bigint;
}

/** A zone without a header, or whose header tells nothing. */
export const NO_ROW: Omit<DmesgRow, 'state'> = {
  datalen: 0,
  counter: 0,
  reason: 0,
  compressed: 0,
  seconds: 0n,
  nanoseconds: 0n,
};

/** 38 bytes a zone. */
export class DmesgTable {
  readonly length: number;
  readonly #state: Uint8Array;
  readonly #datalen: Uint32Array;
  readonly #counter: Int32Array;
  readonly #reason: Uint32Array;
  readonly #compressed: Uint8Array;
  readonly #seconds: BigInt64Array;
  readonly #nanoseconds: BigInt64Array;

  constructor(length: number) {
    this.length = length;
    this.#state = new Uint8Array(length);
    this.#datalen = new Uint32Array(length);
    this.#counter = new Int32Array(length);
    this.#reason = new Uint32Array(length);
    this.#compressed = new Uint8Array(length);
    this.#seconds = new BigInt64Array(length);
    this.#nanoseconds = new BigInt64Array(length);
  }

  state(index: number): ZoneState {
    return this.#state[index] as ZoneState;
  }

  datalen(index: number): number {
    return this.#datalen[index]!;
  }

  compressed(index: number): number {
    return this.#compressed[index]!;
  }

  row(index: number): DmesgRow {
    return {
      state: this.state(index),
      datalen: this.#datalen[index]!,
      counter: this.#counter[index]!,
      reason: this.#reason[index]!,
      compressed: this.#compressed[index]!,
      seconds: this.#seconds[index]!,
      nanoseconds: this.#nanoseconds[index]!,
    };
  }

  /** Whether this is what stands there. */
  has(index: number, row: DmesgRow): boolean {
    return (
      this.#state[index] === row.state &&
      this.#datalen[index] === row.datalen &&
      this.#counter[index] === row.counter &&
      this.#reason[index] === row.reason &&
      this.#compressed[index] === row.compressed &&
      this.#seconds[index] === row.seconds &&
      this.#nanoseconds[index] === row.nanoseconds
    );
  }

  /** @returns whether anything differs from what stood there */
  set(index: number, row: DmesgRow): boolean {
    if (this.has(index, row)) return false;
    this.#state[index] = row.state;
    this.#datalen[index] = row.datalen;
    this.#counter[index] = row.counter;
    this.#reason[index] = row.reason;
    this.#compressed[index] = row.compressed;
    this.#seconds[index] = row.seconds;
    this.#nanoseconds[index] = row.nanoseconds;
    return true;
  }

  /** Sets a state that has no header with it. */
  setState(index: number, state: ZoneState): boolean {
    return this.set(index, { state, ...NO_ROW });
  }

  setErased(index: number): void {
    this.#state[index] = ZoneState.Erased;
    this.#datalen[index] = 0;
  }
}
