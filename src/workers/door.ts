/**
 * The primary's listening sockets: it accepts and reads nothing, so that whoever is given the connection reads from its first byte.
 *
 * They are the primary's own, not the workers': an address is taken once, its faults are told once, and connections wait here
 * while workers are started again (docs/decisions/0004-workers.md).
 */

import { createServer, type Server, type Socket } from "node:net";
import { formatAddress, type ListenAddress, listenOn } from "../http1/listener-address.ts";

export interface Door {
  /** `host:port` with the port that was really taken, or `unix:/path`. */
  readonly address: string;
  /** Accepts no more. */
  close(): void;
}

/** @throws FedtraceError LISTEN_FAILED when the address can't be taken */
export async function startDoor(address: ListenAddress, onSocket: (socket: Socket) => void): Promise<Door> {
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => undefined); // The worker that has it sees it too.
    // Node would keep lists in both processes of the sockets that a server has handed over, for its getConnections(), which nobody
    // calls here: a third of what handing over costs.
    Reflect.set(socket, "server", null);
    onSocket(socket);
  });
  await listenOn(server, address);
  // A failed accept (no file descriptor left, say) costs that connection, not the listener.
  server.on("error", () => undefined);
  return { address: formatAddress(server), close: () => void server.close() };
}
