/** readLifetime: what the headers of a .well-known say, and the bounds. */

import { describe, expect, it } from "vitest";
import { readLifetime } from "../../src/discovery/well-known-lifetime.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MIN_MS = 5 * MINUTE_MS;
const MAX_MS = 48 * HOUR_MS;
const at = (ms: number): string => new Date(NOW_MS + ms).toUTCString();

describe("readLifetime", () => {
  it.each([
    { why: "nothing said", headers: {}, expected: undefined },
    { why: "max-age", headers: { "cache-control": "max-age=3600" }, expected: HOUR_MS },
    {
      why: "among others, in another case",
      headers: { "cache-control": "public, Max-Age=3600" },
      expected: HOUR_MS,
    },
    {
      why: "quoted (RFC 9111 section 5.2)",
      headers: { "cache-control": 'max-age="3600"' },
      expected: HOUR_MS,
    },
    { why: "the least", headers: { "cache-control": "max-age=301" }, expected: 301_000 },
    { why: "below the least", headers: { "cache-control": "max-age=299" }, expected: MIN_MS },
    { why: "the most", headers: { "cache-control": "max-age=172799" }, expected: 172_799_000 },
    { why: "above the most", headers: { "cache-control": "max-age=172801" }, expected: MAX_MS },
    {
      why: "more digits than a number has",
      headers: { "cache-control": `max-age=${"9".repeat(400)}` },
      expected: MAX_MS,
    },
    { why: "no-store is as short as may be", headers: { "cache-control": "no-store" }, expected: MIN_MS },
    { why: "no-cache too", headers: { "cache-control": "no-cache, max-age=3600" }, expected: MIN_MS },
    {
      why: "max-age before Expires (RFC 9111 section 5.3)",
      headers: { "cache-control": "max-age=3600", expires: at(2 * HOUR_MS) },
      expected: HOUR_MS,
    },
    {
      why: "a max-age that is no number is none",
      headers: { "cache-control": "max-age=x" },
      expected: undefined,
    },
    {
      why: "s-maxage is for shared caches",
      headers: { "cache-control": "s-maxage=3600" },
      expected: undefined,
    },
    { why: "Expires", headers: { expires: at(2 * HOUR_MS) }, expected: 2 * HOUR_MS },
    { why: "Expires in the past", headers: { expires: at(-HOUR_MS) }, expected: MIN_MS },
    {
      why: "Expires that is no date is past (RFC 9111 section 5.3)",
      headers: { expires: "0x" },
      expected: MIN_MS,
    },
    { why: "Expires in a hundred years", headers: { expires: at(876_000 * HOUR_MS) }, expected: MAX_MS },
  ])("$why", ({ headers, expected }) => {
    expect(readLifetime(headers, NOW_MS)).toBe(expected);
  });
});
