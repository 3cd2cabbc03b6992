/**
 * decideSampling: contract, section 3, rule 5, as one table of who wished what, under which sampling, against a
 * local sampler that takes all or nothing.
 */

import { describe, expect, it } from "vitest";
import { decideSampling, type WishSource } from "../../src/sampling/decision.ts";
import { createForcedBudget } from "../../src/sampling/forced.ts";
import { createSampler } from "../../src/sampling/samplers.ts";
import { fakeClock } from "../support/clock.ts";

const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
const candidate = { traceId: TRACE, operation: "PUT /send" };

const own: WishSource = { kind: "own" };
const accepted: WishSource = { kind: "peer", name: "a.example", sampling: "accept", forcedPerSecond: 1 };
const trusted: WishSource = { kind: "peer", name: "a.example", sampling: "trust", forcedPerSecond: 1 };

function wish(isSampled: boolean) {
  return { traceId: TRACE, spanId: "6e0c63257de34c92", isSampled, isRandom: false, traceState: "" };
}

function policy(param: 0 | 1) {
  const clock = fakeClock();
  return { sampler: createSampler({ type: "const", param }, clock), forced: createForcedBudget(clock) };
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
    expect(decideSampling(policy(local), source, parent, candidate)).toEqual({ isSampled, by });
  });

  it.each([
    { why: "the sampler takes nothing", local: 0, isSampled: false },
    { why: "the sampler takes all", local: 1, isSampled: true },
  ] as const)("leaves it to the sampler once the peer's budget is spent: $why", ({ local, isSampled }) => {
    const spent = policy(local);
    expect(decideSampling(spent, trusted, wish(true), candidate).by).toBe("forced");
    const next = { ...candidate, traceId: TRACE.replace("d", "e") };
    expect(decideSampling(spent, trusted, wish(true), next)).toEqual({ isSampled, by: "local" });
    expect(decideSampling(spent, trusted, wish(true), candidate).by).toBe("forced"); // Followed within the minute.
  });

  it("spends nothing of a peer's budget under accept", () => {
    const shared = policy(0);
    decideSampling(shared, accepted, wish(true), { ...candidate, traceId: "e".repeat(32) });
    expect(decideSampling(shared, trusted, wish(true), candidate).by).toBe("forced");
  });

  it("does not ask the sampler where a wish was followed", () => {
    const clock = fakeClock();
    const asked: string[] = [];
    const sampler = { description: "asked", isSampled: () => asked.push("asked") > 0 };
    decideSampling({ sampler, forced: createForcedBudget(clock) }, own, wish(true), candidate);
    expect(asked).toEqual([]);
  });
});
