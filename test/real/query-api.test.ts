/**
 * The query API beside the real Jaeger's: the same spans in both, the same questions to both, the answers compared
 * field by field, parsed.
 *
 * Left open by Jaeger, so brought into one order before they are compared: the spans of a trace (and with them the names of
 * its processes), services, operations, links between services.
 *
 * Different on purpose:
 * - Refusals are `application/json`; Jaeger labels the same body `text/plain`.
 * - A wrong `limit` or a negative `lookback` of dependencies is the asker's fault, 400; Jaeger says 500. A `limit` larger
 *   than the store is fine; Jaeger's depends on its configuration.
 * - A list without entries is `[]`; Jaeger says `null` for services and a service's operations, which breaks who iterates.
 * - Tags that are shown are found: `error`, `span.kind`, `otel.*`, `w3c.tracestate`, `event`. Jaeger's memory store
 *   looks at attributes only, and reads `error=true` as false. `error=false` finds spans without an error.
 * - `lookback` of a search counts where `start` is absent; Jaeger leaves it to its page. Unreadable ones are ignored by both.
 * - NaN and the infinities are shown as text; Jaeger answers 500 for a whole search with one such span in it.
 * - A span that took no time is not warned of; Jaeger calls its duration negative and makes it a nanosecond.
 * - What JSON.parse says of `tags` that are no JSON stands where the words of Go's reader do.
 * - Services and operations go with their spans; Jaeger's memory store lists them for ever.
 * - A list (of a resource) is shown as JSON without `\u003c` in place of `<`; Jaeger's is escaped for HTML twice.
 * - Tags are sorted by UTF-16 units, Jaeger's by bytes: different for keys beyond U+FFFF only.
 * - Jaeger renames spans that share an id, as Zipkin's clients make them, and leaves out copies. Every id here is our own.
 */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createQueryRoutes } from "../../src/admin/query-routes.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { createOtlpHttpExporter } from "../../src/export/otlp-http.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import {
  askRoutes,
  HOSTILE_OPERATION,
  HOSTILE_SERVICE,
  sampleTraces,
  storeOf,
} from "../admin/query-spans.ts";
import { type Jaeger, startJaeger } from "./jaeger.ts";
import { findJaeger } from "./jaeger-binary.ts";

const BUILD_TIMEOUT_MS = 40 * 60_000;
const clock = createSystemClock();
/** An hour ago, so that both "now" and both defaults are beyond doubt. */
const UNIX_MS = Math.floor(clock.unixMs()) - 3_600_000;
const MICROS = UNIX_MS * 1000;
const traces = sampleTraces(UNIX_MS);
const routes = createQueryRoutes(storeOf(traces), { clock });

let jaeger: Jaeger;
let base = "";
beforeAll(async () => {
  const fetched = vi.spyOn(globalThis, "fetch");
  jaeger = await startJaeger(await findJaeger());
  const exporter = createOtlpHttpExporter(
    { url: jaeger.otlpUrl, headers: {}, isGzip: false, timeoutMs: 10_000 },
    clock,
  );
  // One after the other: Jaeger lists traces of one batch in any order.
  for (const spans of traces) {
    await send(exporter, spans);
    await jaeger.traceOf(spans[0]?.spanContext().traceId ?? "", spans.length);
  }
  await exporter.shutdown();
  const asked = fetched.mock.lastCall?.[0]; // The query API was; its address is not told otherwise.
  base = new URL(typeof asked === "string" ? asked : "").origin;
  fetched.mockRestore();
}, BUILD_TIMEOUT_MS);
afterAll(() => jaeger.stop());

function send(
  exporter: ReturnType<typeof createOtlpHttpExporter>,
  spans: readonly SpanRecord[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    exporter.export([...spans], ({ error }) => (error === undefined ? resolve() : reject(error)));
  });
}

interface Both {
  readonly ours: { readonly status: number; readonly type: string; readonly text: string };
  readonly theirs: { readonly status: number; readonly type: string; readonly text: string };
}

