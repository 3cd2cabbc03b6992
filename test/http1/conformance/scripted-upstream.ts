/** An upstream that answers `/row` with exactly the bytes of a row, and `/second` as it should. */

import { type AddressInfo, createServer, type Socket } from "node:net";
import { turn } from "../sockets.ts";

interface Script {
  /** Sent one after the other, each for itself, latin1. */
  readonly sends: readonly string[];
  /** What becomes of the connection then. */
  readonly closing: "open" | "end" | "reset";
}

export interface ScriptedUpstream {
  readonly port: number;
  script: Script;
  /** The connection that a path was asked for on, the last time. */
  connectionOf(path: string): Socket | undefined;
  stop(): Promise<void>;
}

const SECOND = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";

export async function startScriptedUpstream(): Promise<ScriptedUpstream> {
  const sockets = new Set<Socket>();
  const asked = new Map<string, Socket>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    let unread = "";
    sockets.add(socket);
    socket.on("data", (bytes: Buffer) => {
      unread += bytes.toString("latin1");
      for (let end = unread.indexOf("\r\n\r\n"); end !== -1; end = unread.indexOf("\r\n\r\n")) {
        const [, path = ""] = unread.split(" ", 2);
        unread = unread.slice(end + 4);
        asked.set(path, socket);
        if (path === "/second") socket.write(SECOND);
        else void play(socket, upstream.script);
      }
    });
    socket.on("end", () => void socket.end());
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const upstream: ScriptedUpstream = {
    port: (server.address() as AddressInfo).port,
    script: { sends: [], closing: "open" },
    connectionOf: (path) => asked.get(path),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return upstream;
}

async function play(socket: Socket, { sends, closing }: Script): Promise<void> {
  for (const text of sends) {
    if (!socket.writable) return;
    socket.write(text, "latin1");
    for (let turns = 0; turns < 3; turns++) await turn();
  }
  if (closing === "end") socket.end();
  if (closing === "reset") socket.resetAndDestroy();
}
