/**
 * The border's rules (contract section 3) on the wire: what a peer sent, what the server behind gets, what the
 * peer gets back, and what the span says. Both directions, real sockets.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, OK_RESPONSE, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
const SPAN = "6e0c63257de34c92";
const W3C = `traceparent: 00-${TRACE}-${SPAN}-01`;
const JAEGER = `uber-trace-id: ${TRACE}:${SPAN}:0:1`;
const B3 = `b3: ${TRACE}-${SPAN}-1`;
const OTHER = "11111111111111111111111111111111";

const WHITELISTED = 'Authorization: X-Matrix origin="friend.test:8448",key="ed25519:a",sig="AA"';
const STRANGER = 'Authorization: X-Matrix origin="stranger.test",key="ed25519:a",sig="AA"';
const TRUSTED = 'Authorization: X-Matrix origin="trusted.test",key="ed25519:a",sig="AA"';

const WHITELIST = ["friend\\.test", { regex: "trusted\\.test", sampling: "trust", forced_per_second: 1 }];

let upstream: RecordingUpstream;
let answer = OK_RESPONSE;
let all: TestSidecar;
let none: TestSidecar;

beforeAll(async () => {
  upstream = await recordingUpstream(() => answer);
  const inbound = {
    listen: "127.0.0.1:0",
    upstream: `http://127.0.0.1:${upstream.port}`,
    authenticate: "claimed",
  };
  const outbound = { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] };
  all = await startInProcess({ inbound, outbound, whitelist: WHITELIST });
  none = await startInProcess({
    inbound,
    outbound,
    whitelist: WHITELIST,
    sampling: { type: "const", param: 0 },
  });
});
beforeEach(() => {
  answer = OK_RESPONSE;
});
afterAll(async () => {
  upstream.stop();
  await all.sidecar.stop();
  await none.sidecar.stop();
});

/** Sends one request in and gives what the server behind got, what the peer got back, and the span, if any. */
async function passIn(lines: readonly string[], sidecar = all) {
  const [known, spans] = [upstream.received().length, sidecar.spans.length];
  const head = ["GET /_matrix/key/v2/server HTTP/1.1", "Host: own.test", ...lines, "Connection: close"];
  const received = await exchangeRaw(sidecar.port.inbound, `${head.join("\r\n")}\r\n\r\n`);
  return { arrived: upstream.received().slice(known), received, span: sidecar.spans[spans] };
}

/** Sends one request out to a name that leads to the same upstream. */
async function passOut(host: string, lines: readonly string[], sidecar = all) {
  const [known, spans] = [upstream.received().length, sidecar.spans.length];
  const authority = `${host}:${upstream.port}`;
  const head = [`GET http://${authority}/_matrix/key/v2/server HTTP/1.1`, `Host: ${authority}`, ...lines];
  const received = await exchangeRaw(
    sidecar.port.outbound,
    `${head.join("\r\n")}\r\nConnection: close\r\n\r\n`,
  );
  return { arrived: upstream.received().slice(known), received, span: sidecar.spans[spans] };
}

function traceIdsIn(text: string): ReadonlySet<string> {
  return new Set(
    [...text.matchAll(/(?:traceparent: 00-|uber-trace-id: |b3: )([0-9a-f]{32})/g)].map(([, id]) => id ?? ""),
  );
}

