/**
 * The query API over samples: the shapes of its answers, what is left out of them while the store changes, and that it
 * leaves room for requests. Compared with the real Jaeger in test/real/query-api.test.ts.
 */

import { describe, expect, it } from "vitest";
import { createQueryRoutes } from "../../src/admin/query-routes.ts";
import { createRecentStore } from "../../src/store/recent-store.ts";
import { fakeClock } from "../support/clock.ts";
import { askRoutes, HOSTILE_SERVICE, SAMPLE_UNIX_MS, sampleTraces, spanOf, storeOf } from "./query-spans.ts";

const clock = fakeClock();
const routes = createQueryRoutes(storeOf(sampleTraces(SAMPLE_UNIX_MS)), { clock });
const MICROS = SAMPLE_UNIX_MS * 1000;
const HS1 = encodeURIComponent("hs1.example fedtrace");

interface Envelope {
  readonly data: readonly Record<string, unknown>[];
  readonly total: number;
  readonly errors: unknown;
}

async function ask(address: string): Promise<Envelope> {
  const { status, type, text } = await askRoutes(routes, address);
  expect([status, type]).toEqual([200, "application/json"]);
  return JSON.parse(text) as Envelope;
}

async function idsOf(address: string): Promise<readonly unknown[]> {
  return (await ask(address)).data.map(({ traceID }) => String(traceID).replaceAll(/0+$/g, ""));
}

describe("a span in Jaeger's form", () => {
  it("has its fields, in their units", async () => {
    const { data, ...envelope } = await ask(`/api/traces/${"a1".padEnd(32, "0")}`);
    expect(envelope).toEqual({ total: 0, limit: 0, offset: 0, errors: null });
    expect(data).toEqual([
      {
        traceID: "a1000000000000000000000000000000",
        spans: [
          {
            traceID: "a1000000000000000000000000000000",
            spanID: "a300000000000000",
            operationName: "GET /_matrix/key/v2/server",
            references: [
              {
                refType: "CHILD_OF",
                traceID: "a1000000000000000000000000000000",
                spanID: "a200000000000000",
              },
            ],
            startTime: MICROS + 3000,
            duration: 2000,
            tags: [
              { key: "otel.scope.name", type: "string", value: "fedtrace" },
              { key: "otel.scope.version", type: "string", value: "0.1.0" },
              { key: "span.kind", type: "string", value: "server" },
            ],
            logs: [],
            processID: "p1",
            warnings: null,
          },
          expect.objectContaining({ spanID: "a200000000000000", processID: "p2", warnings: null }),
          expect.objectContaining({
            spanID: "a100000000000000",
            processID: "p2",
            warnings: ["invalid parent span IDs=ff00000000000000; skipping clock skew adjustment"],
          }),
        ],
        processes: {
          p1: {
            serviceName: "hs2.example fedtrace",
            tags: [{ key: "process.command_args", type: "string", value: '["run","--config","a b"]' }],
          },
          p2: {
            serviceName: "hs1.example fedtrace",
            tags: [
              { key: "process.pid", type: "int64", value: 42 },
              { key: "service.version", type: "string", value: "0.1.0" },
            ],
          },
        },
        warnings: null,
      },
    ]);
  });

  it.each([
    ["http.response.status_code", "int64", 200],
    ["fedtrace.whitelisted", "bool", true],
    ["fraction", "float64", 1.5],
    ["safe integer", "int64", Number.MAX_SAFE_INTEGER],
    ["unsafe integer", "int64", "9007199254740992"],
    ["largest int64", "int64", "9223372036854774784"],
    ["past int64", "float64", 2 ** 63],
    ["lone surrogate", "string", "a\ufffdb"],
    ["hostile", "string", '</script><img src=x onerror=alert(1)>\u0000\u2028"\\\n'],
  ])("writes %s as %s", async (key, type, value) => {
    const { data } = await ask(`/api/traces/${"b1".padEnd(32, "0")}`);
    expect(data).toMatchObject([
      { spans: [{ tags: expect.arrayContaining([{ key, type, value }]) as unknown }] },
    ]);
  });

  it.each([
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ])("writes %d, which JSON has no form for, as text", async (value, text) => {
    const span = spanOf("a/1", SAMPLE_UNIX_MS, { attributes: { odd: value }, endUnixMs: SAMPLE_UNIX_MS });
    const answer = await askRoutes(
      createQueryRoutes(storeOf([[span]]), { clock }),
      "/api/traces/" + "a".padEnd(32, "0"),
    );
    const tag = { key: "odd", type: "float64", value: text };
    expect(JSON.parse(answer.text)).toMatchObject({
      data: [{ spans: [{ duration: 0, warnings: null, tags: expect.arrayContaining([tag]) as unknown }] }],
    });
  });

  it.each([
    [
      "c100000000000000",
      "a link to another trace is none to the parent",
      ["FOLLOWS_FROM c9", "FOLLOWS_FROM b1"],
    ],
    ["c200000000000000", "a link to the parent decides its type", ["FOLLOWS_FROM c1"]],
    ["c300000000000000", "a second parent comes last", ["CHILD_OF c1", "FOLLOWS_FROM b1", "CHILD_OF c2"]],
  ])("%s: %s", async (spanID, _why, expected) => {
    const { data } = await ask(`/api/traces/${"c1".padEnd(32, "0")}`);
    const spans = data[0]?.["spans"] as {
      spanID: string;
      references: { refType: string; spanID: string }[];
    }[];
    const references = spans.find((span) => span.spanID === spanID)?.references ?? [];
    expect(references.map((one) => `${one.refType} ${one.spanID.slice(0, 2)}`)).toEqual(expected);
  });

  it.each([
    ["6200000000000000", "starts before its parent and fits into it", "50ms"],
    ["6500000000000000", "starts before its parent and lasts longer", "500µs"],
    ["6600000000000000", "starts within a shorter parent", ""],
    ["6400000000000000", "is on its parent's host, and so by the same clock", ""],
  ])("%s, which %s", async (spanID, _why, delta) => {
    const { data } = await ask(`/api/traces/${"61".padEnd(32, "0")}`);
    const spans = data[0]?.["spans"] as { spanID: string; warnings: string[] | null }[];
    const warnings = spans.find((span) => span.spanID === spanID)?.warnings ?? null;
    const sentence = `clock skew adjustment disabled; not applying calculated delta of ${delta}`;
    expect(warnings).toEqual(delta === "" ? null : [sentence]);
  });
});

