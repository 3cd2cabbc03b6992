/** Which values a bounded label shows: the busiest, at a fixed cost, whatever comes. */

import { assert, property, array, integer } from "fast-check";
import { describe, expect, it } from "vitest";
import { Busiest } from "../../src/metrics/busiest.ts";

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

  it.each([2, 4, 8])("shows who is busy though each %i-th is all that he has of a flood", (every) => {
    for (let shift = 0; shift < every; shift++) {
      const told = watched(3);
      for (let index = 0; index < 100; index++) told.busiest.note(`first${index}`);
      for (let index = 0; index < 50_000; index++)
        told.busiest.note(index % every === shift ? "busy" : `flood${index}`);
      expect(told.busiest.note("busy"), `from ${shift} on`).toBe("busy");
    }
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
