/** Every way in which a client can fail its own request, and what is left of it: nothing. */

import { describe, expect, it } from "vitest";
import { type RawPeer, turn } from "../../http1/sockets.ts";
import {
  answerAll,
  expectAftermath,
  FAST,
  LIMIT_MS,
  OK,
  openStage,
  outcomeOf,
  type Script,
  type Side,
  type Stage,
} from "./stage.ts";

const SIDES: readonly Side[] = ["inbound", "outbound"];
const LAST = "Connection: close\r\n";
const HALF_CLOSED_MS = 5000;

const readOnly: Script = () => undefined;

/** Starts an answer of 100 bytes. */
const beginAnswer: Script = async (peer) => {
  await peer.until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun");
};

const WAYS = [
  { way: "a reset", leave: ({ socket }: RawPeer) => void socket.resetAndDestroy() },
  { way: "a close", leave: ({ socket }: RawPeer) => void socket.destroy() },
] as const;

/** Who may still read is only found to be gone by writing. */
async function writeUntilGone(stage: Stage): Promise<void> {
  const write = (): number => {
    stage.upstreams[0]?.send("x");
    return stage.metric("fedtrace_connections");
  };
  await expect.poll(write, FAST).toBe(0);
}

/** Waits until the upstream's end of the connection is over too. */
async function expectUpstreamClosed(stage: Stage): Promise<void> {
  const [upstream] = stage.upstreams;
  upstream?.socket.end();
  await upstream?.closed();
}

describe.each(SIDES)("%s: a client that goes away", (side) => {
  const phases = [
    { phase: "before its head", sent: () => "", script: readOnly, spans: 0 },
    {
      phase: "within its head",
      sent: (stage: Stage) => stage.head().slice(0, 30),
      script: readOnly,
      spans: 0,
    },
    {
      phase: "before its body",
      sent: (stage: Stage) => stage.head("PUT", "Content-Length: 5\r\n"),
      script: readOnly,
      spans: 1,
    },
    {
      phase: "within its body",
      sent: (stage: Stage) => `${stage.head("PUT", "Content-Length: 5\r\n")}ab`,
      script: readOnly,
      spans: 1,
    },
    {
      phase: "within a chunk",
      sent: (stage: Stage) => `${stage.head("PUT", "Transfer-Encoding: chunked\r\n")}5\r\nab`,
      script: readOnly,
      spans: 1,
    },
    {
      phase: "before the last chunk",
      sent: (stage: Stage) => `${stage.head("PUT", "Transfer-Encoding: chunked\r\n")}2\r\nab\r\n`,
      script: readOnly,
      spans: 1,
    },
    {
      phase: "while it waits for the answer",
      sent: (stage: Stage) => stage.head(),
      script: readOnly,
      spans: 1,
    },
    {
      phase: "within the answer",
      sent: (stage: Stage) => stage.head(),
      script: beginAnswer,
      spans: 1,
      status: 200,
    },
    {
      phase: "within its body and the answer",
      sent: (stage: Stage) => `${stage.head("PUT", "Content-Length: 5\r\n")}ab`,
      script: beginAnswer,
      spans: 1,
      status: 200,
    },
  ];
  const rows = WAYS.flatMap((way) => phases.map((phase) => ({ ...way, ...phase })));
  it.each(rows)("$phase, with $way", async ({ sent, script, spans, status, leave }) => {
    const stage = await openStage(side, { script });
    const client = await stage.client();
    await client.deliver(sent(stage));
    if (spans > 0) await expect.poll(() => stage.upstreams[0]?.received, FAST).toMatch(/\r\n\r\n/);
    if (status !== undefined) await client.until("begun");
    leave(client);
    // A close looks like the end of its side alone, and is given time where nothing more was to come.
    await turn();
    await turn();
    if (stage.metric("fedtrace_connections") > 0) await stage.pass(HALF_CLOSED_MS);
    if (status !== undefined) await writeUntilGone(stage);
    await expectAftermath(stage, {
      errors: Array.from({ length: spans }, () => "CLIENT_ABORTED"),
      status,
    });
    if (spans > 0) {
      await expectUpstreamClosed(stage);
      expect(stage.upstreams[0]?.received).not.toMatch(/0\r\n\r\n$/);
    }
  });

  it.each(WAYS)("with requests sent ahead, with $way", async ({ leave }) => {
    const stage = await openStage(side, { script: readOnly });
    const client = await stage.client();
    await client.deliver(stage.head() + stage.head() + stage.head());
    await expect.poll(() => stage.upstreams.length, FAST).toBe(1);
    leave(client);
    await turn();
    // Those that the sidecar had read already it may begin; a socket at rest does not tell that nobody is there.
    for (const upstream of stage.upstreams) void answerAll(upstream, 0);
    await expect.poll(() => stage.metric("fedtrace_connections"), FAST).toBe(0);
    const begun = stage.metric("fedtrace_spans_started_total");
    expect(begun).toBeLessThanOrEqual(3);
    expect(await stage.sidecar.spansOf(begun)).toHaveLength(begun);
    expect(stage.metric("fedtrace_upstream_queue")).toBe(0);
  });

  it("while its request waits for a connection", async () => {
    const stage = await openStage(side, {
      script: readOnly,
      limits: { upstream_connections: 1 },
    });
    const first = await stage.client();
    first.send(stage.head("GET", LAST));
    await expect.poll(() => stage.upstreams[0]?.received, FAST).toMatch(/\r\n\r\n$/);
    const client = await stage.client();
    client.send(stage.head());
    await expect.poll(() => stage.metric("fedtrace_upstream_queue"), FAST).toBe(1);
    client.socket.resetAndDestroy();
    await expect.poll(() => stage.metric("fedtrace_upstream_queue"), FAST).toBe(0);
    stage.upstreams[0]?.send(OK);
    await first.closed();
    expect(outcomeOf(first)).toBe("200 whole");
    stage.upstreams[0]?.socket.end();
    await expectAftermath(stage, { errors: ["CLIENT_ABORTED", undefined], status: 200 });
    expect(stage.upstreams.slice(1).map(({ received }) => received.split("\r\n\r\n").length - 1)).toEqual([
      1,
    ]);
  });
});

