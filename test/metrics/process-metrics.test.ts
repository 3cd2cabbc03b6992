/** What a process tells of itself, where several are one sidecar. What one says alone is read in test/proxy/metrics.test.ts. */

import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { createDelayTotal, startProcessMetrics } from "../../src/metrics/process-metrics.ts";
import { createRegistry } from "../../src/metrics/registry.ts";
import { mergeSnapshots } from "../../src/metrics/snapshot.ts";
import { fakeClock } from "../support/clock.ts";

it("tells of several processes the open files of one, as each has a limit of its own", () => {
  const clock = createSystemClock();
  const registry = createRegistry({ prefix: "", clock });
  const stop = startProcessMetrics(registry.unprefixed, { process, clock });
  try {
    const one = registry.collect();
    const valueOf = (families: typeof one, name: string): number | undefined =>
      families.find((family) => family.name === name)?.series[0]?.numbers[0];
    const eight = mergeSnapshots(Array.from({ length: 8 }, () => one));
    for (const name of ["process_open_fds", "process_max_fds", "process_start_time_seconds"]) {
      expect([name, valueOf(eight, name)]).toEqual([name, valueOf(one, name)]);
    }
    const memory = "process_resident_memory_bytes";
    expect(valueOf(eight, memory)).toBe(8 * (valueOf(one, memory) ?? 0));
  } finally {
    stop();
  }
});

it.each([
  { why: "nothing was seen", windows: [[0, Number.NaN]], sums: [0] },
  {
    why: "each timer was half a millisecond late",
    windows: [
      [10, 20.5],
      [20, 20.5],
    ],
    sums: [0.005, 0.01],
  },
  {
    why: "early ones make the mean fall",
    windows: [
      [10, 20.5],
      [20, 20.1],
      [40, 20.2],
    ],
    sums: [0.005, 0.005, 0.008],
  },
  {
    why: "a window is over",
    windows: [
      [10, 20.5, 1],
      [0, Number.NaN],
      [2, 21],
    ],
    sums: [0.005, 0.005, 0.007],
  },
])("adds up how late timers were, and never takes back: $why", ({ windows, sums }) => {
  const total = createDelayTotal();
  const told = windows.map(([samples = 0, meanMs = 0, isOver = 0]) =>
    total.with({ samples, meanNs: meanMs * 1e6, isOver: isOver === 1 }),
  );
  for (const [at, sum] of sums.entries()) expect(told[at]?.sum).toBeCloseTo(sum, 9);
});

it("tells a scraper that comes right behind another one the same: how busy the loop is, and how late it was", async () => {
  const clock = fakeClock();
  const registry = createRegistry({ prefix: "", clock });
  const stop = startProcessMetrics(registry.unprefixed, { process, clock });
  const told = (name: string): readonly number[] => registry.find(name)?.series[0]?.numbers ?? [];
  const WINDOW_MS = 10_000;
  const STALL_MS = 300;
  try {
    await setTimeout(STALL_MS); // Idle for so long.
    const untilMs = performance.now() + STALL_MS;
    while (performance.now() < untilMs); // And then busy.
    await setTimeout(50);
    clock.advance(WINDOW_MS);
    const [busy = 0] = told("nodejs_eventloop_utilization_ratio");
    const worst = told("nodejs_eventloop_delay_seconds").at(-1) ?? 0;
    expect(worst).toBeGreaterThan(0.2);
    expect(busy).toBeLessThan(0.95);
    await setTimeout(100);
    expect(told("nodejs_eventloop_delay_seconds").at(-1)).toBe(worst);
    const [again = 0] = told("nodejs_eventloop_utilization_ratio");
    expect(again).toBeLessThan(busy);
    expect(told("nodejs_eventloop_utilization_ratio")[0]).toBeLessThan(0.95);
  } finally {
    stop();
  }
});