describe("lists", () => {
  it("names services, sorted", async () => {
    const { data, total } = await ask("/api/services");
    expect(data).toEqual([
      HOSTILE_SERVICE,
      "empty-service-name",
      "host a",
      "host b",
      "hs1.example fedtrace",
      "hs2.example fedtrace",
      "missing-service-name",
    ]);
    expect(total).toBe(7);
  });

  it.each([
    [`/api/services/${HS1}/operations`, ["GET", "GET /_matrix/key/v2/server"]],
    ["/api/services/hs1.example+fedtrace/operations", ["GET", "GET /_matrix/key/v2/server"]],
    ["/api/services/nobody/operations", []],
    [`/api/operations?service=${HS1}&spanKind=client`, [{ name: "GET", spanKind: "client" }]],
    ["/api/operations?service=nobody", []],
    [
      `/api/dependencies?service=host%20b&endTs=${SAMPLE_UNIX_MS + 5e6}`,
      [
        { parent: "host a", child: "host b", callCount: 1 },
        { parent: "host b", child: "host b", callCount: 1 },
      ],
    ],
  ])("%s", async (address, expected) => {
    expect((await ask(address)).data).toEqual(expected);
  });

  it("are empty lists where nothing is kept", async () => {
    const empty = createQueryRoutes(storeOf([]), { clock });
    for (const path of [
      "/api/services",
      "/api/services/x/operations",
      "/api/traces?service=x",
      "/api/dependencies",
    ]) {
      const { text } = await askRoutes(empty, path);
      expect(text).toBe('{"data":[],"total":0,"limit":0,"offset":0,"errors":null}');
    }
  });
});

describe("a search", () => {
  it.each([
    ["newest first", `/api/traces?service=${HS1}&limit=2`, ["71", "61"]],
    [
      "a limit beyond the store",
      `/api/traces?service=${HS1}&tags=${encodeURIComponent('{"error":"true"}')}&limit=1000000`,
      ["e1"],
    ],
    ["ids", "/api/traces?traceID=" + "d1".padEnd(32, "0"), ["d1"]],
    ["an id of 64 bits", "/api/traces/F100000000000000", ["f1"]],
    ["by lookback", `/api/traces?service=${HS1}&lookback=59m59.5s`, ["71", "61", "f1"]],
  ])("%s", async (_why, address, expected) => {
    expect(await idsOf(address)).toEqual(expected);
  });

  it("names the ids that are not there, beside those that are", async () => {
    const { data, errors } = await ask(`/api/traces?traceID=${"d1".padEnd(32, "0")}&traceID=ab`);
    expect(data).toHaveLength(1);
    expect(errors).toEqual([{ msg: "trace not found", traceID: "00000000000000ab" }]);
  });

  it("prints the same, prettily", async () => {
    for (const path of [`/api/traces?service=${HS1}`, "/api/services", "/api/traces?service=nobody"]) {
      const pretty = await askRoutes(routes, `${path}${path.includes("?") ? "&" : "?"}prettyPrint=1`);
      const compact = await askRoutes(routes, path);
      expect(pretty.text).toBe(JSON.stringify(JSON.parse(compact.text), undefined, 4));
    }
  });
});

