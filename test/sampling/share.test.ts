/** What a peer that chooses its trace ids gets of a probabilistic sampler, that an honest one does not notice, and that nobody suffers for another. */

import { describe, expect, it } from "vitest";
import { HIGHEST, LOWEST } from "./support.ts";
import { createPeerShare, type PeerShare } from "../../src/sampling/share.ts";
import { createChance } from "../support/chance.ts";

/** One request that R says is kept, of a trace at a rate of one in ten thousand. */
function ask(share: PeerShare, traceId: string, changes: object = {}): boolean {
  const asked = {
    peer: "a.test",
    traceId,
    probability: 0.0001,
    randomness: HIGHEST,
    isSampled: true,
    nowMs: 0,
  };
  return share.allows({ ...asked, ...changes });
}

/** Until nothing more is kept of it. */
function spend(share: PeerShare, peer = "a.test"): void {
  for (let index = 0; index < 25; index++) ask(share, `${peer} spends ${index}`, { peer });
}

describe("one that chooses all of its ids", () => {
  it.each([
    { why: "1 %", probability: 0.01, requests: 10_000, kept: 20 + 200 },
    { why: "10 %", probability: 0.1, requests: 10_000, kept: 20 + 2000 },
    {
      why: "at half and more it has them all: twice its share is everything",
      probability: 0.5,
      requests: 1000,
      kept: 1000,
    },
    { why: "a handful at first", probability: 0.001, requests: 20, kept: 20 },
  ])("gets twice its share and twenty: $why", ({ probability, requests, kept }) => {
    const share = createPeerShare();
    let count = 0;
    for (let index = 0; index < requests; index++) if (ask(share, `trace ${index}`, { probability })) count++;
    // The last credit may still be growing to a whole.
    expect(count).toBeGreaterThanOrEqual(kept - 1);
    expect(count).toBeLessThanOrEqual(kept);
  });

  it.each([
    { why: "one trace of any length", traces: 1, requests: 10_000 },
    { why: "long traces", traces: 10, requests: 1000 },
  ])("does not get more by $why", ({ traces, requests }) => {
    const share = createPeerShare();
    let count = 0;
    for (let trace = 0; trace < traces; trace++) {
      for (let index = 0; index < requests; index++)
        if (ask(share, `trace ${trace}`, { probability: 0.001 })) count++;
    }
    expect(count).toBeLessThanOrEqual(20 + 200 + 2 * 10 + 1);
  });

  it("does not get more by many names", () => {
    const share = createPeerShare();
    let count = 0;
    for (let index = 0; index < 20_000; index++) {
      for (let request = 0; request < 2; request++) {
        if (ask(share, `trace ${index} ${request}`, { peer: `${index}.test`, nowMs: index })) count++;
      }
    }
    // Twenty seconds: three hundred at first, and five new names a second.
    expect(count).toBeLessThanOrEqual(2 * (300 + 5 * 20));
  });
});

describe("an honest peer", () => {
  it.each([
    { probability: 0.001, requests: 1 },
    { probability: 0.01, requests: 1 },
    { probability: 0.1, requests: 1 },
    { probability: 0.5, requests: 1 },
    { probability: 0.9, requests: 1 },
    { probability: 0.01, requests: 5 },
    { probability: 0.5, requests: 10 },
  ])(
    "loses nothing in 30,000 requests at $probability, $requests of each trace",
    ({ probability, requests }) => {
      const share = createPeerShare();
      const random = createChance(1);
      let lost = 0;
      for (let index = 0; index < 30_000 / requests; index++) {
        const isSampled = random() < probability;
        for (let request = 0; request < requests; request++) {
          const asked = {
            peer: "a.test",
            traceId: `trace ${index}`,
            probability,
            randomness: HIGHEST,
            isSampled,
          };
          if (share.allows({ ...asked, nowMs: index }) !== isSampled) lost++;
        }
      }
      expect(lost).toBe(0);
    },
  );

  it("is known from its first request on, though 300 others come at once", () => {
    const share = createPeerShare();
    const random = createChance(2);
    let lost = 0;
    for (let request = 0; request < 40; request++) {
      for (let peer = 0; peer < 300; peer++) {
        const isSampled = random() < 0.1;
        const asked = { peer: `${peer}.test`, probability: 0.1, isSampled, nowMs: request };
        if (ask(share, `${peer} ${request}`, asked) !== isSampled) lost++;
      }
    }
    expect(lost).toBe(0);
  });

  it("has a trace to its end that was kept, though it has no credit for another", () => {
    const share = createPeerShare();
    for (let index = 0; index < 100; index++) expect(ask(share, "one")).toBe(true);
    expect(ask(share, "another")).toBe(false);
    expect(ask(share, "one")).toBe(true);
  });
});

