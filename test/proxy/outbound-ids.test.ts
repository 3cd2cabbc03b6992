/**
 * `propagation.outbound_ids: per_peer`: what two destinations of one trace are given, what of it is the same, and how our spans
 * lead from one to the other. Real sockets; several workers are in test/cli/workers.test.ts.
 */

import { createHmac } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { toJaegerSpan } from "../../src/admin/jaeger-json.ts";
import { createRandom } from "../../src/core/random.ts";
import { createOutboundIdKey, createOutboundIds, traceIdOf } from "../../src/proxy/outbound-ids.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { inboundTo } from "../support/sidecar.ts";
import { exchangeRaw, OK_RESPONSE, rawClient, recordingUpstream } from "../support/wire.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const CONTEXT = { traceId: TRACE, spanId: SPAN, isSampled: true, isRandom: false, traceState: "a=1" };
const KEY: Uint8Array = new Uint8Array(32).fill(7);
const random = createRandom();

describe("a destination's trace id", () => {
  it("is the beginning of a keyed hash of ours and its name", async () => {
    const ids = await createOutboundIds(KEY, random);
    const hash = createHmac("sha256", KEY).update(`${TRACE}peer.test:8448`).digest("hex");
    expect(ids.contextFor(CONTEXT, "peer.test:8448").traceId).toBe(hash.slice(0, 32));
  });

  const first = { key: KEY, name: "peer.test:8448", traceId: TRACE };
  it.each([
    { why: "asked again", second: first, isSame: true },
    { why: "letter case is no part of a name", second: { ...first, name: "Peer.TEST:8448" }, isSame: true },
    { why: "nor is the root's dot", second: { ...first, name: "peer.test.:8448" }, isSame: true },
    { why: "another destination", second: { ...first, name: "peers.test:8448" }, isSame: false },
    { why: "another port is another name", second: { ...first, name: "peer.test" }, isSame: false },
    { why: "another trace", second: { ...first, traceId: TRACE.replace("4", "5") }, isSame: false },
    { why: "another key: after a restart", second: { ...first, key: createOutboundIdKey() }, isSame: false },
  ])("$why: the same is $isSame", async ({ second, isSame }) => {
    const idOf = async ({ key, name, traceId }: typeof first) =>
      (await createOutboundIds(key, random)).contextFor({ ...CONTEXT, traceId }, name).traceId;
    expect((await idOf(first)) === (await idOf(second))).toBe(isSame);
  });

  it.each([
    { why: "all zero is no id", digest: "0".repeat(64), expected: `${"0".repeat(31)}1` },
    {
      why: "only its beginning counts",
      digest: "0".repeat(32) + "1".repeat(32),
      expected: `${"0".repeat(31)}1`,
    },
    { why: "any other stays", digest: `${"0".repeat(31)}2${"0".repeat(32)}`, expected: `${"0".repeat(31)}2` },
  ])("is never all zero: $why", ({ digest, expected }) => {
    expect(traceIdOf(digest)).toBe(expected);
  });

  it.each([
    { isSampled: true, isRandom: false },
    { isSampled: false, isRandom: true },
  ])("comes with a span id of its own, and of ours the sampled flag alone: $isSampled", async (flags) => {
    const ids = await createOutboundIds(KEY, random);
    const [one, two] = ["a.test", "a.test"].map((name) => ids.contextFor({ ...CONTEXT, ...flags }, name));
    expect(one).toMatchObject({ isSampled: flags.isSampled, isRandom: true, traceState: "" });
    expect(new Set([one?.spanId, two?.spanId, SPAN]).size).toBe(3);
    expect(one?.spanId).toMatch(/^[0-9a-f]{16}$/);
  });

  it("never repeats over 10,000 destinations and traces", async () => {
    const ids = await createOutboundIds(createOutboundIdKey(), random);
    const seen = new Set<string>();
    for (let index = 0; index < 5000; index++) {
      seen.add(ids.contextFor(CONTEXT, `server${index}.test`).traceId);
      seen.add(ids.contextFor({ ...CONTEXT, traceId: random.traceId() }, "a.test").traceId);
    }
    expect(seen.size).toBe(10_000);
  });
});

const OUTBOUND = { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] };
const WHITELIST = ["(a|b)\\.test"];
const PER_PEER = { outbound_ids: "per_peer" };
const FORMATS = ["w3c", "jaeger", "b3", "b3multi"];

async function start(propagation: object, more: object = {}): Promise<TestSidecar> {
  const sidecar = await startInProcess({ outbound: OUTBOUND, whitelist: WHITELIST, propagation, ...more });
  onTestFinished(() => sidecar.sidecar.stop());
  return sidecar;
}

async function startPeer(...answer: Parameters<typeof recordingUpstream>) {
  const peer = await recordingUpstream(...answer);
  onTestFinished(() => peer.stop());
  return peer;
}

