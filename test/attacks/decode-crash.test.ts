/**
 * Decode crashes. A value that its decoder throws at ends the request, the process, or the server behind: a percent sign
 * without digits, base64 that is none, an id one digit too long, bytes that are no text.
 *
 * Source: CVE-2026-23886 (GHSA-mvpq-2v8x-ww6g): a malformed traceparent crashed Swift servers; CVE-2024-38525: malformed
 * Unicode beside a context crashed dd-trace-cpp; CVE-2026-44902: a malformed URI crashed OpenTelemetry JS' metrics endpoint.
 * Synapse 1.163.2 answers 500 to four values of uber-trace-id, which are the first rows.
 * Without the rule: whoever knows such a value stops a server, or federation with it, with one header.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw } from "../support/wire.ts";
import { type Attacked, from, FRIEND, injectedIn, SENDERS, SPAN, startAttacked, TRACE } from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ propagation: { formats: ["w3c", "jaeger", "b3", "b3multi"] } });
});
afterAll(() => attacked.stop());

const OK = /^HTTP\/1\.1 200 /;

interface Value {
  readonly why: string;
  readonly line: string;
}

function valuesOf(
  name: string,
  values: readonly (readonly [why: string, value: string])[],
): readonly Value[] {
  return values.map(([why, value]) => ({ why: `${name}: ${why}`, line: `${name}: ${value}` }));
}

/** Of formats that are read, so that each is refused by its reader. */
const READ: readonly Value[] = [
  ...valuesOf("uber-trace-id", [
    ["Synapse answers 500: no field", "zzz"],
    ["Synapse answers 500: three fields", "1:2:3"],
    ["Synapse answers 500: no trace", "0:1:0:1"],
    ["Synapse answers 500: a suffix", "abc:def:0:1;x"],
    ["a percent sign at the end", `${TRACE}:${SPAN}:0:1%`],
    ["a percent sign without digits", `${TRACE}%ZZ${SPAN}%3A0%3A1`],
    ["half a character, quoted as a URL", `${TRACE}%3A${SPAN}%3A0%3A%E0%A4`],
    ["a character that is none", `${TRACE}:${SPAN}:0:%C3%28`],
    ["quoted twice", `${TRACE}%253A${SPAN}%253A0%253A1`],
    ["a zero byte, quoted as a URL", `${TRACE}%00:${SPAN}:0:1`],
    ["a line end, quoted as a URL", `${TRACE}:${SPAN}:0:1%0d%0aX-Planted: 1`],
    ["a trace id of 33 digits", `${TRACE}0:${SPAN}:0:1`],
    ["a span id of 17 digits", `${TRACE}:${SPAN}0:0:1`],
    ["digits without end", `${"f".repeat(60_000)}:${SPAN}:0:1`],
    ["colons without end", ":".repeat(60_000)],
    ["a sign before an id", `-${TRACE.slice(1)}:${SPAN}:0:1`],
    ["hex as programs write it", `0x${TRACE.slice(2)}:${SPAN}:0:1`],
    ["digits of another script, as bytes", "\xd9\xa1:\xd9\xa2:0:1"],
    ["bytes that are no text", "\x80\xff:\xfe:0:1"],
    ["flags of three digits", `${TRACE}:${SPAN}:0:100`],
    ["flags that are none", `${TRACE}:${SPAN}:0:NaN`],
  ]),
  ...valuesOf("traceparent", [
    ["short by one digit", `00-${TRACE.slice(1)}-${SPAN}-01`],
    ["long by one digit", `00-${TRACE}0-${SPAN}-01`],
    ["the version that is none", `ff-${TRACE}-${SPAN}-01`],
    ["capitals", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ["no span", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["more than version 00 has", `00-${TRACE}-${SPAN}-01-more`],
    ["letters that are no digits", `00-${"g".repeat(32)}-${SPAN}-01`],
    ["bytes that are no text", `00-${"\xff".repeat(32)}-${SPAN}-01`],
    ["nothing", ""],
  ]),
  ...valuesOf("b3", [
    ["a trace id of 17 digits", `${SPAN}0-${SPAN}-1`],
    ["five fields", `${TRACE}-${SPAN}-1-${SPAN}-1`],
    ["a state that is none", `${TRACE}-${SPAN}-2`],
    ["a percent sign", `${TRACE}%2D${SPAN}%2D1`],
    ["dashes without end", "-".repeat(60_000)],
    ["bytes that are no text", "\xff-\xff-1"],
  ]),
  ...valuesOf("X-B3-TraceId", [
    ["no span beside it", TRACE],
    ["base64", "1M2pW2UvShWSsUnVkp/aGw=="],
  ]),
];

/** Of formats that are only taken out; a reader behind would decode them. */
const REMOVED: readonly Value[] = [
  ...valuesOf("grpc-trace-bin", [
    ["base64 that is none", "%%%"],
    ["base64 of nothing", "===="],
    ["a field that ends early", "AAA="],
  ]),
  ...valuesOf("sw8", [
    ["base64 that is none", "1-%-%-x-%-%-%-%"],
    ["one part", "1"],
  ]),
  ...valuesOf("x-cloud-trace-context", [
    ["a span that is no number", "105445aa7843bc8bf206b12000100000/x;o=1"],
  ]),
  ...valuesOf("X-Amzn-Trace-Id", [["no version", "Root=1;Parent=;Sampled=?"]]),
  ...valuesOf("x-datadog-trace-id", [["more than 64 bits", "9".repeat(100)]]),
  ...valuesOf("x-datadog-tags", [["bytes that are no text, with a context", "_dd.p.tid=\xff\xfe"]]),
  ...valuesOf("newrelic", [["JSON that is none, in base64", "e30="]]),
  ...valuesOf("baggage", [["half a character", "a=%E0%A4"]]),
  ...valuesOf("uberctx-a", [["a percent sign", "%"]]),
];

describe("a value that can't be decoded", () => {
  it.each(READ)("is refused by a word, and gets to nobody: $why", async ({ line }) => {
    const { arrived, received, span } = await attacked.passIn([FRIEND, line]);
    expect(received).toMatch(OK);
    expect(span?.attributes["fedtrace.context"]).toBe("refused");
    expect(arrived).not.toContain(`\r\n${line}\r\n`);
    expect(arrived).not.toMatch(/planted/i);
    expect(injectedIn(arrived).traceId).toBe(span?.spanContext().traceId);
  });

  it.each([...READ, ...REMOVED])("gets to the server from nobody: $why", async ({ line }) => {
    const name = line.slice(0, line.indexOf(":")).toLowerCase();
    for (const [who, origin] of SENDERS) {
      const { arrived, received, span } = await attacked.passIn([...origin, line]);
      expect(received, who).toMatch(OK);
      expect(arrived, who).not.toContain(`\r\n${line}\r\n`);
      expect(span?.attributes["fedtrace.headers.removed"], who).toBe(1);
      // What stands there under this name now is the border's, and can be read.
      const injected = injectedIn(arrived);
      if (name === "uber-trace-id") {
        expect(arrived).toContain(`uber-trace-id: ${injected.traceId}:${injected.spanId}:0:1\r\n`);
      }
    }
  });

  it("leaves the one beside it readable", async () => {
    const { span } = await attacked.passIn([
      FRIEND,
      "traceparent: zz",
      `b3: ${TRACE}-${SPAN}-1`,
      "uber-trace-id: %",
    ]);
    expect(span?.spanContext().traceId).toBe(TRACE);
  });

  it.each([
    { why: "a zero byte", line: `uber-trace-id: ${TRACE}\0:${SPAN}:0:1` },
    { why: "a bare line feed", line: `traceparent: 00-${TRACE}\n-${SPAN}-01` },
    { why: "a bare carriage return", line: "b3: \r1" },
    { why: "an escape character", line: "baggage: a=\x1b[2J" },
  ])("is no header at all, and the request ends there: $why", async ({ line }) => {
    const { arrived, received } = await attacked.passIn([FRIEND, line]);
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
    expect(arrived).toBe("");
  });
});

describe("what names the sender", () => {
  it.each([
    {
      why: "a signature that is no base64",
      line: 'Authorization: X-Matrix origin="friend.test",key="k",sig="%%%"',
    },
    { why: "a name with a percent sign", line: from("friend%2Etest") },
    { why: "a quote that ends nowhere", line: 'Authorization: X-Matrix origin="friend.test' },
    { why: "an escape at the end", line: 'Authorization: X-Matrix origin="friend.test\\' },
    { why: "bytes that are no text", line: from("friend\xff.test") },
    { why: "a key id with a percent sign", line: 'Signature: keyId="https://%zz/%E0",signature="%"' },
    { why: "a key id that no URL parser takes", line: 'Signature: keyId="https://[::1",signature="x"' },
    { why: "structured fields cut off", line: 'Signature-Input: sig1=("@method' },
    { why: "basic credentials that are no base64", line: "Authorization: Basic %%%" },
  ])("breaks nothing: $why", async ({ line }) => {
    const { received } = await attacked.passIn([line, `traceparent: 00-${TRACE}-${SPAN}-01`]);
    expect(received).toMatch(OK);
  });
});

describe("what a span says of the request", () => {
  it.each([
    { why: "a lone percent sign", line: "GET /%" },
    { why: "half a character", line: "GET /_matrix/federation/v1/event/%E0%A4" },
    { why: "a zero byte, quoted", line: "GET /%00" },
    { why: "a secret's key, quoted to nothing", line: "GET /x?acce%73s_token=s3cret&%=%ZZ&=" },
  ])("breaks neither it nor the page: $why", async ({ line }) => {
    const { received, span } = await attacked.passIn([FRIEND, "User-Agent: \xff\xfe"], { line });
    expect(received).toMatch(OK);
    const answer = await fetch(
      `http://127.0.0.1:${attacked.port.admin}/api/traces/${span?.spanContext().traceId ?? ""}`,
    );
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ data: [{ spans: [{}] }] });
    expect(text).not.toContain("s3cret");
  });
});