async function askBoth(address: string): Promise<Both> {
  const response = await fetch(base + address);
  const type = response.headers.get("content-type") ?? "";
  return {
    ours: await askRoutes(routes, address),
    theirs: { status: response.status, type, text: await response.text() },
  };
}

interface JsonTrace {
  readonly spans: readonly { readonly spanID: string; readonly processID: string }[];
  readonly processes: Readonly<Record<string, unknown>>;
}

/** Spans by id, each with its process in place of the process's name. */
function ordered(trace: JsonTrace): object {
  const spans = trace.spans
    .toSorted((one, two) => (one.spanID < two.spanID ? -1 : 1))
    .map(({ processID, ...span }) => ({ ...span, process: trace.processes[processID] }));
  const names = Object.keys(trace.processes).toSorted();
  expect(names).toEqual(names.map((_, index) => `p${index + 1}`));
  return { ...trace, spans, processes: asSet(Object.values(trace.processes)) };
}

function parsedTraces(text: string): object {
  const envelope = JSON.parse(text) as { readonly data: readonly JsonTrace[] };
  return { ...envelope, data: envelope.data.map(ordered) };
}

function parsedList(text: string): object {
  const envelope = JSON.parse(text) as { readonly data: readonly unknown[] | null };
  return { ...envelope, data: asSet(envelope.data ?? []) };
}

function asSet(values: readonly unknown[]): readonly string[] {
  return values.map((value) => JSON.stringify(value)).toSorted();
}

const q = encodeURIComponent;
const HS1 = `service=${q("hs1.example fedtrace")}`;
const HOSTILE = `service=${q(HOSTILE_SERVICE)}`;
const tags = (value: unknown): string => `tags=${q(JSON.stringify(value))}`;
const idOf = (digits: string): string => digits.padEnd(32, "0");

describe("a trace by its id", () => {
  it.each(traces.map((spans) => [spans[0]?.spanContext().traceId ?? ""]))("%s", async (id) => {
    const { ours, theirs } = await askBoth(`/api/traces/${id}`);
    expect(ours.status).toBe(theirs.status);
    expect(ours.type).toBe(theirs.type);
    expect(parsedTraces(ours.text)).toEqual(parsedTraces(theirs.text));
  });

  it.each([
    ["upper case", idOf("a1").toUpperCase()],
    ["a 64-bit id without its zeros", "f100000000000000"],
    ["a 64-bit id with its zeros", "0000000000000000f100000000000000"],
    ["with times, which are ignored", `${idOf("a1")}?start=1&end=2`],
    ["raw", `${idOf("b1")}?raw=true`],
    ["raw links and events", `${idOf("d1")}?raw=1`],
    ["not raw", `${idOf("b1")}?raw=F`],
    ["empty parameters", `${idOf("b1")}?raw=&start=&end=`],
  ])("%s", async (_why, path) => {
    const { ours, theirs } = await askBoth(`/api/traces/${path}`);
    expect(ours.status).toBe(200);
    expect(parsedTraces(ours.text)).toEqual(parsedTraces(theirs.text));
  });

  it("is byte for byte the same where it has one span", async () => {
    for (const path of [`${idOf("d1")}?prettyPrint=true`, idOf("d1")]) {
      const { ours, theirs } = await askBoth(`/api/traces/${path}`);
      expect(ours.text).toBe(theirs.text);
    }
  });
});

