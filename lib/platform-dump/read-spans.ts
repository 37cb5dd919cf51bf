// Which bytes of a record somebody has read.

interface Span {
  from: number;
  to: number;
}

/** More separate spans than this are not remembered: the smallest is forgotten. */
const MAX_SPANS = 1024;

export class ReadSpans {
  /** In order; none touches another. */
  #spans: Span[] = [];

  /** Bytes `from` up to, not including, `to` were read. */
  add(from: number, to: number): void {
    if (to <= from) return;
    const first = this.#firstEndingAt(from);
    let last = first;
    while (last < this.#spans.length && this.#spans[last]!.from <= to) last++;
    const touched = this.#spans.slice(first, last);
    const span = {
      from: Math.min(from, touched[0]?.from ?? from),
      to: Math.max(to, touched.at(-1)?.to ?? to),
    };
    this.#spans.splice(first, last - first, span);
    if (this.#spans.length > MAX_SPANS) this.#forgetSmallest();
  }

  /** Bytes that were read. */
  get bytes(): number {
    return this.#spans.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  /** Whether every one of the first `size` bytes was read. */
  covers(size: number): boolean {
    const first = this.#spans[0];
    return size === 0 || (first !== undefined && first.from === 0 && first.to >= size);
  }

  /** Index of the first span that ends at `from` or after it. */
  #firstEndingAt(from: number): number {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#spans[middle]!.to < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #forgetSmallest(): void {
    let smallest = 0;
    this.#spans.forEach(({ from, to }, i) => {
      const other = this.#spans[smallest]!;
      if (to - from < other.to - other.from) smallest = i;
    });
    this.#spans.splice(smallest, 1);
  }
}
