/** Traces with everything that a span may have, of several services that share a store; and asking the API of it. */

import { fakeClock } from "../support/clock.ts";
import type { AdminRoute } from "../../src/admin/answer.ts";
import { createRouteFinder } from "../../src/admin/route-finder.ts";
import {
  SPAN_KIND_CLIENT,
  SPAN_KIND_SERVER,
  type SpanFields,
  type SpanOrigin,
  SpanRecord,
} from "../../src/span/record.ts";
import { createResource } from "../../src/span/resource.ts";
import { createRecentStore, type RecentStore } from "../../src/store/recent-store.ts";

export const HOSTILE_SERVICE = '<script>alert("ü/😀")</script> %2F';
export const HOSTILE_OPERATION = "GET /a+b%20c\u0000\u2028\"'\\ 😀";

const SCOPE = { name: "fedtrace", version: "0.1.0" };

function originOf(
  attributes: Parameters<typeof createResource>[0],
  scope: SpanOrigin["scope"] = SCOPE,
): SpanOrigin {
  return { resource: createResource(attributes), scope };
}

const HS1 = originOf({
  "service.version": "0.1.0",
  "service.name": "hs1.example fedtrace",
  "process.pid": 42,
});
const HS2 = originOf({
  "service.name": "hs2.example fedtrace",
  "process.command_args": ["run", "--config", "a b"],
});
/** Reads the same as the first, but is another object, as after a reload. */
const HS1_AGAIN = originOf({ ...HS1.resource.attributes });
const HOSTILE = originOf(
  { "service.name": HOSTILE_SERVICE, "": "empty key", "ünicode <&>": "😀 \u2028" },
  { name: "" },
);
const HOST_A = originOf({ "service.name": "host a", ip: "192.0.2.1" });
const HOST_B = originOf({ "service.name": "host b", ip: "192.0.2.2" });

type Changes = Partial<Omit<SpanFields, "context" | "parent">> & {
  readonly origin?: SpanOrigin;
  readonly parentId?: string;
  readonly traceState?: string;
};

/** @param id `trace/span`: both are padded with zeros on the right, but a trace's leading zeros are kept */
export function spanOf(id: string, startUnixMs: number, changes: Changes = {}): SpanRecord {
  const [trace = "", spanId = ""] = id.split("/");
  const { origin = HS1, parentId, traceState = "", ...fields } = changes;
  const context = {
    traceId: trace.padEnd(32, "0"),
    spanId: spanId.padEnd(16, "0"),
    isSampled: true,
    isRandom: true,
    traceState,
  };
  return new SpanRecord(origin, {
    name: "GET /_matrix/key/v2/server",
    kind: SPAN_KIND_SERVER,
    context,
    parent:
      parentId === undefined ? undefined : { ...context, spanId: parentId.padEnd(16, "0"), traceState: "" },
    startUnixMs,
    endUnixMs: startUnixMs + 10.25,
    attributes: {},
    links: [],
    events: [],
    error: undefined,
    ...fields,
  });
}