it("outbound: a client that goes away while the target's name is looked up: nobody is asked", async () => {
  const asked: (() => void)[] = [];
  const stage = await openStage("outbound", {
    resolve: () => new Promise((resolve) => asked.push(() => resolve(["127.0.0.1"]))),
  });
  const client = await stage.client();
  client.send(stage.head());
  await expect.poll(() => asked.length, FAST).toBe(1);
  client.socket.resetAndDestroy();
  await stage.sidecar.spansOf(1);
  asked[0]?.();
  await turn();
  expect(stage.upstreams).toHaveLength(0);
  await expectAftermath(stage, { errors: ["CLIENT_ABORTED"] });
});

describe.each(SIDES)("%s: a client that ends its side", (side) => {
  it("behind its request gets its answer", async () => {
    const stage = await openStage(side);
    const client = await stage.client();
    client.socket.end(stage.head());
    await client.closed();
    expect(outcomeOf(client)).toBe("200 whole");
    await expectAftermath(stage, { errors: [undefined], status: 200, idle: 1 });
  });

  it("behind three requests gets three answers", async () => {
    const stage = await openStage(side);
    const client = await stage.client();
    client.socket.end(stage.head().repeat(3));
    await client.closed();
    expect(client.received).toBe(OK.repeat(3));
    await expectAftermath(stage, { errors: [undefined, undefined, undefined], status: 200, idle: 1 });
  });

  it("within its body has not sent a request: broken off", async () => {
    const stage = await openStage(side, { script: readOnly });
    const client = await stage.client();
    client.socket.end(`${stage.head("PUT", "Content-Length: 5\r\n")}ab`);
    await client.closed();
    expect(outcomeOf(client)).toBe("reset");
    await expectAftermath(stage, { errors: ["CLIENT_ABORTED"] });
  });

  it("while it gets its answer gets all of it, however long it takes", async () => {
    const stage = await openStage(side, { script: beginAnswer });
    const client = await stage.client();
    client.socket.end(stage.head());
    await client.until("begun");
    await stage.pass(HALF_CLOSED_MS + 1000);
    stage.upstreams[0]?.send("x".repeat(95));
    await client.closed();
    expect(outcomeOf(client)).toBe("200 whole");
    stage.upstreams[0]?.socket.end();
    await expectAftermath(stage, { errors: [undefined], status: 200 });
  });
});

