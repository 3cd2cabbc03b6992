/**
 * Baggage floods. Baggage is anybody's text for every server behind; parsers bound one line and forget that there may be many,
 * and what is parsed is copied into every request that follows.
 *
 * Source: CVE-2026-29181 (GHSA-mh2q-q3fh-2475): OpenTelemetry-Go parsed each `baggage` line by itself, 10 MB a request;
 * CVE-2026-40894: OpenTelemetry .NET split baggage, B3 and Jaeger values into thousands of objects.
 * Without the rule: one request of 64 KiB costs the servers behind megabytes, and its text stands in their logs and spans.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawClient } from "../support/wire.ts";
import { type Attacked, FRIEND, linesOf, SENDERS, startAttacked } from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
});
afterAll(() => attacked.stop());

/** In every value that is sent here, and nowhere else. */
const MARK = "bmark";
const OK = /^HTTP\/1\.1 200 /;

function many(count: number, line: (at: number) => string): readonly string[] {
  return Array.from({ length: count }, (_, at) => line(at));
}

const FLOODS: readonly { readonly why: string; readonly lines: readonly string[] }[] = [
  { why: "as many lines as a head may have", lines: many(180, (at) => `baggage: k${at}=${MARK}${at}`) },
  {
    why: "lines of nearly all that a head may have",
    lines: many(7, (at) => `baggage: k${at}=${MARK}${"x".repeat(8180)}`),
  },
  {
    why: "one line of 8,000 members",
    lines: [`baggage: ${many(8000, (at) => `${MARK}=${at % 10}`).join()}`],
  },
  { why: "separators and nothing between", lines: [`baggage: ${MARK}${",;=".repeat(20_000)}`] },
  { why: "percent signs, some with digits", lines: [`baggage: a=${MARK}${"%ZZ%E0%4".repeat(7000)}`] },
  { why: "properties without end", lines: [`baggage: a=${MARK}${";p".repeat(30_000)}`] },
  { why: "bytes that are no text", lines: [`baggage: a=${MARK}\x80\xff\xc3(`] },
  { why: "Jaeger: a header a key", lines: many(180, (at) => `Uberctx-k${at}: ${MARK}`) },
  {
    why: "Jaeger: one key in many cases",
    lines: many(100, (at) => `${at % 2 ? "UBERCTX" : "uberctx"}-k: ${MARK}`),
  },
  {
    why: "Jaeger: all in one",
    lines: [`jaeger-baggage: ${many(3000, (at) => `k${at}=${MARK}`).join(", ")}`],
  },
  { why: "OpenTracing", lines: many(180, (at) => `ot-baggage-k${at}: ${MARK}`) },
  { why: "Sleuth and Haystack", lines: many(180, (at) => `Baggage-k${at}: ${MARK}`) },
  { why: "Datadog", lines: [`x-datadog-tags: ${many(3000, (at) => `_dd.p.k${at}=${MARK}`).join()}`] },
  { why: "Microsoft", lines: [`Correlation-Context: ${many(3000, (at) => `k${at}=${MARK}`).join()}`] },
  { why: "SkyWalking", lines: [`sw8-correlation: ${MARK}${"YQ==:YQ==,".repeat(5000)}`] },
  { why: "OpenCensus, in binary", lines: [`grpc-tags-bin: ${MARK}${"AAAA".repeat(5000)}`] },
  { why: "Wavefront", lines: many(180, (at) => `wf-ot-k${at}: ${MARK}`) },
  { why: "Alibaba", lines: [`eagleeye-userdata: ${MARK}${"x".repeat(40_000)}`] },
];

describe("a flood", () => {
  it.each(FLOODS)("reaches nobody, is counted line by line and breaks nothing: $why", async ({ lines }) => {
    for (const [who, origin] of SENDERS) {
      const { arrived, received, span } = await attacked.passIn([...origin, "X-Kept: 1", ...lines]);
      expect(received, who).toMatch(OK);
      expect(arrived, who).not.toContain(MARK);
      expect(arrived, who).toContain("X-Kept: 1");
      expect(span?.attributes["fedtrace.headers.removed"], who).toBe(lines.length);
    }
  });

  it.each(FLOODS)("of the own server reaches no peer, a whitelisted one neither: $why", async ({ lines }) => {
    for (const host of ["friend.test", "stranger.test"]) {
      const { arrived, received } = await attacked.passOut(host, lines);
      expect(received).toMatch(OK);
      expect(arrived).not.toContain(MARK);
    }
  });
});

describe("a flood where nobody looks", () => {
  const flood = many(150, (at) => `Baggage: k${at}=${MARK}\r\nUberctx-${at}: ${MARK}`)
    .slice(0, 75)
    .join("\r\n");

  it("behind a body of chunks", async () => {
    const body = `3\r\nabc\r\n0\r\n${flood}\r\nX-Kept: 1\r\n\r\n`;
    const sent = { line: "POST /x", body };
    const { arrived, received } = await attacked.passIn([FRIEND, "Transfer-Encoding: chunked"], sent);
    expect(received).toMatch(OK);
    expect(arrived).toMatch(/\r\n0\r\nX-Kept: 1\r\n\r\n$/);
  });

  it.each([
    { why: "an answer", answer: `HTTP/1.1 200 OK\r\n${flood}\r\nContent-Length: 2\r\n\r\nok` },
    {
      why: "an answer before the answer",
      answer: `HTTP/1.1 103 Early Hints\r\n${flood}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
    },
    {
      why: "an answer's trailers",
      answer: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${flood}\r\n\r\n`,
    },
  ])("in $why, either way", async ({ answer }) => {
    attacked.answerWith(answer);
    const [inbound, outbound] = [await attacked.passIn([FRIEND]), await attacked.passOut("friend.test", [])];
    for (const { received } of [inbound, outbound]) {
      expect(received).toMatch(/HTTP\/1\.1 200 [^]*ok/);
      expect(received).not.toContain(MARK);
    }
    attacked.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });

  it("in an upgrade, both ways", async () => {
    attacked.answerWith(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${flood}\r\n\r\n`,
    );
    const known = attacked.upstream.received().length;
    const client = await rawClient(attacked.port.inbound);
    client.send(
      `GET /x HTTP/1.1\r\nHost: own.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${flood}\r\n\r\n`,
    );
    expect(await client.until((received) => received.includes("\r\n\r\n"))).not.toContain(MARK);
    client.socket.destroy();
    const [head = ""] = attacked.upstream.received().slice(known).split("\r\n\r\n");
    expect(linesOf(head).filter((line) => line.includes(MARK))).toEqual([]);
    expect(head).toContain("Upgrade: websocket");
  });
});

it("no value of all these floods is in a span, a log line, a metric or the peers' table", async () => {
  const seen = [
    ...attacked.spans.map((span) => JSON.stringify([span.name, span.attributes, span.events, span.links])),
    ...attacked.logged,
    ...(await attacked.scrape()).keys(),
    await (await fetch(`http://127.0.0.1:${attacked.port.admin}/api/fedtrace/peers`)).text(),
  ];
  expect(seen.length).toBeGreaterThan(FLOODS.length);
  expect(seen.filter((text) => text.includes(MARK))).toEqual([]);
});
