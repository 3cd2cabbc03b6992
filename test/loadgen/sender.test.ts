/** Requests on real sockets, and the word for whatever becomes of them. */

import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import type { PlannedRequest } from "../../src/loadgen/request-plan.ts";
import { createSender, type Sender, type SenderOptions } from "../../src/loadgen/sender.ts";

const GET: PlannedRequest = {
  dueMs: 0,
  direction: "in",
  method: "GET",
  route: "/r",
  target: "/r?a=%21",
  headers: { "User-Agent": "Synapse/1", Host: "own.test" },
  body: "",
};

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that reads a request's head and answers with these bytes, or does something else with the socket. */
function listenRaw(answer: (socket: Socket) => void): Promise<number> {
  return listen(
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => answer(socket));
    }),
  );
}

function senderTo(port: number, options: Partial<SenderOptions> = {}): Sender {
  const sender = createSender({
    host: "127.0.0.1",
    port,
    connections: 4,
    answerTimeoutMs: 1000,
    setTimer: () => () => undefined,
    ...options,
  });
  onTestFinished(() => sender.stop());
  return sender;
}

describe("tells what became of a request", () => {
  it.each([
    { bytes: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", outcome: 200, why: "an answer" },
    { bytes: "HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n", outcome: 503, why: "a bad one" },
    { bytes: "HTTP/1.1 204 none\r\n\r\n", outcome: 204, why: "one without a body" },
    {
      bytes: "HTTP/1.1 302 to\r\nlocation: http://a.test/\r\ncontent-length: 0\r\n\r\n",
      outcome: 302,
      why: "no redirect is followed",
    },
    {
      bytes: "HTTP/1.1 100 go on\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
      outcome: 200,
      why: "an interim one first",
    },
    { bytes: "", outcome: "reset", why: "an end without an answer" },
    {
      bytes: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
      outcome: "reset",
      why: "an end within the body",
    },
    {
      bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
      outcome: "reset",
      why: "an end within chunks",
    },
    { bytes: "SSH-2.0-x\r\n", outcome: "malformed", why: "another protocol" },
    {
      bytes: `HTTP/1.1 200 OK\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
      outcome: "malformed",
      why: "a head without end",
    },
  ])("$outcome: $why", async ({ bytes, outcome }) => {
    const port = await listenRaw((socket) => socket.end(bytes));
    expect(await senderTo(port).send(GET)).toBe(outcome);
  });

  it("refused: nobody listens", async () => {
    const server = createServer();
    const port = await listen(server);
    server.close();
    await once(server, "close");
    expect(await senderTo(port).send(GET)).toBe("refused");
  });

  it.each([
    { bytes: "", why: "no byte comes" },
    { bytes: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", why: "the body stays away" },
  ])("timeout: $why", async ({ bytes }) => {
    const fire: (() => void)[] = [];
    const port = await listenRaw((socket) => {
      socket.write(bytes);
      for (const run of fire) run();
    });
    const sender = senderTo(port, {
      setTimer: (run, ms) => {
        expect(ms).toBe(1000);
        fire.push(run);
        return () => undefined;
      },
    });
    expect(await sender.send(GET)).toBe("timeout");
  });

  it("stopped: what is in flight, and what comes later", async () => {
    let stop = (): void => undefined;
    const port = await listenRaw(() => stop());
    const sender = senderTo(port);
    stop = () => sender.stop();
    expect(await sender.send(GET)).toBe("stopped");
    expect(await sender.send(GET)).toBe("stopped");
  });
});

it("takes a timer back when the answer is here", async () => {
  const port = await listenRaw((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  let open = 0;
  const sender = senderTo(port, {
    setTimer: () => {
      open++;
      return () => void open--;
    },
  });
  await sender.send(GET);
  expect(open).toBe(0);
});

describe("sends", () => {
  /** A server that keeps what it was sent. */
  async function startUpstream(): Promise<{
    readonly port: number;
    readonly seen: { readonly request: IncomingMessage; readonly body: string }[];
  }> {
    const seen: { request: IncomingMessage; body: string }[] = [];
    const server = createHttpServer((request, response) => {
      void text(request).then((body) => {
        seen.push({ request, body });
        response.end("{}");
      });
    });
    return { port: await listen(server), seen };
  }

  it.each([
    {
      planned: GET,
      raw: ["User-Agent", "Synapse/1", "Host", "own.test", "Connection", "keep-alive"],
      why: "as planned",
    },
    {
      planned: {
        ...GET,
        method: "PUT",
        target: "http://own.test:1/r",
        headers: { "Content-Length": "2", Host: "own.test:1" },
        body: "{}",
      } as const,
      raw: ["Content-Length", "2", "Host", "own.test:1", "Connection", "keep-alive"],
      why: "in absolute form, with a body",
    },
  ])("$why", async ({ planned, raw }) => {
    const { port, seen } = await startUpstream();
    expect(await senderTo(port).send(planned)).toBe(200);
    const [{ request, body } = { request: undefined, body: "" }] = seen;
    expect(request).toMatchObject({ method: planned.method, url: planned.target, rawHeaders: raw });
    expect(body).toBe(planned.body);
  });

  it("over one connection what is sent in turn, over as many as it may what is sent at once", async () => {
    const { port, seen } = await startUpstream();
    const sender = senderTo(port);
    for (let sent = 0; sent < 3; sent++) await sender.send(GET);
    const portsOf = (from: number): number =>
      new Set(seen.slice(from).map(({ request }) => request.socket.remotePort)).size;
    expect(portsOf(0)).toBe(1);
    await Promise.all(Array.from({ length: 4 }, () => sender.send(GET)));
    expect(portsOf(3)).toBe(4);
  });
});
