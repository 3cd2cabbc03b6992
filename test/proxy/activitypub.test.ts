/**
 * ActivityPub across two sidecars, in the way of Mastodon's `http_proxy`:
 *
 * ```
 *   client ──CONNECT──► A (own.example) ──TLS──► wire ──TLS──► B ──http──► a server that verifies signatures
 *                       CLIENT span             recorder       SERVER span
 * ```
 * What it sends is what http.rb sends (lib/http/request.rb, writer.rb) and Mastodon signs (app/lib/request.rb). The recorder sees what
 * crosses the border on the wire itself.
 */

import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createAuthorityCertificate } from "../../src/authority/authority-certificate.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { TRACE_FIELDS } from "../../src/propagation/trace-fields.ts";
import { SPAN_KIND_CLIENT, SPAN_KIND_SERVER } from "../../src/span/record.ts";
import { startTlsRecorder } from "../real/tls-recorder.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import {
  type Arrived,
  type Delivery,
  signByDraft,
  signByRfc,
  startVerifier,
} from "../support/signed-requests.ts";
import { recordingUpstream } from "../support/wire.ts";
import { rsaPair } from "../support/rsa-keys.ts";

const TARGETS = "test/fixtures/upstreams";
const SECRET = "correct-horse-battery";
const CREDENTIALS = Buffer.from(`mastodon:${SECRET}`).toString("base64");
const KEY_ID = "https://own.example/actor#main-key";
const BODY = JSON.stringify({ type: "Create", object: { type: "Note", content: "caf\u00e9" } });
const USER_AGENT = "http.rb/5.2.0 (Mastodon/4.4.0; +https://own.example/)";
const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID = "00f067aa0ba902b7";
/** The own server's, in every format that may leave. */
const CONTEXT = [
  `traceparent: 00-${TRACE_ID}-${PARENT_ID}-01`,
  "tracestate: a=b",
  "baggage: user=alice",
  `b3: ${TRACE_ID}-${PARENT_ID}-1`,
  `uber-trace-id: ${TRACE_ID}:${PARENT_ID}:0:1`,
];

const keys = rsaPair("one");
const authority = { certificate: "", key: "" };

beforeAll(async () => {
  const order = { commonName: "test", permitted: [], days: 90, clock: createSystemClock() };
  const made = await createAuthorityCertificate(order);
  if ("refused" in made) throw new Error(JSON.stringify(made.refused));
  authority.certificate = made.value.certificatePem;
  authority.key = made.value.privateKeyPem;
});

interface Setup {
  /** Whether each lists the other. */
  readonly isListed: boolean;
  readonly isIntercepted: boolean;
}

