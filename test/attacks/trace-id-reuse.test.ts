/**
 * Trace id reuse and poisoning. A sender who may choose the trace id puts his spans into somebody else's trace, or all of
 * them into one, until nobody can read it and the back end chokes on it.
 *
 * Source: https://github.com/w3c/trace-context/issues/55 ("forge trace ID collisions that make your monitoring data
 * unusable"); https://www.w3.org/TR/trace-context-2/#security-considerations.
 * Without the rule: whoever has seen one trace id, in a log, an answer or a header, writes into that trace for good.
 */

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { exchangeRaw } from "../support/wire.ts";
import {
  type Attacked,
  FRIEND,
  injectedIn,
  SPAN,
  STRANGER,
  startAttacked,
  TRACE,
  TRUSTED,
} from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ propagation: { formats: ["w3c", "jaeger", "b3"] } });
});
afterAll(() => attacked.stop());

const NOBODY = "X-Nobody: 1";

/** All spans of a trace as the page is given them; none where the store has no such trace. */
async function storedSpans(traceId: string): Promise<readonly { readonly spanID: string }[]> {
  const answer = await fetch(`http://127.0.0.1:${attacked.port.admin}/api/traces/${traceId}`);
  if (answer.status === 404) return [];
  const { data } = (await answer.json()) as { data: readonly { spans: readonly { spanID: string }[] }[] };
  return data.flatMap(({ spans }) => spans);
}