describe.each(SIDES)("%s: a client that sends its body", (side) => {
  it.each([
    { why: "before its first byte", body: "" },
    { why: "within it", body: "ab" },
  ])("and falls silent $why: 408 after body_timeout", async ({ body }) => {
    const stage = await openStage(side, { script: readOnly });
    const client = await stage.client();
    client.send(stage.head("PUT", "Content-Length: 5\r\n") + body);
    await expect.poll(() => stage.upstreams[0]?.received, FAST).toMatch(new RegExp(`\r\n\r\n${body}$`));
    await stage.pass(LIMIT_MS.body);
    await client.closed();
    expect(outcomeOf(client)).toBe("408 FEDTRACE_BODY_TIMEOUT");
    await expectAftermath(stage, { errors: ["BODY_TIMEOUT"], status: 408 });
  });

  it("one byte after another, each within body_timeout, is waited for", async () => {
    const stage = await openStage(side);
    const client = await stage.client();
    client.send(stage.head("PUT", `${LAST}Content-Length: 4\r\n`));
    for (const byte of "abcd") {
      await client.deliver(byte);
      if (byte !== "d") await stage.pass(LIMIT_MS.body - 2000);
    }
    await client.closed();
    expect(outcomeOf(client)).toBe("200 whole");
    await expectAftermath(stage, { errors: [undefined], status: 200, idle: 1 });
  });

  it("with a fault in its chunks, while the answer has begun: broken off", async () => {
    const stage = await openStage(side, { script: beginAnswer });
    const client = await stage.client();
    client.send(`${stage.head("PUT", "Transfer-Encoding: chunked\r\n")}2\r\nab\r\n`);
    await client.until("begun");
    client.send("nonsense\r\n");
    await client.closed();
    expect(outcomeOf(client)).toBe("reset");
    await expectAftermath(stage, { errors: ["REQUEST_MALFORMED"], status: 200 });
  });
});

describe.each(SIDES)("%s: a client that keeps its connection", (side) => {
  it("and sends its next request just as the idle limit passes: an answer, or a clean end before a byte is looked at", async () => {
    const stage = await openStage(side);
    const client = await stage.client();
    client.send(stage.head());
    await client.until(OK);
    const passed = stage.pass(LIMIT_MS.idle);
    client.send(stage.head());
    await passed;
    if (!client.isEnded) await client.until(OK + OK);
    client.socket.end();
    await client.ended();
    const answers = client.received.split(OK).length - 1;
    expect(client.received).toBe(OK.repeat(answers));
    expect(client.errors).toEqual([]);
    expect(stage.upstreams[0]?.received.split("\r\n\r\n").length).toBe(answers + 1);
    expect(stage.metric("fedtrace_spans_started_total")).toBe(answers);
  });

  it("and sends it behind our end of the connection: it reaches nobody", async () => {
    const stage = await openStage(side);
    const client = await stage.client();
    client.socket.removeAllListeners("end");
    client.send(stage.head());
    await client.until(OK);
    await stage.pass(LIMIT_MS.idle);
    await expect.poll(() => client.socket.readableEnded, FAST).toBe(true);
    await client.deliver(stage.head());
    await stage.pass(2000); // What a client that never closes is given.
    expect(client.received).toBe(OK);
    await expectAftermath(stage, { errors: [undefined], status: 200 });
  });

  it("and nothing else is closed by us, and freed though it never closes its side", async () => {
    const stage = await openStage(side, { script: answerAll });
    const client = await stage.client();
    client.socket.removeAllListeners("end");
    client.send(stage.head("GET", LAST));
    await client.until("ok");
    await stage.pass(2000);
    await expectAftermath(stage, { errors: [undefined], status: 200, idle: 1 });
  });
});
