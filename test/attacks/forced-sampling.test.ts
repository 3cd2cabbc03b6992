/**
 * Forced sampling. Whoever may set a "sampled" or debug flag has every request of his recorded, exported and paid for, at the
 * rate that he chooses; a debug id goes past rate limits too, by design.
 *
 * Source: https://github.com/w3c/trace-context/issues/55 ("overwhelm your application with tracing overhead … or run up your
 * tracing bill"); it happened: https://github.com/open-telemetry/opentelemetry-dotnet/issues/3594; on debug ids
 * https://github.com/jaegertracing/documentation/issues/349.
 * Without the rule: one request in a million becomes every request, for anybody who knows a header's name.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw } from "../support/wire.ts";
import {
  type Attacked,
  from,
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
  // Nothing is sampled that nobody forces.
  attacked = await startAttacked({
    sampling: { type: "const", param: 0 },
    propagation: { formats: ["w3c", "jaeger", "b3"] },
  });
});
afterAll(() => attacked.stop());

const IDS = [`X-B3-TraceId: ${TRACE}`, `X-B3-SpanId: ${SPAN}`];

/** Yes, as each system says it. */
const FLAGS: readonly { readonly why: string; readonly lines: readonly string[] }[] = [
  { why: "W3C: sampled", lines: [`traceparent: 00-${TRACE}-${SPAN}-01`] },
  { why: "W3C level 2: sampled and random", lines: [`traceparent: 00-${TRACE}-${SPAN}-03`] },
  { why: "W3C: all bits, reserved ones too", lines: [`traceparent: 00-${TRACE}-${SPAN}-ff`] },
  { why: "W3C: a later version", lines: [`traceparent: 01-${TRACE}-${SPAN}-01-more`] },
  {
    why: "OpenTelemetry: the threshold that keeps everything",
    lines: [`traceparent: 00-${TRACE}-${SPAN}-01`, "tracestate: ot=th:0;rv:ffffffffffffff"],
  },
  { why: "Jaeger: sampled", lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:1`] },
  { why: "Jaeger: sampled and debug", lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:3`] },
  { why: "Jaeger: firehose and the rest", lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:f`] },
  { why: "Jaeger, quoted as a URL", lines: [`uber-trace-id: ${TRACE}%3A${SPAN}%3A0%3A1`] },
  { why: "B3: accept", lines: [`b3: ${TRACE}-${SPAN}-1`] },
  { why: "B3: accept, and no ids", lines: ["b3: 1"] },
  { why: "B3 of many headers", lines: [...IDS, "X-B3-Sampled: 1"] },
  { why: "B3 of many headers, as it was first", lines: [...IDS, "X-B3-Sampled: true"] },
  { why: "B3 of many headers, and no ids", lines: ["X-B3-Sampled: 1"] },
  { why: "Datadog: keep, by the user", lines: ["x-datadog-trace-id: 1", "x-datadog-sampling-priority: 2"] },
  { why: "AWS X-Ray", lines: ["X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"] },
  { why: "Google", lines: ["X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1"] },
  { why: "gRPC, OpenCensus", lines: ["grpc-trace-bin: AAARAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAg=="] },
  { why: "SkyWalking", lines: ["sw8: 1-MQ==-MQ==-3-c2Vydg==-aW5z-L2U=-YTo4MA=="] },
  { why: "Sentry", lines: [`sentry-trace: ${TRACE}-${SPAN}-1`] },
  { why: "Instana", lines: [`X-INSTANA-T: ${TRACE}`, `X-INSTANA-S: ${SPAN}`, "X-INSTANA-L: 1"] },
  { why: "Elastic before W3C", lines: [`elastic-apm-traceparent: 00-${TRACE}-${SPAN}-01`] },
  { why: "Lightstep", lines: ["ot-tracer-traceid: 1", "ot-tracer-spanid: 2", "ot-tracer-sampled: true"] },
  { why: "Wavefront", lines: ["wf-ot-traceid: 1", "wf-ot-sample: true"] },
  { why: "Pinpoint", lines: ["Pinpoint-TraceID: a^1^1", "Pinpoint-Sampled: s1"] },
];

/** What asks for more than "sampled": no wish that counts, from anybody. */
const DEBUG: typeof FLAGS = [
  { why: "Jaeger: debug alone", lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:2`] },
  { why: "Jaeger: a debug id", lines: ["jaeger-debug-id: find-me"] },
  { why: "Jaeger: a debug id, in capitals", lines: ["JAEGER-DEBUG-ID: find-me"] },
  {
    why: "Synapse: its own word for force, as baggage",
    lines: [`uber-trace-id: ${TRACE}:${SPAN}:0:2`, "Uberctx-Synapse-Force-Tracing: 1"],
  },
  { why: "B3: debug", lines: [`b3: ${TRACE}-${SPAN}-d`] },
  { why: "B3: debug, and no ids", lines: ["b3: d"] },
  { why: "B3 of many headers: debug", lines: [...IDS, "X-B3-Flags: 1"] },
  { why: "B3 of many headers: debug as a state", lines: [...IDS, "X-B3-Sampled: d"] },
  { why: "Envoy: force", lines: ["x-envoy-force-trace: true", "x-client-trace-id: find-me"] },
  { why: "Instana: a synthetic call", lines: ["X-INSTANA-SYNTHETIC: 1"] },
  { why: "Linkerd 1: a rate for me alone", lines: ["l5d-sample: 1.0"] },
  { why: "SolarWinds: a trace on demand", lines: ["X-Trace-Options: trigger-trace;sw-keys=mine"] },
  { why: "AppDynamics: a snapshot", lines: ["appdynamicssnapshotenabled: true"] },
  { why: "New Relic: a synthetic monitor", lines: ["X-NewRelic-Synthetics: a"] },
];

