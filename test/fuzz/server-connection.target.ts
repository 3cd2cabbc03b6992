/**
 * ServerConnection: a stream of requests, right and wrong ones, in any pieces, is handed on as the reference splits it: as
 * many requests, each with its own bytes, up to the first that is refused, and nothing behind it.
 *
 * A single head is request-head.target.ts's question; here the parser is believed, and the splitting is not.
 */

import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { CHUNKED } from "../../src/http1/framing.ts";
import type { ConnectionLimits } from "../../src/http1/limits.ts";
import { parseRequestHead, type RequestHead } from "../../src/http1/request-head.ts";
import { ServerConnection, type ServerConnectionOwner } from "../../src/http1/server-connection.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { FakeSocket } from "./fake-socket.ts";
import { requestTexts } from "./heads.ts";
import { decodeChunks } from "./reference-chunks.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { cutAt, cutPlaces, damaged } from "./texts.ts";

export const FUZZ_LIMITS: ConnectionLimits = {
  headBytes: 65_536,
  headLines: 200,
  headTimeoutMs: 1000,
  bodyTimeoutMs: 1000,
  idleMs: 1000,
  connectTimeoutMs: 1000,
  responseTimeoutMs: 1000,
};
const FIELDS = createProxyFields([]);
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";

/** "METHOD target", the body as it came with its coding, and how it ended. */
type Handed = readonly [line: string, body: string, end: "end" | "open" | "refused"];

interface Stream {
  readonly requests: readonly Handed[];
  /** Whether a head was refused behind them. */
  readonly isRefused: boolean;
}

function isKept({ isHttp10, connection }: RequestHead): boolean {
  return !isHttp10 && !connection.isClose;
}

/** The stream, split by one who has all of it. */
function split(text: string): Stream {
  const requests: Handed[] = [];
  let rest = text;
  for (;;) {
    rest = rest.replace(/^(?:\r\n){0,2}/, "");
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) return { requests, isRefused: /(?<!\r)\n/.test(rest) };
    const head = parseRequestHead(rest.slice(0, end + 4), FIELDS, FUZZ_LIMITS.headLines);
    if (typeof head === "string") return { requests, isRefused: true };
    rest = rest.slice(end + 4);
    const body = splitBody(rest, head.bodyLength);
    requests.push([`${head.method} ${head.target}`, body.text, body.end]);
    if (body.end !== "end" || !isKept(head)) return { requests, isRefused: false };
    rest = rest.slice(body.text.length);
  }
}

function splitBody(text: string, length: number): { readonly text: string; readonly end: Handed[2] } {
  if (length !== CHUNKED) return { text: text.slice(0, length), end: text.length < length ? "open" : "end" };
  const { state, end } = decodeChunks(text, FUZZ_LIMITS.headBytes);
  if (state === "done") return { text: text.slice(0, end), end: "end" };
  return { text: "", end: state === "more" ? "open" : "refused" };
}

/** What a connection hands on. @param isLate answers come after the last byte of all, as they do behind a slow server */
function hand(pieces: readonly Buffer[], isLate: boolean): Stream {
  const requests: [string, string, Handed[2]][] = [];
  let isRefused = false;
  const late: (() => void)[] = [];
  const owner: ServerConnectionOwner = {
    limits: FUZZ_LIMITS,
    fields: FIELDS,
    deadlines: { nowMs: () => 0, add: () => undefined, delete: () => undefined, stop: () => undefined },
    isDraining: false,
    onRequest(head, connection) {
      const request: [string, string, Handed[2]] = [`${head.method} ${head.target}`, "", "open"];
      requests.push(request);
      const answer = (): void => {
        connection.outlet.text(ANSWER);
        connection.finish(isKept(head));
      };
      return {
        onRequestBytes(bytes) {
          request[1] += bytes.toString("latin1");
          return true;
        },
        onRequestEnd(trailers) {
          request[1] += trailers;
          request[2] = "end";
          if (isLate) late.push(answer);
          else answer();
        },
        onRequestPause: () => undefined,
        onClientDrain: () => undefined,
        onClientGone(_code, refusal) {
          if (refusal !== undefined) request[2] = "refused";
          connection.finish(false);
        },
      };
    },
    onRefused(_refusal, connection) {
      isRefused = true;
      connection.finish(false);
    },
    onClosed: () => undefined,
  };
  const socket = new FakeSocket();
  const connection = new ServerConnection(socket.asSocket(), owner);
  for (const piece of pieces) socket.receive(piece);
  for (let answer = late.shift(); answer !== undefined; answer = late.shift()) answer();
  const answers = socket.written.split(ANSWER).length - 1;
  equal(answers, requests.filter(([, , end]) => end === "end").length, "as many answers as requests");
  connection.close();
  return { requests, isRefused };
}

const BODIES = [
  "",
  "",
  "5\r\nhello\r\n0\r\n\r\n",
  "0\r\n\r\n",
  "0\r\na: b\r\n\r\n",
  "hello",
  "5\r\nhel",
  "x",
  "\r\n",
];
const PLAIN = [
  "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
  "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n",
  "\r\nPOST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "GET /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  "GET /6 HTTP/1.0\r\n\r\n",
];

const request = fc.oneof(
  { arbitrary: fc.constantFrom(...PLAIN), weight: 5 },
  {
    arbitrary: damaged(fc.constantFrom(...PLAIN), ["\r\n", "0\r\n\r\n", "Content-Length: 5\r\n"]),
    weight: 1,
  },
  { arbitrary: fc.tuple(requestTexts, fc.constantFrom(...BODIES)).map((parts) => parts.join("")), weight: 1 },
);

interface Case {
  readonly requests: readonly string[];
  readonly places: readonly number[];
  readonly isLate: boolean;
}

function check({ requests, places, isLate }: Case): void {
  const text = requests.join("");
  const expected = split(text);
  const handed = hand(cutAt(text, places), isLate);
  equal(handed.isRefused, expected.isRefused, "refused or not");
  deepEqual(
    handed.requests.map(([line, , end]) => [line, end]),
    expected.requests.map(([line, , end]) => [line, end]),
  );
  for (const [index, [, body, end]] of handed.requests.entries()) {
    if (end === "end") equal(body, expected.requests[index]?.[1], "the body is not what came");
  }
}

export const SERVER_CONNECTION: FuzzTarget = createTarget(
  "server-connection",
  fc.property(
    fc.record({
      requests: fc.array(request, { minLength: 1, maxLength: 5 }),
      places: cutPlaces,
      isLate: fc.boolean(),
    }),
    check,
  ),
);
