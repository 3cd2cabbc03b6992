/**
 * Upstream connections that rest, and end just as a request takes them: what may be sent again, and what must not; and what an
 * upstream does while the request is still on its way.
 */

import { describe, expect, it } from "vitest";
import type { RawPeer } from "../../http1/sockets.ts";
import {
  answerAll,
  expectAftermath,
  LIMIT_MS,
  OK,
  openStage,
  outcomeOf,
  pour,
  type Side,
  type Stage,
  untilSteady,
  FAST,
} from "./stage.ts";

const SIDES: readonly Side[] = ["inbound", "outbound"];
const LAST = "Connection: close\r\n";

/** A stage with one upstream connection at rest. From the second request on its upstream does with it what `end` says. */
async function openWithIdle(side: Side, end: (peer: RawPeer) => void, ends = 1): Promise<Stage> {
  let taken = 0;
  const stage = await openStage(side, {
    async script(peer, index) {
      if (index === 0) {
        await peer.until("\r\n\r\n");
        peer.send(OK);
        const known = peer.received.length;
        peer.socket.on("data", () => {
          if (peer.received.length > known && taken++ === 0) end(peer);
        });
      } else if (index < ends) {
        await peer.until("\r\n\r\n");
        end(peer);
      } else {
        await answerAll(peer, index);
      }
    },
  });
  const first = await stage.client();
  first.send(stage.head("GET", LAST));
  await first.closed();
  await expect.poll(() => stage.metric("fedtrace_connections"), FAST).toBe(0);
  return stage;
}

/**
 * Spans of a stage with an idle connection that met its end, in the order they ended. Outbound each attempt has one, which the
 * next links to; inbound a request has one, however often it is sent.
 */
function sentAgain(side: Side, last: string | undefined) {
  return side === "inbound"
    ? { errors: [undefined, last] }
    : { errors: [undefined, "UPSTREAM_CLOSED", last], sentAgain: 1 };
}

const WAYS = [
  { way: "with a FIN", end: ({ socket }: RawPeer) => void socket.end() },
  { way: "with a reset", end: ({ socket }: RawPeer) => void socket.resetAndDestroy() },
] as const;

describe.each(SIDES)("%s: an idle connection that ends as it is taken", (side) => {
  it.each(
    WAYS.flatMap((way) => [
      { ...way, method: "GET", lines: LAST },
      { ...way, method: "HEAD", lines: LAST },
      { ...way, method: "DELETE", lines: LAST },
      { ...way, method: "OPTIONS", lines: LAST },
      { ...way, method: "PUT", lines: `${LAST}Content-Length: 0\r\n` },
    ]),
  )("$way: $method is sent once more, on a new one", async ({ end, method, lines }) => {
    const stage = await openWithIdle(side, end);
    const client = await stage.client();
    client.send(stage.head(method, lines));
    await client.closed();
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(stage.upstreams).toHaveLength(2);
    await expectAftermath(stage, { ...sentAgain(side, undefined), status: 200, resends: 1, idle: 1 });
  });

  it.each(WAYS)(
    "$way: PUT whose body has not begun is sent once more, and then its body",
    async ({ end }) => {
      const stage = await openWithIdle(side, end);
      const client = await stage.client();
      client.send(stage.head("PUT", `${LAST}Content-Length: 4\r\n`));
      await expect.poll(() => stage.upstreams.length, FAST).toBe(2);
      client.send("body");
      await client.closed();
      expect(outcomeOf(client)).toBe("200 whole");
      expect(stage.upstreams[1]?.received).toMatch(/\r\n\r\nbody$/);
      await expectAftermath(stage, { ...sentAgain(side, undefined), status: 200, resends: 1, idle: 1 });
    },
  );

  it.each(
    WAYS.flatMap((way) => [
      { ...way, why: "POST, which may have been done", method: "POST", lines: "", body: "" },
      { ...way, why: "POST without a body", method: "POST", lines: "Content-Length: 0\r\n", body: "" },
      { ...way, why: "a method that nobody knows", method: "PATCH", lines: "", body: "" },
      {
        ...way,
        why: "PUT whose body has begun",
        method: "PUT",
        lines: "Content-Length: 9\r\n",
        body: "begun",
      },
    ]),
  )("$way: $why is not: 502", async ({ end, method, lines, body }) => {
    const stage = await openWithIdle(side, end);
    const client = await stage.client();
    client.send(stage.head(method, LAST + lines) + body);
    await client.closed();
    expect(outcomeOf(client)).toBe("502 FEDTRACE_UPSTREAM_CLOSED");
    expect(stage.upstreams).toHaveLength(1);
    await expectAftermath(stage, { errors: [undefined, "UPSTREAM_CLOSED"], status: 502 });
  });

  it.each(WAYS)("$way: is sent once more, not twice: 502", async ({ end }) => {
    const stage = await openWithIdle(side, end, 2);
    const client = await stage.client();
    client.send(stage.head("GET", LAST));
    await client.closed();
    expect(outcomeOf(client)).toBe("502 FEDTRACE_UPSTREAM_CLOSED");
    expect(stage.upstreams).toHaveLength(2);
    await expectAftermath(stage, { ...sentAgain(side, "UPSTREAM_CLOSED"), status: 502, resends: 1 });
  });

  it("with a beginning of an answer is not sent again: it may have been done", async () => {
    const stage = await openWithIdle(side, (peer) => peer.socket.end("HTTP/1.1 20"));
    const client = await stage.client();
    client.send(stage.head("GET", LAST));
    await client.closed();
    expect(outcomeOf(client)).toBe("502 FEDTRACE_UPSTREAM_CLOSED");
    await expectAftermath(stage, { errors: [undefined, "UPSTREAM_CLOSED"], status: 502 });
  });

  it("before it is taken is not taken", async () => {
    const stage = await openStage(side);
    const first = await stage.client();
    first.send(stage.head("GET", LAST));
    await first.closed();
    stage.upstreams[0]?.socket.end();
    await expectAftermath(stage, { errors: [undefined], status: 200, idle: 0 });
  });

  it("rests for limits.idle at most", async () => {
    const stage = await openStage(side);
    const first = await stage.client();
    first.send(stage.head("GET", LAST));
    await first.closed();
    await stage.pass(LIMIT_MS.idle);
    await expectAftermath(stage, { errors: [undefined], status: 200, idle: 0 });
  });
});

