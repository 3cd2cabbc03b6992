/** A server of Node's at its place. */

import type { Server } from "node:http";
import { FedtraceError } from "../core/errors.ts";
import { formatHostPort } from "../core/host.ts";

/** @returns where it listens, `127.0.0.1:9470`. Rejects with FedtraceError LISTEN_FAILED when the address can't be taken */
export function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const where = formatHostPort({ host, port });
      const message = `cannot listen on ${where}: ${cause.code ?? cause.message}`;
      reject(new FedtraceError("LISTEN_FAILED", message, { address: where }, cause));
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      const isPlace = address !== null && typeof address === "object";
      resolve(isPlace ? formatHostPort({ host: address.address, port: address.port }) : "");
    });
  });
}
