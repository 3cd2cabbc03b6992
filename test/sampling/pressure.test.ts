/** The steps that sampling goes down while exporters fall behind, and the way back, on a clock that is moved by hand. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logFrom } from "../../src/core/log.ts";
import { createPressure, thinnedThreshold } from "../../src/sampling/pressure.ts";
import type { SamplerVerdict } from "../../src/sampling/samplers.ts";
import { ALWAYS, thresholdOf } from "../../src/sampling/threshold.ts";
import { anyRandomness, candidate, samplerOf, strategyOf } from "./support.ts";

/** Looks once a second at a queue that is this full in each second. */
function stepsOf(fullness: readonly number[]): {
  readonly steps: readonly number[];
  readonly lines: readonly string[];
} {
  const lines: string[] = [];
  let now = 0;
  const pressure = createPressure(
    () => fullness[now] ?? 0,
    logFrom((level, message) => void lines.push(`${level}: ${message}`)),
  );
  const steps = fullness.map((_, second) => {
    now = second;
    return pressure.step(second * 1000);
  });
  return { steps, lines };
}

const FULL = [1, 1, 1, 1, 1, 1, 1, 1];
const calm = (seconds: number): readonly number[] => Array.from({ length: seconds }, () => 0);

describe("createPressure", () => {
  it.each([
    { why: "nothing waits", fullness: [0, 0, 0], steps: [0, 0, 0] },
    { why: "half full is full", fullness: [0.49, 0.5, 0.5], steps: [0, 1, 2] },
    { why: "one step a second, six at most", fullness: FULL, steps: [1, 2, 3, 4, 5, 6, 6, 6] },
    {
      why: "between a quarter and a half it stays",
      fullness: [1, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3],
      steps: [1, 1, 1, 1, 1, 1, 1, 1],
    },
    { why: "back after five calm seconds", fullness: [1, ...calm(7)], steps: [1, 1, 1, 1, 1, 1, 0, 0] },
    {
      why: "a step each five seconds",
      fullness: [1, 1, ...calm(12)],
      steps: [1, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0],
    },
    {
      why: "a swell begins the five anew",
      fullness: [1, 0, 0, 0, 0.3, ...calm(6)],
      steps: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0],
    },
  ])("$why", ({ fullness, steps }) => {
    expect(stepsOf(fullness).steps).toEqual(steps);
  });

  it("says it once when it begins and once when it is over", () => {
    expect(stepsOf([...FULL, ...calm(40), ...FULL]).lines).toEqual([
      "warn: exporters fall behind: fewer traces are sampled until they have caught up",
      "info: exporters have caught up: sampling is what it was",
      "warn: exporters fall behind: fewer traces are sampled until they have caught up",
    ]);
  });

  it("looks at queues once a second, however many requests there are", () => {
    let looks = 0;
    const pressure = createPressure(
      () => (looks++, 1),
      logFrom(() => undefined),
    );
    for (let ms = 0; ms < 3000; ms++) pressure.step(ms);
    expect(looks).toBe(3);
  });
});

describe("thinnedThreshold", () => {
  const verdict = (param: number): SamplerVerdict =>
    samplerOf(strategyOf({ type: "probabilistic", param })).sample(candidate("f".repeat(14)));

  it.each([
    { why: "of a probability", of: verdict(0.5), step: 1, threshold: thresholdOf(0.25) },
    { why: "of a small one", of: verdict(0.01), step: 6, threshold: thresholdOf(0.01 / 64) },
    {
      why: "of everything",
      of: samplerOf(strategyOf({ type: "const", param: 1 })).sample(candidate("0")),
      step: 2,
      threshold: thresholdOf(0.25),
    },
    {
      why: "of what R had no part in",
      of: samplerOf(strategyOf({ type: "ratelimiting", param: 5 })).sample(candidate("0")),
      step: 3,
      threshold: thresholdOf(0.125),
    },
  ])("$why, step $step", ({ of, step, threshold }) => {
    expect(thinnedThreshold(of, step)).toBe(threshold);
    expect(thinnedThreshold(of, step)).toBe(threshold);
  });

  it("keeps at each step a part of what the step before keeps", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 5 }),
        anyRandomness,
        (param, step, r) => {
          const of = verdict(param);
          const isIn = (at: number): boolean =>
            r >= (at === 0 ? (of.threshold ?? ALWAYS) : thinnedThreshold(of, at));
          expect(isIn(step) && !isIn(step - 1)).toBe(false);
        },
      ),
    );
  });
});
