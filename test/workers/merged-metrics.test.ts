/** The metrics of all workers: the sums, and never less than before. */

import { expect, it } from "vitest";
import type { FamilySnapshot } from "../../src/metrics/snapshot.ts";
import { formatText } from "../../src/metrics/text.ts";
import { createMergedMetrics, type MergedMetrics } from "../../src/workers/merged-metrics.ts";
import { testRegistry } from "../support/metrics.ts";
import { type InProcessWorker, inProcessWorker } from "./in-process-worker.ts";

const NONE = (): readonly FamilySnapshot[] => [];

/** A worker that has counted so much, and holds so much. */
function workerWith(number: number, counted: number, held = 0): InProcessWorker {
  const worker = inProcessWorker(number);
  worker.registry.metric("counter", "a", "", "A.").withLabels().add(counted);
  worker.registry.metric("gauge", "b", "", "B.").read(() => held);
  return worker;
}

async function valuesOf(metrics: MergedMetrics): Promise<Record<string, number>> {
  const text = formatText(await metrics.snapshot(), "prometheus");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const [name = "", value] = line.split(" ");
      return [name, Number(value)];
    }),
  );
}

it("are the sums over all, and the primary's own", async () => {
  const own = testRegistry();
  own.metric("counter", "c", "", "C.").withLabels().add(7);
  const workers = [workerWith(1, 1, 10), workerWith(2, 2, 20)];
  const metrics = createMergedMetrics(
    () => workers,
    () => own.collect(),
  );
  expect(await valuesOf(metrics)).toEqual({ a_total: 3, b: 30, c_total: 7 });
});

it("keep the counts of those that ended, and not what they held", async () => {
  let workers = [workerWith(1, 5, 10), workerWith(2, 2, 20)];
  const metrics = createMergedMetrics(() => workers, NONE);
  const [first] = workers;
  if (first === undefined) throw new Error("no worker");
  await metrics.poll(first);
  workers = workers.slice(1);
  metrics.gone(first);
  expect(await valuesOf(metrics)).toEqual({ a_total: 7, b: 20 });
  workers = [...workers, workerWith(1, 1, 1)];
  expect(await valuesOf(metrics)).toEqual({ a_total: 8, b: 21 });
});

it("count one that does not answer as it last did", async () => {
  const workers = [workerWith(1, 5), workerWith(2, 2)];
  const metrics = createMergedMetrics(() => workers, NONE);
  expect(await valuesOf(metrics)).toMatchObject({ a_total: 7 });
  workers[0]?.hang();
  workers[1]?.registry.metric("counter", "d", "", "D.").withLabels().add(1);
  expect(await valuesOf(metrics)).toMatchObject({ a_total: 7, d_total: 1 });
});

it("are asked for once by scrapers that come at the same time", async () => {
  let asked = 0;
  const worker = workerWith(1, 1);
  const counting: InProcessWorker = {
    ...worker,
    ask(...question) {
      asked += 1;
      return worker.ask(...question);
    },
  };
  const metrics = createMergedMetrics(() => [counting], NONE);
  await Promise.all([metrics.snapshot(), metrics.snapshot(), metrics.snapshot()]);
  expect(asked).toBe(1);
});

it("are bounded by how many values ended workers had, and lose none of their counts", async () => {
  let workers: readonly InProcessWorker[] = [];
  const metrics = createMergedMetrics(() => workers, NONE);
  for (let number = 1; number <= 20; number++) {
    const worker = inProcessWorker(number);
    const family = worker.registry.metric("counter", "a", "", "A.", ["peer"]);
    for (let at = 0; at < 20; at++) family.withLabels(`peer${number}-${at}`).add(1 + at);
    workers = [worker];
    await metrics.poll(worker);
    workers = [];
    metrics.gone(worker);
  }
  const [family] = await metrics.snapshot();
  expect(family?.series.length).toBeLessThanOrEqual(100);
  expect(family?.series.reduce((sum, { numbers }) => sum + (numbers[0] ?? 0), 0)).toBe(20 * 210);
  expect(family?.series.find(({ values }) => values[0] === "other")).toBeDefined();
});
