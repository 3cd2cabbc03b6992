/**
 * The way out, end to end: every form of a request, over TLS to a real server, with a real DNS server; what a peer sees of it,
 * and what its span says.
 */

import { readFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { SPAN_KIND_CLIENT, type SpanRecord } from "../../src/span/record.ts";
import { pair, startTlsServer } from "../http1/tls-server.ts";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, OK_RESPONSE, rawClient, recordingUpstream } from "../support/wire.ts";

const CA_FILE = "test/fixtures/upstreams/ca.pem";
const OUTBOUND = { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"], ca_file: CA_FILE };
const WHITELIST = ["target\\.example", ".*\\.wild\\.example"];
const PARENT = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

let dns: DnsServer;

beforeEach(async () => {
  dns = await startDnsServer({
    "target.example": { A: ["127.0.0.1"] },
    "stranger.example": { A: ["127.0.0.1"] },
    "inside.example": { A: ["10.0.0.1"] },
  });
  onTestFinished(() => dns.stop());
});

interface Setup {
  readonly outbound?: Readonly<Record<string, unknown>>;
  readonly more?: Readonly<Record<string, unknown>>;
}

function documentOf({ outbound = {}, more = {} }: Setup = {}): Record<string, unknown> {
  const { host, port } = dns.resolver;
  return {
    outbound: { ...OUTBOUND, resolver: `${host}:${port}`, ...outbound },
    whitelist: WHITELIST,
    ...more,
  };
}

async function start(setup?: Setup): Promise<TestSidecar> {
  const sidecar = await startInProcess(documentOf(setup));
  onTestFinished(() => sidecar.sidecar.stop());
  return sidecar;
}

/** A server that answers every request with `ok`, and keeps what it got. */
async function startPeer(certificate = "target") {
  const server = await startTlsServer(pair(certificate));
  const received: string[] = [];
  void (async () => {
    for (;;) {
      const peer = await server.peers.next();
      const index = received.push("") - 1;
      peer.socket.on("data", (bytes: Buffer) => {
        received[index] += bytes.toString("latin1");
        if (received[index]?.endsWith("\r\n\r\n") === true) peer.socket.write(OK_RESPONSE);
      });
      peer.socket.on("error", () => undefined);
    }
  })();
  return { port: server.port, received, names: server.names };
}

function requestTo(target: string, lines: readonly string[] = [], version = "1.1"): string {
  const authority = /:\/\/([^/?]+)/.exec(target)?.[1] ?? "";
  const host = version === "1.1" ? [`Host: ${authority}`] : [];
  return `GET ${target} HTTP/${version}\r\n${[...host, ...lines, "Connection: close"].join("\r\n")}\r\n\r\n`;
}

function eventNames(span: SpanRecord | undefined): readonly string[] {
  return span?.fields.events.map(({ name }) => name) ?? [];
}

describe("forms of a request", () => {
  it.each([
    { why: "Matrix, as Synapse asks", scheme: "matrix-federation", version: "1.1" },
    { why: "Matrix, in HTTP/1.0", scheme: "matrix-federation", version: "1.0" },
    { why: "https in absolute form", scheme: "https", version: "1.1" },
    { why: "https in HTTP/1.0", scheme: "https", version: "1.0" },
    { why: "a scheme in upper case", scheme: "HTTPS", version: "1.1" },
  ])("$why: arrives over TLS, byte for byte, with the own context", async ({ scheme, version }) => {
    const peer = await startPeer();
    const sidecar = await start();
    const target = `${scheme}://target.example:${peer.port}/_matrix/key/v2/server?a=%21`;
    const answer = await exchangeRaw(
      sidecar.port.outbound,
      requestTo(target, ["X-Odd:  spaced ", PARENT, "baggage: a=b"], version),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
    expect(peer.names).toEqual(["target.example"]);
    const [span] = await sidecar.spansOf(1);
    const id = span?.spanContext().spanId ?? "";
    const host =
      version === "1.1" ? [`Host: target.example:${peer.port}`, "X-Odd:  spaced "] : ["X-Odd:  spaced "];
    const added = version === "1.1" ? [] : [`host: target.example:${peer.port}`];
    expect(peer.received[0]?.split("\r\n")).toEqual([
      "GET /_matrix/key/v2/server?a=%21 HTTP/1.1",
      ...host,
      ...added,
      `traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-${id}-01`,
      `uber-trace-id: 4bf92f3577b34da6a3ce929d0e0e4736:${id}:0:1`,
      `b3: 4bf92f3577b34da6a3ce929d0e0e4736-${id}-1`,
      "",
      "",
    ]);
    expect(span?.kind).toBe(SPAN_KIND_CLIENT);
    expect(span?.parentSpanContext?.spanId).toBe("00f067aa0ba902b7");
    expect(span?.name).toBe("GET /_matrix/key/v2/server");
    expect(span?.attributes).toMatchObject({
      "server.address": "target.example",
      "server.port": peer.port,
      "url.full": `https://target.example:${peer.port}/_matrix/key/v2/server?a=%21`,
      "network.peer.address": "127.0.0.1",
      "network.peer.port": peer.port,
      "fedtrace.peer.name": `target.example:${peer.port}`,
      "fedtrace.whitelisted": true,
      "fedtrace.headers.removed": 2,
    });
  });

  /** What Synapse's client makes of a name without a port: `Host: name:80`, after the line that goes. */
  it.each([
    { why: "right after a line that goes", lines: ["Connection: close", "Host: target.example:80", "A: b"] },
    { why: "right before one", lines: ["A: b", "Host: target.example:80", "Connection: close"] },
    { why: "between two", lines: ["Keep-Alive: a", "Host: target.example:80", "Connection: close", "A: b"] },
  ])("Matrix: a Host $why gives way to what discovery says, and is the only one", async ({ lines }) => {
    const peer = await startPeer();
    const sidecar = await start({ more: { whitelist: [] } });
    const target = `matrix-federation://target.example:${peer.port}/_matrix/key/v2/server`;
    await exchangeRaw(sidecar.port.outbound, `GET ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    expect(peer.received[0]?.split("\r\n")).toEqual([
      "GET /_matrix/key/v2/server HTTP/1.1",
      "A: b",
      `host: target.example:${peer.port}`,
      "",
      "",
    ]);
  });

  it("to a server that is not whitelisted leave without a context", async () => {
    const peer = await startPeer();
    const sidecar = await start({ more: { whitelist: [] } });
    await exchangeRaw(
      sidecar.port.outbound,
      requestTo(`matrix-federation://target.example:${peer.port}/x`, [PARENT, "Uber-Trace-Id: 1:2:0:1"]),
    );
    expect(peer.received[0]).toBe(`GET /x HTTP/1.1\r\nHost: target.example:${peer.port}\r\n\r\n`);
  });

  it("by SRV lead to its port, under the name before it", async () => {
    const peer = await startPeer();
    dns.setZone({
      "_matrix-fed._tcp.a.wild.example": { SRV: [[10, 0, peer.port, "host.example"]] },
      "a.wild.example": {},
      "host.example": { A: ["127.0.0.1"] },
    });
    const sidecar = await start();
    const request = requestTo("matrix-federation://a.wild.example/x").replace("Host: a", "Host: A");
    await exchangeRaw(sidecar.port.outbound, request);
    expect(peer.names).toEqual(["a.wild.example"]);
    expect(peer.received[0]).toMatch(/^GET \/x HTTP\/1\.1\r\nhost: a\.wild\.example\r\ntraceparent: /);
    const [span] = await sidecar.spansOf(1);
    expect(span?.attributes).toMatchObject({
      "server.address": "a.wild.example",
      "server.port": 8448,
      "network.peer.port": peer.port,
      "fedtrace.peer.name": "a.wild.example",
      "fedtrace.whitelisted": true,
    });
    expect(span?.fields.events[0]?.attributes).toMatchObject({
      "fedtrace.discovery.step": "srv",
      "fedtrace.discovery.cached": false,
    });
  });

  it("inside https are whitelisted by what X-Matrix is signed for: the name before delegation", async () => {
    const peer = await startPeer();
    const sidecar = await start({ more: { whitelist: ["before\\.example"] } });
    const line =
      'Authorization: X-Matrix origin="own.test",key="ed25519:1",sig="x",destination="before.example"';
    await exchangeRaw(sidecar.port.outbound, requestTo(`https://target.example:${peer.port}/x`, [line]));
    expect(peer.received[0]).toContain("traceparent: ");
    const [span] = await sidecar.spansOf(1);
    expect(span?.attributes["fedtrace.peer.name"]).toBe("before.example");
  });
});

describe("connections to targets", () => {
  it("are shared, and what is known is asked for no more", async () => {
    const peer = await startPeer();
    const sidecar = await start();
    const request = requestTo(`matrix-federation://target.example:${peer.port}/x`);
    await exchangeRaw(sidecar.port.outbound, request);
    expect(dns.takeQueries().length).toBe(2);
    for (let count = 0; count < 5; count++) await exchangeRaw(sidecar.port.outbound, request);
    expect(dns.takeQueries()).toEqual([]);
    expect(peer.received).toHaveLength(1); // One connection had them all.
    const spans = await sidecar.spansOf(6);
    expect(eventNames(spans[0])).toEqual(["fedtrace.discovery", "fedtrace.connect", "fedtrace.tls"]);
    expect(eventNames(spans[5])).toEqual(["fedtrace.discovery"]);
    expect(spans[5]?.fields.events[0]?.attributes["fedtrace.discovery.cached"]).toBe(true);
    const times = spans[0]?.fields.events.map(({ unixMs }) => unixMs) ?? [];
    const { startUnixMs = 0, endUnixMs = 0 } = spans[0]?.fields ?? {};
    expect([startUnixMs, ...times, endUnixMs]).toEqual(
      [startUnixMs, ...times, endUnixMs].toSorted((left, right) => left - right),
    );
  });

  it.each([
    { why: "expired", certificate: "target-expired", detail: "CERT_HAS_EXPIRED" },
    { why: "by nobody we know", certificate: "target-self", detail: "DEPTH_ZERO_SELF_SIGNED_CERT" },
    { why: "for another name", certificate: "target-ip", detail: "ERR_TLS_CERT_ALTNAME_INVALID" },
  ])("to a certificate that is $why: 502, and nothing was sent", async ({ certificate, detail }) => {
    const peer = await startPeer(certificate);
    const sidecar = await start();
    const answer = await exchangeRaw(
      sidecar.port.outbound,
      requestTo(`matrix-federation://target.example:${peer.port}/x`),
    );
    expect(answer).toContain("502 Bad Gateway");
    expect(answer).toContain("FEDTRACE_UPSTREAM_UNTRUSTED");
    expect(peer.received.join("")).toBe("");
    expect(sidecar.logged.join("\n")).toContain(detail);
    const [span] = await sidecar.spansOf(1);
    expect(span?.attributes["error.type"]).toBe("UPSTREAM_UNTRUSTED");
  });

  it("to a pinned certificate are trusted by its fingerprint alone", async () => {
    const peer = await startPeer("target-self");
    const { X509Certificate } = await import("node:crypto");
    const { fingerprint256 } = new X509Certificate(readFileSync("test/fixtures/upstreams/target-self.pem"));
    const sidecar = await start({ outbound: { pins: { "Target.example": [fingerprint256] } } });
    const target = `https://target.example:${peer.port}/x`;
    expect(await exchangeRaw(sidecar.port.outbound, requestTo(target))).toContain("200 OK");
    const other = await start({ outbound: { pins: { "target.example": ["0".repeat(64)] } } });
    expect(await exchangeRaw(other.port.outbound, requestTo(target))).toContain("UPSTREAM_UNTRUSTED");
  });

  it("follow a change of allow_networks: what was found before is asked again", async () => {
    const peer = await startPeer();
    const sidecar = await start();
    const request = requestTo(`https://target.example:${peer.port}/x`);
    expect(await exchangeRaw(sidecar.port.outbound, request)).toContain("200 OK");
    expect(await sidecar.reload(documentOf({ outbound: { allow_networks: [] } }))).toEqual([]);
    expect(await exchangeRaw(sidecar.port.outbound, request)).toContain("FEDTRACE_TARGET_REFUSED");
    expect(await sidecar.reload(documentOf({ outbound: { pins: { a: ["0".repeat(64)] } } }))).toEqual([
      "outbound",
    ]);
  });
});

describe("a proxy loop", () => {
  it.each([
    { why: "its address", listen: "127.0.0.1:0", host: "127.0.0.1", method: "CONNECT" },
    { why: "its address", listen: "127.0.0.1:0", host: "127.0.0.1", method: "GET" },
    { why: "a name of it", listen: "127.0.0.1:0", host: "target.example", method: "CONNECT" },
    {
      why: "any address of this machine, if it listens on all",
      listen: "0.0.0.0:0",
      host: "127.0.0.9",
      method: "CONNECT",
    },
  ])("$why is refused: $method", async ({ listen, host, method }) => {
    const sidecar = await start({ outbound: { listen } });
    const authority = `${host}:${sidecar.port.outbound}`;
    const request =
      method === "CONNECT"
        ? `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`
        : requestTo(`http://${authority}/x`);
    const answer = await exchangeRaw(sidecar.port.outbound, request);
    expect(answer).toContain("403 Forbidden");
    expect(answer).toContain("the target is this proxy itself");
  });
});

describe("attempts of one transaction", () => {
  const SEND = "/_matrix/federation/v1/send/1795355008288";

  it("link to the one before, across minutes, until it is delivered", async () => {
    let status = "502 Bad Gateway";
    const upstream = await recordingUpstream(() => `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    onTestFinished(() => upstream.stop());
    const sidecar = await start();
    const put = (id = SEND) =>
      exchangeRaw(
        sidecar.port.outbound,
        requestTo(`http://target.example:${upstream.port}${id}`, [PARENT]).replace("GET", "PUT"),
      );
    await put();
    sidecar.advance(20 * 60_000);
    await put();
    await put(`${SEND}9`);
    status = "200 OK";
    await put();
    await put();
    const spans = await sidecar.spansOf(5);
    const idOf = (index: number) => spans[index]?.spanContext().spanId;
    const linksOf = (index: number) => spans[index]?.links.map(({ context }) => context.spanId);
    expect([0, 1, 2, 3, 4].map(linksOf)).toEqual([[], [idOf(0)], [], [idOf(1)], []]);
    expect(spans.map(({ attributes }) => attributes["http.request.resend_count"])).toEqual([
      undefined,
      1,
      undefined,
      2,
      undefined,
    ]);
    expect(spans[1]?.links[0]?.attributes).toEqual({ "fedtrace.link": "resend" });
    expect(new Set(spans.map(({ parentSpanContext }) => parentSpanContext?.spanId))).toEqual(
      new Set(["00f067aa0ba902b7"]),
    );
  });

  it("within one exchange have a span each too, and the ids that leave are the last one's", async () => {
    let isFirst = true;
    const upstream = await recordingUpstream((_head, socket) => {
      if (!isFirst && upstream.connections.length === 1) return void socket.end();
      isFirst = false;
      return OK_RESPONSE;
    });
    onTestFinished(() => upstream.stop());
    const sidecar = await start();
    const request = requestTo(`http://target.example:${upstream.port}/x`, [PARENT]);
    await exchangeRaw(sidecar.port.outbound, request);
    await exchangeRaw(sidecar.port.outbound, request);
    const [, failed, last] = await sidecar.spansOf(3);
    expect(failed?.attributes["error.type"]).toBe("UPSTREAM_CLOSED");
    expect(last?.attributes["http.request.resend_count"]).toBe(1);
    expect(last?.links.map(({ context }) => context.spanId)).toEqual([failed?.spanContext().spanId]);
    expect(last?.parentSpanContext?.spanId).toBe("00f067aa0ba902b7");
    expect(upstream.connections[1]?.received).toContain(last?.spanContext().spanId);
    expect(upstream.connections[1]?.received).not.toContain(failed?.spanContext().spanId);
  });
});

describe("trace contexts in bodies", () => {
  const BODY = '{"edus":[{"content":{"org.matrix.opentracing_context":"{\\"a\\":1}"}}],"origin":"a"}';

  it("are counted by peer and direction, told once a peer, and pass as they are", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const sidecar = await start({
      more: {
        inbound: { listen: "127.0.0.1:0", upstream: `http://127.0.0.1:${upstream.port}` },
        admin: { listen: "127.0.0.1:0" },
      },
    });
    const head = (target: string, host: string) =>
      `PUT ${target}/_matrix/federation/v1/send/1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n` +
      `Authorization: X-Matrix origin="peer.example",key="k",sig="s"\r\nContent-Length: ${BODY.length}\r\n\r\n`;
    const outbound = head(`http://target.example:${upstream.port}`, `target.example:${upstream.port}`);
    for (let count = 0; count < 2; count++) {
      await exchangeRaw(sidecar.port.outbound, outbound + BODY);
      await exchangeRaw(sidecar.port.inbound, head("", "own.test") + BODY);
    }
    const spans = await sidecar.spansOf(4);
    expect(spans.map(({ attributes }) => attributes["fedtrace.body.contexts"])).toEqual([1, 1, 1, 1]);
    expect(upstream.received().split(BODY)).toHaveLength(5);
    const told = sidecar.logged.filter((line) => line.includes("bodies carry trace contexts"));
    expect(new Set(told.map((line) => /"peer":"([^"]*)"/.exec(line)?.[1]))).toEqual(
      new Set(["peer.example", `target.example:${upstream.port}`]),
    );
    expect(told).toHaveLength(2);
    const admin = `http://127.0.0.1:${sidecar.port.admin}`;
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    expect(metrics).toContain('fedtrace_body_contexts_total{direction="inbound"} 2');
    expect(metrics).toContain('fedtrace_body_contexts_total{direction="outbound"} 2');
    const { peers } = (await (await fetch(`${admin}/api/fedtrace/peers`)).json()) as {
      readonly peers: readonly {
        readonly name: string;
        readonly inbound: object;
        readonly outbound: object;
      }[];
    };
    expect(peers.find(({ name }) => name === "peer.example")?.inbound).toMatchObject({ body_contexts: 2 });
    expect(peers.find(({ name }) => name.startsWith("target"))?.outbound).toMatchObject({ body_contexts: 2 });
  });
});

describe("the listener", () => {
  it("may be a unix socket", async () => {
    const peer = await startPeer();
    const { temporaryDirectory } = await import("../support/cli.ts");
    const path = `${temporaryDirectory()}/out.sock`;
    const sidecar = await start({ outbound: { listen: `unix:${path}` } });
    const { connect } = await import("node:net");
    const socket = connect({ path });
    socket.write(requestTo(`matrix-federation://target.example:${peer.port}/x`));
    const { text } = await import("node:stream/consumers");
    expect(await text(socket)).toContain("200 OK");
    expect((await sidecar.spansOf(1))[0]?.attributes["fedtrace.whitelisted"]).toBe(true);
  });

  it("may speak TLS to the own server", async () => {
    const peer = await startPeer();
    const tls = {
      certificate: "test/fixtures/upstreams/target-ip.pem",
      private_key: "test/fixtures/upstreams/target-ip.key",
    };
    const sidecar = await start({ outbound: { tls } });
    const socket = connectTls({ host: "127.0.0.1", port: sidecar.port.outbound, ca: readFileSync(CA_FILE) });
    socket.write(requestTo(`matrix-federation://target.example:${peer.port}/x`));
    const { text } = await import("node:stream/consumers");
    expect(await text(socket)).toContain("200 OK");
    const plain = await rawClient(sidecar.port.outbound);
    plain.send(requestTo("http://target.example/x"));
    expect((await plain.closed()).received).toBe("");
  });
});
