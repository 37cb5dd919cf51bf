// Places in ascending order, and what lies next to one of them.

/** Distances from a value to the next elements above it. */
export function distancesAfter(ascending: readonly number[], offset: number, most: number): number[] {
  const first = upperBound(ascending, offset);
  return ascending.slice(first, first + most).map((other) => other - offset);
}

/** Index of the first element above a value. */
export function upperBound(ascending: readonly number[], value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
