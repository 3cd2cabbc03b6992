/** Random tables of series under random floods: what must hold after each find, whatever came before. */

import { array, assert, integer, property, record, subarray } from "fast-check";
import { expect, it } from "vitest";
import type { CounterChild } from "../../src/metrics/children.ts";
import { Busiest } from "../../src/metrics/busiest.ts";
import type { Family } from "../../src/metrics/registry.ts";
import { type Fold, SeriesTable } from "../../src/metrics/series-table.ts";
import { createChance } from "../support/chance.ts";
import { testRegistry } from "../support/metrics.ts";

const LABELS = ["a", "b", "c", "d"];

const tables = record({
  labels: integer({ min: 1, max: 4 }),
  /** By label: which fold makes it `other`; 3: none. */
  foldOf: array(integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }),
  /** In tenths; as many as there are folds. */
  shares: array(integer({ min: 1, max: 10 }), { maxLength: 3 }),
  bytesMax: integer({ min: 300, max: 2000 }),
  bounded: subarray(LABELS),
  places: integer({ min: 1, max: 4 }),
  /** Of each label, values that come. */
  values: integer({ min: 2, max: 60 }),
  /** The higher, the more often the first ones come. */
  skew: integer({ min: 1, max: 4 }),
  /** Finds after which nothing is asked for again. */
  recent: integer({ min: 1, max: 1000 }),
  seed: integer({ min: 1, max: 1 << 30 }),
});

interface Described {
  readonly labels: number;
  readonly folds: readonly Fold[];
  readonly bytesMax: number;
  readonly bounded: readonly string[];
  readonly places: number;
}

/** A table over a family that knows what it has, and refuses what must not be. */
function createModel({ labels: labelCount, folds, bytesMax, bounded, places }: Described) {
  const labels = LABELS.slice(0, labelCount);
  const { definition } = testRegistry().metric("counter", "c", "", "", labels, { seriesMax: Infinity });
  const kept = new Map<string, number>();
  let added: string | undefined;
  const counts = { bytes: 0, ended: 0 };
  const bytesOf = (values: readonly string[]): number =>
    values.reduce((sum, value, at) => sum + 2 * (value.length + (labels[at] ?? "").length + 4), 2 * 25);
  const family: Family<"counter"> = {
    definition,
    withLabels(...values): CounterChild {
      const row = values.join(" ");
      if (kept.has(row)) throw new Error(`${row} begins twice`);
      kept.set(row, 0);
      counts.bytes += bytesOf(values);
      return {
        value: 0,
        add(amount) {
          const count = kept.get(row);
          if (count === undefined) throw new Error(`${row} counts after its end`);
          kept.set(row, count + amount);
          added = row;
        },
      };
    },
    read: () => undefined,
    remove(values) {
      const row = values.join(" ");
      counts.ended += kept.get(row) ?? Number.NaN;
      counts.bytes -= bytesOf(values);
      if (!kept.delete(row)) throw new Error(`${row} ends twice`);
    },
  };
  const overflow = new Map<string, number>(labels.map((label) => [label, 0]));
  const bounds = Object.fromEntries(
    labels
      .filter((label) => bounded.includes(label))
      .map((label) => [label, new Busiest(places, () => undefined)]),
  );
  const table = new SeriesTable({
    families: { count: family },
    bounds,
    folds,
    bytesMax,
    overflow: (label) => ({
      value: 0,
      add: (amount) => void overflow.set(label, (overflow.get(label) ?? 0) + amount),
    }),
  });
  /** @returns the path that was asked for, and the values that it was counted as */
  const add = (values: readonly string[]) => {
    const path = values.map((value, at) => bounds[labels[at] ?? ""]?.note(value) ?? value);
    table.find(path).count.add(1);
    return { path, row: added?.split(" ") ?? [] };
  };
  const total = (): number => [...kept.values()].reduce((sum, count) => sum + count, 0) + counts.ended;
  return { table, labels, kept, counts, bytesOf, add, overflow, total };
}

