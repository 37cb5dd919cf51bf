// The headers of all zones as they were last read, to tell which zone another writer has changed.

import type { RamGeometry, RamKind, RamZone } from './geometry.js';
import { type CheckedHeader, RAM_ZONE_STATES } from './zone.js';

const LIVE = RAM_ZONE_STATES.indexOf('live');

export class HeaderTable {
  readonly #geometry: RamGeometry;
  /** Number of each kind's first zone among all zones of the region. */
  readonly #firstIndex = new Map<RamKind, number>();
  readonly #state: Uint8Array;
  readonly #sig: Uint32Array;
  readonly #start: Uint32Array;
  readonly #size: Uint32Array;

  constructor(geometry: RamGeometry) {
    this.#geometry = geometry;
    let zones = 0;
    for (const { type, count } of geometry.runs) {
      this.#firstIndex.set(type, zones);
      zones += count;
    }
    this.#state = new Uint8Array(zones);
    this.#sig = new Uint32Array(zones);
    this.#start = new Uint32Array(zones);
    this.#size = new Uint32Array(zones);
  }

  #index({ type, id }: Pick<RamZone, 'type' | 'id'>): number {
    return this.#firstIndex.get(type)! + id;
  }

  /** Whether this is the header that was last read. */
  has(zone: RamZone, { state, sig, start, size }: CheckedHeader): boolean {
    const at = this.#index(zone);
    return (
      this.#state[at] === RAM_ZONE_STATES.indexOf(state) &&
      this.#sig[at] === sig &&
      this.#start[at] === start &&
      this.#size[at] === size
    );
  }

  /** Takes note of a header. @returns whether it differs from the one before */
  note(zone: RamZone, header: CheckedHeader): boolean {
    if (this.has(zone, header)) return false;
    const at = this.#index(zone);
    this.#state[at] = RAM_ZONE_STATES.indexOf(header.state);
    this.#sig[at] = header.sig;
    this.#start[at] = header.start;
    this.#size[at] = header.size;
    return true;
  }

  /** How many zones of a kind are live. */
  live(type: RamKind): number {
    const count = this.#geometry.runs.find((run) => run.type === type)?.count ?? 0;
    const first = this.#index({ type, id: 0 });
    return this.#state.subarray(first, first + count).reduce((sum, state) => sum + (state === LIVE ? 1 : 0), 0);
  }
}