describe("a search", () => {
  it.each([
    ["a service", HS1],
    ["a service that is not there", "service=nobody"],
    ["a hostile service", HOSTILE],
    ["a placeholder's service", "service=missing-service-name"],
    ["an empty name's service", "service=empty-service-name"],
    ["an operation", `${HS1}&operation=GET`],
    ["a hostile operation", `${HOSTILE}&operation=${q(HOSTILE_OPERATION)}`],
    ["an operation of another service", `${HS1}&operation=${q(HOSTILE_OPERATION)}`],
    ["an empty operation is any", `${HS1}&operation=`],
    ["the newest two", `${HS1}&limit=2`],
    ["limit with a plus sign", `${HS1}&limit=%2B1`],
    ["an empty limit is the default", `${HS1}&limit=`],
    ["the first of a repeated parameter", `${HS1}&limit=1&limit=3`],
    ["a text tag", `${HS1}&${tags({ "http.request.method": "GET" })}`],
    ["a number as text", `${HS1}&${tags({ "http.response.status_code": "200" })}`],
    ["a bool as text", `${HS1}&${tags({ "fedtrace.whitelisted": "true" })}`],
    ["a false bool", `${HS1}&${tags({ "fedtrace.removed": "false" })}`],
    ["a fraction", `${HS1}&${tags({ fraction: "1.5" })}`],
    ["a tiny number", `${HS1}&${tags({ tiny: "1e-7" })}`],
    ["a large number", `${HS1}&${tags({ large: "1e+21" })}`],
    ["an integer past 2^53", `${HS1}&${tags({ "unsafe integer": "9007199254740992" })}`],
    ["the smallest int64", `${HS1}&${tags({ "negative unsafe integer": "-9223372036854775808" })}`],
    ["an empty value", `${HS1}&${tags({ empty: "" })}`],
    ["null is an empty value", `${HS1}&${tags({ empty: null })}`],
    ["an empty key", `${HS1}&${tags({ "": "empty key" })}`],
    ["unicode", `${HS1}&${tags({ unicode: "Grüße, 世界 😀" })}`],
    ["all must match", `${HS1}&${tags({ zero: "0", fraction: "1.5" })}`],
    ["one does not match", `${HS1}&${tags({ zero: "0", fraction: "1" })}`],
    ["letter case counts", `${HS1}&${tags({ "http.request.method": "get" })}`],
    ["a key of the language", `${HS1}&${tags({ constructor: "own" })}`],
    ["a key of the language that is not there", `${HS1}&${tags({ toString: "x" })}`],
    ["__proto__", `${HS1}&tags=${q('{"__proto__": "x"}')}`],
    ["a tag of the resource", `${HS1}&${tags({ "process.pid": "42" })}`],
    [
      "a list of the resource",
      `service=${q("hs2.example fedtrace")}&${tags({ "process.command_args": '["run","--config","a b"]' })}`,
    ],
    ["the service as a tag", `${HS1}&${tags({ "service.name": "hs1.example fedtrace" })}`],
    ["a tag of an event", `${HS1}&${tags({ "only-here": "yes" })}`],
    ["a number of an event", `${HS1}&${tags({ attempt: "2" })}`],
    ["no tags", `${HS1}&tags={}`],
    ["null is no tags", `${HS1}&tags=null`],
    ["a simple tag", `${HS1}&tag=http.request.method:GET`],
    ["a simple tag with colons", `${HS1}&tag=a:b:c`],
    ["both forms, the document wins", `${HS1}&tag=zero:7&${tags({ zero: "0" })}`],
    ["two documents", `${HS1}&${tags({ zero: "7" })}&${tags({ zero: "0" })}`],
    ["at least so long", `${HS1}&minDuration=11ms`],
    ["exactly so long", `${HS1}&minDuration=10.25ms&maxDuration=10250us`],
    ["a microsecond too long", `${HS1}&minDuration=10251us&maxDuration=11ms`],
    ["at most so long", `${HS1}&maxDuration=6ms`],
    ["minutes", `${HS1}&minDuration=1m0.5s`],
    ["zero is no bound", `${HS1}&minDuration=0&maxDuration=0s`],
    ["a negative longest", `${HS1}&maxDuration=-1s`],
    ["a negative shortest", `${HS1}&minDuration=-1s`],
    ["from a start", `${HS1}&start=${MICROS + 300_000}`],
    ["just after a start", `${HS1}&start=${MICROS + 400_001}&end=${MICROS + 401_000}`],
    ["to an end", `${HS1}&end=${MICROS + 100_000}`],
    ["to just before a start", `${HS1}&end=${MICROS + 299_999}&start=${MICROS + 202_001}`],
    ["to a fraction of a microsecond", `${HS1}&start=${MICROS + 100_123}&end=${MICROS + 100_124}`],
    ["from a fraction of a microsecond", `${HS1}&start=${MICROS + 100_124}&end=${MICROS + 100_125}`],
    ["a negative start", `${HS1}&start=-5`],
    ["an end before the start", `${HS1}&start=${MICROS + 9}&end=${MICROS}`],
    [
      "Jaeger's page",
      `${HS1}&end=${MICROS + 9e8}&start=${MICROS - 9e8}&limit=20&lookback=1h&maxDuration&minDuration`,
    ],
    [
      "Grafana before 11.5",
      `end=${MICROS + 9e8}&limit=20&lookback=custom&${HS1}&start=${MICROS - 9e8}&${tags({ zero: "0" })}`,
    ],
    [
      "Grafana",
      `end=${MICROS + 9e8}&limit=20&maxDuration=1s&minDuration=1ms&operation=GET&service=hs1.example+fedtrace&start=${MICROS - 9e8}`,
    ],
    ["raw", `${HS1}&raw=true&limit=1`],
    ["ids", `traceID=${idOf("a1")}&traceID=${idOf("d1")}`],
    ["ids, one unknown", `traceID=${idOf("a1")}&traceID=abc`],
    ["ids of 64 bits", "traceID=f100000000000000&traceID=1"],
    ["ids over everything else", `traceID=${idOf("a1")}&${HS1}&limit=0&operation=none`],
  ])("%s", async (_why, query) => {
    const { ours, theirs } = await askBoth(`/api/traces?${query}`);
    expect(ours.status).toBe(theirs.status);
    expect(ours.type).toBe(theirs.type);
    expect(parsedTraces(ours.text)).toEqual(parsedTraces(theirs.text));
  });
});

