/**
 * Every family of contract section 7, driven by real traffic through a whole sidecar and read as its exact value; what real Prometheus
 * makes of them is in test/real/prometheus.test.ts.
 */

import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type TestSidecar, startInProcess } from "../support/in-process.ts";
import { metricsText } from "../support/metrics.ts";
import { webSocketFrame } from "../support/websocket.ts";
import {
  exchangeRaw,
  OK_RESPONSE,
  rawClient,
  type RecordingUpstream,
  recordingUpstream,
} from "../support/wire.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

type Answer = Parameters<typeof recordingUpstream>[0];

async function start(
  document: Readonly<Record<string, unknown>> = {},
  answer: Answer = OK_RESPONSE,
): Promise<{ readonly sidecar: TestSidecar; readonly upstream: RecordingUpstream }> {
  const upstream = await recordingUpstream(answer);
  stops.push(() => upstream.stop());
  const sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      authenticate: "claimed",
    },
    outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
    whitelist: ["friend\\.test(:\\d+)?"],
    ...document,
  });
  stops.push(() => sidecar.sidecar.stop());
  return { sidecar, upstream };
}

/** The samples of these families, without those that are 0; a histogram's by its count alone. */
function samples({ sidecar }: TestSidecar, prefix: string): Readonly<Record<string, number>> {
  const lines = metricsText(sidecar.registry)
    .split("\n")
    .filter((line) => line.startsWith(prefix) && !/_(?:bucket|sum)\b/.test(line));
  const pairs = lines.map((line): [string, number] => {
    const at = line.lastIndexOf(" ");
    return [line.slice(prefix.length, at), Number(line.slice(at + 1))];
  });
  return Object.fromEntries(pairs.filter(([, value]) => value !== 0));
}

const request = (path: string, lines = "", method = "GET"): string =>
  `${method} ${path} HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n${lines}\r\n`;
const from = (name: string): string =>
  `Authorization: X-Matrix origin="${name}",key="ed25519:a",sig="x",destination="own.test"\r\n`;

