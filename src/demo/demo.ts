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
import { EXIT, type ExitStatus } from "../commands/output.ts";
import type { RunTools } from "../commands/run.ts";
import { FedtraceError } from "../core/errors.ts";
import { createFanOut } from "../export/fan-out.ts";
import { createFirstTrace } from "./first-trace.ts";
import type { FetchServerKeys } from "../app-proof.ts";
import { type Homeserver, startHomeserver } from "./homeserver.ts";
import { OTLP_PORT, type Site, startFirstSite, startSite } from "./site.ts";
import { formatTrace } from "./trace-tree.ts";
import { type Cast, formatGuide, type Member, playTick } from "./traffic.ts";

const PROBE_MS = 300;
/** Without --requests: so often something is sent, until it is stopped. */
const STEADY_MS = 1000;
/** Ticks that are played at once, so that the page has something to show from the beginning. */
const TICKS_AT_ONCE = 12;

/** @param requests how many transactions to send before it stops; undefined: until a signal */
export async function demoCommand(requests: number | undefined, tools: RunTools): Promise<ExitStatus> {
  const { output, signals, pageDirectory } = tools;
  const seen = createFirstTrace();
  const isCollected = await isListening(OTLP_PORT);
  const members = new Map<string, Homeserver>();
  const keysOf: FetchServerKeys = ({ name }) => Promise.resolve(members.get(name)?.keyDocument());
  const shared = { isCollected, pageDirectory, keysOf };
  const one = await startFirstSite({ ...shared, host: "one.demo", spans: seen }, requests === undefined);
  const spans = createFanOut(one.sidecar.store === undefined ? [seen] : [seen, one.sidecar.store]);
  const two = await startSite({ ...shared, host: "two.demo", spans, adminPort: undefined });
  for (const { homeserver, name, outboundPort } of [one, two]) {
    homeserver.join(name, { host: "127.0.0.1", port: outboundPort });
    members.set(name, homeserver);
  }
  // As if they had met before: a first request is not waited for a key, and would begin a trace of its own.
  await Promise.all([learnKeys(one, two.name), learnKeys(two, one.name)]);
  output.line(`${one.name} and ${two.name} federate, each behind its own sidecar`);

  const stop = watchStop(signals.stop);
  const failures = new Map<number, number>();
  let sent = 0;
  async function send(): Promise<number> {
    const status = await one.homeserver.sendTransaction(two.name, `demo${sent++}`);
    if (status !== 200) failures.set(status, (failures.get(status) ?? 0) + 1);
    return status;
  }
  if ((await send()) === 200) {
    await seen.isWhole;
    for (const line of formatTrace(seen.spans())) output.line(line);
    output.line("Both sidecars are in one trace, because each has the other on its whitelist.");
    if (isCollected) output.line(`Sent to 127.0.0.1:${OTLP_PORT} too: look for the services in Jaeger.`);
  }
  if (requests === undefined) await playOnPage(one, two, { members, stop }, tools);
  else while (sent < requests && !stop.isStopped()) await send();

  for (const { sidecar, homeserver } of [one, two]) {
    homeserver.stop();
    await sidecar.stop();
  }
  for (const [status, times] of failures) output.errorLine(`${times} transactions were answered ${status}`);
  if (requests !== undefined) output.line(`${sent} transactions sent, ${seen.total()} spans recorded`);
  return failures.size === 0 ? EXIT.OK : EXIT.CANNOT_START;
}

/** Keys are fetched one after the other, a quarter of a second apart. */
async function learnKeys({ sidecar }: Site, name: string): Promise<void> {
  for (let tries = 0; tries < KEY_TRIES && !(await sidecar.learnKeys(name)); tries++)
    await pause(KEY_PAUSE_MS);
}

const KEY_TRIES = 20;
const KEY_PAUSE_MS = 100;

/** A signal, to be waited for or looked at. */
interface Stop {
  readonly stopped: Promise<void>;
  readonly isStopped: () => boolean;
}

function watchStop(signal: Promise<unknown>): Stop {
  let isStopped = false;
  const stopped = signal.then(() => {
    isStopped = true;
  });
  return { stopped, isStopped: () => isStopped };
}

/** The others join in, until the signal. */
async function playOnPage(
  one: Site,
  two: Member,
  { members, stop }: { readonly members: Map<string, Homeserver>; readonly stop: Stop },
  { output }: RunTools,
): Promise<void> {
  const cast = await gatherCast(one, two);
  for (const { name, homeserver } of [cast.careless, cast.stranger]) members.set(name, homeserver);
  await learnKeys(one, cast.careless.name);
  output.line("");
  output.line(`The page: http://${one.adminAddress ?? ""}/`);
  for (const line of formatGuide(cast)) output.line(line);
  output.line("Sending on, something each second; Ctrl-C ends it.");
  for (let tick = 1; !stop.isStopped(); tick++) {
    await Promise.race([playTick(cast, tick), stop.stopped]);
    if (tick > TICKS_AT_ONCE) await Promise.race([pause(STEADY_MS), stop.stopped]);
  }
  cast.careless.homeserver.stop();
  cast.stranger.homeserver.stop();
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
