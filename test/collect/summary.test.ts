/** The summary is worked out once for all who ask, not twice at a time, and not again for a while. */

import { expect, it } from "vitest";
import type { SummaryRange, SummaryRows } from "../../src/collect/report-store.ts";
import { createSummaryReader } from "../../src/collect/summary.ts";
import { fakeClock } from "../support/clock.ts";
import { NOW } from "../support/collect.ts";

const ROWS: SummaryRows = {
  servers: 500,
  reports: 9,
  active: { synapse: 70, fedtrace: 10 },
  days: [],
  newcomers: new Map(),
  versions: [
    { kind: "synapse", version: "1.1", servers: 40 },
    { kind: "fedtrace", version: null, servers: 10 },
  ],
  contexts: [],
  last: [],
};

function summarized(
  clock = fakeClock(),
  tookMs = 0,
): {
  readonly reader: ReturnType<typeof createSummaryReader>;
  readonly ranges: readonly SummaryRange[];
} {
  const ranges: SummaryRange[] = [];
  const summarize = async (range: SummaryRange): Promise<SummaryRows> => {
    ranges.push(range);
    await Promise.resolve();
    clock.advance(tookMs);
    if (ranges.length === 2) throw new Error("it is away");
    return ROWS;
  };
  return { ranges, reader: createSummaryReader({ summarize }, clock) };
}

it("asks once for all who ask at a time, of whatever days", async () => {
  const { reader, ranges } = summarized();
  const all = await Promise.all([1, 90, 400].map((days) => reader.read(days)));
  expect(ranges).toEqual([{ fromDay: NOW / 86_400 - 399, toDay: NOW / 86_400, activeFrom: NOW - 86_400 }]);
  expect(all.map(({ days, from, to }) => [days.length, from, to])).toEqual([
    [1, "2026-01-01", "2026-01-01"],
    [90, "2025-10-04", "2026-01-01"],
    [400, "2024-11-28", "2026-01-01"],
  ]);
});

it.each([
  { tookMs: 0, keptMs: 1000, why: "a second at least" },
  { tookMs: 500, keptMs: 10_000, why: "twenty times as long as it took" },
  { tookMs: 10_000, keptMs: 60_000, why: "a minute at most" },
])("keeps it for $why; one that failed is not kept", async ({ tookMs, keptMs }) => {
  const clock = fakeClock();
  const { reader, ranges } = summarized(clock, tookMs);
  await reader.read(1);
  clock.advance(keptMs - 1);
  await reader.read(1);
  expect(ranges).toHaveLength(1);
  clock.advance(1);
  await expect(reader.read(1)).rejects.toThrow("it is away");
  await reader.read(1);
  expect(ranges).toHaveLength(3);
});

it("says of versions that are not listed how many servers have them", async () => {
  const { versions, totals, servers_more } = await summarized().reader.read(1);
  expect(versions).toEqual([
    { kind: "synapse", version: "1.1", servers: 40 },
    { kind: "fedtrace", version: "unknown", servers: 10 },
    { kind: "synapse", version: "other", servers: 30 },
  ]);
  expect({ totals, servers_more }).toEqual({
    totals: { servers: 500, active: 80, reports: 9, synapse: 70, fedtrace: 10 },
    servers_more: 500,
  });
});
