/** Numbers and times as they are shown. */

import { describe, expect, it } from "vitest";
import {
  formatAge,
  formatClock,
  formatCount,
  formatDate,
  formatDuration,
  formatNumber,
} from "../../src/page/format.ts";

describe("formatDuration", () => {
  it.each([
    { us: 0, shown: "0 µs", why: "nothing" },
    { us: 999, shown: "999 µs", why: "the last of the microseconds" },
    { us: 1000, shown: "1 ms", why: "no zeros behind the point" },
    { us: 1050, shown: "1.05 ms", why: "three digits" },
    { us: 12_400, shown: "12.4 ms", why: "three digits, one behind the point" },
    { us: 100_400, shown: "100 ms", why: "three digits, none behind the point" },
    { us: 999_499, shown: "999 ms", why: "the last of the milliseconds" },
    { us: 999_500, shown: "1 s", why: "rounds up to the next unit" },
    { us: 59_940_000, shown: "59.9 s", why: "the last of the seconds" },
    { us: 59_960_000, shown: "1 min 0 s", why: "minutes" },
    { us: 125_000_000, shown: "2 min 5 s", why: "minutes and seconds" },
    { us: -1, shown: "–", why: "no duration is negative" },
    { us: Number.NaN, shown: "–", why: "not a number" },
  ])("$us is $shown: $why", ({ us, shown }) => {
    expect(formatDuration(us)).toBe(shown);
  });
});

describe("formatAge", () => {
  it.each([
    { ago: -5000, shown: "now", why: "another clock is ahead of ours" },
    { ago: 999, shown: "now", why: "less than a second" },
    { ago: 1000, shown: "1 s ago", why: "a second" },
    { ago: 59_999, shown: "59 s ago", why: "the last of the seconds" },
    { ago: 60_000, shown: "1 min ago", why: "a minute" },
    { ago: 3_599_999, shown: "59 min ago", why: "the last of the minutes" },
    { ago: 3_600_000, shown: "1 h ago", why: "an hour" },
    { ago: 86_399_999, shown: "23 h ago", why: "the last of the hours" },
    { ago: 86_400_000, shown: "1 d ago", why: "a day" },
    { ago: Number.NaN, shown: "–", why: "no time at all" },
  ])("$ago ms: $shown ($why)", ({ ago, shown }) => {
    expect(formatAge(1_000_000_000_000 - ago, 1_000_000_000_000)).toBe(shown);
  });
});

it("shows clock and date in the reader's time zone, and nothing for what is no time", () => {
  const unixMs = new Date(2026, 10, 2, 3, 4, 5, 6).getTime();
  expect(formatClock(unixMs)).toBe("03:04:05.006");
  expect(formatDate(unixMs)).toBe("2026-11-02 03:04:05.006");
  expect(formatClock(8.65e15)).toBe("–");
  expect(formatDate(Number.NaN)).toBe("–");
});

it("counts in English", () => {
  expect(formatCount(1, "span")).toBe("1 span");
  expect(formatCount(0, "span")).toBe("0 spans");
  expect(formatCount(2, "service met", "services met")).toBe("2 services met");
  expect(formatNumber(1_234_567)).toBe("1,234,567");
});
