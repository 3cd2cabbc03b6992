/** createLookupCache: at once where it is known, one look-up for all askers, bounds, refreshes, failures. */

import { describe, expect, it } from "vitest";
import {
  createLookupCache,
  type Kept,
  type Loaded,
  type LookupCache,
} from "../../src/discovery/lookup-cache.ts";
import { fakeClock } from "../support/clock.ts";

const TTL_MS = 1000;

interface Bench {
  readonly cache: LookupCache<string, string>;
  readonly clock: ReturnType<typeof fakeClock>;
  /** Keys that are being looked up, with the failures before. */
  readonly asked: [key: string, failuresBefore: number][];
  /** Ends the oldest look-up. */
  answer(value: string, loaded?: Partial<Loaded<string>>): Promise<void>;
}

function bench({ entriesMax = 100, inFlightMax = 4 } = {}): Bench {
  const clock = fakeClock();
  const asked: [string, number][] = [];
  const waiting: ((loaded: Loaded<string>) => void)[] = [];
  const cache = createLookupCache<string, string>({
    load: (subject, failuresBefore) => {
      asked.push([subject, failuresBefore]);
      return new Promise((resolve) => waiting.push(resolve));
    },
    busy: "busy",
    entriesMax,
    inFlightMax,
    clock,
  });
  return {
    cache,
    clock,
    asked,
    async answer(value, loaded = {}) {
      waiting.shift()?.({ value, ttlMs: TTL_MS, isFailure: false, ...loaded });
      // All that follows an answer is microtasks.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** The value, if it is known at once. */
function known(kept: Kept<string> | Promise<Kept<string>>): string {
  return kept instanceof Promise ? "(a promise)" : kept.value;
}

const get = ({ cache }: Bench, key = "a"): string => known(cache.get(key, key));

describe("a value", () => {
  it("is waited for once, and there at once from then on, until it ends", async () => {
    const it = bench();
    const first = it.cache.get("a", "a");
    await it.answer("1");
    expect((await first).value).toBe("1");
    it.clock.advance(TTL_MS - 1);
    expect(get(it)).toBe("1");
    it.clock.advance(1);
    expect(get(it)).toBe("(a promise)");
    expect(it.cache.counters()).toMatchObject({ hits: 1, misses: 2 });
  });

  it("is looked up once for a hundred askers", async () => {
    const it = bench();
    const askers = Array.from({ length: 100 }, async () => it.cache.get("a", "a"));
    expect(it.asked).toHaveLength(1);
    await it.answer("1");
    expect(new Set(await Promise.all(askers)).size).toBe(1);
    expect(it.cache.counters()).toEqual({
      hits: 0,
      misses: 100,
      refreshes: 0,
      refused: 0,
      inFlight: 0,
      size: 1,
    });
  });

  it("with no time to live is for those who wait only", async () => {
    const it = bench();
    const first = it.cache.get("a", "a");
    await it.answer("1", { ttlMs: 0 });
    expect((await first).value).toBe("1");
    expect(get(it)).toBe("(a promise)");
    expect(it.cache.counters().size).toBe(0);
  });
});

describe("a refresh", () => {
  it("begins at 80 % of the time to live, when asked, behind the asker's back", async () => {
    const it = bench();
    get(it);
    await it.answer("1");
    it.clock.advance(TTL_MS * 0.8 - 1);
    expect(get(it)).toBe("1");
    expect(it.asked).toHaveLength(1);
    it.clock.advance(1);
    expect([get(it), get(it)]).toEqual(["1", "1"]);
    expect(it.asked).toHaveLength(2);
    await it.answer("2");
    expect(get(it)).toBe("2");
    it.clock.advance(TTL_MS * 0.8 - 1);
    expect(get(it)).toBe("2");
    expect(it.cache.counters()).toMatchObject({ refreshes: 1, misses: 1 });
  });

  it("is waited for by who makes a look-up of it", async () => {
    const it = bench();
    get(it);
    await it.answer("1");
    expect(known(it.cache.renew("a", "a"))).toBe("1");
    it.clock.advance(TTL_MS * 0.8);
    const renewed = it.cache.renew("a", "a");
    await it.answer("2");
    expect((await renewed).value).toBe("2");
  });

  it("that fails leaves the old value until it ends, and is tried again after its own time", async () => {
    const it = bench();
    get(it);
    await it.answer("1");
    it.clock.advance(TTL_MS * 0.8);
    get(it);
    await it.answer("failed", { isFailure: true, ttlMs: 100 });
    expect(get(it)).toBe("1");
    it.clock.advance(99);
    expect(get(it)).toBe("1");
    expect(it.asked).toHaveLength(2);
    it.clock.advance(1);
    expect(get(it)).toBe("1");
    expect(it.asked).toEqual([
      ["a", 0],
      ["a", 0],
      ["a", 1],
    ]);
    await it.answer("failed", { isFailure: true, ttlMs: 100 });
    it.clock.advance(100);
    expect(get(it)).toBe("(a promise)");
  });

  it("whose answer is no failure replaces the old value", async () => {
    const it = bench();
    get(it);
    await it.answer("1");
    it.clock.advance(TTL_MS * 0.8);
    get(it);
    await it.answer("refused");
    expect(get(it)).toBe("refused");
  });
});

describe("failures", () => {
  it("are told to who waits, however good the old value was", async () => {
    const it = bench();
    get(it);
    await it.answer("1");
    it.clock.advance(TTL_MS);
    const waiting = it.cache.get("a", "a");
    await it.answer("failed", { isFailure: true });
    expect((await waiting).value).toBe("failed");
  });

  it("are told too where the old value ended during the refresh", async () => {
    const it = bench();
    get(it);
    await it.answer("1");
    it.clock.advance(TTL_MS * 0.8);
    const renewed = it.cache.renew("a", "a");
    it.clock.advance(TTL_MS * 0.2);
    await it.answer("failed", { isFailure: true });
    expect((await renewed).value).toBe("failed");
  });

  it("replace failures, with their longer time to live", async () => {
    const it = bench();
    get(it);
    await it.answer("failed", { isFailure: true });
    it.clock.advance(TTL_MS * 0.8);
    expect(get(it)).toBe("failed");
    await it.answer("failed again", { isFailure: true, ttlMs: 2 * TTL_MS });
    it.clock.advance(2 * TTL_MS * 0.8 - 1);
    expect(get(it)).toBe("failed again");
    expect(it.asked).toHaveLength(2);
  });

  it("are kept, counted for the back-off, and forgotten with a success", async () => {
    const it = bench();
    for (const failuresBefore of [0, 1, 2]) {
      expect(get(it)).toBe("(a promise)");
      expect(it.asked.at(-1)).toEqual(["a", failuresBefore]);
      await it.answer("failed", { isFailure: true });
      expect(get(it)).toBe("failed");
      it.clock.advance(TTL_MS);
    }
    get(it);
    await it.answer("1");
    it.clock.advance(TTL_MS);
    get(it);
    expect(it.asked.at(-1)).toEqual(["a", 0]);
  });
});

describe("look-ups under way", () => {
  it.each([
    { why: "the last moment", pastMs: 600_000 - 1, value: "1", expected: "1" },
    { why: "a moment later", pastMs: 600_000, value: "1", expected: "busy" },
    { why: "no failure, which is no answer", pastMs: 1, value: "failed", expected: "busy" },
  ])("beyond it, what has ended lately is given all the same: $why", async ({ pastMs, value, expected }) => {
    const it = bench({ inFlightMax: 2 });
    get(it, "a");
    await it.answer(value, { isFailure: value === "failed" });
    get(it, "b");
    get(it, "c");
    it.clock.advance(TTL_MS + pastMs);
    expect([get(it, "a"), get(it, "d")]).toEqual([expected, "busy"]);
  });

  it("are refused with a word above the bound, and taken again below it", async () => {
    const it = bench({ inFlightMax: 2 });
    expect([get(it, "a"), get(it, "b"), get(it, "c")]).toEqual(["(a promise)", "(a promise)", "busy"]);
    expect(get(it, "a")).toBe("(a promise)");
    expect(it.cache.counters()).toMatchObject({ refused: 1, inFlight: 2 });
    await it.answer("1");
    expect(get(it, "c")).toBe("(a promise)");
  });

  it("are half of the bound at most for refreshes, which then wait", async () => {
    const it = bench({ inFlightMax: 4 });
    for (const key of ["a", "b", "c"]) get(it, key);
    for (const value of ["1", "2", "3"]) await it.answer(value);
    it.clock.advance(TTL_MS * 0.8);
    expect([get(it, "a"), get(it, "b"), get(it, "c")]).toEqual(["1", "2", "3"]);
    expect(it.cache.counters()).toMatchObject({ inFlight: 2, refreshes: 2, refused: 1 });
    expect([get(it, "d"), get(it, "e"), get(it, "f")]).toEqual(["(a promise)", "(a promise)", "busy"]);
  });

  it("that reject leave no trace", async () => {
    const clock = fakeClock();
    const cache = createLookupCache<string, string>({
      load: () => Promise.reject(new Error("a bug")),
      busy: "busy",
      entriesMax: 2,
      inFlightMax: 1,
      clock,
    });
    await expect(cache.get("a", "a")).rejects.toThrow("a bug");
    expect(cache.counters().inFlight).toBe(0);
  });
});

it("holds no more entries than its bound", async () => {
  const it = bench({ entriesMax: 10 });
  for (let key = 0; key < 100; key++) {
    get(it, String(key));
    await it.answer("1");
    expect(it.cache.counters().size).toBeLessThanOrEqual(10);
  }
  expect(get(it, "99")).toBe("1");
  expect(get(it, "0")).toBe("(a promise)");
});
