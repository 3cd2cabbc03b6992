/** `run` with `workers`: several processes that behave as one, also when some of them die. */

import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { createSecret } from "../../src/core/random.ts";
import { createPassIssuer } from "../../src/passes/debug-pass.ts";
import { runCli, temporaryDirectory } from "../support/cli.ts";
import { readSpans } from "../support/otlp-file.ts";
import {
  ADMIN,
  type ConfigDocument,
  configText,
  inboundTo,
  type LogLine,
  OUTBOUND,
  type SpawnedSidecar,
  startSidecar,
} from "../support/sidecar.ts";
import {
  OK_RESPONSE,
  type RawClient,
  rawClient,
  type RecordingUpstream,
  recordingUpstream,
} from "../support/wire.ts";

const REQUEST = "GET /x HTTP/1.1\r\nHost: own.test\r\n\r\n";
const TRACE_ID = "11111111111111111111111111111111";
const FULL_TRACE_ID = "33333333333333333333333333333333";
const SERVICE = "service=own.test%20fedtrace";
/** Each worker's spans then say which it is. */
const ENVIRONMENT = { OTEL_RESOURCE_ATTRIBUTES: "service.instance.id=i" };

async function upstreamOf(...answer: Parameters<typeof recordingUpstream>): Promise<RecordingUpstream> {
  const upstream = await recordingUpstream(...answer);
  onTestFinished(() => upstream.stop());
  return upstream;
}

async function startTwo(document: ConfigDocument = {}): Promise<SpawnedSidecar> {
  const upstream = await upstreamOf();
  const shared = { inbound: inboundTo(upstream.port), outbound: OUTBOUND, admin: ADMIN, workers: 2 };
  return startSidecar({ ...shared, ...document }, { environment: ENVIRONMENT });
}

async function clients(port: number, count: number): Promise<RawClient[]> {
  const open: RawClient[] = [];
  for (let index = 0; index < count; index++) open.push(await connectRaw(port));
  return open;
}

async function connectRaw(port: number): Promise<RawClient> {
  const client = await rawClient(port);
  onTestFinished(() => void client.socket.destroy());
  return client;
}

/** The system's word for why nobody accepts there; "open" where somebody does. */
function refusalOf(port: number): Promise<string> {
  return new Promise((fulfil) => {
    const socket = connect({ port, host: "127.0.0.1" });
    onTestFinished(() => void socket.destroy());
    socket.once("connect", () => fulfil("open"));
    socket.once("error", (error: NodeJS.ErrnoException) => fulfil(error.code ?? "error"));
  });
}

/** One request on a kept connection. @returns its whole answer */
async function ask(client: RawClient, request = REQUEST): Promise<string> {
  const before = client.received().length;
  client.send(request);
  return (await client.until((received) => received.slice(before).endsWith("ok"))).slice(before);
}

