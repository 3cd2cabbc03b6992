/** Attacks on the way out, one a row: what each would have done, and where it comes from. */

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createAuthorityCertificate } from "../../src/authority/authority-certificate.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { get, type GetOptions } from "../../src/discovery/https-get.ts";
import { createTrust, createUpstreamTls } from "../../src/http1/upstream-tls.ts";
import { CA, pair, startTlsServer } from "../http1/tls-server.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, OK_RESPONSE, rawClient, recordingUpstream } from "../support/wire.ts";

const OUTBOUND = {
  listen: "127.0.0.1:0",
  allow_networks: ["127.0.0.0/8"],
  ca_file: "test/fixtures/upstreams/ca.pem",
};

const authority = { certificate: "", key: "" };

beforeAll(async () => {
  const order = { commonName: "test", permitted: [], days: 90, clock: createSystemClock() };
  const made = await createAuthorityCertificate(order);
  if ("refused" in made) throw new Error(JSON.stringify(made.refused));
  authority.certificate = made.value.certificatePem;
  authority.key = made.value.privateKeyPem;
});

interface Attacked extends TestSidecar {
  readonly dns: DnsServer;
}

async function start(
  outbound: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Promise<Attacked> {
  const dns = await startDnsServer({
    "target.example": { A: ["127.0.0.1"] },
  });
  const resolver = `${dns.resolver.host}:${dns.resolver.port}`;
  const sidecar = await startInProcess({ outbound: { ...OUTBOUND, resolver, ...outbound }, ...more });
  onTestFinished(async () => {
    await sidecar.sidecar.stop();
    dns.stop();
  });
  return { ...sidecar, dns };
}

function intercepting(): Readonly<Record<string, unknown>> {
  const directory = temporaryDirectory();
  const [certificate, key] = [join(directory, "ca.pem"), join(directory, "ca.key")];
  writeFileSync(certificate, authority.certificate);
  writeFileSync(key, authority.key);
  return { intercept: { ca_certificate: certificate, ca_private_key: key } };
}

async function openTunnel({ port }: TestSidecar, to: string): Promise<TLSSocket> {
  const socket = connectPlain({ port: port.outbound, host: "127.0.0.1" });
  socket.write(`CONNECT ${to} HTTP/1.0\r\n\r\n`);
  await once(socket, "data");
  const secured = connectTls({ socket, ca: authority.certificate, servername: "target.example" });
  secured.on("error", () => undefined);
  return secured;
}

async function metricsOf({ port }: TestSidecar): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
}

/** A server over TLS; `onRequest` gets each connection's number, from 0, and what came on it. */
async function startPeer(onRequest: (index: number, socket: Socket, received: string) => void) {
  const server = await startTlsServer(pair("target"));
  void (async () => {
    for (let index = 0; ; index++) {
      const { socket } = await server.peers.next();
      socket.on("error", () => undefined);
      socket.on("data", (bytes: Buffer) => onRequest(index, socket, bytes.toString("latin1")));
    }
  })();
  return server;
}

describe("a peer", () => {
  it("can't answer the next request before it is sent, in a TLS record of its own (CWE-444)", async () => {
    const server = await startPeer((index, socket) => {
      if (index > 0) return void socket.write(OK_RESPONSE);
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    });
    const port = await startGatheringRelay(server.port);
    const sidecar = await start();
    const head = (path: string) => `GET https://target.example:${port}/${path} HTTP/1.1\r\nHost: x\r\n`;
    // Pipelined, so that the second one waits when the first answer ends.
    const request = `${head("1")}\r\n${head("2")}Connection: close\r\n\r\n`;
    expect(await exchangeRaw(sidecar.port.outbound, request)).toMatch(
      /\r\n\r\noneHTTP\/1\.1 200 OK\r\n[^]*ok$/,
    );
  });

  it.each([
    { why: "an address twice", name: (port: number) => `http://twice.example:${port}` },
    { why: "two SRV records of one address", name: () => "matrix-federation://target.example" },
  ])("whose name shows $why has one connection, not one a look-up", async ({ name }) => {
    const upstream = await startPeer((_index, socket) => void socket.write(OK_RESPONSE));
    const plain = await recordingUpstream();
    onTestFinished(() => plain.stop());
    const sidecar = await start({}, { admin: { listen: "127.0.0.1:0" } });
    sidecar.dns.setZone({
      "twice.example": { A: ["127.0.0.1", "127.0.0.1"], ttl: 1 },
      "_matrix-fed._tcp.target.example": {
        SRV: [
          [1, 1, upstream.port, "twice.example"],
          [2, 1, upstream.port, "twice.example"],
        ],
      },
      "target.example": {},
    });
    const request = `GET ${name(plain.port)}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    for (let count = 0; count < 4; count++) {
      await exchangeRaw(sidecar.port.outbound, request);
      sidecar.advance(11_000); // Past the shortest time that an address is kept.
    }
    const metrics = await metricsOf(sidecar);
    expect(/^fedtrace_upstream_connections \d+$/m.exec(metrics)?.[0]).toBe("fedtrace_upstream_connections 1");
  });
});

/** Hands on what a server sends in one piece a round, as a network may that delays and joins segments. */
async function startGatheringRelay(to: number): Promise<number> {
  const relay = createServer((near) => {
    const far = connectPlain({ port: to, host: "127.0.0.1" });
    const held: Buffer[] = [];
    far.on("data", (bytes: Buffer) => {
      if (held.push(bytes) === 1) setTimeout(() => near.write(Buffer.concat(held.splice(0))), 50);
    });
    for (const socket of [near, far]) {
      socket.on("error", () => undefined).on("close", () => [near, far].map((end) => end.destroy()));
    }
    near.pipe(far);
  });
  onTestFinished(() => void relay.close());
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  return (relay.address() as AddressInfo).port;
}

describe("a request inside a tunnel", () => {
  it("of HTTP/1.0, without Host, does not leave as one of HTTP/1.1 without Host (RFC 9112 section 3.2)", async () => {
    let received = "";
    const server = await startPeer((_index, socket, bytes) => {
      received += bytes;
      socket.write(OK_RESPONSE);
    });
    const sidecar = await start(intercepting());
    const tunnel = await openTunnel(sidecar, `target.example:${server.port}`);
    tunnel.write("GET /x HTTP/1.0\r\n\r\n");
    expect(await text(tunnel)).toContain("200 OK");
    expect(received).toBe(`GET /x HTTP/1.1\r\nhost: target.example:${server.port}\r\n\r\n`);
  });
});

describe("what is counted of tunnels", () => {
  it("that are looked into: what their requests are, and those that are refused", async () => {
    const server = await startPeer((_index, socket) => void socket.write(OK_RESPONSE));
    const sidecar = await start(intercepting(), { admin: { listen: "127.0.0.1:0" } });
    for (const lines of ["Host: target.example\r\nConnection: close\r\n", "Folded:\r\n line\r\n"]) {
      const tunnel = await openTunnel(sidecar, `target.example:${server.port}`);
      tunnel.write(`GET /x HTTP/1.1\r\n${lines}\r\n`);
      await text(tunnel);
    }
    const metrics = await metricsOf(sidecar);
    expect(sidecar.spans).toHaveLength(1);
    // As many as ended: else two more would seem to be under way for ever.
    expect(metrics).toContain('fedtrace_spans_started_total{direction="outbound"} 1\n');
    expect(metrics).toContain('{direction="outbound",reason="folded-field"} 1\n');
  });

  it("that pass unopened, or are refused: one each", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const sidecar = await start({}, { admin: { listen: "127.0.0.1:0" } });
    for (const port of [upstream.port, 25]) {
      const client = await rawClient(sidecar.port.outbound);
      client.send(`CONNECT target.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await client.until((received) => received.includes("\r\n\r\n"));
      client.socket.destroy();
    }
    expect(await sidecar.spansOf(2)).toHaveLength(2);
    expect(await metricsOf(sidecar)).toContain('fedtrace_spans_started_total{direction="outbound"} 2\n');
  });
});

