/**
 * The bar of proof: 100,000 forged requests with 100,000 distinct names, all of which the whitelist takes, buy nothing: no span with an id
 * of theirs, no memory, at most ten key fetches in any second; and an honest peer is served as before.
 *
 * Method: the sidecar as users run it, in a process of its own; the forger and the server behind in threads (forged-crowd.mjs); the names'
 * DNS server and an honest peer with its key server in this one. The forger sends at a steady rate over kept connections, each request in a
 * name of its own with a sampled context, every tenth in the honest peer's name with a signature of nobody's, every fourth with a body. The
 * honest peer sends twenty signed requests a second: alone, beside as many requests that name nobody, and in the flood; the quantiles of its
 * times are printed, not asserted: this machine is shared.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { startWeb } from "../discovery/web.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { createMatrixSigner, type MatrixSigner } from "../support/matrix-signer.ts";
import { ADMIN, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";

const NAMES = 100_000;
/** Requests a second. */
const RATE = 1800;
const CONNECTIONS = 18;
const HONEST_EVERY_MS = 50;
/** Alone, and then beside requests that name nobody. */
const CALM_MS = 15_000;
const OWN = "own.test";
const URI = "/_matrix/federation/v1/send/1";
/** How every trace id of the forger's begins, and of the honest peer's: the sidecar's begin so once in 2^64 requests. */
const FOREIGN = "0000dead0000dead";
const HONEST = "4bf92f3577b34da6";

/** What V8 holds may move by so much without a cause; 75,000 names that were kept would be 15 MB at least. */
const HEAP_NOISE_BYTES = 4e6;
/** `metrics.top` unless told: names that a label shows. */
const METRICS_TOP = 20;
/** In any second: the bar. */
const FETCHES_MAX = 10;

/** A client that sends one request after the other on a kept connection. @returns how long each took, in milliseconds */
function createCaller(port: number): (request: string) => Promise<number> {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  let received = "";
  let answered: () => void = () => undefined;
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    received += chunk;
    if (!received.endsWith("\r\n\r\nok")) return;
    received = "";
    answered();
  });
  return async (request) => {
    const fromMs = performance.now();
    await new Promise<void>((done) => {
      answered = done;
      socket.write(request);
    });
    return performance.now() - fromMs;
  };
}

interface Seen {
  /** Requests that arrived behind the sidecar in a trace of the forger's, or of the honest peer's. */
  readonly foreign: number;
  readonly honest: number;
  readonly total: number;
}

function startThread(role: "server" | "forger"): Worker {
  const workerData = { role, foreign: FOREIGN, honest: HONEST };
  const thread = new Worker("./test/real/forged-crowd.mjs", { workerData });
  onTestFinished(async () => void (await thread.terminate()));
  return thread;
}

/** What a thread says next. */
async function answerOf<T>(thread: Worker, order?: object): Promise<T> {
  const answer = once(thread, "message") as Promise<[T]>;
  if (order !== undefined) thread.postMessage(order);
  return (await answer)[0];
}

/** How many different names were looked up, in the busiest second. */
function createBusiestSecond(takeQueries: () => readonly string[]): { look(): void; readonly count: number } {
  const lookedUp = new Map<string, number>();
  let count = 0;
  return {
    look() {
      const nowMs = performance.now();
      for (const query of takeQueries()) {
        const name = query.slice(query.indexOf(" ") + 1);
        if (name.endsWith(".forged.test") && !lookedUp.has(name)) lookedUp.set(name, nowMs);
      }
      const recent = [...lookedUp.values()].filter((atMs) => nowMs - atMs < 1000).length;
      count = Math.max(count, recent);
    },
    get count() {
      return count;
    },
  };
}

function quantiles(values: readonly number[]): string {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(2);
  return `${at(0.5)} and ${at(0.99)} (${values.length})`;
}

async function heapOf(probePath: string): Promise<number> {
  const told = JSON.parse(await text(connect(probePath))) as { readonly heapUsed: number };
  return told.heapUsed;
}

function residentOf({ pid }: SpawnedSidecar): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

async function metricsOf({ port }: SpawnedSidecar): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
}

async function startAll() {
  const server = startThread("server");
  const { port: ownPort } = await answerOf<{ port: number }>(server);
  const web = await startWeb();
  onTestFinished(() => web.stop());
  const friend = createMatrixSigner(`a.example:${web.port}`);
  web.answer((_request, response) =>
    response.setHeader("content-type", "application/json").end(friend.keyDocument()),
  );
  const dns = await startDnsServer({ "a.example": { A: ["127.0.0.1"] } });
  onTestFinished(() => dns.stop());
  const probePath = join(temporaryDirectory(), "probe.sock");
  const sidecar = await startSidecar(
    {
      server_name: OWN,
      inbound: {
        listen: "127.0.0.1:0",
        upstream: `http://127.0.0.1:${ownPort}`,
        keys: {
          ca_file: resolve("test/fixtures/discovery/ca.pem"),
          allow_networks: ["127.0.0.0/8"],
          resolver: `127.0.0.1:${dns.resolver.port}`,
        },
      },
      whitelist: ["a\\.example", { regex: ".*\\.forged\\.test", sampling: "trust", forced_per_second: 1000 }],
      sampling: { type: "const", param: 1 },
      admin: ADMIN,
      store: { spans: 1000 },
    },
    {
      environment: {
        NODE_OPTIONS: `--import=${pathToFileURL("test/real/memory-probe.mjs").href}`,
        MEMORY_PROBE: probePath,
      },
    },
  );
  return { sidecar, dns, friend, probePath, server };
}