async function askAdmin({ port }: SpawnedSidecar, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port.admin}${path}`);
  return { status: response.status, body: await response.text() };
}

async function metric(sidecar: SpawnedSidecar, series: string): Promise<number> {
  const { body } = await askAdmin(sidecar, "/metrics");
  return Number(
    body
      .split("\n")
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length),
  );
}

const STARTED = 'fedtrace_spans_started_total{direction="inbound"}';

interface Trace {
  readonly spans: readonly {
    readonly spanID: string;
    readonly processID: string;
    readonly references: readonly unknown[];
  }[];
  readonly processes: Readonly<Record<string, { readonly tags: readonly { key: string; value: unknown }[] }>>;
}

async function traces(sidecar: SpawnedSidecar, path: string): Promise<readonly Trace[]> {
  const { body } = await askAdmin(sidecar, path);
  return (JSON.parse(body) as { data: readonly Trace[] }).data;
}

/** Of each span: the `service.instance.id` of the process it was made in. */
function instancesOf(all: readonly Trace[]): string[] {
  return all.flatMap(({ spans, processes }) =>
    spans.map(({ processID }) =>
      String(processes[processID]?.tags.find(({ key }) => key === "service.instance.id")?.value),
    ),
  );
}

/** Process ids of the workers, in the order they were started. */
function workerPids({ pid }: SpawnedSidecar): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);
}

function isAlive(pid: number): boolean {
  // A process that nobody has waited for yet is there, and dead.
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

const count = (log: readonly LogLine[], message: string): number =>
  log.filter(({ msg }) => msg === message).length;

/** A batch is written a second after its first span, which is as long as a poll waits by itself. */
const WRITTEN = { timeout: 10_000 };

describe("a transaction that is sent again", () => {
  it("links to the attempt before, whichever worker had it", async () => {
    let status = "502 Bad Gateway";
    const upstream = await upstreamOf(() => `HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nok`);
    const path = join(temporaryDirectory(), "spans.jsonl");
    const sidecar = await startTwo({ export: [{ file: { path } }] });
    const target = `http://127.0.0.1:${upstream.port}/_matrix/federation/v1/send/1`;
    const put = `PUT ${target} HTTP/1.1\r\nHost: 127.0.0.1:${upstream.port}\r\n\r\n`;
    // Connections are handed out by turns; both stay open, so each has a worker of its own.
    const [one, two] = await clients(sidecar.port.outbound, 2);
    if (one === undefined || two === undefined) throw new Error("no clients");
    await ask(one, put);
    await expect.poll(() => readSpans(path).length, WRITTEN).toBe(1);
    status = "200 OK";
    await ask(two, put);
    await expect.poll(() => readSpans(path).length, WRITTEN).toBe(2);
    const spans = readSpans(path);
    expect(new Set(spans.map(({ resource }) => resource["service.instance.id"])).size).toBe(2);
    expect(spans[1]?.attributes["http.request.resend_count"]).toBe(1);
    expect(spans[1]?.links).toEqual([spans[0]?.spanId]);
  });
});

describe("a debug pass", () => {
  it("is spent for one worker when another one has had its last trace", async () => {
    const upstream = await upstreamOf();
    const secret = "a-secret-of-sixteen";
    const sidecar = await startTwo({
      inbound: { ...inboundTo(upstream.port), authenticate: "claimed" },
      whitelist: ["friend\\.test"],
      sampling: { type: "const", param: 0, debug_pass_secret: secret },
    });
    const issued = (await createPassIssuer(secret)).issue(
      { peer: "friend.test", audience: "own.test", ttlMs: 60_000, count: 1 },
      { clock: createSystemClock(), secretBytes: createSecret },
    );
    if ("refused" in issued) throw new Error(issued.refused);
    const get =
      "GET /x HTTP/1.1\r\nHost: own.test\r\n" +
      'Authorization: X-Matrix origin="friend.test",key="ed25519:a",sig="AA"\r\n' +
      `fedtrace-debug-pass: ${issued.value.token}\r\n\r\n`;
    const [one, two] = await clients(sidecar.port.inbound, 2);
    if (one === undefined || two === undefined) throw new Error("no clients");
    await ask(one, get);
    // Questions go the way of the news: the first one's answer comes after it, the second one reaches the other worker after it.
    for (let scrape = 0; scrape < 2; scrape++) await askAdmin(sidecar, "/metrics");
    await ask(two, get);
    expect(upstream.received().match(/traceparent: \S+-03/g)).toHaveLength(1);
    expect(upstream.received().match(/traceparent: \S+-02/g)).toHaveLength(1);
  });
});