describe("lists", () => {
  it.each([
    ["services", "/api/services"],
    ["services, any parameter", "/api/services?limit=1"],
    ["operations", `/api/services/${q("hs1.example fedtrace")}/operations`],
    ["operations of a path with +", "/api/services/hs1.example+fedtrace/operations"],
    ["operations of a hostile service", `/api/services/${q(HOSTILE_SERVICE)}/operations`],
    ["operations of nobody", "/api/services/nobody/operations"],
    ["operations with kinds", `/api/operations?${HS1}`],
    ["servers", `/api/operations?${HS1}&spanKind=server`],
    ["clients", `/api/operations?${HS1}&spanKind=client`],
    ["a kind that nothing has", `/api/operations?${HS1}&spanKind=CLIENT`],
    ["an empty kind is any", `/api/operations?${HS1}&spanKind=`],
    ["operations with kinds of nobody", "/api/operations?service=nobody"],
    ["operations with kinds of a hostile service", `/api/operations?${HOSTILE}`],
    ["dependencies", "/api/dependencies"],
    ["dependencies as Jaeger's page asks", `/api/dependencies?endTs=${UNIX_MS + 5e6}&lookback=604800000`],
    ["dependencies of one service", `/api/dependencies?service=${q("host a")}&endTs=${UNIX_MS + 5e6}`],
    ["dependencies of nobody", "/api/dependencies?service=nobody"],
    ["dependencies before all", `/api/dependencies?endTs=${UNIX_MS - 1}`],
    ["dependencies of what lies wholly within", `/api/dependencies?endTs=${UNIX_MS + 11}&lookback=12`],
    ["an end that is excluded", `/api/dependencies?endTs=${UNIX_MS + 10}&lookback=12`],
    ["a start that is excluded", `/api/dependencies?endTs=${UNIX_MS + 11}&lookback=11`],
    ["no lookback", "/api/dependencies?lookback=0"],
  ])("%s", async (_why, address) => {
    const { ours, theirs } = await askBoth(address);
    expect(ours.status).toBe(theirs.status);
    expect(ours.type).toBe(theirs.type);
    expect(parsedList(ours.text)).toEqual(parsedList(theirs.text));
  });

  it("are printed alike", async () => {
    const { ours, theirs } = await askBoth(
      `/api/operations?service=${q("hs2.example fedtrace")}&prettyPrint=yes`,
    );
    expect(ours.text).toBe(theirs.text);
    const compact = await askBoth("/api/operations?service=nobody&prettyPrint=false");
    expect(compact.ours.text).toBe(compact.theirs.text);
  });
});

