/** The registry: the same family for the same signature, its series, corks, events; and what its definition refuses. */

import { describe, expect, it } from "vitest";
import { createRegistry, type Registry } from "../../src/metrics/registry.ts";
import { createNoRegistry } from "../../src/metrics/no-registry.ts";
import type { MetricType } from "../../src/metrics/definition.ts";
import { fakeClock } from "../support/clock.ts";
import { metricsText, testRegistry } from "../support/metrics.ts";

const BUCKETS = { buckets: [1, 2] };

describe("a family", () => {
  it("is one for whoever asks with the same signature, wherever the name is cut", () => {
    const registry = createRegistry({ prefix: "p", clock: fakeClock() });
    const family = registry.module("m").metric("counter", "n", "bytes", "Help.", ["label"]);
    expect(registry.metric("counter", "m_n", "bytes", "Other words.", ["label"])).toBe(family);
    expect(registry.unprefixed.metric("counter", "p_m_n", "bytes", "", ["label"])).toBe(family);
    expect(family.definition).toMatchObject({ name: "p_m_n_bytes", unit: "bytes", help: "Help." });
  });

  it.each([
    { why: "another type", other: ["gauge", "x", "", "", ["a"]], what: "type" },
    { why: "other labels", other: ["histogram", "x", "", "", ["b"], BUCKETS], what: "labels" },
    { why: "no labels", other: ["histogram", "x", "", "", [], BUCKETS], what: "labels" },
    { why: "other buckets", other: ["histogram", "x", "", "", ["a"], { buckets: [1] }], what: "buckets" },
  ] as const)("is refused under a known name with $why", ({ other, what }) => {
    const registry = testRegistry();
    registry.metric("histogram", "x", "", "Help.", ["a"], BUCKETS);
    const [type, name, unit, help, labels, extra] = other;
    expect(() => registry.metric(type, name, unit, help, labels, extra)).toThrow(
      `metric x is there already, with another ${what}`,
    );
  });

  it("is refused with labels in another order, and with one state of the words of two", () => {
    const registry = testRegistry();
    registry.metric("gauge", "x", "", "", ["a", "b"]);
    expect(() => registry.metric("gauge", "x", "", "", ["b", "a"])).toThrow("with another labels");
    registry.metric("stateset", "y", "", "", [], { states: ["a", "b"] });
    expect(() => registry.metric("stateset", "y", "", "", [], { states: ["a,b"] })).toThrow(
      "with another states",
    );
  });

  it("is refused where its unit would make it another one's name", () => {
    const registry = testRegistry();
    registry.metric("gauge", "x_bytes", "", "");
    expect(() => registry.metric("gauge", "x", "bytes", "")).toThrow("with another unit");
  });

  it.each([
    { one: ["histogram", "x", BUCKETS], two: ["gauge", "x_count", {}], sample: "x_count" },
    { one: ["gauge", "x_bucket", {}], two: ["histogram", "x", BUCKETS], sample: "x_bucket" },
    { one: ["counter", "x", {}], two: ["gauge", "x_total", {}], sample: "x_total" },
    { one: ["info", "x", {}], two: ["gauge", "x_info", {}], sample: "x_info" },
  ] as const)("is refused where both would have samples called $sample", ({ one, two, sample }) => {
    const registry = testRegistry();
    registry.metric(one[0], one[1], "", "", [], one[2]);
    expect(() => registry.metric(two[0], two[1], "", "", [], two[2])).toThrow(sample);
  });

  it.each([
    { why: "a name that begins with a digit", of: ["gauge", "1x"] },
    { why: "a name with a letter of another alphabet", of: ["gauge", "größe"] },
    { why: "no name", of: ["gauge", ""] },
    { why: "a counter's suffix twice", of: ["counter", "x_total"] },
    { why: "an info with a unit", of: ["info", "x", "bytes"] },
    { why: "a stateset with a unit", of: ["stateset", "x", "bytes", [], { states: ["on"] }] },
    { why: "a state twice", of: ["stateset", "x", "", [], { states: ["on", "on"] }] },
    { why: "a label of Prometheus' own", of: ["gauge", "x", "", ["__name__"]] },
    { why: "a label with a dash", of: ["gauge", "x", "", ["a-b"]] },
    { why: "a label twice", of: ["gauge", "x", "", ["a", "a"]] },
    { why: "a histogram with a label le", of: ["histogram", "x", "", ["le"], BUCKETS] },
    { why: "a summary with a label quantile", of: ["summary", "x", "", ["quantile"]] },
    { why: "a stateset with a label of its name", of: ["stateset", "x", "", ["x"], { states: ["on"] }] },
    { why: "a histogram without buckets", of: ["histogram", "x"] },
    { why: "buckets that fall", of: ["histogram", "x", "", [], { buckets: [2, 1] }] },
    { why: "a bucket without end", of: ["histogram", "x", "", [], { buckets: [1, Infinity] }] },
    { why: "buckets of a gauge", of: ["gauge", "x", "", [], BUCKETS] },
    { why: "a quantile above 1", of: ["summary", "x", "", [], { quantiles: [1.1] }] },
    { why: "quantiles of a counter", of: ["counter", "x", "", [], { quantiles: [0.5] }] },
    { why: "a stateset without states", of: ["stateset", "x"] },
    { why: "states of a gauge", of: ["gauge", "x", "", [], { states: ["on"] }] },
  ] as const)("is refused with $why", ({ of }) => {
    const [type, name, unit = "", labels = [], extra = {}] = of;
    expect(() => testRegistry().metric(type as MetricType, name, unit, "", labels, extra)).toThrow(
      /^metric /,
    );
  });
});

