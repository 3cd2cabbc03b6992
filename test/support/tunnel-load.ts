/**
 * Many CONNECT tunnels, each to a name of its own, as a server that meets the whole federation would ask for them: bytes that
 * pass unopened, or TLS with a request inside. What they lead to is here as well, for any name under `.wild.example`.
 */

import { once } from "node:events";
import { type AddressInfo, connect as connectPlain, createServer, type Server, type Socket } from "node:net";
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
} from "node:tls";
import { onTestFinished } from "vitest";
import { pair } from "../http1/tls-server.ts";
import type { DnsZone } from "./dns-server.ts";
import { OK_RESPONSE } from "./wire.ts";

/** Leads every name of `nameOf` to this machine. */
export const WILD_ZONE: DnsZone = { "*.wild.example": { A: ["127.0.0.1"] } };

/** Tunnels at a time: a busy server's, and few enough for two cores. */
const WIDTH = 16;
const HELLO = "hello";
const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

export interface WildServer {
  readonly port: number;
  /** Breaks off every connection there is. */
  dropAll(): void;
}

/** What one tunnel does; rejects where it is not as it should be. @param to `name:port` */
export type UseTunnel = (proxyPort: number, name: string, port: number) => Promise<void>;

function nameOf(index: number): string {
  return `h${index}.wild.example`;
}

/** Opens the tunnels of the names from `from` up to `to`, some at a time, and resolves when all are over. */
export async function useTunnels(
  use: UseTunnel,
  ports: { readonly proxy: number; readonly peer: number },
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) await use(ports.proxy, nameOf(next++), ports.peer);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}

/** A few bytes each way, then the client ends. */
export const useBlind: UseTunnel = async (proxyPort, name, port) => {
  const socket = await openTunnel(proxyPort, name, port);
  const [echoed] = (await once(socket.setEncoding("latin1"), "data")) as [string];
  if (echoed !== HELLO.toUpperCase()) throw new Error(`${name} said ${echoed}`);
  await closed(socket.end());
};

/** TLS in the sidecar's certificate for the name, and one request. @param authority PEM of who issues it */
export function createUseIntercepted(authority: string): UseTunnel {
  const secureContext = createSecureContext({ ca: authority }); // One for all: it takes longer than the handshake.
  return async (proxyPort, name, port) => {
    const secured = connectTls({
      socket: await openTunnel(proxyPort, name, port, ""),
      servername: name,
      secureContext,
    });
    secured.write(`GET /users/a HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
    const [answer] = (await once(secured.setEncoding("latin1"), "data")) as [string];
    if (answer !== OK_RESPONSE) throw new Error(`${name} answered ${answer}`);
    await closed(secured.end());
  };
}

/** @param ahead sent once the tunnel stands */
async function openTunnel(proxyPort: number, name: string, port: number, ahead = HELLO): Promise<Socket> {
  const socket = connectPlain({ port: proxyPort, host: "127.0.0.1" });
  socket.write(`CONNECT ${name}:${port} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (answer.toString() !== ESTABLISHED) throw new Error(`${name}: ${answer.toString()}`);
  socket.write(ahead);
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, "close");
}

/** Says what it hears in capitals. */
export function startEcho(): Promise<WildServer> {
  return listen(
    createServer((socket) => {
      socket.on("data", (bytes: Buffer) => void socket.write(bytes.toString("latin1").toUpperCase()));
    }),
  );
}

/** Speaks TLS in any name under `.wild.example`, and answers every request. */
export function startWildPeer(): Promise<WildServer> {
  const secureContext: SecureContext = createSecureContext(pair("target"));
  return listen(
    createTlsServer(
      { SNICallback: (_name, done) => done(null, secureContext), ...pair("target") },
      (socket) => {
        socket.on("data", (bytes: Buffer) => {
          if (bytes.toString("latin1").endsWith("\r\n\r\n")) socket.write(OK_RESPONSE);
        });
      },
    ),
  );
}

async function listen(server: Server): Promise<WildServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => void sockets.delete(socket));
  });
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    server.close();
    dropAll();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, dropAll };
}

/** The authority of the peers' certificates, as a file. */
export const PEER_CA_FILE = "test/fixtures/upstreams/ca.pem";
