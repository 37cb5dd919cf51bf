// A firmware that follows a script: any number of dumps, blocks as short as it likes, and every refusal there is. Dumps
// may be of any size, because their bytes are made when they are fetched.

import type { Firmware, FirmwareBlock, FirmwareDump, FirmwareStatus } from '../../lib/storage/firmware.js';
import { fillPattern } from './platform-dump.js';

export interface ScriptedDump {
  tag: bigint;
  size: number;
  /** The first bytes; what follows them is the pattern of `seed`. */
  head?: Uint8Array;
  seed?: number;
  /** Most bytes of a block; default what the buffer takes. */
  block?: number;
  /** Answered instead of bytes, while it stands here. */
  refusal?: FirmwareStatus;
  /** Answered to invalidate(), while it stands here. */
  invalidateRefusal?: FirmwareStatus;
  mtimeNs?: bigint;
  identity?: string;
  /** Fetches that give no bytes, before each one that does. */
  empty?: number;
  /** The last bytes come with `more`, and then `complete` with none. */
  endsEmpty?: boolean;
}

export class ScriptedFirmware implements Firmware {
  readonly path = 'firmware';
  writable = true;
  readonly dumps: ScriptedDump[];
  /** Fetches from the first byte on, by tag. */
  readonly starts = new Map<bigint, number>();
  /** Bytes that were given. */
  given = 0;
  calls = 0;
  closed = false;
  /** Tags whose last fetch gave `complete`. */
  readonly #finished = new Set<bigint>();
  /** The one sequence number that the next call of a tag may have, and what it stands for. */
  readonly #expected = new Map<bigint, { sequence: bigint; position: number; empty: number }>();
  #serial = 0n;

  constructor(dumps: ScriptedDump[]) {
    this.dumps = dumps;
  }

  tags(): FirmwareDump[] {
    return this.dumps.map(({ tag, mtimeNs = null, identity = `dump ${tag}` }) => ({
      tag,
      size: null,
      fileName: null,
      mtimeNs,
      identity,
    }));
  }

  next(tag: bigint, sequence: bigint, buffer: Uint8Array): FirmwareBlock {
    this.calls++;
    if (buffer.length < 1024) throw new Error(`a buffer of ${buffer.length} bytes`);
    const dump = this.dumps.find((one) => one.tag === tag);
    const refused = (status: FirmwareStatus) => ({ status, sequence: -1n, bytes: 0 });
    if (!dump) return refused('no-such-dump');
    if (dump.refusal) return refused(dump.refusal);
    const expected = this.#expected.get(tag);
    if (sequence === 0n) this.starts.set(tag, (this.starts.get(tag) ?? 0) + 1);
    else if (expected?.sequence !== sequence) throw new Error(`sequence ${sequence} out of turn`);
    const { position, empty } = sequence === 0n ? { position: 0, empty: 0 } : expected!;
    // Numbers that mean nothing to anyone else, and of more than 53 bits.
    const number = (2n ** 60n + ++this.#serial) * (tag + 1n);
    if (empty < (dump.empty ?? 0)) {
      this.#expected.set(tag, { sequence: number, position, empty: empty + 1 });
      return { status: 'more', sequence: number, bytes: 0 };
    }
    const length = Math.min(buffer.length, dump.block ?? buffer.length, dump.size - position);
    this.#fill(dump, buffer.subarray(0, length), position);
    this.given += length;
    const end = position + length;
    this.#expected.set(tag, { sequence: number, position: end, empty: 0 });
    const complete = end === dump.size && !(dump.endsEmpty && length > 0);
    if (complete) this.#finished.add(tag);
    return { status: complete ? 'complete' : 'more', sequence: number, bytes: length };
  }

  #fill({ head = new Uint8Array(0), seed = 1 }: ScriptedDump, target: Uint8Array, position: number): void {
    fillPattern(target, position, seed);
    target.set(head.subarray(position, position + target.length));
  }

  invalidate(tag: bigint): FirmwareStatus {
    const at = this.dumps.findIndex((one) => one.tag === tag);
    if (at < 0) return 'no-such-dump';
    const refusal = this.dumps[at]!.invalidateRefusal;
    if (refusal) return refusal;
    if (!this.#finished.has(tag)) return 'in-progress';
    this.dumps.splice(at, 1);
    return 'complete';
  }

  close(): void {
    this.closed = true;
  }
}
