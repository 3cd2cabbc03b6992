/** How many spans a trace of a peer's may have: the table that counts them, floods of it, and on the wire. */

import { describe, expect, it, onTestFinished } from "vitest";
import {
  createForeignTraces,
  foreignSpansMax,
  type ForeignTraces,
  withinTrace,
} from "../../src/proxy/foreign-traces.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { inboundTo } from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";

const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
const OTHER = "11111111111111111111111111111111";
const HOUR_MS = 3_600_000;

function idOf(number: number): string {
  return number.toString(16).padStart(32, "f");
}

function takeTimes(traces: ForeignTraces, traceId: string, times: number): boolean[] {
  return Array.from({ length: times }, () => traces.take(traceId));
}

describe("a trace", () => {
  it.each([
    { spansMax: 1, why: "the least" },
    { spansMax: 1000, why: "as it is" },
    { spansMax: 65_535, why: "the most" },
  ])("may have $spansMax spans ($why), and not one more", ({ spansMax }) => {
    const traces = createForeignTraces(() => 0, { spansMax });
    expect(takeTimes(traces, TRACE, spansMax).every((isTaken) => isTaken)).toBe(true);
    expect(takeTimes(traces, TRACE, 3)).toEqual([false, false, false]);
    expect(traces.take(OTHER)).toBe(true);
  });

  it("is forgotten an hour after it was used last, refused or not", () => {
    let nowMs = 0;
    const traces = createForeignTraces(() => nowMs, { spansMax: 2 });
    takeTimes(traces, TRACE, 2);
    for (let hours = 0; hours < 5; hours++) {
      nowMs += HOUR_MS - 1000;
      expect(traces.take(TRACE)).toBe(false);
    }
    nowMs += HOUR_MS;
    expect(takeTimes(traces, TRACE, 3)).toEqual([true, true, false]);
  });

  it.each([
    { workers: 1, each: 1000, why: "all of it" },
    { workers: 2, each: 500, why: "half" },
    { workers: 3, each: 334, why: "rounded up" },
    { workers: 10, each: 100, why: "the last that is a share" },
    { workers: 11, each: 100, why: "a connection's trace needs room where it is" },
  ])("may have $each in each of $workers workers ($why)", ({ workers, each }) => {
    expect(foreignSpansMax(workers)).toBe(each);
  });
});

describe("a flood of trace ids", () => {
  it.each([
    { usesEach: 1, ids: 200_000, why: "many ids" },
    { usesEach: 4, ids: 50_000, why: "each of them several times" },
  ])("resets nobody's count, and takes no more room: $why", ({ usesEach, ids }) => {
    const traces = createForeignTraces(() => 0, { spansMax: 1000 });
    takeTimes(traces, TRACE, 999);
    for (let number = 0; number < ids; number++) {
      for (let use = 0; use < usesEach; use++) traces.take(idOf(number));
    }
    expect(traces.size).toBe(16_384);
    expect(takeTimes(traces, TRACE, 2)).toEqual([true, false]);
  });

  it.each([
    { spans: 3, passes: 2, isKept: true, why: "a credit for each use after the first" },
    { spans: 3, passes: 3, isKept: false, why: "and none is left" },
    { spans: 1, passes: 1, isKept: false, why: "seen once, as the flood's own" },
  ])(
    "drives the hand by $passes times: $spans spans are kept is $isKept ($why)",
    ({ spans, passes, isKept }) => {
      const traces = createForeignTraces(() => 0, { spansMax: 10, tracesMax: 8 });
      takeTimes(traces, TRACE, spans);
      // The first seven fill the table; then the hand stands at the trace, and each round of it takes the places of the seven.
      const ids = 7 + 7 * (passes - 1) + 1;
      for (let number = 0; number < ids; number++) traces.take(idOf(number));
      expect(takeTimes(traces, TRACE, 10).filter((isTaken) => isTaken)).toHaveLength(
        isKept ? 10 - spans : 10,
      );
    },
  );

  it("pushes out the poorest where all have credit, and says so", () => {
    let forgotten = 0;
    const traces = createForeignTraces(() => 0, {
      spansMax: 9,
      tracesMax: 4,
      onForgotten: () => forgotten++,
    });
    for (const [number, spans] of [5, 3, 9, 8].entries()) takeTimes(traces, idOf(number), spans);
    traces.take(TRACE);
    expect(forgotten).toBe(1);
    expect(traces.size).toBe(4);
    // What each may still have: the second was forgotten, and the new one's place is the next that goes.
    expect(takeTimes(traces, idOf(2), 1)).toEqual([false]);
    expect(takeTimes(traces, idOf(3), 2)).toEqual([true, false]);
    expect(takeTimes(traces, idOf(0), 5)).toEqual([true, true, true, true, false]);
    expect(takeTimes(traces, idOf(1), 10)).toEqual([...Array<boolean>(9).fill(true), false]);
  });

  it("takes the places of what was forgotten first, whatever its credit", () => {
    let nowMs = 0;
    const traces = createForeignTraces(() => nowMs, { spansMax: 9, tracesMax: 2 });
    takeTimes(traces, idOf(0), 1);
    takeTimes(traces, idOf(1), 9);
    nowMs = HOUR_MS;
    takeTimes(traces, idOf(0), 9);
    takeTimes(traces, idOf(2), 1);
    expect(traces.take(idOf(0))).toBe(false);
    expect(takeTimes(traces, idOf(2), 9)).toEqual([...Array<boolean>(8).fill(true), false]);
  });
});

