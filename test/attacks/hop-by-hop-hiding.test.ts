/**
 * Hop-by-hop hiding. `Connection: NAME` asks every proxy to drop the header of that name: so a sender takes away what a proxy
 * added or what a rule looks for, and a spelling that only the server behind reads as the name takes it past the proxy.
 *
 * Source: CVE-2024-45410 (GHSA-62c8-mh53-4cqv): Traefik dropped the X-Forwarded-* of its own that a client had nominated;
 * GHSA-5m6w-wvh7-57vm: names with underscores went past its rules; RFC 9110 section 7.6.1.
 * Without the rule: the server behind believes the peer about who it is, or gets the context that the border took out.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Attacked,
  FRIEND,
  injectedIn,
  linesOf,
  SENDERS,
  SPAN,
  startAttacked,
  TRACE,
} from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
});
afterAll(() => attacked.stop());

const W3C = `traceparent: 00-${TRACE}-${SPAN}-01`;

describe("nominating what the border adds", () => {
  it.each([
    { why: "the context", line: "Connection: traceparent, uber-trace-id, b3" },
    { why: "in capitals", line: "CONNECTION: TRACEPARENT,UBER-TRACE-ID,B3" },
    { why: "behind what is usual there", line: "Connection: keep-alive, traceparent" },
    { why: "in a line of its own", line: "Connection: b3\r\nConnection: traceparent" },
    { why: "among empty elements", line: "Connection: ,, traceparent ,," },
    {
      why: "what is said of the client",
      line: "Connection: x-forwarded-for, x-forwarded-proto, x-forwarded-host",
    },
    { why: "by the header of old proxies", line: "Proxy-Connection: traceparent, x-forwarded-for" },
    { why: "by Keep-Alive", line: "Keep-Alive: traceparent" },
    { why: "by Trailer", line: "Trailer: traceparent, x-forwarded-for" },
    { why: "by TE", line: "TE: trailers, traceparent" },
  ])("takes none of it away: $why", async ({ line }) => {
    for (const [, origin] of SENDERS) {
      const { arrived, span } = await attacked.passIn([...origin, line]);
      expect(injectedIn(arrived).traceId).toBe(span?.spanContext().traceId);
      const lines = linesOf(arrived);
      expect(lines).toContain("x-forwarded-for: 127.0.0.1");
      expect(lines).toContain("x-forwarded-proto: http");
      expect(lines).toContain("x-forwarded-host: own.test");
    }
  });
});

describe("nominating what was sent", () => {
  it.each([
    { why: "a context", lines: [W3C, "Connection: traceparent"] },
    { why: "a context behind its nomination", lines: ["Connection: traceparent", W3C] },
    { why: "in another case", lines: [W3C, "Connection: TraceParent"] },
  ])("hides it from the span and from the server alike: $why", async ({ lines }) => {
    const { arrived, span } = await attacked.passIn([FRIEND, ...lines]);
    expect(span?.attributes["fedtrace.context"]).toBe("absent");
    expect(span?.attributes["fedtrace.headers.removed"]).toBe(1);
    expect(arrived).not.toContain(TRACE);
  });

  it("takes the name with it, where that was nominated", async () => {
    const { arrived, span } = await attacked.passIn([FRIEND, W3C, "Connection: authorization"]);
    // Either it is refused, or nobody is named and nobody's context taken: never a name that the server can't see.
    expect(span?.attributes["fedtrace.peer.name"]).toBe(
      arrived.includes("X-Matrix") ? "friend.test:8448" : undefined,
    );
  });

  it.each(["signature", "signature-input", "digest", "date", "host", "transfer-encoding"])(
    "is refused for what signs or frames: %s",
    async (name) => {
      expect((await attacked.passIn([`Connection: close, ${name}`])).received).toContain("400 Bad Request");
    },
  );

  it("by an answer stays on its hop, and takes no other header with it", async () => {
    attacked.answerWith(
      "HTTP/1.1 200 OK\r\nConnection: x-secret\r\nX-Secret: 1\r\nX-Kept: 2\r\nContent-Length: 0\r\n\r\n",
    );
    const { received } = await attacked.passIn([]);
    expect(received).not.toMatch(/x-secret/i);
    expect(received).toContain("X-Kept: 2");
  });

  it("by an answer that names a trace does not bring it past the border", async () => {
    attacked.answerWith(
      "HTTP/1.1 200 OK\r\nConnection: X-Other\r\nSynapse-Trace-Id: abc\r\ntraceresponse: 00-x\r\nContent-Length: 0\r\n\r\n",
    );
    expect((await attacked.passIn([])).received).not.toMatch(/trace/i);
    attacked.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
});

describe("another spelling of a name", () => {
  it.each([
    { why: "CGI and WSGI can't tell it from the real one", line: "Uber_Trace_Id: 1:2:0:1" },
    { why: "a prefix rule", line: "uberctx_user: root" },
    { why: "a client's address, forged", line: "X_Forwarded_For: 10.0.0.1" },
    { why: "one underscore among dashes", line: "x-forwarded_for: 10.0.0.1" },
    { why: "the context of a format of many headers", line: "X_B3_TraceId: 1" },
    { why: "a framing that only the server behind would see", line: "Content_Length: 5" },
    { why: "a framing that only the server behind would see", line: "Transfer_Encoding: chunked" },
  ])("with underscores does not get through: $line ($why)", async ({ line }) => {
    const { arrived } = await attacked.passIn([line]);
    expect(arrived).not.toContain(line);
    expect(arrived).toContain("GET /x HTTP/1.1");
  });

  it.each([
    { why: "a space before the colon", line: `traceparent : 00-${TRACE}-${SPAN}-01` },
    { why: "a line folded onto the next", line: `X-Folded: a\r\n traceparent: 00-${TRACE}-${SPAN}-01` },
    { why: "a zero byte in the name", line: `trace\0parent: 00-${TRACE}-${SPAN}-01` },
    { why: "a Kelvin sign, as its bytes", line: "uber\xe2\x84\xaa-trace-id: 1:2:0:1" },
  ])("that only one of two parsers takes for it ends the request: $why", async ({ line }) => {
    const { arrived, received } = await attacked.passIn([FRIEND, line]);
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
    expect(arrived).toBe("");
  });

  it.each(["TRACEPARENT", "TraceParent", "tRACEPARENT"])(
    "in other letters is the same name: %s",
    async (name) => {
      const { arrived } = await attacked.passIn([`${name}: 00-${TRACE}-${SPAN}-01`]);
      expect(arrived).not.toContain(TRACE);
    },
  );
});
