/** The pace of a run, on a clock that goes when it is told: what is due is sent, whatever the answers do. */

import { describe, expect, it } from "vitest";
import { type RunBounds, startRun } from "../../src/loadgen/open-loop.ts";
import type { PlannedRequest } from "../../src/loadgen/request-plan.ts";
import { createTally, type Outcome, type TallyResult } from "../../src/loadgen/tally.ts";
import { fakeClock } from "../support/clock.ts";

const BOUNDS: RunBounds = { forMs: 60_000, requests: 1000, inFlightMax: 10 };

/** One request every `everyMs`, the first after that time; without end. */
function* everyMs(gapMs: number): Generator<PlannedRequest, never, undefined> {
  const rest = { direction: "in", method: "GET", route: "/r", target: "/r", headers: {}, body: "" } as const;
  for (let dueMs = gapMs; ; dueMs += gapMs) yield { dueMs, ...rest };
}

/** A run whose timers fire, and whose requests are answered, when the test says so. */
function startHarness(
  plan: Iterator<PlannedRequest>,
  bounds: Partial<RunBounds> = {},
): {
  /** Lets time go by, and fires each timer when its time has come. */
  readonly advance: (ms: number) => void;
  /** Lets it go by in one step, as for a process that was stopped: what was due is late. */
  readonly freeze: (ms: number) => void;
  readonly answer: (count: number, outcome: Outcome) => Promise<void>;
  readonly sentAtMs: number[];
  readonly timers: () => number;
  readonly result: () => TallyResult;
  readonly ended: Promise<number>;
  readonly hasEnded: () => boolean;
  readonly stop: () => void;
} {
  const clock = fakeClock();
  const timers = new Map<() => void, number>();
  const waiting: ((outcome: Outcome) => void)[] = [];
  const sentAtMs: number[] = [];
  const tally = createTally();
  const run = startRun(
    plan,
    { ...BOUNDS, ...bounds },
    {
      clock,
      tally,
      setTimer(fire, ms) {
        timers.set(fire, clock.monotonicMs() + ms);
        return () => void timers.delete(fire);
      },
      send() {
        sentAtMs.push(clock.monotonicMs());
        return new Promise((resolve) => void waiting.push(resolve));
      },
    },
  );
  let hasEnded = false;
  const ended = run.ended.then((ms) => {
    hasEnded = true;
    return ms;
  });
  function fireDue(): void {
    for (const [fire, atMs] of timers) {
      if (atMs > clock.monotonicMs()) continue;
      timers.delete(fire);
      fire();
    }
  }
  return {
    advance(ms) {
      const untilMs = clock.monotonicMs() + ms;
      for (let nextMs = 0; nextMs <= untilMs;) {
        nextMs = Math.min(...timers.values());
        if (nextMs > untilMs) break;
        clock.advance(nextMs - clock.monotonicMs());
        fireDue();
      }
      clock.advance(untilMs - clock.monotonicMs());
    },
    freeze(ms) {
      clock.advance(ms);
      fireDue();
    },
    async answer(count, outcome) {
      for (const resolve of waiting.splice(0, count)) resolve(outcome);
      await Promise.resolve();
      await Promise.resolve();
    },
    sentAtMs,
    timers: () => timers.size,
    result: () => tally.result(),
    ended,
    hasEnded: () => hasEnded,
    stop: () => run.stop(),
  };
}

it("sends what is due when it is due, and waits for no answer", () => {
  const run = startHarness(everyMs(100));
  expect(run.sentAtMs).toEqual([]);
  run.advance(350);
  expect(run.sentAtMs).toEqual([100, 200, 300]);
});

it("sends at once what it is late with, and counts the delay as latency", async () => {
  const run = startHarness(everyMs(100), { requests: 3 });
  run.freeze(1000);
  expect(run.sentAtMs).toEqual([1000, 1000, 1000]);
  await run.answer(3, 200);
  expect(run.result().latencyMs).toEqual({ p50: 800, p90: 900, p99: 900, max: 900 });
});

it("sends no more than may be in flight, counts what it left out, and goes on when there is room", async () => {
  const run = startHarness(everyMs(100), { inFlightMax: 2 });
  run.advance(500);
  expect(run.sentAtMs).toEqual([100, 200]);
  expect(run.result().notSent).toBe(3);
  await run.answer(1, 200);
  run.advance(100);
  expect(run.sentAtMs).toEqual([100, 200, 600]);
  expect(run.result().notSent).toBe(3);
});

describe("ends", () => {
  it.each([
    { bounds: { requests: 3 }, sent: 3, forMs: 300, why: "after so many requests" },
    { bounds: { forMs: 300 }, sent: 3, forMs: 300, why: "at that time: what is due then is still sent" },
    { bounds: { forMs: 299 }, sent: 2, forMs: 200, why: "just before" },
    { bounds: { forMs: 99 }, sent: 0, forMs: 0, why: "before the first" },
    { bounds: { requests: 3, inFlightMax: 1 }, sent: 1, forMs: 300, why: "those not sent count" },
  ])("$bounds: $why", async ({ bounds, sent, forMs }) => {
    const run = startHarness(everyMs(100), bounds);
    run.advance(1000);
    expect(run.sentAtMs.length).toBe(sent);
    expect(run.timers()).toBe(0);
    expect(run.hasEnded()).toBe(false);
    await run.answer(sent, 200);
    expect(await run.ended).toBe(forMs);
  });

  it("with its plan", async () => {
    const run = startHarness([...takeTwo()].values());
    run.advance(1000);
    await run.answer(2, 200);
    expect(await run.ended).toBe(200);
  });

  it("when it is told to, once the last answer is here", async () => {
    const run = startHarness(everyMs(100));
    run.advance(250);
    run.stop();
    run.advance(1000);
    expect(run.sentAtMs).toEqual([100, 200]);
    await run.answer(1, 200);
    expect(run.hasEnded()).toBe(false);
    await run.answer(1, "timeout");
    expect(await run.ended).toBe(250);
    expect(run.result()).toMatchObject({ sent: 2, answered: 1, failures: { timeout: 1 } });
  });
});

function* takeTwo(): Generator<PlannedRequest> {
  const plan = everyMs(100);
  yield plan.next().value;
  yield plan.next().value;
}
