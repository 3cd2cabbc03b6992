/** What the charts show: gaps, axes that hold every value, labels of days. */

import { describe, expect, it } from "vitest";
import {
  CHARTS,
  drawnValues,
  lastKnownDay,
  loneValues,
  valueAxis,
} from "../../src/collect-page/chart-data.ts";
import { dayTicks, formatDay, formatWholeDay, unixSecondsOf } from "../../src/collect-page/day-axis.ts";
import { type Day, parseSummary } from "../../src/collect-page/summary.ts";

function dayOf(fields: Record<string, unknown>): Day {
  const [day] = parseSummary({ days: [{ day: "2026-11-30", synapse: 1, fedtrace: 1, ...fields }] }).days;
  if (day === undefined) throw new Error("no day was read");
  return day;
}

function valuesOf(title: string, days: readonly Day[]): readonly (readonly (number | null)[])[] {
  const plan = CHARTS.find((candidate) => candidate.title === title);
  if (plan === undefined) throw new Error(`there is no chart ${title}`);
  return drawnValues(plan, days);
}

describe("drawnValues", () => {
  it.each([
    { why: "a day of both", title: "Servers that reported", fields: { synapse: 3, fedtrace: 2 }, values: [3, 2] },
    { why: "a day of one kind", title: "Servers that reported", fields: { synapse: 3, fedtrace: 0 }, values: [3, 0] },
    { why: "nobody reported: a gap, not zero", title: "Servers that reported", fields: { synapse: 0, fedtrace: 0 }, values: [null, null] },
    { why: "the same for who is new", title: "New servers", fields: { synapse: 0, fedtrace: 0, new: 0 }, values: [null] },
    { why: "a day without a new one is zero", title: "New servers", fields: { new: 0 }, values: [0] },
    { why: "no Synapse reported", title: "Messages (Synapse)", fields: { synapse: 0, messages: 0, sent_messages: 0 }, values: [null, null] },
    { why: "no sidecar reported", title: "PDUs (sidecars)", fields: { fedtrace: 0, pdus: 0 }, values: [null] },
    { why: "a kind without that number", title: "Messages (Synapse)", fields: { messages: null, sent_messages: 4 }, values: [null, 4] },
    { why: "no number at all", title: "Requests (sidecars)", fields: { requests_in: "12", requests_out: {} }, values: [null, null] },
    { why: "2⁵³ is drawn as it is", title: "PDUs (sidecars)", fields: { pdus: 2 ** 53 }, values: [2 ** 53] },
    { why: "what would burst the axis is bounded", title: "Requests (sidecars)", fields: { requests_in: 1e300, requests_out: -1e300 }, values: [1e24, -1e24] },
  ])("$why", ({ title, fields, values }) => {
    expect(valuesOf(title, [dayOf(fields)]).map(([value]) => value)).toEqual(values);
  }); // prettier-ignore
});

describe("valueAxis", () => {
  it.each([
    { why: "nothing is known", values: [null], min: 0, max: 1, ticks: 2 },
    { why: "all is zero", values: [0, 0], min: 0, max: 1, ticks: 2 },
    { why: "counts have no fractions", values: [1, 2], min: 0, max: 2, ticks: 3 },
    { why: "ends at the greatest where that is round", values: [5], min: 0, max: 5, ticks: 6 },
    { why: "begins at 0", values: [900, 930], min: 0, max: 1000, ticks: 6 },
    { why: "less than 0 is in it", values: [-5, 930], min: -200, max: 1000, ticks: 7 },
    { why: "only less than 0", values: [-7], min: -8, max: 0, ticks: 5 },
    { why: "2⁵³", values: [2 ** 53, 1], min: 0, max: 1e16, ticks: 6 },
    { why: "as far as can be drawn", values: [1e24, -1e24], min: -1e24, max: 1e24, ticks: 5 },
  ])("holds every value: $why", ({ values, min, max, ticks }) => {
    const axis = valueAxis([values]);
    expect(axis.min).toBe(min);
    for (const value of values) if (value !== null) expect(axis.max).toBeGreaterThanOrEqual(value);
    expect(axis.max).toBe(max);
    expect(axis.ticks).toHaveLength(ticks);
    expect([axis.ticks[0], axis.ticks.at(-1)]).toEqual([min, max]);
  });

  it("has few ticks, in order, for whatever is the greatest", () => {
    for (let power = 0; power <= 24; power++) {
      for (const factor of [1, 1.3, 2, 3.7, 5, 7.5, 9.99]) {
        const most = Math.min(1e24, factor * 10 ** power);
        const { ticks, max } = valueAxis([[most]]);
        expect(max).toBeGreaterThanOrEqual(most);
        expect(max).toBeLessThanOrEqual(most * 1.5 + 1);
        expect(ticks.length, String(most)).toBeLessThanOrEqual(8);
        expect(ticks).toEqual([...ticks].sort((left, right) => left - right));
      }
    }
  });
});

