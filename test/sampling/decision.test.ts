/**
 * decideSampling: contract, section 3, rule 5, as one table of who wished what, under which sampling, against a local sampler that
 * takes all or nothing; then what holds for the sidecar as a whole; and what `tracestate` says afterwards.
 */

import { describe, expect, it } from "vitest";
import type { TraceContext } from "../../src/propagation/context.ts";
import { createBuckets } from "../../src/sampling/buckets.ts";
import {
  decideSampling,
  type SamplingPolicy,
  traceStateAfter,
  type WishSource,
} from "../../src/sampling/decision.ts";
import { createCeiling } from "../../src/sampling/ceiling.ts";
import { createPressure } from "../../src/sampling/pressure.ts";
import type { Candidate, Sampler } from "../../src/sampling/samplers.ts";
import { readOtState } from "../../src/sampling/threshold.ts";
import { candidate, HIGHEST, LOWEST, policyOf, quietLog, rule, samplerOf, strategyOf } from "./support.ts";

const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
const request: Candidate = {
  traceId: TRACE,
  randomness: TRACE.slice(-14),
  operation: "PUT /send",
  nowMs: 0,
};

const own: WishSource = { kind: "own" };
const accepted: WishSource = { kind: "peer", name: "a.example", sampling: "accept", forcedPerSecond: 1 };
const trusted: WishSource = { kind: "peer", name: "a.example", sampling: "trust", forcedPerSecond: 1 };

function wish(isSampled: boolean, changes: Partial<TraceContext> = {}): TraceContext {
  return {
    traceId: TRACE,
    spanId: "6e0c63257de34c92",
    isSampled,
    isRandom: false,
    traceState: "",
    ...changes,
  };
}

function takesAll(param: 0 | 1): Sampler {
  return samplerOf(strategyOf({ type: "const", param }));
}

function decide(
  policy: SamplingPolicy,
  source: WishSource,
  parent: TraceContext | undefined,
  of: Candidate = request,
  changes: { sampler?: Sampler; hasPass?: boolean; isKnown?: boolean; isForeign?: boolean } = {},
) {
  const state = readOtState(parent?.traceState ?? "");
  const facts = {
    source,
    isKnown: true,
    isForeign: false,
    sampler: undefined,
    hasPass: false,
    state,
    ...changes,
  };
  return decideSampling(policy, facts, parent, of);
}

