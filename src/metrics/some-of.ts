/**
 * Which few of many are considered, where to consider each would cost too much.
 *
 * At uneven steps: two that take turns, as requests on two connections do, would be considered always and never with even ones. The steps
 * are the same in each process, by a linear congruential generator (Knuth: The Art of Computer Programming, volume 2, 3.3.4): a stranger
 * who knows them would have to know of each request of all others, too. Not here: chance that must not be guessed (core/random.ts).
 */

/** @param every one in so many is, on average; at least 1 @returns whether the next one is */
export function createSomeOf(every: number): () => boolean {
  const steps = 2 * every - 1;
  let state = every;
  let left = every;
  return () => {
    if (--left > 0) return false;
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    left = 1 + ((state >>> 16) % steps);
    return true;
  };
}
