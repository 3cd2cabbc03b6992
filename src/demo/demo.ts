/**
 * `demo`: small federating servers in one process, talking to each other, two of them behind a sidecar of their own.
 *
 * ```
 *   one.demo ──► its sidecar (out) ──► two.demo's sidecar (in) ──► two.demo
 *                two.demo asks for one.demo's key the same way back, within the same trace
 * ```
 * With `--requests N` just that, N times. Without, a stranger and others join in (traffic.ts), and the trace page of
 * one.demo's sidecar shows what happens. Nothing else is needed. Where something listens on 127.0.0.1:4318, traces are sent
 * there as well.
 */

import { connect } from "node:net";
import { type Sidecar, startSidecar } from "../app.ts";
import { EXIT, type ExitStatus } from "../commands/output.ts";
import type { RunTools } from "../commands/run.ts";
import { type Config, mergeConfig } from "../config/merge.ts";
import { readOtelEnvironment } from "../config/otel-environment.ts";
import { checkSchema } from "../config/schema.ts";
import { createSystemClock } from "../core/clock.ts";
import { FedtraceError } from "../core/errors.ts";
import { createLog } from "../core/log.ts";
import { createRandom } from "../core/random.ts";
import { createFanOut } from "../export/fan-out.ts";
import type { SpanRecord, SpanSink } from "../span/record.ts";
import { type Homeserver, startHomeserver } from "./homeserver.ts";
import { formatTrace } from "./trace-tree.ts";
import { type Cast, formatGuide, type Member, playTick } from "./traffic.ts";

const OTLP_PORT = 4318;
const PROBE_MS = 300;
/** Where a sidecar's admin listener usually is; another port where somebody else has it. */
const ADMIN_PORT = 9470;
/** Without --requests: so often something is sent, until it is stopped. */
const STEADY_MS = 1000;
/** Ticks that are played at once, so that the page has something to show from the beginning. */
const TICKS_AT_ONCE = 12;
/** Spans of the trace that is printed: send, receive, ask for the key, be asked. */
const SPANS_OF_A_TRACE = 4;

interface Site extends Member {
  readonly sidecar: Sidecar;
  readonly outboundPort: number;
  /** Of the trace page; undefined where there is none. */
  readonly adminAddress: string | undefined;
}

interface SiteOptions {
  readonly host: string;
  readonly spans: SpanSink;
  readonly isCollected: boolean;
  /** Undefined: no admin listener. */
  readonly adminPort: number | undefined;
  readonly pageDirectory: string;
}

/** @param requests how many transactions to send before it stops; undefined: until a signal */
export async function demoCommand(requests: number | undefined, tools: RunTools): Promise<ExitStatus> {
  const { output, signals, pageDirectory } = tools;
  const seen = createFirstTrace();
  const isCollected = await isListening(OTLP_PORT);
  const adminPort = requests !== undefined ? undefined : (await isListening(ADMIN_PORT)) ? 0 : ADMIN_PORT;
  const shared = { isCollected, pageDirectory };
  const one = await startSite({ ...shared, host: "one.demo", spans: seen, adminPort });
  const spans = createFanOut(one.sidecar.store === undefined ? [seen] : [seen, one.sidecar.store]);
  const two = await startSite({ ...shared, host: "two.demo", spans, adminPort: undefined });
  for (const { homeserver, name, outboundPort } of [one, two])
    homeserver.join(name, { host: "127.0.0.1", port: outboundPort });
  output.line(`${one.name} and ${two.name} federate, each behind its own sidecar`);

  const failures = new Map<number, number>();
  const count = (status: number): void => {
    if (status !== 200) failures.set(status, (failures.get(status) ?? 0) + 1);
  };
  const first = await one.homeserver.sendTransaction(two.name, "demo0");
  count(first);
  if (first === 200) {
    await seen.isWhole;
    for (const line of formatTrace(seen.spans())) output.line(line);
    output.line("Both sidecars are in one trace, because each has the other on its whitelist.");
    if (isCollected) output.line(`Sent to 127.0.0.1:${OTLP_PORT} too: look for the services in Jaeger.`);
  }
  const others: Homeserver[] = [];
  if (requests === undefined) {
    const cast = await gatherCast(one, two);
    others.push(cast.careless.homeserver, cast.stranger.homeserver);
    output.line("");
    output.line(`The page: http://${one.adminAddress ?? ""}/`);
    for (const line of formatGuide(cast)) output.line(line);
    output.line("Sending on, something each second; Ctrl-C ends it.");
    await playUntil(signals.stop, cast);
  } else {
    for (let sent = 1; sent < requests; sent++) {
      count(await one.homeserver.sendTransaction(two.name, `demo${sent}`));
    }
  }

  for (const homeserver of [...others, one.homeserver, two.homeserver]) homeserver.stop();
  for (const { sidecar } of [one, two]) await sidecar.stop();
  for (const [status, times] of failures) output.errorLine(`${times} transactions were answered ${status}`);
  if (requests !== undefined) output.line(`${requests} transactions sent, ${seen.total()} spans recorded`);
  return failures.size === 0 ? EXIT.OK : EXIT.CANNOT_START;
}