describe("inbound: whose context is taken", () => {
  it.each([
    { why: "whitelisted, W3C", lines: [WHITELISTED, W3C], state: "extracted" },
    { why: "whitelisted, Jaeger", lines: [WHITELISTED, JAEGER], state: "extracted" },
    { why: "whitelisted, b3", lines: [WHITELISTED, B3], state: "extracted" },
    { why: "the first valid one wins", lines: [WHITELISTED, "traceparent: zz", JAEGER], state: "extracted" },
    { why: "whitelisted, malformed", lines: [WHITELISTED, "uber-trace-id: 1:2:3"], state: "refused" },
    { why: "whitelisted, repeated", lines: [WHITELISTED, W3C, W3C], state: "refused" },
    { why: "whitelisted, nothing", lines: [WHITELISTED], state: "absent" },
    { why: "a stranger", lines: [STRANGER, W3C, JAEGER, B3], state: "restarted" },
    { why: "a stranger who sends nothing", lines: [STRANGER], state: "absent" },
    { why: "nobody", lines: [W3C], state: "restarted" },
    { why: "two origins are no name", lines: [WHITELISTED, STRANGER, W3C], state: "restarted" },
    { why: "nominated by Connection", lines: [WHITELISTED, W3C, "Connection: traceparent"], state: "absent" },
  ])("$why: $state", async ({ lines, state }) => {
    const { arrived, span } = await passIn(lines);
    const own = span?.spanContext();
    expect(span?.attributes["fedtrace.context"]).toBe(state);
    expect(own?.traceId === TRACE).toBe(state === "extracted");
    expect(span?.parentSpanContext?.spanId).toBe(state === "extracted" ? SPAN : undefined);
    // Rule 6: the sidecar's own span in every format, and nothing of what was sent.
    expect(arrived).toContain(`traceparent: 00-${own?.traceId}-${own?.spanId}-0`);
    expect(arrived).toContain(`uber-trace-id: ${own?.traceId}:${own?.spanId}:0:1`);
    expect(arrived).toContain(`b3: ${own?.traceId}-${own?.spanId}-1`);
    expect(traceIdsIn(arrived)).toEqual(new Set([own?.traceId]));
    expect(arrived).not.toContain(SPAN);
  });

  it("carries tracestate on only with the W3C context that became the parent", async () => {
    const state = "tracestate: vendor=1";
    expect((await passIn([WHITELISTED, W3C, state])).arrived).toContain("\r\ntracestate: vendor=1\r\n");
    expect((await passIn([WHITELISTED, JAEGER, state])).arrived).not.toContain("tracestate");
    expect((await passIn([STRANGER, W3C, state])).arrived).not.toContain("tracestate");
  });
});

describe("what is removed", () => {
  const baggage = ["baggage: a=b", "Uberctx-User: root", "uberctx-user: root", "jaeger-baggage: k=v"];
  const forcing = ["jaeger-debug-id: x", "X-B3-Flags: 1", "x-envoy-force-trace: 1"];

  it.each([
    { why: "from a whitelisted peer", origin: WHITELISTED },
    { why: "from a stranger", origin: STRANGER },
  ])("baggage and debug headers $why, counted", async ({ origin }) => {
    const { arrived, span } = await passIn([origin, ...baggage, ...forcing, "x-request-id: 7"]);
    expect(arrived).not.toMatch(/baggage|uberctx|debug-id|b3-flags|force-trace/i);
    expect(arrived).toContain("x-request-id: 7");
    expect(span?.attributes["fedtrace.headers.removed"]).toBe(7);
  });

  it("baggage from the own server too", async () => {
    const { arrived } = await passOut("friend.test", [W3C, ...baggage]);
    expect(arrived).not.toMatch(/baggage|uberctx/i);
  });

  it("baggage and context in trailers", async () => {
    const known = upstream.received().length;
    const trailers = ["Baggage: a=b", W3C, "X-Kept: 1", "Content-Length: 3"];
    const head = [
      "POST /x HTTP/1.1",
      "Host: own.test",
      WHITELISTED,
      "Transfer-Encoding: chunked",
      "Connection: close",
    ];
    await exchangeRaw(
      all.port.inbound,
      `${head.join("\r\n")}\r\n\r\n3\r\nabc\r\n0\r\n${trailers.join("\r\n")}\r\n\r\n`,
    );
    expect(upstream.received().slice(known)).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\nX-Kept: 1\r\n\r\n$/);
  });

  it("baggage in responses, whoever asks", async () => {
    answer = "HTTP/1.1 200 OK\r\nBaggage: a=b\r\nUberctx-a: b\r\nContent-Length: 2\r\n\r\nok";
    expect((await passIn([WHITELISTED])).received).not.toMatch(/baggage|uberctx/i);
    expect((await passOut("friend.test", [])).received).not.toMatch(/baggage|uberctx/i);
  });
});

