/**
 * The query API over samples: the shapes of its answers, what is left out of them while the store changes, and that it
 * leaves room for requests. Compared with the real Jaeger in test/real/query-api.test.ts.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { isStream } from "../../src/admin/write-answer.ts";
import { createQueryRoutes } from "../../src/admin/query-routes.ts";
import { createRecentStore } from "../../src/store/recent-store.ts";
import { AnswerGone } from "../../src/admin/answer.ts";
import { createTurns, type Turns } from "../../src/store/turns.ts";
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
    turns: Turns = createTurns(clock),
  ): Promise<AsyncIterable<string>> {
    const route = createQueryRoutes(store, { clock, turns }).find(
      (candidate) => candidate.pattern === pattern,
    );
    const answer = await route?.answer({
      parameters: { id: request.id ?? "" },
      query: new URLSearchParams(request.query),
      header: () => undefined,
    });
    if (answer === undefined || !isStream(answer)) throw new Error("not in pieces");
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

  it("makes nothing before its turn, neither the first piece nor what Jaeger remarks", async () => {
    const store = createRecentStore(IGNORED, { spansMax: 20_000, bytesMax: 100e6 });
    let looks = 0;
    for (let index = 0; index < 100; index++) {
      const span = spanOf(`a/${index.toString(16).padStart(8, "0")}`, 0);
      const fields = span.fields;
      Object.defineProperty(span, "fields", {
        get() {
          looks += 1;
          return fields;
        },
      });
      store.onEnd(span);
    }
    looks = 0;
    const held: (() => void)[] = [];
    let isOver = false; // Somebody else's turn, at first.
    const turns = { take: () => new Promise<void>((resolve) => held.push(resolve)), isOver: () => isOver };
    const pieces = await openAnswer(store, "/api/traces/{id}", { id: "a".padEnd(32, "0") }, turns);
    const piece = pieces[Symbol.asyncIterator]().next();
    await new Promise(setImmediate);
    expect(looks).toBe(0);
    isOver = true;
    let most = 0;
    for (let resolve = held.shift(); resolve !== undefined; resolve = held.shift()) {
      looks = 0;
      resolve();
      await new Promise(setImmediate);
      most = Math.max(most, looks);
    }
    expect((await piece).value).toContain('"spanID"');
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(30); // Of one span, in the turn of one.
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

  describe("of what the store lets go meanwhile", () => {
    /** Four traces of `perTrace` spans; as many come with each call of `push`, and those before them go. */
    function createTurnover(perTrace: number): {
      readonly store: ReturnType<typeof createRecentStore>;
      readonly push: () => void;
    } {
      const store = createRecentStore(IGNORED, { spansMax: 4 * perTrace, bytesMax: 100e6 });
      let trace = 0;
      const push = (): void => {
        for (let index = 0; index < 4 * perTrace; index++) {
          if (index % perTrace === 0) trace += 1;
          store.onEnd(spanOf(`${trace}f/${index.toString(16).padStart(8, "0")}`, SAMPLE_UNIX_MS));
        }
      };
      push();
      return { store, push };
    }
    const FIRST = "1f".padEnd(32, "0");
    const SEARCH = { query: { service: "hs1.example fedtrace", limit: "9" } };

    async function read(pieces: AsyncIterable<string>, atPiece: () => void): Promise<string> {
      let text = "";
      for await (const piece of pieces) {
        text += piece;
        atPiece();
      }
      return text;
    }

    it.each([
      ["/api/traces/{id}", { id: FIRST }, "by its id"],
      ["/api/traces", SEARCH, "in a search"],
    ])("breaks %s off within a trace of which some was sent (%j: %s)", async (pattern, request, _why) => {
      const { store, push } = createTurnover(33);
      const reading = read(await openAnswer(store, pattern, request), push);
      await expect(reading).rejects.toThrow(AnswerGone);
    });

    it("breaks a trace asked for by its id off before any of it was sent, rather than be an empty list", async () => {
      const { store, push } = createTurnover(2);
      const pieces = await openAnswer(store, "/api/traces/{id}", { id: FIRST });
      push();
      await expect(read(pieces, push)).rejects.toThrow(AnswerGone);
    });

    it.each([
      [30, [30, 30], "with another in its piece"],
      [32, [32], "the largest that is never parted"],
    ])("writes a trace of %i spans whole or not at all: %j (%s)", async (perTrace, expected) => {
      const { store, push } = createTurnover(perTrace);
      const { data } = JSON.parse(
        await read(await openAnswer(store, "/api/traces", SEARCH), push),
      ) as Envelope;
      expect(data.map(({ spans }) => (spans as readonly unknown[]).length)).toEqual(expected);
    });

    it("holds no span while its reader does not read", async () => {
      const { store, push } = createTurnover(100);
      const trace = store.find(FIRST);
      const pieces = (await openAnswer(store, "/api/traces/{id}", { id: FIRST }))[Symbol.asyncIterator]();
      await pieces.next();
      const held = new WeakRef(trace?.spans[0] ?? {});
      push();
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc") as () => void;
      await new Promise(setImmediate);
      collect();
      expect(held.deref()).toBeUndefined();
      await expect(pieces.next()).rejects.toThrow(AnswerGone);
    });
  });
});
