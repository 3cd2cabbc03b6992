/**
 * The bar of proof: 100,000 forged requests with 100,000 distinct names, all of which the whitelist takes, buy nothing: no span with an id
 * of theirs, no memory, at most ten key fetches in any second; and an honest peer is served as before.
 *
 * Method: the sidecar as users run it, in a process of its own; the names' DNS server, the forger, an honest peer with its key
 * server, and the server behind in this one. The forger sends at a steady rate over kept connections, each request in a name of its own with
 * a sampled context, every tenth in the honest peer's name with a signature of another key, every fourth with a body. The honest peer sends
 * twenty signed requests a second, before the flood and in it; both times' quantiles are printed, not asserted: this machine is shared.
 */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { startWeb } from "../discovery/web.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { createMatrixSigner, type MatrixSigner } from "../support/matrix-signer.ts";
import { ADMIN, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";

const NAMES = 100_000;
/** Requests a second; one in ten borrows the honest peer's name. */
const RATE = 1800;
const TICK_MS = 10;
const CONNECTIONS = 18;
const HONEST_EVERY_MS = 50;
/** Before the flood. */
const CALM_MS = 15_000;
const OWN = "own.test";
const URI = "/_matrix/federation/v1/send/1";
/** How every trace id of the forger's begins; ids of the sidecar's begin so once in 2^64 requests. */
const FOREIGN = "0000dead0000dead";
const BODY = JSON.stringify({ edus: [], origin: "x", pdus: [{ depth: 1 }] });

/** What V8 holds may move by so much without a cause; 75,000 names that were kept would be 15 MB at least. */
const HEAP_NOISE_BYTES = 4e6;
/** In any second: the bar. */
const FETCHES_MAX = 10;

/** A client that sends one request after the other on a kept connection. */
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
    await new Promise<void>((done, fail) => {
      answered = done;
      socket.once("error", fail);
      socket.write(request);
      socket.off("error", fail);
    });
    return performance.now() - fromMs;
  };
}

function requestOf(authorization: string, traceId: string, body: string): string {
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  return (
    `${body === "" ? "GET" : "PUT"} ${URI} HTTP/1.1\r\nHost: ${OWN}\r\nAuthorization: ${authorization}\r\n` +
    `traceparent: 00-${traceId}-00f067aa0ba902b7-01\r\nx-b3-flags: 1\r\njaeger-debug-id: forged\r\n${length}\r\n${body}`
  );
}

interface Seen {
  /** Requests that arrived behind the sidecar in a trace of the forger's, or of the honest peer's. */
  foreign: number;
  honest: number;
  total: number;
}