describe("decideSampling", () => {
  it.each([
    {
      why: "accept: yes is nothing",
      source: accepted,
      parent: wish(true),
      local: 0,
      isSampled: false,
      by: "local",
    },
    {
      why: "accept: the sampler's yes",
      source: accepted,
      parent: wish(true),
      local: 1,
      isSampled: true,
      by: "local",
    },
    {
      why: "accept: no silences nothing",
      source: accepted,
      parent: wish(false),
      local: 1,
      isSampled: true,
      by: "local",
    },
    {
      why: "trust: yes counts",
      source: trusted,
      parent: wish(true),
      local: 0,
      isSampled: true,
      by: "forced",
    },
    {
      why: "trust: no is not forced",
      source: trusted,
      parent: wish(false),
      local: 0,
      isSampled: false,
      by: "local",
    },
    {
      why: "trust: no silences nothing",
      source: trusted,
      parent: wish(false),
      local: 1,
      isSampled: true,
      by: "local",
    },
    {
      why: "trust: nothing was sent",
      source: trusted,
      parent: undefined,
      local: 0,
      isSampled: false,
      by: "local",
    },
    {
      why: "trust: debug is no yes",
      source: trusted,
      parent: wish(false, { wish: "debug" }),
      local: 0,
      isSampled: false,
      by: "local",
    },
    { why: "own: yes counts", source: own, parent: wish(true), local: 0, isSampled: true, by: "own" },
    {
      why: "own: no silences nothing",
      source: own,
      parent: wish(false),
      local: 1,
      isSampled: true,
      by: "local",
    },
    { why: "own: nothing was sent", source: own, parent: undefined, local: 1, isSampled: true, by: "local" },
  ] as const)("$why", ({ source, parent, local, isSampled, by }) => {
    expect(decide(policyOf(takesAll(local)), source, parent)).toMatchObject({
      isSampled,
      by,
      withheld: undefined,
    });
  });

  it.each([
    { why: "the sampler takes nothing", local: 0, isSampled: false },
    { why: "the sampler takes all", local: 1, isSampled: true },
  ] as const)("leaves it to the sampler once the peer's budget is spent: $why", ({ local, isSampled }) => {
    const spent = policyOf(takesAll(local));
    expect(decide(spent, trusted, wish(true)).by).toBe("forced");
    const next = { ...request, traceId: TRACE.replace("d", "e") };
    expect(decide(spent, trusted, wish(true), next)).toMatchObject({ isSampled, by: "local" });
    expect(decide(spent, trusted, wish(true)).by).toBe("forced"); // Followed within the minute.
  });

  it("spends nothing of a peer's budget under accept", () => {
    const shared = policyOf(takesAll(0));
    decide(shared, accepted, wish(true), { ...request, traceId: "e".repeat(32) });
    expect(decide(shared, trusted, wish(true)).by).toBe("forced");
  });

  it("does not ask the sampler where a wish was followed, or a pass is there", () => {
    const asked: string[] = [];
    const sampler: Sampler = {
      ...takesAll(1),
      sample(of) {
        asked.push(of.operation);
        return takesAll(1).sample(of);
      },
    };
    decide(policyOf(sampler), own, wish(true));
    decide(policyOf(sampler), accepted, undefined, request, { hasPass: true });
    expect(asked).toEqual([]);
  });

  it("asks the peer's own sampler, where it has one", () => {
    const policy = policyOf(takesAll(0));
    expect(decide(policy, accepted, undefined, request, { sampler: takesAll(1) }).isSampled).toBe(true);
    expect(decide(policy, accepted, undefined).isSampled).toBe(false);
  });
});

describe("max_per_second", () => {
  const bounded = (changes: Partial<SamplingPolicy> = {}): SamplingPolicy =>
    policyOf(takesAll(1), { ceiling: createCeiling(2, createBuckets()), ...changes });
  const traces = (count: number, nowMs = 0): Candidate[] =>
    Array.from({ length: count }, (_, index) => candidate(index.toString(16).padStart(14, "0"), { nowMs }));

  it.each([
    { why: "new traces", source: own, parent: undefined, sampled: 2 },
    { why: "the own server's yes", source: own, parent: wish(true), sampled: 2 },
    {
      why: "a trusted peer's yes",
      source: { ...trusted, forcedPerSecond: 100 },
      parent: wish(true),
      sampled: 2,
    },
    { why: "not those with a pass", source: accepted, parent: undefined, hasPass: true, sampled: 10 },
  ])("bounds $why", ({ source, parent, hasPass = false, sampled }) => {
    const policy = bounded();
    const decisions = traces(10).map((of) => decide(policy, source, parent, of, { hasPass }));
    expect(decisions.filter(({ isSampled }) => isSampled).length).toBe(sampled);
    const withheld = decisions.filter((decision) => decision.withheld === "max_per_second");
    expect(withheld.length).toBe(10 - sampled);
  });

  it("keeps the rest of a trace that it kept, for a minute and without a token", () => {
    const policy = bounded();
    const [first = request] = traces(10).filter((of) => decide(policy, own, undefined, of).isSampled);
    for (const nowMs of [0, 30_000, 59_999]) {
      const again = decide(policy, accepted, wish(false), { ...first, nowMs });
      expect(again).toMatchObject({ isSampled: true, by: "local" });
    }
    expect(decide(policy, own, undefined, candidate(HIGHEST, { nowMs: 60_000 })).isSampled).toBe(true);
    expect(decide(policy, own, undefined, candidate("e".repeat(14), { nowMs: 60_000 })).isSampled).toBe(true);
    expect(decide(policy, accepted, wish(false), { ...first, nowMs: 60_000 }).isSampled).toBe(false);
  });
});

