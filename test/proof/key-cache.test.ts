import { describe, expect, test } from "vitest";
import { createFetchLimit } from "../../src/proof/fetch-limit.ts";
import { createKeyCache, type FetchedKeys, type KeyCache } from "../../src/proof/key-cache.ts";
import { fakeClock } from "../support/clock.ts";

type Answer = FetchedKeys<string> | string;

const HOUR_MS = 3_600_000;
const keysOf = (ttlMs: number, ...ids: readonly string[]): FetchedKeys<string> => ({
  keys: new Map(ids.map((id) => [id, `key ${id}`])),
  ttlMs,
});

/** A cache whose fetches are answered by hand. */
function createBench(options: { readonly perSecond?: number; readonly holdersMax?: number } = {}) {
  const clock = fakeClock();
  const asked: string[] = [];
  const waiting = new Map<string, (answer: Answer) => void>();
  const ended: [string, string | undefined][] = [];
  const cache: KeyCache<string> = createKeyCache({
    fetch(holder) {
      asked.push(holder);
      return new Promise((resolve) => void waiting.set(holder, resolve));
    },
    hostOf: (holder) => holder,
    limit: createFetchLimit(options.perSecond ?? 10_000),
    onFetched: (holder, refusal) => void ended.push([holder, refusal]),
    clock,
    fraction: () => 0,
    ...(options.holdersMax === undefined ? {} : { holdersMax: options.holdersMax }),
  });
  return {
    cache,
    clock,
    asked,
    ended,
    answer: async (holder: string, answer: Answer): Promise<void> => {
      const resolve = waiting.get(holder);
      waiting.delete(holder);
      resolve?.(answer);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    },
  };
}

describe("keys that are not at hand", () => {
  test("are fetched once, however many ask, and nobody waits", async () => {
    const { cache, asked, ended, answer } = createBench();
    expect([
      cache.get("a.test", "1", true),
      cache.get("a.test", "1", true),
      cache.get("a.test", "2", true),
    ]).toEqual(Array(3).fill("fetching"));
    expect(asked).toEqual(["a.test"]);
    await answer("a.test", keysOf(HOUR_MS, "1"));
    expect(cache.get("a.test", "1", true)).toBe("key 1");
    expect(ended).toEqual([["a.test", undefined]]);
  });

  test("which their holder does not have are asked for again, ever more seldom", async () => {
    const { cache, asked, answer, clock } = createBench();
    cache.get("a.test", "1", true);
    await answer("a.test", keysOf(1000 * HOUR_MS, "1"));
    const waitsMs: number[] = [];
    let lastMs = clock.monotonicMs();
    while (waitsMs.length < 6) {
      if (cache.get("a.test", "gone", true) === "fetching") {
        waitsMs.push(clock.monotonicMs() - lastMs);
        lastMs = clock.monotonicMs();
        await answer("a.test", keysOf(1000 * HOUR_MS, "1"));
      }
      clock.advance(1000);
    }
    expect(waitsMs).toEqual([30_000, 30_000, 60_000, 120_000, 240_000, 300_000]);
    expect(asked.length).toBe(7);
    expect(cache.get("a.test", "1", true)).toBe("key 1");
  });

  test("of a holder that can't be asked are left alone for a while, longer each time", async () => {
    const { cache, answer, clock } = createBench();
    cache.get("a.test", "1", true);
    await answer("a.test", "connect");
    expect(cache.get("a.test", "1", true)).toBe("unknown");
    clock.advance(29_999);
    expect(cache.get("a.test", "1", true)).toBe("unknown");
    clock.advance(1);
    expect(cache.get("a.test", "1", true)).toBe("fetching");
    await answer("a.test", "connect");
    clock.advance(59_999);
    expect(cache.get("a.test", "1", true)).toBe("unknown");
    clock.advance(1);
    expect(cache.get("a.test", "1", true)).toBe("fetching");
  });

  test("of names that strangers make up are not asked for beyond the limit, nor remembered", async () => {
    const { cache, asked } = createBench({ perSecond: 10 });
    const said = Array.from({ length: 1000 }, (_, at) => cache.get(`made-up-${at}.test`, "1", false));
    expect(asked.length).toBe(1);
    expect(said.filter((word) => word === "busy").length).toBe(999);
    expect(cache.counters()).toMatchObject({ size: 1, inFlight: 1, held: 999 });
    // Those that the whitelist spells out have a share of their own.
    expect(cache.get("friend.test", "1", true)).toBe("fetching");
  });

  test("are fetched for at most 64 holders at a time", () => {
    const { cache, asked } = createBench();
    for (let at = 0; at < 70; at++) cache.get(`slow-${at}.test`, "1", true);
    expect(asked.length).toBe(64);
  });
});

