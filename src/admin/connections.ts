/**
 * The listener's connections, and the answers that are written on them piece by piece: bounded so that there is always room
 * for one more. Whoever asks for health or metrics must get in beside browsers that keep connections, readers that stall
 * and clients that say nothing.
 *
 * So the bound of connections refuses nobody: who comes beyond it takes the place of a connection that waits for its next request,
 * longest first, and where all are busy of the one whose request came first. Not here: readers that stall, which the
 * server's own time limit ends (server.ts).
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Answers that are open on one connection. Nobody pipelines to these listeners; who does can ask a thousand times in one packet and
 * read nothing, and each answer may be a megabyte that is held whole.
 */
const PIPELINED_MAX = 4;

/** Whoever answers must look whether the request's socket is destroyed. @param connectionsMax at least 1 */
export function boundConnections(server: Server, connectionsMax: number): void {
  /** Open answers of each; more than one where requests are pipelined. Those that wait longest first. */
  const idle = new Set<Socket>();
  /** Whose last request came first, first. */
  const busy = new Map<Socket, number>();

  server.on("connection", (socket: Socket) => {
    if (idle.size + busy.size >= connectionsMax) {
      const [longest] = idle.size > 0 ? idle : busy.keys();
      longest?.destroy();
      if (longest !== undefined) forget(longest); // Its close event comes later, others may come before.
    }
    idle.add(socket);
    socket.once("close", () => forget(socket));
  });

  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (socket.destroyed) return; // Of one that was pipelined; no close event may come any more.
    const open = busy.get(socket) ?? 0;
    if (open === PIPELINED_MAX) {
      socket.destroy();
      return;
    }
    forget(socket);
    busy.set(socket, open + 1);
    response.once("close", () => release(socket));
  });

  function release(socket: Socket): void {
    const open = busy.get(socket);
    if (open === undefined) return; // It has closed.
    if (open > 1) {
      busy.set(socket, open - 1);
      return;
    }
    busy.delete(socket);
    idle.add(socket);
  }

  function forget(socket: Socket): void {
    idle.delete(socket);
    busy.delete(socket);
  }
}

export interface Streams {
  /** Whether there is room for one more, which it then takes until all of the response was taken, or its connection went. */
  take(request: IncomingMessage, response: ServerResponse): boolean;
}

export function boundStreams(server: Server, streamsMax: number): Streams {
  /** By connection: a response that waits behind another on it is told of no close. */
  const openOn = new Map<Socket, number>();
  server.on("connection", (socket: Socket) => {
    socket.once("close", () => openOn.delete(socket));
  });

  function release(socket: Socket): void {
    const open = openOn.get(socket) ?? 0;
    if (open > 1) openOn.set(socket, open - 1);
    else openOn.delete(socket);
  }

  return {
    take({ socket }, response) {
      let open = 0;
      for (const count of openOn.values()) open += count;
      if (open >= streamsMax) return false;
      if (socket.destroyed) return true; // Whoever asked has gone.
      openOn.set(socket, (openOn.get(socket) ?? 0) + 1);
      response.once("close", () => release(socket));
      return true;
    },
  };
}