describe.each(SIDES)("%s: an upstream that answers before the request is all there", (side) => {
  const EARLY = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
  const rows: readonly { why: string; act: (peer: RawPeer) => void | Promise<void> }[] = [
    { why: "and closes", act: ({ socket }: RawPeer) => void socket.end(EARLY) },
    { why: "and stays", act: (peer: RawPeer) => peer.send(EARLY) },
    {
      why: "and resets",
      async act(peer: RawPeer) {
        await peer.deliver(EARLY);
        peer.socket.resetAndDestroy();
      },
    },
  ];
  it.each(rows)("$why: the client gets that answer, and no connection is used again", async ({ act }) => {
    const stage = await openStage(side, {
      async script(peer) {
        await peer.until("some");
        await act(peer);
      },
    });
    const client = await stage.client();
    client.send(stage.head("POST", "Content-Length: 100\r\n") + "some");
    await client.closed();
    expect(outcomeOf(client)).toBe("413 whole");
    expect(client.received).toContain("connection: close\r\n");
    await expectAftermath(stage, { errors: [side === "inbound" ? undefined : "413"], status: 413 });
  });

  it("while much of it is still to be written: the connection is not used again", async () => {
    const stage = await openStage(side, {
      async script(peer) {
        await peer.until("\r\n\r\n");
        peer.socket.pause();
        peer.send(OK);
      },
    });
    const client = await stage.client();
    const length = 6_000_000;
    client.send(stage.head("POST", `${LAST}Content-Length: ${length}\r\n`) + "b".repeat(length));
    await client.closed();
    expect(outcomeOf(client)).toBe("200 whole");
    await expectAftermath(stage, { errors: [undefined], status: 200 });
  });
});

describe.each(SIDES)("%s: an upstream that stops reading the request", (side) => {
  const length = 100_000_000; // Of which only what the buffers hold is sent.

  it("is given body_timeout: 504", async () => {
    const stage = await openStage(side, { script: ({ socket }) => void socket.pause() });
    const client = await stage.client();
    client.send(stage.head("PUT", `${LAST}Content-Length: ${length}\r\n`));
    const poured = pour(client, length);
    await untilSteady(() => poured.taken);
    expect(poured.taken).toBeLessThan(length);
    await stage.pass(LIMIT_MS.body);
    await client.until("FEDTRACE_UPSTREAM_TIMEOUT");
    client.socket.destroy();
    await expectAftermath(stage, { errors: ["UPSTREAM_TIMEOUT"], status: 504 });
  });

  it("but for a little now and then is waited for", async () => {
    const stage = await openStage(side, { script: ({ socket }) => void socket.pause() });
    const client = await stage.client();
    client.send(stage.head("PUT", `${LAST}Content-Length: ${length}\r\n`));
    const poured = pour(client, length);
    const upstream = (): RawPeer | undefined => stage.upstreams[0];
    for (let round = 0; round < 3; round++) {
      await untilSteady(() => poured.taken);
      const known = poured.taken;
      upstream()?.socket.resume();
      // What the upstream takes first was the system's already; the sidecar has noticed once it takes more of the client.
      await expect.poll(() => poured.taken, FAST).toBeGreaterThan(known);
      upstream()?.socket.pause();
      await stage.pass(LIMIT_MS.body - 2000);
    }
    expect(client.received).toBe("");
    expect(poured.taken).toBeLessThan(length);
    upstream()?.send(OK);
    await client.until("ok");
    client.socket.destroy();
    upstream()?.socket.destroy();
    await expectAftermath(stage, { errors: [undefined], status: 200 });
  });
});
