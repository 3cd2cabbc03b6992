/** What is planned for a seed: that it can be repeated, and that it has what the guide says it has. */

import { describe, expect, it } from "vitest";
import { CAPTURED_MIX } from "../../src/loadgen/captured-mix.ts";
import { createPicker, createSeededRandom, SEED_MAX } from "../../src/loadgen/chance.ts";
import { type PlannedRequest, type PlanOptions, planRequests } from "../../src/loadgen/request-plan.ts";
import { parseXMatrixDestination, parseXMatrixOrigin } from "../../src/peer/x-matrix.ts";
import { parseUberTraceId } from "../../src/propagation/jaeger.ts";
import { parseTraceparent } from "../../src/propagation/w3c.ts";
import { createRouter } from "../../src/span/routes.ts";
import { MATRIX_ROUTES } from "../../src/span/matrix-routes.ts";

const IN = { authority: "127.0.0.1:8448" };
const OUT = { target: "127.0.0.1:8009", secret: "s3cret" };
const OPTIONS: PlanOptions = { ratePerSecond: 100, peers: 20, trace: "some", inbound: IN, outbound: OUT };

function take(count: number, options: Partial<PlanOptions> = {}, seed = 1): readonly PlannedRequest[] {
  const plan = planRequests({ ...OPTIONS, ...options }, createSeededRandom(seed));
  return Array.from({ length: count }, () => plan.next().value);
}

function originOf({ headers }: PlannedRequest): string | undefined {
  const parsed = parseXMatrixOrigin([headers["Authorization"] ?? ""]);
  return typeof parsed === "string" ? undefined : parsed.origin.name;
}

