/**
 * Looks into CONNECT tunnels: speaks TLS to the own server in the target's name, and treats each request inside like any
 * other of the way out.
 *
 * ```
 *   own server ──CONNECT──► 200 ──ClientHello──► leaf for its SNI, else for the target ──► requests ──► openExchange
 * ```
 * The own server must trust the operator's authority (`outbound.intercept`). What it asks for inside goes to the address
 * that it named in CONNECT, whose certificate is verified as for any other target: interception ends here, and nobody
 * beyond can tell. A peer is whitelisted by the `destination` of X-Matrix, since CONNECT names the host after delegation.
 *
 * Not here: making certificates (authority/), and tunnels that are not looked into (tunnel.ts).
 */

import type { Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import { foldName } from "../core/host.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import type { FieldTable } from "../http1/fields.ts";
import type { ConnectionLimits } from "../http1/limits.ts";
import { readHello } from "../http1/listener-hello.ts";
import type { RequestHead } from "../http1/request-head.ts";
import {
  type RequestHandler,
  ServerConnection,
  type ServerConnectionOwner,
} from "../http1/server-connection.ts";
import type { Intercept } from "./exchange.ts";
import { isHostName } from "./outbound-target.ts";
import { createTunnelSide } from "./intercepted-target.ts";
import type { Side, Target } from "./side.ts";
import { ESTABLISHED } from "./tunnel.ts";

/** Why the inside of a tunnel could not be reached; each is counted. */
type InterceptFailure = "hello" | "leaf" | "handshake" | "timeout";

export interface InterceptOptions {
  /** Whether tunnels to this host are looked into: a name in lower case, or an address. */
  readonly isMeantHost: (host: string) => boolean;
  /** A certificate in this name, ready for use, or in a word why there is none. */
  readonly leafFor: (
    name: string,
  ) => Promise<{ readonly value: SecureContext } | { readonly refused: string }>;
  /** As they stand now: a reload replaces them. */
  readonly live: () => {
    readonly limits: ConnectionLimits;
    readonly fields: FieldTable;
    readonly locate: Side["locate"];
  };
  readonly deadlines: Deadlines;
  onRequest(head: RequestHead, connection: ServerConnection, side: Side): RequestHandler | undefined;
  readonly onRefused: ServerConnectionOwner["onRefused"];
  onFailed(reason: InterceptFailure, detail: string): void;
}

export interface Interceptor extends Intercept {
  /** Tunnels that are looked into, those whose handshake is not over too. */
  readonly size: number;
  /** Idle connections close, others with their open request. */
  drain(): void;
  /** Ends what is left, as `ServerConnection.cut` has it: before the listener cuts the sockets below, of which nobody is told why. */
  cut(): void;
}

export async function createInterceptor(options: InterceptOptions): Promise<Interceptor> {
  const { TLSSocket: Tls } = await import("node:tls");
  const { deadlines } = options;
  const handshakes = new Set<Socket>();
  const connections = new Set<ServerConnection>();
  let isDraining = false;

  function ownerOf(side: Side): ServerConnectionOwner {
    return {
      get limits() {
        return options.live().limits;
      },
      get fields() {
        return options.live().fields;
      },
      deadlines,
      get isDraining() {
        return isDraining;
      },
      onRequest: (head, connection) => options.onRequest(head, connection, side),
      onRefused: options.onRefused,
      onClosed: (connection) => void connections.delete(connection),
    };
  }

  function serve(socket: TLSSocket, side: Side): void {
    socket.allowHalfOpen = true;
    const connection = new ServerConnection(socket, ownerOf(side));
    connections.add(connection);
    if (isDraining) connection.close();
  }

  function handshake(socket: Socket, secureContext: SecureContext, side: Side): void {
    socket.allowHalfOpen = false; // Half a handshake is none.
    const secured = new Tls(socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
    let reason = "the client broke off";
    const timer = setTimeout(() => {
      reason = "timeout";
      secured.destroy();
    }, options.live().limits.headTimeoutMs).unref();
    const onClose = (): void => {
      clearTimeout(timer);
      options.onFailed(reason === "timeout" ? "timeout" : "handshake", reason);
    };
    secured.once("_tlsError", (error: NodeJS.ErrnoException) => {
      reason = error.code ?? error.message;
    });
    secured.on("error", () => secured.destroy());
    secured.once("close", onClose);
    secured.once("secure", () => {
      clearTimeout(timer);
      secured.off("close", onClose);
      handshakes.delete(socket);
      serve(secured, side);
    });
  }

  async function begin(socket: Socket, target: Target, serverName: string | undefined): Promise<void> {
    const host = hostOf(target);
    // A name that is none can't be certified; the target's own is as good.
    const name = serverName !== undefined && isHostName(serverName) ? serverName : host;
    const side = createTunnelSide(target, name === host ? undefined : name, (inner, done) =>
      options.live().locate(inner, done),
    );
    const leaf = await options.leafFor(name).catch((error: unknown) => ({ refused: String(error) }));
    if ("refused" in leaf) {
      options.onFailed("leaf", leaf.refused);
      socket.destroy();
    } else if (!socket.destroyed) {
      handshake(socket, leaf.value, side);
    }
  }

  return {
    get size() {
      return handshakes.size + connections.size;
    },
    isMeant: (target) => options.isMeantHost(hostOf(target)),
    take(connection, target) {
      connection.outlet.text(ESTABLISHED);
      connection.outlet.flush();
      const ahead = connection.detach();
      const { socket } = connection;
      if (ahead !== undefined) socket.unshift(ahead);
      handshakes.add(socket);
      socket.once("close", () => void handshakes.delete(socket));
      readHello(socket, options.live().limits.headTimeoutMs, (hello) => {
        if (typeof hello === "string") options.onFailed(hello === "timeout" ? "timeout" : "hello", hello);
        else void begin(socket, target, hello.serverName);
      });
    },
    drain() {
      isDraining = true;
      for (const connection of connections) if (connection.isIdle) connection.close();
      for (const socket of handshakes) socket.destroy();
    },
    cut() {
      for (const connection of connections) connection.cut();
    },
  };
}

function hostOf({ server }: Target): string {
  return foldName(server?.address ?? "");
}
