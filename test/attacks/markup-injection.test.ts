/**
 * Log and HTML injection. A peer's text is written where somebody reads it: a line end forges a log entry, an escape sequence
 * drives the terminal, markup runs in the operator's browser, on a page that knows every trace.
 *
 * Source: CVE-2009-4487 (nginx wrote escape sequences of requests into its log), CWE-117; Jaeger's page showed tags as markup
 * (GHSA-2w8w-qhg4-f78j); CWE-79.
 * Without the rule: one request with a user agent of markup reads all traces of whoever looks at it.
 * How the page shows a text: test/page/visible-text.test.ts; that its markup runs nothing in a real browser: test/real/page.test.ts.
 */

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADMIN, inboundTo, OUTBOUND, startSidecar } from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";
import { type Attacked, from, FRIEND, SPAN, startAttacked, TRACE } from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
});
afterAll(() => attacked.stop());

const MARKUP = `</script><img/src=x/onerror=alert(1)>`;
const OK = /^HTTP\/1\.1 200 /;

async function ask(path: string): Promise<{ readonly answer: Response; readonly text: string }> {
  const answer = await fetch(`http://127.0.0.1:${attacked.port.admin}${path}`);
  return { answer, text: await answer.text() };
}

describe("markup in a request", () => {
  it.each([
    { why: "the user agent", line: "GET /x", lines: [`User-Agent: ${MARKUP}`], isShown: true },
    { why: "the query", line: `GET /x?${MARKUP}`, lines: [], isShown: true },
    { why: "the path", line: `GET /${MARKUP}`, lines: [], isShown: true },
    { why: "the path, quoted", line: "GET /%3Cscript%3Ealert(1)%3C/script%3E", lines: [], isShown: false },
    { why: "a context", line: "GET /x", lines: [`traceparent: ${MARKUP}`], isShown: false },
    {
      why: "a state",
      line: "GET /x",
      lines: [`traceparent: 00-${TRACE}-${SPAN}-01`, "tracestate: a=<b>"],
      isShown: false,
    },
    { why: "baggage", line: "GET /x", lines: [`baggage: ${MARKUP}`, `uberctx-a: ${MARKUP}`], isShown: false },
    { why: "a debug id", line: "GET /x", lines: [`jaeger-debug-id: ${MARKUP}`], isShown: false },
  ])("is data where it is shown, and nowhere else: $why", async ({ line, lines, isShown }) => {
    const { received, span } = await attacked.passIn([FRIEND, ...lines], { line });
    expect(received).not.toContain(MARKUP);
    const traceId = span?.spanContext().traceId ?? "";
    const { answer, text } = await ask(`/api/traces/${traceId}`);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(text.includes("onerror")).toBe(isShown);
    // A path or a query is an attribute; it names no span, or the list of names would be a peer's to write.
    expect(span?.name).toBe("GET");
  });

  it.each([
    { why: "X-Matrix", line: from(`<b>.test`) },
    { why: "X-Matrix, escaped in quotes", line: from(String.raw`\<b\>.test`) },
    { why: "a key id", line: `Signature: keyId="https://<b>.test/x",signature="x"` },
    { why: "a key id of an account", line: `Signature: keyId="acct:a@<b>.test",signature="x"` },
  ])("names no peer: $why", async ({ line }) => {
    const { span } = await attacked.passIn([line]);
    expect(span?.attributes["fedtrace.peer.name"]).toBeUndefined();
    const { text } = await ask("/api/fedtrace/peers");
    expect(text).not.toContain("<b");
  });

  it.each([
    { why: "a path that is not there", path: `/${encodeURIComponent(MARKUP)}` },
    { why: "an id that is none", path: `/api/traces/${encodeURIComponent(MARKUP)}` },
    { why: "a service that is none", path: `/api/services/${encodeURIComponent(MARKUP)}/operations` },
    { why: "a query that is none", path: `/api/traces?service=${encodeURIComponent(MARKUP)}&limit=<b>` },
    {
      why: "a host that is none",
      path: `/api/fedtrace/decide?direction=in&host=${encodeURIComponent(MARKUP)}`,
    },
    { why: "a file of the page that is none", path: `/assets/${encodeURIComponent(MARKUP)}` },
  ])("is not sent back as a document: $why", async ({ path }) => {
    const { answer } = await ask(path);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json|^text\/plain/);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  });
});

