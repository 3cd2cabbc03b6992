/** Several requests on a connection: pipelining, Connection and what it nominates, upgrades, Expect. */

import { get, HOST, NEXT, post, type RequestRow, SMUGGLED } from "./row.ts";

const TWO = ["GET /x", "GET /next"];

const PIPELINING: readonly RequestRow[] = [
  {
    name: "ten requests at once",
    why: "each is answered, in order",
    source: "RFC 9112 9.3.2",
    bytes: Array.from({ length: 10 }, (_, index) => `GET /${index} HTTP/1.1\r\n${HOST}\r\n`).join(""),
    reaches: Array.from({ length: 10 }, (_, index) => `GET /${index}`),
  },
  {
    name: "bodies and none, in turn",
    why: "each ends where its framing says",
    source: "RFC 9112 9.3.2",
    bytes:
      post(["Content-Length: 3"], "abc") +
      get() +
      post(["Transfer-Encoding: chunked"], "1\r\na\r\n0\r\n\r\n") +
      NEXT,
    reaches: ["POST /x", "GET /x", "POST /x", "GET /next"],
  },
  {
    name: "a request behind Connection: close",
    why: "nothing behind it is a request",
    source: "RFC 9112 9.6",
    bytes: get("Connection: close") + SMUGGLED,
    reaches: ["GET /x"],
    isLast: true,
  },
  {
    name: "a malformed request behind a good one",
    why: "the good one is answered, the connection ends with the refusal",
    source: "RFC 9112 9.3.2",
    bytes: `${get()}GET /bad\r\n\r\n${SMUGGLED}`,
    reaches: ["GET /x"],
    refusal: 400,
  },
  {
    name: "garbage behind a body",
    why: "what a length leaves over is the next request, or is refused",
    source: "RFC 9112 6.3",
    bytes: `${post(["Content-Length: 2"], "abcdef\r\n\r\n")}${SMUGGLED}`,
    reaches: ["POST /x"],
    refusal: 400,
  },
  {
    name: "a line end behind a body",
    why: "old clients send one; it does not reach the upstream",
    source: "RFC 9112 2.2",
    bytes: `${post(["Content-Length: 2"], "ab\r\n")}${NEXT}`,
    reaches: ["POST /x", "GET /next"],
  },
];

const CONNECTION: readonly RequestRow[] = [
  ...["Content-Length", "Transfer-Encoding", "Host", "Authorization", "Date", "Trailer"].map((name) => ({
    name: `${name} nominated by Connection`,
    why: "a proxy that drops it and a proxy that keeps it read two messages",
    source: "RFC 9110 7.6.1",
    bytes: `${post(["Content-Length: 5", `Connection: ${name}`], "hello")}${SMUGGLED}`,
    reaches: [],
    refusal: 400,
  })),
  {
    name: "X-Forwarded-For nominated by Connection",
    why: "a proxy that dropped what it had added let clients forge their address",
    source: "CVE-2022-31813",
    bytes: get("Connection: X-Forwarded-For, X-Forwarded-Proto", "X-Forwarded-For: 10.0.0.1") + NEXT,
    reaches: TWO,
    arrives: "x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\n",
    never: "10.0.0.1",
  },
  {
    name: "a nominated header",
    why: "for this hop only",
    source: "RFC 9110 7.6.1",
    bytes: get("X-Hop: 1", "Connection: x-hop", "X-End: 2") + NEXT,
    reaches: TWO,
    arrives: `${HOST}X-End: 2\r\n`,
    never: "x-hop",
  },
  {
    name: "a Connection with more names than any client has",
    why: "each costs a look through the head",
    source: "RFC 9110 7.6.1",
    bytes: get(`Connection: ${Array.from({ length: 17 }, (_, index) => `x-${index}`).join(", ")}`) + SMUGGLED,
    reaches: [],
    refusal: 400,
  },
  {
    name: "Proxy-Connection and Keep-Alive",
    why: "for this hop only",
    source: "RFC 9110 7.6.1",
    bytes: get("Proxy-Connection: keep-alive", "Keep-Alive: timeout=5", "TE: gzip, trailers") + NEXT,
    reaches: TWO,
    never: "keep-alive",
  },
];

