/**
 * Header-size floods. Heads as large and as many as a server takes fill its memory, and a proxy that adds lines pushes the
 * request over the bound of the server behind, which then refuses what it would have taken.
 *
 * Source: CVE-2018-12121 (Node.js: many requests with heads of nearly 80 KB), CVE-2018-12122 (the same, slowly);
 * https://www.w3.org/TR/trace-context-2/#tracestate-limits for what a state may cost.
 * Without the rule: some thousand connections of one client hold gigabytes. The bounds of any head are in
 * test/http1/conformance/limits.test.ts; here is what tracing adds to them.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawClient } from "../support/wire.ts";
import {
  type Attacked,
  FRIEND,
  injectedIn,
  linesOf,
  SENDERS,
  SPAN,
  startAttacked,
  TRACE,
} from "./attacked.ts";

/** The defaults of `limits.head` and `limits.headers`. */
const HEAD_BYTES = 65_536;
const HEAD_LINES = 200;
/** All that the border writes into a request: X-Forwarded-* and one context in every format, without a state. */
const ADDED_BYTES_MAX = 512;
/** What a peer's tracestate may be (contract, section 9). */
const STATE_LENGTH_MAX = 512;
const STATE_MEMBERS_MAX = 32;

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({
    propagation: { formats: ["w3c", "jaeger", "b3", "b3multi"] },
    limits: { head_timeout: "1s" },
  });
});
afterAll(() => attacked.stop());

/** Of a request by passIn: all but the lines that are given to it. */
const FIXED_BYTES = "GET /x HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n\r\n".length;

function paddingTo(bytes: number, name: string, lines: readonly string[]): string {
  const used = FIXED_BYTES + lines.reduce((sum, line) => sum + line.length + 2, 0);
  return `${name}: ${"x".repeat(bytes - used - name.length - 4)}`;
}

describe("a head of trace headers", () => {
  it.each([
    { why: "as many bytes as there may be", extra: 0, status: 200 },
    { why: "one byte more", extra: 1, status: 431 },
  ])("has the bounds of any other: $why", async ({ extra, status }) => {
    for (const [, origin] of SENDERS) {
      const lines = [...origin, paddingTo(HEAD_BYTES + extra, "tracestate", origin)];
      const { arrived, received } = await attacked.passIn(lines);
      expect(received).toContain(`HTTP/1.1 ${status} `);
      expect(arrived === "").toBe(status === 431);
    }
  });

  it.each([
    { why: "as many lines as there may be", lines: HEAD_LINES - 2, status: 200 },
    { why: "one line more", lines: HEAD_LINES - 1, status: 431 },
  ])("counts before anything is taken out: $why", async ({ lines, status }) => {
    const flood = Array.from({ length: lines }, (_, at) => `uberctx-${at}: 1`);
    const { received } = await attacked.passIn(flood);
    expect(received).toContain(`HTTP/1.1 ${status} `);
  });

  it("of names without end is one too", async () => {
    const { received } = await attacked.passIn([`uberctx-${"x".repeat(HEAD_BYTES)}: 1`]);
    expect(received).toContain("HTTP/1.1 431 ");
  });
});

