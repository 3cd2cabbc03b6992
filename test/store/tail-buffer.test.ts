/**
 * Sampling after the end: what is let out, when, in which order; each bound from inside and outside; and that every span is
 * given once or counted once. The clock and the timer are the test's own.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EncodedSpan, type EndedSpan, PAGE_BYTES } from "../../src/span/encoded-span.ts";
import { estimateSpanBytes, TRACE_BYTES } from "../../src/store/span-bytes.ts";
import {
  createTailBuffer,
  type TailBuffer,
  type TailBufferOptions,
  type TailFacts,
} from "../../src/store/tail-buffer.ts";
import { spanOf } from "../admin/query-spans.ts";
import { fakeClock } from "../support/clock.ts";

const HOLD_MS = 1000;
const ROOMY: TailBufferOptions = {
  holdMs: HOLD_MS,
  spansMax: 1000,
  bytesMax: 1e9,
  errors: true,
  slowerThanMs: 500,
};

const FINE: TailFacts = { isError: false, durationMs: 10, isKnown: true };
const ERROR: TailFacts = { isError: true, durationMs: 10, isKnown: true };
const SLOW: TailFacts = { isError: false, durationMs: 501, isKnown: true };

type Dropped = Record<"expired" | "evicted" | "rate", number>;

interface Rig {
  readonly buffer: TailBuffer;
  /** `trace/span reason`, in the order they were given. */
  readonly given: string[];
  readonly kept: Record<"error" | "slow" | "asked", number>;
  readonly dropped: Dropped;
  /** Holds spans by the names of `spanOf`; one that ends in `!` is an error, in `~` is slow. */
  hold(...ids: readonly string[]): void;
  /** Lets timers that are due run on the way. */
  advance(ms: number): void;
  timers(): number;
}

function createRig(changes: Partial<TailBufferOptions> = {}, tokens = Number.POSITIVE_INFINITY): Rig {
  const clock = fakeClock();
  const given: string[] = [];
  const kept = { error: 0, slow: 0, asked: 0 };
  const dropped = { expired: 0, evicted: 0, rate: 0 };
  let left = tokens;
  let timers: { readonly run: () => void; readonly atMs: number }[] = [];
  const buffer = createTailBuffer(
    { ...ROOMY, ...changes },
    {
      clock,
      counters: {
        kept: (reason, spans) => void (kept[reason] += spans),
        dropped: (why, spans) => void (dropped[why] += spans),
      },
      onKept: (span, reason) => void given.push(`${shortId(span)} ${reason}`),
      takeToken: () => left-- > 0,
      startTimer(run, delayMs) {
        const timer = { run, atMs: clock.monotonicMs() + delayMs };
        timers.push(timer);
        return () => void (timers = timers.filter((other) => other !== timer));
      },
    },
  );
  return {
    buffer,
    given,
    kept,
    dropped,
    hold(...ids) {
      for (const id of ids) {
        const facts = id.endsWith("!") ? ERROR : id.endsWith("~") ? SLOW : FINE;
        buffer.hold(spanOf(id.replace(/[!~]$/, ""), 0), facts);
      }
    },
    advance(ms) {
      clock.advance(ms);
      const due = timers.filter(({ atMs }) => atMs <= clock.monotonicMs());
      timers = timers.filter((timer) => !due.includes(timer));
      for (const { run } of due) run();
    },
    timers: () => timers.length,
  };
}

function shortId(span: EndedSpan): string {
  const { traceId, spanId } = span.toRecord().fields.context;
  return `${traceId.replace(/0+$/, "")}/${spanId.replace(/0+$/, "")}`;
}

const NONE: Dropped = { expired: 0, evicted: 0, rate: 0 };

