/**
 * Takes the address of a listener: a TCP port or a unix socket.
 *
 * A unix socket's file outlives a process that was killed, and then nobody can listen there. So a file that nothing
 * answers on is removed and the address is tried once more; a socket that somebody listens on, and what is no socket,
 * stay. libuv removes the file when the listener closes (`uv_close` of a bound pipe).
 */

import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { FedtraceError } from "../core/errors.ts";
import { formatHostPort } from "../core/host.ts";

/** A unix socket's path is absolute and at most 107 bytes long. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Connections that wait for accept(); the system cuts it to its own bound. */
const BACKLOG = 4096;
/** Owner and group may connect, as with nginx's and PostgreSQL's sockets: a group is how a proxy in front is let in. */
const SOCKET_MODE = 0o660;

/** @throws FedtraceError LISTEN_FAILED when the address can't be taken */
export async function listenOn(server: Server, address: ListenAddress): Promise<void> {
  try {
    await listen(server, address);
  } catch (error) {
    if (!("path" in address) || codeOf(error) !== "EADDRINUSE") throw refusal(address, error);
    const reason = await removeStale(address.path);
    if (reason !== undefined) throw refusal(address, error, reason);
    await listen(server, address).catch((again: unknown) => {
      throw refusal(address, again);
    });
  }
  if (!("path" in address)) return;
  try {
    chmodSync(address.path, SOCKET_MODE);
  } catch (error) {
    server.close();
    throw refusal(address, error);
  }
}

/** `host:port` with the port that was really taken, or `unix:/path`. */
export function formatAddress(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") return `unix:${address ?? ""}`;
  return formatHostPort({ host: address.address, port: address.port });
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...address, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** @returns why the file must stay; undefined: it is gone */
async function removeStale(path: string): Promise<string | undefined> {
  try {
    if (!lstatSync(path).isSocket()) return "there is a file that is no socket";
    const met = await tryConnect(path);
    if (met === undefined) return "another process listens there";
    if (met !== "ECONNREFUSED") return `there is a socket that can't be asked who listens (${met})`;
    unlinkSync(path);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOENT" ? undefined : code; // Gone in between: as well.
  }
}

/** @returns the error's code; undefined: somebody accepted */
function tryConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error) => resolve(codeOf(error)));
  });
}

function refusal(address: ListenAddress, cause: unknown, reason = codeOf(cause)): FedtraceError {
  const where = "path" in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
  return new FedtraceError(
    "LISTEN_FAILED",
    `cannot listen on ${where}: ${reason}`,
    { address: where },
    cause,
  );
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