describe("what the border adds", () => {
  it("is as much for the largest head as for the smallest", async () => {
    for (const [, origin] of SENDERS) {
      const padding = paddingTo(HEAD_BYTES, "X-Kept", origin);
      const known = attacked.upstream.received().length;
      const arrived = (): string => attacked.upstream.received().slice(known);
      const client = await rawClient(attacked.port.inbound);
      const lines = ["GET /x HTTP/1.1", "Host: own.test", ...origin, padding, "Connection: close"];
      client.send(`${lines.join("\r\n")}\r\n\r\n`);
      // The test's server answers no head of this size.
      await expect.poll(arrived).toMatch(/\r\n\r\n$/);
      client.socket.resetAndDestroy();
      expect(arrived()).toContain(padding);
      expect(arrived().length).toBeLessThanOrEqual(HEAD_BYTES + ADDED_BYTES_MAX);
    }
  });

  it("is no more for a sender who sent every format many times over", async () => {
    const sent = Array.from({ length: 60 }, () => [
      `traceparent: 00-${TRACE}-${SPAN}-01`,
      `uber-trace-id: ${TRACE}:${SPAN}:0:1`,
      `b3: ${TRACE}-${SPAN}-1`,
    ]).flat();
    const { arrived } = await attacked.passIn([FRIEND, ...sent]);
    expect(arrived.length).toBeLessThanOrEqual(FIXED_BYTES + FRIEND.length + ADDED_BYTES_MAX);
    expect(linesOf(arrived).filter((line) => line.startsWith("traceparent:"))).toHaveLength(1);
    expect(injectedIn(arrived).traceId).not.toBe(TRACE); // Repeated, none of them is one.
  });
});

describe("a peer's tracestate", () => {
  const member = (length: number): string => `k=${"v".repeat(length - 2)}`;

  it.each([
    { why: "as long as it may be", state: `${member(256)},${member(255)}`, isPassed: true },
    { why: "longer by one", state: `${member(256)},${member(256)}`.replace(",k", ",l"), isPassed: false },
    {
      why: "as many members as there may be",
      state: Array.from({ length: STATE_MEMBERS_MAX }, (_, at) => `k${at}=v`).join(),
      isPassed: true,
    },
    {
      why: "one member more",
      state: Array.from({ length: STATE_MEMBERS_MAX + 1 }, (_, at) => `k${at}=v`).join(),
      isPassed: false,
    },
  ])(
    "goes on only within its bounds, and the context goes on without it: $why",
    async ({ state, isPassed }) => {
      const { arrived, span } = await attacked.passIn([
        FRIEND,
        `traceparent: 00-${TRACE}-${SPAN}-01`,
        `tracestate: ${state}`,
      ]);
      expect(span?.spanContext().traceId).toBe(TRACE);
      const [kept, ...more] = linesOf(arrived).filter((line) => line.startsWith("tracestate:"));
      expect(kept !== undefined).toBe(isPassed);
      expect(more).toEqual([]);
      expect((kept ?? "").length).toBeLessThanOrEqual("tracestate: ".length + STATE_LENGTH_MAX);
    },
  );

  it("in many lines has the bound of one (as CVE-2026-29181 had not for baggage)", async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `tracestate: k${at}=${"v".repeat(30)}`);
    const { arrived } = await attacked.passIn([FRIEND, `traceparent: 00-${TRACE}-${SPAN}-01`, ...lines]);
    expect(injectedIn(arrived).traceId).toBe(TRACE);
    expect(arrived).not.toContain("tracestate");
  });
});

describe("trailers", () => {
  it("of a trace header that never ends are answered 431", async () => {
    const client = await rawClient(attacked.port.inbound);
    const head = "PUT /x HTTP/1.1\r\nHost: own.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    attacked.answerWith("");
    client.send(`${head}baggage: ${"a".repeat(70_000)}`);
    expect((await client.closed()).received).toContain("431 ");
    attacked.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
});

describe("heads that never end", () => {
  it("of many connections are let go together once their time is over, and the next request is answered", async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => rawClient(attacked.port.inbound)));
    for (const client of clients)
      client.send(`GET /x HTTP/1.1\r\nHost: own.test\r\nbaggage: ${"x".repeat(60_000)}`);
    const ends = await Promise.all(clients.map((client) => client.closed()));
    expect(ends.filter(({ received }) => !/^(?:HTTP\/1\.1 408 |$)/.test(received))).toEqual([]);
    expect((await attacked.passIn([])).received).toMatch(/^HTTP\/1\.1 200 /);
    await expect.poll(async () => (await attacked.scrape()).get("fedtrace_connections")).toBe(0);
  });
});