describe("a rate limit", () => {
  it("does not tear a trace: its second request is kept as the first was", () => {
    const policy = policyOf(samplerOf(strategyOf({ type: "ratelimiting", param: 1 })));
    expect(decide(policy, accepted, wish(false)).isSampled).toBe(true);
    expect(decide(policy, accepted, wish(false), { ...request, traceId: "e".repeat(32) }).isSampled).toBe(
      false,
    );
    expect(decide(policy, own, wish(false))).toMatchObject({ isSampled: true, by: "local" });
  });
});

describe("a peer that chooses its trace ids", () => {
  const tenth = samplerOf(strategyOf({ type: "probabilistic", param: 0.1 }));
  const chosen = (count: number): Candidate[] =>
    Array.from({ length: count }, (_, index) =>
      candidate(HIGHEST, { traceId: index.toString(16).padStart(18, "0") + HIGHEST }),
    );

  it.each([
    { why: "gets twice its share and twenty", source: accepted, parent: wish(false), kept: 220 },
    { why: "under trust too", source: trusted, parent: wish(false), kept: 220 },
    { why: "our own server is believed", source: own, parent: wish(false), kept: 1000 },
    { why: "our own ids are random", source: accepted, parent: undefined, kept: 1000 },
  ] as const)("$why", ({ source, parent, kept }) => {
    const policy = policyOf(tenth);
    const decisions = chosen(1000).map((of) => decide(policy, source, parent, of));
    const sampled = decisions.filter(({ isSampled }) => isSampled).length;
    expect(sampled).toBeGreaterThanOrEqual(kept - 1);
    expect(sampled).toBeLessThanOrEqual(kept);
    expect(decisions.filter(({ withheld }) => withheld === "share").length).toBe(1000 - sampled);
  });

  it("does not get it from our own server's requests within that trace either", () => {
    const policy = policyOf(tenth);
    const refused = chosen(1000).filter((of) => !decide(policy, accepted, wish(false), of).isSampled);
    expect(refused.length).toBeGreaterThan(0);
    for (const of of refused) {
      expect(decide(policy, own, wish(false), of, { isForeign: true }).isSampled).toBe(false);
    }
  });
});

describe("back-pressure", () => {
  const behind = (steps: number): Partial<SamplingPolicy> => {
    const pressure = createPressure(() => 1, quietLog);
    for (let second = 0; second < steps; second++) pressure.step(second * 1000 - 10_000);
    return { pressure: { step: () => pressure.step(-Infinity) } };
  };

  it.each([
    {
      why: "a half of everything",
      sampler: takesAll(1),
      source: own,
      parent: undefined,
      step: 1,
      from: "80000000000000",
      threshold: "80000000000000",
    },
    {
      why: "a quarter of a half",
      sampler: samplerOf(strategyOf({ type: "probabilistic", param: 0.5 })),
      source: own,
      parent: undefined,
      step: 2,
      from: "e0000000000000",
      threshold: "e0000000000000",
    },
    {
      why: "the own server's yes",
      sampler: takesAll(0),
      source: own,
      parent: wish(true),
      step: 3,
      from: "e0000000000000",
      threshold: undefined,
    },
    {
      why: "a trusted peer's",
      sampler: takesAll(0),
      source: { ...trusted, forcedPerSecond: 9 },
      parent: wish(true),
      step: 1,
      from: "80000000000000",
      threshold: undefined,
    },
  ])("thins $why", ({ sampler, source, parent, step, from, threshold }) => {
    const policy = policyOf(sampler, behind(step));
    const below = (BigInt(`0x${from}`) - 1n).toString(16).padStart(14, "0");
    expect(decide(policy, source, parent, candidate(from))).toMatchObject({ isSampled: true, threshold });
    expect(decide(policy, source, parent, candidate(below))).toMatchObject({
      isSampled: false,
      withheld: "pressure",
    });
  });

  it("leaves a pass alone, and says nothing of what was not to be sampled", () => {
    const policy = policyOf(takesAll(0), behind(6));
    expect(decide(policy, accepted, undefined, candidate(LOWEST), { hasPass: true }).isSampled).toBe(true);
    expect(decide(policy, accepted, undefined, candidate(LOWEST)).withheld).toBeUndefined();
  });
});

