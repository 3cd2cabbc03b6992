/** When an address is left alone, for how long, and what brings it back. */

import { describe, expect, it } from "vitest";
import { UpstreamHealth } from "../../src/http1/upstream-health.ts";

/** Goes out at 0 by a connect that failed. */
function out(): UpstreamHealth {
  const health = new UpstreamHealth();
  expect(health.noteConnectFailure(0)).toBe(true);
  return health;
}

describe("an address goes out", () => {
  it.each([
    { why: "one below the bound", failures: 4, outUntilMs: undefined },
    { why: "the bound", failures: 5, outUntilMs: 1000 },
  ])("after as many requests without an answer: $why", ({ failures, outUntilMs }) => {
    const health = new UpstreamHealth();
    const told = Array.from({ length: failures }, () => health.noteNoAnswer(0));
    expect(told.filter((isOut) => isOut)).toHaveLength(outUntilMs === undefined ? 0 : 1);
    expect(health.outUntilMs).toBe(outUntilMs);
  });

  it("after a connect that failed, once", () => {
    const health = out();
    expect([health.noteConnectFailure(500), health.noteNoAnswer(600)]).toEqual([false, false]);
    expect(health.outUntilMs).toBe(1000);
  });

  it("not after five failures with an answer between them", () => {
    const health = new UpstreamHealth();
    for (let count = 0; count < 4; count++) health.noteNoAnswer(0);
    expect(health.noteAnswer()).toBe(false);
    for (let count = 0; count < 4; count++) health.noteNoAnswer(0);
    expect(health.outUntilMs).toBeUndefined();
  });
});

it("is tried again after a back-off that doubles up to 30 s", () => {
  const health = out();
  const waits: number[] = [];
  for (let nowMs = 1000, trial = 0; trial < 7; trial++) {
    health.beginTrial(nowMs);
    expect(health.noteConnectFailure(nowMs + 1)).toBe(false);
    const untilMs = health.outUntilMs ?? 0;
    waits.push(untilMs - nowMs);
    nowMs = untilMs;
  }
  expect(waits).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

it("comes back with an answer, and its next back-off is the first again", () => {
  const health = out();
  health.beginTrial(1000);
  expect([health.noteAnswer(), health.outUntilMs]).toEqual([true, undefined]);
  expect([health.noteConnectFailure(9000), health.outUntilMs]).toEqual([true, 10_000]);
});
