/** A drain in every phase of a connection: what is open may end, within limits.drain; what is not over then is told so. */

import { describe, expect, it } from "vitest";
import { type RawPeer, turn } from "../../http1/sockets.ts";
import {
  LIMIT_MS,
  OK,
  openStage,
  outcomeOf,
  pour,
  type Script,
  type Side,
  type Stage,
  untilSteady,
  FAST,
} from "./stage.ts";

const SIDES: readonly Side[] = ["inbound", "outbound"];
const readOnly: Script = () => undefined;
const beginAnswer: Script = async (peer) => {
  await peer.until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbegu");
};
const beginEndless: Script = async (peer) => {
  await peer.until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\n\r\nbegu");
};
const LARGE = 16_000_000;

interface Phase {
  readonly phase: string;
  readonly script: Script;
  /** What the client has sent when the drain begins. */
  readonly sent: (stage: Stage) => string;
  /** What it got by then. */
  readonly got?: string;
  /** Ends the request. */
  readonly end?: (upstream: RawPeer | undefined, client: RawPeer) => void;
  /** What it sees: where the request ends in time, and where it does not. */
  readonly seen: string;
  readonly cut: string;
  /** `error.type` of each span where it does not. */
  readonly errors: readonly (string | undefined)[];
}

const PHASES: readonly Phase[] = [
  {
    phase: "before a first request",
    script: readOnly,
    sent: () => "",
    seen: "nothing",
    cut: "nothing",
    errors: [],
  },
  {
    phase: "within a head",
    script: (peer) =>
      void peer.until("\r\n\r\n").then(
        () => peer.send(OK),
        () => undefined,
      ),
    sent: (stage) => stage.head().slice(0, -2),
    end: (_upstream, client) => client.send("\r\n"),
    seen: "200 whole",
    cut: "nothing",
    errors: [],
  },
  {
    phase: "within a body",
    script: (peer) =>
      void peer.until("abcde").then(
        () => peer.send(OK),
        () => undefined,
      ),
    sent: (stage) => `${stage.head("PUT", "Content-Length: 5\r\n")}ab`,
    end: (_upstream, client) => client.send("cde"),
    seen: "200 whole",
    cut: "503 FEDTRACE_DRAINING",
    errors: ["DRAINING"],
  },
  {
    phase: "before an answer",
    script: readOnly,
    sent: (stage) => stage.head(),
    end: (upstream) => upstream?.send(OK),
    seen: "200 whole",
    cut: "503 FEDTRACE_DRAINING",
    errors: ["DRAINING"],
  },
  {
    phase: "within an answer",
    script: beginAnswer,
    sent: (stage) => stage.head(),
    got: "begu",
    end: (upstream) => upstream?.send("n ok"),
    seen: "200 whole",
    cut: "reset",
    errors: ["DRAINING"],
  },
  {
    phase: "within an answer that ends with the connection",
    script: beginEndless,
    sent: (stage) => stage.head(),
    got: "begu",
    end: (upstream) => void upstream?.socket.end("n ok"),
    seen: "200 whole",
    cut: "reset",
    errors: ["DRAINING"],
  },
  {
    phase: "between two requests",
    script: (peer) => void peer.until("\r\n\r\n").then(() => peer.send(OK)),
    sent: (stage) => stage.head(),
    got: OK,
    seen: "200 whole",
    cut: "200 whole",
    errors: [undefined],
  },
  {
    phase: "with a request sent ahead",
    script: readOnly,
    sent: (stage) => stage.head() + stage.head(),
    end: (upstream) => upstream?.send(OK),
    seen: "200 whole",
    cut: "503 FEDTRACE_DRAINING",
    errors: ["DRAINING"],
  },
  {
    phase: "upgraded",
    script: (peer) =>
      void peer
        .until("\r\n\r\n")
        .then(() =>
          peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nbegu"),
        ),
    sent: (stage) => stage.head("GET", "Upgrade: x\r\nConnection: Upgrade\r\n"),
    got: "begu",
    end: (upstream) => void upstream?.socket.end(),
    seen: "nothing",
    cut: "nothing",
    errors: [undefined],
  },
];