describe("the front door", () => {
  it("counts requests, their time and the bytes of their answers by method, template, endpoint, code and ip", async () => {
    const { sidecar } = await start();
    const path = "/_matrix/federation/v1/version";
    for (let time = 0; time < 3; time++)
      await exchangeRaw(sidecar.port.inbound, request(`${path}?x=${time}`));
    await exchangeRaw(sidecar.port.inbound, request("/nowhere", "", "BREW"));
    const known = `{method="GET",template="${path}",endpoint="${path}",http_code="200",ip="127.0.0.1"}`;
    const other = '{method="_OTHER",template="",endpoint="/nowhere",http_code="200",ip="127.0.0.1"}';
    expect(samples(sidecar, "fedtrace_http_")).toEqual({
      [`request_count_total${known}`]: 3,
      [`request_latency_sec_count${known}`]: 3,
      [`response_bytes_total${known}`]: 6,
      [`request_count_total${other}`]: 1,
      [`request_latency_sec_count${other}`]: 1,
      [`response_bytes_total${other}`]: 2,
    });
    const labels = (method: string, route: string): string =>
      `{http_request_method="${method}",http_route="${route}",http_response_status_code="200",url_scheme="http",network_protocol_version="1.1",error_type=""}`;
    expect(samples(sidecar, "http_server_request_duration_seconds_count")).toEqual({
      [labels("GET", path)]: 3,
      [labels("_OTHER", "")]: 1,
    });
  });

  it.each([
    { why: "a length", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", bytes: 5 },
    {
      why: "chunks, whose framing is none of it",
      answer:
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
      bytes: 5,
    },
    { why: "no body", answer: "HTTP/1.1 204 No Content\r\n\r\n", bytes: undefined },
  ])("counts the body of an answer with $why", async ({ answer, bytes }) => {
    const { sidecar } = await start({}, answer);
    await exchangeRaw(sidecar.port.inbound, request("/x"));
    expect(Object.values(samples(sidecar, "fedtrace_http_response_bytes"))[0]).toBe(bytes);
  });

  it("counts an answer that ends with its connection, one for HTTP/1.0, and one to HEAD", async () => {
    const { sidecar } = await start({}, (head, socket) => {
      if (head.startsWith("HEAD")) return "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
      if (head.includes("/chunks")) {
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n";
      }
      socket.end("HTTP/1.1 200 OK\r\n\r\nuntil");
      return undefined;
    });
    await exchangeRaw(sidecar.port.inbound, request("/until"));
    await exchangeRaw(sidecar.port.inbound, request("/chunks").replace("HTTP/1.1", "HTTP/1.0"));
    await exchangeRaw(sidecar.port.inbound, request("/head", "", "HEAD"));
    const bytes = samples(sidecar, "fedtrace_http_response_bytes_total");
    expect(
      Object.entries(bytes).map(([name, value]) => [/endpoint="([^"]+)/.exec(name)?.[1], value]),
    ).toEqual([
      ["/until", 5],
      ["/chunks", 4],
    ]);
  });

  it("counts its own answers, and clients that left before theirs as code 0", async () => {
    const { sidecar, upstream } = await start({}, () => undefined);
    const client = await rawClient(sidecar.port.inbound);
    client.send("GET /left HTTP/1.1\r\nHost: own.test\r\n\r\n");
    await expect.poll(() => upstream.received()).toContain("/left");
    client.socket.resetAndDestroy();
    const counts = (): readonly string[] => Object.keys(samples(sidecar, "fedtrace_http_request_count"));
    await expect.poll(counts).toHaveLength(1);
    upstream.stop();
    const answered = await exchangeRaw(sidecar.port.inbound, request("/refused"));
    const body = answered.slice(answered.indexOf("\r\n\r\n") + 4);
    expect(counts().map((name) => /http_code="(\d+)"/.exec(name)?.[1])).toEqual(["0", "502"]);
    expect(Object.values(samples(sidecar, "fedtrace_http_response_bytes_total"))).toEqual([body.length]);
    expect(Object.keys(samples(sidecar, "http_server_request_duration_seconds_count")).join()).toMatch(
      /error_type="CLIENT_ABORTED".*error_type="UPSTREAM_REFUSED"/,
    );
  });

  it("leaves ip and source empty where they are turned off", async () => {
    const { sidecar } = await start({ metrics: { ip: false } });
    await exchangeRaw(sidecar.port.inbound, request("/x"));
    expect(Object.keys(samples(sidecar, "fedtrace_http_request_count")).join()).toContain('ip=""');
  });

  it("calls a client by its IPv4 address where the listener takes both families", async () => {
    const { upstream } = await start();
    const inbound = { listen: "[::]:0", upstream: `http://127.0.0.1:${upstream.port}` };
    const { sidecar } = await start({ inbound });
    await exchangeRaw(sidecar.port.inbound, request("/x"));
    expect(Object.keys(samples(sidecar, "fedtrace_http_request_count")).join()).toContain('ip="127.0.0.1"');
  });

  it("shows as many endpoints as metrics.top, and tells how many were other", async () => {
    const { sidecar } = await start({ metrics: { top: 2 } });
    for (const path of ["/a", "/b", "/c", "/d", "/a"]) await exchangeRaw(sidecar.port.inbound, request(path));
    const byEndpoint = Object.entries(samples(sidecar, "fedtrace_http_request_count")).map(
      ([name, value]) => [/endpoint="([^"]+)/.exec(name)?.[1], value],
    );
    expect(Object.fromEntries(byEndpoint)).toEqual({ "/a": 2, "/b": 1, other: 2 });
    expect(samples(sidecar, "fedtrace_metrics_overflow_total")).toEqual({ '{label="endpoint"}': 2 });
  });

  it("counts and reads nothing where metrics are off", async () => {
    const { sidecar } = await start({ metrics: { enabled: false } });
    await exchangeRaw(sidecar.port.inbound, request("/x"));
    expect(sidecar.sidecar.registry.collect()).toEqual([]);
  });
});

