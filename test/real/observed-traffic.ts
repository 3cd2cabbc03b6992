/**
 * Sidecars, and traffic after which every metric that a dashboard, rule or alert asks for has a value.
 *
 * ```
 *   peers ──► one (in) ──► own server          one: what a sidecar sees on a good day, and WebSocket and gRPC
 *   own server ──► one (out) ──► two (in) ──► own server        two: forged names, broken contexts, failures
 *   peers ──► cramped (in) ──► own server      every limit is tiny, and its back end takes no span
 *   peers ──► team (in) ──► fleeting server    two workers; the server goes away and comes back
 * ```
 * Not here: what is asked of it (prometheus.test.ts).
 */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { runCli } from "../support/cli.ts";
import { ADMIN, inboundTo, OUTBOUND, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { type RawClient, rawClient } from "../support/wire.ts";
import { freePorts } from "./free-ports.ts";

export interface ObservedSidecars {
  readonly one: SpawnedSidecar;
  /** Of all of them. */
  readonly all: readonly SpawnedSidecar[];
  /** All kinds of traffic once. Twice, with a scrape between, and each rate is above zero. */
  drive(): Promise<void>;
}

/** Requests of each round that are nothing special. */
const EVERYDAY = 20;
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
const VERSION = "/_matrix/federation/v1/version";
const FAILING = "/_matrix/federation/v1/event/$fails";
const HELD = "/_matrix/federation/v1/backfill/!held";
const GRPC = "/chat.Rooms/Join";

const from = (origin: string, sig = "c2ln"): Headers => ({
  authorization: `X-Matrix origin="${origin}",key="ed25519:1",sig="${sig}",destination="two.test"`,
});
type Headers = Readonly<Record<string, string>>;

/** @param otlpUrl where spans are taken */
export async function startObserved(otlpUrl: string): Promise<ObservedSidecars> {
  const own = await startOwnServer();
  const [freePort = 0] = await freePorts(1);
  const keyless = `127.0.0.1:${freePort}`;
  const fleeting = await startFleetingServer();
  const refusing = await startRefusingBackEnd();
  const shared = {
    admin: ADMIN,
    export: [{ otlp: { url: otlpUrl } }],
    sampling: { type: "const", param: 1 },
  };
  const [one, two, cramped, team] = await Promise.all([
    startSidecar({
      ...shared,
      server_name: "one.test",
      inbound: inboundTo(own.port),
      outbound: OUTBOUND,
      whitelist: ["friend\\.test", "peer\\d+\\.example", "127\\.0\\.0\\.1:\\d+"],
    }),
    startSidecar({
      ...shared,
      server_name: "two.test",
      inbound: { ...inboundTo(own.port), keys: { allow_networks: ["127.0.0.0/8"] } },
      whitelist: [
        "one\\.test",
        "friend\\.test",
        { regex: keyless.replaceAll(".", "\\."), authenticate: "signature" },
      ],
    }),
    startSidecar({
      ...shared,
      server_name: "cramped.test",
      inbound: inboundTo(own.port),
      whitelist: [".*\\.test"],
      export: [{ otlp: { url: refusing } }],
      limits: { connections: 3, upstream_connections: 1, upstream_queue: 1 },
      metrics: { top: 1 },
    }),
    startSidecar({
      ...shared,
      server_name: "team.test",
      inbound: inboundTo(fleeting.port),
      whitelist: ["friend\\.test"],
      workers: 2,
    }),
  ]);
  const session = await openSession(one.port.inbound);
  return {
    one,
    all: [one, two, cramped, team],
    async drive() {
      await driveTraffic(one, `127.0.0.1:${two.port.inbound}`);
      await driveFailures(one.port.outbound, `127.0.0.1:${two.port.inbound}`, keyless);
      await driveBorder(two.port.inbound, keyless);
      await driveSession(session);
      await driveBrokenSession(one.port.inbound);
      await driveGrpc(one.port.inbound);
      await driveLimits(cramped.port.inbound, own);
      await driveAway(team.port.inbound, fleeting);
    },
  };
}

/** What federates every day, at both listeners. @param peer whom the own server asks, by the way out */
async function driveTraffic({ port }: SpawnedSidecar, peer: string): Promise<void> {
  const ports = ["--to", port.inbound, "--via", port.outbound].map((word) =>
    typeof word === "number" ? `http://127.0.0.1:${word}` : word,
  );
  const bounds = ["--rate", "200", "--requests", "200", "--seed", "9", "--json"];
  const { stdout } = await runCli(["loadgen", ...ports, "--via-to", peer, ...bounds]);
  expect(JSON.parse(stdout)).toMatchObject({ sent: 200 });
}

/** The target's own server fails, asked by this one and by a friend; and nobody is at the other target's port. */
async function driveFailures(outbound: number, two: string, nobody: string): Promise<void> {
  await ask(outbound, `http://${two}${FAILING}`, { host: two, ...from("one.test") });
  await ask(outbound, `http://${nobody}${VERSION}`, { host: nobody });
}

/** Whom the border keeps out, and what. @param keyless the name of a server that answers nothing, not even what its key is */
async function driveBorder(inbound: number, keyless: string): Promise<void> {
  await ask(inbound, VERSION, { traceparent: `00-${TRACE}-01`, baggage: "a=b" });
  await ask(inbound, VERSION, { ...from("friend.test"), traceparent: "00-short" });
  await ask(inbound, VERSION, { ...from("friend.test"), traceparent: `00-${TRACE}-01` });
  await ask(inbound, VERSION, { authorization: `X-Matrix origin="${keyless}"` });
  await ask(inbound, VERSION, from(keyless, Buffer.alloc(64).toString("base64").replaceAll("=", "")));
}

/** A WebSocket session that stays. */
async function openSession(port: number): Promise<RawClient> {
  const client = await rawClient(port);
  onTestFinished(() => void client.socket.destroy());
  client.send(
    "GET /socket HTTP/1.1\r\nHost: one.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await client.until((received) => received.includes("\r\n\r\n"));
  return client;
}

/** https://www.rfc-editor.org/rfc/rfc6455#section-5.2: short frames, a client's with a mask of zeros. */
const frame = (opcode: number, payload: string, isMasked: boolean): string =>
  String.fromCharCode(0x80 | opcode, (isMasked ? 0x80 : 0) | payload.length) +
  (isMasked ? "\0\0\0\0" : "") +
  payload;
const TEXT = 1;
const CLOSE = 8;

async function driveSession(client: RawClient): Promise<void> {
  const before = client.received().length;
  client.send(frame(TEXT, "hello", true));
  await client.until((received) => received.length > before);
}

/** The server closes with 1011, an error of its own. */
async function driveBrokenSession(port: number): Promise<void> {
  const client = await openSession(port);
  client.send(frame(TEXT, "break", true));
  await client.until((received) => received.endsWith("\u0003\u00f3"));
  client.socket.destroy();
}

/** gRPC's messages as HTTP/1.1 carries them: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md */
async function driveGrpc(port: number): Promise<void> {
  const message = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
  await ask(port, GRPC, { "content-type": "application/grpc-web+proto" }, message);
}

/** More than fits: of requests that wait for a connection, and of connections. */
async function driveLimits(port: number, own: OwnServer): Promise<void> {
  await ask(port, VERSION, from("busy.test"));
  await ask(port, VERSION, from("friend.test")); // One place is for peers, and it is taken.
  own.hold();
  const waiting = [ask(port, HELD, {}), ask(port, HELD, {}), ask(port, HELD, {})];
  await Promise.race(waiting); // Refused: one is served, one waits.
  own.release();
  await Promise.all(waiting);

  const clients = await Promise.all([rawClient(port), rawClient(port), rawClient(port), rawClient(port)]);
  for (const client of clients) client.send("GET / HTTP/1.1\r\n");
  await Promise.race(clients.map((client) => client.until((received) => received.includes(" 503 "))));
  for (const { socket } of clients) socket.destroy();
}

/** The own server is there, is not, and is there again. */
async function driveAway(port: number, fleeting: FleetingServer): Promise<void> {
  for (let sent = 0; sent < EVERYDAY; sent++) await ask(port, VERSION, from("friend.test"));
  await fleeting.leave();
  for (let sent = 0; sent < EVERYDAY; sent++) await ask(port, VERSION, from("friend.test"));
  await fleeting.comeBack();
}

interface FleetingServer {
  readonly port: number;
  leave(): Promise<void>;
  comeBack(): Promise<void>;
}

async function startFleetingServer(): Promise<FleetingServer> {
  const [port = 0] = await freePorts(1);
  const server = createServer((incoming, response) => {
    incoming.resume();
    response.end("{}");
  });
  await listen(server, port);
  return {
    port,
    async leave() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
    async comeBack() {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
  };
}

interface OwnServer {
  readonly port: number;
  /** Lets requests of one path wait for `release`. */
  hold(): void;
  release(): void;
}

async function startOwnServer(): Promise<OwnServer> {
  const held = new Set<() => void>();
  let isHolding = false;
  const server = createServer((incoming, response) => {
    incoming.resume();
    if (incoming.url === HELD && isHolding) return void held.add(() => response.end("{}"));
    if (incoming.url === GRPC)
      return void response
        .writeHead(200, { "content-type": incoming.headers["content-type"] })
        .end(GRPC_ANSWER);
    return void response.writeHead(incoming.url === FAILING ? 500 : 200).end("{}");
  });
  server.on("upgrade", (_incoming, socket: Socket) => {
    // Not a handshake that a browser would take: the sidecar passes it on as it is.
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      socket.write(
        bytes.includes("break") ? frame(CLOSE, "\u0003\u00f3", false) : frame(TEXT, "hello", false),
        "latin1",
      );
    });
  });
  const port = await listen(server);
  return {
    port,
    hold() {
      isHolding = true;
    },
    release() {
      isHolding = false;
      for (const answer of held) answer();
      held.clear();
    },
  };
}

/** A message and the trailers. */
const GRPC_TRAILERS = "grpc-status: 0\r\n";
const GRPC_ANSWER = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 2, 8, 1]),
  Buffer.from([0x80, 0, 0, 0, GRPC_TRAILERS.length]),
  Buffer.from(GRPC_TRAILERS),
]);

/** @returns its URL */
async function startRefusingBackEnd(): Promise<string> {
  const server = createServer((incoming, response) => {
    incoming.resume();
    response.writeHead(400).end();
  });
  return `http://127.0.0.1:${await listen(server)}/v1/traces`;
}

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** One request on a connection of its own. @returns the answer's status, once its body has ended */
async function ask(port: number, path: string, headers: IncomingHttpHeaders, body?: Buffer): Promise<number> {
  const host = headers.host ?? "two.test";
  const sent = request({
    port,
    host: "127.0.0.1",
    path,
    headers: { ...headers, host },
    method: body === undefined ? "GET" : "POST",
    agent: false,
  });
  sent.end(body);
  const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode ?? 0;
}
