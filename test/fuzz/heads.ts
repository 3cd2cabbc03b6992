/**
 * Heads to fuzz with: made from the grammar with wrong values among the right ones, samples with damage, and bytes.
 * Names that a proxy acts on come often, in any case and with `_` for `-`.
 */

import fc from "fast-check";
import { TRACE_FIELDS } from "../../src/propagation/trace-fields.ts";
import { readCapturedHeads, SYNTHETIC_HEADS } from "../http1/sample-heads.ts";
import { anyBytes, damaged } from "./texts.ts";

/** Each value as often as it stands here. */
const VALUES: readonly (readonly [name: string, values: readonly string[]])[] = [
  ["Host", ["a", "a.test:8448", "[::1]:1", "A", "", "a, b", "a@b", "a:", "a:99999", "[", "a b", "a/b"]],
  [
    "Content-Length",
    ["0", "5", "5", "0005", "+5", "-1", "5, 5", "0x5", "5 5", "999999999999999", "9007199254740993"],
  ],
  [
    "Transfer-Encoding",
    [
      "chunked",
      "chunked",
      "Chunked",
      "gzip, chunked",
      "chunked, chunked",
      "",
      "identity",
      "\x0bchunked",
      "chunked;a=b",
    ],
  ],
  [
    "Connection",
    [
      "close",
      "keep-alive",
      "Upgrade",
      "close, x-a",
      "traceparent",
      "Host",
      "content_length",
      ",,",
      "x-a,X-B",
      "te",
    ],
  ],
  ["Connection", ["a,".repeat(15), "a,".repeat(16), "\xa0close", "close\t,", "baggage, x-forwarded-for"]],
  ["Keep-Alive", ["timeout=5", "timeout=99999999", "max=1"]],
  ["Expect", ["100-continue", "200-ok"]],
  ["TE", ["trailers", "gzip", "trailers, deflate"]],
  ["Upgrade", ["websocket", "h2c", "HTTP/2.0", "TLS/1.0", "websocket, h2c", "a b"]],
  ["Proxy-Connection", ["close"]],
  ["Proxy-Authorization", ["Bearer x"]],
  ["X-Forwarded-For", ["192.0.2.7"]],
  [
    "Server-Timing",
    ["db;dur=1", 'traceparent;desc="00-1-1-01"', 'db;desc="a, trace", TRACE', "trace,db", ""],
  ],
  ["X-A", ["", "b", "\xe9", "a:b", "\t c \t"]],
  ["x-b", ["\x85", "\xa0"]],
];
const TRACE_NAMES = TRACE_FIELDS.map(({ name }) => name.replace("*", "x"));

const plainLine = fc.oneof(
  {
    arbitrary: fc
      .constantFrom(...VALUES)
      .chain(([name, values]) => fc.constantFrom(...values).map((value) => [name, value] as const)),
    weight: 3,
  },
  { arbitrary: fc.tuple(fc.constantFrom(...TRACE_NAMES), fc.constantFrom("", "1", "00-1-1-1")), weight: 1 },
);

/** How a name is written: mostly as it is, else in capitals, in lower case, or as CGI would write it. */
const spelling = fc.constantFrom("", "", "", "upper", "lower", "under", "half");

function spell(name: string, how: string): string {
  switch (how) {
    case "upper":
      return name.toUpperCase();
    case "lower":
      return name.toLowerCase();
    case "under":
      return name.replaceAll("-", "_");
    case "half":
      return name.replace("-", "_");
    default:
      return name;
  }
}

const line = fc
  .tuple(
    plainLine,
    spelling,
    often(": ", [":", ":\t", " :", "", ": \x00"]),
    often("\r\n", [" \t\r\n", "\n", "\r", "\r\r\n", "\r\n "]),
  )
  .map(([[name, value], how, colon, end]) => spell(name, how) + colon + value + end);

/** The usual text thirty times as often as each of the others: a head has many chances to go wrong. */
function often(usual: string, others: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { arbitrary: fc.constant(usual), weight: 30 },
    ...others.map((other) => ({ arbitrary: fc.constant(other), weight: 1 })),
  );
}

