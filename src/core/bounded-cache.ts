/**
 * A bounded map in two generations: new and used entries stand in the young one; when it is full it becomes the
 * old one, and what was old is forgotten. So what is used stays, as with LRU, but a hit is one lookup and moves
 * nothing, and forgetting costs nothing per entry. A flood of new keys can't push out a key that is in use.
 */

export interface BoundedCache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  /** Since the start; for metrics and for the tests of the bound. */
  counters(): CacheCounters;
}

export interface CacheCounters {
  readonly hits: number;
  readonly misses: number;
  /** Entries held now, in both generations; never above the bound. */
  readonly size: number;
}

/** @param entriesMax both generations together, at least 2 */
export function createBoundedCache<V>(entriesMax: number): BoundedCache<V> {
  const generationMax = Math.max(1, Math.floor(entriesMax / 2));
  let young = new Map<string, V>();
  let old = new Map<string, V>();
  let hits = 0;
  let misses = 0;

  function set(key: string, value: V): void {
    if (young.size >= generationMax && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }

  return {
    set,
    get(key) {
      const recent = young.get(key);
      if (recent !== undefined) {
        hits++;
        return recent;
      }
      const kept = old.get(key);
      if (kept === undefined) {
        misses++;
        return undefined;
      }
      hits++;
      set(key, kept);
      return kept;
    },
    counters: () => ({ hits, misses, size: young.size + old.size }),
  };
}
