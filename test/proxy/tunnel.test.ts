/** CONNECT: tunnels that pass unopened, and those that the sidecar looks into. */

import { writeFileSync } from "node:fs";
import { connect as connectPlain, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createAuthorityCertificate } from "../../src/authority/authority-certificate.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { CA, pair, startTlsServer } from "../http1/tls-server.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { OK_RESPONSE, rawClient, recordingUpstream } from "../support/wire.ts";

const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";
const OUTBOUND = {
  listen: "127.0.0.1:0",
  allow_networks: ["127.0.0.0/8"],
  ca_file: "test/fixtures/upstreams/ca.pem",
};

async function start(
  outbound: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Promise<TestSidecar & { readonly dns: DnsServer }> {
  const dns = await startDnsServer({
    "target.example": { A: ["127.0.0.1"] },
    "a.wild.example": { A: ["127.0.0.1"] },
  });
  const resolver = `${dns.resolver.host}:${dns.resolver.port}`;
  const sidecar = await startInProcess({
    outbound: { ...OUTBOUND, resolver, ...outbound },
    admin: { listen: "127.0.0.1:0" },
    ...more,
  });
  onTestFinished(async () => {
    await sidecar.sidecar.stop();
    dns.stop();
  });
  return { ...sidecar, dns };
}

/** A server that says what it heard, in capitals. */
async function startEcho(): Promise<{ readonly port: number; readonly sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("data", (bytes: Buffer) => void socket.write(bytes.toString("latin1").toUpperCase()));
    socket.on("error", () => undefined);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, sockets };
}

