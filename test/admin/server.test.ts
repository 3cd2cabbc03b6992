/**
 * The admin listener beside readers who stall, clients who say nothing and answers that can't be finished: whoever asks
 * for health gets in. What it answers to whom: test/cli/admin.test.ts.
 */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type AdminAnswer, AnswerGone, type AdminRoute, jsonAnswer } from "../../src/admin/answer.ts";
import { type AdminLimits, startAdmin } from "../../src/admin/server.ts";
import type { Log } from "../../src/core/log.ts";

const PIECE = "x".repeat(64 * 1024);

/** Routes: `/health` is short, `/endless` never ends, `/gone` breaks off. */
interface Running {
  readonly port: number;
  /** Resolves once so many endless answers were asked for. */
  readonly asked: (count: number) => Promise<void>;
  /** Resolves once so many of them were left. */
  readonly left: (count: number) => Promise<void>;
  /** How often health was told. */
  readonly answered: () => number;
  readonly logged: readonly string[];
}

async function start(limits: Partial<AdminLimits>): Promise<Running> {
  const logged: string[] = [];
  const note = (message: string): void => void logged.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  let answered = 0;
  const asked = createCount();
  const left = createCount();
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield await Promise.resolve(PIECE);
    } finally {
      left.add();
    }
  }
  async function* gone(): AsyncGenerator<string> {
    yield await Promise.resolve("[1,");
    throw new AnswerGone("it went");
  }
  const stream = (body: AsyncIterable<string>): AdminAnswer => ({ status: 200, type: "text/plain", body });
  const routes: readonly AdminRoute[] = [
    {
      pattern: "/health",
      answer() {
        answered++;
        return jsonAnswer(200, {});
      },
    },
    { pattern: "/gone", answer: () => stream(gone()) },
    {
      pattern: "/endless",
      answer() {
        asked.add();
        return stream(endless());
      },
    },
  ];
  const server = await startAdmin({ host: "127.0.0.1", port: 0, hosts: () => [], routes, log, limits });
  onTestFinished(() => server.stop());
  return {
    port: Number(server.address.split(":").at(-1)),
    asked: asked.reached,
    left: left.reached,
    answered: () => answered,
    logged,
  };
}

function createCount(): { readonly add: () => void; readonly reached: (count: number) => Promise<void> } {
  let count = 0;
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  return {
    add() {
      count += 1;
      for (const one of waiting) if (count >= one.count) one.resolve();
    },
    reached: (wanted) =>
      new Promise((resolve) => {
        if (count >= wanted) resolve();
        else waiting.push({ count: wanted, resolve });
      }),
  };
}

async function open({ port }: Running): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Asks and never reads. */
async function stall(running: Running, times = 1): Promise<Socket> {
  const socket = (await open(running)).pause();
  socket.write("GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(times));
  return socket;
}

/** @returns all that comes on a connection of its own */
async function ask(running: Running, path: string): Promise<string> {
  const socket = await open(running);
  return askOn(socket, path, "Connection: close\r\n");
}

async function askOn(socket: Socket, path: string, lines = ""): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`);
  if (lines === "") await once(socket, "data");
  else await once(socket, "close");
  return text;
}

const OK = /^HTTP\/1\.1 200 /;

describe("readers who stall", () => {
  it("are left once they have taken nothing for so long", async () => {
    const running = await start({ stalledMs: 500 });
    await Promise.all([stall(running), stall(running)]);
    await running.left(2);
    expect(running.logged).toEqual([]);
  });

  it("are bounded in number, beside which what is short is answered", async () => {
    const running = await start({ streamsMax: 2 });
    const [first] = await Promise.all([stall(running), stall(running)]);
    await running.asked(2);
    expect(await ask(running, "/endless")).toMatch(/^HTTP\/1\.1 503 [^]*try again/);
    expect(await ask(running, "/health")).toMatch(OK);
    first?.destroy();
    await running.left(1);
    await stall(running);
    await running.left(1);
    expect(await ask(running, "/endless")).toMatch(/^HTTP\/1\.1 503 /);
  });

  it("give all of their room back, that of answers behind the first included", async () => {
    const running = await start({ streamsMax: 3 });
    const socket = await stall(running, 3);
    await running.asked(3);
    expect(await ask(running, "/endless")).toMatch(/^HTTP\/1\.1 503 /);
    socket.destroy();
    await running.left(1);
    for (let count = 1; count <= 3; count++) {
      const next = await stall(running);
      const [chunk] = (await once(next.resume(), "data")) as [Buffer];
      next.pause();
      expect(chunk.toString("latin1")).toMatch(OK);
    }
  });
});

describe("a connection beyond the bound takes the place", () => {
  it("of the one that has waited longest", async () => {
    const running = await start({ connectionsMax: 3, stalledMs: 60_000 });
    const silent = await open(running);
    const kept = await open(running);
    const reader = await stall(running);
    await running.asked(1);
    expect(await askOn(kept, "/health")).toMatch(OK);
    const closed = once(silent.resume(), "close");
    expect(await ask(running, "/health")).toMatch(OK);
    await closed;
    expect(await askOn(kept, "/health")).toMatch(OK);
    expect([kept.destroyed, reader.destroyed]).toEqual([false, false]);
  });

  it("of the one whose request came first, where all are busy", async () => {
    const running = await start({ connectionsMax: 3, stalledMs: 60_000 });
    for (let count = 1; count <= 3; count++) {
      await stall(running);
      await running.asked(count);
    }
    expect(await ask(running, "/health")).toMatch(OK);
    await running.left(1);
    // The place is free now: who comes next sends nobody away.
    const kept = await open(running);
    expect(await askOn(kept, "/health")).toMatch(OK);
  });

  it("of nobody, up to the bound", async () => {
    const running = await start({ connectionsMax: 3, stalledMs: 60_000 });
    const kept = [await open(running), await open(running)];
    expect(await ask(running, "/health")).toMatch(OK);
    for (const socket of kept) expect(await askOn(socket, "/health")).toMatch(OK);
  });
});

it.each([
  { why: "as many requests ahead as may be", ahead: 4, answered: 4 },
  { why: "one more: whoever never reads would have a thousand answers held", ahead: 5, answered: 4 },
  { why: "a thousand", ahead: 1000, answered: 4 },
])("answers on a connection $why", async ({ ahead, answered }) => {
  const running = await start({});
  const socket = await open(running);
  const closed = once(socket.resume(), "close");
  const asks = Array.from({ length: ahead }, (_, at) => {
    const lines = at === ahead - 1 ? "Connection: close\r\n" : "";
    return `GET /health HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`;
  });
  socket.write(asks.join(""));
  await closed;
  expect(running.answered()).toBe(answered);
  expect(await ask(running, "/health")).toMatch(OK);
  expect(running.logged).toEqual([]);
});

it("breaks off, and logs no fault, where the rest of an answer is gone", async () => {
  const running = await start({});
  const text = await ask(running, "/gone");
  expect(text).not.toContain("0\r\n\r\n"); // Which would end a whole one.
  expect(running.logged).toEqual([]);
});