describe("a refusal", () => {
  it.each([
    ["/api/traces"],
    ["/api/traces?service="],
    ["/api/traces?limit=abc"],
    [`/api/traces?${HS1}&limit=abc`],
    [`/api/traces?${HS1}&limit=1.5`],
    [`/api/traces?${HS1}&limit=1_000`],
    [`/api/traces?${HS1}&limit=0x10`],
    [`/api/traces?${HS1}&limit=2147483648`],
    [`/api/traces?${HS1}&start=abc`],
    [`/api/traces?${HS1}&start=9223372036854775808`],
    [`/api/traces?${HS1}&start=%22%5C%0A%00%7F%C2%85%C3%BC%F0%9F%98%80%E2%80%A8`],
    [`/api/traces?${HS1}&start=+5`],
    [`/api/traces?${HS1}&end=1.5`],
    [`/api/traces?${HS1}&start=x&end=y&tags=z&limit=w`],
    [`/api/traces?${HS1}&tag=a&limit=w&minDuration=v`],
    [`/api/traces?${HS1}&tag=a`],
    [`/api/traces?${HS1}&tag=`],
    [`/api/traces?${HS1}&tags=`],
    [`/api/traces?${HS1}&tags=[]`],
    [`/api/traces?${HS1}&tags=1`],
    [`/api/traces?${HS1}&tags=true`],
    [`/api/traces?${HS1}&tags=%22a%22`],
    [`/api/traces?${HS1}&${tags({ a: 1 })}`],
    [`/api/traces?${HS1}&${tags({ a: true, b: 1 })}`],
    [`/api/traces?${HS1}&${tags({ a: ["b"] })}`],
    [`/api/traces?${HS1}&${tags({ a: { b: "c" } })}`],
    [`/api/traces?${HS1}&minDuration=5`],
    [`/api/traces?${HS1}&minDuration=abc`],
    [`/api/traces?${HS1}&minDuration=5x`],
    [`/api/traces?${HS1}&minDuration=1d`],
    [`/api/traces?${HS1}&minDuration=.s`],
    [`/api/traces?${HS1}&minDuration=-`],
    [`/api/traces?${HS1}&minDuration=1h1`],
    [`/api/traces?${HS1}&minDuration=1h+1m`],
    [`/api/traces?${HS1}&maxDuration=9999999h`],
    [`/api/traces?${HS1}&maxDuration=%C3%A4%22%0A`],
    [`/api/traces?${HS1}&maxDuration=1%C3%A4`],
    [`/api/traces?${HS1}&minDuration=10s&maxDuration=5s`],
    [`/api/traces?${HS1}&raw=maybe`],
    [`/api/traces?${HS1}&raw=yes&minDuration=2s&maxDuration=1s`],
    ["/api/traces?traceID="],
    ["/api/traces?traceID=zz"],
    [`/api/traces?traceID=${"1".repeat(33)}`],
    [`/api/traces?traceID=1&minDuration=2s&maxDuration=1s`],
    ["/api/traces?prettyPrint=true"],
    ["/api/traces/0"],
    ["/api/traces/1"],
    ["/api/traces/zz"],
    ["/api/traces/-1"],
    ["/api/traces/0x1"],
    [`/api/traces/${"1".repeat(33)}`],
    [`/api/traces/${"g".repeat(32)}`],
    [`/api/traces/${"1".repeat(20)}zzzz`],
    ["/api/traces/1?start=x"],
    ["/api/traces/1?end=x&raw=x"],
    ["/api/traces/1?raw=x"],
    ["/api/operations"],
    ["/api/operations?service=&spanKind=server"],
    ["/api/dependencies?endTs=abc"],
    ["/api/dependencies?lookback=1h"],
    ["/api/dependencies?endTs=x&lookback=y"],
  ])("%s", async (address) => {
    const { ours, theirs } = await askBoth(address);
    expect(theirs.status).toBeGreaterThanOrEqual(400);
    expect(ours.status).toBe(theirs.status);
    expect(ours.text).toBe(theirs.text);
  });
});
