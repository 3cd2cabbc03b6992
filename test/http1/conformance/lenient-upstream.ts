/**
 * The deliberately lenient upstream: keeps every byte that it is sent, answers what a strict reader finds in them, and
 * lets each personality say afterwards which requests it would have seen.
 */

import { type AddressInfo, createServer, type Socket } from "node:net";
import { type Beliefs, type Quirks, readBeliefs } from "./lenient-parser.ts";
import { STRICT } from "./personalities.ts";

export interface LenientUpstream {
  readonly port: number;
  /** Forgets what came so far; a connection stays open, and begins anew. */
  forget(): void;
  /** What each connection was sent since then, latin1; those that were sent nothing are left out. */
  received(): readonly string[];
  stop(): Promise<void>;
}

export async function startLenientUpstream(): Promise<LenientUpstream> {
  const connections = new Map<Socket, string>();
  const ended: string[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    let answered = 0;
    connections.set(socket, "");
    socket.on("data", (bytes: Buffer) => {
      const known = connections.get(socket) ?? "";
      if (known === "") answered = 0;
      const text = known + bytes.toString("latin1");
      connections.set(socket, text);
      const { whole } = readBeliefs(text, STRICT);
      for (const belief of whole.slice(answered)) socket.write(answerTo(belief), "latin1");
      answered = whole.length;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      ended.push(connections.get(socket) ?? "");
      connections.delete(socket);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    forget() {
      ended.length = 0;
      for (const socket of connections.keys()) connections.set(socket, "");
    },
    received: () => [...ended, ...connections.values()].filter((text) => text !== ""),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections.keys()) socket.destroy();
      }),
  };
}

/** Says which request it answers, so that a client sees an answer that is not its own. */
function answerTo(belief: string): string {
  const length = belief.startsWith("HEAD ") ? "" : "ok";
  return `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Answers: ${belief}\r\n\r\n${length}`;
}

/** What one server believes, over all connections. */
export function beliefsOf(received: readonly string[], quirks: Quirks): Beliefs {
  const all = received.map((text) => readBeliefs(text, quirks));
  return {
    whole: all.flatMap(({ whole }) => whole),
    begun: all.findLast(({ begun }) => begun !== undefined)?.begun,
    rest: all.map(({ rest }) => rest).join(""),
  };
}