describe("what is let out", () => {
  it.each([
    { why: "nothing of traces that are fine", hold: ["a/1", "b/1"], given: [] },
    { why: "an error alone", hold: ["a/1!"], given: ["a/1 error"] },
    {
      why: "an error, behind what was held of its trace, in order, and nothing of another",
      hold: ["a/1", "b/1", "a/2", "a/3!"],
      given: ["a/1 error", "a/2 error", "a/3 error"],
    },
    { why: "what is slow, and its trace", hold: ["a/1", "a/2~"], given: ["a/1 slow", "a/2 slow"] },
    {
      why: "later spans of a promoted trace, at once, for the first reason",
      hold: ["a/1!", "b/1", "a/2", "a/3~"],
      given: ["a/1 error", "a/2 error", "a/3 error"],
    },
    {
      why: "two traces, each once",
      hold: ["a/1", "b/1", "b/2!", "a/2!"],
      given: ["b/1 error", "b/2 error", "a/1 error", "a/2 error"],
    },
  ])("$why", ({ hold, given }) => {
    const rig = createRig();
    rig.hold(...hold);
    expect(rig.given).toEqual(given);
    expect(rig.buffer.spans()).toBe(hold.length - given.length);
    expect(rig.dropped).toEqual(NONE);
    expect(rig.kept.error + rig.kept.slow).toBe(given.length);
  });

  it.each([
    { why: "errors, where they don't count", changes: { errors: false }, facts: ERROR, isOut: false },
    {
      why: "an error that is slow, where errors don't count",
      changes: { errors: false },
      facts: { ...SLOW, isError: true },
      isOut: true,
    },
    { why: "a span as long as the limit", changes: {}, facts: { ...FINE, durationMs: 500 }, isOut: false },
    { why: "a span over the limit", changes: {}, facts: { ...FINE, durationMs: 500.001 }, isOut: true },
    {
      why: "the slowest, where there is no limit",
      changes: { slowerThanMs: undefined },
      facts: { ...FINE, durationMs: 1e9 },
      isOut: false,
    },
    {
      why: "any duration, where the limit is 0",
      changes: { slowerThanMs: 0 },
      facts: { ...FINE, durationMs: 0.1 },
      isOut: true,
    },
  ])("$why: $isOut", ({ changes, facts, isOut }) => {
    const rig = createRig(changes);
    rig.buffer.hold(spanOf("a/1", 0), facts);
    expect(rig.given.length).toBe(isOut ? 1 : 0);
  });

  it("a trace that is asked for: what is held, and what comes", () => {
    const rig = createRig({}, 0);
    rig.hold("a/1", "b/1");
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    rig.hold("a/2!", "b/2");
    expect(rig.given).toEqual(["a/1 asked", "a/2 asked"]);
    expect(rig.kept).toEqual({ error: 0, slow: 0, asked: 2 });
    expect(rig.buffer.spans()).toBe(2);
  });

  it("a trace that is asked for before any of its spans ended", () => {
    const rig = createRig();
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    expect(rig.kept).toEqual({ error: 0, slow: 0, asked: 0 });
    rig.hold("a/1");
    expect(rig.given).toEqual(["a/1 asked"]);
  });

  it("the very span that was given in", () => {
    const span = spanOf("a/1", 0);
    const out: EndedSpan[] = [];
    const tools = {
      clock: fakeClock(),
      counters: { kept() {}, dropped() {} },
      onKept: (kept: EndedSpan) => void out.push(kept),
      takeToken: () => true,
    };
    const buffer = createTailBuffer(ROOMY, tools);
    buffer.hold(span, ERROR);
    expect(out).toEqual([span]);
    expect(out[0]).toBe(span);
    buffer.stop();
  });
});