describe("series", () => {
  it("counts, holds and samples", () => {
    const registry = testRegistry();
    const counter = registry.metric("counter", "c", "", "", ["l"]);
    counter.withLabels("x").add(2);
    counter.withLabels("x").add(0.5);
    for (const nothing of [0, -1, Number.NaN]) counter.withLabels("x").add(nothing);
    const gauge = registry.metric("gauge", "g", "", "").withLabels();
    gauge.set(5);
    gauge.add(-2);
    const histogram = registry.metric("histogram", "h", "", "", [], BUCKETS).withLabels();
    for (const value of [0.5, 1, 1.5, 2, 3, Number.NaN]) histogram.sample(value);
    const summary = registry.metric("summary", "s", "", "", [], { quantiles: [0, 0.5, 1] }).withLabels();
    for (const value of [4, 1, 3, 2]) summary.sample(value);
    const numbers = Object.fromEntries(
      registry.collect().map(({ name, series }) => [name, series[0]?.numbers]),
    );
    expect(numbers).toEqual({ c: [2.5], g: [3], h: [2, 2, 2, Number.NaN], s: [4, 10, 1, 2, 4] });
    expect([counter.withLabels("x").value, gauge.value, histogram.count, summary.sum]).toEqual([
      2.5, 3, 6, 10,
    ]);
  });

  it("keeps a summary's quantiles to its last samples, and its count and sum to all", () => {
    const registry = testRegistry();
    const summary = registry.metric("summary", "s", "", "", [], { quantiles: [0.5] }).withLabels();
    for (let index = 0; index < 600; index++) summary.sample(index < 88 ? 1000 : 1);
    expect(registry.find("s")?.series[0]?.numbers).toEqual([600, 88_512, 1]);
  });

  it("times a piece of work", () => {
    const clock = fakeClock();
    const registry = createRegistry({ prefix: "", clock });
    const histogram = registry.metric("histogram", "h", "", "", [], BUCKETS).withLabels();
    const end = histogram.measure();
    clock.advance(1500);
    expect(end()).toBe(1.5);
    expect(registry.find("h")?.series[0]?.numbers).toEqual([0, 1, 0, 1.5]);
  });

  it("refuses a state that is none of its family's, and the wrong number of values", () => {
    const registry = testRegistry();
    const states = registry.metric("stateset", "s", "", "", [], { states: ["on", "off"] });
    expect(() => states.withLabels().set("half", true)).toThrow("half is none of its states (on, off)");
    expect(() => states.withLabels("x")).toThrow("was given 1 values");
  });

  it.each([
    { why: "the last inside the bound", series: 3, other: undefined, overflow: 0 },
    { why: "one more is counted as other", series: 4, other: 1, overflow: 1 },
    { why: "and all that follow", series: 6, other: 3, overflow: 3 },
  ])("are bounded: $why", ({ series, other, overflow }) => {
    const registry = testRegistry();
    const family = registry.metric("counter", "a", "", "", ["label"], { seriesMax: 3 });
    for (let index = 0; index < series; index++) family.withLabels(`value${index}`).add(1);
    const kept = registry.find("a")?.series ?? [];
    expect(kept.find(({ values }) => values[0] === "other")?.numbers[0]).toBe(other);
    expect(registry.find("metrics_overflow")?.series[0]?.numbers[0] ?? 0).toBe(overflow);
  });

  it("end when they are removed, and begin anew", () => {
    const registry = testRegistry();
    const family = registry.metric("counter", "c", "", "", ["l"]);
    family.withLabels("x").add(2);
    family.remove(["x"]);
    family.remove(["x"]);
    expect(registry.find("c")?.series).toEqual([]);
    family.withLabels("x").add(1);
    expect(registry.find("c")?.series).toMatchObject([{ values: ["x"], numbers: [1] }]);
  });

  it("have the exemplars of the last four buckets that had one", () => {
    const clock = fakeClock();
    const other = createRegistry({ prefix: "", clock });
    const buckets = [1, 2, 3, 4, 5, 6];
    const series = other.metric("histogram", "h", "", "", [], { buckets }).withLabels();
    for (const value of [1, 2, 3, 4, 1, 5, 6]) {
      clock.advance(1);
      series.sample(value, { traceId: `t${value}`, spanId: "s" });
    }
    expect(other.find("h")?.series[0]?.exemplars?.map((one) => one?.value)).toEqual([
      1,
      undefined,
      undefined,
      4,
      5,
      6,
      undefined,
    ]);
  });
});

