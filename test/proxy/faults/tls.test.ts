/** Faults that only TLS has: handshakes that end early, and an answer that is cut without the goodbye of TLS. */

import { sumOf } from "../../support/metrics.ts";
import { once } from "node:events";
import { type AddressInfo, connect as netConnect, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import { expect, it, onTestFinished } from "vitest";
import { createQueue, turn } from "../../http1/sockets.ts";
import { startInProcess, type TestSidecar } from "../../support/in-process.ts";
import { recordingUpstream } from "../../support/wire.ts";
import { FAST } from "./stage.ts";

const CERTIFICATES = "test/fixtures/certificates";
type Upstream = Parameters<typeof recordingUpstream>[0];

async function start(answer: Upstream, limits: object = { drain: "0s" }): Promise<TestSidecar> {
  const upstream = await recordingUpstream(answer);
  onTestFinished(() => upstream.stop());
  const sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      tls: { certificate: `${CERTIFICATES}/server-main.pem`, private_key: `${CERTIFICATES}/server-main.key` },
    },
    limits,
  });
  onTestFinished(() => sidecar.sidecar.stop());
  return sidecar;
}

function sum({ sidecar }: TestSidecar, name: string): number {
  return sumOf(sidecar.registry, name);
}

const dial = (port: number) => connect({ port, host: "127.0.0.1", rejectUnauthorized: false });

it("a client that leaves as its handshake ends is gone at once, not when the time limit passes", async () => {
  const sidecar = await start(undefined);
  const socket = dial(sidecar.port.inbound);
  await once(socket, "secureConnect");
  socket.destroy();
  await expect
    .poll(
      () => [
        sum(sidecar, "fedtrace_tls_handshake_failures") + sum(sidecar, "fedtrace_connections"),
        process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length,
      ],
      FAST,
    )
    .toEqual([1, 0]);
});

/** A way to the port that can be held shut, and that keeps what came back. */
async function startWay(port: number) {
  const back: Buffer[] = [];
  const sockets = createQueue<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const far = netConnect({ port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void far.destroy());
    far.on("data", (bytes: Buffer) => {
      back.push(bytes);
      client.write(bytes);
    });
    far.on("end", () => client.end());
    far.on("error", () => client.destroy());
    client.on("error", () => far.destroy());
    client.on("end", () => far.end());
    far.on("connect", () => sockets.push(far));
    client.on("data", (bytes: Buffer) => far.write(bytes));
    client.pause();
    void opened.then(() => client.resume());
  });
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    /** Connections on the far side. */
    sockets,
    open: () => open(),
    back: () => Buffer.concat(back),
  };
}

it("a drain does not wait for a first request behind a handshake that ends within it", async () => {
  const sidecar = await start(undefined, { drain: "10s", head_timeout: "10s" });
  const way = await startWay(sidecar.port.inbound);
  const socket = dial(way.port);
  await way.sockets.next();
  await turn();
  await turn();
  const beganMs = performance.now();
  const stopped = sidecar.sidecar.stop();
  way.open();
  socket.resume();
  await once(socket, "end");
  socket.destroy();
  await stopped;
  expect(performance.now() - beganMs).toBeLessThan(3000);
});

it.each([
  {
    why: "cut: without the goodbye of TLS (RFC 8446 section 6.1)",
    end: (socket: Socket) => void socket.resetAndDestroy(),
    isWhole: false,
  },
  { why: "whole: with it", end: (socket: Socket) => void socket.end(), isWhole: true },
])("an answer that ends with the connection, $why", async ({ end, isWhole }) => {
  const sidecar = await start((_head, socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\nhalf of", "latin1", () => setImmediate(() => end(socket)));
    return undefined;
  });
  const way = await startWay(sidecar.port.inbound);
  way.open();
  // In TLS 1.2 a record's type can be read from outside.
  const socket = connect({
    port: way.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    maxVersion: "TLSv1.2",
  });
  await once(socket, "secureConnect");
  socket.write("GET / HTTP/1.1\r\nHost: own.test\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  const [span] = await sidecar.spansOf(1);
  expect(span?.attributes["error.type"]).toBe(isWhole ? undefined : "UPSTREAM_CLOSED");
  expect(recordTypes(way.back()).at(-1)).toBe(isWhole ? ALERT : APPLICATION_DATA);
});

const ALERT = 21;
const APPLICATION_DATA = 23;

function recordTypes(bytes: Buffer): readonly number[] {
  const types: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) types.push(bytes[at] ?? 0);
  return types;
}