describe("what stays true of a trace, whoever else asks", () => {
  const rated = (perSecond: number): Sampler =>
    samplerOf(strategyOf({ type: "ratelimiting", param: perSecond }));
  const other = candidate(HIGHEST, { traceId: "e".repeat(32) });

  it("a rate that refused a new trace refuses what the own server sends in it", () => {
    const policy = policyOf(rated(1));
    decide(policy, accepted, undefined, other);
    expect(decide(policy, accepted, undefined).isSampled).toBe(false);
    const later = { ...request, nowMs: 5000 };
    expect(decide(policy, own, wish(false), later).isSampled).toBe(false);
    expect(decide(policy, own, wish(true), later)).toMatchObject({ isSampled: true, by: "own" });
  });

  it("a rate that refused a peer's trace refuses that peer, and nobody else", () => {
    const policy = policyOf(rated(1));
    decide(policy, accepted, undefined, other);
    const later = { ...request, nowMs: 5000 };
    expect(decide(policy, accepted, wish(false)).isSampled).toBe(false);
    expect(decide(policy, accepted, wish(false), later).isSampled).toBe(false);
    expect(decide(policy, { ...accepted, name: "b.example" }, wish(false), later).isSampled).toBe(true);
  });

  it("an operation that is not rated is not asked what a rate refused", () => {
    const sampler = samplerOf(
      strategyOf(
        { type: "ratelimiting", param: 1 },
        { operations: [rule("GET /all", { type: "const", param: 1 })] },
      ),
    );
    const policy = policyOf(sampler);
    decide(policy, accepted, undefined, other);
    expect(decide(policy, accepted, undefined).isSampled).toBe(false);
    expect(decide(policy, own, wish(false), { ...request, operation: "GET /all" }).isSampled).toBe(true);
  });

  it("what max_per_second refused is not had by a wish, a minute long", () => {
    const policy = policyOf(takesAll(0), { ceiling: createCeiling(1, createBuckets()) });
    decide(policy, own, wish(true), other);
    expect(decide(policy, own, wish(true))).toMatchObject({ isSampled: false, withheld: "max_per_second" });
    expect(decide(policy, own, wish(true), { ...request, nowMs: 5000 }).isSampled).toBe(false);
    expect(decide(policy, own, wish(true), { ...request, nowMs: 125_000 }).isSampled).toBe(true);
  });

  it("a pass is gone on with beyond every bound", () => {
    const pressure = { step: () => 6 };
    const ceiling = createCeiling(1, createBuckets());
    const policy = policyOf(takesAll(0), { pressure, ceiling });
    ceiling.take(true, 0);
    const low = candidate(LOWEST);
    expect(decide(policy, accepted, wish(false), low, { hasPass: true }).isSampled).toBe(true);
    expect(decide(policy, own, wish(true), low)).toMatchObject({ isSampled: true, by: "debug_pass" });
    expect(decide(policy, own, wish(true), other).isSampled).toBe(false);
  });

  it("a trace that was kept is kept for its next sender in that sender's own words", () => {
    const policy = policyOf(takesAll(1), { ceiling: createCeiling(1, createBuckets()) });
    expect(decide(policy, own, wish(true)).by).toBe("own");
    const next = decide(
      policy,
      accepted,
      wish(true, { traceState: `ot=rv:${LOWEST}` }),
      candidate(LOWEST, { traceId: TRACE }),
    );
    expect(next).toMatchObject({ isSampled: true, by: "local" });
  });
});

