/** Positions: axes, dots, the picture of peers, the drawn part of a long list; and the order of peers. */

import { describe, expect, it } from "vitest";
import { layoutMap, NODE_PX } from "../../src/page/map-layout.ts";
import { parsePeers, type Peer, sortPeers, totalsOf } from "../../src/page/peers-model.ts";
import { rowWindow } from "../../src/page/row-window.ts";
import { createLogScale, linearTicks } from "../../src/page/scale.ts";
import { layoutScatter } from "../../src/page/scatter-layout.ts";
import { summarize, type TraceSummary } from "../../src/page/trace-summary.ts";
import { createSpan, createTrace } from "./spans.ts";

describe("linearTicks", () => {
  it.each([
    { to: 10, values: [0, 2, 4, 6, 8, 10], why: "both ends" },
    {
      to: 1_020_000,
      values: [0, 200_000, 400_000, 600_000, 800_000, 1_000_000],
      why: "a little over a round value",
    },
    { to: 3, values: [0, 0.5, 1, 1.5, 2, 2.5, 3], why: "parts" },
    { to: 0, values: [0], why: "nothing took no time" },
    { to: Number.NaN, values: [0], why: "no number" },
  ])("to $to: $why", ({ to, values }) => {
    expect(linearTicks(to, 5).map(({ value }) => value)).toEqual(values);
  });
});

describe("createLogScale", () => {
  it.each([
    { values: [15, 700], ticks: [10, 100, 1000], why: "decades around the values" },
    { values: [100], ticks: [100, 1000], why: "at least one decade" },
    { values: [], ticks: [1, 10], why: "no values" },
    { values: [0, -5, Number.NaN], ticks: [1, 10], why: "no sensible values" },
  ])("$why", ({ values, ticks }) => {
    expect(createLogScale(values).ticks.map(({ value }) => value)).toEqual(ticks);
  });

  it("clamps", () => {
    const { at } = createLogScale([10, 1000]);
    expect([at(0), at(10), at(100), at(1000), at(1e9)]).toEqual([0, 0, 0.5, 1, 1]);
  });

  it("draws no more decades than fit", () => {
    expect(createLogScale([1, 1e300]).ticks.length).toBe(16);
  });
});

describe("layoutScatter", () => {
  const summary = (
    startUs: number,
    durationUs: number,
    change: Partial<TraceSummary> = {},
  ): TraceSummary => ({
    ...summarize(createTrace(String(startUs), [createSpan("1", { startUs, durationUs })])),
    ...change,
  });

  it("goes from left to right in time, and up in duration", () => {
    const { dots, fromUs, toUs } = layoutScatter([summary(300, 1000), summary(100, 10), summary(200, 100)]);
    expect(dots.map(({ x, y }) => [x, y])).toEqual([
      [0, 1],
      [0.5, 0.5],
      [1, 0],
    ]);
    expect([fromUs, toUs]).toEqual([100, 300]);
  });

  it.each([
    { change: {}, shape: "circle", isError: false, why: "usual" },
    {
      change: { tones: ["stopped", "refused"] as const },
      shape: "square",
      isError: false,
      why: "stopped comes first",
    },
    {
      change: { tones: ["refused"] as const, errors: 1 },
      shape: "triangle",
      isError: true,
      why: "malformed and failed",
    },
  ])("$why", ({ change, shape, isError }) => {
    expect(layoutScatter([summary(1, 1, change)]).dots[0]).toMatchObject({ shape, isError, x: 0.5 });
  });

  it("stands without traces", () => {
    expect(layoutScatter([])).toMatchObject({ dots: [], fromUs: 0, toUs: 0 });
  });
});

describe("rowWindow", () => {
  it.each([
    { rows: 1000, top: 0, first: 0, end: 50, why: "the top, a screen and spare rows" },
    { rows: 1000, top: 10_000, first: 270, end: 340, why: "the middle" },
    { rows: 1000, top: 34_000, first: 980, end: 1000, why: "the bottom" },
    { rows: 5, top: 0, first: 0, end: 5, why: "all, where there are few" },
    { rows: 1000, top: -5000, first: 0, end: 0, why: "not in sight yet" },
    { rows: 0, top: 0, first: 0, end: 0, why: "none" },
  ])("$why", ({ rows, top, first, end }) => {
    expect(rowWindow(rows, 34, top, 740)).toEqual({ first, end });
  });
});

