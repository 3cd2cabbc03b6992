/** Searches and summaries: what they find beyond what Jaeger does, and that they leave room for requests. */

import { describe, expect, it } from "vitest";
import { createRecentStore } from "../../src/store/recent-store.ts";
import { searchTraces, type TraceSearch } from "../../src/store/search.ts";
import { listOperations, listServiceLinks, listServices } from "../../src/store/summaries.ts";
import { createTurns, type TakeTurn } from "../../src/store/walk.ts";
import { SAMPLE_UNIX_MS, sampleTraces, spanOf, storeOf } from "../admin/query-spans.ts";

const SAMPLES = storeOf(sampleTraces(SAMPLE_UNIX_MS));
const ANY: TraceSearch = {
  service: "hs1.example fedtrace",
  operation: undefined,
  tags: new Map(),
  startMicros: 0,
  endMicros: Number.MAX_SAFE_INTEGER,
  minDurationNs: 0,
  maxDurationNs: 0,
  limit: 100,
};
const IGNORED = { evicted() {}, dropped() {} };

async function found(changes: Partial<TraceSearch>): Promise<readonly string[]> {
  const traces = await searchTraces(SAMPLES, { ...ANY, ...changes }, createTurns());
  return traces.map(({ traceId }) => traceId.replace(/^0+|0+$/g, ""));
}

describe("tags that are shown are found", () => {
  it.each([
    ["error", "true", ["e1"]],
    ["error", "false", ["71", "61", "f1", "d1", "c1", "b1", "a1"]],
    ["error", "own", ["e1"]],
    ["span.kind", "client", ["a1"]],
    ["otel.status_code", "ERROR", ["e1"]],
    ["otel.status_code", "OK", []],
    ["otel.status_description", "UPSTREAM_TIMEOUT", ["e1"]],
    ["otel.scope.name", "fedtrace", ["71", "61", "f1", "e1", "d1", "c1", "b1", "a1"]],
    ["otel.scope.version", "0.2.0", []],
    ["w3c.tracestate", "rojo=00f067aa0ba902b7,b@c=2", ["a1"]],
    ["event", "retry", ["d1"]],
    ["event", "by its attribute", ["d1"]],
    ["absent", "undefined", []],
    ["past int64", "9223372036854776000", ["b1"]],
    ["minus zero", "0", ["b1"]],
  ])("%s=%s", async (key, value, expected) => {
    expect(await found({ tags: new Map([[key, value]]) })).toEqual(expected);
  });

  it("all on one and the same span", async () => {
    const tags = new Map([
      ["error", "true"],
      ["span.kind", "server"],
    ]);
    expect(await found({ tags })).toEqual(["e1"]);
    expect(await found({ tags: new Map([...tags, ["otel.status_description", "500"]]) })).toEqual([]);
  });
});

/** Of 3,000 traces, each with one span. */
function createLarge(spansMax = 20_000): ReturnType<typeof createRecentStore> {
  const store = createRecentStore(IGNORED, { spansMax, bytesMax: 100e6 });
  for (let index = 0; index < 3000; index++) store.onEnd(spanOf(`${index.toString(16)}f/1`, index));
  return store;
}

describe("a walk over the store", () => {
  it.each([
    [
      "search",
      (store: ReturnType<typeof createLarge>, turn: TakeTurn) =>
        searchTraces(store, { ...ANY, limit: 5000 }, turn),
    ],
    ["services", listServices],
    [
      "operations",
      (store: ReturnType<typeof createLarge>, turn: TakeTurn) => listOperations(store, turn, "x"),
    ],
    [
      "links",
      (store: ReturnType<typeof createLarge>, turn: TakeTurn) =>
        listServiceLinks(store, turn, { startMs: 0, endMs: 1 }),
    ],
  ])("%s: takes a turn for each thousand spans", async (_why, walk) => {
    let turns = 0;
    await walk(createLarge(), () => {
      turns += 1;
      return Promise.resolve();
    });
    expect(turns).toBe(3);
  });

  it("ends with the limit", async () => {
    let turns = 0;
    const traces = await searchTraces(createLarge(), { ...ANY, limit: 10 }, () => {
      turns += 1;
      return Promise.resolve();
    });
    expect([traces.length, turns]).toEqual([10, 0]);
  });

  it("goes on safely while traces come and go", async () => {
    const store = createLarge(3000);
    let added = 0;
    const traces = await searchTraces(store, { ...ANY, limit: 5000 }, () => {
      for (let index = 0; index < 400; index++)
        store.onEnd(spanOf(`99999999${(added++).toString(16)}f/2`, 1));
      return Promise.resolve();
    });
    // Two turns of 400 sent the 800 oldest away before they were reached.
    expect(new Set(traces).size).toBe(traces.length);
    expect(traces.length).toBe(3000 - 800);
  });

  it("ends where all that is left has gone", async () => {
    const store = createLarge(3000);
    const traces = await searchTraces(store, { ...ANY, limit: 5000 }, () => {
      for (let index = 0; index < 3000; index++) store.onEnd(spanOf(`99999999${index.toString(16)}f/2`, 1));
      return Promise.resolve();
    });
    expect(traces.length).toBe(1000);
  });
});

it("gives turns one at a time, the event loop free between any two", async () => {
  const takeTurn = createTurns();
  const order: string[] = [];
  const reader = async (name: string): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) {
      await takeTurn();
      order.push(name);
    }
  };
  let rounds = 0;
  const countRounds = (): void => {
    rounds += 1;
    if (order.length < 6) setImmediate(countRounds);
  };
  setImmediate(countRounds);
  await Promise.all([reader("a"), reader("b")]);
  expect(order).toEqual(["a", "b", "a", "b", "a", "b"]);
  expect(rounds).toBeGreaterThanOrEqual(5);
});
