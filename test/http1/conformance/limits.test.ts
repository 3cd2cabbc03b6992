/**
 * Bounds of one connection and of all, end to end: one row inside and one outside of each, and who is told what.
 * Time is the test's: limits pass when it says so, and are longer than any test takes without.
 */

import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { startInProcess, type TestSidecar } from "../../support/in-process.ts";
import {
  exchangeRaw,
  OK_RESPONSE,
  rawClient,
  recordingUpstream,
  type RecordingUpstream,
} from "../../support/wire.ts";
import { HOST } from "./row.ts";
import { turns } from "./run-row.ts";

const GET = `GET /x HTTP/1.1\r\n${HOST}`;
const CLOSE = "Connection: close\r\n\r\n";

interface Stage {
  readonly upstream: RecordingUpstream;
  readonly sidecar: TestSidecar;
  readonly port: number;
  readonly client: () => ReturnType<typeof rawClient>;
}

async function start(
  limits: Readonly<Record<string, unknown>>,
  answer: string | (() => undefined) = OK_RESPONSE,
): Promise<Stage> {
  const upstream = await recordingUpstream(answer);
  const sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      authenticate: "claimed",
    },
    limits: { drain: "100ms", ...limits },
  });
  onTestFinished(async () => {
    upstream.stop();
    await sidecar.sidecar.stop();
  });
  const port = sidecar.port.inbound;
  return { upstream, sidecar, port, client: () => rawClient(port) };
}

const NOTHING = (): undefined => undefined;

/** For a machine that has other things to do. */
const PATIENCE = { timeout: 10_000 };

function eventually<T>(look: () => T) {
  return expect.poll(look, PATIENCE);
}

