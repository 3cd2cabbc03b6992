/** A listener towards raw clients, and requests that wait for the test to answer them. */

import { onTestFinished } from "vitest";
import { type ListenerLimits, type ListenerOptions, startListener } from "../../src/http1/listener.ts";
import type { ListenerTls } from "../../src/http1/listener-tls.ts";
import type { RequestHead } from "../../src/http1/request-head.ts";
import type { ServerConnection } from "../../src/http1/server-connection.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { connectPeer, createQueue, LIMITS, type Queue, startTime, turn } from "./sockets.ts";

const FIELDS = createProxyFields([]);

export const GET = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
export const ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
export const REFUSAL = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/** One request as its handler saw it. */
interface Opened {
  readonly head: RequestHead;
  readonly connection: ServerConnection;
  readonly body: string;
  /** Everything but bytes: "end TRAILERS", "drain", "gone CODE WORD". */
  readonly events: Queue<string>;
  /** What `onRequestBytes` answers. */
  hasRoom: boolean;
  answer(text?: string, isReusable?: boolean): void;
}

function openRequest(
  head: RequestHead,
  connection: ServerConnection,
): Opened & { add(bytes: Buffer): boolean } {
  let body = "";
  const opened = {
    head,
    connection,
    get body() {
      return body;
    },
    events: createQueue<string>(),
    hasRoom: true,
    add(bytes: Buffer) {
      body += bytes.toString("latin1");
      return opened.hasRoom;
    },
    answer(text = ANSWER, isReusable = true) {
      connection.outlet.text(text);
      connection.finish(isReusable);
    },
  };
  return opened;
}

/** What a test may set of a listener; by default it has no TLS, no bound for one client, and a port of its own. */
interface ServerOptions {
  readonly limits?: Partial<ListenerLimits>;
  readonly address?: ListenerOptions["address"];
  readonly tls?: ListenerTls;
  readonly peerKeyOf?: (address: string) => string | undefined;
  readonly isProxy?: (address: string) => boolean;
}

/** A listener whose owner answers only when the test says so; destroyed when the test is over. */
export async function startServer(connections = 10, options: ServerOptions = {}) {
  const time = startTime();
  /** A test may change them while the listener runs. */
  const limits: { -readonly [K in keyof ListenerLimits]: ListenerLimits[K] } = {
    ...LIMITS,
    connections,
    connectionsPerPeer: 1000,
    ...options.limits,
  };
  const requests = createQueue<Opened>();
  const refusals = createQueue<string>();
  /** What the listener tells its counts. */
  const counted = createQueue<string>();
  const listener = await startListener({
    address: options.address ?? { host: "127.0.0.1", port: 0 },
    tls: options.tls,
    peerKeyOf: options.peerKeyOf,
    isProxy: options.isProxy,
    counts: {
      connectionEvicted: () => counted.push("evicted"),
      connectionDropped: (reason) => counted.push(`dropped ${reason}`),
      handshakeFailed: (reason) => counted.push(`handshake ${reason}`),
      proxyHeaderRefused: (reason) => counted.push(`proxy header ${reason}`),
    },
    limits,
    fields: FIELDS,
    deadlines: time.deadlines,
    onRequest(head, connection) {
      const opened = openRequest(head, connection);
      requests.push(opened);
      return {
        onRequestBytes: (bytes) => opened.add(bytes),
        onRequestEnd: (trailers) => opened.events.push(`end ${trailers}`),
        onRequestPause: () => undefined,
        onClientDrain: () => opened.events.push("drain"),
        onClientGone: (code, refusal) => opened.events.push(`gone ${code} ${refusal ?? ""}`.trimEnd()),
      };
    },
    onRefused(refusal, connection) {
      refusals.push(refusal);
      connection.outlet.text(REFUSAL);
      connection.finish(false);
    },
  });
  onTestFinished(() => listener.destroy());
  const port = Number(listener.address.split(":").at(-1));
  /** A client sees its connection end before or after the server does. */
  async function untilOpen(count: number): Promise<void> {
    while (listener.connections !== count) await turn();
  }
  return {
    ...time,
    listener,
    limits,
    requests,
    refusals,
    counted,
    port,
    untilOpen,
    connect: (localAddress?: string) => connectPeer(port, localAddress),
  };
}