describe("a trace that was kept with a token", () => {
  const TENTH = "e6666666666666";
  const tenth = samplerOf(strategyOf({ type: "probabilistic", param: 0.1 }));
  const bounded = (perSecond: number): SamplingPolicy =>
    policyOf(tenth, { ceiling: createCeiling(perSecond, createBuckets()) });

  it("tells its threshold with each of its requests", () => {
    const policy = bounded(1000);
    const of = candidate(HIGHEST);
    expect(decide(policy, accepted, undefined, of).threshold).toBe(TENTH);
    expect(decide(policy, own, wish(false), of).threshold).toBe(TENTH);
    expect(decide(policy, own, wish(true, { traceState: "ot=th:e6666666666666" }), of)).toMatchObject({
      by: "own",
      threshold: TENTH,
    });
  });

  it.each([
    { why: "max_per_second", policy: () => bounded(1000) },
    {
      why: "a lower bound",
      policy: () =>
        policyOf(samplerOf(strategyOf({ type: "probabilistic", param: 0.001 }, { lowerBound: 0.1 }))),
    },
    {
      why: "neither",
      policy: () => policyOf(samplerOf(strategyOf({ type: "probabilistic", param: 0.001 }))),
    },
  ])("costs a peer's share with each of them, under $why", ({ policy: make }) => {
    const policy = make();
    let kept = 0;
    for (let trace = 0; trace < 50; trace++) {
      for (let request = 0; request < 1000; request++) {
        const of = candidate(HIGHEST, { traceId: `${trace}`.padStart(18, "0") + HIGHEST });
        if (decide(policy, accepted, wish(false), of).isSampled) kept++;
      }
    }
    // At a tenth it earns ten times what it does at a thousandth.
    expect(kept).toBeLessThanOrEqual(20 + 200 + 2 * 0.1 * 50_000);
  });

  it("is refused to whoever comes back with it, where it was refused as it began", () => {
    const policy = policyOf(takesAll(1), { ceiling: createCeiling(1, createBuckets()) });
    decide(policy, own, undefined, candidate(LOWEST));
    expect(decide(policy, own, undefined).withheld).toBe("max_per_second");
    const later = { ...request, nowMs: 2000 };
    expect(decide(policy, accepted, wish(false), later)).toMatchObject({
      isSampled: false,
      withheld: "max_per_second",
    });
  });
});

describe("strangers", () => {
  it("get half of max_per_second at most", () => {
    const policy = policyOf(takesAll(1), { ceiling: createCeiling(10, createBuckets()) });
    const sampled = (isKnown: boolean, prefix: string): number =>
      Array.from({ length: 100 }, (_, index) => candidate(`${prefix}${index}`.padStart(14, "0"))).filter(
        (of) => decide(policy, accepted, undefined, of, { isKnown }).isSampled,
      ).length;
    expect(sampled(false, "a")).toBe(5);
    expect(sampled(true, "b")).toBe(5);
  });
});

describe("a threshold is only told where it is true", () => {
  it("not while max_per_second bites", () => {
    const half = samplerOf(strategyOf({ type: "probabilistic", param: 0.5 }));
    const policy = policyOf(half, { ceiling: createCeiling(1, createBuckets()) });
    const at = (nowMs: number, id: string) =>
      decide(policy, own, undefined, candidate(HIGHEST, { nowMs, traceId: id.repeat(32) }));
    expect(at(0, "1").threshold).toBe("80000000000000");
    expect(at(0, "2").withheld).toBe("max_per_second");
    expect(at(1000, "3")).toMatchObject({ isSampled: true, threshold: undefined });
    expect(at(10_001, "4").threshold).toBe("80000000000000");
  });
});

describe("a lower bound", () => {
  const bound = (param: number): Sampler =>
    samplerOf(strategyOf({ type: "probabilistic", param }, { lowerBound: 1 }));

  it("is not spent by a peer that has had its share: it gets it back that way", () => {
    const policy = policyOf(bound(0.001));
    let kept = 0;
    for (let second = 0; second < 600; second++) {
      for (let index = 0; index < 5; index++) {
        const of = candidate(HIGHEST, {
          traceId: `${second * 5 + index}`.padStart(18, "0") + HIGHEST,
          nowMs: second * 1000,
        });
        if (decide(policy, accepted, wish(false), of).isSampled) kept++;
      }
    }
    expect(kept).toBeGreaterThanOrEqual(600);
    expect(kept).toBeLessThanOrEqual(600 + 20 + 6 + 1);
  });

  it("gives way to back-pressure, as all does", () => {
    const policy = policyOf(bound(0), { pressure: { step: () => 1 } });
    expect(decide(policy, own, undefined, candidate(LOWEST)).isSampled).toBe(false);
    expect(decide(policy, own, undefined, candidate(HIGHEST))).toMatchObject({
      isSampled: true,
      verdict: { type: "lowerbound" },
    });
  });
});

