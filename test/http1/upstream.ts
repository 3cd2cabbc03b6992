/** A pool towards a raw server, and a handler that writes down what it is told. */

import { expect, onTestFinished } from "vitest";
import type { ErrorCode } from "../../src/core/errors.ts";
import type {
  ResponseHandler,
  UpstreamAddress,
  UpstreamConnection,
} from "../../src/http1/upstream-connection.ts";
import type { UpstreamEvents, UpstreamLimits } from "../../src/http1/upstream-member.ts";
import { createUpstreamPool, type UpstreamPlace, type UpstreamPool } from "../../src/http1/upstream-pool.ts";
import type { UpstreamTaker, UpstreamWait } from "../../src/http1/upstream-wait.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import {
  createQueue,
  LIMITS as CONNECTION_LIMITS,
  type Queue,
  type RawPeer,
  startRawServer,
  startTime,
} from "./sockets.ts";

export const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
export const ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/** A response that nobody asked for. */
export const STRAY = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
export const FIELDS = createProxyFields([]);
/** Small ones, so that a test can reach them. */
export const UPSTREAM_LIMITS: UpstreamLimits = {
  ...CONNECTION_LIMITS,
  upstreamConnections: 300,
  upstreamQueue: 3,
};

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

/** A taker that writes down what it was told: a connection, or "CODE DETAIL". */
export interface Taken extends UpstreamTaker {
  readonly connections: Queue<UpstreamConnection>;
  readonly refusals: Queue<string>;
  retries: number;
  /** What can be cancelled. */
  wait: UpstreamWait | undefined;
}

export function createTaker(): Taken {
  const connections = createQueue<UpstreamConnection>();
  const refusals = createQueue<string>();
  const taken: Taken = {
    connections,
    refusals,
    retries: 0,
    wait: undefined,
    onUpstream(connection, retries) {
      taken.retries = retries;
      connections.push(connection);
    },
    onNoUpstream(code: ErrorCode, retries, detail) {
      taken.retries = retries;
      refusals.push(detail === undefined ? code : `${code} ${detail}`);
    },
  };
  return taken;
}

/** Asks for a connection. */
export function take(pool: UpstreamPool, place: UpstreamPlace): Taken {
  const taken = createTaker();
  taken.wait = pool.take(place, taken);
  return taken;
}

/** Events in the order in which they came. */
export function createEvents(): UpstreamEvents & { readonly told: string[] } {
  const told: string[] = [];
  return {
    told,
    onConnect: () => told.push("connect"),
    onConnectFailure: (code) => told.push(`failed ${code}`),
    onRetry: (why) => told.push(`retry ${why}`),
    onQueueRefused: (why) => told.push(`refused ${why}`),
  };
}

interface Sent {
  readonly told: Told;
  readonly connection: UpstreamConnection;
  readonly closed: Promise<void>;
}

/** Takes a connection and sends a request on it. */
export async function send(
  pool: UpstreamPool,
  port: number,
  told = createHandler(),
  method = "GET",
): Promise<Sent> {
  const connection = await take(pool, addressOf(port)).connections.next();
  connection.begin(method, told);
  connection.outlet.text(REQUEST);
  connection.outlet.flush();
  connection.expectResponse();
  const closed = new Promise<void>((resolve) => void connection.socket.once("close", () => resolve()));
  return { told, connection, closed };
}

export function addressOf(port: number): UpstreamAddress & { readonly port: number } {
  return { key: `${port}`, host: "127.0.0.1", port };
}

/** Closed when the test is over. @param limits other than those above @param idleMax of all targets */
export async function startUpstream(limits: Partial<UpstreamLimits> = {}, idleMax?: number) {
  const { deadlines, pass } = startTime();
  const { port, peers } = await startRawServer();
  const events = createEvents();
  const options = {
    limits: { ...UPSTREAM_LIMITS, ...limits },
    fields: FIELDS,
    deadlines,
    events,
    ...(idleMax === undefined ? {} : { idleMax }),
  };
  const pool = createUpstreamPool(options);
  onTestFinished(() => pool.close());

  /** Sends a request and waits until the server has it, on a connection of its own. */
  async function open(told?: Told, method?: string): Promise<Sent & { readonly peer: RawPeer }> {
    const sent = await send(pool, port, told, method);
    const peer = await peers.next();
    await peer.until("\r\n\r\n");
    return { ...sent, peer };
  }

  /** Lets one exchange run to its end, so that its connection rests in the pool. */
  async function rest(answer = ANSWER): Promise<Sent & { readonly peer: RawPeer }> {
    const opened = await open();
    opened.peer.send(answer);
    await expectEvents(opened.told, ["head 200", "end "]);
    opened.connection.release();
    return opened;
  }
  return { pass, deadlines, port, peers, pool, events, options, open, rest };
}

/** Waits for each event in turn; others fail. */
export async function expectEvents(told: Told, events: readonly string[]): Promise<void> {
  for (const event of events) expect(await told.events.next()).toBe(event);
}
