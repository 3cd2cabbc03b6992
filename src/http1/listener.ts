/**
 * A listening socket and its connections: accepts, caps, refuses fairly, drains.
 *
 * Not here: what a request means (`onRequest`), and the addresses' syntax (config).
 */

import { createServer, type Server, type Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { FedtraceError } from "../core/errors.ts";
import type { Deadlines } from "./deadlines.ts";
import type { FieldTable } from "./fields.ts";
import type { ConnectionLimits } from "./limits.ts";
import type { RequestRefusal } from "./refusals.ts";
import type { RequestHead } from "./request-head.ts";
import { type RequestHandler, ServerConnection, type ServerConnectionOwner } from "./server-connection.ts";

type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** PEM texts. With `ca`, a client may show a certificate; one that does not verify counts as none. */
export type ListenerTls = Pick<SecureContextOptions, "cert" | "key" | "ca">;

export type ListenerLimits = ConnectionLimits & {
  /** Open connections; one more is refused. */
  readonly connections: number;
};

/** `limits` and `fields` may change between two requests. */
export interface ListenerOptions {
  readonly address: ListenAddress;
  readonly tls: ListenerTls | undefined;
  readonly limits: ListenerLimits;
  readonly fields: FieldTable;
  readonly deadlines: Deadlines;
  onRequest(head: RequestHead, connection: ServerConnection): RequestHandler | undefined;
  onRefused(refusal: RequestRefusal | "head-timeout" | "connections", connection: ServerConnection): void;
}

export interface Listener {
  /** `host:port` with the port that was really taken, or the path. */
  readonly address: string;
  readonly connections: number;
  /** Whether new requests should be answered with `Connection: close`. */
  readonly isDraining: boolean;
  /** Stops accepting and closes what is idle; open exchanges go on. Resolves when the last connection is gone. */
  drain(): Promise<void>;
  /** Destroys what is left. */
  destroy(): void;
}

/** TLS handshakes under way beside the connections that `limits.connections` counts. */
const HANDSHAKES_MAX = 256;

/** Connections that wait for accept(); the system cuts it to its own bound. */
const BACKLOG = 4096;

/** Connections over the cap that are answered at a time; more are dropped without a word. */
const REFUSED_MAX = 256;

/** @throws FedtraceError LISTEN_FAILED when the address can't be taken */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const connections = new Set<ServerConnection>();
  /** Over the cap: answered and about to go, so they take no room from others. */
  const refused = new Set<ServerConnection>();
  let onEmpty: (() => void) | undefined;
  /** With TLS: all sockets, those whose handshake is not over too. */
  const sockets = new Set<Socket>();
  let isDraining = false;

  const owner: ServerConnectionOwner = {
    get limits() {
      return options.limits;
    },
    get fields() {
      return options.fields;
    },
    deadlines: options.deadlines,
    get isDraining() {
      return isDraining;
    },
    onRequest: (head, connection) => options.onRequest(head, connection),
    onRefused: (refusal, connection) => options.onRefused(refusal, connection),
    onClosed(connection) {
      connections.delete(connection);
      refused.delete(connection);
      if (connections.size + refused.size === 0) onEmpty?.();
    },
  };

  function accept(socket: Socket): void {
    const connection = new ServerConnection(socket, owner);
    if (connections.size < options.limits.connections) {
      connections.add(connection);
      return;
    }
    refused.add(connection);
    if (refused.size > REFUSED_MAX) socket.destroy();
    else options.onRefused("connections", connection);
  }

  /** Handshakes cost the most and come first, so they have a bound of their own, with room for fair refusals. */
  function admitRaw(socket: Socket): void {
    if (sockets.size >= options.limits.connections + HANDSHAKES_MAX) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  }

  const server = await createListeningServer(options, accept, admitRaw);
  const closed = new Promise<void>((resolve) => void server.once("close", resolve));

  /** The server closes a turn before its last connection has told its owner, whose span would be lost. */
  async function untilEmpty(): Promise<void> {
    await closed;
    if (connections.size + refused.size > 0) await new Promise<void>((resolve) => (onEmpty = resolve));
  }

  return {
    address: addressOf(server),
    get connections() {
      return connections.size;
    },
    get isDraining() {
      return isDraining;
    },
    drain() {
      isDraining = true;
      server.close();
      for (const connection of connections) if (connection.isIdle) connection.close();
      return untilEmpty();
    },
    destroy() {
      isDraining = true;
      server.close();
      for (const connection of [...connections, ...refused]) connection.socket.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function createListeningServer(
  options: ListenerOptions,
  accept: (socket: Socket) => void,
  admitRaw: (socket: Socket) => void,
): Promise<Server> {
  const shared = { allowHalfOpen: true, noDelay: true };
  let server: Server;
  if (options.tls === undefined) {
    server = createServer(shared, accept);
  } else {
    // node:tls takes its share of the start-up time, so only those pay who use it.
    const { createServer: createTlsServer } = await import("node:tls");
    const hasClientCa = options.tls.ca !== undefined;
    server = createTlsServer(
      {
        ...shared,
        ...options.tls,
        minVersion: "TLSv1.2",
        ALPNProtocols: ["http/1.1"],
        handshakeTimeout: options.limits.headTimeoutMs,
        requestCert: hasClientCa,
        rejectUnauthorized: false,
      },
      accept,
    );
    server.on("connection", admitRaw);
    // A failed or too slow handshake: node:tls only tells of it, and the socket would stay open for good.
    server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
  }
  const { address } = options;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const where = "path" in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
      const message = `cannot listen on ${where}: ${cause.code ?? cause.message}`;
      reject(new FedtraceError("LISTEN_FAILED", message, { address: where }, cause));
    });
    server.listen({ ...address, backlog: BACKLOG }, resolve);
  });
  // A failed accept (no file descriptor left, say) costs that connection, not the listener.
  server.on("error", () => undefined);
  return server;
}

function addressOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") return `unix:${address ?? ""}`;
  return address.family === "IPv6"
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}
