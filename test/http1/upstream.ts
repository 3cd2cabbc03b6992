/** A pool towards a raw server, and a handler that writes down what it is told. */

import { expect, onTestFinished } from "vitest";
import type { ResponseHandler, UpstreamConnection } from "../../src/http1/upstream-connection.ts";
import { createUpstreamPool, type UpstreamPool } from "../../src/http1/upstream-pool.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { createQueue, LIMITS, type Queue, type RawPeer, startRawServer, startTime } from "./sockets.ts";

export const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
export const ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/** A response that nobody asked for. */
export const STRAY = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
export const FIELDS = createProxyFields([]);

export interface Told extends ResponseHandler {
  /** "head STATUS", "end TRAILERS", "upgraded REST", "failed CODE (un)answered", in order. */
  readonly events: Queue<string>;
  readonly body: string;
  /** What `onResponseBytes` answers. */
  hasRoom: boolean;
}

/** @param react more to do at an event, before the next byte is read */
export function createHandler(react: (event: string) => void = () => undefined): Told {
  let body = "";
  const events = createQueue<string>();
  const tell = (event: string): void => {
    events.push(event);
    react(event);
  };
  const told: Told = {
    events,
    get body() {
      return body;
    },
    hasRoom: true,
    onResponseHead: ({ status }) => tell(`head ${status}`),
    onUpgraded: (_head, rest) => tell(`upgraded ${rest?.toString() ?? ""}`),
    onResponseBytes(bytes) {
      body += bytes.toString("latin1");
      return told.hasRoom;
    },
    onResponseEnd: (trailers) => tell(`end ${trailers}`),
    onResponsePause: () => undefined,
    onUpstreamDrain: () => tell("drain"),
    onUpstreamFailure: (code, hasAnswered) =>
      tell(`failed ${code} ${hasAnswered ? "answered" : "unanswered"}`),
  };
  return told;
}

interface Sent {
  readonly told: Told;
  readonly connection: UpstreamConnection;
  readonly closed: Promise<void>;
}

/** Takes a connection and sends a request on it. */
export function send(pool: UpstreamPool, port: number, told = createHandler(), method = "GET"): Sent {
  const connection = pool.acquire({ key: `${port}`, host: "127.0.0.1", port });
  connection.begin(method, told);
  connection.outlet.text(REQUEST);
  connection.outlet.flush();
  connection.expectResponse();
  const closed = new Promise<void>((resolve) => void connection.socket.once("close", () => resolve()));
  return { told, connection, closed };
}

/** Closed when the test is over. */
export async function startUpstream() {
  const { deadlines, pass } = startTime();
  const { port, peers } = await startRawServer();
  const pool = createUpstreamPool({ limits: LIMITS, fields: FIELDS, deadlines });
  onTestFinished(() => pool.close());

  /** Sends a request and waits until the server has it, on a connection of its own. */
  async function open(told?: Told, method?: string): Promise<Sent & { readonly peer: RawPeer }> {
    const sent = send(pool, port, told, method);
    const peer = await peers.next();
    await peer.until("\r\n\r\n");
    return { ...sent, peer };
  }

  /** Lets one exchange run to its end, so that its connection rests in the pool. */
  async function rest(answer = ANSWER): Promise<Sent & { readonly peer: RawPeer }> {
    const opened = await open();
    opened.peer.send(answer);
    await expectEvents(opened.told, ["head 200", "end "]);
    pool.release(opened.connection);
    return opened;
  }
  return { pass, port, peers, pool, open, rest };
}

/** Waits for each event in turn; others fail. */
export async function expectEvents(told: Told, events: readonly string[]): Promise<void> {
  for (const event of events) expect(await told.events.next()).toBe(event);
}