/** Nothing was recorded, the own server is told so in every format, and what was sent is gone. */
async function expectNothingForced(origin: readonly string[], lines: readonly string[]): Promise<void> {
  const known = attacked.spans.length;
  const { arrived, received } = await attacked.passIn([...origin, ...lines]);
  expect(received).toMatch(/^HTTP\/1\.1 200 /);
  expect(attacked.spans.length).toBe(known);
  expect(injectedIn(arrived).isSampled).toBe(false);
  const sent = lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()));
  // W3C's state travels with a context that was taken, and asks nothing of anybody here.
  const left = linesOf(arrived).filter((line) => sent.includes(line) && !line.startsWith("tracestate:"));
  expect(left).toEqual([]);
}

describe("a flag", () => {
  it.each(FLAGS)("forces nothing, whoever sends it: $why", async ({ lines }) => {
    for (const [, origin] of SENDERS) await expectNothingForced(origin, lines);
  });
});

describe("debug", () => {
  it.each(DEBUG)("forces nothing, not even from a trusted peer: $why", async ({ lines }) => {
    for (const [, origin] of SENDERS) await expectNothingForced(origin, lines);
    await expectNothingForced([TRUSTED], lines);
  });

  it("nothing was counted as sampled of all that", async () => {
    const series = await attacked.scrape();
    expect(series.get('fedtrace_spans_sampled_total{direction="inbound"}')).toBe(0);
  });
});

describe("the budget of a trusted peer", () => {
  const spellings = ["trusted.test", "TRUSTED.test", "trusted.test.", "Trusted.Test.:8448"];

  it("is one, however its name is spelled and whatever port stands behind it", async () => {
    const known = attacked.spans.length;
    const names = [...spellings, ...Array.from({ length: 20 }, (_, at) => `trusted.test:${1000 + at}`)];
    for (const [at, name] of names.entries()) {
      await attacked.passIn([from(name), `traceparent: 00-${String(at + 1).padStart(32, "0")}-${SPAN}-01`]);
    }
    const forced = attacked.spans.length - known;
    // The bucket starts full and refills by one a second.
    expect(forced).toBeGreaterThanOrEqual(1);
    expect(forced).toBeLessThanOrEqual(3);
  });
});

describe("the own server's yes", () => {
  it("is not everybody's: a caller of the way out without the shared secret forces nothing", async () => {
    const guarded = await startAttacked({
      sampling: { type: "const", param: 0 },
      outbound: { listen: "127.0.0.1:0", shared_secret: "s", allow_networks: ["127.0.0.0/8"] },
    });
    const lines = [
      "Host: a.test",
      `traceparent: 00-${TRACE}-${SPAN}-01`,
      "jaeger-debug-id: x",
      "Connection: close",
    ];
    const text = `GET http://a.test/x HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
    expect(await exchangeRaw(guarded.port.outbound, text)).toContain("407");
    expect(guarded.spans).toEqual([]);
    await guarded.stop();
  });
});