async function openPhase(side: Side, { script, sent, got }: Phase, drain: string) {
  const stage = await openStage(side, { script, limits: { drain } });
  const client = await stage.client();
  const text = sent(stage);
  await client.deliver(text);
  if (text.includes("\r\n\r\n")) {
    await expect.poll(() => stage.upstreams[0]?.received, FAST).toMatch(/\r\n\r\n/);
  }
  if (got !== undefined) await client.until(got);
  await turn();
  return { stage, client };
}

/** An upgrade's answer has no end of its own. */
function seenBy(client: RawPeer): string {
  return client.received.startsWith("HTTP/1.1 101") ? "nothing" : outcomeOf(client);
}

describe.each(SIDES)("%s: a drain that begins", (side) => {
  it.each(PHASES)("$phase lets it end", async (row) => {
    const { stage, client } = await openPhase(side, row, "10s");
    const stopped = stage.sidecar.sidecar.stop();
    await turn();
    row.end?.(stage.upstreams[0], client);
    await client.closed();
    expect(seenBy(client)).toBe(row.seen);
    await stopped;
    expect(stage.metric("fedtrace_connections")).toBe(0);
    expect(stage.metric("fedtrace_errors_total")).toBe(0);
    expect(stage.sidecar.spans).toHaveLength(stage.metric("fedtrace_spans_started_total"));
  });

  it.each(PHASES)("$phase is cut when it is out of time", async (row) => {
    const { stage, client } = await openPhase(side, row, "0s");
    await stage.sidecar.sidecar.stop();
    await client.closed();
    expect(seenBy(client)).toBe(row.cut);
    expect(stage.sidecar.spans.map(({ attributes }) => attributes["error.type"])).toEqual(row.errors);
    expect(stage.metric("fedtrace_connections")).toBe(0);
    stage.upstreams[0]?.socket.end();
    await expect.poll(() => stage.metric("fedtrace_upstream_connections"), FAST).toBe(0);
  });

  it("before the client has read its answers ends once it has", async () => {
    const stage = await openStage(side, {
      async script(peer) {
        await peer.until("\r\n\r\n");
        peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`);
        pour(peer, LARGE);
      },
      limits: { drain: "10s" },
    });
    const client = await stage.client();
    client.send(stage.head());
    await client.until("\r\n\r\n");
    client.socket.pause();
    // All but what fits into the last buffers is read, then nothing: the answer is written, but waits for the client.
    await expect
      .poll(
        async () => {
          client.socket.resume();
          await turn();
          client.socket.pause();
          await untilSteady(() => client.received.length);
          return stage.sidecar.spans.length;
        },
        { interval: 1, timeout: 10_000 },
      )
      .toBe(1);
    const stopped = stage.sidecar.sidecar.stop();
    await turn();
    client.socket.resume();
    await client.ended();
    await stopped;
    expect(outcomeOf(client)).toBe("200 whole");
  });

  it("before a client that reads nothing ends with limits.body_timeout", async () => {
    const stage = await openStage(side, {
      async script(peer) {
        await peer.until("\r\n\r\n");
        peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`);
        pour(peer, LARGE);
      },
      limits: { drain: "10s" },
    });
    const client = await stage.client();
    client.send(stage.head());
    await client.until("\r\n\r\n");
    client.socket.pause();
    // Nothing waits at the upstream before it has begun, and then too it is steady.
    await expect.poll(() => stage.upstreams[0]?.socket.writableLength ?? 0, FAST).toBeGreaterThan(0);
    await untilSteady(() => stage.upstreams[0]?.socket.writableLength ?? 0);
    const stopped = stage.sidecar.sidecar.stop();
    const passAndLook = (): number => {
      stage.sidecar.advance(LIMIT_MS.body);
      return stage.sidecar.spans.length;
    };
    await expect.poll(passAndLook, FAST).toBe(1);
    await stopped;
    expect(stage.sidecar.spans.map(({ attributes }) => attributes["error.type"])).toEqual(["CLIENT_ABORTED"]);
  });
});
