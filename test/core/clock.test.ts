/** Wall time: fine enough to order spans, and never far from the system's. */

import { afterEach, expect, it, vi } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The clocks under the test's hand: milliseconds since the process started, and what the system's clock says. */
function handClocks(): { monotonicMs: number; readonly setSystem: (ms: number) => void } {
  const hand = { monotonicMs: 1000 };
  vi.spyOn(performance, "now").mockImplementation(() => hand.monotonicMs);
  const system = vi.spyOn(Date, "now");
  return Object.assign(hand, { setSystem: (ms: number) => void system.mockReturnValue(Math.floor(ms)) });
}

it("has fractions of a millisecond", () => {
  const hand = handClocks();
  const clock = createSystemClock();
  const before = clock.unixMs();
  hand.monotonicMs += 0.25;
  expect(clock.unixMs() - before).toBeCloseTo(0.25, 3);
});

it.each([
  { byMs: 1.4, isFollowed: false, why: "within what Date.now() cuts off and a little: it would only jitter" },
  { byMs: 3, isFollowed: true, why: "drifted" },
  { byMs: -5000, isFollowed: true, why: "set back" },
  { byMs: 3_600_000, isFollowed: true, why: "set an hour ahead" },
])("the system's clock is $byMs ms off: $why", ({ byMs, isFollowed }) => {
  const hand = handClocks();
  const clock = createSystemClock();
  hand.monotonicMs += 10_001;
  const derivedMs = performance.timeOrigin + hand.monotonicMs;
  hand.setSystem(derivedMs + byMs);
  const offMs = Math.abs(clock.unixMs() - (derivedMs + byMs));
  if (isFollowed) expect(offMs).toBeLessThanOrEqual(1);
  else expect(clock.unixMs()).toBe(derivedMs);
});

it("looks only every ten seconds", () => {
  const hand = handClocks();
  const clock = createSystemClock();
  hand.monotonicMs += 10_000;
  hand.setSystem(0);
  expect(clock.unixMs()).toBe(performance.timeOrigin + hand.monotonicMs);
});
