/**
 * What node:http makes of a head: a real server in its strict default mode, given one in-memory connection a head
 * (https://nodejs.org/api/http.html#event-connection allows any Duplex), so no flag, no internals and no socket.
 *
 * The framing is not read from the headers but seen: a few bytes of body are sent and what the server takes counts.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Duplex } from "node:stream";

/** One parser's reading of one head. */
export type Reading =
  | { readonly verdict: "incomplete" }
  | { readonly verdict: "refused"; readonly why: string }
  | AcceptedReading;

export interface AcceptedReading {
  readonly verdict: "accepted";
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** Names as received and trimmed values, in order. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** Bytes up to `BODY_SEEN_MAX`; undefined where the protocol changes behind the head. */
  readonly body: number | "chunked" | undefined;
  readonly isUpgrade: boolean;
  /** Undefined as for `body`. */
  readonly isKeptAlive: boolean | undefined;
}

/** Longer bodies are not told apart. */
export const BODY_SEEN_MAX = 4096;
/** Ends a chunked body; within a Content-Length it is five bytes like others. */
const LAST_CHUNK = "0\r\n\r\n";

interface Exchange {
  head: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  error: string | undefined;
  bodyBytes: number;
  isBodyDone: boolean;
}

export interface NodeOracle {
  /** @param bytes one head with nothing behind it, or a part of one */
  read(bytes: Buffer): Promise<Reading>;
}

/** @param headBytesMax as our `limits.head` */
export function createNodeOracle(headBytesMax: number): NodeOracle {
  const server = createServer({ maxHeaderSize: headBytesMax });
  let exchange = newExchange();

  const onRequest = (head: IncomingMessage, response: ServerResponse): void => {
    const current = exchange;
    if (current.head !== undefined) return;
    current.head = head;
    current.response = response;
    head.on("data", (bytes: Buffer) => (current.bodyBytes += bytes.length));
    head.on("end", () => (current.isBodyDone = true));
  };
  server.on("request", onRequest).on("checkContinue", onRequest).on("checkExpectation", onRequest);
  server.on("upgrade", (head) => (exchange.head ??= head)).on("connect", (head) => (exchange.head ??= head));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    exchange.error ??= error.code ?? error.message;
    socket.destroy();
  });

  return {
    async read(bytes) {
      exchange = newExchange();
      const current = exchange;
      const written: string[] = [];
      const wire = new Duplex({
        read: () => undefined,
        write(chunk: Buffer, _encoding, done) {
          written.push(chunk.toString("latin1"));
          done();
        },
      });
      server.emit("connection", wire);
      await push(wire, bytes);
      const { error } = current;
      const reading = error === undefined ? await readAccepted(current, wire) : refused(error);
      wire.destroy();
      // A missing Host is answered before any event: the answer is all there is to see.
      const isAnswered = reading === undefined && written.join("").startsWith("HTTP/1.1 400 ");
      return reading ?? (isAnswered ? refused("400") : { verdict: "incomplete" });
    },
  };
}

function newExchange(): Exchange {
  return { head: undefined, response: undefined, error: undefined, bodyBytes: 0, isBodyDone: false };
}

function refused(why: string): Reading {
  return { verdict: "refused", why };
}

async function push(wire: Duplex, bytes: Buffer): Promise<void> {
  wire.push(bytes);
  // One turn for the stream to flow and the parser to run, one for the end of the message to be told.
  await turn();
  await turn();
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

async function readAccepted(current: Exchange, wire: Duplex): Promise<AcceptedReading | undefined> {
  const { head, response } = current;
  if (head === undefined) return undefined;
  const lines = [];
  for (let index = 0; index < head.rawHeaders.length; index += 2) {
    lines.push([head.rawHeaders[index] ?? "", head.rawHeaders[index + 1] ?? ""] as const);
  }
  return {
    verdict: "accepted",
    method: head.method ?? "",
    target: head.url ?? "",
    version: head.httpVersion,
    lines,
    body: response === undefined ? undefined : await measureBody(current, wire),
    isUpgrade: response === undefined,
    isKeptAlive: response?.shouldKeepAlive,
  };
}

async function measureBody(current: Exchange, wire: Duplex): Promise<number | "chunked"> {
  if (current.isBodyDone) return 0;
  await push(wire, Buffer.from(LAST_CHUNK, "latin1"));
  if (current.isBodyDone) return current.bodyBytes === 0 ? "chunked" : current.bodyBytes;
  await push(wire, Buffer.alloc(BODY_SEEN_MAX, "x"));
  return Math.min(current.bodyBytes, BODY_SEEN_MAX);
}
