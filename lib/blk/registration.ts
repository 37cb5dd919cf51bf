// Engines that are registered as backends, one of each name.

import { PstoreError } from '../errors.js';
import type { ZoneEngine } from './engine.js';

/**
 * Who stores crash records in this program. pstore/zone knows one backend at a time and refuses every other with EBUSY
 * ("already loaded"); here there may be several, but a name that stands in file names means one of them.
 */
export class ZoneRegistry {
  readonly #engines = new Map<string, ZoneEngine>();

  /**
   * @param name as it stands in file names, such as `pstore_blk`
   * @throws PstoreError EBUSY when the name is taken, or the engine is registered by another name; EINVAL without a name
   */
  register(name: string, engine: ZoneEngine): void {
    if (name === '') throw new PstoreError('EINVAL', 'a backend needs a name');
    if (this.#engines.has(name)) {
      throw new PstoreError('EBUSY', `a backend ${name} is already registered; unregister it first`);
    }
    for (const [other, registered] of this.#engines) {
      if (registered === engine) throw new PstoreError('EBUSY', `this engine is already registered as ${other}`);
    }
    this.#engines.set(name, engine);
  }

  /**
   * Brings what the engine still holds to its storage, and frees the name. Nothing happens for a name that is not
   * registered, as in the kernel.
   * @returns how many zones could not be brought to the storage, and are lost with the engine
   */
  unregister(name: string): number {
    const engine = this.#engines.get(name);
    this.#engines.delete(name);
    return engine ? engine.flushDirty() : 0;
  }

  /** The engine of this name, or undefined. */
  get(name: string): ZoneEngine | undefined {
    return this.#engines.get(name);
  }

  /** In the order of registration: the first one is the first backend. */
  names(): string[] {
    return [...this.#engines.keys()];
  }
}