describe("the page", () => {
  it("runs no script but its own, loads and sends nothing elsewhere, and stands in no frame", async () => {
    const { answer, text } = await ask("/");
    const policy = answer.headers.get("content-security-policy") ?? "";
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
    ]) {
      expect(policy).toContain(rule);
    }
    expect(policy).not.toMatch(/unsafe-|data:|\*/);
    expect(text).not.toMatch(/<script(?![^>]*\ssrc=)/i);
  });

  it("has no place where a text becomes markup or a script", () => {
    const sources = ["src/page", "src/collect-page"]
      .flatMap((folder) =>
        readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
      )
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => ({ name, text: readFileSync(name, "utf8") }));
    const ways =
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\(|new Function|createContextualFragment/;
    expect(sources.filter(({ text }) => ways.test(text)).map(({ name }) => name)).toEqual([]);
  });
});

describe("the log", () => {
  it("is one JSON object a line, without a peer's control characters, whatever they send", async () => {
    const upstream = await recordingUpstream();
    const { admin, inbound, outbound } = {
      admin: ADMIN,
      inbound: { ...inboundTo(upstream.port), authenticate: "claimed" },
      outbound: OUTBOUND,
    };
    const sidecar = await startSidecar({
      inbound,
      outbound,
      admin,
      whitelist: ["friend\\.test"],
      log: { level: "debug" },
    });
    const planted = `\\n{"level":"error","msg":"planted"}`;
    const send = (port: number, ...lines: readonly string[]): Promise<string> =>
      exchangeRaw(port, [...lines, "Connection: close", "", ""].join("\r\n"));
    await send(
      sidecar.port.inbound,
      `GET /${planted.replaceAll(" ", "")} HTTP/1.1`,
      "Host: own.test",
      FRIEND,
      `User-Agent: ${planted}\x85\x9b31m`,
      `traceparent: ${planted}`,
      `jaeger-debug-id: ${planted}`,
    );
    await send(
      sidecar.port.inbound,
      "GET /x HTTP/1.1",
      "Host: own.test",
      from(planted),
      `baggage: ${planted}`,
    );
    await send(sidecar.port.inbound, "GET /x HTTP/1.1", `Host: ${planted}`, FRIEND);
    await send(sidecar.port.outbound, `GET http://${planted}/ HTTP/1.1`, "Host: x");
    await send(sidecar.port.outbound, "GET http://nowhere.invalid/planted HTTP/1.1", "Host: x");
    await send(sidecar.port.outbound, "CONNECT planted\x9b31m:443 HTTP/1.1", "Host: x");
    await send(sidecar.port.admin, `GET /${planted} HTTP/1.1`, `Host: ${planted}`);
    expect(await sidecar.stop()).toBe(0);
    upstream.stop();
    expect(sidecar.log().length).toBeGreaterThan(0); // Throws for a line that is no JSON.
    expect(sidecar.stderr.filter((line) => /\p{Cc}/u.test(line))).toEqual([]);
    expect(sidecar.log().filter(({ msg }) => msg.includes("planted"))).toEqual([]);
    expect(sidecar.stderr.filter((line) => line.includes("planted"))).toEqual([]);
  });
});

it("metrics hold no text of a peer's but a whitelisted name", async () => {
  await attacked.passIn([from("a-b.test"), `User-Agent: ${MARKUP}`]);
  const { answer, text } = await ask("/metrics");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(text).not.toMatch(/<|onerror=alert\(1\)>|a-b\.test/);
  expect(text.replaceAll(/^fedtrace_peer_.*$/gm, "")).not.toContain("friend.test");
  expect((await attacked.passIn([FRIEND])).received).toMatch(OK);
});
