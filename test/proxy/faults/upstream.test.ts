/**
 * Every way in which an upstream can fail one request, on the way in and on the way out: what the client sees, what the span
 * says, and that nothing is left. Its connections that rest are in idle.test.ts.
 */

import { Worker } from "node:worker_threads";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RawPeer, turn } from "../../http1/sockets.ts";
import {
  type Aftermath,
  expectAftermath,
  expectSettled,
  LIMIT_MS,
  openStage,
  outcomeOf,
  type Script,
  type Side,
} from "./stage.ts";

const SIDES: readonly Side[] = ["inbound", "outbound"];
const LENGTH = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const UNTIL_CLOSE = "HTTP/1.1 200 OK\r\n\r\n";

/** Where an upstream's answer breaks off: what it has sent by then. `status` is the span's, once it has the answer's. */
const POINTS: readonly { point: string; sent: string; status?: number }[] = [
  { point: "before its head", sent: "" },
  { point: "within its head", sent: LENGTH.slice(0, 20) },
  { point: "behind an interim answer", sent: "HTTP/1.1 103 Early Hints\r\n\r\n" },
  { point: "behind its head", sent: LENGTH, status: 200 },
  { point: "within a body with a length", sent: `${LENGTH}12345`, status: 200 },
  { point: "a byte before the end of a length", sent: `${LENGTH}123456789`, status: 200 },
  { point: "within a chunk's size", sent: `${CHUNKED}1`, status: 200 },
  { point: "within a chunk", sent: `${CHUNKED}5\r\nab`, status: 200 },
  { point: "between two chunks", sent: `${CHUNKED}5\r\nabcde\r\n`, status: 200 },
  { point: "within the last chunk", sent: `${CHUNKED}5\r\nabcde\r\n0\r\n`, status: 200 },
  { point: "within the trailers", sent: `${CHUNKED}5\r\nabcde\r\n0\r\nX-T: 1\r\n`, status: 200 },
];

async function untilRequest(peer: RawPeer): Promise<void> {
  await peer.until("\r\n\r\n");
}

/** Runs one request against `script` and looks at what came of it. */
async function expectFault(
  side: Side,
  script: Script,
  { seen, passMs, request, ...aftermath }: Aftermath & { seen: string; passMs?: number; request?: string },
): Promise<void> {
  let isSet: (() => void) | undefined;
  const acted = new Promise<void>((resolve) => (isSet = resolve));
  const stage = await openStage(side, {
    async script(peer, index) {
      await script(peer, index);
      isSet?.();
    },
  });
  const client = await stage.client();
  client.send(request ?? stage.head("GET", "Connection: close\r\n"));
  await acted;
  if (passMs !== undefined) {
    await turn();
    await stage.pass(passMs);
  }
  await client.closed();
  expect(outcomeOf(client)).toBe(seen);
  await expectAftermath(stage, aftermath);
}

describe.each(SIDES)("%s: an upstream that breaks off", (side) => {
  const ways = [
    { way: "with a FIN", leave: ({ socket }: RawPeer) => void socket.end() },
    { way: "with a reset", leave: ({ socket }: RawPeer) => void socket.resetAndDestroy() },
  ];
  const rows = ways.flatMap((way) => POINTS.map((point) => ({ ...way, ...point })));
  it.each(rows)("$point, $way", async ({ sent, status, leave }) => {
    await expectFault(
      side,
      async (peer) => {
        await untilRequest(peer);
        await peer.deliver(sent);
        leave(peer);
      },
      {
        seen: status === undefined ? "502 FEDTRACE_UPSTREAM_CLOSED" : "reset",
        errors: ["UPSTREAM_CLOSED"],
        status: status ?? 502,
      },
    );
  });

  it("with a reset in a body that ends with the connection: the client can't take it for whole", async () => {
    await expectFault(
      side,
      async (peer) => {
        await untilRequest(peer);
        await peer.deliver(`${UNTIL_CLOSE}half of`);
        peer.socket.resetAndDestroy();
      },
      { seen: "reset", errors: ["UPSTREAM_CLOSED"], status: 200 },
    );
  });

  it("with a reset in the same read as bytes of such a body, which libuv tells of as of an end", async () => {
    await expectFault(
      side,
      async (peer) => {
        await untilRequest(peer);
        peer.send(`${UNTIL_CLOSE}half of`);
        peer.socket.resetAndDestroy();
      },
      { seen: "reset", errors: ["UPSTREAM_CLOSED"], status: 200 },
    );
  });

  it("with a FIN in such a body has sent all of it", async () => {
    await expectFault(
      side,
      async (peer) => {
        await untilRequest(peer);
        peer.socket.end(`${UNTIL_CLOSE}all of it`);
      },
      { seen: "200 whole", errors: [undefined], status: 200 },
    );
  });
});

