/**
 * Correlation. One trace id in the requests to many servers tells them, when they compare notes, that all of them came of one
 * act: who is in which room, which two accounts are one person's, what a server asks for when it gets what.
 *
 * Source: https://www.w3.org/TR/trace-context-2/#privacy-considerations ("the ability to correlate calls made as part of a
 * single transaction", https://github.com/w3c/trace-context/pull/216); https://github.com/w3c/trace-context/issues/393.
 * Without the rule: every server that a message is sent to learns an id that all others got too.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { TRACE_FIELDS } from "../../src/propagation/trace-fields.ts";
import { exchangeRaw, rawClient } from "../support/wire.ts";
import {
  type Attacked,
  FRIEND,
  injectedIn,
  linesOf,
  SPAN,
  STRANGER,
  startAttacked,
  TRACE,
} from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ propagation: { formats: ["w3c", "jaeger", "b3", "b3multi"] } });
});
afterAll(() => attacked.stop());
beforeEach(() => attacked.answerWith(OK_ANSWER));

const OK_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/** What an own server that traces sends with each request, and what its libraries may add. */
const OWN_CONTEXT = [
  `traceparent: 00-${TRACE}-${SPAN}-01`,
  "tracestate: own=1",
  `Uber-Trace-Id: ${TRACE}%3A${SPAN}%3A0%3A1`,
  `b3: ${TRACE}-${SPAN}-1`,
  `X-B3-TraceId: ${TRACE}`,
  `X-B3-SpanId: ${SPAN}`,
  `baggage: user=${TRACE}`,
];

/** A name of each row of the table; a prefix with an ending. */
const NAMES = [
  ...new Set(TRACE_FIELDS.filter(({ kind }) => kind !== "server-timing").map(({ name }) => name)),
].map((name) => (name.endsWith("*") ? `${name.slice(0, -1)}any` : name));