describe("responses that name a trace (rule 8)", () => {
  const named = [
    "Synapse-Trace-Id: abc",
    "traceresponse: 00-x",
    'Server-Timing: db;dur=3, traceparent;desc="00-1"',
  ];
  const response = `HTTP/1.1 200 OK\r\n${named.join("\r\n")}\r\nContent-Length: 2\r\n\r\nok`;

  it.each([
    { why: "in, whitelisted", pass: () => passIn([WHITELISTED]), isNamed: true },
    { why: "in, stranger", pass: () => passIn([STRANGER]), isNamed: false },
    { why: "out, whitelisted", pass: () => passOut("friend.test", []), isNamed: true },
    { why: "out, stranger", pass: () => passOut("stranger.test", []), isNamed: false },
  ])("$why", async ({ pass, isNamed }) => {
    answer = response;
    const { received } = await pass();
    expect(received.includes("Synapse-Trace-Id: abc")).toBe(isNamed);
    expect(received.includes("traceresponse")).toBe(isNamed);
    expect(received.includes("traceparent")).toBe(isNamed);
    expect(received).toContain("db;dur=3");
  });
});

describe("outbound: who is given the context", () => {
  it("a whitelisted host gets the client span, in every format", async () => {
    const { arrived, span } = await passOut("friend.test", [JAEGER]);
    expect(span?.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: SPAN });
    expect(arrived).toContain(`traceparent: 00-${TRACE}-${span?.spanContext().spanId}-01`);
    expect(traceIdsIn(arrived)).toEqual(new Set([TRACE]));
    expect(arrived).not.toContain(SPAN);
  });

  it("any other host gets nothing, yet the own server's trace goes on in the span", async () => {
    const { arrived, span } = await passOut("stranger.test", [
      W3C,
      "tracestate: a=b",
      JAEGER,
      "baggage: a=b",
    ]);
    expect(arrived).not.toMatch(/trace|b3|baggage/i);
    expect(span?.spanContext().traceId).toBe(TRACE);
    expect(span?.attributes).toMatchObject({
      "fedtrace.direction": "outbound",
      "fedtrace.whitelisted": false,
      "fedtrace.peer.name": `stranger.test:${upstream.port}`,
      "fedtrace.headers.removed": 4,
    });
  });
});

describe("a peer's sampled flag (rule 5)", () => {
  it.each([
    { why: "accept: it is no order", origin: WHITELISTED, id: OTHER, isSampled: false },
    { why: "a stranger's is nothing", origin: STRANGER, id: OTHER, isSampled: false },
    { why: "trust: it counts", origin: TRUSTED, id: OTHER, isSampled: true },
    { why: "trust: the same trace again costs nothing", origin: TRUSTED, id: OTHER, isSampled: true },
    { why: "trust: a second new trace is over the budget", origin: TRUSTED, id: TRACE, isSampled: false },
  ])("$why", async ({ origin, id, isSampled }) => {
    const { arrived, span } = await passIn([origin, `traceparent: 00-${id}-${SPAN}-01`], none);
    expect(span !== undefined).toBe(isSampled);
    expect(arrived).toMatch(isSampled ? /uber-trace-id: \S+:1\r\n/ : /uber-trace-id: \S+:0\r\n/);
  });

  it("the own server's yes counts", async () => {
    const { span } = await passOut("friend.test", [W3C], none);
    expect(span?.spanContext().traceId).toBe(TRACE);
  });
});

describe("forwarded headers", () => {
  it("are the sidecar's own: what a peer claims about itself is not passed on", async () => {
    const { arrived } = await passIn([
      "X-Forwarded-For: 10.0.0.1",
      "x-forwarded-proto: https",
      "X-Forwarded-Host: a",
    ]);
    expect(arrived).toContain(
      "x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: own.test\r\n",
    );
    expect(arrived).not.toContain("10.0.0.1");
  });
});