describe("a stranger", () => {
  it.each([
    { why: "W3C", lines: [`traceparent: 00-${TRACE}-${SPAN}-01`] },
    { why: "W3C, with a state", lines: [`traceparent: 00-${TRACE}-${SPAN}-01`, "tracestate: own=planted"] },
    { why: "Jaeger", lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:1`] },
    { why: "Jaeger, in capitals", lines: [`Uber-Trace-Id: ${TRACE.toUpperCase()}:${SPAN}:0:1`] },
    { why: "Jaeger, by the short id", lines: [`uber-trace-id: ${TRACE.slice(16)}:${SPAN}:0:1`] },
    { why: "B3", lines: [`b3: ${TRACE}-${SPAN}-1`] },
    {
      why: "B3 of many headers",
      lines: [`X-B3-TraceId: ${TRACE}`, `X-B3-SpanId: ${SPAN}`, "X-B3-Sampled: 1"],
    },
    { why: "a debug id as the trace's", lines: [`jaeger-debug-id: ${TRACE}`] },
    { why: "Envoy's id of a client", lines: [`x-client-trace-id: ${TRACE}`] },
    { why: "an answer's header in a request", lines: [`traceresponse: 00-${TRACE}-${SPAN}-01`] },
    { why: "Synapse's in a request", lines: [`Synapse-Trace-Id: ${TRACE}`] },
  ])("writes into no trace but his own: $why", async ({ lines }) => {
    for (const origin of [STRANGER, NOBODY]) {
      const { arrived, span } = await attacked.passIn([origin, ...lines]);
      expect(arrived).not.toContain(TRACE.slice(16));
      expect(arrived).not.toContain(SPAN);
      expect(arrived).not.toContain("planted");
      expect(span?.spanContext().traceId).toBe(injectedIn(arrived).traceId);
      expect(span?.parentSpanContext).toBeUndefined();
      expect(span?.links).toEqual([]);
    }
  });

  it("who sends one id a hundred times has a hundred traces", async () => {
    const ids = new Set<string>();
    for (let count = 0; count < 100; count++) {
      const { arrived } = await attacked.passIn([STRANGER, `traceparent: 00-${TRACE}-${SPAN}-01`]);
      ids.add(injectedIn(arrived).traceId);
    }
    expect(ids.size).toBe(100);
    expect(ids).not.toContain(TRACE);
  });

  it("who learned the ids of a trace that a friend began adds no span to it", async () => {
    const traceId = "11111111111111111111111111111111";
    const begun = await attacked.passIn([FRIEND, `traceparent: 00-${traceId}-${SPAN}-01`]);
    const own = injectedIn(begun.arrived);
    expect(own.traceId).toBe(traceId);
    await attacked.passIn([STRANGER, `traceparent: 00-${traceId}-${own.spanId}-01`]);
    await attacked.passIn([STRANGER, `uber-trace-id: ${traceId}:${own.spanId}:0:1`]);
    expect((await storedSpans(traceId)).map(({ spanID }) => spanID)).toEqual([own.spanId]);
  });

  it("who is asked, and answers with ids of his own, changes none of ours", async () => {
    attacked.answerWith(
      `HTTP/1.1 200 OK\r\ntraceparent: 00-${TRACE}-${SPAN}-01\r\ntraceresponse: 00-${TRACE}-${SPAN}-01\r\n` +
        `uber-trace-id: ${TRACE}:${SPAN}:0:1\r\nSynapse-Trace-Id: ${TRACE}\r\nContent-Length: 2\r\n\r\nok`,
    );
    const { received, span } = await attacked.passOut("stranger.test", []);
    expect(received).not.toContain(TRACE);
    expect(span?.spanContext().traceId).not.toBe(TRACE);
    attacked.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
});

describe("a whitelisted peer", () => {
  it.each([
    { why: "no id at all", lines: [`traceparent: 00-${"0".repeat(32)}-${SPAN}-01`] },
    { why: "no span", lines: [`traceparent: 00-${TRACE}-${"0".repeat(16)}-01`] },
    { why: "an id of 33 digits", lines: [`uber-trace-id: ${TRACE}1:${SPAN}:0:1`] },
    {
      why: "two ids, of which two readers take two",
      lines: [`b3: ${TRACE}-${SPAN}-1`, `b3: ${SPAN}-${SPAN}-1`],
    },
  ])("begins no trace of an id that others read otherwise: $why", async ({ lines }) => {
    const { arrived, span } = await attacked.passIn([FRIEND, ...lines]);
    expect(span?.attributes["fedtrace.context"]).toBe("refused");
    expect(injectedIn(arrived).traceId).not.toMatch(/^0+$|^d4cda95b652f4a15/);
  });

  it("can't choose the id of our span, only its parent's", async () => {
    const spanIds = new Set<string>();
    for (let count = 0; count < 20; count++) {
      const { span } = await attacked.passIn([FRIEND, `traceparent: 00-${TRACE}-${SPAN}-01`]);
      spanIds.add(span?.spanContext().spanId ?? "");
    }
    expect(spanIds.size).toBe(20);
    expect(spanIds).not.toContain(SPAN);
  });
});

describe("one id for ever", () => {
  /** Of one trace that a peer began. */
  const SPANS_MAX = 1000;
  const HOUR_MS = 3_600_000;
  const W3C = `traceparent: 00-${TRACE}-${SPAN}-01`;

  /** So many requests, one after the other. */
  async function flood(sidecar: Attacked, count: number, lines: readonly string[]): Promise<void> {
    const head = (last: readonly string[]): string =>
      `${["GET /x HTTP/1.1", "Host: own.test", ...lines, ...last].join("\r\n")}\r\n\r\n`;
    await exchangeRaw(sidecar.port.inbound, head([]).repeat(count - 1) + head(["Connection: close"]));
  }

  it("with a wish that is followed costs as many spans as a trace may have, and then none until it has rested", async () => {
    // Nothing is sampled but what a trusted peer asks for, one new trace a second.
    const sidecar = await startAttacked({ sampling: { type: "const", param: 0 } });
    onTestFinished(() => sidecar.stop());
    await flood(sidecar, SPANS_MAX - 1, [TRUSTED, W3C]);
    const inBound = await sidecar.passIn([TRUSTED, W3C]);
    expect(injectedIn(inBound.arrived)).toMatchObject({ traceId: TRACE, isSampled: true });
    expect(sidecar.spans.filter((span) => span.spanContext().traceId === TRACE)).toHaveLength(SPANS_MAX);

    // From then on whoever sends it, and by whatever format, is in a trace of his own, which nobody asked for.
    const jaeger = `uber-trace-id: ${TRACE}:${SPAN}:0:1`;
    for (const lines of [
      [TRUSTED, W3C],
      [TRUSTED, jaeger],
      [FRIEND, W3C],
    ]) {
      const { arrived, span } = await sidecar.passIn(lines);
      expect(injectedIn(arrived).traceId).not.toBe(TRACE);
      expect(injectedIn(arrived).isSampled).toBe(false);
      expect(span).toBeUndefined();
    }
    sidecar.advance(HOUR_MS);
    expect(injectedIn((await sidecar.passIn([TRUSTED, W3C])).arrived).traceId).toBe(TRACE);
  });
});