describe("a collection", () => {
  it("reads what is read, and tells those who listen, after", () => {
    const registry = testRegistry();
    let value = 1;
    registry.metric("gauge", "g", "", "", ["l"]).read(() => [{ values: ["x"], value: value++ }]);
    const told: number[] = [];
    const stop = registry.on("updated", (families) => told.push(families[0]?.series[0]?.numbers[0] ?? 0));
    registry.collect();
    registry.collect();
    stop();
    registry.collect();
    expect(told).toEqual([1, 2]);
  });

  it("shows one view while many values change", () => {
    const registry = testRegistry();
    const [one, two] = ["one", "two"].map((name) => registry.metric("counter", name, "", "").withLabels());
    const shown = (): (number | undefined)[] => registry.collect().map(({ series }) => series[0]?.numbers[0]);
    registry.cork();
    registry.cork();
    one?.add(1);
    registry.uncork();
    expect(shown()).toEqual([0, 0]);
    expect(registry.find("one")?.series[0]?.numbers[0]).toBe(0);
    two?.add(1);
    registry.uncork();
    expect(shown()).toEqual([1, 1]);
    expect(() => registry.uncork()).toThrow("without a cork");
  });

  it("knows nothing of another registry in the same process", () => {
    const [one, two] = [testRegistry(), testRegistry()];
    one.metric("counter", "a", "", "").withLabels().add(1);
    expect(two.metric("gauge", "a", "", "").definition.type).toBe("gauge");
    expect(two.collect()[0]?.series).toEqual([]);
  });
});

it("counts and reads nothing where metrics are off", () => {
  const registry: Registry = createNoRegistry();
  registry.metric("gauge", "g", "", "").read(() => {
    throw new Error("was read");
  });
  const series = registry.module("m").metric("counter", "c", "", "", ["l"]).withLabels("x");
  series.add(1);
  expect([series.value, metricsText(registry), registry.find("g")]).toEqual([0, "", undefined]);
  expect(() => registry.metric("gauge", "1", "", "")).toThrow("metric 1");
});