function honestRequest(friend: MatrixSigner): string {
  const authorization = friend.authorize({ method: "GET", uri: URI, destination: OWN });
  const traceparent = `00-${HONEST}${randomBytes(8).toString("hex")}-00f067aa0ba902b7-01`;
  return `GET ${URI} HTTP/1.1\r\nHost: ${OWN}\r\nAuthorization: ${authorization}\r\ntraceparent: ${traceparent}\r\n\r\n`;
}

/** The honest peer's times while something else goes on. */
async function timesDuring(
  work: Promise<unknown>,
  port: number,
  friend: MatrixSigner,
): Promise<readonly number[]> {
  const call = createCaller(port);
  const tookMs: number[] = [];
  let isOpen = true;
  const sending = (async () => {
    for (let dueMs = performance.now(); isOpen; dueMs += HONEST_EVERY_MS) {
      tookMs.push(await call(honestRequest(friend)));
      await pause(Math.max(0, dueMs + HONEST_EVERY_MS - performance.now()));
    }
  })();
  await work;
  isOpen = false;
  await sending;
  return tookMs;
}

it("100,000 forged names buy no span, no memory, and ten fetches a second at most", async () => {
  const { sidecar, dns, friend, probePath, server } = await startAll();
  const port = sidecar.port.inbound;
  const forger = startThread("forger");
  const order = {
    port,
    rate: RATE,
    connections: CONNECTIONS,
    friend: friend.name,
    own: OWN,
    foreign: FOREIGN,
  };
  const during = (work: Promise<unknown>): Promise<readonly number[]> => timesDuring(work, port, friend);

  // Until the friend's key is there.
  await createCaller(port)(honestRequest(friend));
  await expect
    .poll(() => metricsOf(sidecar))
    .toMatch(/fedtrace_key_fetches_total\{kind="server",result="fetched"\} 1/);
  const calmMs = await during(pause(CALM_MS));
  const to = NAMES + (CALM_MS / 1000) * RATE;
  const crowdedMs = await during(answerOf(forger, { ...order, from: NAMES, to, isNamed: false }));

  const busiest = createBusiestSecond(() => dns.takeQueries());
  const watching = setInterval(() => busiest.look(), 100);
  const held: { readonly heap: number; readonly resident: number }[] = [];
  const busyMs: number[] = [];
  for (let quarter = 0; quarter < 4; quarter++) {
    const from = (NAMES / 4) * quarter;
    const flood = { ...order, from, to: from + NAMES / 4, isNamed: true };
    busyMs.push(...(await during(answerOf(forger, flood))));
    held.push({ heap: await heapOf(probePath), resident: residentOf(sidecar) });
  }
  clearInterval(watching);

  const seen = await answerOf<Seen>(server, {});
  const honest = [calmMs, crowdedMs, busyMs].reduce((sum, times) => sum + times.length, 0);
  const metrics = await metricsOf(sidecar);
  const count = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^${name}\\S* (\\d+)$`, "gm"))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    );
  console.log(
    [
      `forged names: ${NAMES} requests; key fetches ${count("fedtrace_key_fetches_total")}, in the busiest second ${busiest.count}; held back ${count("fedtrace_key_fetches_held_total")}`,
      `memory after each quarter, MB: heap ${held.map(({ heap }) => (heap / 1e6).toFixed(1)).join(", ")}; resident ${held.map(({ resident }) => (resident / 1e6).toFixed(0)).join(", ")}`,
      `honest peer, ms, median and p99: alone ${quantiles(calmMs)}; beside as many requests that name nobody ${quantiles(crowdedMs)}; in the flood ${quantiles(busyMs)}`,
    ].join("\n"),
  );
  expect(seen.total).toBeGreaterThanOrEqual(NAMES);
  expect(seen.foreign).toBe(0);
  expect(seen.honest).toBe(honest);
  expect(busiest.count).toBeGreaterThan(0);
  expect(busiest.count).toBeLessThanOrEqual(FETCHES_MAX);
  // The busiest of them alone, where it is told that they were forged: these names the whitelist takes.
  const named = metrics.split("\n").filter((line) => line.includes("forged.test"));
  expect(named.length).toBeLessThanOrEqual(METRICS_TOP);
  expect(named.filter((line) => !line.startsWith("fedtrace_peer_forged_names_total{"))).toEqual([]);
  const [first, ...later] = held.map(({ heap }) => heap);
  expect(Math.max(...later)).toBeLessThan((first ?? 0) + HEAP_NOISE_BYTES);
}, 300_000);