/** Those without a sidecar. Their names resolve to this machine as all of the demo's do. */
async function gatherCast(one: Member, two: Member): Promise<Cast> {
  const [careless, stranger] = await Promise.all(
    ["careless.demo", "stranger.demo"].map(async (host): Promise<Member> => {
      const homeserver = await startHomeserver();
      const name = `${host}:${homeserver.port}`;
      homeserver.join(name, undefined);
      return { name, homeserver };
    }),
  );
  if (careless === undefined || stranger === undefined)
    throw new FedtraceError("INTERNAL", "the cast is two");
  return { one, two, careless, stranger };
}

async function playUntil(stop: Promise<unknown>, cast: Cast): Promise<void> {
  let isStopped = false;
  const stopped = stop.then(() => {
    isStopped = true;
  });
  for (let tick = 1; !isStopped; tick++) {
    await Promise.race([playTick(cast, tick), stopped]);
    if (tick > TICKS_AT_ONCE) await Promise.race([pause(STEADY_MS), stopped]);
  }
}

async function startSite(options: SiteOptions): Promise<Site> {
  const homeserver = await startHomeserver();
  const addresses = new Map<string, string>();
  const sidecar = await startSidecar(demoConfig(options, homeserver.port), {
    clock: createSystemClock(),
    random: createRandom(),
    log: createLog("error"), // What fails here fails on purpose, and the page shows it.
    resolve: (name) =>
      name.endsWith(".demo") && name !== "gone.demo"
        ? Promise.resolve(["127.0.0.1"])
        : Promise.reject(new Error(name)),
    spans: options.spans,
    pageDirectory: options.pageDirectory,
    onListening: (name, address) => void addresses.set(name, address),
  });
  const portOf = (name: string): number => Number(/\d+$/.exec(addresses.get(name) ?? "")?.[0]);
  return {
    name: `${options.host}:${portOf("inbound")}`,
    homeserver,
    sidecar,
    outboundPort: portOf("outbound"),
    adminAddress: addresses.get("admin"),
  };
}

/** The file a user would write, in the form that a file is parsed to. */
function demoConfig({ host, isCollected, adminPort }: SiteOptions, upstreamPort: number): Config {
  const checked = checkSchema({
    server_name: host,
    inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstreamPort}` },
    outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
    whitelist: ["(one|two)\\.demo", { glob: "careless.demo" }],
    sampling: { type: "const", param: 1 },
    export: isCollected ? [{ otlp: { url: `http://127.0.0.1:${OTLP_PORT}/v1/traces` } }] : [],
    ...(adminPort === undefined ? {} : { admin: { listen: `127.0.0.1:${adminPort}` } }),
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
