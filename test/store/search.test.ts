/** Searches and summaries: what they find beyond what Jaeger does, and that they leave room for requests. */

import { describe, expect, it } from "vitest";
import { createRecentStore } from "../../src/store/recent-store.ts";
import { searchTraces, type TraceSearch } from "../../src/store/search.ts";
import { listOperations, listServiceLinks, listServices } from "../../src/store/summaries.ts";
import { createTurns, type Turns } from "../../src/store/turns.ts";
import { fakeClock } from "../support/clock.ts";
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
  const traces = await searchTraces(SAMPLES, { ...ANY, ...changes }, createTurns(fakeClock()));
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

type Store = ReturnType<typeof createRecentStore>;

const SPANS = 3000;

/** Of 3,000 spans, `perTrace` in each trace. */
function createLarge(perTrace = 1, spansMax = 20_000): Store {
  const store = createRecentStore(IGNORED, { spansMax, bytesMax: 100e6 });
  for (let index = 0; index < SPANS; index++) {
    const trace = Math.floor(index / perTrace).toString(16);
    store.onEnd(spanOf(`${trace}f/${index.toString(16)}`, index + 1));
  }
  return store;
}

/** Each turn is over once it has been asked so a thousand times. */
function countedTurns(atTurn: (turn: number) => void = () => undefined): Turns & { readonly taken: number } {
  let taken = 0;
  let left = 0;
  return {
    take() {
      taken += 1;
      left = 1000;
      atTurn(taken);
      return Promise.resolve();
    },
    isOver() {
      left -= 1;
      return left < 0;
    },
    get taken() {
      return taken;
    },
  };
}

const ALL = { ...ANY, limit: 5000 };
const NEVER = { ...ALL, tags: new Map([["absent", ""]]) };

describe("a walk over the store", () => {
  describe.each([
    [1, "in traces of one span"],
    [SPANS, "all in one trace"],
  ])("%i: %s", (perTrace) => {
    it.each([
      ["search", (store: Store, turns: Turns) => searchTraces(store, NEVER, turns), 1],
      ["services", listServices, 1],
      ["operations", (store: Store, turns: Turns) => listOperations(store, turns, "x"), 1],
      [
        "links",
        (store: Store, turns: Turns) => listServiceLinks(store, turns, { startMs: 0, endMs: 1e6 }),
        perTrace === 1 ? 1 : 3, // It looks at each span three times where there can be links.
      ],
    ])("%s: takes a turn first, and one whenever it is over", async (_why, walk, looks) => {
      const turns = countedTurns();
      await walk(createLarge(perTrace), turns);
      expect(turns.taken).toBe((SPANS / 1000) * looks);
    });
  });

  it("ends with the limit", async () => {
    const turns = countedTurns();
    const traces = await searchTraces(createLarge(), { ...ANY, limit: 10 }, turns);
    expect([traces.length, turns.taken]).toEqual([10, 1]);
  });

  it("goes on safely while traces come and go", async () => {
    const store = createLarge(1, SPANS);
    let added = 0;
    const turns = countedTurns((turn) => {
      if (turn === 1) return;
      for (let index = 0; index < 400; index++)
        store.onEnd(spanOf(`99999999${(added++).toString(16)}f/2`, 1));
    });
    const traces = await searchTraces(store, ALL, turns);
    // Two turns of 400 sent the 800 oldest away before they were reached.
    expect(new Set(traces).size).toBe(traces.length);
    // The turn that ended as the last of them went had begun to look at one of them.
    expect(traces.length).toBe(SPANS - 800);
  });

  it.each([
    [1, 1000, "between two traces"],
    [SPANS / 4, 1, "within one, which is then not found"],
  ])(
    "ends where all that is left has gone: %i spans in a trace, %i found (%s)",
    async (perTrace, expected) => {
      const store = createLarge(perTrace, SPANS);
      const turns = countedTurns((turn) => {
        if (turn === 1) return;
        for (let index = 0; index < SPANS; index++)
          store.onEnd(spanOf(`99999999${index.toString(16)}f/2`, 1));
      });
      // In the large traces only the first span is found late: each is looked through.
      const latest = perTrace === 1 ? ALL : { ...ALL, startMicros: 1 + (SPANS - 1) * 1000 };
      const traces = await searchTraces(store, latest, turns);
      expect(traces.length).toBe(expected);
    },
  );
});

it("makes what a span shows once, however many tags are looked for", async () => {
  let made = 0;
  const span = spanOf("a/1", 1);
  const status = span.status;
  Object.defineProperty(span, "status", {
    get() {
      made += 1;
      return status;
    },
  });
  const store = storeOf([[span]]);
  const sixteen = Array.from({ length: 15 }, (): [string, string] => ["span.kind", "server"]);
  const tags = new Map([
    ...sixteen.map(([key, value], index): [string, string] =>
      index % 2 === 0 ? [key, value] : ["otel.scope.name", "fedtrace"],
    ),
    ["absent", ""],
  ]);
  await searchTraces(store, { ...ANY, tags }, createTurns(fakeClock()));
  expect(made).toBe(1);
});
