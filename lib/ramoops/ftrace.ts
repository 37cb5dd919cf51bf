// All ftrace zones of a region as the one file that they make.

import type { Abi } from '../pstore/abi.js';
import type { PassedOver } from '../pstore/backend.js';
import type { FtraceOptions } from '../pstore/ftrace-rings.js';
import { type FtraceFile, ftraceFile } from '../pstore/ftrace-rings.js';
import type { Found } from '../pstore/places.js';
import { isBrokenPlace } from '../storage/storage.js';
import { type EccCounts, eccWords, NO_ERRORS, total } from './ecc-counts.js';
import { salvagedFtraceHeader } from './salvage.js';
import type { ZoneWarnings } from './warn.js';
import type { CheckedHeader, PersistentRamZone } from './zone.js';

export class FtraceZones {
  readonly #zones: readonly PersistentRamZone[];
  readonly #options: FtraceOptions;
  readonly #warn: ZoneWarnings;
  /** What was found, until the rings are known to have changed; `undefined` while nobody has looked. */
  #looked: { readonly found: Found | undefined } | undefined;

  constructor(zones: readonly PersistentRamZone[], options: FtraceOptions, warn: ZoneWarnings) {
    this.#zones = zones;
    this.#options = options;
    this.#warn = warn;
  }

  headers(): CheckedHeader[] {
    return this.#zones.map((zone) => zone.header());
  }

  forget(): void {
    this.#looked = undefined;
  }

  found(): Found | undefined {
    this.#looked ??= { found: this.#look() };
    return this.#looked.found;
  }

  #look(): Found | undefined {
    const headers = this.headers();
    const first = headers.findIndex((header) => header.state === 'live');
    if (first < 0) return undefined;
    const ecc = this.#verified(headers);
    return {
      offset: this.#zones[first]!.zone.offset,
      mtimeNs: null,
      reason: null,
      count: null,
      ecc: ecc && eccWords(ecc),
      compressed: 'no',
      lead: '',
      trail: '',
      length: undefined,
      room: headers.reduce((sum, { state, size }) => sum + (state === 'live' ? size : 0), 0),
      isMade: true,
      pieces: () => [this.#file(headers).text],
    };
  }

  #verified(headers: readonly CheckedHeader[]): EccCounts | null {
    if ((this.#zones[0]?.zone.ecc ?? 0) === 0) return null;
    return headers.reduce((sum, header, i) => total(sum, this.#verifiedRing(this.#zones[i]!, header)), NO_ERRORS);
  }

  #verifiedRing(zone: PersistentRamZone, header: CheckedHeader): EccCounts {
    if (header.state !== 'live') return NO_ERRORS;
    try {
      const counts = total(header.ecc, zone.verify(header));
      this.#warn.addEcc(zone.zone, counts);
      return counts;
    } catch (error) {
      // Whoever reads the file is told of it.
      if (!isBrokenPlace(error)) throw error;
      return header.ecc;
    }
  }

  /** An empty ring stays in its place, because a zone's place tells its CPU. */
  #file(headers: readonly CheckedHeader[]): FtraceFile {
    const rings = this.#zones.map((zone, i) => {
      zone.checkStillThere();
      const header = headers[i]!;
      return { bytes: header.state === 'live' ? zone.data(header).bytes : new Uint8Array(0) };
    });
    return ftraceFile(rings, this.#options);
  }

  /** Only where no CPU's ring is live, what can be salvaged stands for them: else the file is the kernel's. */
  passedOver(): PassedOver | undefined {
    const now = this.headers();
    if (now.some(({ state }) => state === 'live')) return undefined;
    try {
      return this.#salvaged(now.map((header, i) => salvagedFtraceHeader(this.#zones[i]!, header)));
    } catch (error) {
      // Records of zeros would be made up.
      if (!isBrokenPlace(error)) throw error;
      return undefined;
    }
  }

  #salvaged(headers: readonly CheckedHeader[]): PassedOver | undefined {
    const first = headers.findIndex(({ state }) => state === 'live');
    if (first < 0) return undefined;
    const { offset } = this.#zones[first]!.zone;
    const stored = this.#file(headers).text;
    const facts = { mtimeNs: null, reason: null, count: null };
    return { type: 'ftrace', id: 0, offset, stored, kind: 'made', limit: 0, ...facts };
  }

  /** The machine as the records of live rings tell it, or as it is known without them. */
  abi(): Abi {
    const { abi } = this.#options;
    const headers = this.headers();
    if (!headers.some(({ state }) => state === 'live')) return abi;
    try {
      return { ...abi, wordBits: this.#file(headers).encoding.wordBits };
    } catch (error) {
      if (!isBrokenPlace(error)) throw error;
      return abi;
    }
  }
}