describe("the drain", () => {
  it.each([
    { why: "one that would pass unopened", outbound: () => ({}) },
    { why: "one to look into", outbound: intercepting },
  ])("is not held by a tunnel whose name is still looked for: $why", async ({ outbound }) => {
    const sidecar = await start(outbound()); // With limits.drain of 30 s, more than a test has.
    const release = sidecar.dns.hold();
    const client = await rawClient(sidecar.port.outbound);
    client.send("CONNECT target.example:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    await expect.poll(() => sidecar.dns.takeQueries().length).toBeGreaterThan(0);
    const stopped = sidecar.sidecar.stop();
    release();
    expect((await client.closed()).received).toContain("FEDTRACE_DRAINING");
    await stopped;
    expect(sidecar.spans.map(({ attributes }) => attributes["error.type"])).toEqual(["DRAINING"]);
  });

  it("tells who waits inside a tunnel at its end, as it tells all others", async () => {
    let onAsked = (): void => undefined;
    const asked = new Promise<void>((resolve) => (onAsked = resolve));
    const server = await startPeer(() => onAsked()); // It never answers.
    const sidecar = await start(intercepting(), { limits: { drain: "50ms" } });
    const tunnel = await openTunnel(sidecar, `target.example:${server.port}`);
    tunnel.write("GET /x HTTP/1.1\r\nHost: target.example\r\n\r\n");
    const answer = text(tunnel);
    await asked;
    await sidecar.sidecar.stop();
    expect(await answer).toContain("FEDTRACE_DRAINING");
    expect(sidecar.spans.map(({ attributes }) => attributes["error.type"])).toEqual(["DRAINING"]);
  });
});

describe("a .well-known", () => {
  it("is not taken from a certificate that has its name as common name alone (RFC 9525 section 2)", async () => {
    const server = await startTlsServer(pair("target-cn"));
    const dial = await createUpstreamTls({ trust: await createTrust([CA]), pins: {} });
    const asked: GetOptions = {
      endpoints: [{ host: "127.0.0.1", port: server.port }],
      tls: dial("target.example"),
      hostHeader: "target.example",
      path: "/",
      accept: "application/json",
      bodyBytesMax: 100,
      signal: AbortSignal.timeout(5000),
    };
    await expect(get(asked)).rejects.toThrow(/altnames|subjectAltName/i);
  });
});

describe("a client without the secret", () => {
  const put = (name: string) =>
    `PUT http://${name}/_matrix/federation/v1/send/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;

  it("is kept in no book: neither the names it writes, nor what it says of transactions", async () => {
    const sidecar = await start({ shared_secret: "s3cret" }, { whitelist: [".*\\.example"] });
    for (const name of ["target.example", "x".repeat(60_000)]) {
      expect(await exchangeRaw(sidecar.port.outbound, put(name))).toContain("407 ");
    }
    expect(sidecar.sidecar.peers.peers().map(({ name }) => name)).toEqual([""]);
    expect((await sidecar.spansOf(2)).map(({ attributes }) => attributes["fedtrace.whitelisted"])).toEqual([
      false,
      false,
    ]);
  });

  it("and one with it can't fill the book of peers with 60 kB a name", async () => {
    const sidecar = await start();
    expect(await exchangeRaw(sidecar.port.outbound, put("x".repeat(60_000)))).toContain("400 ");
    expect(sidecar.sidecar.peers.peers().map(({ name }) => name)).toEqual([""]);
  });
});
