/** Which values a bounded label shows: the busiest, at a fixed cost, whatever comes. */

import { assert, property, array, integer } from "fast-check";
import { describe, expect, it } from "vitest";
import { Busiest } from "../../src/metrics/busiest.ts";
import { testRegistry } from "../support/metrics.ts";
import { SeriesTable } from "../../src/metrics/series-table.ts";

function watched(places: number) {
  const left: string[] = [];
  let others = 0;
  const busiest = new Busiest(places, () => void others++);
  busiest.onLeft((value) => left.push(value));
  const noteTimes = (value: string, times: number): string => {
    let shown = "";
    for (let time = 0; time < times; time++) shown = busiest.note(value);
    return shown;
  };
  return { busiest, left, noteTimes, others: () => others };
}

describe("busiest", () => {
  it("shows the first values at once, and no more of them than there are places", () => {
    const { busiest, others } = watched(2);
    expect(["a", "b", "c", "a"].map((value) => busiest.note(value))).toEqual(["a", "b", "other", "a"]);
    expect(others()).toBe(1);
  });

  it.each([
    { why: "seen twice as often as the idlest shown: stays outside", times: 6, shown: "other", left: [] },
    { why: "seen once more: takes its place", times: 7, shown: "c", left: ["b"] },
  ])("a later value $why", ({ times, shown, left }) => {
    const told = watched(2);
    told.noteTimes("a", 9);
    told.noteTimes("b", 3);
    expect(told.noteTimes("c", times)).toBe(shown);
    expect(told.left).toEqual(left);
    expect(told.busiest.note("b")).toBe(left.length === 0 ? "b" : "other");
  });

  it("leaves equals where they are", () => {
    const told = watched(2);
    for (let time = 0; time < 5000; time++)
      for (const value of ["a", "b", "c", "d"]) told.busiest.note(value);
    expect(told.left).toEqual([]);
  });

  it("never shows a value that comes once, however many of them come", () => {
    const told = watched(3);
    for (const value of ["a", "b", "c"]) told.noteTimes(value, 5);
    for (let index = 0; index < 50_000; index++) expect(told.busiest.note(`flood${index}`)).toBe("other");
    expect(told.left).toEqual([]);
  });

  it("shows who is busy in the middle of a flood", () => {
    const told = watched(3);
    for (let index = 0; index < 30_000; index++) {
      told.busiest.note(`flood${index}`);
      if (index % 10 === 0) told.busiest.note("busy");
    }
    expect(told.busiest.note("busy")).toBe("busy");
  });

  it("forgets what was busy long ago", () => {
    const told = watched(1);
    told.noteTimes("old", 20_000);
    expect(told.noteTimes("new", 19_000)).toBe("other");
    told.noteTimes("newer", 200_000);
    expect(told.busiest.note("newer")).toBe("newer");
  });

  it.each([
    { why: "the longest name", length: 120, shown: true },
    { why: "one character more", length: 121, shown: false },
  ])("takes $why: $shown", ({ length, shown }) => {
    expect(watched(1).busiest.note("x".repeat(length)) !== "other").toBe(shown);
  });

  it.each([
    {
      why: "a path with every character that one may have",
      value: "/a-Z0._~!$&'()*+,;=:@%20[::1]",
      shown: true,
    },
    { why: "markup", value: "/<b>", shown: false },
    { why: "a quote", value: '/"', shown: false },
    { why: "a backslash", value: "/\\n", shown: false },
    { why: "a space", value: "/ x", shown: false },
    { why: "a byte above ASCII", value: "/\xe9", shown: false },
  ])("takes $why: $shown", ({ value, shown }) => {
    expect(watched(1).busiest.note(value)).toBe(shown ? value : "other");
  });

  it("shows a value only if it is one that was noted, and those shown are as many as the places", () => {
    assert(
      property(array(integer({ min: 0, max: 40 }), { maxLength: 400 }), (values) => {
        const told = watched(3);
        const shown = new Set<string>();
        told.busiest.onLeft((value) => shown.delete(value));
        for (const value of values) {
          const answer = told.busiest.note(String(value));
          if (answer !== "other") shown.add(answer);
          expect(answer === "other" || answer === String(value)).toBe(true);
        }
        expect(shown.size).toBeLessThanOrEqual(3);
      }),
    );
  });
});

