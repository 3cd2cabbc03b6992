/**
 * Chance that can be repeated: the same seed draws the same ids and fractions. For load alone: who sees a few of its ids can
 * tell the next ones.
 */

import { createRandom, type Random } from "../core/random.ts";

/** Seeds are whole numbers from 0 to this one. */
export const SEED_MAX = 0xffff_ffff;

/** Mulberry32 (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c): 32 bits of state, even over all of them. */
export function createSeededRandom(seed: number): Random {
  let state = seed | 0;
  return createRandom((bytes) => {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 4 <= bytes.byteLength; at += 4) {
      state = (state + 0x6d2b_79f5) | 0;
      let word = Math.imul(state ^ (state >>> 15), state | 1);
      word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
      words.setUint32(at, (word ^ (word >>> 14)) >>> 0);
    }
  });
}

/**
 * Picks items as often as their weights say. Weights are 0 or more, and one of them is more.
 *
 * @returns given a fraction in [0, 1), an item
 */
export function createPicker<T>(
  items: readonly T[],
  weightOf: (item: T, index: number) => number,
): (fraction: number) => T {
  const picked: { readonly item: T; readonly upTo: number }[] = [];
  let total = 0;
  for (const [index, item] of items.entries()) {
    const weight = weightOf(item, index);
    total += weight;
    if (weight > 0) picked.push({ item, upTo: total });
  }
  return (fraction) => {
    const wanted = fraction * total;
    const found = picked.find(({ upTo }) => wanted < upTo) ?? picked.at(-1);
    if (found === undefined) throw new Error("a picker needs an item with a weight above 0");
    return found.item;
  };
}