/** @returns traces in the order in which they are to be stored, each in the order of its spans' end */
export function sampleTraces(unixMs: number): readonly (readonly SpanRecord[])[] {
  const linkTo = (id: string, attributes: SpanFields["attributes"] = {}): SpanFields["links"][number] => ({
    context: spanOf(id, 0).fields.context,
    attributes,
  });
  return [
    // A request through two sidecars; the parent of the first span is a peer's and not here.
    [
      spanOf("a1/a3", unixMs + 3, { origin: HS2, parentId: "a2", endUnixMs: unixMs + 5 }),
      spanOf("a1/a2", unixMs + 2, {
        parentId: "a1",
        kind: SPAN_KIND_CLIENT,
        name: "GET",
        endUnixMs: unixMs + 8,
      }),
      spanOf("a1/a1", unixMs, {
        origin: HS1_AGAIN,
        parentId: "ff",
        traceState: "rojo=00f067aa0ba902b7,b@c=2",
      }),
    ],
    // Every kind of value.
    [
      spanOf("b1/b1", unixMs + 100.123_456, {
        attributes: {
          "http.request.method": "GET",
          "http.response.status_code": 200,
          "fedtrace.whitelisted": true,
          "fedtrace.removed": false,
          zero: 0,
          "minus zero": -0,
          negative: -7,
          fraction: 1.5,
          tiny: 1e-7,
          denormal: 5e-324,
          large: 1e21,
          "safe integer": Number.MAX_SAFE_INTEGER,
          "unsafe integer": 2 ** 53,
          "negative unsafe integer": -(2 ** 63),
          "largest int64": 2 ** 63 - 1024,
          "past int64": 2 ** 63,
          empty: "",
          absent: undefined,
          unicode: "Grüße, 世界 😀",
          hostile: '</script><img src=x onerror=alert(1)>\u0000\u2028"\\\n',
          "lone surrogate": "a\ud800b",
          "numeric text": "200",
          constructor: "own",
          "": "empty key",
          event: "not an event",
        },
      }),
    ],
    // Links: to another trace, to the own parent, within the trace without a parent, as a second parent.
    [
      spanOf("c1/c1", unixMs + 200, { links: [linkTo("b1/b1", { why: "retry" }), linkTo("c1/c9")] }),
      spanOf("c1/c2", unixMs + 201, { parentId: "c1", links: [linkTo("c1/c1")], endUnixMs: unixMs + 203 }),
      spanOf("c1/c3", unixMs + 202, {
        parentId: "c1",
        links: [linkTo("b1/b1"), linkTo("c1/c2", { "opentracing.ref_type": "child_of" })],
        endUnixMs: unixMs + 204,
      }),
      spanOf("c1/c4", unixMs + 202, {
        links: [linkTo("0000000000000000c5/c5"), linkTo("c1/c1")],
        endUnixMs: unixMs + 203,
      }),
    ],
    // Events.
    [
      spanOf("d1/d1", unixMs + 300, {
        events: [
          {
            name: "retry",
            unixMs: unixMs + 301.5,
            attributes: { zone: "z", attempt: 2, delay: 0.5, done: false },
          },
          { name: "named twice", unixMs: unixMs + 302, attributes: { event: "by its attribute", a: "1" } },
          { name: "by a number", unixMs: unixMs + 303, attributes: { event: 5, a: "1" } },
          { name: "", unixMs: unixMs + 304, attributes: { "only-here": "yes" } },
          { name: "bare", unixMs: unixMs + 305, attributes: {} },
        ],
      }),
    ],
    // Errors, with and without a sentence; an attribute by the name of the tag.
    [
      spanOf("e1/e1", unixMs + 400, { error: "500", attributes: { "error.type": "500" } }),
      spanOf("e1/e2", unixMs + 401, { error: "UPSTREAM_TIMEOUT", parentId: "e1", endUnixMs: unixMs + 403 }),
      spanOf("e1/e3", unixMs + 402, {
        error: "502",
        attributes: { error: "own" },
        parentId: "e1",
        endUnixMs: unixMs + 403,
      }),
    ],
    // An id of 64 bits, as Jaeger's own clients make them.
    [spanOf("0000000000000000f1/f1", unixMs + 500, { parentId: "0000000000000001" })],
    // Times that don't fit the parent's; spans of one host share its clock.
    [
      spanOf("61/61", unixMs + 600, { origin: HOST_A, endUnixMs: unixMs + 700 }),
      spanOf("61/62", unixMs + 590, { origin: HOST_B, parentId: "61", endUnixMs: unixMs + 610 }),
      spanOf("61/63", unixMs + 605, { origin: HOST_B, parentId: "62", endUnixMs: unixMs + 606 }),
      spanOf("61/64", unixMs + 500, { origin: HOST_A, parentId: "61", endUnixMs: unixMs + 505 }),
      spanOf("61/65", unixMs + 599.5, { parentId: "61", endUnixMs: unixMs + 4_000_705 }),
      spanOf("61/66", unixMs + 650, { parentId: "61", endUnixMs: unixMs + 800 }),
      spanOf("61/67", unixMs + 699, { parentId: "61", endUnixMs: unixMs + 700.75 }),
      spanOf("61/68", unixMs + 700_000, { parentId: "61", endUnixMs: unixMs + 700_001 }),
    ],
    // Parents of each other, and of itself.
    [
      spanOf("71/71", unixMs + 700, { parentId: "72" }),
      spanOf("71/72", unixMs + 701, { parentId: "71" }),
      spanOf("71/73", unixMs + 702, { parentId: "73" }),
    ],
    [
      spanOf("81/81", unixMs + 800, { origin: HOSTILE, name: HOSTILE_OPERATION }),
      spanOf("81/82", unixMs + 801, {
        origin: HOSTILE,
        name: "half a \ud800",
        parentId: "81",
        endUnixMs: unixMs + 802,
      }),
      spanOf("81/83", unixMs + 801, { origin: originOf({}), parentId: "81", endUnixMs: unixMs + 802 }),
      spanOf("81/84", unixMs + 801, {
        origin: originOf({ "service.name": "" }),
        parentId: "81",
        endUnixMs: unixMs + 802,
      }),
    ],
  ];
}

const IGNORED = { evicted() {}, dropped() {} };

export function storeOf(traces: readonly (readonly SpanRecord[])[]): RecentStore {
  const store = createRecentStore(IGNORED, { spansMax: 20_000, bytesMax: 100e6 });
  for (const span of traces.flat()) store.onEnd(span);
  return store;
}

export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Asks as the admin listener does, without its sockets. */
export async function askRoutes(routes: readonly AdminRoute[], address: string): Promise<Answered> {
  const { pathname, search } = new URL(address, "http://localhost");
  const found = createRouteFinder(routes)(pathname);
  if (found === undefined) throw new Error(`no route for ${pathname}`);
  const query = new URLSearchParams(search);
  const { status, type, body } = await found.route.answer({
    parameters: found.parameters,
    query,
    header: () => undefined,
  });
  if (typeof body === "string" || Buffer.isBuffer(body)) return { status, type, text: String(body) };
  let text = "";
  for await (const piece of body) text += piece;
  return { status, type, text };
}

/** The fake clock's time, which the samples are around. */
export const SAMPLE_UNIX_MS = fakeClock().unixMs() - 3_600_000;