/** Everything that the own server may send of one trace. */
const OWN_TRACE = [
  `traceparent: 00-${TRACE}-${SPAN}-01`,
  "tracestate: own=1",
  `uber-trace-id: ${TRACE}:${SPAN}:1111111111111111:1`,
  `b3: ${TRACE}-${SPAN}-1-1111111111111111`,
  `x-b3-traceid: ${TRACE}`,
  `x-b3-spanid: ${SPAN}`,
  "x-b3-parentspanid: 1111111111111111",
  "x-b3-sampled: 1",
  "baggage: user=alice",
  "uberctx-user: alice",
  `x-trace-id: ${TRACE}`,
  `synapse-trace-id: ${TRACE}`,
];

async function send(
  sidecar: TestSidecar,
  authority: string,
  lines = OWN_TRACE,
  path = "/x",
): Promise<string> {
  const head = [
    `GET http://${authority}${path} HTTP/1.1`,
    `Host: ${authority}`,
    ...lines,
    "Connection: close",
  ];
  return exchangeRaw(sidecar.port.outbound, `${head.join("\r\n")}\r\n\r\n`);
}

/** Whatever could be an id, or a part of one. */
function idsIn(head: string): string[] {
  return head.match(/[0-9a-f]{8,}/gi) ?? [];
}

function peerLink(span: SpanRecord | undefined) {
  return span?.fields.links.find(({ attributes }) => attributes["fedtrace.link"] === "per_peer")?.context;
}

describe("two destinations of one trace", () => {
  it.each([...FORMATS.map((format) => [format]), FORMATS, []])(
    "share no id: %s, %s, %s, %s",
    async (...formats) => {
      const listed = formats.filter((format) => typeof format === "string");
      const sidecar = await start({ ...PER_PEER, formats: listed });
      const peer = await startPeer();
      const heads: string[] = [];
      for (const host of ["a.test", "b.test", "a.test"]) {
        const known = peer.received().length;
        await send(sidecar, `${host}:${peer.port}`);
        heads.push(peer.received().slice(known));
      }
      const [one = "", two = "", again = ""] = heads;
      expect(idsIn(one)).toHaveLength(2 * listed.length); // A trace's and a span's.
      expect(idsIn(one).filter((id) => idsIn(two).includes(id))).toEqual([]);
      expect(`${one}${two}`).not.toMatch(/tracestate|baggage|uberctx|alice|x-trace-id|synapse/i);
      for (const ours of [TRACE, SPAN, "1111111111111111"]) expect(`${one}${two}`).not.toContain(ours);
      // What is left beside ids and the host is the same, and is the own server's.
      const bare = (head: string) =>
        head.replaceAll(/[0-9a-f]{16,}/g, "ID").replaceAll(/[ab]\.test/g, "HOST");
      expect(bare(one)).toBe(bare(two));
      // The same destination is given the same trace, and another span.
      expect(new Set(idsIn(again).filter((id) => id.length === 32))).toEqual(
        new Set(idsIn(one).filter((id) => id.length === 32)),
      );
      expect(idsIn(again).filter((id) => id.length === 16 && one.includes(id))).toEqual([]);
    },
  );
});

