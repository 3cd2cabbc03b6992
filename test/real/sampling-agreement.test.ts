/**
 * Two whole sidecars at 10 % and 50 %, 20,000 traces through both, and what each has exported: the fewer lie wholly inside the more, and
 * no exported trace lacks a span that both should have. Exact sets are read from files, and Jaeger has to hold the very same spans.
 *
 * ```
 *   A's server ──► A outbound ──► B inbound ──► B's server
 *                  CLIENT         SERVER
 * ```
 * What has to be true is in test/support/sampling-agreement.ts. A small version in one process: test/proxy/sampling-agreement.test.ts.
 */

import { join } from "node:path";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { sendLoad } from "../support/keep-alive-load.ts";
import { readSpans } from "../support/otlp-file.ts";
import { poll } from "../support/poll.ts";
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
import { ADMIN, inboundTo, OUTBOUND, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { type Jaeger, type JaegerSpan, startJaeger } from "./jaeger.ts";
import { findJaeger } from "./jaeger-binary.ts";

/** Building Jaeger, where there is none, is a matter of minutes; it happens once. */
const BUILD_TIMEOUT_MS = 40 * 60_000;
const DEADLINE_MS = 30_000;
const TRACES = 20_000;

let program: string;
beforeAll(async () => {
  program = await findJaeger();
}, BUILD_TIMEOUT_MS);

interface Exporting {
  readonly sidecar: SpawnedSidecar;
  /** Stops it, so that all is sent. */
  readonly spans: () => Promise<readonly KeptSpan[]>;
}

async function startExporting(
  name: string,
  jaeger: Jaeger,
  rate: Rate,
  rest: Readonly<Record<string, unknown>>,
): Promise<Exporting> {
  const path = join(temporaryDirectory(), "spans.jsonl");
  const sidecar = await startSidecar({
    server_name: name,
    admin: ADMIN,
    export: [{ file: { path } }, { otlp: { url: jaeger.otlpUrl } }],
    sampling: { type: "probabilistic", param: rate.probability },
    ...rest,
  });
  return {
    sidecar,
    async spans() {
      expect(await lossesOf(sidecar)).toEqual([]);
      expect(await sidecar.stop()).toBe(0);
      return readSpans(path);
    },
  };
}

/** Lines of the metrics that tell of spans that were lost, or not wanted for another reason than their R. */
async function lossesOf({ port }: SpawnedSidecar): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${port.admin}/metrics`);
  const lines = (await response.text()).split("\n");
  expect(lines.some((line) => line.startsWith("fedtrace_sampling_decisions_total{"))).toBe(true);
  return lines.filter((line) =>
    /^fedtrace_(?:spans_dropped_total|sampling_withheld_total)\{.* [1-9]/.test(line),
  );
}

/** What Jaeger shows of a span, in one line. */
function lineOf(service: string, { traceId, spanId, parentSpanId = "none", traceState }: KeptSpan): string {
  return `${service} ${traceId} ${spanId} child of ${parentSpanId}, ${traceState}`;
}

function jaegerLineOf(service: string, { traceID, spanID, references, tags }: JaegerSpan): string {
  const parentSpanId = references.find(({ refType }) => refType === "CHILD_OF")?.spanID;
  const said = tags.find(({ key }) => key === "w3c.tracestate")?.value;
  const traceState = typeof said === "string" ? said : "";
  return lineOf(service, { traceId: traceID, spanId: spanID, parentSpanId, kind: 0, traceState });
}

/** All lines of a service's traces, once there are so many of both services. */
async function jaegerLines(jaeger: Jaeger, service: string, count: number): Promise<readonly string[]> {
  let last: readonly string[] = [];
  await poll(async () => {
    const traces = await jaeger.tracesOf(service);
    last = traces.flatMap(({ spans, processes }) =>
      spans.map((span) => jaegerLineOf(processes[span.processID]?.serviceName ?? "none", span)),
    );
    return last.length >= count ? true : undefined;
  }, DEADLINE_MS);
  return last.toSorted();
}

it.each<{ why: string; rateA: Rate; rateB: Rate; contexts: Contexts }>([
  { why: "A keeps 10 %, B 50 %", rateA: TENTH, rateB: HALF, contexts: "new" },
  { why: "A keeps 50 %, B 10 %", rateA: HALF, rateB: TENTH, contexts: "new" },
  { why: "10 % and 50 % of traces that A's server began", rateA: TENTH, rateB: HALF, contexts: "own" },
])("of 20,000 traces the fewer lie inside the more, none torn: $why", async ({ rateA, rateB, contexts }) => {
  const [jaeger, dns, server] = await Promise.all([
    startJaeger(program),
    startDnsServer({ "b.test": { A: ["127.0.0.1"] } }),
    serverBehind(),
  ]);
  onTestFinished(async () => {
    server.stop();
    dns.stop();
    await jaeger.stop();
  });
  const b = await startExporting("b.test", jaeger, rateB, {
    inbound: inboundTo(server.port),
    whitelist: ["a\\.test"],
  });
  const a = await startExporting("a.test", jaeger, rateA, {
    outbound: { ...OUTBOUND, resolver: `${dns.resolver.host}:${dns.resolver.port}` },
    whitelist: ["b\\.test"],
  });

  const load = agreementLoad(TRACES, `b.test:${b.sidecar.port.inbound}`, contexts);
  await sendLoad(a.sidecar.port.outbound, load.heads);
  const { traceparents } = server;
  expect(traceparents).toHaveLength(TRACES);
  const [spansOfA, spansOfB] = await Promise.all([a.spans(), b.spans()]);
  const counts = expectAgreement({
    load,
    traceparents,
    a: { rate: rateA, spans: spansOfA },
    b: { rate: rateB, spans: spansOfB },
  });

  const services = { a: "a.test fedtrace", b: "b.test fedtrace" };
  const linesOfA = spansOfA.map((span) => lineOf(services.a, span));
  const linesOfB = spansOfB.map((span) => lineOf(services.b, span));
  // All traces of who keeps more are all there are.
  const most = counts.a > counts.b ? services.a : services.b;
  const lines = [...linesOfA, ...linesOfB].toSorted();
  expect(await jaegerLines(jaeger, most, lines.length)).toEqual(lines);
});