describe("keys that are at hand", () => {
  test("are renewed before they end, and given meanwhile", async () => {
    const { cache, asked, answer, clock } = createBench();
    cache.get("a.test", "1", true);
    await answer("a.test", keysOf(HOUR_MS, "1"));
    clock.advance(HOUR_MS / 2 - 1);
    expect(cache.get("a.test", "1", true)).toBe("key 1");
    expect(asked.length).toBe(1);
    clock.advance(1);
    expect(cache.get("a.test", "1", true)).toBe("key 1");
    expect(asked.length).toBe(2);
    await answer("a.test", keysOf(HOUR_MS, "1", "2"));
    expect(cache.get("a.test", "2", true)).toBe("key 2");
  });

  test("outlive a failed renewal, and not their own end", async () => {
    const { cache, answer, clock } = createBench();
    cache.get("a.test", "1", true);
    await answer("a.test", keysOf(HOUR_MS, "1"));
    clock.advance(HOUR_MS - 1);
    cache.get("a.test", "1", true);
    await answer("a.test", "timeout");
    expect(cache.get("a.test", "1", true)).toBe("key 1");
    clock.advance(1);
    expect(cache.get("a.test", "1", true)).toBe("unknown");
  });

  test("go when their holder no longer names them", async () => {
    const { cache, answer, clock } = createBench();
    cache.get("a.test", "old", true);
    await answer("a.test", keysOf(HOUR_MS, "old"));
    clock.advance(HOUR_MS / 2);
    cache.get("a.test", "old", true);
    await answer("a.test", keysOf(HOUR_MS, "new"));
    expect(cache.get("a.test", "old", true)).not.toBe("key old");
  });

  test("that a signature doubts are fetched anew, but not more often than others", async () => {
    const { cache, asked, answer, clock } = createBench();
    cache.get("a.test", "1", true);
    await answer("a.test", keysOf(1000 * HOUR_MS, "1"));
    cache.doubt("a.test");
    expect(asked.length).toBe(1);
    clock.advance(30_000);
    cache.doubt("a.test");
    cache.doubt("a.test");
    expect(asked.length).toBe(2);
    cache.doubt("never-met.test");
    expect(asked.length).toBe(2);
  });

  test("in use are not pushed out by a flood of others", async () => {
    const { cache, answer } = createBench({ holdersMax: 10 });
    cache.get("friend.test", "1", true);
    await answer("friend.test", keysOf(HOUR_MS, "1"));
    for (let at = 0; at < 100; at++) {
      cache.get(`other-${at}.test`, "1", true);
      await answer(`other-${at}.test`, keysOf(HOUR_MS, "1"));
      expect(cache.get("friend.test", "1", true)).toBe("key 1");
    }
    expect(cache.counters().size).toBeLessThanOrEqual(10);
  });
});

describe("learn", () => {
  test("waits for the fetch, joins one under way, and is at once where keys are known", async () => {
    const { cache, asked, answer } = createBench();
    cache.get("a.test", "1", true);
    const learnt = cache.learn("a.test");
    await answer("a.test", keysOf(HOUR_MS, "1"));
    expect([...((await learnt) ?? []).keys()]).toEqual(["1"]);
    expect([...((await cache.learn("a.test")) ?? []).keys()]).toEqual(["1"]);
    expect(asked.length).toBe(1);
  });

  test("gives nothing for a holder that can't be asked", async () => {
    const { cache, answer } = createBench();
    const learnt = cache.learn("a.test");
    await answer("a.test", "dns");
    expect(await learnt).toBeUndefined();
  });
});