describe("a tunnel that passes unopened", () => {
  it.each([
    {
      why: "as Synapse asks: HTTP/1.0 and nothing else",
      head: (to: string) => `CONNECT ${to} HTTP/1.0\r\n\r\n`,
    },
    { why: "as others ask", head: (to: string) => `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n` },
  ])("$why: bytes both ways, and a span of how many", async ({ head }) => {
    const echo = await startEcho();
    const sidecar = await start();
    const client = await rawClient(sidecar.port.outbound);
    client.send(head(`target.example:${echo.port}`));
    await client.until((received) => received === ESTABLISHED);
    client.send("hello");
    await client.until((received) => received.endsWith("HELLO"));
    sidecar.advance(250);
    client.socket.end();
    await client.closed();
    const [span] = await sidecar.spansOf(1);
    expect(span?.name).toBe("CONNECT");
    expect(span?.attributes).toEqual({
      "http.request.method": "CONNECT",
      "http.response.status_code": 200,
      "network.protocol.version": head("x").includes("1.0\r") ? "1.0" : "1.1",
      "network.peer.address": "127.0.0.1",
      "network.peer.port": echo.port,
      "server.address": "target.example",
      "server.port": echo.port,
      "fedtrace.direction": "outbound",
      "fedtrace.peer.name": `target.example:${echo.port}`,
      "fedtrace.peer.proof": "claimed",
      "fedtrace.whitelisted": false,
      "fedtrace.context": "absent",
      "fedtrace.headers.removed": 0,
      "fedtrace.sampling.decided": "local",
      "fedtrace.tunnel.bytes_sent": 5,
      "fedtrace.tunnel.bytes_received": 5,
      "sampler.type": "const",
      "sampler.param": true,
    });
    expect(span?.fields.events.map(({ name }) => name)).toEqual(["fedtrace.connect"]);
    const { startUnixMs = 0, endUnixMs = 0 } = span?.fields ?? {};
    expect(endUnixMs - startUnixMs).toBeGreaterThanOrEqual(250);
  });

  it("takes what was sent behind its head before it was answered", async () => {
    const echo = await startEcho();
    const sidecar = await start();
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT target.example:${echo.port} HTTP/1.1\r\nHost: x\r\n\r\nearly`);
    await client.until((received) => received === `${ESTABLISHED}EARLY`);
    client.socket.destroy();
    expect((await sidecar.spansOf(1))[0]?.attributes["fedtrace.tunnel.bytes_sent"]).toBe(5);
  });

  it("gives its target no header, and its context to nobody", async () => {
    const upstream = await recordingUpstream(() => undefined);
    onTestFinished(() => upstream.stop());
    const sidecar = await start({ shared_secret: "s3cret" }, { whitelist: ["target\\.example"] });
    const client = await rawClient(sidecar.port.outbound);
    client.send(
      `CONNECT target.example:${upstream.port} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Bearer s3cret\r\n` +
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\nGET",
    );
    await expect.poll(() => upstream.received()).toBe("GET");
    client.socket.destroy();
    const [span] = await sidecar.spansOf(1);
    expect(span?.parentSpanContext?.spanId).toBe("00f067aa0ba902b7");
    expect(span?.attributes["fedtrace.whitelisted"]).toBe(true);
  });

  it.each([
    { why: "no secret", lines: "", status: 407, secret: "s3cret" },
    { why: "a body", lines: "Content-Length: 1\r\n", status: 400, secret: undefined },
    { why: "chunks", lines: "Transfer-Encoding: chunked\r\n", status: 400, secret: undefined },
  ])("is refused with $why: $status, and the connection closes", async ({ lines, status, secret }) => {
    const sidecar = await start(secret === undefined ? {} : { shared_secret: secret });
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT target.example:443 HTTP/1.1\r\nHost: x\r\n${lines}\r\n`);
    const { received } = await client.closed();
    expect(received).toContain(`HTTP/1.1 ${status} `);
    expect(received).toContain("connection: close");
  });

  it("is answered 502 where nobody listens", async () => {
    const sidecar = await start({ allow_ports: [1] });
    const client = await rawClient(sidecar.port.outbound);
    client.send("CONNECT target.example:1 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect((await client.closed()).received).toContain("FEDTRACE_UPSTREAM_REFUSED");
    const [span] = await sidecar.spansOf(1);
    expect(span?.attributes).toMatchObject({
      "error.type": "UPSTREAM_REFUSED",
      "fedtrace.tunnel.bytes_sent": 0,
    });
  });

  it("ends after limits.idle without a byte, with both ends", async () => {
    const echo = await startEcho();
    const sidecar = await start({}, { limits: { idle: "50ms" } });
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT target.example:${echo.port} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.closed();
    expect((await sidecar.spansOf(1))[0]?.attributes["error.type"]).toBe("TUNNEL_IDLE");
    await expect.poll(() => echo.sockets.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it("does not outlive the drain", async () => {
    const echo = await startEcho();
    const sidecar = await start({}, { limits: { drain: "50ms" } });
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT target.example:${echo.port} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until((received) => received === ESTABLISHED);
    await sidecar.sidecar.stop();
    await client.closed();
    expect(sidecar.spans).toHaveLength(1);
  });

  it("whose client goes away before it stands leaves nothing behind", async () => {
    const echo = await startEcho();
    const sidecar = await start();
    const release = sidecar.dns.hold();
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT target.example:${echo.port} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(() => sidecar.dns.takeQueries().length).toBeGreaterThan(0);
    client.socket.resetAndDestroy();
    const [span] = await sidecar.spansOf(1);
    expect(span?.attributes["error.type"]).toBe("CLIENT_ABORTED");
    release();
    expect(echo.sockets).toEqual([]);
  });
});

/** An authority for every name, and one for .wild.example alone; files and PEM. */
const authorities: Record<"any" | "wild", { certificate: string; key: string }> = {
  any: { certificate: "", key: "" },
  wild: { certificate: "", key: "" },
};

beforeAll(async () => {
  for (const [name, permitted] of [
    ["any", []],
    ["wild", ["wild.example"]],
  ] as const) {
    const made = await createAuthorityCertificate({
      commonName: "test",
      permitted,
      days: 90,
      clock: createSystemClock(),
    });
    if ("refused" in made) throw new Error(JSON.stringify(made.refused));
    authorities[name] = { certificate: made.value.certificatePem, key: made.value.privateKeyPem };
  }
});

function interceptBy(name: "any" | "wild", hosts?: readonly string[]): Readonly<Record<string, unknown>> {
  const directory = temporaryDirectory();
  const [certificate, key] = [join(directory, "ca.pem"), join(directory, "ca.key")];
  writeFileSync(certificate, authorities[name].certificate);
  writeFileSync(key, authorities[name].key);
  return { intercept: { ca_certificate: certificate, ca_private_key: key, ...(hosts && { hosts }) } };
}

/** What Synapse does: CONNECT, then TLS through it. @param trust PEM of whom it trusts */
async function openTunnel(sidecar: TestSidecar, to: string, tls: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectPlain({ port: sidecar.port.outbound, host: "127.0.0.1" });
  socket.write(`CONNECT ${to} HTTP/1.0\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toBe(ESTABLISHED);
  const secured = connectTls({ socket, ...tls });
  secured.on("error", () => undefined);
  return secured;
}

/** A server over TLS that answers every request, and keeps what it got. */
async function startPeer(certificate = "target") {
  const server = await startTlsServer(pair(certificate));
  const peer = { port: server.port, names: server.names, received: "" };
  void (async () => {
    for (;;) {
      const { socket } = await server.peers.next();
      socket.on("error", () => undefined);
      socket.on("end", () => socket.end());
      socket.on("data", (bytes: Buffer) => {
        peer.received += bytes.toString("latin1");
        if (peer.received.endsWith("\r\n\r\n")) socket.write(OK_RESPONSE);
      });
    }
  })();
  return peer;
}

const SIGNED =
  'Authorization: X-Matrix origin="own.test",key="ed25519:1",sig="x",destination="friend.example"\r\n';

async function metricsOf({ port }: TestSidecar): Promise<Readonly<Record<string, number>>> {
  const answer = await fetch(`http://127.0.0.1:${port.admin}/metrics`);
  const lines = (await answer.text()).split("\n").filter((line) => line.startsWith("fedtrace"));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe("a tunnel that is looked into", () => {
  it("shows its requests: each has a span, and takes the context to a whitelisted server", async () => {
    const peer = await startPeer();
    const sidecar = await start(interceptBy("any"), { whitelist: ["friend\\.example"] });
    const tunnel = await openTunnel(sidecar, `target.example:${peer.port}`, {
      ca: authorities.any.certificate,
      servername: "target.example",
    });
    tunnel.write(
      `GET /_matrix/key/v2/server HTTP/1.1\r\nHost: target.example:${peer.port}\r\n${SIGNED}baggage: a=b\r\n` +
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    );
    await once(tunnel, "data");
    tunnel.write(`GET /again HTTP/1.1\r\nHost: target.example:${peer.port}\r\nConnection: close\r\n\r\n`);
    await text(tunnel);
    expect(tunnel.authorized).toBe(true);
    const [first, second] = await sidecar.spansOf(2);
    expect(sidecar.spans).toHaveLength(2); // None for the tunnel itself.
    expect(await metricsOf(sidecar)).toMatchObject({
      'fedtrace_spans_started_total{direction="outbound"}': 2,
      'fedtrace_spans_sampled_total{direction="outbound"}': 2,
      'fedtrace_peers_total{direction="outbound",verdict="whitelisted"}': 1,
      'fedtrace_peers_total{direction="outbound",verdict="stranger"}': 1,
    });
    expect(peer.received).toBe(
      `GET /_matrix/key/v2/server HTTP/1.1\r\nHost: target.example:${peer.port}\r\n${SIGNED}` +
        `traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-${first?.spanContext().spanId}-01\r\n` +
        `uber-trace-id: 4bf92f3577b34da6a3ce929d0e0e4736:${first?.spanContext().spanId}:0:1\r\n` +
        `b3: 4bf92f3577b34da6a3ce929d0e0e4736-${first?.spanContext().spanId}-1\r\n\r\n` +
        // Not signed for a server: its name is the tunnel's, which nobody has listed.
        `GET /again HTTP/1.1\r\nHost: target.example:${peer.port}\r\n\r\n`,
    );
    expect(first?.name).toBe("GET /_matrix/key/v2/server");
    expect(first?.attributes).toMatchObject({
      "server.address": "target.example",
      "fedtrace.peer.name": "friend.example",
      "fedtrace.whitelisted": true,
      "url.full": `https://target.example:${peer.port}/_matrix/key/v2/server`,
    });
    expect(second?.attributes).toMatchObject({
      "fedtrace.peer.name": `target.example:${peer.port}`,
      "fedtrace.whitelisted": false,
    });
    expect(peer.names).toEqual(["target.example"]);
  });

  it("for an address has a certificate for the address, and no server name", async () => {
    const peer = await startPeer("target-ip");
    const sidecar = await start(interceptBy("any"));
    const tunnel = await openTunnel(sidecar, `127.0.0.1:${peer.port}`, {
      ca: authorities.any.certificate,
      host: "127.0.0.1",
    });
    await once(tunnel, "secureConnect");
    expect(tunnel.getPeerCertificate().subjectaltname).toBe("IP Address:127.0.0.1");
    tunnel.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(await text(tunnel)).toContain("200 OK");
    expect(peer.names).toEqual([""]);
  });

  it("by another name than the tunnel's is verified for that name, at the tunnel's address", async () => {
    const peer = await startPeer();
    const sidecar = await start(interceptBy("any"));
    const tunnel = await openTunnel(sidecar, `127.0.0.1:${peer.port}`, {
      ca: authorities.any.certificate,
      servername: "b.wild.example",
    });
    tunnel.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(await text(tunnel)).toContain("200 OK");
    expect(peer.names).toEqual(["b.wild.example"]);
  });

  it("to a server whose certificate is wrong: 502 inside", async () => {
    const peer = await startPeer("target-expired");
    const sidecar = await start(interceptBy("any"));
    const tunnel = await openTunnel(sidecar, `target.example:${peer.port}`, {
      ca: authorities.any.certificate,
      servername: "target.example",
    });
    tunnel.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(await text(tunnel)).toContain("FEDTRACE_UPSTREAM_UNTRUSTED");
    expect(peer.received).toBe("");
  });

  it.each([
    { why: "TRACE", request: "TRACE / HTTP/1.1", status: 501 },
    { why: "a tunnel in the tunnel", request: "CONNECT target.example:443 HTTP/1.1", status: 501 },
    { why: "absolute form", request: "GET https://elsewhere.example/ HTTP/1.1", status: 400 },
    { why: "Matrix's form", request: "GET matrix-federation://elsewhere.example/ HTTP/1.1", status: 400 },
  ])("takes no $why: $status", async ({ request, status }) => {
    const sidecar = await start(interceptBy("any"));
    const tunnel = await openTunnel(sidecar, "target.example:443", {
      ca: authorities.any.certificate,
      servername: "target.example",
    });
    tunnel.write(`${request}\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(await text(tunnel)).toContain(`HTTP/1.1 ${status} `);
  });

  it.each([
    { why: "its host is not listed", authority: "any", hosts: ["*.wild.example"], host: "target.example" },
    {
      why: "the authority may not vouch for it",
      authority: "wild",
      hosts: undefined,
      host: "target.example",
    },
  ] as const)("is not: $why", async ({ authority, hosts, host }) => {
    const peer = await startPeer();
    const sidecar = await start(interceptBy(authority, hosts));
    const tunnel = await openTunnel(sidecar, `${host}:${peer.port}`, {
      ca: CA,
      servername: host,
    });
    tunnel.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(tunnel, "data");
    expect(tunnel.authorized).toBe(true); // By the peer's own authority: nobody stands between.
    tunnel.destroy();
    const [span] = await sidecar.spansOf(1);
    expect(span?.name).toBe("CONNECT");
  });

  it("by a glob is, and by a host with its dot", async () => {
    const peer = await startPeer();
    const sidecar = await start(interceptBy("wild", ["*.wild.example"]));
    const tunnel = await openTunnel(sidecar, `a.wild.example.:${peer.port}`, {
      ca: authorities.wild.certificate,
      servername: "a.wild.example",
    });
    tunnel.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(await text(tunnel)).toContain("200 OK");
    expect(peer.names).toEqual(["a.wild.example"]);
  });

  it.each([
    { why: "no TLS", send: "GET / HTTP/1.1\r\n\r\n", reason: "handshake", limits: {} },
    {
      why: "a hello that is never finished",
      send: "\x16\x03\x01",
      reason: "timeout",
      limits: { head_timeout: "50ms" },
    },
    { why: "silence", send: "", reason: "timeout", limits: { head_timeout: "50ms" } },
  ])("in which there is $why is closed and counted", async ({ send, reason, limits }) => {
    const sidecar = await start(interceptBy("any"), { limits });
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT target.example:443 HTTP/1.1\r\nHost: x\r\n\r\n${send}`);
    await client.closed();
    await expect
      .poll(() => metricsOf(sidecar))
      .toMatchObject({
        [`fedtrace_intercept_failures_total{reason="${reason}"}`]: 1,
        fedtrace_intercepted_tunnels: 0,
        fedtrace_connections: 0,
      });
  });

  it("whose client does not trust the authority leaves nothing behind", async () => {
    const sidecar = await start(interceptBy("any"));
    const tunnel = await openTunnel(sidecar, "target.example:443", {
      ca: CA,
      servername: "target.example",
    });
    await new Promise((resolve) => void tunnel.once("close", resolve)); // Its error is told as well.
    await expect
      .poll(() => metricsOf(sidecar))
      .toMatchObject({ fedtrace_intercepted_tunnels: 0, fedtrace_connections: 0 });
    expect(sidecar.spans).toEqual([]);
  });

  it("but leads nowhere has a span of its own, counted once", async () => {
    const sidecar = await start(interceptBy("any"));
    const client = await rawClient(sidecar.port.outbound);
    client.send("CONNECT nowhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect((await client.closed()).received).toContain("FEDTRACE_DISCOVERY_FAILED");
    const [span] = await sidecar.spansOf(1);
    expect(span?.attributes["error.type"]).toBe("DISCOVERY_FAILED");
    expect(await metricsOf(sidecar)).toMatchObject({
      'fedtrace_spans_started_total{direction="outbound"}': 1,
      'fedtrace_spans_sampled_total{direction="outbound"}': 1,
      'fedtrace_peers_total{direction="outbound",verdict="stranger"}': 1,
    });
  });

  it("costs one certificate a name", async () => {
    const sidecar = await start(interceptBy("any"));
    const tls = { ca: authorities.any.certificate, servername: "target.example" };
    for (let count = 0; count < 3; count++) {
      const tunnel = await openTunnel(sidecar, "target.example:443", tls);
      await once(tunnel, "secureConnect");
      tunnel.destroy();
    }
    expect(await metricsOf(sidecar)).toMatchObject({
      fedtrace_intercept_certificates_kept: 1,
      'fedtrace_intercept_certificates_total{outcome="issued"}': 1,
      'fedtrace_intercept_certificates_total{outcome="hit"}': 2,
    });
  });

  it("closes with the drain, once its open request is answered", async () => {
    const peer = await startPeer();
    const sidecar = await start(interceptBy("any"));
    const tls = { ca: authorities.any.certificate, servername: "target.example" };
    const tunnel = await openTunnel(sidecar, `target.example:${peer.port}`, tls);
    tunnel.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(tunnel, "data");
    const closed = once(tunnel, "close");
    tunnel.resume();
    await sidecar.sidecar.stop(); // Within limits.drain, 30 s, or the test is over before.
    await closed;
  });
});
