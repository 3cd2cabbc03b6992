/** "Did you mean": the known name that a mistyped one is nearest to. */

/** Longer words get no suggestion: the distance costs length × length. */
const WORD_LENGTH_MAX = 64;

/**
 * The nearest of `names` within a third of the word's length (at least one edit), or undefined.
 * A slip between hyphen and underscore or in letter case counts as no edit at all.
 */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  if (word.length > WORD_LENGTH_MAX) return undefined;
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(folded(word), folded(name));
    if (distance < least) {
      nearest = name;
      least = distance;
    }
  }
  return nearest;
}

/** `; did you mean X?`, or nothing where no name is near. */
export function suggestion(word: string, names: readonly string[]): string {
  const nearest = nearestName(word, names);
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}

function folded(word: string): string {
  return word.toLowerCase().replaceAll("-", "_");
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1));
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (isSwap) least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
