/** The traces of several workers, read as if they were one store's: the same routes over both must answer the same. */

import { afterEach, describe, expect, it, vi } from "vitest";
import { createQueryRoutes, createSourceRoutes } from "../../src/admin/query-routes.ts";
import type { AdminRoute } from "../../src/admin/answer.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import { createTurns } from "../../src/store/turns.ts";
import { createMergedTraces } from "../../src/workers/merged-traces.ts";
import { askRoutes, sampleTraces, spanOf } from "../admin/query-spans.ts";
import { fakeClock } from "../support/clock.ts";
import { type InProcessWorker, inProcessWorker } from "./in-process-worker.ts";

afterEach(() => void vi.useRealTimers());

const clock = fakeClock();
const UNIX_MS = clock.unixMs() - 60_000;

/** Spans dealt to so many workers, one after the other: most traces are in more than one. */
function deal(spans: readonly SpanRecord[], count: number): readonly InProcessWorker[] {
  return Array.from({ length: count }, (_, place) =>
    inProcessWorker(
      place + 1,
      spans.filter((_span, index) => index % count === place),
    ),
  );
}

function routesOver(workers: readonly InProcessWorker[]): readonly AdminRoute[] {
  return createSourceRoutes(
    { source: createMergedTraces(() => workers), clock, turns: createTurns(clock) },
    8,
  );
}

interface Envelope {
  readonly data: readonly {
    readonly traceID: string;
    readonly spans: readonly { readonly spanID: string }[];
  }[];
  readonly errors: readonly { readonly msg: string }[] | null;
}

async function ask(routes: readonly AdminRoute[], address: string): Promise<{ status: number } & Envelope> {
  const { status, text } = await askRoutes(routes, address);
  return { status, ...(JSON.parse(text) as Envelope) };
}

/** As many traces, the last one the newest, of a span each. */
function chain(count: number, spansEach = 1): readonly SpanRecord[] {
  return Array.from({ length: count * spansEach }, (_, index) => {
    const trace = (Math.floor(index / spansEach) + 1).toString(16).padStart(4, "0");
    return spanOf(`a${trace}/${(index + 1).toString(16).padStart(8, "0")}`, UNIX_MS + index, {
      endUnixMs: UNIX_MS + index + 0.5,
    });
  });
}

describe("answers as one store does", () => {
  const traces = sampleTraces(UNIX_MS);
  const one = createQueryRoutes(inProcessWorker(1, traces.flat()).store, { clock });
  const [first] = traces;
  const id = first?.[0]?.spanContext().traceId ?? "";

  it.each([
    "/api/services",
    "/api/services/hs1.example%20fedtrace/operations",
    "/api/operations?service=hs1.example%20fedtrace",
    "/api/operations?service=hs1.example%20fedtrace&spanKind=server",
    `/api/traces/${id}`,
    `/api/traces/${id}?raw=true&prettyPrint=true`,
    `/api/traces?traceID=${id}&traceID=123`,
    "/api/traces/123",
    "/api/traces?limit=x&service=a",
    "/api/traces",
    "/api/dependencies",
    "/api/dependencies?lookback=-1",
  ])("%s", async (address) => {
    // Whole traces in each, so that calls between services are within a worker.
    const workers = [0, 1].map((place) =>
      inProcessWorker(place + 1, traces.filter((_, index) => index % 2 === place).flat()),
    );
    const [merged, alone] = [await askRoutes(routesOver(workers), address), await askRoutes(one, address)];
    expect(merged.status).toBe(alone.status);
    const sorted = ({ data, ...rest }: { data: unknown }): unknown => ({
      ...rest,
      data: Array.isArray(data) ? data.map((row) => JSON.stringify(row)).toSorted() : data,
    });
    const parse = (text: string): unknown => sorted(JSON.parse(text) as { data: unknown });
    expect(parse(merged.text)).toEqual(parse(alone.text));
  });
});

