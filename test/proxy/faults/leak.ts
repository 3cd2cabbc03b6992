/**
 * What very many faults leave behind: sockets, timers, objects and heap are counted after each of several batches, which all
 * must leave the same.
 *
 * Method: a sidecar and both of its peers in this process; the objects of a class are counted by the heap itself
 * (v8.queryObjects), so it does not matter who holds one.
 */

import { sumOf } from "../../support/metrics.ts";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect } from "node:tls";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished } from "vitest";
import { ServerConnection } from "../../../src/http1/server-connection.ts";
import { UpstreamConnection } from "../../../src/http1/upstream-connection.ts";
import { startInProcess, type TestSidecar } from "../../support/in-process.ts";
import { createDice } from "../../http1/mutations.ts";
import { turn } from "../../http1/sockets.ts";
import { type Dial, type FaultKind, runFaults, startFaultyUpstream } from "./fault-kinds.ts";

const SEED = 5;
/** Connections at a time: enough to mix the kinds, few enough for any accept queue. */
const WIDTH = 32;
/** Longer than every limit by default: a client that may only have ended its side is given five seconds, say. */
const ALL_LIMITS_MS = 400_000;

/**
 * Between the heap after the first batch and after each later one. Caches and V8's own tables still move a little (measured:
 * by less than 0.3 MB); a connection that is held is about 5 KB, so that one of 200 faults would show in 40,000.
 */
const HEAP_GROWTH_MAX_BYTES = 1_000_000;

export interface LeakRun {
  readonly kinds: readonly FaultKind[];
  /** Faults of each batch; the first one is for code to be compiled and tables to get their size. */
  readonly batches: readonly number[];
  /**
   * Whether its growth is looked at: some hundred faults are too few for code to be compiled and tables to get their size. A
   * connection that is held shows all the same, as one more object.
   */
  readonly isHeapCompared: boolean;
  /** `inbound.tls`, and how a client connects to it. */
  readonly tls?: { readonly config: object; readonly dial: (port: number) => ReturnType<Dial> };
}

const CERTIFICATES = "test/fixtures/certificates";

/** A certificate that the client doesn't look at. */
export const OWN_TLS: NonNullable<LeakRun["tls"]> = {
  config: {
    certificate: `${CERTIFICATES}/server-main.pem`,
    private_key: `${CERTIFICATES}/server-main.key`,
  },
  dial: (port) => ({
    socket: connect({ port, host: "127.0.0.1", rejectUnauthorized: false }),
    opened: "secureConnect",
  }),
};

/** Runs the batches, and expects that each leaves what the one before has left, and as many spans and counts as faults. */
export async function expectNoLeak({ kinds, batches, isHeapCompared, tls }: LeakRun): Promise<void> {
  const upstream = await startFaultyUpstream(kinds);
  const sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      ...(tls && { tls: tls.config }),
    },
    limits: { drain: "0s" },
  });
  onTestFinished(async () => {
    await sidecar.sidecar.stop();
    upstream.server.close();
  });
  const port = sidecar.port.inbound;
  const pick = createDice(SEED);
  let begun = 0;
  let failed = 0;
  let first: { readonly held: object; readonly heap: number } | undefined;
  for (const count of batches) {
    const dial = tls && (() => tls.dial(port));
    const expected = await runFaults(kinds, { port, count, width: WIDTH, pick, dial });
    await settle(sidecar, upstream.sockets);
    begun += expected;
    failed += sidecar.spans.filter((span) =>
      /[A-Z]/.test(String(span.attributes["error.type"] ?? "")),
    ).length;
    expect(sidecar.spans).toHaveLength(expected);
    expect(metric(sidecar, "fedtrace_spans_started")).toBe(begun);
    expect(metric(sidecar, "fedtrace_errors")).toBe(failed);
    sidecar.forget();
    const now = { held: countHeld(), heap: process.memoryUsage().heapUsed };
    first ??= now;
    expect(now.held).toEqual(first.held);
    if (isHeapCompared) expect(now.heap - first.heap).toBeLessThan(HEAP_GROWTH_MAX_BYTES);
  }
}

/** Waits until nothing is left but idle connections to the upstream, closes those, and waits for them too. */
async function settle(sidecar: TestSidecar, upstreams: ReadonlySet<Socket>): Promise<void> {
  const patience = { interval: 10, timeout: 10_000 };
  const isLeft = (): boolean => metric(sidecar, "fedtrace_connections") > 0;
  for (let turns = 0; turns < 50 && isLeft(); turns++) await turn();
  if (isLeft()) sidecar.advance(ALL_LIMITS_MS);
  await expect.poll(isLeft, patience).toBe(false);
  for (const socket of upstreams) socket.destroy();
  await expect.poll(() => metric(sidecar, "fedtrace_upstream_connections"), patience).toBe(0);
  await expect.poll(countSockets, patience).toBe(0);
  await turn();
}

/** What is still held: by the event loop, by the owners of deadlines, or by anybody. */
function countHeld(): Readonly<Record<string, number>> {
  const timer = Object.getPrototypeOf(setTimeout(() => undefined, 0)) as object;
  collect();
  return {
    sockets: countSockets(),
    objects: countObjects([
      timer,
      Socket.prototype,
      ServerConnection.prototype,
      UpstreamConnection.prototype,
    ]),
  };
}

/**
 * A walk of the heap for each class would be most of the test's time: all of them are one class for the moment of the count, of
 * which Duplex is the parent, since that is Socket's own.
 */
function countObjects(prototypes: readonly object[]): number {
  class Counted {}
  Object.setPrototypeOf(Counted.prototype, Duplex.prototype);
  const parents = prototypes.map((each) => Object.getPrototypeOf(each) as object);
  for (const each of prototypes) Object.setPrototypeOf(each, Counted.prototype);
  try {
    return Number(queryObjects(Counted, { format: "count" })); // node's types know only the list of them.
  } finally {
    for (const [index, each] of prototypes.entries()) Object.setPrototypeOf(each, parents[index] ?? null);
  }
}

function countSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}

function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

function metric({ sidecar }: TestSidecar, name: string): number {
  return sumOf(sidecar.registry, name);
}