describe("one act of the own server, to many hosts", () => {
  it("gives its ids to those on the whitelist, and nothing alike to any two others", async () => {
    const strangers = [
      "one.test",
      "two.test",
      "notfriend.test",
      "friend.test.evil.test",
      "xn--frend-3va.test",
    ];
    for (const host of strangers) {
      const { arrived, span } = await attacked.passOut(host, OWN_CONTEXT);
      expect(span?.spanContext().traceId).toBe(TRACE); // The own trace goes on, and nobody is told.
      const lines = linesOf(arrived).filter((line) => !line.startsWith("host:"));
      expect(lines).toEqual([]);
    }
    const { arrived, span } = await attacked.passOut("friend.test", OWN_CONTEXT);
    expect(injectedIn(arrived)).toMatchObject({ traceId: TRACE, spanId: span?.spanContext().spanId });
    expect(arrived).not.toContain(SPAN);
  });

  it("under whatever name it is said", async () => {
    const lines = NAMES.map((name) => `${name}: ${TRACE}`);
    const { arrived } = await attacked.passOut("stranger.test", lines);
    expect(linesOf(arrived).filter((line) => line.includes(TRACE))).toEqual([]);
  });

  it("nor by a request that failed before, and is sent again", async () => {
    const put = (host: string): Promise<string> => {
      const authority = `${host}:${attacked.upstream.port}`;
      const lines = [`Host: ${authority}`, ...OWN_CONTEXT, "Content-Length: 0", "Connection: close"];
      const line = `PUT http://${authority}/_matrix/federation/v1/send/txn1 HTTP/1.1`;
      return exchangeRaw(attacked.port.outbound, [line, ...lines, "", ""].join("\r\n"));
    };
    attacked.answerWith("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    const known = attacked.upstream.received().length;
    await put("stranger.test");
    attacked.answerWith(OK_ANSWER);
    await put("stranger.test");
    expect(attacked.upstream.received().slice(known)).not.toMatch(new RegExp(`${TRACE}|${SPAN}`));
  });

  it("nor by a tunnel, whose head is the sidecar's alone", async () => {
    const known = attacked.upstream.received().length;
    const lines = [
      `CONNECT friend.test:${attacked.upstream.port} HTTP/1.1`,
      "Host: x",
      ...OWN_CONTEXT,
      "",
      "",
    ];
    const client = await rawClient(attacked.port.outbound);
    client.send(lines.join("\r\n"));
    await client.until((received) => received.includes("\r\n\r\n"));
    expect(client.received()).not.toContain(TRACE);
    client.socket.destroy();
    expect(attacked.upstream.received().slice(known)).toBe("");
  });
});

describe("one act of the own server, to two friends", () => {
  /** Whatever could be an id, or a part of one. */
  const idsOf = (arrived: string): readonly string[] => arrived.match(/[0-9a-f]{8,}/gi) ?? [];

  /** @returns what two whitelisted servers have in common when they compare notes */
  async function sharedBy(
    outbound_ids: string,
  ): Promise<{ ids: readonly string[]; heads: readonly string[] }> {
    const formats = ["w3c", "jaeger", "b3", "b3multi"];
    const sidecar = await startAttacked({ propagation: { formats, outbound_ids } });
    onTestFinished(() => sidecar.stop());
    const one = await sidecar.passOut("friend.test", OWN_CONTEXT);
    const other = await sidecar.passOut("trusted.test", OWN_CONTEXT);
    for (const { span } of [one, other]) expect(span?.spanContext().traceId).toBe(TRACE); // It goes on here.
    const heads = [one.arrived, other.arrived];
    for (const head of heads) expect(idsOf(head)).toHaveLength(2 * formats.length);
    return { ids: idsOf(one.arrived).filter((id) => idsOf(other.arrived).includes(id)), heads };
  }

  it("shared: tells both that it is one, which is what a trace is for", async () => {
    const { ids, heads } = await sharedBy("shared");
    expect(new Set(ids)).toEqual(new Set([TRACE]));
    for (const head of heads) expect(linesOf(head)).toContain("tracestate: own=1");
  });

  it("per_peer: gives them nothing alike, in any format, but what both were asked", async () => {
    const { ids, heads } = await sharedBy("per_peer");
    expect(ids).toEqual([]);
    for (const head of heads)
      expect(head).not.toMatch(new RegExp(`${TRACE}|${SPAN}|tracestate|baggage`, "i"));
    const [one, other] = heads.map((head) =>
      head.replaceAll(/[0-9a-f]{8,}/gi, "ID").replaceAll(/\w+\.test/g, "HOST"),
    );
    expect(one).toBe(other);
  });
});

describe("an answer of the own server", () => {
  const SHOWN = ["trace-id", "x-trace", ...NAMES];
  const answer = [
    "HTTP/1.1 200 OK",
    ...SHOWN.map((name) => `${name}: ${TRACE}`),
    `Server-Timing: traceparent;desc="00-${TRACE}-${SPAN}-01", db;dur=3, Trace;desc="${TRACE}"`,
    "Content-Length: 2",
    "",
    "ok",
  ].join("\r\n");

  it.each([
    { who: "a stranger", lines: [STRANGER] },
    { who: "somebody without a name", lines: [] },
    { who: "a stranger who sent the id himself", lines: [STRANGER, `traceparent: 00-${TRACE}-${SPAN}-01`] },
    { who: "one who names two servers", lines: [FRIEND, STRANGER] },
  ])("names no trace to $who", async ({ lines }) => {
    attacked.answerWith(answer);
    const { received } = await attacked.passIn(lines);
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(received).not.toContain(TRACE);
    expect(received).toContain("db;dur=3");
  });

  it("nor does one of the sidecar's own, when the server can't be reached", async () => {
    attacked.answerWith("nonsense");
    for (const lines of [[STRANGER], [FRIEND]]) {
      const { received, span } = await attacked.passIn([...lines, `traceparent: 00-${TRACE}-${SPAN}-01`]);
      expect(received).toMatch(/^HTTP\/1\.1 50\d /);
      expect(received).not.toContain(span?.spanContext().traceId ?? TRACE);
    }
  });

  it("to TRACE does not show what was injected behind the border", async () => {
    const { received, arrived } = await attacked.passIn([FRIEND], { line: "TRACE /x" });
    expect(received).toMatch(/^HTTP\/1\.1 501 /);
    expect(arrived).toBe("");
  });
});

describe("an answer of a peer", () => {
  it("that names a trace tells the own server so only where the peer is whitelisted", async () => {
    attacked.answerWith(
      `HTTP/1.1 200 OK\r\ntraceresponse: 00-${TRACE}-${SPAN}-01\r\nContent-Length: 2\r\n\r\nok`,
    );
    expect((await attacked.passOut("stranger.test", [])).received).not.toContain(TRACE);
    expect((await attacked.passOut("friend.test", [])).received).toContain(TRACE);
  });
});

describe("ids", () => {
  it("of strangers' requests have nothing in common, and none is guessed from another", async () => {
    const ids: string[] = [];
    for (let count = 0; count < 50; count++)
      ids.push(injectedIn((await attacked.passIn([STRANGER])).arrived).traceId);
    expect(new Set(ids).size).toBe(ids.length);
    // No digit stands still and none counts up: of 50 random ones, the same digit everywhere has a chance of 16^-49.
    for (let digit = 0; digit < 32; digit++)
      expect(new Set(ids.map((id) => id[digit])).size).toBeGreaterThan(1);
    expect([...ids].sort()).not.toEqual(ids);
  });
});