describe.each(SIDES)("%s: an upstream that falls silent", (side) => {
  it.each([...POINTS, { point: "in a body that ends with the connection", sent: UNTIL_CLOSE, status: 200 }])(
    "$point",
    async ({ sent, status }) => {
      await expectFault(
        side,
        async (peer) => {
          await untilRequest(peer);
          await peer.deliver(sent);
        },
        {
          passMs: status === undefined ? LIMIT_MS.response : LIMIT_MS.body,
          seen: status === undefined ? "504 FEDTRACE_UPSTREAM_TIMEOUT" : "reset",
          errors: ["UPSTREAM_TIMEOUT"],
          status: status ?? 504,
        },
      );
    },
  );

  it.each([
    {
      why: "head, for longer than response_timeout",
      from: 0,
      to: LENGTH.length - 1,
      seen: "504 FEDTRACE_UPSTREAM_TIMEOUT",
    },
    {
      why: "body, each byte within body_timeout",
      from: LENGTH.length,
      to: LENGTH.length + 9,
      seen: "200 whole",
    },
  ])("or nearly so, with one byte after another of its $why", async ({ from, to, seen }) => {
    const answer = `${LENGTH}1234567890`;
    const stage = await openStage(side, { script: untilRequest });
    const client = await stage.client();
    client.send(stage.head());
    await expect.poll(() => stage.upstreams.at(0)?.received).toMatch(/\r\n\r\n$/);
    const upstream = stage.upstreams[0];
    await upstream?.deliver(answer.slice(0, from));
    // Three bytes, each nearly a body_timeout after the last, make more than any limit.
    const step = Math.floor((to - from) / 3);
    for (let at = from; at < from + 3 * step && !client.isEnded; at += step) {
      await upstream?.deliver(answer.slice(at, at + step));
      await stage.pass(LIMIT_MS.body - 2000);
    }
    await upstream?.deliver(answer.slice(from + 3 * step));
    const isWhole = seen === "200 whole";
    await client.until(isWhole ? "1234567890" : "FEDTRACE");
    client.socket.end();
    await client.closed();
    expect(outcomeOf(client)).toBe(seen);
    if (isWhole) upstream?.socket.end();
    await expectAftermath(stage, {
      errors: [isWhole ? undefined : "UPSTREAM_TIMEOUT"],
      status: isWhole ? 200 : 504,
    });
  });
});

