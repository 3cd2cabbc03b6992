/** Clients that do not read, or hardly: what waits for them is bounded in time, and slow is not gone. */

import { describe, expect, it } from "vitest";
import {
  expectAftermath,
  expectSettled,
  FAST,
  LIMIT_MS,
  openStage,
  outcomeOf,
  pour,
  type Side,
  type Stage,
  untilSteady,
} from "./stage.ts";

const SIDES: readonly Side[] = ["inbound", "outbound"];
const LAST = "Connection: close\r\n";

/** A kernel that moves some bytes from one buffer to another looks like a reader, once. */
async function passUntilGone(stage: Stage): Promise<void> {
  for (let pass = 0; pass < 3 && stage.metric("fedtrace_connections") > 0; pass++)
    await stage.pass(LIMIT_MS.body);
}

/** More than every buffer between two sockets of this machine holds. */
const LARGE = 100_000_000;
/** A kernel tells the sender only of a good part of its buffer. */
const LITTLE = 5_000_000;

describe.each(SIDES)("%s: a client that does not read", (side) => {
  const framings = [
    { framing: "with a length", head: `HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n` },
    {
      framing: "in chunks",
      head: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${LARGE.toString(16)}\r\n`,
    },
    { framing: "until the connection ends", head: "HTTP/1.1 200 OK\r\n\r\n" },
  ];
  it.each(framings)("a large answer $framing: broken off after body_timeout", async ({ head }) => {
    const { stage, client } = await openUnread(side, head);
    await passUntilGone(stage);
    await expectSettled(stage, { errors: ["CLIENT_ABORTED"], status: 200 });
    client.socket.resume();
    await client.closed();
    expect(outcomeOf(client)).toBe("reset");
    await expectAftermath(stage, { errors: ["CLIENT_ABORTED"], status: 200 });
  });

  it.each([
    ...framings.map((row) => ({ ...row, why: row.framing, request: (stage: Stage) => stage.head() })),
    {
      why: "that loses its chunks on the way, as an HTTP/1.0 client needs it",
      head: framings[1]?.head ?? "",
      request: (stage: Stage) => stage.head().replace("HTTP/1.1", "HTTP/1.0"),
    },
  ])("but for a little now and then is waited for: an answer $why", async ({ head, request }) => {
    const { stage, client, poured } = await openUnread(side, head, request);
    for (let round = 0; round < 3; round++) {
      const known = client.received.length;
      client.socket.resume();
      await expect.poll(() => client.received.length, FAST).toBeGreaterThan(known + LITTLE);
      client.socket.pause();
      await untilSteady(() => poured.taken);
      await stage.pass(LIMIT_MS.body - 2000);
    }
    expect(client.errors).toEqual([]);
    expect(stage.sidecar.spans).toEqual([]);
    client.socket.destroy();
    stage.upstreams[0]?.socket.destroy();
    await expect.poll(() => stage.metric("fedtrace_upstream_connections"), FAST).toBe(0);
  });

  it("while the upstream does not read either: broken off after body_timeout", async () => {
    // An upstream that sends back what it reads stops reading when its answers are not read.
    let answered: { readonly taken: number } = { taken: 0 };
    const stage = await openStage(side, {
      async script(peer) {
        await peer.until("\r\n\r\n");
        peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`);
        answered = pour(peer, LARGE);
        peer.socket.pause();
      },
    });
    const client = await stage.client();
    client.send(stage.head("PUT", `Content-Length: ${LARGE}\r\n`));
    await client.until("\r\n\r\n");
    client.socket.pause();
    await untilSteady(() => answered.taken);
    const poured = pour(client, LARGE);
    await untilSteady(() => poured.taken);
    await passUntilGone(stage);
    await expectSettled(stage, { errors: ["CLIENT_ABORTED"], status: 200 });
  });

  it("for a moment, is not blamed for an upstream that stops reading its body", async () => {
    const stage = await openStage(side, {
      async script(peer) {
        await peer.until("\r\n\r\n");
        peer.socket.pause();
        peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE + 4}\r\n\r\n`);
        pour(peer, LARGE);
      },
    });
    const client = await stage.client();
    client.send(stage.head("PUT", `Content-Length: ${LARGE}\r\n`));
    await client.until("\r\n\r\n");
    client.socket.pause();
    const poured = pour(client, LARGE);
    await untilSteady(() => poured.taken);
    client.socket.resume();
    await expect.poll(() => client.received.length, FAST).toBeGreaterThan(LARGE);
    // Three bytes of the answer, each in time, while the request's rest still waits for the upstream.
    for (const byte of "xyz") {
      await stage.pass(LIMIT_MS.body - 2000);
      await stage.upstreams[0]?.deliver(byte);
    }
    stage.upstreams[0]?.send("!");
    await client.until("xyz!");
    client.socket.destroy();
    stage.upstreams[0]?.socket.destroy();
    await expectSettled(stage, { errors: [undefined], status: 200 });
  });

  /** An answer is on its way, and every buffer between its two ends is full. */
  async function openUnread(of: Side, head: string, request = (stage: Stage) => stage.head("GET", LAST)) {
    let poured: { readonly taken: number } = { taken: 0 };
    const stage = await openStage(of, {
      async script(peer) {
        await peer.until("\r\n\r\n");
        peer.send(head);
        poured = pour(peer, LARGE);
      },
    });
    const client = await stage.client();
    client.send(request(stage));
    await client.until("\r\n\r\n");
    client.socket.pause();
    await untilSteady(() => poured.taken);
    expect(poured.taken).toBeLessThan(LARGE);
    return { stage, client, poured };
  }
});
