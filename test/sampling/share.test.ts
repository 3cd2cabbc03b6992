/** What a peer that chooses its trace ids gets of a probabilistic sampler, and that an honest one does not notice. */

import { describe, expect, it } from "vitest";
import { createPeerShare } from "../../src/sampling/share.ts";

/** A generator that gives the same numbers each time (mulberry32), so that a rare miss is no flake. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("a peer's share", () => {
  it.each([
    { why: "all ids chosen, 1 %", probability: 0.01, traces: 10_000, kept: 20 + 200 },
    { why: "all ids chosen, 10 %", probability: 0.1, traces: 10_000, kept: 20 + 2000 },
    {
      why: "at half and more it has them all: twice its share is everything",
      probability: 0.5,
      traces: 1000,
      kept: 1000,
    },
    { why: "a handful at first", probability: 0.001, traces: 20, kept: 20 },
  ])("$why", ({ probability, traces, kept }) => {
    const share = createPeerShare();
    let count = 0;
    for (let index = 0; index < traces; index++) {
      if (share.allows("a.example", `trace ${index}`, probability, true)) count++;
    }
    // The last credit may still be growing to a whole.
    expect(count).toBeGreaterThanOrEqual(kept - 1);
    expect(count).toBeLessThanOrEqual(kept);
  });

  it.each([0.001, 0.01, 0.1, 0.5, 0.9])(
    "an honest peer loses nothing in 30,000 traces at %d",
    (probability) => {
      const share = createPeerShare();
      const random = seeded(1);
      let lost = 0;
      for (let index = 0; index < 30_000; index++) {
        const isSampled = random() < probability;
        if (share.allows("a.example", `trace ${index}`, probability, isSampled) !== isSampled) lost++;
      }
      expect(lost).toBe(0);
    },
  );

  it("earns and costs once for a trace, however many requests it has", () => {
    const share = createPeerShare();
    for (let index = 0; index < 1000; index++) {
      expect(share.allows("a.example", "one trace", 0.01, true)).toBe(true);
    }
    for (let index = 1; index < 20; index++) {
      expect(share.allows("a.example", `trace ${index}`, 0.0001, true)).toBe(true);
    }
    expect(share.allows("a.example", "one too many", 0.0001, true)).toBe(false);
  });

  it("stays with a no, and says so of the trace", () => {
    const share = createPeerShare();
    for (let index = 0; index < 20; index++) share.allows("a.example", `trace ${index}`, 0.0001, true);
    expect(share.allows("a.example", "refused", 0.0001, true)).toBe(false);
    expect(share.hasRefused("refused")).toBe(true);
    for (let index = 0; index < 100_000; index++) share.allows("a.example", `idle ${index}`, 0.0001, false);
    expect(share.hasRefused("trace 1")).toBe(false);
  });

  it("gives each peer its own", () => {
    const share = createPeerShare();
    for (let index = 0; index < 100; index++) share.allows("a.example", `a ${index}`, 0.0001, true);
    expect(share.allows("b.example", "b", 0.0001, true)).toBe(true);
  });

  it("is bounded in traces and in peers", () => {
    const share = createPeerShare({ tracesMax: 10, peersMax: 2 });
    for (let index = 0; index < 30; index++) share.allows("a.example", `a ${index}`, 0.0001, true);
    expect(share.hasRefused("a 29")).toBe(true);
    for (let index = 0; index < 10; index++) share.allows("b.example", `b ${index}`, 0.5, false);
    expect(share.hasRefused("a 29")).toBe(false); // Ten newer ones have come.
    share.allows("c.example", "c", 0.5, false);
    share.allows("d.example", "d", 0.5, false);
    expect(share.allows("a.example", "a again", 0.0001, true)).toBe(true); // It was forgotten.
  });
});
