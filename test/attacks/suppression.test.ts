/**
 * Suppression. Who says "not sampled" is not seen: a sampler that follows its parent records nothing of what he does, while
 * he tries one thing after the other.
 *
 * Source: https://www.w3.org/TR/trace-context-2/#security-considerations, denial of service and "denial of monitoring" in its
 * discussion (https://github.com/w3c/trace-context/pull/157); the same lever in a real server:
 * https://github.com/artifact-keeper/artifact-keeper/issues/4195.
 * Without the rule: an attack is what is missing in the traces.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Attacked,
  injectedIn,
  linesOf,
  SENDERS,
  SPAN,
  startAttacked,
  TRACE,
  TRUSTED,
} from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ sampling: { type: "const", param: 1 } });
});
afterAll(() => attacked.stop());

const IDS = [`X-B3-TraceId: ${TRACE}`, `X-B3-SpanId: ${SPAN}`];

/** No, as each system says it. */
const NO: readonly { readonly why: string; readonly lines: readonly string[] }[] = [
  { why: "W3C: not sampled", lines: [`traceparent: 00-${TRACE}-${SPAN}-00`] },
  { why: "W3C: no bit but a reserved one", lines: [`traceparent: 00-${TRACE}-${SPAN}-80`] },
  {
    why: "OpenTelemetry: the threshold that keeps next to nothing",
    lines: [`traceparent: 00-${TRACE}-${SPAN}-00`, "tracestate: ot=th:fffffffffffff;rv:00000000000000"],
  },
  { why: "Jaeger: not sampled", lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:0`] },
  { why: "B3: deny", lines: [`b3: ${TRACE}-${SPAN}-0`] },
  { why: "B3: deny, and no ids", lines: ["b3: 0"] },
  { why: "B3 of many headers: deny", lines: [...IDS, "X-B3-Sampled: 0"] },
  { why: "B3 of many headers, as it was first", lines: [...IDS, "X-B3-Sampled: false"] },
  { why: "B3 of many headers, and no ids", lines: ["X-B3-Sampled: 0"] },
  { why: "Instana: the level that traces nothing", lines: ["X-INSTANA-L: 0"] },
  { why: "Instana, a level and more", lines: ["x-instana-l: 0,correlationType=web;correlationId=1"] },
  { why: "Datadog: drop, by the user", lines: ["x-datadog-trace-id: 1", "x-datadog-sampling-priority: -1"] },
  { why: "AWS X-Ray", lines: ["X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"] },
  { why: "Google", lines: ["X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=0"] },
  { why: "SkyWalking", lines: ["sw8: 0-MQ==-MQ==-3-c2Vydg==-aW5z-L2U=-YTo4MA=="] },
  { why: "Sentry", lines: [`sentry-trace: ${TRACE}-${SPAN}-0`] },
  { why: "Pinpoint", lines: ["Pinpoint-Sampled: s0"] },
  { why: "Linkerd 1: a rate of nothing", lines: ["l5d-sample: 0.0"] },
  { why: "Lightstep", lines: ["ot-tracer-traceid: 1", "ot-tracer-spanid: 2", "ot-tracer-sampled: false"] },
  { why: "Wavefront", lines: ["wf-ot-traceid: 1", "wf-ot-sample: false"] },
  { why: "a context that nobody can read", lines: ["traceparent: 00-0-0-00", "uber-trace-id: :::", "b3: -"] },
  { why: "ids of nothing but zeros", lines: [`traceparent: 00-${"0".repeat(32)}-${"0".repeat(16)}-00`] },
  { why: "two that disagree", lines: [`b3: ${TRACE}-${SPAN}-0`, `b3: ${TRACE}-${SPAN}-1`] },
];

describe("a no", () => {
  it.each(NO)("silences no span and no count, whoever sends it: $why", async ({ lines }) => {
    for (const [who, origin] of [...SENDERS, ["a trusted peer", [TRUSTED]] as const]) {
      const before = attacked.spans.length;
      const { arrived } = await attacked.passIn([...origin, ...lines]);
      expect(attacked.spans.length, who).toBe(before + 1);
      expect(injectedIn(arrived).isSampled, who).toBe(true);
      const sent = lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()));
      const left = linesOf(arrived).filter((line) => sent.includes(line) && !line.startsWith("tracestate:"));
      expect(left, who).toEqual([]);
    }
  });

  it.each([
    { why: "W3C", line: `traceparent: 00-${TRACE}-${SPAN}-00` },
    { why: "Jaeger", line: `uber-trace-id: ${TRACE}:${SPAN}:0:0` },
    { why: "B3", line: "b3: 0" },
  ])(
    "of the own server silences nothing either, as when it hands on what it was sent: $why",
    async ({ line }) => {
      const before = attacked.spans.length;
      const { arrived } = await attacked.passOut("friend.test", [line]);
      expect(attacked.spans.length).toBe(before + 1);
      expect(injectedIn(arrived).isSampled).toBe(true);
    },
  );

  it("was counted each time as a request, a peer and a span", async () => {
    const series = await attacked.scrape();
    const requests = NO.length * (SENDERS.length + 1);
    const inbound = (name: string): number | undefined => series.get(`${name}{direction="inbound"}`);
    expect(inbound("fedtrace_spans_started_total")).toBe(requests);
    expect(inbound("fedtrace_spans_sampled_total")).toBe(requests);
    const verdict = (word: string): number =>
      series.get(`fedtrace_peers_total{direction="inbound",verdict="${word}"}`) ?? 0;
    expect(verdict("whitelisted") + verdict("stranger")).toBe(requests);
  });
});