async function startPair({ isListed, isIntercepted }: Setup) {
  const server = await startVerifier(keys.publicKey, "https");
  const b = await startInProcess({
    server_name: "target.example",
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${server.port}`,
      tls: { certificate: `${TARGETS}/target.pem`, private_key: `${TARGETS}/target.key` },
      identify: ["http-signature"],
      authenticate: "claimed",
    },
    whitelist: isListed ? ["own\\.example"] : [],
  });
  const wire = await startTlsRecorder({
    certificate: `${TARGETS}/target.pem`,
    privateKey: `${TARGETS}/target.key`,
    ca: `${TARGETS}/ca.pem`,
  });
  wire.forwardTo(b.port.inbound, "target.example");
  const a = await startSender({ isListed, isIntercepted });
  onTestFinished(async () => {
    await b.sidecar.stop();
    wire.stop();
  });
  return { a, b, wire, server };
}

/** The sidecar of own.example. */
async function startSender({ isListed, isIntercepted }: Setup): Promise<TestSidecar> {
  const dns = await startDnsServer({ "target.example": { A: ["127.0.0.1"] } });
  const directory = temporaryDirectory();
  const [certificate, key] = [join(directory, "ca.pem"), join(directory, "ca.key")];
  writeFileSync(certificate, authority.certificate);
  writeFileSync(key, authority.key);
  const sidecar = await startInProcess({
    server_name: "own.example",
    outbound: {
      listen: "127.0.0.1:0",
      allow_networks: ["127.0.0.0/8"],
      ca_file: `${TARGETS}/ca.pem`,
      resolver: `${dns.resolver.host}:${dns.resolver.port}`,
      shared_secret: SECRET,
      ...(isIntercepted && { intercept: { ca_certificate: certificate, ca_private_key: key } }),
    },
    whitelist: isListed ? ["target\\.example"] : [],
  });
  onTestFinished(async () => {
    await sidecar.sidecar.stop();
    dns.stop();
  });
  return sidecar;
}

interface InTunnel {
  readonly lines: readonly string[];
  readonly path: string;
  /** PEM of whom the client trusts. */
  readonly trust: string;
  /** Lines of the client's own trace; all formats unless said. */
  readonly context?: readonly string[];
}

/** As http.rb does for https:// targets: CONNECT with the request's Host and User-Agent, then TLS with the host as SNI. */
async function deliverInTunnel(
  proxyPort: number,
  peerPort: number,
  { lines, path, trust, context }: InTunnel,
): Promise<string> {
  const socket = connectPlain({ port: proxyPort, host: "127.0.0.1" });
  writeHead(socket, `CONNECT target.example:${peerPort} HTTP/1.1`, [
    "Host: target.example",
    `User-Agent: ${USER_AGENT}`,
    `Proxy-Authorization: Basic ${CREDENTIALS}`,
  ]);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toBe("HTTP/1.1 200 Connection established\r\n\r\n");
  const secured = connectTls({ socket, servername: "target.example", ca: trust });
  post(secured, path, lines, context);
  return text(secured);
}

function writeHead(socket: Socket, line: string, lines: readonly string[]): void {
  socket.write(`${[line, ...lines].join("\r\n")}\r\n\r\n`);
}

function post(
  socket: Socket,
  target: string,
  lines: readonly string[],
  context: readonly string[] = CONTEXT,
): void {
  const length = `Content-Length: ${Buffer.byteLength(BODY)}`;
  const all = [`User-Agent: ${USER_AGENT}`, ...lines, ...context, "Connection: close", length];
  writeHead(socket, `POST ${target} HTTP/1.1`, all);
  socket.write(BODY);
}

/** @param host as Host has it; Mastodon leaves the port out, whatever it is */
function deliveryTo(url: string, host: string): Delivery {
  return { url, host, keyId: KEY_ID, key: keys.privateKey, body: BODY };
}

/** Names of lines that carry a context, of a head as it came over the wire. */
function contextNames(head: string): readonly string[] {
  const names = [...head.matchAll(/^([^:\r\n ]+):/gm)].map(([, name = ""]) => name.toLowerCase());
  return names.filter((name) =>
    TRACE_FIELDS.some((field) =>
      field.name.endsWith("*")
        ? name.startsWith(field.name.slice(0, -1).toLowerCase())
        : name === field.name.toLowerCase(),
    ),
  );
}

const FORMS = [
  { form: "the draft, to the shared inbox", sign: signByDraft, path: "/inbox", route: "POST /inbox" },
  {
    form: "the draft, to somebody's inbox",
    sign: signByDraft,
    path: "/users/alice/inbox",
    route: "POST /users/{name}/inbox",
  },
  { form: "RFC 9421, to the shared inbox", sign: signByRfc, path: "/inbox", route: "POST /inbox" },
  {
    form: "RFC 9421, to somebody's inbox",
    sign: signByRfc,
    path: "/users/alice/inbox",
    route: "POST /users/{name}/inbox",
  },
] as const;

function expectVerified(arrived: readonly Arrived[], path: string): Arrived {
  const [request] = arrived;
  if (request === undefined || arrived.length !== 1) throw new Error(`${arrived.length} requests arrived`);
  expect(request.url).toBe(path);
  expect(request.isVerified).toBe(true);
  return request;
}

/** Neither the secret nor its form in the header is in what left, what B says, or what A tells. */
function expectSecretKept(a: TestSidecar, left: readonly string[]): void {
  const told = [...left, JSON.stringify(a.spans), ...a.logged].join("\n");
  for (const secret of [SECRET, CREDENTIALS]) expect(told).not.toContain(secret);
  expect(left.join("\n")).not.toMatch(/proxy-auth/i);
}

describe("in an intercepted tunnel", () => {
  it.each(FORMS)("signed by $form: valid, in one trace across both", async ({ sign, path, route }) => {
    const { a, b, wire, server } = await startPair({ isListed: true, isIntercepted: true });
    const lines = sign(deliveryTo(`https://target.example${path}`, "target.example"));
    const trust = authority.certificate;
    const answer = await deliverInTunnel(a.port.outbound, wire.port, { lines, path, trust });
    expect(answer).toContain("202 Accepted");
    const request = expectVerified(server.arrived, path);

    const [[sent], [taken]] = [await a.spansOf(1), await b.spansOf(1)];
    expect([sent?.name, taken?.name]).toEqual([route, route]);
    expect([sent?.kind, taken?.kind]).toEqual([SPAN_KIND_CLIENT, SPAN_KIND_SERVER]);
    const ids = [sent, taken].map((span) => span?.spanContext());
    expect(ids.map((context) => context?.traceId)).toEqual([TRACE_ID, TRACE_ID]);
    expect(sent?.parentSpanContext?.spanId).toBe(PARENT_ID);
    expect(taken?.parentSpanContext?.spanId).toBe(ids[0]?.spanId);
    expect(request.headers["traceparent"]).toBe(`00-${TRACE_ID}-${ids[1]?.spanId}-01`);
    expect(sent?.attributes).toMatchObject({
      "server.address": "target.example",
      "fedtrace.peer.name": `target.example:${wire.port}`,
      "fedtrace.whitelisted": true,
    });
    expect(taken?.attributes).toMatchObject({
      "server.address": "target.example",
      "fedtrace.peer.name": "own.example",
      "fedtrace.whitelisted": true,
      "fedtrace.context": "extracted",
    });
    const [head = ""] = wire.requestHeads();
    expect(contextNames(head).toSorted()).toEqual(["b3", "traceparent", "tracestate", "uber-trace-id"]);
    expectSecretKept(a, [...wire.requestHeads(), request.lines.join("\n")]);
  });

  it.each(FORMS)(
    "signed by $form, to a stranger: valid, and no context leaves",
    async ({ sign, path, route }) => {
      const { a, b, wire, server } = await startPair({ isListed: false, isIntercepted: true });
      const lines = sign(deliveryTo(`https://target.example${path}`, "target.example"));
      const trust = authority.certificate;
      await deliverInTunnel(a.port.outbound, wire.port, { lines, path, trust });
      const request = expectVerified(server.arrived, path);
      expect(wire.requestHeads().flatMap(contextNames)).toEqual([]);
      const [[sent], [taken]] = [await a.spansOf(1), await b.spansOf(1)];
      expect([sent?.name, taken?.name]).toEqual([route, route]);
      expect(sent?.spanContext().traceId).toBe(TRACE_ID); // The own server's, as ever.
      expect(taken?.spanContext().traceId).not.toBe(TRACE_ID);
      expect(taken?.parentSpanContext).toBeUndefined();
      expect(taken?.attributes).toMatchObject({
        "fedtrace.peer.name": "own.example",
        "fedtrace.whitelisted": false,
        "fedtrace.headers.removed": 0,
      });
      expectSecretKept(a, [...wire.requestHeads(), request.lines.join("\n")]);
    },
  );

  it("whose body was changed is not valid: the server verifies", async () => {
    const { a, wire, server } = await startPair({ isListed: true, isIntercepted: true });
    for (const sign of [signByDraft, signByRfc]) {
      const delivery = { ...deliveryTo("https://target.example/inbox", "target.example"), body: `${BODY} ` };
      const trust = authority.certificate;
      await deliverInTunnel(a.port.outbound, wire.port, { lines: sign(delivery), path: "/inbox", trust });
    }
    expect(server.arrived.map(({ isVerified }) => isVerified)).toEqual([false, false]);
  });
});

