/**
 * What people type into the trace page's address: any query is a search within bounds or a sentence; numbers and times are
 * what Go's are; paths and names of the admin listener never throw.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { takesCoding } from "../../src/admin/accept-encoding.ts";
import { findForeignName, readTarget } from "../../src/admin/own-names.ts";
import {
  formatDuration,
  parseDuration,
  parseInteger,
  parseTraceId,
} from "../../src/admin/query-go-values.ts";
import {
  parseLinksQuery,
  parseOperationsQuery,
  parseTraceQuery,
  parseTraceRequest,
} from "../../src/admin/query-parameters.ts";
import { createRouteFinder } from "../../src/admin/route-finder.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, piecesOf } from "./texts.ts";
import { unicodeText } from "../support/unicode-text.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const KEYS = (
  "service operation tags tag limit lookback start end minDuration maxDuration traceID raw endTs spanKind " +
  "prettyPrint __proto__ x"
).split(" ");
const VALUES: readonly string[] = (
  " 0 -1 1 +1 20 2147483648 9223372036854775808 1.5 1e3 0x1 NaN Infinity 1h 2d 1h15m30.5s 100us 1\u00b5s .5s -1ms s " +
  'custom true T a a:b : {} {"a":"b"} {"__proto__":"b"} {"a":1} {"a":null} null [ [] %zz %00 a=b&c g \ud800 \0 ' +
  `00000000000000000 9999999h ${"f".repeat(32)} ${"F".repeat(33)}`
).split(" ");
const PATH_PIECES = [
  "/",
  "/api/traces/",
  "a",
  "%2F",
  "%",
  "%zz",
  "%ff",
  "..",
  "?",
  "#",
  "{id}",
  "http://",
  "localhost",
  ":80",
];

const value = fc.oneof(fc.constantFrom(...VALUES), piecesOf(VALUES, 3), unicodeText({ maxLength: 8 }));
const queries = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 8 })
  .map((pairs) => new URLSearchParams(pairs));

/** Either a value or a sentence; the value where there is one. */
function valueOf<T>(parsed: { readonly value: T } | { readonly refusal: string }): T | undefined {
  if ("value" in parsed) return parsed.value;
  ok(parsed.refusal.length > 0, "refused without a sentence");
  return undefined;
}

function checkQuery({ query, path, header }: { query: URLSearchParams; path: string; header: string }): void {
  const found = valueOf(parseTraceQuery(query, NOW_MS));
  if (found !== undefined) {
    const { search, traceIds } = found;
    ok(
      traceIds.every((id) => /^[0-9a-f]{32}$/.test(id)),
      "not a trace id",
    );
    ok(traceIds.length > 0 || (search.service !== "" && search.limit > 0), "a search for nothing");
    ok(Number.isInteger(search.limit) && Math.abs(search.limit) <= 2 ** 31, "limit");
    const { startMicros, endMicros, minDurationNs, maxDurationNs } = search;
    for (const number of [startMicros, endMicros, minDurationNs, maxDurationNs]) ok(Number.isFinite(number));
    ok([...search.tags].every(([key, text]) => typeof key === "string" && typeof text === "string"));
  }
  const links = valueOf(parseLinksQuery(query, NOW_MS));
  if (links !== undefined) ok(links.startMs <= links.endMs, "ends before it starts");
  ok(valueOf(parseOperationsQuery(query))?.service !== "");
  ok(/^[0-9a-f]{32}$/.test(valueOf(parseTraceRequest(path, query))?.traceId ?? "0".repeat(32)));

  readTarget(path);
  const foreign = findForeignName({ url: path, headers: { host: header, origin: header } }, ["own.test"]);
  ok(foreign === undefined || foreign === "Host" || foreign === "Origin");
  equal(typeof takesCoding(header, "gzip"), "boolean");
  const pattern = "/api/traces/{id}";
  const findRoute = createRouteFinder([{ pattern, answer: () => ({ status: 200, type: "", body: "" }) }]);
  ok(findRoute(path)?.parameters["id"] !== "", "an empty parameter");
}

export const ADMIN_QUERY: FuzzTarget = createTarget(
  "admin-query",
  fc.property(
    fc.record({
      query: queries,
      path: piecesOf(PATH_PIECES, 6),
      header: fc.oneof(
        piecesOf(PATH_PIECES, 6),
        anyBytes(20),
        fc.constantFrom("gzip;q=0", "br, gzip", "[::1]:1"),
      ),
    }),
    checkQuery,
  ),
);

/** Durations are counted in doubles: exact up to here, which is a hundred days. */
const EXACT_NS = 2 ** 53;

function checkValues({ text, nanoseconds }: { text: string; nanoseconds: number }): void {
  deepEqual(
    parseDuration(formatDuration(nanoseconds)),
    { value: nanoseconds },
    "a duration is read otherwise",
  );
  const duration = valueOf(parseDuration(text));
  if (duration !== undefined)
    ok(Number.isInteger(duration) && Math.abs(duration) <= 2 ** 63, "not nanoseconds");
  const isDecimal = /^[+-]?[0-9]+$/.test(text);
  for (const bits of [32, 64] as const) {
    const integer = valueOf(parseInteger(text, bits));
    const exact = isDecimal ? BigInt(text.replace("+", "")) : undefined;
    const isWithin =
      exact !== undefined && exact >= -(2n ** BigInt(bits - 1)) && exact < 2n ** BigInt(bits - 1);
    equal(integer, isWithin ? Number(exact) : undefined);
  }
  const id = valueOf(parseTraceId(text));
  equal(id, /^[0-9a-fA-F]{1,32}$/.test(text) ? text.toLowerCase().padStart(32, "0") : undefined);
}

const GO_PIECES = [
  "0",
  "1",
  "9",
  "000",
  "2147483647",
  "9223372036854775807",
  ".",
  "-",
  "+",
  "h",
  "m",
  "s",
  "ms",
  "us",
  "ns",
  "\u00b5s",
  "e",
  "f",
  "F",
];

export const GO_VALUES: FuzzTarget = createTarget(
  "go-values",
  fc.property(
    fc.record({
      text: fc.oneof(piecesOf(GO_PIECES, 6), unicodeText({ maxLength: 8 })),
      nanoseconds: fc.oneof(fc.integer(), fc.integer({ min: -EXACT_NS, max: EXACT_NS })),
    }),
    checkValues,
  ),
);