it.each([
  { finds: 10_000, numRuns: 100 },
  // The counts are halved in between.
  { finds: 300_000, numRuns: 3 },
])(
  "holds what it says of itself, whatever comes ($finds finds)",
  { timeout: 60_000 },
  ({ finds, numRuns }) => {
    assert(
      property(tables, ({ values: valueCount, skew, recent, seed, foldOf, shares, ...described }) => {
        const folds = shares
          .toSorted((one, two) => one - two)
          .map((share, at) => ({
            labels: LABELS.filter((_, label) => foldOf[label] === at),
            share: share / 10,
          }));
        const { table, labels, counts, bytesOf, add, overflow, total } = createModel({ ...described, folds });
        const chance = createChance(seed);
        const most = described.bytesMax + bytesOf(labels.map(() => "other"));
        const overflown = labels.map(() => 0);
        const asked: (readonly string[])[] = [];
        for (let at = 0; at < finds; at++) {
          // Some come again and again, some for the first time.
          const again = chance() < 0.8 ? asked[asked.length - Math.ceil(recent * chance() ** 4)] : undefined;
          const values =
            again ??
            labels.map(() => {
              const value = Math.floor(valueCount * chance() ** skew);
              return ["other", ""][value] ?? `v${value}`;
            });
          asked.push(values);
          const { path, row } = add(values);
          for (const [label, value] of row.entries()) {
            if (value === path[label]) continue;
            if (value !== "other") throw new Error(`${path.join(" ")} is counted as ${row.join(" ")}`);
            if (path[label] !== "") overflown[label] = (overflown[label] ?? 0) + 1;
          }
          if (table.bytes !== counts.bytes)
            throw new Error(`${table.bytes} of ${counts.bytes} bytes are known`);
          if (table.bytes > most) throw new Error(`${table.bytes} of ${most} bytes are taken`);
        }
        expect(total(), "all that was asked for is counted once").toBe(finds);
        expect([...overflow.values()]).toEqual(overflown);
      }),
      // A smaller one is another table, and no clearer.
      { numRuns, endOnFailure: true },
    );
  },
);

it("keeps one series once, however full it was where it was first asked for", () => {
  const folds = [
    { labels: ["b"], share: 0.4 },
    { labels: ["a"], share: 0.8 },
  ];
  // At one of these what `x p` is counted as finds no place among those that wait, and `x p` itself does.
  for (let waiting = 100; waiting < 140; waiting++) {
    const { add } = createModel({ labels: 2, folds, bytesMax: 660, bounded: [], places: 1 });
    const addTimes = (times: number, ...values: readonly string[]): void => {
      for (let time = 0; time < times; time++) add(values);
    };
    for (const busy of ["p0", "p1", "p2"]) addTimes(1000, "GET", busy);
    for (const idle of ["A", "B", "C"]) addTimes(5, idle, "p0");
    for (let at = 0; at < waiting; at++) addTimes(1, "GET", `w${at}`);
    addTimes(3, "x", "p");
    for (let at = 0; at < 8; at++) addTimes(1, "GET", `z${at}`);
    addTimes(30, "x", "q");
    addTimes(25, "x", "p");
  }
});

it("costs no look at all that is kept each time that something busy finds no room", () => {
  const folds = [{ labels: ["b"], share: 0.5 }];
  const { add, kept } = createModel({ labels: 2, folds, bytesMax: 2e6, bounded: [], places: 1 });
  for (let at = 0; at < 50_000; at++) add([`v${at}`, "other"]);
  expect(kept.size).toBeGreaterThan(10_000);
  const startMs = performance.now();
  for (let at = 0; at < 5000; at++) add(["v0", `w${at % 20}`]);
  // A look at each of them takes a millisecond: it would be 5 s.
  expect(performance.now() - startMs).toBeLessThan(1000);
});

it("gives what is busy and fine the room of coarser ones, but what is for them alone", () => {
  const folds = [
    { labels: ["b"], share: 0.4 },
    { labels: ["a"], share: 0.8 },
  ];
  const bytesMax = 4000;
  const { add, kept, bytesOf } = createModel({ labels: 2, folds, bytesMax, bounded: [], places: 1 });
  const taken = (isOf: (a: string, b: string) => boolean): number =>
    [...kept.keys()]
      .map((row) => row.split(" "))
      .filter(([a = "", b = ""]) => isOf(a, b))
      .reduce((sum, values) => sum + bytesOf(values), 0);
  const isFine = (a: string, b: string): boolean => a !== "other" && b !== "other";
  const isCoarser = (a: string, b: string): boolean => a !== "other" && b === "other";
  for (let at = 0; at < 100; at++) add([`v${at}`, "other"]);
  expect(taken(isCoarser)).toBeGreaterThan(0.75 * bytesMax);
  for (let at = 0; at < 100; at++) for (let time = 0; time < 100; time++) add(["v0", `w${at}`]);
  const one = bytesOf(["v0", "other"]);
  expect(taken(isFine)).toBeGreaterThan(0.4 * bytesMax - one);
  expect(taken(isFine)).toBeLessThanOrEqual(0.4 * bytesMax);
  expect(taken(isCoarser)).toBeGreaterThan(0.4 * bytesMax - one);
});