describe("the admin listener", () => {
  it.each([
    { why: "a target of slashes", target: "//" },
    { why: "a URL that is none", target: "http://[" },
    { why: "a URL without a host", target: "http://" },
    { why: "a lone percent sign", target: "/%" },
    { why: "half a character as an id", target: "/api/traces/%E0%A4" },
    { why: "a zero byte as a service", target: "/api/services/%00/operations" },
    { why: "a query of percent signs", target: "/api/traces?service=%&tags=%7B%&limit=%ZZ" },
    { why: "tags that are no JSON", target: "/api/traces?service=x&tags={" },
    {
      why: "numbers without end",
      target: `/api/traces?service=x&limit=${"9".repeat(400)}&start=-1&end=1e999`,
    },
    { why: "up and out of the folder", target: "/assets/..%2f..%2fpackage.json" },
    { why: "a name that every object has", target: "/assets/__proto__" },
    { why: "a host that can't be asked for", target: "/api/fedtrace/decide?direction=in&host=%00" },
  ])("answers below 500 and goes on: $why", async ({ target }) => {
    const { admin } = attacked.port;
    const ask = (path: string): Promise<string> =>
      exchangeRaw(admin, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(await ask(target)).toMatch(/^HTTP\/1\.1 [24]\d\d /);
    expect(await ask("/health/live")).toMatch(OK);
  });
});

it("each refusal was counted by format and reason, and no value was logged", async () => {
  const series = [...(await attacked.scrape()).keys()].filter((name) =>
    name.startsWith("fedtrace_context_refused"),
  );
  expect(series.join()).toMatch(/format="jaeger"/);
  expect(series.join()).toMatch(/format="w3c"/);
  expect(series.join()).toMatch(/format="b3"/);
  for (const name of series) expect(name).toMatch(/^\w+\{format="[a-z0-9]+",reason="[a-z]+"\}$/);
  expect(attacked.logged.filter((line) => /ZZ|abc:def|admin route failed/.test(line))).toEqual([]);
});
