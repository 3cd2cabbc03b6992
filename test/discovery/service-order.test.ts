/** orderServices: priorities first, then weights, by a chance that the test gives. */

import { describe, expect, it } from "vitest";
import { orderServices } from "../../src/discovery/service-order.ts";

const service = (name: string, priority: number, weight: number) => ({ name, priority, weight, port: 1 });

function order(services: readonly [string, number, number][], fractions: readonly number[]): string {
  const left = [...fractions];
  const ordered = orderServices(
    services.map(([name, priority, weight]) => service(name, priority, weight)),
    () => left.shift() ?? 0,
  );
  return ordered.map(({ name }) => name).join(" ");
}

const TWO: readonly [string, number, number][] = [
  ["one", 0, 1],
  ["three", 0, 3],
];

describe("orderServices", () => {
  it.each([
    {
      why: "lower priorities first, whatever the weights",
      services: [
        ["b", 20, 9],
        ["c", 30, 9],
        ["a", 10, 0],
      ],
      fractions: [],
      expected: "a b c",
    },
    {
      why: "the first quarter is the weight of one in four",
      services: TWO,
      fractions: [0.249],
      expected: "one three",
    },
    { why: "what follows is the other's", services: TWO, fractions: [0.25], expected: "three one" },
    { why: "to the end", services: TWO, fractions: [0.999], expected: "three one" },
    {
      why: "weight 0 comes after the others",
      services: [
        ["zero", 0, 0],
        ["one", 0, 1],
      ],
      fractions: [0],
      expected: "one zero",
    },
    {
      why: "all of weight 0 are drawn alike",
      services: [
        ["a", 0, 0],
        ["b", 0, 0],
      ],
      fractions: [0.5],
      expected: "b a",
    },
    {
      why: "chance stays within a priority",
      services: [
        ["a", 0, 1],
        ["b", 0, 1],
        ["c", 1, 65_535],
      ],
      fractions: [0.5, 0.9, 0.9],
      expected: "b a c",
    },
    { why: "none", services: [], fractions: [], expected: "" },
  ] satisfies {
    why: string;
    services: readonly [string, number, number][];
    fractions: number[];
    expected: string;
  }[])("$why", ({ services, fractions, expected }) => {
    expect(order(services, fractions)).toBe(expected);
  });

  it("chooses as often as the weights say", () => {
    let firsts = 0;
    for (let draw = 0; draw < 1000; draw++) firsts += order(TWO, [draw / 1000]).startsWith("one") ? 1 : 0;
    expect(firsts).toBe(250);
  });
});
