/** Targets that speak TLS, and the certificates that they show (test/fixtures/upstreams/make.sh says what each is). */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { createSecureContext, createServer, type TlsOptions } from "node:tls";
import { onTestFinished } from "vitest";
import { createQueue, type Queue, type RawPeer, wrapPeer } from "./sockets.ts";

const read = (name: string): string => readFileSync(`test/fixtures/upstreams/${name}`, "utf8");

/** The authority of all but target-self. */
export const CA = read("ca.pem");

/** The certificate of that name and its key. */
export function pair(name: string): { readonly cert: string; readonly key: string } {
  return { cert: read(`${name}.pem`), key: read(`${name}.key`) };
}

interface TlsServer {
  readonly port: number;
  /** Connections whose handshake is done. */
  readonly peers: Queue<RawPeer>;
  /** The server names that were sent with them; "" for none. */
  readonly names: string[];
  /** Sockets that were accepted, whatever became of them. */
  readonly sockets: readonly Socket[];
}

/** A server that does nothing by itself; closed with its connections when the test is over. */
export async function startTlsServer(options: TlsOptions = pair("target")): Promise<TlsServer> {
  const peers = createQueue<RawPeer>();
  const names: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true, ...options }, (socket) => {
    // Set on this side too, to false where the client sent none; its type doesn't know.
    const { servername } = socket as { readonly servername?: unknown };
    names.push(typeof servername === "string" ? servername : "");
    peers.push(wrapPeer(socket));
  });
  server.on("connection", (socket: Socket) => void sockets.push(socket));
  server.on("tlsClientError", () => undefined);
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, peers, names, sockets };
}

/** A server that goes on with a handshake only when it is told to: `held` has one function for each that came. */
export async function startHeldServer(): Promise<TlsServer & { readonly held: Queue<() => void> }> {
  const held = createQueue<() => void>();
  const context = createSecureContext(pair("target"));
  const server = await startTlsServer({
    ...pair("target"),
    SNICallback: (_name, done) => held.push(() => done(null, context)),
  });
  return { ...server, held };
}