it("finds the last day that is known", () => {
  expect(lastKnownDay([[1, null, null], [null, 2, null]])).toBe(1); // prettier-ignore
  expect(lastKnownDay([[null, null]])).toBeUndefined();
  expect(lastKnownDay([])).toBeUndefined();
});

function daysUntil(last: string, count: number): readonly string[] {
  const lastMs = Date.parse(`${last}T00:00:00Z`);
  return Array.from({ length: count }, (_, index) =>
    new Date(lastMs - (count - 1 - index) * 86_400_000).toISOString().slice(0, 10),
  );
}

describe("dayTicks", () => {
  it.each([
    { count: 30, max: 8, labels: ["2 Nov", "9 Nov", "16 Nov", "23 Nov", "30 Nov"] },
    { count: 90, max: 8, labels: ["7 Sep", "21 Sep", "5 Oct", "19 Oct", "2 Nov", "16 Nov", "30 Nov"] },
    { count: 90, max: 4, labels: ["7 Sep", "5 Oct", "2 Nov", "30 Nov"] },
    { count: 365, max: 12, labels: ["Dec", "2026", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"] },
    { count: 365, max: 6, labels: ["2026", "Mar", "May", "Jul", "Sep", "Nov"] },
    { count: 365, max: 2, labels: ["2026", "Jul"] },
    { count: 1, max: 2, labels: ["30 Nov"] },
    { count: 0, max: 2, labels: [] },
  ])("gives $count days at most $max labels", ({ count, max, labels }) => {
    const ticks = dayTicks(daysUntil("2026-11-30", count), max);
    expect(ticks.map(({ label }) => label)).toEqual(labels);
    expect(ticks.length).toBeLessThanOrEqual(max);
  }); // prettier-ignore

  it("takes what is no day for what it is", () => {
    expect(dayTicks(["soon", "", "2026-13-01"], 8).map(({ label }) => label)).toEqual([
      "soon",
      "",
      "2026-13-01",
    ]);
    expect(formatDay("2026-02-09")).toBe("9 Feb");
    expect(formatWholeDay("2026-02-09")).toBe("9 Feb 2026");
    expect(formatWholeDay("<b>")).toBe("<b>");
    expect(unixSecondsOf("2026-11-30")).toBe(1_795_996_800);
    expect(unixSecondsOf("2026-02-31x")).toBeUndefined();
    expect(unixSecondsOf("")).toBeUndefined();
  });
});

describe("loneValues: what no line leads to or from", () => {
  it.each([
    { values: [null, null, 3], lone: [2], why: "the first day of a collector" },
    { values: [3], lone: [0], why: "one day alone" },
    { values: [1, null, 0, null, 2, 3], lone: [0, 2], why: "days between gaps, zero too" },
    { values: [1, 2, 3], lone: [], why: "a line" },
    { values: [null, undefined], lone: [], why: "nothing" },
  ])("$why", ({ values, lone }) => {
    expect(loneValues(values)).toEqual(lone);
  });
});