describe("time", () => {
  it.each([
    { why: "within its time", afterMs: HOLD_MS - 1, given: ["a/1 error", "a/2 error"], expired: 0 },
    { why: "at its end", afterMs: HOLD_MS, given: ["a/2 error"], expired: 1 },
  ])("a held span is let out $why: $given", ({ afterMs, given, expired }) => {
    const rig = createRig();
    rig.hold("a/1");
    rig.advance(afterMs);
    rig.hold("a/2!");
    expect(rig.given).toEqual(given);
    expect(rig.dropped).toEqual({ ...NONE, expired });
  });

  it.each([
    { why: "within its time", afterMs: HOLD_MS - 1, isOut: true },
    { why: "at its end", afterMs: HOLD_MS, isOut: false },
  ])("a promotion counts $why: $isOut", ({ afterMs, isOut }) => {
    const rig = createRig();
    rig.hold("a/1!");
    rig.advance(afterMs);
    rig.hold("a/2");
    expect(rig.given.includes("a/2 error")).toBe(isOut);
  });

  it("isn't prolonged by what comes, only by who asks", () => {
    const rig = createRig();
    rig.hold("a/1!");
    rig.buffer.promote("b".padEnd(32, "0"), "asked");
    rig.advance(600);
    rig.hold("a/2!");
    rig.buffer.promote("b".padEnd(32, "0"), "asked");
    rig.advance(600);
    rig.hold("a/3", "b/1");
    expect(rig.given).toEqual(["a/1 error", "a/2 error", "b/1 asked"]);
  });

  it("ends for each promoted trace by itself, whichever was asked for again", () => {
    const rig = createRig();
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    rig.buffer.promote("b".padEnd(32, "0"), "asked");
    rig.advance(600);
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    rig.advance(400);
    expect(rig.timers()).toBe(1); // For the first, which is remembered still.
    rig.hold("b/1", "a/1");
    expect(rig.given).toEqual(["a/1 asked"]);
  });

  it("is kept for promoted traces without any traffic, and not for nothing", () => {
    const rig = createRig();
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    rig.advance(600);
    rig.buffer.promote("b".padEnd(32, "0"), "asked");
    rig.advance(400);
    expect(rig.timers()).toBe(1);
    rig.advance(HOLD_MS);
    expect(rig.timers()).toBe(0);
  });

  it("frees what is held without any traffic, and rests then", () => {
    const rig = createRig();
    expect(rig.timers()).toBe(0);
    rig.hold("a/1");
    rig.advance(500);
    rig.hold("b/1", "c/1!");
    expect(rig.timers()).toBe(1);
    rig.advance(500);
    expect([rig.buffer.spans(), rig.timers()]).toEqual([1, 1]);
    rig.advance(HOLD_MS);
    expect([rig.buffer.spans(), rig.buffer.bytes(), rig.timers()]).toEqual([0, 0, 0]);
    expect(rig.dropped).toEqual({ ...NONE, expired: 2 });
  });

  it("stops: what is held is counted, nothing runs or is held any more", () => {
    const rig = createRig();
    rig.hold("a/1", "b/1!");
    rig.buffer.stop();
    rig.hold("c/1", "b/2!");
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    expect(rig.given).toEqual(["b/1 error"]);
    expect(rig.dropped).toEqual({ ...NONE, expired: 3 });
    expect([rig.buffer.spans(), rig.buffer.bytes(), rig.timers()]).toEqual([0, 0, 0]);
  });
});

describe("the rate", () => {
  it("promotes no more traces than there are tokens; spans of a promoted one cost none", () => {
    const rig = createRig({}, 2);
    rig.hold("a/1!", "a/2!", "a/3!", "b/1~", "c/1", "c/2!");
    expect(rig.given).toEqual(["a/1 error", "a/2 error", "a/3 error", "b/1 slow"]);
    expect([rig.buffer.spans(), rig.dropped]).toEqual([2, NONE]);
    rig.advance(HOLD_MS);
    expect(rig.dropped).toEqual({ ...NONE, rate: 2 });
  });

  it("is what all spans of a refused trace count for, before and after the one that was refused", () => {
    const rig = createRig({}, 0);
    rig.hold("a/1", "a/2!", "a/3", "b/1");
    rig.advance(HOLD_MS);
    expect(rig.dropped).toEqual({ ...NONE, rate: 3, expired: 1 });
  });

  it("lets a refused trace out whole where it is asked for", () => {
    const rig = createRig({}, 0);
    rig.hold("a/1", "a/2!", "a/3");
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    rig.advance(HOLD_MS);
    expect(rig.given).toEqual(["a/1 asked", "a/2 asked", "a/3 asked"]);
    expect(rig.dropped).toEqual(NONE);
  });

  it("is what a refused trace's spans count for when room is needed", () => {
    const rig = createRig({ spansMax: 4 }, 0);
    rig.hold("a/1!", "b/1", "c/1", "d/1", "e/1", "f/1");
    expect(rig.dropped).toEqual({ ...NONE, rate: 1, evicted: 1 });
  });
});