describe("back-pressure and a peer that chooses its ids", () => {
  it("leaves it its share of what is left, and no more", () => {
    const policy = policyOf(takesAll(1), { pressure: { step: () => 6 } });
    const kept = Array.from({ length: 1000 }, (_, index) =>
      candidate(HIGHEST, { traceId: `${index}`.padStart(18, "0") + HIGHEST }),
    ).filter((of) => decide(policy, accepted, wish(false), of).isSampled).length;
    expect(kept).toBeLessThanOrEqual(20 + Math.ceil((2 * 1000) / 64));
    expect(kept).toBeGreaterThanOrEqual(20 + Math.floor((2 * 1000) / 64) - 1);
  });
});

it("samples nothing where tracing is off, whoever asks", () => {
  const policy = policyOf(takesAll(1), { isOff: true });
  const decisions = [
    decide(policy, own, wish(true)),
    decide(policy, trusted, wish(true)),
    decide(policy, accepted, undefined, request, { hasPass: true }),
  ];
  expect(decisions.map(({ isSampled }) => isSampled)).toEqual([false, false, false]);
});

describe("traceStateAfter", () => {
  const R = "6e6d1a75832a2f";
  const half = samplerOf(strategyOf({ type: "probabilistic", param: 0.5 }));
  const all = samplerOf(strategyOf({ type: "probabilistic", param: 1 }));
  const limited = samplerOf(strategyOf({ type: "ratelimiting", param: 1000 }));

  it.each([
    { why: "a new trace, kept", sampler: half, source: own, r: HIGHEST, parent: undefined, after: "ot=th:8" },
    { why: "a new trace, not kept", sampler: half, source: own, r: LOWEST, parent: undefined, after: "" },
    { why: "all of them", sampler: all, source: own, r: LOWEST, parent: undefined, after: "ot=th:0" },
    { why: "const says nothing", sampler: takesAll(1), source: own, r: LOWEST, parent: undefined, after: "" },
    {
      why: "const corrects what is said",
      sampler: takesAll(1),
      source: accepted,
      r: R,
      parent: wish(true, { traceState: `ot=th:4;rv:${R}` }),
      after: `ot=th:0;rv:${R}`,
    },
    {
      why: "const leaves others alone",
      sampler: takesAll(1),
      source: accepted,
      r: LOWEST,
      parent: wish(true, { traceState: "a=1" }),
      after: "a=1",
    },
    {
      why: "R stays where the trace is not kept",
      sampler: half,
      source: accepted,
      r: R,
      parent: wish(true, { traceState: `ot=th:4;rv:${R},a=1` }),
      after: `ot=rv:${R},a=1`,
    },
    {
      why: "ours in the place of the peer's",
      sampler: half,
      source: accepted,
      r: HIGHEST,
      parent: wish(true, { traceState: "a=1,ot=th:4" }),
      after: "ot=th:8,a=1",
    },
    {
      why: "a rate limit knows no probability",
      sampler: limited,
      source: accepted,
      r: HIGHEST,
      parent: wish(true, { traceState: `ot=th:4;rv:${HIGHEST}` }),
      after: `ot=rv:${HIGHEST}`,
    },
    {
      why: "a trusted peer's yes: what it says of its probability has no weight here",
      sampler: takesAll(0),
      source: trusted,
      r: R,
      parent: wish(true, { traceState: `ot=th:4;rv:${R}` }),
      after: `ot=rv:${R}`,
    },
    {
      why: "not one that can't be true",
      sampler: takesAll(0),
      source: trusted,
      r: R,
      parent: wish(true, { traceState: `ot=th:8;rv:${R}` }),
      after: `ot=rv:${R}`,
    },
    {
      why: "the own server's",
      sampler: takesAll(0),
      source: own,
      r: R,
      parent: wish(true, { traceState: `ot=th:4;rv:${R}` }),
      after: `ot=th:4;rv:${R}`,
    },
  ])("$why", ({ sampler, source, r, parent, after }) => {
    const decision = decide(policyOf(sampler), source, parent, candidate(r));
    const state = parent?.traceState ?? "";
    // The context's trace id is not the candidate's here: `rv`, or nothing, says R.
    expect(traceStateAfter(state, readOtState(state), decision)).toBe(after);
  });
});
