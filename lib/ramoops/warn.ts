// What a person is told of the zones of a region that a kernel does not show, or not as they were written.

import type { WarningCode, Warnings } from '../warnings.js';
import type { EccCounts } from './ecc-counts.js';
import type { RamZone } from './geometry.js';
import type { CheckedHeader } from './zone.js';

/** Up to this many zones without a signature get a warning each; more get one together. */
const FEW_UNSIGNED = 3;

/** A zone whose signature is none of ramoops, though something was written there. */
interface UnsignedZone {
  readonly zone: RamZone;
  readonly sig: number;
}

/** How messages call a zone. */
export function zoneName({ type, id, offset }: RamZone): string {
  return `${type} zone ${id} at offset ${offset}`;
}

export class ZoneWarnings {
  readonly #warnings: Warnings;
  readonly #path: string;

  constructor(warnings: Warnings, path: string) {
    this.#warnings = warnings;
    this.#path = path;
  }

  add(code: WarningCode, zone: RamZone, sentence: string): void {
    this.#warnings.add(code, `${this.#path}: ${zoneName(zone)} ${sentence}`, zone.offset);
  }

  addPassedOver(code: WarningCode, zone: RamZone, why: string): void {
    this.#warnings.addPassedOver(code, this.#path, zoneName(zone), why, zone.offset);
  }

  /** Of all headers, once. */
  addHeaders(headers: Iterable<{ zone: RamZone; header: CheckedHeader }>): void {
    const unsigned: UnsignedZone[] = [];
    for (const { zone, header } of headers) {
      const { state, sig } = header;
      if (state !== 'bad-signature') this.#addHeader(zone, header);
      else if (sig !== 0 && sig !== 0xffffffff) unsigned.push({ zone, sig });
    }
    this.#addUnsigned(unsigned);
  }

  #addHeader(zone: RamZone, { state, start, size }: CheckedHeader): void {
    if (state === 'overtop') {
      this.addPassedOver(
        'zone-overtop',
        zone,
        `says that it holds ${size} bytes, but has room for ${zone.layout.area}`,
      );
    } else if (state === 'truncated') {
      this.addPassedOver('zone-truncated', zone, 'goes on beyond the end of the image');
    } else if (state === 'start-beyond-size') {
      this.addPassedOver('zone-start-beyond-datalen', zone, `has start ${start} beyond its size ${size}`);
    }
  }

  /** Many of them are one problem: this is no such region, or not with these sizes. */
  #addUnsigned(unsigned: readonly UnsignedZone[]): void {
    const [first] = unsigned;
    if (!first) return;
    if (unsigned.length <= FEW_UNSIGNED) {
      for (const { zone, sig } of unsigned) {
        this.addPassedOver('zone-invalid', zone, `has the signature 0x${sig.toString(16)}`);
      }
      return;
    }
    const { zone } = first;
    const advice = `${this.#path}: --salvage shows what can be read of ${unsigned.length} zones`;
    const why = `${zoneName(zone)} is the first of them: they have no signature of ramoops`;
    this.#warnings.add('zone-invalid', `${advice}; ${why}, and a kernel passes over them`, zone.offset);
  }

  addEcc(zone: RamZone, { corrected, lost }: EccCounts): void {
    const bytes = corrected === 1 ? '1 wrong byte, which is' : `${corrected} wrong bytes, which are`;
    if (corrected > 0) this.add('ecc-corrected', zone, `has ${bytes} shown repaired`);
    const blocks = lost === 1 ? '1 block' : `${lost} blocks`;
    if (lost > 0) this.add('ecc-lost', zone, `has ${blocks} with more wrong bytes than ECC can repair`);
  }
}
