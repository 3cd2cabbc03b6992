/** Numbers of reports as they are shown, whatever was reported. */

import { describe, expect, it } from "vitest";
import {
  formatAmount,
  formatMemory,
  formatPercent,
  formatTick,
  formatWhole,
} from "../../src/collect-page/amount.ts";

describe("formatAmount", () => {
  it.each([
    { amount: null, shown: "–", why: "not known" },
    { amount: 0, shown: "0", why: "nothing is a number" },
    { amount: 3.14159, shown: "3.14", why: "three digits" },
    { amount: 999.6, shown: "1,000", why: "rounded" },
    { amount: 51_234, shown: "51,234", why: "all digits, while they fit" },
    { amount: 999_999, shown: "999,999", why: "the last with all digits" },
    { amount: 999_999.5, shown: "1 M", why: "rounds up into the unit" },
    { amount: 1_000_000, shown: "1 M", why: "the first with a unit" },
    { amount: 999_499_999, shown: "999 M", why: "the last of the millions" },
    { amount: 999_500_000, shown: "1 G", why: "rounds up to the next unit" },
    { amount: 1e15, shown: "1 P", why: "made up" },
    { amount: 2 ** 53, shown: "9.01 P", why: "the greatest that counts" },
    { amount: 9.996e17, shown: "1,000 P", why: "the last with a unit" },
    { amount: 1e18, shown: "1e18", why: "no unit that anybody knows" },
    { amount: 1.25e21, shown: "1.25e21", why: "as String() would not write it" },
    { amount: Number.MAX_VALUE, shown: "1.8e308", why: "the greatest of all" },
    { amount: -5, shown: "−5", why: "made up, and shown" },
    { amount: -2_500_000, shown: "−2.5 M", why: "the same beyond a million" },
  ])("$amount is $shown: $why", ({ amount, shown }) => {
    expect(formatAmount(amount)).toBe(shown);
  });
});

it.each([
  { value: 0, shown: "0" },
  { value: 9999, shown: "9,999" },
  { value: 10_000, shown: "10 k" },
  { value: 12_500, shown: "12.5 k" },
  { value: 1e24, shown: "1e24" },
  { value: -2e23, shown: "−2e23" },
])("a tick at $value is $shown", ({ value, shown }) => {
  expect(formatTick(value)).toBe(shown);
});

it("has all digits for a title only where some were left out", () => {
  expect(formatWhole(999_999)).toBeUndefined();
  expect(formatWhole(null)).toBeUndefined();
  expect(formatWhole(1_234_567)).toBe("1,234,567");
  expect(formatWhole(-9_007_199_254_740_992)).toBe("−9,007,199,254,740,992");
});

it.each([
  { kib: null, shown: "–" },
  { kib: 0, shown: "0 KiB" },
  { kib: 999, shown: "999 KiB" },
  { kib: 125_000, shown: "122 MiB" },
  { kib: 1_048_576, shown: "1 GiB" },
  { kib: 2 ** 53, shown: "8 EiB" },
  { kib: -2048, shown: "−2 MiB" },
  { kib: 1e300, shown: "1e300 KiB" },
])("$kib KiB of memory are $shown", ({ kib, shown }) => {
  expect(formatMemory(kib)).toBe(shown);
});

it("shows percents", () => {
  expect(formatPercent(1)).toBe("1 %");
  expect(formatPercent(null)).toBe("–");
});
