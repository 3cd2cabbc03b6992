/**
 * What two sidecars at different rates keep of the same traces: the fewer are among the more, and every trace that both should have has
 * both its spans. Two thousand traces in one process; 20,000 through whole sidecars are in test/real/sampling-agreement.test.ts.
 */

import { expect, it, onTestFinished } from "vitest";
import { startInProcess } from "../support/in-process.ts";
import { sendLoad } from "../support/keep-alive-load.ts";
import {
  agreementLoad,
  type Contexts,
  expectAgreement,
  HALF,
  type KeptSpan,
  type Rate,
  serverBehind,
  TENTH,
} from "../support/sampling-agreement.ts";
import { inboundTo, OUTBOUND } from "../support/sidecar.ts";
import type { SpanRecord } from "../../src/span/record.ts";

/** Of each way round. */
const TRACES = 1000;
/** A record counts kinds from 0 (OpenTelemetry's API), OTLP from 1. */
const OTLP_KINDS_FROM = 1;

function toKept(span: SpanRecord): KeptSpan {
  return {
    traceId: span.traceId,
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    kind: span.kind + OTLP_KINDS_FROM,
    traceState: span.spanContext().traceState?.serialize() ?? "",
  };
}

it.each<{ why: string; rateA: Rate; rateB: Rate; contexts: Contexts }>([
  { why: "A keeps fewer", rateA: TENTH, rateB: HALF, contexts: "new" },
  { why: "B keeps fewer, and R is A's server's", rateA: HALF, rateB: TENTH, contexts: "own" },
])("the traces of one are among the other's: $why", async ({ rateA, rateB, contexts }) => {
  const server = await serverBehind();
  const b = await startInProcess({
    server_name: "b.test",
    inbound: inboundTo(server.port),
    whitelist: ["a\\.test"],
    sampling: { type: "probabilistic", param: rateB.probability },
  });
  const a = await startInProcess({
    server_name: "a.test",
    outbound: OUTBOUND,
    whitelist: ["b\\.test"],
    sampling: { type: "probabilistic", param: rateA.probability },
  });
  const stop = async (): Promise<void> => {
    await Promise.all([a.sidecar.stop(), b.sidecar.stop()]);
    server.stop();
  };
  onTestFinished(stop);

  const load = agreementLoad(TRACES, `b.test:${b.port.inbound}`, contexts);
  await sendLoad(a.port.outbound, load.heads);
  await stop(); // A span ends with the answer's last byte, which the client may see a moment before.
  const { traceparents } = server;
  expect(traceparents).toHaveLength(TRACES);
  expectAgreement({
    load,
    traceparents,
    a: { rate: rateA, spans: a.spans.map(toKept) },
    b: { rate: rateB, spans: b.spans.map(toKept) },
  });
});
