// Builds images of a persistent RAM region as a kernel leaves them, knowing nothing of the code under test; parity by
// another Reed-Solomon implementation.

import { parityOf } from './reed-solomon.js';

export interface RegionSizes {
  mem: number;
  record: number;
  console?: number;
  ftrace?: number;
  pmsg?: number;
  tty?: number;
  cpus?: number;
  ecc?: number;
  pmsgFirst?: boolean;
  big?: boolean;
  /** Version code of the kernel that signs the ftrace zones. */
  version?: number;
}

export interface BuiltZone {
  type: 'dmesg' | 'console' | 'ftrace' | 'pmsg' | 'tty';
  id: number;
  offset: number;
  size: number;
  /** Bytes that the zone has room for. */
  area: number;
}

const SIG = 0x43474244;

export class Region {
  readonly bytes: Uint8Array;
  readonly zones: BuiltZone[] = [];
  readonly #sizes: RegionSizes;

  constructor(sizes: RegionSizes, fill = 0) {
    this.#sizes = sizes;
    this.bytes = new Uint8Array(sizes.mem).fill(fill);
    const { mem, record, console = 0, ftrace = 0, pmsg = 0, tty = 0, cpus = 1 } = sizes;
    const rest = mem - console - ftrace - pmsg - tty;
    const count = record > 0 ? Math.floor(rest / record) : 0;
    let at = 0;
    const add = (type: BuiltZone['type'], number: number, size: number) => {
      for (let id = 0; id < number; id++) {
        this.zones.push({ type, id, offset: at, size, area: this.#area(size) });
        at += size;
      }
    };
    const ftraceZones = () => add('ftrace', ftrace > 0 ? cpus : 0, 2 * Math.floor(ftrace / cpus / 2));
    add('dmesg', count, count > 0 ? 2 * Math.floor(rest / count / 2) : 0);
    add('console', console > 0 ? 1 : 0, console);
    if (!sizes.pmsgFirst && tty === 0) ftraceZones();
    add('pmsg', pmsg > 0 ? 1 : 0, pmsg);
    add('tty', tty > 0 ? 1 : 0, tty);
    if (sizes.pmsgFirst || tty > 0) ftraceZones();
    for (const zone of this.zones) this.#header(zone, 0, 0);
  }

  #area(size: number): number {
    const ecc = this.#sizes.ecc ?? 0;
    const room = size - 12;
    return ecc === 0 ? room : room - (Math.ceil((room - ecc) / (128 + ecc)) + 1) * ecc;
  }

  zone(type: BuiltZone['type'], id = 0): BuiltZone {
    return this.zones.find((zone) => zone.type === type && zone.id === id)!;
  }

  #header(zone: BuiltZone, start: number, size: number): void {
    const view = new DataView(this.bytes.buffer, zone.offset);
    const little = !this.#sizes.big;
    const sig = zone.type === 'ftrace' ? SIG ^ (this.#sizes.version ?? 0x601c0) : SIG;
    view.setUint32(0, sig >>> 0, little);
    view.setUint32(4, start, little);
    view.setUint32(8, size, little);
    const ecc = this.#sizes.ecc ?? 0;
    if (ecc > 0) {
      const header = this.bytes.subarray(zone.offset, zone.offset + 12);
      this.bytes.set(parityOf(header, ecc), zone.offset + zone.size - ecc);
    }
  }

  /** Parity of the blocks that a write of these bytes of the area has touched. */
  #parity(zone: BuiltZone, from: number, to: number): void {
    const ecc = this.#sizes.ecc ?? 0;
    if (ecc === 0) return;
    const data = zone.offset + 12;
    for (let block = Math.floor(from / 128); block * 128 < to; block++) {
      const bytes = this.bytes.subarray(data + block * 128, data + Math.min((block + 1) * 128, zone.area));
      this.bytes.set(parityOf(bytes, ecc), data + zone.area + block * ecc);
    }
  }

  /** A dump, as ramoops writes it: the line, then the record; what does not fit is cut off. */
  dump(id: number, line: string, record: Uint8Array): void {
    const zone = this.zone('dmesg', id);
    const all = new Uint8Array([...new TextEncoder().encode(line), ...record]).subarray(0, zone.area);
    this.bytes.set(all, zone.offset + 12);
    this.#parity(zone, 0, all.length);
    this.#header(zone, all.length % zone.area, all.length);
  }

  /** A ring after a stream of bytes was written to it, byte by byte. */
  ring(type: 'console' | 'pmsg' | 'tty' | 'ftrace', stream: Uint8Array, cpu = 0): void {
    const zone = this.zone(type, cpu);
    let at = 0;
    for (const byte of stream) {
      this.bytes[zone.offset + 12 + at] = byte;
      at = (at + 1) % zone.area;
    }
    const size = Math.min(zone.area, stream.length);
    this.#parity(zone, 0, size);
    this.#header(zone, at, size);
  }

  /** What a ring of this kind keeps of a stream. */
  kept(type: BuiltZone['type'], stream: Uint8Array, cpu = 0): Uint8Array {
    return stream.subarray(Math.max(0, stream.length - this.zone(type, cpu).area));
  }

  /** The zone is erased: start and size 0. */
  erase(type: BuiltZone['type'], id = 0): void {
    this.#header(this.zone(type, id), 0, 0);
  }

  /** Any header. */
  header(type: BuiltZone['type'], id: number, start: number, size: number): void {
    this.#header(this.zone(type, id), start, size);
  }
}

/** Writes a region of one ring over all of an older one, as ram_console does: blocks are counted over the whole room. */
export function ringOver(bytes: Uint8Array, ecc: number, text: Uint8Array): void {
  const room = bytes.length - 12;
  const blocks = ecc > 0 ? Math.ceil(room / 128) : 0;
  const area = ecc > 0 ? room - (blocks + 1) * ecc : room;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, SIG, true);
  view.setUint32(4, text.length, true);
  view.setUint32(8, text.length, true);
  bytes.set(text, 12);
  if (ecc === 0) return;
  for (let block = 0; block * 128 < text.length; block++) {
    const data = bytes.subarray(12 + block * 128, 12 + Math.min((block + 1) * 128, area));
    bytes.set(parityOf(data, ecc), 12 + area + block * ecc);
  }
  bytes.set(parityOf(bytes.subarray(0, 12), ecc), bytes.length - ecc);
}
