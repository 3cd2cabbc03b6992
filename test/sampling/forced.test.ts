/**
 * createForcedBudget: the bound for each peer, that a followed trace costs nothing for a minute, and that
 * everything it remembers is bounded. All on a fake clock.
 */

import { describe, expect, it } from "vitest";
import { createForcedBudget, type ForcedBudget } from "../../src/sampling/forced.ts";
import { fakeClock } from "../support/clock.ts";

/** How many of this many new traces are followed. */
function followed(budget: ForcedBudget, peer: string, perSecond: number, traces: readonly string[]): number {
  return traces.filter((traceId) => budget.allows(peer, traceId, perSecond)).length;
}

function newTraces(count: number, prefix = "new"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

describe("a peer's budget", () => {
  it.each([
    { why: "one a second", perSecond: 1, atOnce: 1, inTenSeconds: 11 },
    { why: "five a second", perSecond: 5, atOnce: 5, inTenSeconds: 55 },
    { why: "one in two seconds", perSecond: 0.5, atOnce: 1, inTenSeconds: 6 },
    { why: "none", perSecond: 0, atOnce: 0, inTenSeconds: 0 },
  ])("follows $why", ({ perSecond, atOnce, inTenSeconds }) => {
    const clock = fakeClock();
    const budget = createForcedBudget(clock);
    let count = followed(budget, "a.example", perSecond, newTraces(100));
    expect(count).toBe(atOnce);
    for (let ms = 0; ms < 10_000; ms += 125) {
      clock.advance(125); // An eighth of a second: sums of it are exact.
      count += followed(budget, "a.example", perSecond, newTraces(10, `at ${ms} `));
    }
    expect(count).toBe(inTenSeconds);
  });

  it("is its own: one peer cannot use up another's", () => {
    const budget = createForcedBudget(fakeClock());
    expect(followed(budget, "a.example", 1, newTraces(10))).toBe(1);
    expect(followed(budget, "b.example", 1, newTraces(10))).toBe(1);
  });

  it("takes over a new rate from the next call on", () => {
    const clock = fakeClock();
    const budget = createForcedBudget(clock);
    expect(followed(budget, "a.example", 1, newTraces(10))).toBe(1);
    clock.advance(1000);
    expect(followed(budget, "a.example", 4, newTraces(10, "later"))).toBe(4);
  });
});

describe("a followed trace", () => {
  it.each([
    { why: "within the minute", ms: 59_999, isFollowed: true },
    { why: "a minute later", ms: 60_000, isFollowed: false },
  ])("costs a token again or not: $why", ({ ms, isFollowed }) => {
    const clock = fakeClock();
    const budget = createForcedBudget(clock);
    expect(budget.allows("a.example", "old", 1)).toBe(true);
    clock.advance(ms);
    expect(followed(budget, "a.example", 1, ["other"])).toBe(1); // The only token there is.
    expect(budget.allows("a.example", "old", 1)).toBe(isFollowed);
  });

  it("is followed on as long as it goes on", () => {
    const clock = fakeClock();
    const budget = createForcedBudget(clock);
    expect(budget.allows("a.example", "long", 0.001)).toBe(true);
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(59_000);
      expect(budget.allows("a.example", "long", 0.001)).toBe(true);
    }
  });

  it("is the peer's own: another peer pays for it", () => {
    const budget = createForcedBudget(fakeClock());
    expect(budget.allows("a.example", "shared", 1)).toBe(true);
    expect(followed(budget, "b.example", 1, ["other", "shared"])).toBe(1);
  });

  it("that was refused is not remembered", () => {
    const budget = createForcedBudget(fakeClock());
    expect(followed(budget, "a.example", 1, ["first", "second", "second"])).toBe(1);
  });
});

describe("what is remembered", () => {
  it("forgets the least recently used peer when there are too many, and counts it", () => {
    const budget = createForcedBudget(fakeClock(), { peersMax: 2, tracesPerPeerMax: 10, tracesMax: 100 });
    expect(followed(budget, "a.example", 1, ["t"])).toBe(1);
    expect(followed(budget, "b.example", 1, ["t"])).toBe(1);
    expect(followed(budget, "a.example", 1, ["t"])).toBe(1); // Used again: b is the oldest now.
    expect(budget.evictedPeers()).toBe(0);
    expect(followed(budget, "c.example", 1, ["t"])).toBe(1);
    expect(budget.evictedPeers()).toBe(1);
    expect(followed(budget, "a.example", 1, ["new"])).toBe(0); // Known: its token is spent.
    expect(followed(budget, "b.example", 1, ["new"])).toBe(1); // Forgotten: it starts full.
  });

  it("forgets a peer's oldest trace when it has too many", () => {
    const budget = createForcedBudget(fakeClock(), { peersMax: 9, tracesPerPeerMax: 2, tracesMax: 100 });
    expect(followed(budget, "a.example", 3, ["one", "two", "three"])).toBe(3);
    expect(followed(budget, "a.example", 3, ["two", "three"])).toBe(2);
    expect(budget.allows("a.example", "one", 3)).toBe(false);
  });

  it("forgets the oldest peers when all have too many traces together", () => {
    const budget = createForcedBudget(fakeClock(), { peersMax: 9, tracesPerPeerMax: 3, tracesMax: 4 });
    expect(followed(budget, "a.example", 2, ["a1", "a2"])).toBe(2);
    expect(followed(budget, "b.example", 2, ["b1", "b2"])).toBe(2);
    expect(budget.evictedPeers()).toBe(0);
    expect(followed(budget, "c.example", 2, ["c1"])).toBe(1);
    expect(budget.evictedPeers()).toBe(1);
    expect(followed(budget, "b.example", 2, ["b1", "b2", "b3"])).toBe(2); // b is still known, a was forgotten.
  });

  it("does not count traces whose minute is over", () => {
    const clock = fakeClock();
    const budget = createForcedBudget(clock, { peersMax: 9, tracesPerPeerMax: 3, tracesMax: 4 });
    expect(followed(budget, "a.example", 1, ["idle"])).toBe(1);
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(60_000);
      expect(followed(budget, "b.example", 3, newTraces(3, `${minute} `))).toBe(3);
    }
    expect(budget.evictedPeers()).toBe(0);
  });
});