async function startOwnServer(seen: Seen): Promise<number> {
  const server = createServer((request, response) => {
    const context = JSON.stringify([
      request.headers["traceparent"],
      request.headers["b3"],
      request.headers["uber-trace-id"],
    ]);
    seen.total++;
    if (context.includes(FOREIGN)) seen.foreign++;
    if (context.includes(HONEST)) seen.honest++;
    request.resume();
    response.setHeader("Content-Length", "2").end("ok");
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

/** How the honest peer's begin: each of its requests is in a trace of its own, as most are. */
const HONEST = "4bf92f3577b34da6";

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

function quantile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((left, right) => left - right);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
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

async function startAll(seen: Seen) {
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
        upstream: `http://127.0.0.1:${await startOwnServer(seen)}`,
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
  return { sidecar, dns, friend, probePath };
}

/** Sends forged requests until so many names were used. */
async function flood(port: number, from: number, to: number, forger: MatrixSigner): Promise<void> {
  const callers = Array.from({ length: CONNECTIONS }, () => createCaller(port));
  const perCaller = Math.ceil((to - from) / CONNECTIONS);
  const beganMs = performance.now();
  await Promise.all(
    callers.map(async (call, caller) => {
      for (let index = 0; index < perCaller; index++) {
        const number = from + caller * perCaller + index;
        if (number >= to) return;
        const dueMs = beganMs + (index * 1000 * CONNECTIONS) / RATE - performance.now();
        if (dueMs > TICK_MS) await new Promise((due) => void setTimeout(due, dueMs));
        const isBorrowed = number % 10 === 0;
        const name = isBorrowed ? forger.name : `server-${number}.forged.test:8448`;
        const authorization = `X-Matrix origin="${name}",key="ed25519:test",sig="${FORGED_SIGNATURE}",destination="${OWN}"`;
        await call(
          requestOf(authorization, FOREIGN + String(number).padStart(16, "0"), number % 4 === 0 ? BODY : ""),
        );
      }
    }),
  );
}

function honestTrace(): string {
  return HONEST + randomBytes(8).toString("hex");
}

/** Sixty-four bytes that nobody signed. */
const FORGED_SIGNATURE = `${"A".repeat(85)}A`;

function startHonest(port: number, friend: MatrixSigner): { stop(): readonly number[] } {
  const call = createCaller(port);
  const authorization = friend.authorize({ method: "GET", uri: URI, destination: OWN });
  const tookMs: number[] = [];
  let isOpen = true;
  void (async () => {
    for (let dueMs = performance.now(); isOpen; dueMs += HONEST_EVERY_MS) {
      tookMs.push(await call(requestOf(authorization, honestTrace(), "")));
      await new Promise(
        (due) => void setTimeout(due, Math.max(0, dueMs + HONEST_EVERY_MS - performance.now())),
      );
    }
  })();
  return {
    stop() {
      isOpen = false;
      return tookMs;
    },
  };
}

it("100,000 forged names buy no span, no memory, and ten fetches a second at most", async () => {
  const seen: Seen = { foreign: 0, honest: 0, total: 0 };
  const { sidecar, dns, friend, probePath } = await startAll(seen);
  const port = sidecar.port.inbound;
  const forger = createMatrixSigner(friend.name);

  // Until the friend's key is there.
  await createCaller(port)(
    requestOf(friend.authorize({ method: "GET", uri: URI, destination: OWN }), honestTrace(), ""),
  );
  await expect
    .poll(() => metricsOf(sidecar))
    .toMatch(/fedtrace_key_fetches_total\{kind="server",result="fetched"\} 1/);
  const calm = startHonest(port, friend);
  await new Promise((over) => void setTimeout(over, CALM_MS));
  const calmMs = calm.stop();

  const busiest = createBusiestSecond(() => dns.takeQueries());
  const watching = setInterval(() => busiest.look(), 100);
  const held: { readonly heap: number; readonly resident: number }[] = [];
  const busy = startHonest(port, friend);
  for (let quarter = 0; quarter < 4; quarter++) {
    await flood(port, (NAMES / 4) * quarter, (NAMES / 4) * (quarter + 1), forger);
    held.push({ heap: await heapOf(probePath), resident: residentOf(sidecar) });
  }
  const busyMs = busy.stop();
  clearInterval(watching);

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
      `honest peer, ms: before median ${quantile(calmMs, 0.5)}, p99 ${quantile(calmMs, 0.99)} (${calmMs.length}); in the flood ${quantile(busyMs, 0.5)}, ${quantile(busyMs, 0.99)} (${busyMs.length})`,
    ].join("\n"),
  );
  expect(seen.total).toBeGreaterThanOrEqual(NAMES);
  expect(seen.foreign).toBe(0);
  expect(seen.honest).toBe(calmMs.length + busyMs.length);
  expect(busiest.count).toBeGreaterThan(0);
  expect(busiest.count).toBeLessThanOrEqual(FETCHES_MAX);
  expect(metrics).not.toContain("forged.test");
  expect(metrics).toContain(`fedtrace_peers_total{direction="inbound",verdict="whitelisted"} ${seen.honest}`);
  const [first, ...later] = held.map(({ heap }) => heap);
  expect(Math.max(...later)).toBeLessThan((first ?? 0) + HEAP_NOISE_BYTES);
}, 300_000);