const BYTES_OF_ONE = 90 + estimateSpanBytes(spanOf("a/1", 0));
/** Each of a trace of its own. */
const BYTES_OF_FOUR = 4 * (TRACE_BYTES + BYTES_OF_ONE);

describe("bounds", () => {
  it.each([
    { why: "as many as fit", changes: { spansMax: 4 }, hold: "a b c d", left: "a b c d", evicted: 0 },
    {
      why: "one more: the oldest goes",
      changes: { spansMax: 4 },
      hold: "a b c d e",
      left: "b c d e",
      evicted: 1,
    },
    { why: "two of eight are a share", changes: { spansMax: 8 }, hold: "a a", left: "a a", evicted: 0 },
    {
      why: "past its share a trace's own oldest goes",
      changes: { spansMax: 8 },
      hold: "b a a a",
      left: "b a a",
      evicted: 1,
    },
    { why: "a share is one at least", changes: { spansMax: 1 }, hold: "a a b", left: "b", evicted: 2 },
    { why: "none at all", changes: { spansMax: 0 }, hold: "a b", left: "", evicted: 2 },
    {
      why: "four to the byte",
      changes: { bytesMax: BYTES_OF_FOUR },
      hold: "a b c d",
      left: "a b c d",
      evicted: 0,
    },
    {
      why: "four to the byte, and one",
      changes: { bytesMax: BYTES_OF_FOUR },
      hold: "a b c d e",
      left: "b c d e",
      evicted: 1,
    },
    {
      why: "a share to the byte, and one",
      changes: { bytesMax: BYTES_OF_FOUR },
      hold: "a a",
      left: "a",
      evicted: 1,
    },
    {
      why: "one that is larger than its share",
      changes: { bytesMax: BYTES_OF_FOUR - 4 },
      hold: "a b",
      left: "",
      evicted: 2,
    },
  ])("$why", ({ changes, hold, left, evicted }) => {
    const rig = createRig(changes);
    rig.hold(...hold.split(" ").map((trace) => `${trace}/1`));
    expect([rig.buffer.spans(), rig.dropped]).toEqual([
      left.split(" ").filter(Boolean).length,
      { ...NONE, evicted },
    ]);
    for (const trace of new Set(left.split(" "))) rig.buffer.promote(trace.padEnd(32, "0"), "asked");
    const expected = left
      .split(" ")
      .filter(Boolean)
      .map((trace) => `${trace}/1 asked`);
    expect(rig.given.toSorted()).toEqual(expected.toSorted());
    expect([rig.buffer.spans(), rig.buffer.bytes()]).toEqual([0, 0]);
  });

  it("takes a span's place out of the middle, and goes on in order", () => {
    const rig = createRig({ spansMax: 16 });
    rig.hold("a/1", "b/1", "a/2", "c/1", "b/2", "a/3!", "d/1", "b/3!", "c/2!", "d/2!");
    expect(rig.given.map((text) => text.split(" ")[0])).toEqual([
      "a/1",
      "a/2",
      "a/3",
      "b/1",
      "b/2",
      "b/3",
      "c/1",
      "c/2",
      "d/1",
      "d/2",
    ]);
    expect([rig.buffer.spans(), rig.buffer.bytes()]).toEqual([0, 0]);
  });

  it("in pages: the oldest go where each holds a page of its own", () => {
    const MAX_PAGES = 4;
    const rig = createRig({ bytesMax: (MAX_PAGES - 2) * PAGE_BYTES });
    const inPage = (id: string, page: Buffer): EncodedSpan =>
      new EncodedSpan(spanOf(id, 0).origin, id.padEnd(32, "0"), page, 0, 500);
    const shared = Buffer.alloc(PAGE_BYTES);
    for (const id of ["a", "b"]) rig.buffer.hold(inPage(id, shared), FINE);
    for (const id of ["c", "d", "e"]) rig.buffer.hold(inPage(id, Buffer.alloc(PAGE_BYTES)), FINE);
    expect([rig.buffer.spans(), rig.dropped.evicted]).toEqual([5, 0]);
    rig.buffer.hold(inPage("f", Buffer.alloc(PAGE_BYTES)), FINE);
    expect([rig.buffer.spans(), rig.dropped.evicted]).toEqual([4, 2]);
  });

  it.each([
    { why: "the last 10,000", others: 9_999, isOut: true },
    { why: "no more", others: 10_000, isOut: false },
  ])("remembers $why promoted traces", ({ others, isOut }) => {
    const rig = createRig();
    const hexId = (index: number): string => `b${index.toString(16).padStart(31, "0")}`;
    rig.buffer.promote("a".padEnd(32, "0"), "asked");
    for (let index = 0; index < others; index++) rig.buffer.promote(hexId(index), "asked");
    rig.hold("a/1");
    expect(rig.given.length).toBe(isOut ? 1 : 0);
  });
});