describe("a table of series", () => {
  function createTable(bytesMax: number, places = 2) {
    const registry = testRegistry();
    const labels = ["method", "peer"];
    const count = registry.metric("counter", "c", "", "", labels, { seriesMax: Infinity });
    const peers = new Busiest(places, () => undefined);
    const overflow = registry.metric("counter", "overflow", "", "", ["label"]);
    const table = new SeriesTable({
      families: { count },
      bounds: { peer: peers },
      bytesMax,
      overflow: (label) => overflow.withLabels(label),
    });
    const add = (method: string, peer: string): void => table.find([method, peers.note(peer)]).count.add(1);
    const rows = (): Record<string, number> =>
      Object.fromEntries(
        (registry.find("c")?.series ?? []).map(({ values, numbers }) => [values.join(" "), numbers[0] ?? 0]),
      );
    return { add, rows, table, overflow };
  }

  it("finds one series for the same values", () => {
    const { add, rows } = createTable(1e6);
    for (const peer of ["a", "b", "a", "c", "d"]) add("GET", peer);
    add("PUT", "a");
    expect(rows()).toEqual({ "GET a": 2, "GET b": 1, "GET other": 2, "PUT a": 1 });
  });

  it("ends what a value counted when it leaves, and counts it as other from then on", () => {
    const { add, rows, table } = createTable(1e6);
    for (const peer of ["a", "a", "a", "b"]) add("GET", peer);
    add("PUT", "b");
    const before = table.bytes;
    for (let time = 0; time < 5; time++) add("GET", "c");
    add("PUT", "b");
    expect(rows()).toEqual({ "GET a": 3, "GET other": 4, "GET c": 1, "PUT other": 1 });
    expect(table.bytes - before).toBeLessThanOrEqual(110); // One series more.
  });

  it("counts rare values as other before common ones have no room", () => {
    const { add, rows, overflow, table } = createTable(600, 100);
    for (let index = 0; index < 50; index++) add("GET", `peer${index}`);
    for (const method of ["PUT", "POST", "DELETE", "HEAD", "OPTIONS"]) add(method, "peer0");
    const kept = rows();
    expect(kept["GET peer0"]).toBe(1);
    expect(kept["PUT other"]).toBe(1);
    expect(kept["other other"]).toBeGreaterThan(0);
    expect(Object.values(kept).reduce((sum, value) => sum + value, 0)).toBe(55);
    for (const label of ["method", "peer"]) expect(overflow.withLabels(label).value).toBeGreaterThan(0);
    expect(table.bytes).toBeLessThanOrEqual(700);
  });

  it("takes the word other for what it is, and not for a value that may leave", () => {
    const { add, rows } = createTable(1e6);
    for (const peer of ["other", "a", "b", ...Array.from({ length: 20 }, () => "z")]) add("GET", peer);
    expect(rows()["GET other"]).toBeGreaterThan(0);
    expect(rows()["GET z"]).toBeGreaterThan(0);
  });

  it("keeps its bound, whatever comes", () => {
    const row = array(integer({ min: 0, max: 30 }), { minLength: 2, maxLength: 2 });
    assert(
      property(array(row, { maxLength: 300 }), (pairs) => {
        const { add, rows, table } = createTable(900, 3);
        for (const [method, peer] of pairs)
          add(`m${String(method)}`, peer === 0 ? "other" : `p${String(peer)}`);
        expect(Object.values(rows()).reduce((sum, value) => sum + value, 0)).toBeLessThanOrEqual(
          pairs.length,
        );
        expect(table.bytes).toBeLessThanOrEqual(900 + 110); // The one of others alone always has room.
      }),
    );
  });
});