describe("what one peer is refused", () => {
  it("stays refused for that peer, though it has earned since", () => {
    const share = createPeerShare();
    spend(share);
    expect(ask(share, "trace")).toBe(false);
    for (let index = 0; index < 100; index++)
      ask(share, `idle ${index}`, { probability: 0.4, isSampled: false });
    expect(ask(share, "trace")).toBe(false);
    expect(ask(share, "new")).toBe(true);
  });

  it("is no other peer's", () => {
    const share = createPeerShare();
    spend(share);
    expect(ask(share, "trace")).toBe(false);
    expect(ask(share, "trace", { peer: "b.test" })).toBe(true);
    expect(share.allowsOwn("trace")).toBe(true); // Since one of them has it kept.
  });

  it("is not recorded by the own server's requests either, which nobody else brought it", () => {
    const share = createPeerShare();
    spend(share);
    ask(share, "trace");
    expect(share.allowsOwn("trace")).toBe(false);
  });

  it("never was the own server's trace: those go back and forth freely", () => {
    const share = createPeerShare();
    share.noteOwn("trace", HIGHEST);
    spend(share);
    expect(ask(share, "trace")).toBe(true);
    expect(share.allowsOwn("trace")).toBe(true);
  });

  it("and is so with the R that it has there: another one costs what it costs", () => {
    const share = createPeerShare();
    let kept = 0;
    for (let trace = 0; trace < 50; trace++) {
      share.noteOwn(`trace ${trace}`, LOWEST);
      for (let request = 0; request < 999; request++)
        if (ask(share, `trace ${trace}`, { probability: 0.001 })) kept++;
    }
    expect(kept).toBeLessThanOrEqual(20 + 200 + 100 + 1);
    expect(share.allowsOwn("trace 49")).toBe(true);
  });

  it("is remembered for as long as it is gone on with", () => {
    const share = createPeerShare();
    for (let round = 0; round < 5; round++) {
      share.noteOwn("trace", HIGHEST);
      for (let other = 0; other < 8000; other++) share.noteOwn(`${round} ${other}`, HIGHEST);
    }
    spend(share);
    expect(ask(share, "trace")).toBe(true);
  });

  it("is forgotten with its own other traces alone", () => {
    const share = createPeerShare({ peersMax: 10, tracesPerPeerMax: 4, tracesMax: 100 });
    ask(share, "kept", { peer: "b.test" });
    spend(share);
    expect(share.allowsOwn("a.test spends 24")).toBe(false);
    for (let index = 0; index < 5; index++) ask(share, `more ${index}`);
    expect(share.allowsOwn("a.test spends 24")).toBe(true);
    spend(share, "b.test");
    expect(share.allowsOwn("more 4")).toBe(false);
  });

  it("is bounded over all of them: the peer that was idle longest goes with its notes", () => {
    const share = createPeerShare({ peersMax: 2, tracesPerPeerMax: 50, tracesMax: 100 });
    spend(share);
    ask(share, "b", { peer: "b.test" });
    expect(share.allowsOwn("a.test spends 24")).toBe(false);
    ask(share, "c", { peer: "c.test" });
    expect(share.allowsOwn("a.test spends 24")).toBe(true);
    const few = createPeerShare({ peersMax: 10, tracesPerPeerMax: 50, tracesMax: 30 });
    spend(few);
    spend(few, "b.test");
    expect(few.allowsOwn("a.test spends 24")).toBe(true);
    expect(few.allowsOwn("b.test spends 24")).toBe(false);
  });
});