it("keeps its bounds, and gives or counts each span once, whatever comes", () => {
  const anyStep = fc.record({
    trace: fc.constantFrom("a", "b", "c", "d", "e"),
    text: fc.integer({ min: 0, max: 3000 }),
    isError: fc.boolean(),
    durationMs: fc.constantFrom(1, 1, 1, 501),
    afterMs: fc.constantFrom(0, 0, 1, 300, 1000),
    isAsked: fc.constantFrom(false, false, false, true),
  });
  const anyRig = { spansMax: fc.integer({ min: 0, max: 20 }), tokens: fc.integer({ min: 0, max: 5 }) };
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), fc.record(anyRig), (steps, { spansMax, tokens }) => {
      const bytesMax = 20_000;
      const rig = createRig({ spansMax, bytesMax }, tokens);
      for (const [index, { trace, text, isAsked, afterMs, ...facts }] of steps.entries()) {
        rig.advance(afterMs);
        const changes = { attributes: { text: "x".repeat(text) } };
        rig.buffer.hold(spanOf(`${trace}/${index + 1}f`, 0, changes), { ...facts, isKnown: true });
        if (isAsked) rig.buffer.promote(trace.padEnd(32, "0"), "asked");
        expect(rig.buffer.spans()).toBeLessThanOrEqual(spansMax);
        expect(rig.buffer.bytes()).toBeLessThanOrEqual(bytesMax);
        const { expired, evicted, rate } = rig.dropped;
        expect(rig.given.length + rig.buffer.spans() + expired + evicted + rate).toBe(index + 1);
      }
      expect(new Set(rig.given).size).toBe(rig.given.length);
      expect(rig.kept.error + rig.kept.slow + rig.kept.asked).toBe(rig.given.length);
      // Within a trace in the order they ended.
      for (const trace of "abcde") {
        const numbers = rig.given
          .filter((id) => id.startsWith(trace))
          .map((id) => Number.parseInt(id.slice(2), 10));
        expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
      }
      rig.advance(HOLD_MS);
      rig.advance(HOLD_MS);
      expect([rig.buffer.spans(), rig.buffer.bytes(), rig.timers()]).toEqual([0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});
