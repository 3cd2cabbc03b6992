/** createBoundedCache: the bound holds, what is in use stays, and the counters count. */

import { expect, it } from "vitest";
import { createBoundedCache } from "../../src/core/bounded-cache.ts";

it("never holds more than its bound", () => {
  const cache = createBoundedCache<number>(10);
  for (let key = 0; key < 100; key++) {
    cache.set(String(key), key);
    expect(cache.counters().size).toBeLessThanOrEqual(10);
  }
  expect(cache.get("99")).toBe(99);
  expect(cache.get("0")).toBeUndefined();
});

it("keeps what is in use through a flood of new keys", () => {
  const cache = createBoundedCache<string>(10);
  cache.set("hot", "kept");
  for (let key = 0; key < 1000; key++) {
    cache.set(String(key), "cold");
    if (key % 4 === 0) expect(cache.get("hot")).toBe("kept");
  }
});

it("counts hits in both generations, and misses", () => {
  const cache = createBoundedCache<number>(4);
  for (const key of ["a", "b", "c"]) cache.set(key, 1); // a and b are the old generation.
  expect([cache.get("c"), cache.get("a"), cache.get("x")]).toEqual([1, 1, undefined]);
  expect(cache.counters()).toEqual({ hits: 2, misses: 1, size: 4 }); // a, b, and c with the a that was used.
});

it("replaces a value without growing", () => {
  const cache = createBoundedCache<number>(4);
  cache.set("a", 1);
  cache.set("b", 1); // The young generation is full.
  cache.set("a", 2);
  expect(cache.get("a")).toBe(2);
  expect(cache.counters().size).toBe(2);
});
