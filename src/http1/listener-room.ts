/**
 * Who has a place at a listener: the cap on all connections, each client's share of them, and the bound on handshakes.
 *
 * Every set here is bounded by one of those. Not here: accepting, and what a refused client is told.
 */

import type { Socket } from "node:net";
import { createEviction } from "./listener-eviction.ts";
import { createPeerCounts } from "./listener-peers.ts";
import type { ServerConnection } from "./server-connection.ts";

/**
 * Why a connection was closed without a word: too many handshakes under way, too many refusals under way, or its client
 * has all it may have and an answer would cost a handshake.
 */
export type ConnectionDrop = "handshakes" | "refusals" | "peer-connections";

export interface RoomLimits {
  /** Open connections; one more takes an idle one's place, or is refused. */
  readonly connections: number;
  /** Of one client; one more is refused. */
  readonly connectionsPerPeer: number;
}

export interface RoomOptions {
  readonly isTls: boolean;
  /** Read at each connection. */
  limits(): RoomLimits;
  /** @param address as node:net shows it, "" on a unix socket @returns undefined for a client without a bound */
  peerKeyOf(address: string): string | undefined;
  /** On the clock of `idleSinceMs`. */
  nowMs(): number;
  /** To be answered and closed. */
  onRefused(reason: "connections" | "peer-connections", connection: ServerConnection): void;
  onDropped(reason: ConnectionDrop): void;
  onEvicted(): void;
}

export interface Room {
  /** Connections that have a place. */
  readonly size: number;
  /** With a place or about to go. */
  readonly isEmpty: boolean;
  connections(): Iterable<ServerConnection>;
  /**
   * @param address the client's, as `clientAddress` of its connection will be
   * @returns whether a handshake may begin; if not, the socket is gone
   */
  admitHandshake(socket: Socket, address: string): boolean;
  /** Gives a place, or refuses. */
  enter(connection: ServerConnection): void;
  /** The connection is closed. */
  leave(connection: ServerConnection): void;
  destroyAll(): void;
}

/** TLS handshakes under way beside the connections that `limits.connections` counts. */
const HANDSHAKES_MAX = 256;

/** Connections that are about to go, refused or evicted; more are closed without a word. */
const LEAVING_MAX = 256;

export function createRoom(options: RoomOptions): Room {
  const { isTls } = options;
  /** Those that count, with the key of each one's client. */
  const connections = new Map<ServerConnection, string | undefined>();
  /** Refused or evicted, so they take no place from others. */
  const leaving = new Set<ServerConnection>();
  /** With TLS: all sockets, those whose handshake is not over too. A client's count is theirs then. */
  const sockets = new Set<Socket>();
  const peerCounts = createPeerCounts();
  const nextToEvict = createEviction({
    connections,
    countOf: (key) => peerCounts.countOf(key),
    nowMs: () => options.nowMs(),
  });

  function isPeerFull(key: string | undefined): boolean {
    return key !== undefined && peerCounts.countOf(key) >= options.limits().connectionsPerPeer;
  }

  function forget(connection: ServerConnection): void {
    if (!isTls) peerCounts.leave(connections.get(connection));
    connections.delete(connection);
  }

  function evictOne(): void {
    const connection = nextToEvict();
    if (connection === undefined) return;
    forget(connection);
    leaving.add(connection);
    connection.close();
    // Its descriptor is the newcomer's now: it is not kept until the client has closed its side too.
    if (leaving.size > LEAVING_MAX) connection.socket.destroy();
    else connection.socket.destroySoon();
    options.onEvicted();
  }

  function refuse(reason: "connections" | "peer-connections", connection: ServerConnection): void {
    leaving.add(connection);
    if (leaving.size <= LEAVING_MAX) return options.onRefused(reason, connection);
    options.onDropped("refusals");
    connection.socket.destroy();
  }

  return {
    get size() {
      return connections.size;
    },
    get isEmpty() {
      return connections.size + leaving.size === 0;
    },
    connections: () => connections.keys(),
    admitHandshake(socket, address) {
      // Handshakes cost the most and come first, so they have bounds of their own, with room for fair refusals.
      const key = options.peerKeyOf(address);
      const isFull = sockets.size >= options.limits().connections + HANDSHAKES_MAX;
      if (isFull || isPeerFull(key)) {
        options.onDropped(isFull ? "handshakes" : "peer-connections");
        socket.destroy();
        return false;
      }
      sockets.add(socket);
      peerCounts.enter(key);
      socket.once("close", () => {
        sockets.delete(socket);
        peerCounts.leave(key);
      });
      return true;
    },
    enter(connection) {
      const key = options.peerKeyOf(connection.clientAddress);
      if (!isTls && isPeerFull(key)) return refuse("peer-connections", connection);
      if (connections.size >= options.limits().connections) evictOne();
      if (connections.size >= options.limits().connections) return refuse("connections", connection);
      if (!isTls) peerCounts.enter(key);
      connections.set(connection, key);
    },
    leave(connection) {
      if (!leaving.delete(connection)) forget(connection);
    },
    destroyAll() {
      for (const connection of [...connections.keys(), ...leaving]) connection.cut();
      for (const socket of sockets) socket.destroy();
    },
  };
}