const UPGRADES: readonly RequestRow[] = [
  ...["h2c", "H2C", "h2", "HTTP/2.0", "TLS/1.0", "h2c, websocket", "websocket, h2c"].map((protocol) => ({
    name: `an upgrade to ${protocol}`,
    why: "behind it the proxy is blind, and every rule of it is past",
    source: "bishopfox.com/blog/h2c-smuggling-request-via-http; RFC 9113 3.1",
    bytes:
      get(
        "Connection: Upgrade, HTTP2-Settings",
        `Upgrade: ${protocol}`,
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
      ) + NEXT,
    reaches: TWO,
    never: "\r\nupgrade:",
  })),
  {
    name: "an upgrade to h2c without Connection",
    why: "some servers take it without",
    source: "bishopfox.com/blog/h2c-smuggling-request-via-http",
    bytes: get("Upgrade: h2c") + NEXT,
    reaches: TWO,
    never: "\r\nupgrade:",
  },
  {
    name: "an upgrade to h2c behind another",
    why: "the server takes the one it knows",
    source: "bishopfox.com/blog/h2c-smuggling-request-via-http",
    bytes: get("Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c") + NEXT,
    reaches: TWO,
    arrives: "Upgrade: websocket\r\n",
    never: "h2c",
  },
  {
    name: "an upgrade with a length",
    why: "the body is a body to one, another protocol or requests to the next",
    source: "CVE-2026-58055",
    bytes:
      post(["Connection: Upgrade", "Upgrade: websocket", `Content-Length: ${SMUGGLED.length}`], SMUGGLED) +
      NEXT,
    reaches: ["POST /x", "GET /next"],
    never: "\r\nupgrade:",
  },
  {
    name: "an upgrade with chunks",
    why: "the body is a body to one, another protocol or requests to the next",
    source: "CVE-2026-58055",
    bytes:
      post(
        ["Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"],
        `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
      ) + NEXT,
    reaches: ["POST /x", "GET /next"],
    never: "\r\nupgrade:",
  },
  {
    name: "an upgrade that is not taken",
    why: "what is sent behind it before the 101 is HTTP: a proxy that switched at once passed it unread",
    source: "CVE-2026-2833, RFC 9931",
    bytes: get("Connection: Upgrade", "Upgrade: websocket") + NEXT,
    reaches: TWO,
  },
  {
    name: "an upgrade that is not taken, and garbage behind it",
    why: "what is sent behind it before the 101 is HTTP: it is refused, not passed",
    source: "CVE-2026-2833, RFC 9931",
    bytes: `${get("Connection: Upgrade", "Upgrade: websocket")}GET /smuggled\r\n\r\n`,
    reaches: ["GET /x"],
    refusal: 400,
  },
  {
    name: "an upgrade in HTTP/1.0",
    why: "HTTP/1.0 has none",
    source: "RFC 9110 7.8",
    bytes: `GET /x HTTP/1.0\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    reaches: ["GET /x"],
    isLast: true,
    never: "\r\nupgrade:",
  },
];

/** The body is sent at once, and the upstream answers without a 100: the body is still the body. */
const EXPECT: readonly RequestRow[] = [
  { name: "Expect: 100-continue", line: "Expect: 100-continue" },
  { name: "Expect in another case", line: "EXPECT: 100-CONTINUE" },
  { name: "an Expect nobody knows", line: "Expect: y 100-continue" },
  { name: "an Expect with a list", line: "Expect: 100-continue, x" },
].map(({ name, line }) => ({
  name,
  why: "a front end that waited for the 100 took the body for requests, or for no body",
  source: "portswigger.net/research/http1-must-die: 0.CL; CVE-2025-32094",
  bytes: post([line, `Content-Length: ${SMUGGLED.length}`], SMUGGLED) + NEXT,
  reaches: ["POST /x", "GET /next"],
}));

const EXPECT_MORE: readonly RequestRow[] = [
  {
    name: "an OPTIONS with Expect in a fold",
    why: "the fold hid it from one of two proxies",
    source: "CVE-2025-32094",
    bytes: `OPTIONS /x HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\nExpect:\r\n 100-continue\r\n\r\n${SMUGGLED}`,
    reaches: [],
    refusal: 400,
  },
  {
    name: "Expect without a body",
    why: "there is nothing to wait for",
    source: "RFC 9110 10.1.1",
    bytes: get("Expect: 100-continue") + NEXT,
    reaches: TWO,
  },
];

export const FLOW_ROWS: readonly RequestRow[] = [
  ...PIPELINING,
  ...CONNECTION,
  ...UPGRADES,
  ...EXPECT,
  ...EXPECT_MORE,
];