function countBy<T>(
  items: readonly T[],
  keyOf: (item: T) => string | undefined,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) {
    const key = keyOf(item) ?? "none";
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

it("is the same for a seed, and another for another", () => {
  expect(take(500)).toEqual(take(500));
  expect(take(500, {}, SEED_MAX)).toEqual(take(500, {}, SEED_MAX));
  const targets = (seed: number): readonly string[] => take(500, {}, seed).map(({ target }) => target);
  expect(targets(0)).not.toEqual(targets(1));
  expect(targets(1)).not.toEqual(targets(2));
});

it("has gaps that are exponential: their mean is the rate's, and so is their spread", () => {
  const requests = take(20_000);
  const gaps = requests.map(({ dueMs }, index) => dueMs - (requests[index - 1]?.dueMs ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
  expect(mean).toBeGreaterThan(9.7);
  expect(mean).toBeLessThan(10.3);
  expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.95);
  expect(Math.sqrt(variance) / mean).toBeLessThan(1.05);
});

describe("shares requests", () => {
  it.each([
    { given: { inbound: IN, outbound: undefined }, shares: [["in", 100]], why: "one listener" },
    { given: { inbound: undefined, outbound: OUT }, shares: [["out", 100]], why: "the other" },
    {
      given: { inbound: IN, outbound: OUT },
      shares: [
        ["in", 50],
        ["out", 50],
      ],
      why: "both",
    },
  ])("among listeners: $why", ({ given, shares }) => {
    expect([...countBy(take(100, given), ({ direction }) => direction)]).toEqual(shares);
  });

  it.each(["in", "out"] as const)("among routes as captured: %s", (direction) => {
    const requests = take(40_000).filter((request) => request.direction === direction);
    const counts = countBy(requests, ({ method, route }) => `${method} ${route}`);
    const total = CAPTURED_MIX.reduce((sum, { weight }) => sum + weight[direction], 0);
    for (const { method, route, weight } of CAPTURED_MIX) {
      const expected = (requests.length * weight[direction]) / total;
      const count = counts.get(`${method} ${route}`) ?? 0;
      expect(Math.abs(count - expected), route).toBeLessThanOrEqual(5 * Math.sqrt(expected));
    }
  });

  it("among peers: few are busy, all of them send, and one in ten is a stranger", () => {
    const counts = countBy(take(20_000, { outbound: undefined, peers: 20 }), originOf);
    const of = (name: string): number => counts.get(name) ?? 0;
    expect(counts.size).toBe(20 + 3);
    expect(of("peer1.example") / of("peer2.example")).toBeCloseTo(2, 0);
    expect(of("peer1.example") / of("peer10.example")).toBeGreaterThan(7);
    const strangers = of("stranger1.example") + of("stranger2.example") + of("stranger3.example");
    expect(strangers / 20_000).toBeCloseTo(0.1, 1);
  });
});

describe("a request", () => {
  const requests = take(4000);

  it("is one of the Matrix API: its target has the route that it is said to have", () => {
    const match = createRouter(MATRIX_ROUTES);
    for (const { method, target, route } of requests) {
      const path = target.replace(/^http:\/\/127\.0\.0\.1:8009/, "");
      expect(target).not.toMatch(/[{}\s]/);
      expect(match(method, path.replace(/\?.*/, "")), target).toBe(route);
    }
  });

  it("goes out in absolute form, with the secret of the way out and never else", () => {
    for (const { direction, target, headers } of requests) {
      const isOut = direction === "out";
      expect(target.startsWith(isOut ? "http://127.0.0.1:8009/" : "/")).toBe(true);
      expect(headers["Proxy-Authorization"]).toBe(isOut ? "Bearer s3cret" : undefined);
      expect(headers["Host"]).toBe(isOut ? OUT.target : IN.authority);
    }
    const [request] = take(1, { inbound: undefined, outbound: { ...OUT, secret: undefined } });
    expect(request?.headers).not.toHaveProperty("Proxy-Authorization");
  });

  it("names who sends it and for whom, but for what is asked before a server is known", () => {
    for (const request of requests) {
      const line = request.headers["Authorization"];
      if (request.route === "/.well-known/matrix/server") {
        expect(Object.keys(request.headers).sort()).toEqual(["Host", "Proxy-Authorization", "User-Agent"]);
        continue;
      }
      const isOut = request.direction === "out";
      expect(originOf(request)).toMatch(isOut ? /^own\.example$/ : /^(?:peer\d+|stranger\d)\.example$/);
      expect(parseXMatrixDestination([line ?? ""])?.name).toBe(isOut ? OUT.target : IN.authority);
    }
  });

  it("has a body of a captured size that is JSON, and says so", () => {
    for (const { method, route, headers, body } of requests) {
      const { bodyBytes = [] } =
        CAPTURED_MIX.find((row) => row.method === method && row.route === route) ?? {};
      if (bodyBytes.length === 0) expect(body).toBe("");
      else expect(bodyBytes).toContain(Buffer.byteLength(body));
      expect(headers["Content-Length"]).toBe(body === "" ? undefined : String(body.length));
      if (body !== "") JSON.parse(body);
    }
  });
});

describe("traces", () => {
  const NAMES = ["traceparent", "tracestate", "Uber-Trace-Id", "Uberctx-Synapse-Force-Tracing", "baggage"];

  /** `nothing`, `baggage`, `sampled`, `not sampled`, or `refused`, as the sidecar reads it. */
  function kindOf({ headers }: PlannedRequest): string {
    const { traceparent, "Uber-Trace-Id": uber } = headers;
    if (traceparent === undefined && uber === undefined)
      return NAMES.some((name) => name in headers) ? "baggage" : "nothing";
    const read = traceparent === undefined ? parseUberTraceId(uber ?? "") : parseTraceparent(traceparent);
    if (typeof read === "string") return "refused";
    return read.isSampled ? "sampled" : "not sampled";
  }

  it.each([
    { trace: "none", shares: { nothing: 1 }, why: "nobody traces" },
    {
      trace: "some",
      shares: { nothing: 0.5, "not sampled": 0.31, sampled: 0.12, refused: 0.05, baggage: 0.02 },
      why: "as in the guide",
    },
    {
      trace: "all",
      shares: { "not sampled": 0.62, sampled: 0.24, refused: 0.1, baggage: 0.04 },
      why: "the same without those that have nothing",
    },
  ] as const)("$trace: $why", ({ trace, shares }) => {
    const requests = take(20_000, { trace, outbound: undefined });
    const counts = countBy(requests, kindOf);
    expect(new Set(counts.keys())).toEqual(new Set(Object.keys(shares)));
    for (const [kind, share] of Object.entries(shares))
      expect(Math.abs((counts.get(kind) ?? 0) / 20_000 - share), kind).toBeLessThan(0.015);
  });
});

describe("a picker", () => {
  const pick = createPicker(["a", "b", "c"], (item) => ({ a: 1, b: 0, c: 3 })[item] ?? 0);

  it.each([
    { fraction: 0, item: "a", why: "the first" },
    { fraction: 0.2499, item: "a", why: "the end of its share" },
    { fraction: 0.25, item: "c", why: "the beginning of the next, past one without a weight" },
    { fraction: 1 - 2 ** -32, item: "c", why: "the last" },
  ])("takes $item at $fraction: $why", ({ fraction, item }) => {
    expect(pick(fraction)).toBe(item);
  });
});
