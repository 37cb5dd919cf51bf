// What a mistyped word was probably meant to be: the known word that the fewest changes make of it.

/** Words as short as this are no abbreviation of a longer one. */
const MIN_ABBREVIATION = 3;

/** More words than this are not told. */
const MAX_TOLD = 3;

/**
 * @returns the known words that are nearest to one that is not known, in their order: those that the fewest changes make
 *   of it. None where none is near: more than every third letter would have to change, and it is no word's beginning.
 *   Case, `-` and `_` make no difference.
 */
function nearestOf(word: string, known: Iterable<string>): string[] {
  const wanted = plain(word);
  let best: string[] = [];
  let fewest = Math.floor((wanted.length + 1) / 3);
  for (const candidate of known) {
    const other = plain(candidate);
    const isBeginning = wanted.length >= MIN_ABBREVIATION && other.startsWith(wanted);
    if (!isBeginning && Math.abs(other.length - wanted.length) > fewest) continue;
    const changes = isBeginning ? Math.min(1, other.length - wanted.length) : distance(wanted, other);
    if (changes > fewest) continue;
    if (changes < fewest) best = [];
    fewest = changes;
    best.push(candidate);
  }
  return best;
}

/** The first of the nearest known words, or undefined. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  return nearestOf(word, known)[0];
}

/** `did you mean X, Y or Z?`, or `otherwise` where no known word is near. */
export function didYouMean(word: string, known: Iterable<string>, otherwise: string): string {
  const told = nearestOf(word, known).slice(0, MAX_TOLD);
  const last = told.pop();
  if (last === undefined) return otherwise;
  return `did you mean ${told.length === 0 ? last : `${told.join(', ')} or ${last}`}?`;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

/** Letters to insert, take out, replace, or swap with the next one (optimal string alignment). */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const line = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(above[column]! + 1, line[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) least = Math.min(least, before[column - 2]! + 1);
      line.push(least);
    }
    [before, above] = [above, line];
  }
  return above[to.length]!;
}
