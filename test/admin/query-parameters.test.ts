/**
 * Numbers, durations and ids as Go reads them, and the parameters made of them. The same refusals are compared with a
 * real Jaeger's in test/real/query-api.test.ts; these hold without one.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatDuration,
  parseBoolean,
  parseDuration,
  parseInteger,
  parseTraceId,
} from "../../src/admin/query-go-values.ts";
import { parseLinksQuery, parseTraceQuery } from "../../src/admin/query-parameters.ts";

const NOW_MS = 1_795_355_012_345.678;

describe("parseInteger", () => {
  it.each([
    ["0", 32, 0],
    ["+7", 32, 7],
    ["-7", 32, -7],
    ["007", 32, 7],
    ["2147483647", 32, 2 ** 31 - 1],
    ["-2147483648", 32, -(2 ** 31)],
    ["9223372036854775807", 64, 2 ** 63],
    ["-9223372036854775808", 64, -(2 ** 63)],
  ] as const)("reads %s in %i bits", (text, bits, value) => {
    expect(parseInteger(text, bits)).toEqual({ value });
  });

  it.each([
    ["", 32, 'strconv.ParseInt: parsing "": invalid syntax'],
    ["1.0", 32, 'strconv.ParseInt: parsing "1.0": invalid syntax'],
    ["1e3", 32, 'strconv.ParseInt: parsing "1e3": invalid syntax'],
    ["+-1", 32, 'strconv.ParseInt: parsing "+-1": invalid syntax'],
    ["٣", 32, 'strconv.ParseInt: parsing "٣": invalid syntax'],
    ["2147483648", 32, 'strconv.ParseInt: parsing "2147483648": value out of range'],
    ["-2147483649", 32, 'strconv.ParseInt: parsing "-2147483649": value out of range'],
    ["9223372036854775808", 64, 'strconv.ParseInt: parsing "9223372036854775808": value out of range'],
    ['"\\\n\u0000\u007f', 32, 'strconv.ParseInt: parsing "\\"\\\\\\n\\x00\\x7f": invalid syntax'],
    [
      "\u0085\u2028\u{e0001}😀",
      32,
      'strconv.ParseInt: parsing "\\u0085\\u2028\\U000e0001😀": invalid syntax',
    ],
  ] as const)("refuses %j in %i bits", (text, bits, refusal) => {
    expect(parseInteger(text, bits)).toEqual({ refusal });
  });
});

describe("parseDuration", () => {
  it.each([
    ["0", 0],
    ["-0", 0],
    ["10ns", 10],
    ["1.5us", 1500],
    ["1µs", 1000],
    ["1μs", 1000],
    ["100ms", 1e8],
    [".5s", 5e8],
    ["1.s", 1e9],
    ["1m30s", 90e9],
    ["1h1m1s1ms1us1ns", 3_661_001_001_001],
    ["-1s", -1e9],
    ["+1s", 1e9],
    ["0.3ns", 0],
    ["2.032258125s", 2_032_258_125],
  ])("reads %s", (text, nanoseconds) => {
    const parsed = parseDuration(text);
    expect("value" in parsed ? parsed.value + 0 : parsed).toBe(nanoseconds);
  });

  it.each([
    ["", 'time: invalid duration ""'],
    ["5", 'time: missing unit in duration "5"'],
    ["s", 'time: invalid duration "s"'],
    [".s", 'time: invalid duration ".s"'],
    ["5d", 'time: unknown unit "d" in duration "5d"'],
    ["5 s", 'time: unknown unit " s" in duration "5 s"'],
    ["1s2", 'time: missing unit in duration "1s2"'],
    ["9223372036s", undefined],
    ["9223372037s", 'time: invalid duration "9223372037s"'],
    ['ä"', 'time: invalid duration "\\xc3\\xa4\\""'],
  ])("refuses %j", (text, refusal) => {
    const parsed = parseDuration(text);
    expect("refusal" in parsed ? parsed.refusal : undefined).toBe(refusal);
  });

  it("reads back what formatDuration writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), (nanoseconds) => {
        const parsed = parseDuration(formatDuration(nanoseconds));
        return "value" in parsed && parsed.value === nanoseconds;
      }),
    );
  });
});

it.each([
  [0, "0s"],
  [1, "1ns"],
  [999, "999ns"],
  [1000, "1µs"],
  [1500, "1.5µs"],
  [999_999, "999.999µs"],
  [1e6, "1ms"],
  [-2_345_678, "-2.345678ms"],
  [1e9, "1s"],
  [60e9, "1m0s"],
  [3_600_500_000_000, "1h0m0.5s"],
  [100 * 3600e9, "100h0m0s"],
])("formatDuration %i is %s", (nanoseconds, text) => {
  expect(formatDuration(nanoseconds)).toBe(text);
});

describe("parseTraceId", () => {
  it.each([
    ["1", "1".padStart(32, "0")],
    ["ABCDEF0123456789", "abcdef0123456789".padStart(32, "0")],
    ["1ABCDEF0123456789", "1abcdef0123456789".padStart(32, "0")],
    ["f".repeat(32), "f".repeat(32)],
  ])("reads %s", (text, value) => {
    expect(parseTraceId(text)).toEqual({ value });
  });

  it.each([
    ["", 'strconv.ParseUint: parsing "": invalid syntax'],
    ["+1", 'strconv.ParseUint: parsing "+1": invalid syntax'],
    ["g" + "1".repeat(16), 'strconv.ParseUint: parsing "g": invalid syntax'],
    ["1".repeat(16) + "g".repeat(16), `strconv.ParseUint: parsing "${"g".repeat(16)}": invalid syntax`],
    ["1".repeat(33), `TraceID cannot be longer than 32 hex characters: ${"1".repeat(33)}`],
  ])("refuses %j", (text, refusal) => {
    expect(parseTraceId(text)).toEqual({ refusal });
  });
});

it.each([
  ["1", true],
  ["True", true],
  ["f", false],
  ["FALSE", false],
  ["tRUE", undefined],
  ["yes", undefined],
])("parseBoolean %s is %s", (text, value) => {
  const parsed = parseBoolean(text);
  expect("value" in parsed ? parsed.value : undefined).toBe(value);
});

describe("the time that a search looks at", () => {
  const NOW_MICROS = Math.ceil(NOW_MS * 1000);
  const HOUR_MICROS = 3_600e6;
  it.each([
    ["two days by default", "", NOW_MICROS - 48 * HOUR_MICROS, NOW_MICROS],
    ["a lookback", "&lookback=1h", NOW_MICROS - HOUR_MICROS, NOW_MICROS],
    ["a lookback in days", "&lookback=2d", NOW_MICROS - 48 * HOUR_MICROS, NOW_MICROS],
    ["a lookback in weeks", "&lookback=1w", NOW_MICROS - 168 * HOUR_MICROS, NOW_MICROS],
    ["a lookback from an end", "&lookback=1ms&end=5000", 4000, 5000],
    ["a start over a lookback", "&lookback=1h&start=7", 7, NOW_MICROS],
    ["custom, as Grafana says it", "&lookback=custom&start=7&end=9", 7, 9],
    ["a lookback that can't be read", "&lookback=-1h", NOW_MICROS - 48 * HOUR_MICROS, NOW_MICROS],
  ])("%s", (_why, query, startMicros, endMicros) => {
    const parsed = parseTraceQuery(new URLSearchParams(`service=x${query}`), NOW_MS);
    expect(parsed).toMatchObject({ value: { search: { startMicros, endMicros } } });
  });
});

it.each([
  ["a limit of 1", "service=x&limit=1", undefined],
  ["a limit of 0", "service=x&limit=0", "search depth must be greater than 0 and less than max traces"],
  ["a negative limit", "service=x&limit=-1", "search depth must be greater than 0 and less than max traces"],
  ["a limit that ids make void", "traceID=1&limit=0", undefined],
  ["equal durations", "service=x&minDuration=1s&maxDuration=1s", undefined],
  [
    "crossed durations",
    "service=x&minDuration=1001ms&maxDuration=1s",
    "'maxDuration' should be greater than 'minDuration'",
  ],
  [
    "the first of two faults",
    "start=a&end=b",
    `unable to parse param 'start': strconv.ParseInt: parsing "a": invalid syntax`,
  ],
])("%s", (_why, query, refusal) => {
  const parsed = parseTraceQuery(new URLSearchParams(query), NOW_MS);
  expect("refusal" in parsed ? parsed.refusal : undefined).toBe(refusal);
});

it("says of tags that are no JSON what is wrong with them", () => {
  const parsed = parseTraceQuery(new URLSearchParams("service=x&tags={a"), NOW_MS);
  expect(parsed).toMatchObject({
    refusal: expect.stringMatching(/^malformed 'tags' parameter, cannot unmarshal JSON: ./),
  });
});

it("refuses a lookback of links into the future", () => {
  expect(parseLinksQuery(new URLSearchParams("lookback=-1"), NOW_MS)).toEqual({
    refusal: "end time must be greater than start time",
  });
  expect(parseLinksQuery(new URLSearchParams("lookback=0"), NOW_MS)).toEqual({
    value: { startMs: NOW_MS, endMs: NOW_MS },
  });
});