describe("our client spans", () => {
  it("are in our trace, and each leads to what its peer knows", async () => {
    const sidecar = await start(PER_PEER, { admin: { listen: "127.0.0.1:0" } });
    const peer = await startPeer();
    await send(sidecar, `a.test:${peer.port}`);
    await send(sidecar, `b.test:${peer.port}`);
    const spans = await sidecar.spansOf(2);
    const sent = [...peer.received().matchAll(/traceparent: 00-(\w{32})-(\w{16})-03/g)];
    for (const [index, span] of spans.entries()) {
      const [, traceId, spanId] = sent[index] ?? [];
      expect(span.spanContext().traceId).toBe(TRACE);
      expect(span.parentSpanContext?.spanId).toBe(SPAN);
      expect(span.attributes["fedtrace.peer.trace_id"]).toBe(traceId);
      expect(span.fields.links).toEqual([
        {
          context: { traceId, spanId, isSampled: true, isRandom: true, traceState: "" },
          attributes: { "fedtrace.link": "per_peer" },
        },
      ]);
    }
    // Whoever was told the peer's id finds our trace by it.
    const tags = encodeURIComponent(JSON.stringify({ "fedtrace.peer.trace_id": sent[1]?.[1] }));
    const answer = await fetch(
      `http://127.0.0.1:${sidecar.port.admin}/api/traces?service=own.test%20fedtrace&tags=${tags}`,
    );
    const { data } = (await answer.json()) as {
      data: readonly { traceID: string; spans: readonly Json[] }[];
    };
    expect(data.map(({ traceID }) => traceID)).toEqual([TRACE]);
    expect(data[0]?.spans[1]?.references).toEqual([
      { refType: "CHILD_OF", traceID: TRACE, spanID: SPAN },
      { refType: "FOLLOWS_FROM", traceID: sent[1]?.[1], spanID: sent[1]?.[2] },
    ]);
  });

  it("of a trace that begins here name no span of it: Jaeger's page takes the first reference for the parent", async () => {
    const sidecar = await start(PER_PEER);
    const peer = await startPeer();
    await send(sidecar, `a.test:${peer.port}`, []);
    const [span] = await sidecar.spansOf(1);
    if (span === undefined) throw new Error("there is no span");
    const jaeger = toJaegerSpan(span, { processID: "p1", warnings: undefined, isRaw: false });
    expect(jaeger.references).toHaveLength(1);
    expect(jaeger.references[0]?.spanID).not.toBe(jaeger.spanID);
    expect(peer.received()).not.toContain(jaeger.spanID);
  });

  it("of two attempts name the same trace at the peer, each with a span of its own", async () => {
    let isFirst = true;
    const peer = await startPeer((_head, socket) => {
      if (!isFirst && peer.connections.length === 1) return void socket.end();
      isFirst = false;
      return OK_RESPONSE;
    });
    const sidecar = await start(PER_PEER);
    await send(sidecar, `a.test:${peer.port}`);
    await send(sidecar, `a.test:${peer.port}`);
    const [, failed, last] = await sidecar.spansOf(3);
    expect(failed?.attributes["error.type"]).toBe("UPSTREAM_CLOSED");
    expect(peerLink(last)?.traceId).toBe(peerLink(failed)?.traceId);
    expect(peerLink(last)?.spanId).not.toBe(peerLink(failed)?.spanId);
    expect(last?.links.map(({ attributes }) => attributes?.["fedtrace.link"])).toEqual([
      "resend",
      "per_peer",
    ]);
    expect(last?.links[0]?.context).toMatchObject({ traceId: TRACE, spanId: failed?.spanContext().spanId });
    expect(peer.connections[1]?.received).toContain(`-${peerLink(last)?.spanId}-`);
  });

  it.each([
    { why: "a stranger", authority: "stranger.test", path: "/x" },
    { why: "a peer that can't be reached", authority: "a.test", path: undefined },
  ])("say nothing of an id that was not sent: $why", async ({ authority, path }) => {
    const sidecar = await start(PER_PEER);
    const peer = await startPeer();
    if (path === undefined) peer.stop();
    await send(sidecar, `${authority}:${peer.port}`);
    const [span] = await sidecar.spansOf(1);
    expect(peerLink(span)).toBeUndefined();
    expect(span?.attributes["fedtrace.peer.trace_id"]).toBeUndefined();
  });

  it("of a tunnel say nothing either: nothing is sent into it", async () => {
    const sidecar = await start(PER_PEER);
    const peer = await startPeer();
    const client = await rawClient(sidecar.port.outbound);
    client.send(`CONNECT a.test:${peer.port} HTTP/1.1\r\nHost: a.test:${peer.port}\r\n\r\n`);
    await client.until((received) => received.includes(" 200 "));
    client.socket.destroy();
    const [span] = await sidecar.spansOf(1);
    expect(span?.fields.links).toEqual([]);
    expect(span?.attributes["fedtrace.peer.trace_id"]).toBeUndefined();
  });
});

interface Json {
  readonly references: unknown;
}

describe("what is not sampled", () => {
  it("is given ids of its own all the same", async () => {
    const sidecar = await start(PER_PEER, { sampling: { type: "const", param: 0 } });
    const peer = await startPeer();
    await send(sidecar, `a.test:${peer.port}`, [`traceparent: 00-${TRACE}-${SPAN}-00`]);
    expect(peer.received()).toMatch(/traceparent: 00-\w{32}-\w{16}-02\r\n/);
    expect(peer.received()).not.toContain(TRACE);
  });
});

describe("the own server", () => {
  it("is given our ids, and the trace that a peer calls back within goes on", async () => {
    const own = await startPeer();
    const sidecar = await start(PER_PEER, { inbound: inboundTo(own.port) });
    const peer = await startPeer();
    await send(sidecar, `a.test:${peer.port}`);
    const known = idsIn(peer.received())[0] ?? "";
    const callback = `GET /x HTTP/1.1\r\nHost: own.test\r\nAuthorization: X-Matrix origin="a.test",key="k",sig="s"\r\ntraceparent: 00-${known}-2222222222222222-01\r\nConnection: close\r\n\r\n`;
    await exchangeRaw(sidecar.port.inbound, callback);
    const [sent, back] = await sidecar.spansOf(2);
    expect(back?.attributes["fedtrace.context"]).toBe("extracted");
    expect(back?.spanContext().traceId).toBe(peerLink(sent)?.traceId);
    expect(own.received()).toContain(`traceparent: 00-${known}-${back?.spanContext().spanId}-`);
  });
});

describe("a reload", () => {
  it("gives each its own from then on, and the same again after another", async () => {
    const sidecar = await start({});
    const peer = await startPeer();
    const documentOf = (propagation: object) => ({ outbound: OUTBOUND, whitelist: WHITELIST, propagation });
    const given: string[] = [];
    for (const propagation of [{}, PER_PEER, {}, PER_PEER]) {
      expect(await sidecar.reload(documentOf(propagation))).toEqual([]);
      const known = peer.received().length;
      await send(sidecar, `a.test:${peer.port}`);
      given.push(idsIn(peer.received().slice(known))[0] ?? "");
    }
    expect(given[0]).toBe(TRACE);
    expect(given[1]).not.toBe(TRACE);
    expect(given.slice(2)).toEqual(given.slice(0, 2));
  });
});
