/**
 * Raw TCP peers, and a clock for the deadlines of real connections: tests wait for events, never for time.
 *
 * Time stands still until a test moves it (`fakeClock`), while the one interval of `startDeadlines` looks every
 * millisecond; `untilLooked` waits for one whole look.
 */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { type DeadlineOwner, type Deadlines, startDeadlines } from "../../src/http1/deadlines.ts";
import type { ConnectionLimits } from "../../src/http1/limits.ts";
import { fakeClock } from "../support/clock.ts";

/** Each different, so that a test sees which of them it met. */
export const LIMITS: ConnectionLimits = {
  headBytes: 1024,
  headLines: 10,
  headTimeoutMs: 1000,
  bodyTimeoutMs: 3000,
  idleMs: 20_000,
  connectTimeoutMs: 500,
  responseTimeoutMs: 7000,
};

interface TestTime {
  readonly deadlines: Deadlines;
  /** Moves time by `ms` and waits until all deadlines were looked at. */
  readonly pass: (ms: number) => Promise<void>;
}

/** Stopped when the test is over. */
export function startTime(): TestTime {
  const clock = fakeClock();
  const deadlines = startDeadlines(clock, 1);
  onTestFinished(() => deadlines.stop());
  return {
    deadlines,
    async pass(ms) {
      clock.advance(ms);
      await untilLooked(deadlines);
    },
  };
}

/** Owners are looked at in the order in which they came, so this one, the last, has all others behind it. */
function untilLooked(deadlines: Deadlines): Promise<void> {
  return new Promise((resolve) => {
    const probe: DeadlineOwner = {
      deadlineMs: deadlines.nowMs(),
      onDeadline() {
        deadlines.delete(probe);
        resolve();
      },
    };
    deadlines.add(probe);
  });
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Values in the order in which they came; `next` waits for one. */
export interface Queue<T> {
  /** Those that nobody took yet. */
  readonly waiting: number;
  push(value: T): void;
  next(): Promise<T>;
}

export function createQueue<T>(): Queue<T> {
  const values: T[] = [];
  const takers: ((value: T) => void)[] = [];
  return {
    get waiting() {
      return values.length;
    },
    push(value) {
      const taker = takers.shift();
      if (taker === undefined) values.push(value);
      else taker(value);
    },
    next() {
      const [value] = values.splice(0, 1);
      return value === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(value);
    },
  };
}

/** One end of a connection, as text (latin1). */
export interface RawPeer {
  readonly socket: Socket;
  /** All that came so far. */
  readonly received: string;
  /** Errors that the socket met, by code. */
  readonly errors: readonly string[];
  readonly isEnded: boolean;
  send(text: string): void;
  /** Sends, and waits until another end in this process was given the bytes. */
  deliver(text: string): Promise<void>;
  /** Waits until `text` is part of what came; rejects when the socket closes without it. */
  until(text: string): Promise<void>;
  /** Waits until the other end has sent its last byte. Rejects on a reset. */
  ended(): Promise<void>;
  closed(): Promise<void>;
}

/** Notes all that comes on a socket. */
export function wrapPeer(socket: Socket): RawPeer {
  let received = "";
  let isEnded = false;
  let isClosed = false;
  const errors: string[] = [];
  const watchers = new Set<() => void>();
  const tell = (): void => {
    for (const watch of watchers) watch();
  };
  socket.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
    tell();
  });
  socket.on("end", () => {
    isEnded = true;
    tell();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? error.message));
  socket.on("close", () => {
    isClosed = true;
    tell();
  });

  const wait = (what: string, isThere: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        if (isThere()) resolve();
        else if (isClosed) reject(new Error(`closed before ${what}; ${errors.join()} received: ${received}`));
        else return;
        watchers.delete(watch);
      };
      watchers.add(watch);
      watch();
    });

  return {
    socket,
    get received() {
      return received;
    },
    errors,
    get isEnded() {
      return isEnded;
    },
    send: (text) => void socket.write(text, "latin1"),
    async deliver(text) {
      await new Promise((resolve) => void socket.write(text, "latin1", resolve));
      // On loopback written is readable: the next poll, between two turns, takes it.
      await turn();
      await turn();
    },
    until: (text) => wait(JSON.stringify(text), () => received.includes(text)),
    ended: () => wait("its end", () => isEnded),
    closed: () => wait("its close", () => isClosed),
  };
}

/** A client of a port or of a unix socket's path. Destroyed when the test is over; ends only where the test calls `socket.end()`. */
export async function connectPeer(to: number | string, localAddress = "127.0.0.1"): Promise<RawPeer> {
  const where = typeof to === "string" ? { path: to } : { host: "127.0.0.1", port: to, localAddress };
  const socket = connect({ ...where, allowHalfOpen: true, noDelay: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return wrapPeer(socket);
}

interface RawServer {
  readonly port: number;
  /** Connections that came in. */
  readonly peers: Queue<RawPeer>;
}

/** A server that does nothing by itself; closed with its connections when the test is over. */
export async function startRawServer(): Promise<RawServer> {
  const peers = createQueue<RawPeer>();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    peers.push(wrapPeer(socket));
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { port: typeof address === "object" ? (address?.port ?? 0) : 0, peers };
}
