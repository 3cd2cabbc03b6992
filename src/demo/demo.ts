/**
 * `demo`: two small federating servers in one process, each behind its own sidecar, talking to each other.
 *
 * ```
 *   one.demo ──► its sidecar (out) ──► two.demo's sidecar (in) ──► two.demo
 *                two.demo asks for one.demo's key the same way back, within the same trace
 * ```
 * Nothing else is needed. Where something listens on 127.0.0.1:4318, traces are sent there as well.
 */

import { connect } from "node:net";
import { type Sidecar, startSidecar } from "../app.ts";
import { EXIT, type ExitStatus, type Output } from "../commands/output.ts";
import type { Signals } from "../commands/run.ts";
import { type Config, mergeConfig } from "../config/merge.ts";
import { readOtelEnvironment } from "../config/otel-environment.ts";
import { checkSchema } from "../config/schema.ts";
import { createSystemClock } from "../core/clock.ts";
import { FedtraceError } from "../core/errors.ts";
import { createLog } from "../core/log.ts";
import { createRandom } from "../core/random.ts";
import type { SpanRecord, SpanSink } from "../span/record.ts";
import { type Homeserver, startHomeserver } from "./homeserver.ts";
import { formatTrace } from "./trace-tree.ts";

const OTLP_PORT = 4318;
const PROBE_MS = 300;
/** Without --requests: one transaction a second until it is stopped. */
const STEADY_MS = 1000;
/** Spans of the trace that is printed: send, receive, ask for the key, be asked. */
const SPANS_OF_A_TRACE = 4;

interface Site {
  readonly name: string;
  readonly homeserver: Homeserver;
  readonly sidecar: Sidecar;
  readonly outboundPort: number;
}

/** @param requests how many transactions to send before it stops; undefined: until a signal */
export async function demoCommand(
  requests: number | undefined,
  output: Output,
  signals: Signals,
): Promise<ExitStatus> {
  const seen = createFirstTrace();
  const isCollected = await isListening(OTLP_PORT);
  const one = await startSite("one.demo", isCollected, seen);
  const two = await startSite("two.demo", isCollected, seen);
  for (const { homeserver, name, outboundPort } of [one, two]) homeserver.join(name, outboundPort);
  output.line(`${one.name} and ${two.name} federate, each behind its own sidecar`);

  let isStopped = false;
  const stopped = signals.stop.then(() => {
    isStopped = true;
  });
  const failures = new Map<number, number>();
  const count = requests ?? Number.POSITIVE_INFINITY;
  for (let sent = 0; sent < count && !isStopped; sent++) {
    const status = await one.homeserver.sendTransaction(two.name, `demo${sent}`);
    if (status !== 200) failures.set(status, (failures.get(status) ?? 0) + 1);
    if (sent === 0 && status === 200) {
      await seen.isWhole;
      for (const line of formatTrace(seen.spans())) output.line(line);
      output.line("Both sidecars are in one trace, because each has the other on its whitelist.");
      if (isCollected) output.line(`Sent to 127.0.0.1:${OTLP_PORT} too: look for the services in Jaeger.`);
      if (requests === undefined) output.line("Sending on, one transaction a second; Ctrl-C ends it.");
    }
    if (requests === undefined) await Promise.race([pause(STEADY_MS), stopped]);
  }

  for (const { sidecar, homeserver } of [one, two]) {
    homeserver.stop();
    await sidecar.stop();
  }
  for (const [status, times] of failures) output.errorLine(`${times} transactions were answered ${status}`);
  if (requests !== undefined) output.line(`${requests} transactions sent, ${seen.total()} spans recorded`);
  return failures.size === 0 ? EXIT.OK : EXIT.CANNOT_START;
}

async function startSite(host: string, isCollected: boolean, spans: SpanSink): Promise<Site> {
  const homeserver = await startHomeserver();
  const ports = new Map<string, string>();
  const sidecar = await startSidecar(demoConfig(host, homeserver.port, isCollected), {
    clock: createSystemClock(),
    random: createRandom(),
    log: createLog("warn"),
    resolve: (name) =>
      name.endsWith(".demo") ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error(name)),
    spans,
    onListening: (name, address) => void ports.set(name, address.slice(address.lastIndexOf(":") + 1)),
  });
  const name = `${host}:${ports.get("inbound") ?? ""}`;
  return { name, homeserver, sidecar, outboundPort: Number(ports.get("outbound")) };
}

/** The file a user would write, in the form that a file is parsed to. */
function demoConfig(host: string, upstreamPort: number, isCollected: boolean): Config {
  const checked = checkSchema({
    server_name: host,
    inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstreamPort}` },
    outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
    whitelist: ["(one|two)\\.demo"],
    sampling: { type: "const", param: 1 },
    export: isCollected ? [{ otlp: { url: `http://127.0.0.1:${OTLP_PORT}/v1/traces` } }] : [],
  });
  if ("findings" in checked) {
    throw new FedtraceError("CONFIG_INVALID", checked.findings.map(({ message }) => message).join("; "));
  }
  return mergeConfig(checked.file, readOtelEnvironment({}));
}

interface FirstTrace extends SpanSink {
  /** Resolves when all spans of the first trace have ended. */
  readonly isWhole: Promise<void>;
  spans(): readonly SpanRecord[];
  total(): number;
}

/** Keeps the spans of the first trace, counts the others. */
function createFirstTrace(): FirstTrace {
  const spans: SpanRecord[] = [];
  let total = 0;
  let finish: () => void = () => undefined;
  const isWhole = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return {
    isWhole,
    spans: () => spans,
    total: () => total,
    onEnd(span) {
      total++;
      const [first] = spans;
      if (first !== undefined && first.fields.context.traceId !== span.fields.context.traceId) return;
      if (spans.length < SPANS_OF_A_TRACE) spans.push(span);
      if (spans.length === SPANS_OF_A_TRACE) finish();
    },
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: PROBE_MS });
    const end = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