const PEER = (name: string, inbound: number, outbound: number, isWhitelisted = true): unknown => ({
  name,
  whitelisted: isWhitelisted,
  entry: isWhitelisted ? "x" : null,
  proof: "signature",
  inbound: {
    requests: inbound,
    failed: 1,
    last_contact: "2026-11-22T19:00:00.000Z",
    contexts: { extracted: 3, restarted: 2, refused: 1 },
    headers_removed: 4,
  },
  outbound: { requests: outbound, last_contact: null, headers_removed: 5 },
  refused: [{ format: "w3c", reason: "length", count: 1 }],
});

const peers = (list: readonly unknown[]): readonly Peer[] => parsePeers({ peers: list }).peers;

describe("parsePeers", () => {
  it("reads what is there, and nothing as nothing", () => {
    expect(peers([PEER("a", 7, 0)])[0]).toMatchObject({
      name: "a",
      isWhitelisted: true,
      entry: "x",
      inbound: {
        requests: 7,
        failed: 1,
        lastContactMs: Date.UTC(2026, 10, 22, 19),
        extracted: 3,
        restarted: 2,
        refused: 1,
        headersRemoved: 4,
      },
      outbound: { requests: 0, lastContactMs: undefined },
      refusals: [{ why: "w3c length", count: 1 }],
    });
    expect(parsePeers(null)).toEqual({
      serverName: "",
      service: "",
      authenticate: "",
      peers: [],
      forgotten: 0,
    });
    expect(peers([null])[0]).toMatchObject({
      name: "",
      isWhitelisted: false,
      proof: "none",
      entry: undefined,
    });
  });

  it("adds up", () => {
    expect(totalsOf(peers([PEER("a", 1, 1), PEER("b", 1, 1)]))).toEqual({
      taken: 6,
      stopped: 4,
      refused: 2,
      removed: 18,
    });
  });
});

it("sorts by any column, equal ones by name", () => {
  const list = peers([PEER("b", 1, 9), PEER("C", 5, 0, false), PEER("a", 1, 2)]);
  const names = (...by: [Parameters<typeof sortPeers>[1], boolean]): string =>
    sortPeers(list, ...by)
      .map(({ name }) => name)
      .join("");
  expect(names("name", false)).toBe("abC");
  expect(names("inbound", true)).toBe("Cab");
  expect(names("outbound", false)).toBe("Cab");
  expect(names("verdict", false)).toBe("Cab");
  expect(names("contact", true)).toBe("Cab");
});

describe("layoutMap", () => {
  it("puts the busiest first, with the widest edge, and leaves out who did not ask", () => {
    const { callers, callees, heightPx } = layoutMap(
      peers([PEER("a", 1, 0), PEER("b", 100, 50), PEER("c", 0, 0)]),
    );
    expect(callers.nodes.map(({ peer, y }) => [peer.name, y])).toEqual([
      ["b", NODE_PX / 2],
      ["a", NODE_PX * 1.5],
    ]);
    expect(callers.nodes.map(({ width }) => width)).toEqual([22, 1.5]);
    expect(callees.nodes.map(({ peer, y, width, ownY }) => [peer.name, y, width, ownY])).toEqual([
      ["b", NODE_PX, 11, NODE_PX],
    ]);
    expect(heightPx).toBe(2 * NODE_PX);
  });

  it("draws no more than fit, and counts the rest", () => {
    const many = Array.from({ length: 14 }, (_, index) => PEER(`p${index}`, index + 1, 0));
    const { callers } = layoutMap(peers(many));
    expect(callers).toMatchObject({ hidden: 2, hiddenRequests: 3 });
    expect(callers.nodes.length).toBe(12);
    expect(layoutMap(peers(many.slice(2))).callers.hidden).toBe(0);
  });
});