const METHODS = [
  "POST",
  "HEAD",
  "CONNECT",
  "OPTIONS",
  "get",
  "TRACE",
  "A".repeat(32),
  "A".repeat(33),
  "G:T",
  "",
];
const TARGETS = [
  "/a?b=%23",
  "*",
  "http://a/x?y",
  "HTTP://a.test:8448",
  "http://u@a/",
  "a:443",
  "/#",
  "//x",
  "/\xe9",
  "",
];
const ENDINGS = ["", "\r\n5", "\n", "\r\n\r\n"];

const grammarRequest = fc
  .record({
    lead: often("", ["\r\n", "\r\n\r\n", "\r\n\r\n\r\n", "\n", "\r"]),
    method: often("GET", METHODS),
    target: often("/", TARGETS),
    version: often(" HTTP/1.1\r\n", [
      " HTTP/1.0\r\n",
      " HTTP/1.2\r\n",
      " http/1.1\r\n",
      " HTTP/1.1\n",
      "\r\n",
    ]),
    host: often("Host: a\r\n", ["", "host:a.test\r\n"]),
    lines: fc.array(line, { maxLength: 5 }),
    ending: often("\r\n", ENDINGS),
  })
  .map(
    ({ lead, method, target, version, host, lines, ending }) =>
      `${lead}${method} ${target}${version}${host}${lines.join("")}${ending}`,
  );

const PHRASES = [
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "\r\nHost: b.test",
  "\r\nConnection: traceparent",
  "Traceparent: 00-1-1-1\r\n",
  "\r\n\r\n",
  "\r\n ",
  " HTTP/1.0\r\n",
];

/** A request's head, whole or not, right or wrong, with what may follow it. */
export const requestTexts: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: grammarRequest, weight: 4 },
  { arbitrary: damaged(fc.constantFrom(...SYNTHETIC_HEADS, ...readCapturedHeads()), PHRASES), weight: 3 },
  { arbitrary: damaged(grammarRequest, PHRASES), weight: 2 },
  { arbitrary: anyBytes(40), weight: 1 },
);

const STATUS_LINES = [
  "HTTP/1.1 204 No Content\r\n",
  "HTTP/1.1 304 \r\n",
  "HTTP/1.1 100\r\n",
  "HTTP/1.0 200 OK\r\n",
  "HTTP/1.1 99 OK\r\n",
  "HTTP/1.1 099 OK\r\n",
  "HTTP/1.1 2000 OK\r\n",
  "HTTP/1.1 200\tOK\r\n",
  "HTTP/2 200 OK\r\n",
  "HTTP/1.1 200 \xe9\r\n",
  "HTTP/1.1 200 a\x00\r\n",
  "HTTP/1.1 200 OK\n",
];
const SAMPLE_RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: db, trace\r\n\r\nok",
  "HTTP/1.1 200 OK\r\nServer: Synapse\r\nSynapse-Trace-Id: a8af1a87332ae26d\r\nTransfer-Encoding: chunked\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
];

const grammarResponse = fc
  .tuple(often("HTTP/1.1 200 OK\r\n", STATUS_LINES), fc.array(line, { maxLength: 5 }), often("\r\n", ENDINGS))
  .map(([statusLine, lines, ending]) => `${statusLine}${lines.join("")}${ending}`);

/** As requestTexts, for responses. */
export const responseTexts: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: grammarResponse, weight: 4 },
  { arbitrary: damaged(fc.oneof(fc.constantFrom(...SAMPLE_RESPONSES), grammarResponse), PHRASES), weight: 4 },
  { arbitrary: anyBytes(40), weight: 1 },
);

/** Trailer sections with their empty line, most of them well-formed. */
export const trailerTexts: fc.Arbitrary<string> = fc
  .tuple(fc.array(line, { minLength: 1, maxLength: 4 }), often("\r\n", ENDINGS))
  .map(([lines, ending]) => lines.join("") + ending);
