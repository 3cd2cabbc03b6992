/**
 * Requests over a few connections that stay open, as a server or a proxy in front sends them: each goes out when the answer before it on
 * its connection is whole. Not here: pipelining, and answers without a Content-Length.
 */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

export interface LoadOptions {
  /** Enough to keep two processes busy, unless set. */
  readonly connections?: number;
  /** Between an answer and the next request of a connection; none unless set. */
  readonly pauseMs?: number;
}

const CONNECTIONS = 16;

/**
 * Resolves when the last answer is here; rejects at the first that is not 200, or does not come.
 *
 * @param heads whole heads of requests without bodies; all connections take from it, so it may be endless until somebody ends it
 */
export async function sendLoad(
  port: number,
  heads: Iterable<string>,
  options: LoadOptions = {},
): Promise<void> {
  const { connections = CONNECTIONS, pauseMs } = options;
  const next = heads[Symbol.iterator]();
  await Promise.all(Array.from({ length: connections }, () => sendInTurn(port, next, pauseMs)));
}

async function sendInTurn(port: number, heads: Iterator<string>, pauseMs: number | undefined): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  try {
    await once(socket, "connect");
    for (let head = heads.next(); head.done !== true; head = heads.next()) {
      const answered = untilAnswered(socket);
      socket.write(head.value, "latin1");
      await answered;
      if (pauseMs !== undefined) await pause(pauseMs);
    }
  } finally {
    socket.destroy();
  }
}

function untilAnswered(socket: Socket): Promise<void> {
  let received = "";
  return new Promise((resolve, reject) => {
    const settle = (fault?: string): void => {
      socket.off("data", onData).off("close", onClose).off("error", onClose);
      if (fault === undefined) resolve();
      else reject(new Error(`${fault} after ${JSON.stringify(received)}`));
    };
    const onClose = (): void => settle("the connection ended");
    const onData = (bytes: Buffer): void => {
      received += bytes.toString("latin1");
      const headEnd = received.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      if (!received.startsWith("HTTP/1.1 200 ")) return settle("not OK");
      const length = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(received.slice(0, headEnd + 2))?.[1]);
      if (received.length >= headEnd + 4 + length) settle();
      else if (Number.isNaN(length)) settle("no Content-Length");
    };
    socket.on("data", onData).on("close", onClose).on("error", onClose);
  });
}