describe.each(SIDES)("%s: an upstream that speaks nonsense", (side) => {
  it.each([
    { why: "another protocol's greeting", sent: "SSH-2.0-OpenSSH_9.6\r\n" },
    { why: "a TLS alert", sent: "\x15\x03\x03\x00\x02\x02\x46" },
    {
      why: "a TLS alert before a request that is none to it",
      sent: "\x15\x03\x03\x00\x02\x02\x46\n\n\r\n\r\n",
    },
    { why: "HTTP/0.9", sent: "<html>it works</html>" },
    { why: "HTTP/2's settings", sent: "\x00\x00\x12\x04\x00\x00\x00\x00\x00" },
    { why: "a status line without a status", sent: "HTTP/1.1 OK\r\n\r\n" },
    { why: "two lengths", sent: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" },
    {
      why: "an upgrade that nobody asked for",
      sent: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    },
    { why: "interim answers without an end", sent: "HTTP/1.1 102 Processing\r\n\r\n".repeat(17) },
  ])("$why, and stays: 502 at once", async ({ sent }) => {
    await expectFault(
      side,
      async (peer) => {
        await untilRequest(peer);
        peer.send(sent);
      },
      { seen: "502 FEDTRACE_UPSTREAM_MALFORMED", errors: ["UPSTREAM_MALFORMED"], status: 502 },
    );
  });

  it("within a chunked body: broken off", async () => {
    await expectFault(
      side,
      async (peer) => {
        await untilRequest(peer);
        peer.send(`${CHUNKED}5\r\nabcde\r\nnonsense\r\n`);
      },
      { seen: "reset", errors: ["UPSTREAM_MALFORMED"], status: 200 },
    );
  });

  const strays: readonly { why: string; send: (peer: RawPeer) => void | Promise<void> }[] = [
    {
      why: "in the same packet",
      send: (peer: RawPeer) => peer.send(`${OK_LAST}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`),
    },
    {
      why: "a moment later",
      async send(peer: RawPeer) {
        await peer.deliver(OK_LAST);
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
      },
    },
  ];
  it.each(strays)(
    "behind its whole answer, $why: nobody gets it, and the connection goes",
    async ({ send }) => {
      const stage = await openStage(side, {
        async script(peer) {
          await untilRequest(peer);
          await send(peer);
        },
      });
      const client = await stage.client();
      client.send(stage.head("GET", "Connection: close\r\n"));
      await client.closed();
      expect(outcomeOf(client)).toBe("200 whole");
      expect(client.received).not.toContain("poison");
      await expectAftermath(stage, { errors: [undefined], status: 200 });
    },
  );
});

/** A whole answer on a connection that may go on. */
const OK_LAST = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

it("outbound: the span names the address of a target that has failed", async () => {
  const stage = await openStage("outbound", {
    async script(peer) {
      await untilRequest(peer);
      peer.socket.resetAndDestroy();
    },
  });
  const client = await stage.client();
  client.send(stage.head());
  const [span] = await stage.sidecar.spansOf(1);
  expect(span?.attributes).toMatchObject({
    "error.type": "UPSTREAM_CLOSED",
    "network.peer.address": "127.0.0.1",
  });
});

describe.each(SIDES)("%s: an upstream that can't be reached", (side) => {
  it("refuses: 502", async () => {
    const stage = await openStage(side, { upstreamPort: 1 });
    const client = await stage.client();
    client.send(stage.head("POST", "Connection: close\r\nContent-Length: 2\r\n") + "ab");
    await client.closed();
    expect(outcomeOf(client)).toBe("502 FEDTRACE_UPSTREAM_REFUSED");
    await expectSettled(stage, { errors: ["UPSTREAM_REFUSED"], status: 502 });
  });

  it("never accepts: 504 after connect_timeout", async () => {
    const stage = await openStage(side, { upstreamPort: await startBlackHole() });
    const client = await stage.client();
    client.send(stage.head("GET", "Connection: close\r\n"));
    await expect.poll(() => stage.metric("fedtrace_upstream_connections")).toBe(1);
    await stage.pass(LIMIT_MS.connect - 2000);
    expect(client.received).toBe("");
    await stage.pass(2000);
    await client.until("FEDTRACE_UPSTREAM_TIMEOUT");
    expect(outcomeOf(client)).toBe("504 FEDTRACE_UPSTREAM_TIMEOUT");
    await expectSettled(stage, { errors: ["UPSTREAM_TIMEOUT"], status: 504 });
  });
});

/**
 * A port that lets no connection be made: its accept queue is full, and its thread asleep, so that the kernel drops each SYN.
 */
async function startBlackHole(): Promise<number> {
  const worker = new Worker(
    `const { createServer } = require("node:net");
     const { parentPort } = require("node:worker_threads");
     const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  onTestFinished(async () => void (await worker.terminate()));
  const [port] = (await once(worker, "message")) as [number];
  // Linux keeps one more than the backlog.
  for (let count = 0; count < 2; count++) {
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
  }
  return port;
}
