/** Series of several labels, found together: which of them have room, and what becomes of the others. */

import { array, assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { Busiest } from "../../src/metrics/busiest.ts";
import { type Fold, SeriesTable } from "../../src/metrics/series-table.ts";
import { testRegistry } from "../support/metrics.ts";

describe("a table of series", () => {
  function createTable(
    bytesMax: number,
    places = 2,
    folds: readonly Fold[] = [{ labels: ["peer"], share: 0.6 }],
  ) {
    const registry = testRegistry();
    const labels = ["method", "peer"];
    const count = registry.metric("counter", "c", "", "", labels, { seriesMax: Infinity });
    const peers = new Busiest(places, () => undefined);
    const overflow = registry.metric("counter", "overflow", "", "", ["label"]);
    const table = new SeriesTable({
      families: { count },
      bounds: { peer: peers },
      folds,
      bytesMax,
      overflow: (label) => overflow.withLabels(label),
    });
    const add = (method: string, peer: string): void => table.find([method, peers.note(peer)]).count.add(1);
    const rows = (): Record<string, number> =>
      Object.fromEntries(
        (registry.find("c")?.series ?? []).map(({ values, numbers }) => [values.join(" "), numbers[0] ?? 0]),
      );
    /** @param row as `rows` has them */
    const addTimes = (row: string, times: number): void => {
      const [method = "", peer = ""] = row.split(" ");
      for (let time = 0; time < times; time++) add(method, peer);
    };
    return { add, addTimes, rows, table, overflow };
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

  it("counts what has no room as other in one fold's labels after the other's", () => {
    const folds = [
      { labels: ["peer"], share: 0.4 },
      { labels: ["method"], share: 0.8 },
    ];
    const { add, rows } = createTable(600, 100, folds);
    for (const method of ["GET", "PUT", "POST", "HEAD", "TRACE"])
      for (let peer = 0; peer < 5; peer++) add(method, `p${peer}`);
    const kept = Object.keys(rows());
    expect(kept.slice(0, 2)).toEqual(["GET p0", "GET p1"]);
    expect(kept.filter((row) => /^[A-Z]+ other$/.test(row)).length).toBeGreaterThan(1);
    expect(kept.at(-1)).toBe("other other");
    expect(Object.values(rows()).reduce((sum, count) => sum + count, 0)).toBe(25);
  });

  it("gives room to what is coarser by what all that is counted as it makes", () => {
    const folds = [
      { labels: ["peer"], share: 0.3 },
      { labels: ["method"], share: 0.6 },
    ];
    const { addTimes, rows } = createTable(600, 100, folds);
    for (const method of ["GET", "PUT", "POST", "HEAD"]) addTimes(`${method} p1`, 5);
    expect(rows()["TRACE other"]).toBe(undefined);
    for (let peer = 10; peer < 50; peer++) addTimes(`TRACE p${peer}`, 1);
    expect(rows()["TRACE other"]).toBeGreaterThan(20);
  });

  describe("where rare values have no room", () => {
    const ROOM = 600;

    function fillTable() {
      const created = createTable(ROOM, 100);
      for (let peer = 10; peer < 60; peer++) created.add("GET", `p${peer}`);
      const first = Object.keys(created.rows()).filter((row) => !row.includes("other"));
      for (const row of first) created.addTimes(row, 9);
      return { ...created, first };
    }

    it("has shown the first", () => {
      const { first } = fillTable();
      expect(first.length).toBeGreaterThan(2);
      expect(first).toEqual(first.map((_, at) => `GET p${10 + at}`));
    });

    it.each([
      { why: "asked for twice as often as the idlest: waits", times: 20, takes: false },
      { why: "asked for once more: takes its room", times: 21, takes: true },
    ])("one $why", ({ times, takes }) => {
      const { addTimes, rows, first, table } = fillTable();
      for (const row of first.slice(1)) addTimes(row, 100);
      const before = table.bytes;
      addTimes("GET p49", times - 1); // It was asked for once above.
      expect([rows()["GET p49"], rows()["GET p10"]]).toEqual(takes ? [1, undefined] : [undefined, 10]);
      expect(table.bytes - before).toBe(0);
      addTimes("GET p10", 1);
      expect(rows()["GET p10"]).toBe(takes ? undefined : 11);
    });

    it("keeps what has taken room from those that were as idle as what it took it from", () => {
      const { addTimes, rows, first } = fillTable();
      for (const row of first.slice(1)) addTimes(row, 100);
      addTimes("GET p49", 25);
      addTimes("GET p48", 45);
      expect(Object.keys(rows())).toContain("GET p49");
      expect(Object.keys(rows())).not.toContain("GET p48");
    });

    it("leaves equals, and a flood of those that come once, where they are", () => {
      const { add, rows, first } = fillTable();
      for (let round = 0; round < 1000; round++) {
        for (const row of first) add(...(row.split(" ") as [string, string]));
        for (let at = 0; at < 5; at++) add("GET", `p${20 + at}`);
        add(`M${round}`, `p${30 + (round % 30)}`);
      }
      expect(Object.keys(rows())).toEqual(expect.arrayContaining(first));
    });

    it("never gives away the room of common values", () => {
      const { addTimes, rows } = fillTable();
      addTimes("GET p49", 10_000);
      expect(rows()["GET other"]).toBeGreaterThan(40);
      addTimes("PUT p10", 1);
      expect(rows()["PUT other"]).toBe(1);
    });

    it("makes room of several where one's is too small", () => {
      const { addTimes, rows, first } = fillTable();
      const long = `p${"9".repeat(40)}`;
      addTimes(`GET ${long}`, 25);
      const gone = first.filter((row) => !(row in rows()));
      expect([rows()[`GET ${long}`] !== undefined, gone.length]).toEqual([true, 2]);
    });

    it("forgets what was busy long ago", () => {
      const { addTimes, rows, first } = fillTable();
      for (const row of first) addTimes(row, 20_000);
      addTimes("GET p49", 19_000);
      expect(rows()["GET p49"]).toBe(undefined);
      addTimes("GET p49", 200_000);
      expect(rows()["GET p49"]).toBeGreaterThan(0);
    });
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
