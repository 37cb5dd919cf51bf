// What is to be done later by a loop that waits by itself, where Node's timers would not go off.

interface Deadline {
  at: number;
  readonly act: () => void;
}

export class Deadlines {
  readonly #all = new Map<string, Deadline>();

  /** Does something once, in so many milliseconds; what was to be done by the same name is not. */
  set(name: string, ms: number, act: () => void): void {
    this.#all.set(name, { at: performance.now() + ms, act });
  }

  /** Milliseconds until the next is due, rounded up; -1 where there is none. */
  nextMs(): number {
    if (this.#all.size === 0) return -1;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#all.values()) next = Math.min(next, at - now);
    return Math.min(Math.max(0, Math.ceil(next)), MAX_WAIT_MS);
  }

  /** Does what is due. */
  run(): void {
    if (this.#all.size === 0) return;
    const now = performance.now();
    for (const [name, { at, act }] of [...this.#all]) {
      if (at > now) continue;
      this.#all.delete(name);
      act();
    }
  }
}

/** poll(2) takes an int; to look once an hour costs nothing. */
const MAX_WAIT_MS = 3_600_000;
