/**
 * A listening socket and its connections: accepts, refuses fairly, drains.
 *
 * ```
 *   accepted ─► a proxy's? ─► client's share? ─► handshake (TLS) ─► room? ─► served
 *                 │ header      │ no: 503; with TLS closed            │ no: an idle one goes in its place, else 503
 * ```
 * Not here: what a request means (`onRequest`), the addresses' syntax (config), certificates (listener-tls.ts), and who
 * has a place (listener-room.ts).
 */

import { createServer, type Socket } from "node:net";
import type { Deadlines } from "./deadlines.ts";
import type { FieldTable } from "./fields.ts";
import type { ConnectionLimits } from "./limits.ts";
import { formatAddress, type ListenAddress, listenOn } from "./listener-address.ts";
import { type AnnouncementRefusal, createAnnouncements } from "./listener-announced.ts";
import { type ConnectionDrop, createRoom, type RoomLimits } from "./listener-room.ts";
import {
  createTlsAcceptor,
  type HandshakeFailure,
  type ListenerCertificates,
  type ListenerTls,
} from "./listener-tls.ts";
import type { Announcement } from "./proxy-header.ts";
import type { RequestRefusal } from "./refusals.ts";
import type { RequestHead } from "./request-head.ts";
import { type RequestHandler, ServerConnection, type ServerConnectionOwner } from "./server-connection.ts";

export type ListenerLimits = ConnectionLimits & RoomLimits;

/** Why the listener's owner is to answer a connection, or its request, with an error. */
export type ListenerRefusal = RequestRefusal | "head-timeout" | "connections" | "peer-connections";

/** Told of what is not answered, so that nobody else sees it. */
interface ListenerCounts {
  connectionEvicted(): void;
  connectionDropped(reason: ConnectionDrop): void;
  handshakeFailed(reason: HandshakeFailure): void;
  /** @param address of the proxy; "" on a unix socket */
  proxyHeaderRefused(reason: AnnouncementRefusal, address: string): void;
}

/** `limits` and `fields` may change between two requests. */
export interface ListenerOptions {
  /** Undefined: another process accepts, and connections come by `adopt` alone. */
  readonly address: ListenAddress | undefined;
  readonly tls: ListenerTls | undefined;
  readonly limits: ListenerLimits;
  readonly fields: FieldTable;
  readonly deadlines: Deadlines;
  /**
   * What a client's addresses have in common, for `limits.connectionsPerPeer`; undefined for a client without that bound.
   * Without the function none has it.
   */
  readonly peerKeyOf?: ((address: string) => string | undefined) | undefined;
  /**
   * Whose connections begin with a PROXY protocol header, by the socket's own address, "" on a unix socket. Their clients are who the
   * header says, for `peerKeyOf` too. Without the function no header is read.
   */
  readonly isProxy?: ((address: string) => boolean) | undefined;
  readonly counts?: ListenerCounts | undefined;
  onRequest(head: RequestHead, connection: ServerConnection): RequestHandler | undefined;
  onRefused(refusal: ListenerRefusal, connection: ServerConnection): void;
}

export interface Listener {
  /** `host:port` with the port that was really taken, or `unix:/path`; empty where another process accepts. */
  readonly address: string;
  readonly connections: number;
  /** Whether new requests should be answered with `Connection: close`. */
  readonly isDraining: boolean;
  /** As TlsAcceptor has it; without TLS nothing happens. */
  setCertificates(certificates: ListenerCertificates): Promise<void>;
  /** As TlsAcceptor has it; without TLS nothing happens. */
  setTicketKeys(ticketKeys: Uint8Array): void;
  /** Takes a connection that another process has accepted, and that nothing was read from. */
  adopt(socket: Socket): void;
  /** Stops accepting and closes what is idle; open exchanges go on. Resolves when the last connection is gone. */
  drain(): Promise<void>;
  /** Destroys what is left. */
  destroy(): void;
}

/** @throws FedtraceError LISTEN_FAILED when the address can't be taken; what OpenSSL says of `tls` if it can't use it */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { deadlines, counts } = options;
  let onEmpty: (() => void) | undefined;
  let isDraining = false;

  const room = createRoom({
    isTls: options.tls !== undefined,
    limits: () => options.limits,
    peerKeyOf: options.peerKeyOf ?? (() => undefined),
    nowMs: () => deadlines.nowMs(),
    onRefused: (reason, connection) => options.onRefused(reason, connection),
    onDropped: (reason) => counts?.connectionDropped(reason),
    onEvicted: () => counts?.connectionEvicted(),
  });
  const owner: ServerConnectionOwner = {
    get limits() {
      return options.limits;
    },
    get fields() {
      return options.fields;
    },
    deadlines,
    get isDraining() {
      return isDraining;
    },
    onRequest: (head, connection) => options.onRequest(head, connection),
    onRefused: (refusal, connection) => options.onRefused(refusal, connection),
    onClosed(connection) {
      room.leave(connection);
      if (room.isEmpty) onEmpty?.();
    },
  };

  const acceptor =
    options.tls &&
    (await createTlsAcceptor(options.tls, {
      handshakeTimeoutMs: options.limits.headTimeoutMs,
      onSecure(socket, announcement) {
        // Never the proxy's own word in the place of what it announced, should that ever be lost on the way.
        if (announcement === undefined && announcements?.isExpected(socket) === true) {
          socket.destroy();
          return;
        }
        const connection = new ServerConnection(socket, owner, announcement);
        room.enter(connection);
        if (isDraining) connection.close(); // It would wait for a first request.
      },
      onFailed: (reason) => counts?.handshakeFailed(reason),
    }));
  const announcements =
    options.isProxy &&
    createAnnouncements({
      isTrusted: options.isProxy,
      timeoutMs: () => options.limits.headTimeoutMs,
      pendingMax: () => options.limits.connections,
      onRefused: (reason, address) => counts?.proxyHeaderRefused(reason, address),
    });

  function begin(socket: Socket, announcement?: Announcement): void {
    if (acceptor === undefined) return room.enter(new ServerConnection(socket, owner, announcement));
    const address = announcement?.address ?? socket.remoteAddress ?? "";
    if (room.admitHandshake(socket, address)) acceptor.accept(socket, announcement);
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    if (announcements?.isExpected(socket) !== true) begin(socket);
    else announcements.read(socket, (announcement) => begin(socket, announcement));
  });
  if (options.address !== undefined) await listenOn(server, options.address);
  // A failed accept (no file descriptor left, say) costs that connection, not the listener.
  server.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => void server.once("close", resolve));

  return {
    address: options.address === undefined ? "" : formatAddress(server),
    get connections() {
      return room.size;
    },
    get isDraining() {
      return isDraining;
    },
    setCertificates: async (certificates) => acceptor?.setCertificates(certificates),
    setTicketKeys: (ticketKeys) => acceptor?.setTicketKeys(ticketKeys),
    adopt(socket) {
      if (isDraining) socket.destroy();
      else server.emit("connection", socket);
    },
    async drain() {
      isDraining = true;
      server.close();
      announcements?.destroyAll(); // Nothing was asked yet.
      for (const connection of room.connections()) if (connection.isIdle) connection.close();
      await closed;
      // The server closes a turn before its last connection has told its owner, whose span would be lost.
      if (!room.isEmpty) await new Promise<void>((resolve) => (onEmpty = resolve));
      // It knows nothing of adopted sockets: one whose handshake is not over would have no time limit from now on.
      room.destroyAll();
    },
    destroy() {
      isDraining = true;
      server.close();
      announcements?.destroyAll();
      room.destroyAll();
    },
  };
}
