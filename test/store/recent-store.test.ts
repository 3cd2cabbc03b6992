/**
 * The built-in store: what is kept, what goes first, what one trace may hold, and that every span is counted.
 * The samples' estimate of bytes is measured against the heap in bench/store.bench.ts.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRecentStore, type RecentStore, type StoredTrace } from "../../src/store/recent-store.ts";
import { estimateSpanBytes, TRACE_BYTES } from "../../src/store/span-bytes.ts";
import { EncodedSpan, PAGE_BYTES } from "../../src/span/encoded-span.ts";
import { spanOf } from "../admin/query-spans.ts";

const ROOMY = 1e9;

interface Counted {
  readonly store: RecentStore;
  readonly counts: { evicted: number; dropped: number };
}

function createCounted(spansMax: number, bytesMax = ROOMY): Counted {
  const counts = { evicted: 0, dropped: 0 };
  const store = createRecentStore(
    {
      evicted: (spans) => void (counts.evicted += spans),
      dropped: (spans) => void (counts.dropped += spans),
    },
    { spansMax, bytesMax },
  );
  return { store, counts };
}

function add(store: RecentStore, ...ids: readonly string[]): void {
  for (const id of ids) store.onEnd(spanOf(id, 0));
}

function kept(store: RecentStore): readonly string[] {
  const ids: string[] = [];
  for (let trace = store.newest(); trace !== undefined; trace = trace.older) {
    ids.push(`${trace.traceId.replace(/0+$/, "")}:${trace.spans.length}`);
  }
  return ids;
}

const BYTES_OF_ONE = estimateSpanBytes(spanOf("a/1", 0));

describe("what is kept", () => {
  it.each([
    ["newest first", 10, ["a/1", "b/1", "c/1"], ["c:1", "b:1", "a:1"], { evicted: 0, dropped: 0 }],
    ["by a trace's first span", 10, ["a/1", "b/1", "a/2"], ["b:1", "a:2"], { evicted: 0, dropped: 0 }],
    [
      "all that fits",
      8,
      ["a/1", "a/2", "b/1", "b/2", "c/1", "c/2", "d/1", "d/2"],
      ["d:2", "c:2", "b:2", "a:2"],
      { evicted: 0, dropped: 0 },
    ],
    [
      "one too many: the oldest goes whole",
      8,
      ["a/1", "a/2", "b/1", "b/2", "c/1", "c/2", "d/1", "d/2", "e/1"],
      ["e:1", "d:2", "c:2", "b:2"],
      { evicted: 2, dropped: 0 },
    ],
    [
      "a trace that went comes again",
      4,
      ["a/1", "b/1", "c/1", "d/1", "e/1", "a/2"],
      ["a:1", "e:1", "d:1", "c:1"],
      { evicted: 2, dropped: 0 },
    ],
    [
      "the oldest trace's own next span sends it away",
      8,
      ["a/1", "b/1", "b/2", "c/1", "c/2", "d/1", "d/2", "e/1", "a/2"],
      ["a:1", "e:1", "d:2", "c:2", "b:2"],
      { evicted: 1, dropped: 0 },
    ],
    ["a trace at its share", 8, ["a/1", "a/2"], ["a:2"], { evicted: 0, dropped: 0 }],
    [
      "a trace past its share",
      8,
      ["a/1", "a/2", "a/3", "a/4", "b/1"],
      ["b:1", "a:2"],
      { evicted: 0, dropped: 2 },
    ],
    ["a store of one span", 1, ["a/1", "a/2", "b/1"], ["b:1"], { evicted: 1, dropped: 1 }],
    ["a store of none, which loses nothing", 0, ["a/1", "b/1"], [], { evicted: 0, dropped: 0 }],
  ])("%s", (_why, spansMax, ids, expected, expectedCounts) => {
    const { store, counts } = createCounted(spansMax);
    add(store, ...ids);
    expect(kept(store)).toEqual(expected);
    expect(counts).toEqual(expectedCounts);
  });

  it.each([
    [
      "four traces to the byte",
      4 * (TRACE_BYTES + BYTES_OF_ONE),
      ["d:1", "c:1", "b:1", "a:1"],
      { evicted: 0, dropped: 0 },
    ],
    [
      "a byte too few for a span of its own",
      4 * (TRACE_BYTES + BYTES_OF_ONE) - 4,
      [],
      { evicted: 0, dropped: 4 },
    ],
    [
      "less than four more",
      4 * (TRACE_BYTES + BYTES_OF_ONE) + 4,
      ["d:1", "c:1", "b:1", "a:1"],
      { evicted: 0, dropped: 0 },
    ],
  ])("in bytes: %s", (_why, bytesMax, expected, expectedCounts) => {
    const { store, counts } = createCounted(100, bytesMax);
    add(store, "a/1", "b/1", "c/1", "d/1");
    expect(kept(store)).toEqual(expected);
    expect(counts).toEqual(expectedCounts);
    expect(store.bytes()).toBeLessThanOrEqual(bytesMax);
  });

  it("makes room in bytes, the oldest first", () => {
    const { store, counts } = createCounted(100, 4 * (TRACE_BYTES + BYTES_OF_ONE));
    add(store, "a/1", "b/1", "c/1", "d/1", "e/1", "f/1");
    expect(kept(store)).toEqual(["f:1", "e:1", "d:1", "c:1"]);
    expect(counts).toEqual({ evicted: 2, dropped: 0 });
  });

  it("never keeps more than 5,000 spans of a trace, however large it is", () => {
    const { store, counts } = createCounted(100_000);
    const span = spanOf("a/1", 0);
    for (let spans = 0; spans < 5001; spans++) store.onEnd(span);
    expect(kept(store)).toEqual(["a:5000"]);
    expect(counts).toEqual({ evicted: 0, dropped: 1 });
  });

  it("finds what it keeps, and no more", () => {
    const { store } = createCounted(4);
    add(store, "a/1", "b/1", "c/1", "d/1", "e/1");
    expect(store.find("b".padEnd(32, "0"))?.spans).toHaveLength(1);
    expect(store.find("a".padEnd(32, "0"))).toBeUndefined();
  });
});

it("keeps its bounds and its count whatever comes", () => {
  const anyId = fc.tuple(fc.constantFrom("a", "b", "c", "d", "e"), fc.integer({ min: 1, max: 9 }));
  const anySize = fc.integer({ min: 0, max: 3000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(anyId, anySize)), fc.integer({ min: 1, max: 12 }), (given, spansMax) => {
      const bytesMax = 20_000;
      const { store, counts } = createCounted(spansMax, bytesMax);
      for (const [[trace, span], size] of given) {
        store.onEnd(spanOf(`${trace}/${span}`, 0, { attributes: { text: "x".repeat(size) } }));
        expect(store.spans()).toBeLessThanOrEqual(spansMax);
        expect(store.bytes()).toBeLessThanOrEqual(bytesMax);
      }
      const traces: StoredTrace[] = [];
      for (let trace = store.newest(); trace !== undefined; trace = trace.older) traces.push(trace);
      const spans = traces.flatMap((trace) => [...trace.spans]);
      expect(store.spans()).toBe(spans.length);
      expect(spans.length + counts.evicted + counts.dropped).toBe(given.length);
      const bytes = spans.reduce((sum, span) => sum + estimateSpanBytes(span), traces.length * TRACE_BYTES);
      expect(store.bytes()).toBe(bytes);
    }),
  );
});

describe("pages of encoded spans", () => {
  const MAX_PAGES = 4;
  /** Bytes of them are never read. */
  const inPage = (id: string, page: Buffer, bytes = 500): EncodedSpan =>
    new EncodedSpan(spanOf(id, 0).origin, id.slice(0, 1).padEnd(32, "0"), page, 0, bytes);
  const bytesMax = (MAX_PAGES - 2) * PAGE_BYTES;

  it("are let go with their oldest traces where each is held by one small span", () => {
    const { store, counts } = createCounted(1000, bytesMax);
    for (const id of "abcd") store.onEnd(inPage(id, Buffer.alloc(PAGE_BYTES)));
    expect([kept(store), counts.evicted]).toEqual([["d:1", "c:1", "b:1", "a:1"], 0]);
    store.onEnd(inPage("e", Buffer.alloc(PAGE_BYTES)));
    expect([kept(store), counts.evicted]).toEqual([["e:1", "d:1", "c:1", "b:1"], 1]);
  });

  it("are counted once for all spans in them, and no longer than one is kept", () => {
    const { store, counts } = createCounted(1000, bytesMax);
    const shared = Buffer.alloc(PAGE_BYTES);
    for (const id of "abcdefgh") store.onEnd(inPage(id, shared));
    for (const id of "ijk") store.onEnd(inPage(id, Buffer.alloc(PAGE_BYTES)));
    expect(counts.evicted).toBe(0);
    store.onEnd(inPage("l", Buffer.alloc(PAGE_BYTES)));
    expect([kept(store), counts.evicted]).toEqual([["l:1", "k:1", "j:1", "i:1"], 8]);
  });

  it("count for one trace too, which goes where it holds them all", () => {
    const { store, counts } = createCounted(1000, bytesMax);
    for (let spans = 0; spans <= MAX_PAGES; spans++) store.onEnd(inPage("a", Buffer.alloc(PAGE_BYTES)));
    expect([kept(store), counts.evicted]).toEqual([["a:1"], MAX_PAGES]);
  });
});

describe("a trace that goes while somebody holds it", () => {
  it("is empty and leads nowhere", () => {
    const { store } = createCounted(4);
    add(store, "a/1", "b/1");
    const held = store.newest();
    add(store, "c/1", "d/1", "e/1", "f/1", "g/1");
    expect(held?.spans).toEqual([]);
    expect(held?.older).toBeUndefined();
  });
});