it.each([
  ["/api/traces", 400, "parameter 'service' is required"],
  ["/api/traces?service=x&limit=0", 400, "search depth must be greater than 0 and less than max traces"],
  ["/api/traces/zz", 400, 'strconv.ParseUint: parsing "zz": invalid syntax'],
  ["/api/traces/1", 404, "trace not found"],
  ["/api/traces/1?raw=x", 400, `unable to parse param 'raw': strconv.ParseBool: parsing "x": invalid syntax`],
  ["/api/operations", 400, "parameter 'service' is required"],
  ["/api/dependencies?lookback=-1", 400, "end time must be greater than start time"],
])("%s is refused with %i", async (address, code, msg) => {
  const { status, type, text } = await askRoutes(routes, address);
  expect([status, type]).toEqual([code, "application/json"]);
  expect(JSON.parse(text)).toEqual({ data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] });
});

describe("beside traffic", () => {
  const IGNORED = { evicted() {}, dropped() {} };

  async function openAnswer(
    store: ReturnType<typeof createRecentStore>,
    pattern: string,
    request: { readonly id?: string; readonly query?: Record<string, string> },
  ): Promise<AsyncIterable<string>> {
    const route = createQueryRoutes(store, { clock }).find((candidate) => candidate.pattern === pattern);
    const answer = await route?.answer({
      parameters: { id: request.id ?? "" },
      query: new URLSearchParams(request.query),
      header: () => undefined,
    });
    if (typeof answer?.body !== "object" || Buffer.isBuffer(answer.body)) throw new Error("not in pieces");
    return answer.body;
  }

  /** 3,000 traces of one span. */
  function createLarge(): ReturnType<typeof createRecentStore> {
    const store = createRecentStore(IGNORED, { spansMax: 3000, bytesMax: 100e6 });
    for (let index = 0; index < 3000; index++)
      store.onEnd(spanOf(`${index.toString(16)}f/1`, SAMPLE_UNIX_MS));
    return store;
  }

  it("walks for sixteen at once, and refuses the next", async () => {
    const large = createQueryRoutes(createLarge(), { clock });
    const statusesOf = async (count: number): Promise<readonly number[]> => {
      const asked = Array.from({ length: count }, () => askRoutes(large, "/api/services"));
      return (await Promise.all(asked)).map(({ status }) => status);
    };
    const sixteen = Array.from({ length: 16 }, () => 200);
    expect(await statusesOf(16)).toEqual(sixteen);
    expect(await statusesOf(17)).toEqual([...sixteen, 503]);
    expect(await statusesOf(1)).toEqual([200]);
  });

  it("writes piece by piece, none larger than a few hundred kilobytes, and leaves the event loop free", async () => {
    const store = createRecentStore(IGNORED, { spansMax: 20_000, bytesMax: 100e6 });
    for (let index = 0; index < 5000; index++)
      store.onEnd(spanOf(`a/${index.toString(16).padStart(8, "0")}`, 0));
    const pieces = await openAnswer(store, "/api/traces/{id}", { id: "a".padEnd(32, "0") });
    let rounds = 0;
    const timer = setImmediate(function count() {
      rounds += 1;
      setImmediate(count).unref();
    });
    const sizes: number[] = [];
    for await (const piece of pieces) sizes.push(piece.length);
    clearImmediate(timer);
    expect(sizes.length).toBeGreaterThan(70);
    expect(Math.max(...sizes)).toBeLessThan(200_000);
    expect(rounds).toBeGreaterThan(70);
  });

  it("leaves out what went before it was written", async () => {
    const store = createLarge();
    const query = { service: "hs1.example fedtrace", limit: "3000" };
    const pieces = await openAnswer(store, "/api/traces", { query });
    let text = "";
    for await (const piece of pieces) {
      text += piece;
      for (let index = 0; index < 3000; index++) store.onEnd(spanOf(`99999999${index.toString(16)}f/2`, 0));
    }
    const { data } = JSON.parse(text) as Envelope;
    expect(data.length).toBeGreaterThan(0);
    expect(data.length).toBeLessThan(100);
  });
});
