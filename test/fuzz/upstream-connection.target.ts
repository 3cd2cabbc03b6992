/**
 * UpstreamConnection over loopback: an upstream answers one request with whatever bytes in whatever pieces and then ends.
 * The handler is told what the reference reads in them, once, and a connection on which more came than one answer is never
 * used again.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import fc from "fast-check";
import { CHUNKED, UNTIL_CLOSE } from "../../src/http1/framing.ts";
import { parseResponseHead } from "../../src/http1/response-head.ts";
import { type ResponseHandler, UpstreamConnection } from "../../src/http1/upstream-connection.ts";
import type { UpstreamOwner } from "../../src/http1/upstream-owner.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { responseTexts } from "./heads.ts";
import { decodeChunks } from "./reference-chunks.ts";
import { FUZZ_LIMITS } from "./server-connection.target.ts";
import { createPreparedTarget, type FuzzTarget } from "./target.ts";
import { cutAt, cutPlaces, damaged } from "./texts.ts";

const FIELDS = createProxyFields([]);
const INTERIM_MAX = 16;

/** What a handler is told of one answer. */
interface Answer {
  readonly heads: readonly number[];
  /** As it came, with its coding. */
  readonly body: string;
  readonly end: "end" | "failed" | "upgraded";
  /** Whether the connection was up for another request once all had come. */
  readonly isReusable: boolean;
}

/** The answer, read by one who has all of it and knows that nothing follows. */
function readAnswer(text: string, method: string): Answer {
  const heads: number[] = [];
  const failed: Answer = { heads, body: "", end: "failed", isReusable: false };
  for (let rest = text.replace(/^(?:\r\n){0,2}/, ""); ; rest = rest.replace(/^(?:\r\n){0,2}/, "")) {
    const headEnd = rest.indexOf("\r\n\r\n") + 4;
    if (headEnd === 3) return failed;
    const head = parseResponseHead(rest.slice(0, headEnd), method, FIELDS, FUZZ_LIMITS.headLines);
    if (head === undefined) return failed;
    rest = rest.slice(headEnd);
    if (head.status === 101) return { ...failed, end: "upgraded", body: rest };
    if (head.status < 200 && heads.length === INTERIM_MAX) return failed;
    heads.push(head.status);
    if (head.status < 200) continue;
    const body = bodyText(rest, head.bodyLength);
    if (body === undefined) return failed;
    const isReusable = head.bodyLength !== UNTIL_CLOSE && !head.isHttp10 && !head.connection.isClose;
    return { heads, body, end: "end", isReusable: isReusable && body.length === rest.length };
  }
}

function bodyText(text: string, length: number): string | undefined {
  if (length === UNTIL_CLOSE) return text;
  if (length !== CHUNKED) return text.length < length ? undefined : text.slice(0, length);
  const { state, end } = decodeChunks(text, FUZZ_LIMITS.headBytes);
  return state === "done" ? text.slice(0, end) : undefined;
}

const NOT_NOTED = (): void => undefined;
const OWNER: Omit<UpstreamOwner, "address"> = {
  limits: FUZZ_LIMITS,
  fields: FIELDS,
  deadlines: { nowMs: () => 0, add: NOT_NOTED, delete: NOT_NOTED, stop: NOT_NOTED },
  onOpened: NOT_NOTED,
  onConnectFailure: NOT_NOTED,
  onAnswered: NOT_NOTED,
  onUnanswered: NOT_NOTED,
  onBodyAwaited: NOT_NOTED,
  onBodyDone: NOT_NOTED,
  onReleased: NOT_NOTED,
  onClosed: NOT_NOTED,
};

/** Writes down what it is told. */
interface Told {
  readonly heads: number[];
  readonly ends: Answer["end"][];
  body: string;
}

function tell(told: Told, socket: Socket): ResponseHandler {
  const add = (bytes: Buffer): boolean => {
    told.body += bytes.toString("latin1");
    return true;
  };
  return {
    onResponseHead: ({ status }) => told.heads.push(status),
    onUpgraded(_head, rest) {
      told.ends.push("upgraded");
      if (rest !== undefined) add(rest);
      socket.on("data", add);
      socket.on("end", () => socket.destroy());
      socket.resume();
    },
    onResponseBytes: add,
    onResponseEnd(trailers) {
      told.body += trailers;
      told.ends.push("end");
    },
    onResponsePause: NOT_NOTED,
    onUpstreamDrain: NOT_NOTED,
    onUpstreamFailure: () => told.ends.push("failed"),
  };
}

/** Sends one request, and resolves with what its handler was told once the socket is closed. */
function ask(port: number, method: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const told: Told = { heads: [], ends: [], body: "" };
    let isReusable = false;
    const owner = { ...OWNER, address: { key: "", host: "127.0.0.1", port } };
    const connector = {
      onConnect(connection: UpstreamConnection) {
        connection.begin(method, tell(told, connection.socket));
        connection.outlet.text(`${method} / HTTP/1.1\r\nhost: a\r\n\r\n`);
        connection.outlet.flush();
        connection.expectResponse();
      },
      onConnectFailure: () => reject(new Error("no connection to loopback")),
    };
    const connection = new UpstreamConnection(owner, connector, 0);
    const { socket } = connection;
    // Before the connection itself is told of the end: all bytes have come by then.
    socket.prependListener("end", () => (isReusable = connection.isReusable));
    socket.on("close", () => {
      const { heads, body, ends } = told;
      if (ends.length !== 1) reject(new Error(`told ${ends.length} times of the end: ${ends.join()}`));
      const [end = "failed"] = ends;
      resolve({ heads, body: end === "failed" ? "" : body, end, isReusable });
    });
  });
}

const PLAIN = [
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\na: b\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 200 OK\r\n\r\nuntil the end",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
];
/** As many as are allowed, and one more. */
const FLOODS = [INTERIM_MAX, INTERIM_MAX + 1].map((count) =>
  "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count),
);
const answers = fc
  .array(
    fc.oneof(
      { arbitrary: fc.constantFrom(...PLAIN), weight: 6 },
      { arbitrary: fc.constantFrom(...FLOODS), weight: 1 },
      { arbitrary: damaged(fc.constantFrom(...PLAIN), ["\r\n", "0\r\n\r\n"]), weight: 2 },
      { arbitrary: responseTexts, weight: 2 },
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((texts) => texts.join(""));

interface Case {
  readonly text: string;
  readonly method: string;
  readonly places: readonly number[];
}

export const UPSTREAM_CONNECTION: FuzzTarget = createPreparedTarget<Case>("upstream-connection", async () => {
  let pieces: readonly Buffer[] = [];
  const server = createServer({ noDelay: true }, (socket: Socket) => {
    socket.on("error", () => undefined); // It may be closed on the first wrong byte.
    socket.once("data", () => {
      for (const piece of pieces) socket.write(piece);
      socket.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;

  const property = fc.asyncProperty(
    fc.record({ text: answers, method: fc.constantFrom("GET", "GET", "HEAD"), places: cutPlaces }),
    async ({ text, method, places }) => {
      pieces = cutAt(text, places);
      const expected = readAnswer(text, method);
      const told = await ask(port, method);
      equal(told.end, expected.end);
      ok(expected.end === "failed" || told.body === expected.body, `not what came: ${told.body}`);
      deepEqual(told.heads, expected.heads);
      ok(!told.isReusable || expected.isReusable, "up for another request, though more came than one answer");
    },
  );
  return { property, stop: () => void server.close() };
});