describe("a head", () => {
  const HEAD = 1024;
  /** A request whose head has exactly so many bytes. */
  const headOf = (bytes: number): string => {
    const empty = `${GET}X: \r\n${CLOSE}`;
    return `${GET}X: ${"a".repeat(bytes - empty.length)}\r\n${CLOSE}`;
  };

  it.each([
    { why: "of as many bytes as allowed", text: headOf(HEAD), status: 200 },
    { why: "of one byte more", text: headOf(HEAD + 1), status: 431 },
    { why: "that never ends", text: `${GET}X: ${"a".repeat(10 * HEAD)}`, status: 431 },
    {
      why: "whose target is too long (RFC 9112 3)",
      text: `GET /${"a".repeat(HEAD)} HTTP/1.1\r\n${HOST}\r\n`,
      status: 431,
    },
    { why: "of as many lines as allowed", text: `${GET}${"X: 1\r\n".repeat(8)}${CLOSE}`, status: 200 },
    { why: "of one line more", text: `${GET}${"X: 1\r\n".repeat(9)}${CLOSE}`, status: 431 },
  ])("$why is answered $status", async ({ text, status }) => {
    const { port } = await start({ head: "1024B", headers: 10 });
    expect(await exchangeRaw(port, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it("that comes byte by byte does not get more time for each byte (CVE-2007-6750: slowloris)", async () => {
    const { sidecar, upstream, client } = await start({ head_timeout: "100s" });
    const slow = await client();
    for (const piece of ["GET /x HTTP/1.1\r\n", "X-A: 1\r\n", "X-B: 2\r\n"]) {
      slow.send(piece);
      await turns();
      sidecar.advance(40_000);
    }
    expect((await slow.closed()).received).toMatch(/^HTTP\/1\.1 408 /);
    expect(upstream.received()).toBe("");
  });

  it("that is within its time is answered", async () => {
    const { sidecar, client } = await start({ head_timeout: "100s" });
    const slow = await client();
    slow.send("GET /x HTTP/1.1\r\n");
    sidecar.advance(60_000);
    slow.send(`${HOST}${CLOSE}`);
    expect((await slow.closed()).received).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("that never begins is not answered: the connection just ends", async () => {
    const { sidecar, client } = await start({ head_timeout: "100s" });
    const silent = await client();
    sidecar.advance(110_000);
    expect(await silent.closed()).toEqual({ received: "", isReset: false });
  });
});

describe("a body", () => {
  it.each([
    { why: "a length", framing: "Content-Length: 9\r\n", piece: "a" },
    { why: "chunks", framing: "Transfer-Encoding: chunked\r\n", piece: "1\r\na\r\n" },
  ])(
    "with $why that pauses too long is answered 408, and its upstream is let go (CVE-2011-4858's family: R-U-Dead-Yet)",
    async ({ framing, piece }) => {
      const { sidecar, upstream, client } = await start({ body_timeout: "100s" }, NOTHING);
      const slow = await client();
      slow.send(`POST /x HTTP/1.1\r\n${HOST}${framing}\r\n${piece}`);
      await eventually(() => upstream.received().endsWith(`\r\n\r\n${piece}`)).toBe(true);
      sidecar.advance(110_000);
      expect((await slow.closed()).received).toMatch(/^HTTP\/1\.1 408 /);
      await eventually(() => upstream.connections.every(({ isClosed }) => isClosed)).toBe(true);
    },
  );

  it("that comes slowly, but comes, may take as long as it likes", async () => {
    const { sidecar, upstream, client } = await start({ body_timeout: "100s" }, NOTHING);
    const slow = await client();
    slow.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 5\r\n${CLOSE}`);
    for (const byte of ["a", "b", "c", "d", "e"]) {
      sidecar.advance(60_000);
      slow.send(byte);
      await eventually(() => upstream.received().endsWith(byte)).toBe(true);
    }
    upstream.connections[0]?.socket.write(OK_RESPONSE);
    expect((await slow.closed()).received).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("of a response that pauses too long is cut where the client sees it", async () => {
    const { sidecar, client } = await start(
      { body_timeout: "100s" },
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na",
    );
    const patient = await client();
    patient.send(`${GET}\r\n`);
    await patient.until((received) => received.endsWith("\r\n\r\na"));
    sidecar.advance(110_000);
    expect((await patient.closed()).isReset).toBe(true);
  });
});

describe("an upstream", () => {
  it("that does not answer in time is answered for with 504", async () => {
    const { sidecar, upstream, client } = await start({ response_timeout: "100s" }, NOTHING);
    const patient = await client();
    patient.send(`${GET}${CLOSE}`);
    await eventually(() => upstream.received().endsWith("\r\n\r\n")).toBe(true);
    sidecar.advance(110_000);
    expect((await patient.closed()).received).toMatch(/^HTTP\/1\.1 504 /);
  });

  it("that sends a head byte by byte does not get more time for each", async () => {
    const { sidecar, upstream, client } = await start({ response_timeout: "100s" }, NOTHING);
    const patient = await client();
    patient.send(`${GET}${CLOSE}`);
    await eventually(() => upstream.received().endsWith("\r\n\r\n")).toBe(true);
    for (const piece of ["HTTP/1.1 200 OK\r\n", "X-A: 1\r\n", "X-B: 2\r\n"]) {
      upstream.connections[0]?.socket.write(piece);
      await turns();
      sidecar.advance(40_000);
    }
    expect((await patient.closed()).received).toMatch(/^HTTP\/1\.1 504 /);
  });
});

describe("an idle connection", () => {
  it("is closed without a word when its time is over", async () => {
    const { sidecar, client } = await start({ idle: "100s" });
    const idle = await client();
    idle.send(`${GET}\r\n`);
    await idle.until((received) => received.endsWith("ok"));
    sidecar.advance(110_000);
    const { received, isReset } = await idle.closed();
    expect(isReset).toBe(false);
    expect(received.endsWith("ok")).toBe(true);
  });

  it("that sends a request just before is answered", async () => {
    const { sidecar, client } = await start({ idle: "100s" });
    const idle = await client();
    idle.send(`${GET}\r\n`);
    await idle.until((received) => received.endsWith("ok"));
    sidecar.advance(90_000);
    idle.send(`${GET}${CLOSE}`);
    expect((await idle.closed()).received.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
  });

  it("of the upstream that closes as a request takes it costs that request nothing", async () => {
    const { upstream, client } = await start({});
    const one = await client();
    for (let round = 1; round <= 5; round++) {
      one.send(`${GET}\r\n`);
      await one.until((received) => received.split("HTTP/1.1 200 ").length - 1 === round);
      // Its end and the next request are on their way at the same time.
      upstream.connections.at(-1)?.socket.end();
    }
    expect(upstream.connections.length).toBe(5);
    one.socket.destroy();
  });
});

describe("connections", () => {
  it("over the cap are told so and closed; the others are served, and room that comes free is used", async () => {
    const { port, client } = await start({ connections: 3 });
    const open = await Promise.all([client(), client(), client()]);
    for (const one of open) {
      one.send(`${GET}\r\n`);
      await one.until((received) => received.endsWith("ok"));
    }
    // Those that idle may be closed for it, or it is refused: either is an answer, never a wait.
    const more = await client();
    more.send(`${GET}${CLOSE}`);
    expect((await more.closed()).received).toMatch(/^HTTP\/1\.1 (?:200|503) /);
    open[0]?.socket.destroy();
    await eventually(() => exchangeRaw(port, `${GET}${CLOSE}`)).toMatch(/^HTTP\/1\.1 200 /);
    for (const one of open) one.socket.destroy();
  });

  it("a hundred at once, each pipelining ten requests, get every answer in order", async () => {
    const { client } = await start({});
    const requests = Array.from({ length: 10 }, (_, index) => `GET /${index} HTTP/1.1\r\n${HOST}`);
    const all = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const one = await client();
        one.send(`${requests.join("\r\n")}${CLOSE}`);
        return (await one.closed()).received.split("HTTP/1.1 200 ").length - 1;
      }),
    );
    expect(new Set(all)).toEqual(new Set([10]));
  });

  it("that are reset in the middle of a request leave nothing at the upstream", async () => {
    const { upstream, client } = await start({}, NOTHING);
    const one = await client();
    one.send(`POST /x HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nabc`);
    await eventually(() => upstream.received().endsWith("abc")).toBe(true);
    const behind = upstream.connections[0]?.socket;
    const closed = behind === undefined ? undefined : once(behind, "close");
    one.socket.resetAndDestroy();
    await closed;
    expect(upstream.connections.every(({ socket }) => socket.destroyed)).toBe(true);
  });
});