describe("the way out", () => {
  it("counts no attempt where no server is named", async () => {
    const { sidecar } = await start();
    await exchangeRaw(sidecar.port.outbound, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(samples(sidecar, "http_client_request_duration_seconds_count")).toEqual({});
    expect(samples(sidecar, "fedtrace_errors_total")).toEqual({
      '{direction="outbound",code="REQUEST_MALFORMED"}': 1,
    });
  });

  it("counts each attempt by its target, and the peer where it is whitelisted", async () => {
    const { sidecar } = await start();
    const peer = await recordingUpstream("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    stops.push(() => peer.stop());
    for (const host of ["friend.test", "stranger.test"]) {
      await exchangeRaw(
        sidecar.port.outbound,
        `GET http://${host}:${peer.port}/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
    }
    const labels = (host: string): string =>
      `{http_request_method="GET",http_response_status_code="404",server_address="${host}",server_port="${peer.port}",url_scheme="http",network_protocol_version="1.1",error_type="404"}`;
    expect(samples(sidecar, "http_client_request_duration_seconds_count")).toEqual({
      [labels("friend.test")]: 1,
      [labels("stranger.test")]: 1,
    });
    const friend = `{direction="outbound",peer="friend.test"}`;
    expect(samples(sidecar, "fedtrace_peer_")).toEqual({
      [`requests_total${friend}`]: 1,
      [`request_duration_seconds_count${friend}`]: 1,
      [`last_contact_timestamp_seconds${friend}`]: expect.closeTo(Date.now() / 1000, -1),
    });
    expect(samples(sidecar, "fedtrace_http_")).toEqual({});
  });

  it("counts a peer under one name, however that is written", async () => {
    const { sidecar } = await start();
    const peer = await recordingUpstream();
    stops.push(() => peer.stop());
    for (const host of ["friend.test", "FRIEND.test", "friend.test."]) {
      await exchangeRaw(
        sidecar.port.outbound,
        `GET http://${host}:${peer.port}/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
    }
    expect(samples(sidecar, "fedtrace_peer_requests_total")).toEqual({
      '{direction="outbound",peer="friend.test"}': 3,
    });
  });

  it("counts a tunnel when it is established, and a failure of it once", async () => {
    const { sidecar } = await start();
    const peer = await recordingUpstream();
    stops.push(() => peer.stop());
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT friend.test:${peer.port} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until((received) => received.includes("200 Connection established"));
    const counted = (): number[] =>
      Object.values(samples(sidecar, "http_client_request_duration_seconds_count"));
    expect(counted()).toEqual([1]);
    client.socket.destroy();
    await sidecar.spansOf(1);
    expect(counted()).toEqual([1]);
  });
});

describe("a whitelisted peer", () => {
  it("has its rate, errors, time and last contact; refused contexts and wishes; and who used its name without proof", async () => {
    const { sidecar } = await start(
      {
        whitelist: [
          { regex: "friend\\.test", sampling: "trust" },
          { regex: "proven\\.test", authenticate: "signature" },
        ],
      },
      (head) => (head.includes("/bad") ? "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" : OK_RESPONSE),
    );
    const trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    await exchangeRaw(sidecar.port.inbound, request("/good", from("friend.test") + trace));
    await exchangeRaw(
      sidecar.port.inbound,
      request("/bad", `${from("friend.test")}traceparent: 00-nonsense\r\n`),
    );
    await exchangeRaw(
      sidecar.port.inbound,
      request("/debug", `${from("friend.test")}jaeger-debug-id: x\r\n`),
    );
    await exchangeRaw(sidecar.port.inbound, request("/forged", from("proven.test:1")));
    await exchangeRaw(sidecar.port.inbound, request("/stranger", from("stranger.test") + trace));
    const friend = '{direction="inbound",peer="friend.test"}';
    expect(samples(sidecar, "fedtrace_peer_")).toEqual({
      [`requests_total${friend}`]: 3,
      [`errors_total${friend}`]: 1,
      [`request_duration_seconds_count${friend}`]: 3,
      [`last_contact_timestamp_seconds${friend}`]: expect.closeTo(Date.now() / 1000, -1),
      'contexts_refused_total{peer="friend.test",reason="length"}': 1,
      'forced_sampling_total{peer="friend.test",outcome="granted"}': 1,
      'forced_sampling_total{peer="friend.test",outcome="denied"}': 1,
      'forged_names_total{peer="proven.test",reason="malformed"}': 1,
    });
  });

  it("has exemplars of recorded traces alone", async () => {
    const { sidecar } = await start({ sampling: { type: "const", param: 0 } });
    await exchangeRaw(sidecar.port.inbound, request("/x", from("friend.test")));
    const exemplars = (): unknown[] =>
      sidecar.sidecar.registry
        .collect()
        .flatMap(({ series }) => series.flatMap((one) => one.exemplars ?? []));
    expect(exemplars()).toEqual([]);
    await sidecar.reload({
      inbound: { listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1", authenticate: "claimed" },
      outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
      whitelist: ["friend\\.test"],
      sampling: { type: "const", param: 1 },
    });
    await exchangeRaw(sidecar.port.inbound, request("/x", from("friend.test")));
    const [span] = await sidecar.spansOf(1);
    const { traceId, spanId } = span?.spanContext() ?? {};
    expect(exemplars().filter((one) => one !== undefined)).toEqual([
      expect.objectContaining({ traceId, spanId }),
      expect.objectContaining({ traceId, spanId }),
    ]);
  });
});

const ACCEPTED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n";
const frame = (opcode: number, payload: string, isMasked: boolean): Buffer =>
  webSocketFrame({ opcode, payload: Buffer.from(payload, "latin1"), isMasked });

describe("a WebSocket", () => {
  async function open(answer = ACCEPTED): Promise<{
    readonly sidecar: TestSidecar;
    readonly client: Awaited<ReturnType<typeof rawClient>>;
    readonly upstream: RecordingUpstream;
  }> {
    const { sidecar, upstream } = await start({}, (head) =>
      head.startsWith("GET /ws") ? answer : undefined,
    );
    const client = await rawClient(sidecar.port.inbound);
    stops.push(() => client.socket.destroy());
    client.send("GET /ws HTTP/1.1\r\nHost: own.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    await client.until((received) => received.includes("\r\n\r\n"));
    return { sidecar, client, upstream };
  }

  it("is counted frame by frame, each way, with its session and how long answers took", async () => {
    const { sidecar, client, upstream } = await open();
    const server = upstream.connections[0]?.socket;
    if (server === undefined) throw new Error("the upstream has no connection");
    expect(samples(sidecar, "fedtrace_websocket_session")).toEqual({ '_count{source="127.0.0.1"}': 1 });
    for (const bytes of [frame(1, "hello", true), frame(9, "", true), frame(2, "x".repeat(300), true)]) {
      client.socket.write(bytes);
    }
    await expect.poll(() => upstream.connections[0]?.received.length).toBeGreaterThan(300);
    for (const bytes of [frame(10, "", false), frame(1, "hi", false), frame(0, "more", false)])
      server.write(bytes);
    server.write(frame(8, "\x03\xf3went wrong", false));
    await client.until((received) => received.includes("went wrong"));
    client.socket.write(frame(8, "\x03\xe8", true));
    await expect
      .poll(() => samples(sidecar, "fedtrace_websocket_request_count"))
      .toHaveProperty('_total{event="close"}');
    expect(samples(sidecar, "fedtrace_websocket_")).toEqual({
      'session_count{source="127.0.0.1"}': 1,
      'request_count_total{event="text"}': 1,
      'request_count_total{event="binary"}': 1,
      'request_count_total{event="ping"}': 1,
      'request_count_total{event="close"}': 1,
      'request_bytes_total{event="text"}': 5,
      'request_bytes_total{event="binary"}': 300,
      'request_bytes_total{event="close"}': 2,
      'response_bytes_total{event="text"}': 2,
      'response_bytes_total{event="continuation"}': 4,
      'response_bytes_total{event="close"}': 12,
      'error_response_count_total{event="close"}': 1,
      'request_latency_sec_count{event="text"}': 1,
      'request_latency_sec_count{event="ping"}': 1,
    });
    expect(Object.entries(samples(sidecar, "fedtrace_http_request_count"))).toEqual([
      [expect.stringContaining('http_code="101"'), 1],
    ]);
    client.socket.destroy();
    await expect.poll(() => samples(sidecar, "fedtrace_websocket_session")).toEqual({});
    await sidecar.spansOf(1);
    expect(Object.values(samples(sidecar, "fedtrace_http_request_count"))).toEqual([1]);
  });

  it("is one only where the answer says so", async () => {
    const { sidecar, client } = await open(ACCEPTED.replace("WebSocket", "other"));
    client.socket.write(frame(1, "hello", true));
    client.socket.destroy();
    await sidecar.spansOf(1);
    expect(samples(sidecar, "fedtrace_websocket_")).toEqual({});
  });

  it("passes all its bytes while a reader is slow, and holds none of them", async () => {
    const { sidecar, client, upstream } = await open();
    const server = upstream.connections[0]?.socket;
    const PIECE = Buffer.alloc(1 << 20, 1);
    client.socket.pause();
    // More than what sockets hold between both ends: what is left waits with its sender, not in the sidecar.
    const SENT = 48;
    for (let piece = 0; piece < SENT; piece++) {
      server?.write(webSocketFrame({ opcode: 2, payload: PIECE, isMasked: false }));
    }
    await expect.poll(() => samples(sidecar, "fedtrace_websocket_response_bytes")).toEqual(expect.anything());
    const passed = samples(sidecar, "fedtrace_websocket_response_bytes")['_total{event="binary"}'] ?? 0;
    expect(passed).toBeLessThan(SENT * PIECE.length);
    client.socket.resume();
    await expect
      .poll(() => samples(sidecar, "fedtrace_websocket_response_bytes"), { timeout: 10_000 })
      .toEqual({ '_total{event="binary"}': SENT * PIECE.length });
  });
});

describe("gRPC over HTTP/1.1", () => {
  const message = (length: number, flags = 0): string => {
    const prefix = Buffer.alloc(5);
    prefix[0] = flags;
    prefix.writeUInt32BE(length, 1);
    return prefix.toString("latin1") + "m".repeat(length);
  };
  const chunked = (bodies: readonly string[]): string =>
    `${bodies.map((body) => `${body.length.toString(16)}\r\n${body}\r\n`).join("")}0\r\n\r\n`;

  it.each([
    { why: "one message each way", sent: [3], received: [0], type: "unary" },
    { why: "many from the server", sent: [3], received: [1, 2, 300], type: "server_streaming" },
    { why: "many from the client", sent: [1, 2], received: [5], type: "client_streaming" },
    { why: "many each way", sent: [1, 2], received: [5, 5], type: "bidi_streaming" },
  ])("$why: $type", async ({ sent, received, type }) => {
    const answer = received.map((length) => message(length));
    const { sidecar, upstream } = await start({}, (head) =>
      head.startsWith("POST")
        ? `HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(
            [
              // A message cut by a chunk's end, and grpc-web's trailers, which are none.
              answer.join("").slice(0, 3),
              answer.join("").slice(3) + message(14, 0x80),
            ],
          )}`
        : undefined,
    );
    const body = sent.map((length) => message(length)).join("");
    await exchangeRaw(
      sidecar.port.inbound,
      request(
        "/pkg.Service/Do",
        `Content-Type: application/grpc-web+proto\r\nContent-Length: ${body.length}\r\n`,
        "POST",
      ) + body,
    );
    const labels = `{type="${type}",service="pkg.Service",method="Do",plugin="127.0.0.1:${upstream.port}"}`;
    expect(samples(sidecar, "fedtrace_grpc_")).toEqual({
      [`message_sent_total${labels}`]: sent.length,
      [`message_received_total${labels}`]: received.length,
      [`request_latency_sec_count${labels}`]: 1,
    });
  });

  it.each([
    { why: "another content type", lines: "Content-Type: application/json\r\n", path: "/pkg.Service/Do" },
    { why: "base64", lines: "Content-Type: application/grpc-web-text\r\n", path: "/pkg.Service/Do" },
    { why: "a path of three parts", lines: "Content-Type: application/grpc\r\n", path: "/a/b/c" },
  ])("is not what has $why", async ({ lines, path }) => {
    const { sidecar } = await start();
    await exchangeRaw(sidecar.port.inbound, request(path, `${lines}Content-Length: 0\r\n`, "POST"));
    expect(samples(sidecar, "fedtrace_grpc_")).toEqual({});
  });
});

describe("the own server's addresses", () => {
  it("are in use from their first connection until they can't be reached, and again with their next answer", async () => {
    const { sidecar, upstream } = await start();
    const plugin = `{plugin="127.0.0.1:${upstream.port}"}`;
    const told = (): Readonly<Record<string, number>> => samples(sidecar, "fedtrace_plugin_");
    expect(told()).toEqual({});
    await exchangeRaw(sidecar.port.inbound, request("/x"));
    const inUse = { [`active_state${plugin}`]: 1, [`connect_count_total${plugin}`]: 1 };
    expect(told()).toEqual(inUse);
    upstream.stop();
    await exchangeRaw(sidecar.port.inbound, request("/x"));
    const away = {
      [`connect_count_total${plugin}`]: 1,
      [`disconnect_count_total${plugin}`]: 1,
      [`disabled${plugin}`]: 1,
    };
    await expect.poll(told).toEqual(away);
    const back = await recordingUpstreamAt(upstream.port);
    stops.push(back);
    sidecar.advance(60_000);
    await exchangeRaw(sidecar.port.inbound, request("/x"));
    await expect.poll(told).toEqual({
      [`active_state${plugin}`]: 1,
      [`connect_count_total${plugin}`]: 2,
      [`disconnect_count_total${plugin}`]: 1,
    });
  });
});

/** An upstream that comes back where it was. */
async function recordingUpstreamAt(port: number): Promise<() => void> {
  const { createServer } = await import("node:net");
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => socket.write(OK_RESPONSE));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return () => void server.close();
}

it("this process tells its own state", async () => {
  const { sidecar } = await start();
  const own = samples(sidecar, "");
  expect(own["process_resident_memory_bytes"]).toBeGreaterThan(1e7);
  expect(own["process_start_time_seconds"]).toBeCloseTo(Date.now() / 1000 - process.uptime(), -1);
  expect(own["process_cpu_seconds_total"]).toBeGreaterThan(0);
  expect(own["nodejs_heap_size_used_bytes"]).toBeGreaterThan(1e6);
  expect(Object.keys(own).join()).toContain(`fedtrace_build_info{version="`);
  expect(own['nodejs_eventloop_delay_seconds{quantile="0.99"}'] ?? 0).toBeGreaterThanOrEqual(0);
});

it("a peer that connects and says nothing is no request", async () => {
  const { sidecar } = await start();
  const socket = connect(sidecar.port.inbound, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.destroy();
  expect(samples(sidecar, "fedtrace_http_")).toEqual({});
});
