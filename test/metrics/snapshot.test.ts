/** What the metrics of several processes are together. */

import { expect, it } from "vitest";
import type { Registry } from "../../src/metrics/registry.ts";
import { mergeSnapshots, onlyCounts } from "../../src/metrics/snapshot.ts";
import { formatText } from "../../src/metrics/text.ts";
import { metricsText, testRegistry } from "../support/metrics.ts";

/** A process that has counted and measured so much. */
function processOf(counted: Readonly<Record<string, number>>, measured: number): Registry {
  const registry = testRegistry();
  const family = registry.metric("counter", "a", "", "A.", ["label"]);
  for (const [label, amount] of Object.entries(counted)) family.withLabels(label).add(amount);
  registry.metric("gauge", "b", "", "B.").read(() => measured);
  registry.metric("gauge", "c_least", "", "C.", [], { merge: "least" }).read(() => measured);
  registry.metric("gauge", "d_most", "", "D.", [], { merge: "most" }).read(() => measured);
  registry
    .metric("histogram", "e", "", "E.", [], { buckets: [1, 2] })
    .withLabels()
    .sample(measured);
  registry
    .metric("summary", "f", "", "F.", [], { quantiles: [0.5] })
    .withLabels()
    .sample(measured);
  const states = registry.metric("stateset", "g", "", "G.", [], { states: ["low", "high"] }).withLabels();
  states.set(measured > 4 ? "high" : "low", true);
  return registry;
}

it("adds up counts series by series, and what is held as each family says", () => {
  const processes = [processOf({ x: 1, y: 2 }, 5), processOf({ y: 3, z: 4 }, 1)];
  const merged = mergeSnapshots(processes.map((registry) => registry.collect()));
  const rows = merged.flatMap(({ name, series }) =>
    series.map(({ values, numbers }) => [name, ...values, ...numbers].join(" ")),
  );
  expect(rows).toEqual([
    "a x 1",
    "a y 5",
    "a z 4",
    "b 6",
    "c_least 1",
    "d_most 5",
    "e 1 0 1 6",
    "f 2 6 5",
    "g 1 1",
  ]);
});

it("a state that is on in several processes is on, and no number above 1", () => {
  const merged = mergeSnapshots([processOf({}, 1).collect(), processOf({}, 2).collect()]);
  expect(merged.find(({ name }) => name === "g")?.series.map(({ numbers }) => numbers)).toEqual([[1, 0]]);
});

it.each([
  { why: "of nobody", snapshots: [], text: "" },
  {
    why: "of one, its own",
    snapshots: [processOf({ x: 1 }, 2).collect()],
    text: metricsText(processOf({ x: 1 }, 2)),
  },
])("is, $why", ({ snapshots, text }) => {
  expect(formatText(mergeSnapshots(snapshots), "prometheus")).toBe(text);
});

it("changes none of what it merges", () => {
  const one = processOf({ x: 1 }, 1).collect();
  const before = structuredClone(one);
  mergeSnapshots([one, one, one]);
  expect(one).toEqual(before);
});

it("takes the newer exemplar of each bucket, and when the older series was made", () => {
  const snapshot = (traceId: string, unixMs: number, createdUnixMs: number) => {
    const registry = testRegistry();
    registry.metric("histogram", "e", "", "E.", [], { buckets: [1] });
    const [family] = registry.collect();
    if (family === undefined) throw new Error("no family");
    const exemplars = [{ traceId, spanId: "s", value: 1, unixMs }, undefined];
    return [{ ...family, series: [{ values: [], numbers: [1, 0, 1], createdUnixMs, exemplars }] }];
  };
  const [family] = mergeSnapshots([snapshot("new", 20, 7), snapshot("old", 10, 5)]);
  expect(family?.series).toEqual([
    {
      values: [],
      numbers: [2, 0, 2],
      createdUnixMs: 5,
      exemplars: [{ traceId: "new", spanId: "s", value: 1, unixMs: 20 }, undefined],
    },
  ]);
});

it("keeps of a process that ended what it counted, not what it held", () => {
  expect(onlyCounts(processOf({ x: 1 }, 2).collect()).map(({ name }) => name)).toEqual(["a", "e", "f"]);
});

it("keeps when a process that ended saw something last, the latest of all", () => {
  const seenAt = (seconds: number) => {
    const registry = testRegistry();
    const family = registry.metric("gauge", "seen_timestamp", "seconds", "", ["peer"], { merge: "latest" });
    family.withLabels("friend").set(seconds);
    return registry.collect();
  };
  const merged = mergeSnapshots([onlyCounts(seenAt(200)), seenAt(100)]);
  expect(merged.map(({ series }) => series.map(({ numbers }) => numbers))).toEqual([[[200]]]);
});
