/** What the metrics of several processes are together. */

import { expect, it } from "vitest";
import { createRegistry } from "../../src/metrics/registry.ts";
import { formatSnapshot, mergeSnapshots, onlyCounters } from "../../src/metrics/snapshot.ts";

/** A process that has counted and measured so much. */
function processOf(
  counted: Readonly<Record<string, number>>,
  measured: number,
): ReturnType<typeof createRegistry> {
  const registry = createRegistry();
  const family = registry.counter("a_total", "A.", ["label"]);
  for (const [label, amount] of Object.entries(counted)) family.with(label).add(amount);
  registry.gauge("b", "B.", () => measured);
  registry.gauge("c_least", "C.", () => measured, "least");
  registry.gauge("d_most", "D.", () => measured, "most");
  return registry;
}

it("adds up counters series by series, and gauges as each says", () => {
  const processes = [processOf({ x: 1, y: 2 }, 5), processOf({ y: 3, z: 4 }, 3)];
  expect(formatSnapshot(mergeSnapshots(processes.map((registry) => registry.snapshot())))).toBe(
    '# HELP a_total A.\n# TYPE a_total counter\na_total{label="x"} 1\na_total{label="y"} 5\na_total{label="z"} 4\n' +
      "# HELP b B.\n# TYPE b gauge\nb 8\n" +
      "# HELP c_least C.\n# TYPE c_least gauge\nc_least 3\n" +
      "# HELP d_most D.\n# TYPE d_most gauge\nd_most 5\n",
  );
});

it.each([
  { why: "of nobody", snapshots: [], text: "" },
  {
    why: "of one, its own",
    snapshots: [processOf({ x: 1 }, 2).snapshot()],
    text: processOf({ x: 1 }, 2).format(),
  },
])("is, $why", ({ snapshots, text }) => {
  expect(formatSnapshot(mergeSnapshots(snapshots))).toBe(text);
});

it("changes none of what it merges", () => {
  const one = processOf({ x: 1 }, 1).snapshot();
  const before = structuredClone(one);
  mergeSnapshots([one, one, one]);
  expect(one).toEqual(before);
});

it("keeps of a process that ended what it counted, not what it held", () => {
  expect(onlyCounters(processOf({ x: 1 }, 2).snapshot()).map(({ name }) => name)).toEqual(["a_total"]);
});