describe("withinTrace", () => {
  const context = {
    traceId: TRACE,
    spanId: "6e0c63257de34c92",
    isSampled: true,
    isRandom: false,
    traceState: "",
  };
  const refusals = [{ format: "jaeger", reason: "length" }] as const;
  const taken = { context, format: "w3c", refusals } as const;

  it("leaves what was taken as it is, up to the bound", () => {
    const traces = createForeignTraces(() => 0, { spansMax: 1 });
    expect(withinTrace(traces, taken)).toBe(taken);
    expect(withinTrace(traces, taken)).toEqual({
      context: undefined,
      format: undefined,
      refusals: [...refusals, { format: "w3c", reason: "trace-full" }],
    });
  });

  it("counts nothing where nothing was taken", () => {
    const traces = createForeignTraces(() => 0, { spansMax: 1 });
    const nothing = { context: undefined, format: undefined, refusals: [] };
    expect(withinTrace(traces, nothing)).toBe(nothing);
    expect(traces.size).toBe(0);
  });
});

const FRIEND = 'Authorization: X-Matrix origin="friend.test",key="ed25519:a",sig="AA"';
const ANOTHER = 'Authorization: X-Matrix origin="another.test",key="ed25519:a",sig="AA"';
const STRANGER = 'Authorization: X-Matrix origin="stranger.test",key="ed25519:a",sig="AA"';

describe("on the wire", () => {
  async function start() {
    const upstream = await recordingUpstream();
    const sidecar = await startInProcess({
      inbound: inboundTo(upstream.port),
      outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
      admin: { listen: "127.0.0.1:0" },
      whitelist: ["(friend|another)\\.test"],
      sampling: { type: "const", param: 1 },
    });
    onTestFinished(async () => {
      upstream.stop();
      await sidecar.sidecar.stop();
    });
    return { upstream, sidecar };
  }

  /** So many requests on one connection. @returns their spans */
  async function pass(sidecar: TestSidecar, count: number, lines: readonly string[]) {
    const known = sidecar.spans.length;
    const head = (more: readonly string[]) =>
      `${["GET /_matrix/key/v2/server HTTP/1.1", "Host: own.test", ...lines, ...more].join("\r\n")}\r\n\r\n`;
    await exchangeRaw(sidecar.port.inbound, head([]).repeat(count - 1) + head(["Connection: close"]));
    return (await sidecar.spansOf(known + count)).slice(known);
  }

  const w3c = (traceId: string, flags = "01") => `traceparent: 00-${traceId}-6e0c63257de34c92-${flags}`;
  const stateOf = (span: TestSidecar["spans"][number] | undefined) => span?.attributes["fedtrace.context"];

  it("request 1,001 of a trace begins a new one, whoever sends it; other traces and our own go on", async () => {
    const { upstream, sidecar } = await start();
    // What a stranger sends fills no friend's trace.
    const strangers = await pass(sidecar, 20, [STRANGER, w3c(TRACE)]);
    expect(new Set(strangers.map(stateOf))).toEqual(new Set(["restarted"]));
    const spans = await pass(sidecar, 1000, [FRIEND, w3c(TRACE)]);
    expect(new Set(spans.map(stateOf))).toEqual(new Set(["extracted"]));
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([TRACE]));

    const before = upstream.received().length;
    const uber = `uber-trace-id: ${TRACE}:6e0c63257de34c92:0:1`;
    const more = [
      ...(await pass(sidecar, 1, [FRIEND, w3c(TRACE), "tracestate: a=1"])),
      ...(await pass(sidecar, 1, [ANOTHER, w3c(TRACE, "00")])),
      ...(await pass(sidecar, 1, [FRIEND, uber])),
    ];
    expect(more.map(stateOf)).toEqual(["refused", "refused", "refused"]);
    expect(new Set(more.map((span) => span.spanContext().traceId)).size).toBe(3);
    expect(more.map(({ parentSpanContext }) => parentSpanContext)).toEqual([undefined, undefined, undefined]);
    expect(upstream.received().slice(before)).not.toMatch(new RegExp(`${TRACE}|tracestate`));
    const metrics = await (await fetch(`http://127.0.0.1:${sidecar.port.admin}/metrics`)).text();
    expect(metrics).toContain('fedtrace_context_refused_total{format="w3c",reason="trace-full"} 2');
    expect(metrics).toContain('fedtrace_context_refused_total{format="jaeger",reason="trace-full"} 1');

    expect((await pass(sidecar, 1, [FRIEND, w3c(OTHER)])).map(stateOf)).toEqual(["extracted"]);
    const known = sidecar.spans.length;
    const authority = `friend.test:${upstream.port}`;
    const own = ["GET http://AUTHORITY/x HTTP/1.1", "Host: AUTHORITY", w3c(TRACE), "Connection: close"];
    await exchangeRaw(
      sidecar.port.outbound,
      `${own.join("\r\n").replaceAll("AUTHORITY", authority)}\r\n\r\n`,
    );
    const [ours] = (await sidecar.spansOf(known + 1)).slice(known);
    expect(ours?.spanContext().traceId).toBe(TRACE);
  });

  it("an hour of rest gives a trace its room again", async () => {
    const { sidecar } = await start();
    await pass(sidecar, 1001, [FRIEND, w3c(TRACE)]);
    sidecar.advance(HOUR_MS - 60_000);
    expect((await pass(sidecar, 1, [FRIEND, w3c(TRACE)])).map(stateOf)).toEqual(["refused"]);
    sidecar.advance(HOUR_MS);
    expect((await pass(sidecar, 1, [FRIEND, w3c(TRACE)])).map(stateOf)).toEqual(["extracted"]);
  });
});