describe("in a tunnel that passes unopened", () => {
  it.each(FORMS)(
    "signed by $form: valid, the sender's own bytes, one CONNECT span",
    async ({ sign, path, route }) => {
      const { a, b, wire, server } = await startPair({ isListed: true, isIntercepted: false });
      const lines = sign(deliveryTo(`https://target.example${path}`, "target.example"));
      const trust = readFileSync(`${TARGETS}/ca.pem`, "utf8");
      await deliverInTunnel(a.port.outbound, wire.port, { lines, path, trust, context: [] });
      const request = expectVerified(server.arrived, path);
      const [span] = await a.spansOf(1);
      expect(a.spans).toHaveLength(1);
      expect(span?.name).toBe("CONNECT");
      expect(span?.attributes).toMatchObject({
        "server.address": "target.example",
        "server.port": wire.port,
      });
      expect(wire.requestHeads().flatMap(contextNames)).toEqual([]); // The client has none, and nobody put one in.
      expect((await b.spansOf(1))[0]?.name).toBe(route);
      expectSecretKept(a, [...wire.requestHeads(), request.lines.join("\n")]);
    },
  );
});

describe("to http:// targets, in absolute form", () => {
  it.each([
    { why: "listed", isListed: true, contexts: ["b3", "traceparent", "tracestate", "uber-trace-id"] },
    { why: "a stranger", isListed: false, contexts: [] },
  ])("$why: valid, and the secret stays", async ({ isListed, contexts }) => {
    for (const { sign, path, route } of FORMS) {
      const server = await startVerifier(keys.publicKey, "http");
      const a = await startSender({ isListed, isIntercepted: true });
      const host = `target.example:${server.port}`;
      const lines = sign(deliveryTo(`http://${host}${path}`, host));
      const socket = connectPlain({ port: a.port.outbound, host: "127.0.0.1" });
      post(socket, `http://${host}${path}`, [...lines, `Proxy-Authorization: Basic ${CREDENTIALS}`]);
      expect(await text(socket)).toContain("202 Accepted");
      const request = expectVerified(server.arrived, path);
      const head = request.lines.filter((_, index) => index % 2 === 0).join(":\n");
      expect(contextNames(`${head}:`).toSorted()).toEqual(contexts);
      const [span] = await a.spansOf(1);
      expect(span?.name).toBe(route);
      expect(span?.attributes["server.address"]).toBe("target.example");
      expectSecretKept(a, [request.lines.join("\n")]);
    }
  });

  it("without the secret: 407, and nothing leaves", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const a = await startSender({ isListed: true, isIntercepted: true });
    const host = `target.example:${upstream.port}`;
    const socket = connectPlain({ port: a.port.outbound, host: "127.0.0.1" });
    post(socket, `http://${host}/inbox`, signByDraft(deliveryTo(`http://${host}/inbox`, host)));
    expect(await text(socket)).toContain("407 ");
    expect(upstream.received()).toBe("");
  });
});