it.each([2, 3])(
  "shows a trace whole whose spans are in %i workers, in the order they ended",
  async (count) => {
    const spans = chain(1, 7);
    const { data } = await ask(
      routesOver(deal(spans, count)),
      `/api/traces/${spans[0]?.fields.context.traceId}`,
    );
    expect(data[0]?.spans.map(({ spanID }) => spanID)).toEqual(
      spans.map(({ fields }) => fields.context.spanId),
    );
  },
);

it.each([
  { limit: 1, why: "the newest of all" },
  { limit: 5, why: "the newest few, whichever worker has them" },
  { limit: 40, why: "as many as there are" },
  { limit: 41, why: "more than there are" },
])("finds with limit $limit $why", async ({ limit }) => {
  const spans = chain(40);
  const { data } = await ask(
    routesOver(deal(spans, 3)),
    `/api/traces?service=hs1.example%20fedtrace&limit=${limit}`,
  );
  const newest = spans.map(({ fields }) => fields.context.traceId).toReversed();
  expect(data.map(({ traceID }) => traceID)).toEqual(newest.slice(0, limit));
});

it("fetches a large answer in pieces, none of more than 128 spans, and loses none", async () => {
  const spans = chain(30, 100);
  const workers = deal(spans, 2);
  const { data } = await ask(routesOver(workers), "/api/traces?service=hs1.example%20fedtrace&limit=100");
  expect(data.flatMap((trace) => trace.spans)).toHaveLength(3000);
  const parts = workers.flatMap(({ partSpans }) => partSpans);
  expect(Math.max(...parts)).toBeLessThanOrEqual(128);
  // Some traces at a time, as the reader takes them.
  expect(parts.length).toBeGreaterThan(12);
});

it.each([
  { spans: 5000, errors: null, why: "as many as one store keeps" },
  {
    spans: 5001,
    errors: [{ msg: expect.stringContaining("shown are 5000 of its spans") as string }],
    why: "one more",
  },
])("shows 5,000 spans of a trace that has $spans ($why)", async ({ spans, errors }) => {
  const answer = await ask(
    routesOver(deal(chain(1, spans), 2)),
    "/api/traces?service=hs1.example%20fedtrace",
  );
  expect(answer.data[0]?.spans).toHaveLength(5000);
  expect(answer.errors).toEqual(errors);
});

describe("a worker that is silent", () => {
  async function askBeside(workers: readonly InProcessWorker[], address: string): ReturnType<typeof ask> {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const answer = ask(routesOver(workers), address);
    // Two questions, one after the other.
    for (let question = 0; question < 2; question++) {
      await new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
      await vi.advanceTimersByTimeAsync(2000);
    }
    return answer;
  }
  const missing = [{ msg: "spans of worker 2 are missing: it did not answer in time" }];

  it.each([
    { address: "/api/services", length: 1 },
    { address: "/api/operations?service=hs1.example%20fedtrace", length: 1 },
    { address: "/api/dependencies", length: 0 },
    { address: "/api/traces?service=hs1.example%20fedtrace", length: 5 },
  ])("costs $address its part, which is said", async ({ address, length }) => {
    const workers = deal(chain(10), 2);
    workers[1]?.hang();
    const answer = await askBeside(workers, address);
    expect(answer).toMatchObject({ status: 200, errors: missing });
    expect(answer.data).toHaveLength(length);
  });

  it("may be the one who has the trace", async () => {
    const workers = [inProcessWorker(1), inProcessWorker(2, chain(1))];
    workers[1]?.hang();
    const answer = await askBeside(workers, `/api/traces/${chain(1)[0]?.fields.context.traceId}`);
    expect(answer.status).toBe(404);
    expect(answer.errors?.[0]?.msg).toBe(`trace not found; ${missing[0]?.msg}`);
  });
});

it("searches for eight at once, and refuses the next", async () => {
  const routes = routesOver(deal(chain(3), 2));
  const asked = Array.from({ length: 9 }, () => ask(routes, "/api/services"));
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses).toEqual([...Array.from({ length: 8 }, () => 200), 503]);
});
