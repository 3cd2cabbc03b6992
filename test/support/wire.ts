/** Raw sockets for tests: a client that sends and reads exact bytes, and an upstream that records them. */

import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface RawClient {
  readonly socket: Socket;
  /** All that was received so far, latin1. */
  received(): string;
  send(text: string): void;
  /** Resolves with all that was received once it satisfies the condition; rejects when the connection ends before. */
  until(condition: (received: string) => boolean): Promise<string>;
  /** Resolves with all that was received, and how the connection ended. */
  closed(): Promise<{ readonly received: string; readonly isReset: boolean }>;
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  let received = "";
  let isReset = false;
  let isOver = false;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of waiting) look();
  };
  socket.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
    wake();
  });
  socket.on("end", () => {
    isOver = true;
    socket.end();
    wake();
  });
  socket.on("error", () => {
    isReset = true;
  });
  socket.on("close", () => {
    isOver = true;
    wake();
  });
  await new Promise((resolve) => void socket.once("connect", resolve));

  return {
    socket,
    received: () => received,
    send: (text) => void socket.write(text, "latin1"),
    until: (condition) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (condition(received)) resolve(received);
          else if (isOver) reject(new Error(`the connection ended after ${JSON.stringify(received)}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    closed: () =>
      new Promise((resolve) => {
        const end = (): void => resolve({ received, isReset });
        if (socket.closed) end();
        else socket.once("close", end);
      }),
  };
}

/** Sends bytes on a connection of their own and reads until the other side closes it. */
export async function exchangeRaw(port: number, text: string): Promise<string> {
  const client = await rawClient(port);
  client.send(text);
  return (await client.closed()).received;
}

export interface RecordingUpstream {
  readonly port: number;
  /** What each connection has received, latin1, in the order they came. */
  readonly connections: readonly { received: string; readonly socket: Socket; isClosed: boolean }[];
  /** Everything received, over all connections, in the order it came. */
  received(): string;
  stop(): void;
}

export const OK_RESPONSE = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/**
 * An upstream that answers each request head with `answer`; undefined leaves the answer to the test.
 *
 * @param answer text, or a function of the request's head and its socket
 */
export async function recordingUpstream(
  answer: string | ((head: string, socket: Socket) => string | undefined) = OK_RESPONSE,
): Promise<RecordingUpstream> {
  const connections: { received: string; socket: Socket; isClosed: boolean }[] = [];
  let log = "";
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = { received: "", socket, isClosed: false };
    connections.push(connection);
    let unread = "";
    socket.on("data", (bytes: Buffer) => {
      connection.received += bytes.toString("latin1");
      log += bytes.toString("latin1");
      unread += bytes.toString("latin1");
      for (let head = takeHead(unread); head !== undefined; head = takeHead(unread)) {
        unread = unread.slice(unread.indexOf(head) + head.length);
        const text = typeof answer === "string" ? answer : answer(head, socket);
        if (text !== undefined) socket.write(text, "latin1");
      }
      unread = unread.slice(-HEAD_MAX); // What is left of a large body holds no head.
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      connection.isClosed = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    received: () => log,
    stop() {
      server.close();
      for (const { socket } of connections) socket.destroy();
    },
  };
}

const HEAD_MAX = 8192;

/** The first head in the text: from a request line to its empty line. */
function takeHead(text: string): string | undefined {
  return /[A-Z]+ \S+ HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text)?.[0];
}