describe("trace ids of a peer's own", () => {
  it("are the same from every worker, after one was started again too", async () => {
    const upstream = await upstreamOf();
    const sidecar = await startTwo({
      whitelist: ["127\\.0\\.0\\.1"],
      propagation: { formats: ["w3c"], outbound_ids: "per_peer" },
    });
    const host = `127.0.0.1:${upstream.port}`;
    const parent = `traceparent: 00-${TRACE_ID}-2222222222222222-01`;
    const send = async (): Promise<void> => {
      for (const client of await clients(sidecar.port.outbound, 2)) {
        await ask(client, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n${parent}\r\n\r\n`);
      }
    };
    await send();
    process.kill(workerPids(sidecar)[0] ?? 0, "SIGKILL");
    await expect.poll(() => metric(sidecar, "fedtrace_worker_restarts_total"), WRITTEN).toBe(1);
    await expect.poll(() => metric(sidecar, "fedtrace_workers_ready"), WRITTEN).toBe(2);
    await send();
    const sent = [...upstream.received().matchAll(/traceparent: 00-(\w{32})/g)].map(([, id]) => id);
    expect(sent).toHaveLength(4);
    expect(new Set(sent).size).toBe(1);
    expect(sent[0]).not.toBe(TRACE_ID);
    const [trace] = await traces(sidecar, `/api/traces?${SERVICE}`);
    expect(trace?.spans.length).toBeGreaterThanOrEqual(3); // One worker's died with it.
  });
});

describe("the start", () => {
  it("says one line for each listener, then ready once, and runs as many workers as asked", async () => {
    const sidecar = await startTwo({ workers: 3 });
    const { port, stdout } = sidecar;
    expect(stdout.slice(0, 3).toSorted()).toEqual([
      `admin listening on 127.0.0.1:${port.admin}`,
      `inbound listening on 127.0.0.1:${port.inbound}`,
      `outbound listening on 127.0.0.1:${port.outbound}`,
    ]);
    expect(stdout.slice(3)).toEqual(["ready"]);
    expect(workerPids(sidecar)).toHaveLength(3);
    expect(await metric(sidecar, "fedtrace_workers_ready")).toBe(3);
  });

  it.each([
    { workers: 1, processes: 0, why: "one is this process" },
    {
      workers: "auto",
      processes: availableParallelism() === 1 ? 0 : availableParallelism(),
      why: "one a core",
    },
  ])("of workers: $workers ($why)", async ({ workers, processes }) => {
    const sidecar = await startTwo({ workers });
    expect(workerPids(sidecar)).toHaveLength(processes);
    expect(await ask(await connectRaw(sidecar.port.inbound))).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("names every address that is taken once, and exits 1", async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
    onTestFinished(() => void taken.close());
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    const path = join(temporaryDirectory(), "fedtrace.yaml");
    writeFileSync(
      path,
      configText({
        inbound: { listen: address, upstream: "http://127.0.0.1:1" },
        outbound: { listen: address },
        admin: ADMIN,
        workers: 2,
      }),
    );
    const { status, stdout, stderr } = await runCli(["run", "--config", path]);
    expect(status).toBe(1);
    expect(stdout).not.toContain("ready");
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as LogLine);
    expect(lines.map(({ msg, reason }) => `${msg}: ${String(reason)}`)).toEqual(
      Array(2).fill(`cannot start: cannot listen on ${address}: EADDRINUSE`),
    );
  });

  it("refuses to be a worker by hand", async () => {
    const { status, stderr } = await runCli(["worker"]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^worker is started by run/);
  });
});

describe("as one", () => {
  it("spreads kept connections evenly, counts and shows all of their requests, and hears no signal to a worker", async () => {
    const sidecar = await startTwo();
    for (const client of await clients(sidecar.port.inbound, 10)) {
      for (let request = 0; request < 3; request++) await ask(client);
    }
    expect(await metric(sidecar, STARTED)).toBe(30);
    const instances = instancesOf(await traces(sidecar, `/api/traces?${SERVICE}&limit=100`));
    expect(instances.toSorted()).toEqual([
      ...Array<string>(15).fill("i-1"),
      ...Array<string>(15).fill("i-2"),
    ]);
    const { body } = await askAdmin(sidecar, "/api/fedtrace/peers");
    const { peers } = JSON.parse(body) as { peers: readonly { inbound: { requests: number } }[] };
    expect(peers.map(({ inbound }) => inbound.requests)).toEqual([30]);

    // Signals to a worker mean nothing: Ctrl-C goes to all processes of a terminal.
    const client = await connectRaw(sidecar.port.inbound);
    for (const pid of workerPids(sidecar)) {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid, name);
    }
    for (let request = 0; request < 3; request++) expect(await ask(client)).toMatch(/^HTTP\/1\.1 200 /);
    expect(count(sidecar.log(), "worker ended")).toBe(0);
  });

  it("shows a trace whole that came in through one worker and went out through another, up to what it may have", async () => {
    const whitelist = ["peer\\.test", "friend\\.test", "127\\.0\\.0\\.1(:\\d+)?"];
    const sidecar = await startTwo({ whitelist });
    const target = await upstreamOf();
    const [inbound] = await clients(sidecar.port.inbound, 1);
    const [outbound] = await clients(sidecar.port.outbound, 1);
    if (inbound === undefined || outbound === undefined) throw new Error("no clients");
    const parent = `traceparent: 00-${TRACE_ID}-2222222222222222-01\r\n`;
    const signed = `Authorization: X-Matrix origin="peer.test",key="ed25519:1",sig="c2ln"\r\n`;
    await ask(inbound, `GET / HTTP/1.1\r\nHost: own.test\r\n${signed}${parent}\r\n`);
    const host = `127.0.0.1:${target.port}`;
    await ask(outbound, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n${parent}\r\n`);
    const shown = await traces(sidecar, `/api/traces/${TRACE_ID}`);
    expect(shown).toHaveLength(1);
    expect(instancesOf(shown).toSorted()).toEqual(["i-1", "i-2"]);
    expect(await traces(sidecar, `/api/traces?${SERVICE}&limit=1`)).toEqual(shown);

    // A trace may have in each worker its share of what it may have in all.
    const client = await connectRaw(sidecar.port.inbound);
    const lines = [
      "GET /x HTTP/1.1",
      "Host: own.test",
      'Authorization: X-Matrix origin="friend.test",key="k",sig="s"',
      `traceparent: 00-${FULL_TRACE_ID}-2222222222222222-01`,
    ];
    client.send(`${lines.join("\r\n")}\r\n\r\n`.repeat(501));
    await client.until((received) => received.split("200 OK").length === 502 && received.endsWith("ok"));
    const refused = 'fedtrace_context_refused_total{format="w3c",reason="trace-full"}';
    expect(await metric(sidecar, refused)).toBe(1);
  });

  it("takes connections on a unix socket", async () => {
    const path = join(temporaryDirectory(), "in.sock");
    const upstream = await upstreamOf();
    const sidecar = await startTwo({ inbound: { ...inboundTo(upstream.port), listen: `unix:${path}` } });
    expect(sidecar.stdout).toContain(`inbound listening on unix:${path}`);
    const socket = connect({ path });
    onTestFinished(() => void socket.destroy());
    socket.write(REQUEST);
    const answer = await new Promise<string>((resolvePart) =>
      socket.once("data", (bytes) => resolvePart(String(bytes))),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("resumes a TLS session in any worker", async () => {
    const pem = (name: string): string => resolve("test/fixtures/tls", name);
    const upstream = await upstreamOf();
    const tls = { certificate: pem("server.pem"), private_key: pem("server.key") };
    const sidecar = await startTwo({ inbound: { ...inboundTo(upstream.port), tls } });
    let session: Buffer | undefined;
    const handshake = (): Promise<boolean> =>
      new Promise((fulfil, reject) => {
        const socket: TLSSocket = connectTls({
          host: "127.0.0.1",
          port: sidecar.port.inbound,
          ca: readFileSync(pem("server.pem")),
          // Its ticket comes within the handshake, so nothing has to be waited for.
          maxVersion: "TLSv1.2",
          session,
        });
        socket.once("error", reject);
        socket.once("secureConnect", () => {
          session = socket.getSession();
          fulfil(socket.isSessionReused());
          socket.destroy();
        });
      });
    expect([await handshake(), await handshake(), await handshake()]).toEqual([false, true, true]);
  });

  it("writes whole lines to one file", async () => {
    const path = join(temporaryDirectory(), "traces.jsonl");
    const sidecar = await startTwo({ export: [{ file: { path } }] });
    const open = await clients(sidecar.port.inbound, 8);
    await Promise.all(
      open.map(async (client) => {
        for (let request = 0; request < 100; request++) await ask(client);
      }),
    );
    expect(await sidecar.stop()).toBe(0);
    const spans = readSpans(path);
    expect(spans).toHaveLength(800);
    expect(new Set(spans.map(({ resource }) => resource["service.instance.id"]))).toEqual(
      new Set(["i-1", "i-2"]),
    );
  });
});

describe("a worker that is killed", () => {
  it("costs its own connections, no other, and is started again; no total goes back", async () => {
    const sidecar = await startTwo();
    const open = await clients(sidecar.port.inbound, 6);
    for (const client of open) await ask(client);
    expect(await metric(sidecar, STARTED)).toBe(6);

    const [victim = 0] = workerPids(sidecar);
    process.kill(victim, "SIGKILL");
    const log = await sidecar.untilLog((lines) => count(lines, "worker ended") === 1);
    expect(log.find(({ msg }) => msg === "worker ended")).toMatchObject({
      level: "error",
      worker: 1,
      pid: victim,
      signal: "SIGKILL",
      restart_in_ms: 0,
    });
    const answers = await Promise.allSettled(open.map((client) => ask(client)));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    // New ones too, while the other is being started.
    for (const client of await clients(sidecar.port.inbound, 4)) await ask(client);
    await sidecar.untilLog((lines) => count(lines, "worker ready") === 1);
    for (const client of await clients(sidecar.port.inbound, 4)) await ask(client);

    expect(workerPids(sidecar)).toHaveLength(2);
    expect(await metric(sidecar, STARTED)).toBe(6 + 3 + 4 + 4);
    expect(await metric(sidecar, "fedtrace_worker_restarts_total")).toBe(1);
    expect(await sidecar.stop()).toBe(0);
  });

  it("leaves connections waiting, not refused, where it was the last", async () => {
    const sidecar = await startTwo();
    for (const pid of workerPids(sidecar)) process.kill(pid, "SIGKILL");
    await sidecar.untilLog((lines) => count(lines, "worker ended") === 2);
    const waiting = await connectRaw(sidecar.port.inbound);
    expect(await ask(waiting)).toMatch(/^HTTP\/1\.1 200 /);
    await expect.poll(async () => (await askAdmin(sidecar, "/health/ready")).status).toBe(200);
  });

  it("that only stands still holds a few connections until it goes on, and others are served", async () => {
    const sidecar = await startTwo();
    const [victim = 0] = workerPids(sidecar);
    process.kill(victim, "SIGSTOP");
    onTestFinished(() => {
      if (isAlive(victim)) process.kill(victim, "SIGCONT");
    });
    const open = await clients(sidecar.port.inbound, 30);
    const answers = open.map((client) => ask(client));
    const settled = new Set<number>();
    for (const [index, answer] of answers.entries()) void answer.then(() => settled.add(index));
    await expect.poll(() => settled.size).toBe(22);
    process.kill(victim, "SIGCONT");
    await Promise.all(answers);
  });
});

describe("signals", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "%s: not ready, nothing new, open requests end in each worker, exit 0",
    async (name) => {
      const asked: ((text: string) => void)[] = [];
      const upstream = await upstreamOf((_head, socket) => {
        asked.push((text) => void socket.write(text, "latin1"));
        return undefined;
      });
      const sidecar = await startTwo({ inbound: inboundTo(upstream.port), limits: { drain: "1h" } });
      const pids = workerPids(sidecar);
      const open = await clients(sidecar.port.inbound, 2);
      const [idle] = await clients(sidecar.port.inbound, 1);
      for (const client of open) client.send(REQUEST);
      await expect.poll(() => asked.length).toBe(2);

      sidecar.signal(name);
      await sidecar.untilLog((lines) => count(lines, "stopping") === 1);
      expect((await askAdmin(sidecar, "/health/ready")).status).toBe(503);
      expect((await askAdmin(sidecar, "/health/live")).status).toBe(200);
      expect(await refusalOf(sidecar.port.inbound)).toBe("ECONNREFUSED");
      expect((await idle?.closed())?.received).toBe("");
      sidecar.signal(name);

      for (const answer of asked) answer(OK_RESPONSE);
      for (const client of open)
        expect((await client.closed()).received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
      expect(await sidecar.exited).toBe(0);
      expect(pids.map(isAlive)).toEqual([false, false]);
      expect(sidecar.log().at(-1)).toMatchObject({ level: "info", msg: "stopped" });
    },
  );

  it("cuts in every worker what is still open after limits.drain", async () => {
    const upstream = await upstreamOf(() => undefined);
    const sidecar = await startTwo({ inbound: inboundTo(upstream.port), limits: { drain: "50ms" } });
    const open = await clients(sidecar.port.inbound, 2);
    for (const client of open) client.send(REQUEST);
    await expect.poll(() => upstream.received().split("GET ").length).toBe(3);
    expect(await sidecar.stop()).toBe(0);
    for (const client of open) {
      expect((await client.closed()).received).toContain("FEDTRACE_DRAINING");
    }
  });

  it("SIGKILL to the primary leaves no process behind, and lets open requests end", async () => {
    const asked: ((text: string) => void)[] = [];
    const upstream = await upstreamOf((_head, socket) => {
      asked.push((text) => void socket.write(text, "latin1"));
      return undefined;
    });
    const sidecar = await startTwo({ inbound: inboundTo(upstream.port) });
    const pids = workerPids(sidecar);
    const open = await connectRaw(sidecar.port.inbound);
    open.send(REQUEST);
    await expect.poll(() => asked.length).toBe(1);
    process.kill(sidecar.pid, "SIGKILL");
    await expect.poll(() => isAlive(sidecar.pid)).toBe(false);
    await expect.poll(() => pids.filter(isAlive).length).toBe(1);
    asked[0]?.(OK_RESPONSE);
    expect((await open.closed()).received).toMatch(/ok$/);
    await expect.poll(() => pids.filter(isAlive).length).toBe(0);
  });
});

describe("a reload", () => {
  const request =
    "GET / HTTP/1.1\r\nHost: own.test\r\n" +
    `Authorization: X-Matrix origin="new.test",key="ed25519:1",sig="c2ln"\r\n` +
    `traceparent: 00-${TRACE_ID}-2222222222222222-01\r\n\r\n`;

  async function startOverUpstream(): Promise<{
    sidecar: SpawnedSidecar;
    rewrite: (change: ConfigDocument) => void;
    /** How many of so many new connections' requests reached the upstream within the peer's trace. */
    followed: (connections: number) => Promise<number>;
  }> {
    const upstream = await upstreamOf();
    const document = { inbound: inboundTo(upstream.port), admin: ADMIN, workers: 2 };
    const sidecar = await startSidecar(document);
    return {
      sidecar,
      rewrite: (change) => writeFileSync(sidecar.configPath, configText({ ...document, ...change })),
      async followed(connections) {
        const before = upstream.received().length;
        for (const client of await clients(sidecar.port.inbound, connections)) await ask(client, request);
        return upstream.received().slice(before).split(`traceparent: 00-${TRACE_ID}`).length - 1;
      },
    };
  }

  it("that can't be is refused once, and changes nothing; one that can is taken over by all, and by those that are started later", async () => {
    const { sidecar, rewrite, followed } = await startOverUpstream();
    const refused = [
      { why: "a fault", change: { limits: { idle: "soon" } }, fault: /limits\.idle: / },
      { why: "another number of workers", change: { workers: 3 }, fault: /^these keys need a restart$/ },
    ];
    for (const [index, { why, change, fault }] of refused.entries()) {
      rewrite({ whitelist: ["new\\.test"], ...change });
      const log = await sidecar.untilLog((lines) => count(lines, "reload refused") === index + 1);
      expect(log.findLast(({ msg }) => msg === "reload refused")?.["fault"], why).toMatch(fault);
      expect(await followed(4), why).toBe(0);
    }

    rewrite({ whitelist: ["new\\.test"] });
    await sidecar.untilLog((lines) => count(lines, "reloaded") === 1);
    expect(await followed(4)).toBe(4);
    const [victim = 0] = workerPids(sidecar);
    process.kill(victim, "SIGKILL");
    await sidecar.untilLog((lines) => count(lines, "worker ready") === 1);
    expect(await followed(4)).toBe(4);
    const { body } = await askAdmin(sidecar, "/api/fedtrace/decide?direction=in&host=new.test");
    expect(JSON.parse(body)).toMatchObject({ whitelisted: true });
  });
});

it("writes each worker's log lines with its number", async () => {
  const sidecar = await startTwo({ inbound: { ...inboundTo(1), upstream: "http://no-such-host.invalid" } });
  for (const client of await clients(sidecar.port.inbound, 2)) {
    client.send(REQUEST);
    await client.until((received) => received.includes("FEDTRACE_"));
  }
  const numbersIn = (log: readonly LogLine[]): Set<unknown> => new Set(log.map((line) => line["worker"]));
  const log = await sidecar.untilLog((lines) => numbersIn(lines).size === 2);
  expect(numbersIn(log)).toEqual(new Set([1, 2]));
});
