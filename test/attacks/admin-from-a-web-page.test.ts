/**
 * The admin listener, reached from a web page. It has no password: it is safe because only this machine reaches it, and a
 * page in a browser on this machine does. By DNS rebinding the page's own name leads to 127.0.0.1, and what it reads is of
 * its own origin; across sites it can still ask, frame and time.
 *
 * Source: CVE-2016-9014 (Django's debug server took any Host), CWE-350; RFC 6761 section 6.3 for what localhost is;
 * https://fetch.spec.whatwg.org/#http-cors-protocol; RFC 7034 and https://www.w3.org/TR/CSP3/#directive-frame-ancestors.
 * Without the rule: any page that the operator visits reads every trace, every peer and the config.
 * The names themselves: test/admin/own-names.test.ts.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw } from "../support/wire.ts";
import { type Attacked, FRIEND, startAttacked } from "./attacked.ts";

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({
    admin: { listen: "127.0.0.1:0", hosts: ["fedtrace.internal.example"] },
  });
  await attacked.passIn([FRIEND]);
});
afterAll(() => attacked.stop());

/** Everything that tells something, and all that tells it. */
const PATHS = [
  "/",
  "/metrics",
  "/health/live",
  "/health/ready",
  "/api/services",
  "/api/traces?service=own.test%20fedtrace",
  "/api/dependencies",
  "/api/fedtrace/peers",
  "/api/fedtrace/config",
  "/api/fedtrace/decide?direction=in&host=friend.test",
];
/** What any of those would tell. */
const TOLD = /friend\.test|fedtrace_|own\.test|traceID|<html/;

/** All that comes back for exact request lines and header lines. */
function ask(...lines: readonly string[]): Promise<string> {
  return exchangeRaw(attacked.port.admin, [...lines, "Connection: close", "", ""].join("\r\n"));
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

describe("by DNS rebinding", () => {
  it.each([
    { host: "127.0.0.1", status: 200, why: "an address" },
    { host: "127.0.0.1:9470", status: 200, why: "with whatever port, as behind a port mapping" },
    {
      host: "192.168.1.10",
      status: 200,
      why: "a private address: a page there has a name, or is another machine's",
    },
    { host: "[::1]:9470", status: 200, why: "an IPv6 literal" },
    { host: "[fe80::1]", status: 200, why: "another one" },
    { host: "localhost", status: 200, why: "a loopback name" },
    { host: "LOCALHOST:1", status: 200, why: "in any letter case" },
    { host: "trace.localhost", status: 200, why: "a loopback name (RFC 6761 section 6.3)" },
    { host: "fedtrace.internal.example", status: 200, why: "one of admin.hosts" },
    { host: "FEDTRACE.internal.EXAMPLE:80", status: 200, why: "the same in other letters, with a port" },
    { host: "evil.example", status: 403, why: "a name that somebody pointed here" },
    { host: "evil.example:9470", status: 403, why: "with the port that a browser sends" },
    { host: "localhost.evil.example", status: 403, why: "begins like a loopback name" },
    { host: "evillocalhost", status: 403, why: "ends like one" },
    { host: "localhost.", status: 403, why: "a loopback name with the root's dot: DNS may be asked for it" },
    { host: "evil.example.", status: 403, why: "the dot of another" },
    { host: "fedtrace.internal.example.", status: 403, why: "the dot of one of admin.hosts" },
    { host: "x.fedtrace.internal.example", status: 403, why: "a subdomain of one of admin.hosts" },
    { host: "127.0.0.1.evil.example", status: 403, why: "begins like an address" },
    { host: "127-0-0-1.evil.example", status: 403, why: "spells one" },
    { host: "127.0.0.1.nip.io", status: 403, why: "a public name that leads to loopback" },
    { host: "192-168-1-10.my.nas.example", status: 403, why: "a public name of a private address" },
    { host: "127.0.0.1@evil.example", status: 403, why: "no host at all" },
    { host: "[evil.example]", status: 403, why: "brackets around a name" },
    { host: "[::1].evil.example", status: 403, why: "a literal before a name" },
    { host: "0x7f.1", status: 403, why: "an address that only some programs read" },
    { host: "2130706433", status: 403, why: "an address as one number" },
    { host: "localhost, evil.example", status: 403, why: "a list" },
    { host: "localhost evil.example", status: 403, why: "a blank" },
    { host: "loc\u00e0lhost", status: 403, why: "a letter that looks alike" },
    { host: "", status: 403, why: "an empty one" },
  ])("Host: $host is $status ($why)", async ({ host, status }) => {
    const answer = await ask("GET /api/fedtrace/config HTTP/1.1", `Host: ${host}`);
    expect(statusOf(answer)).toBe(status);
    expect(TOLD.test(answer)).toBe(status === 200);
  });

  it.each(PATHS)("nothing at all is told under a foreign name: %s", async (path) => {
    const answer = await ask(`GET ${path} HTTP/1.1`, "Host: evil.example");
    expect(statusOf(answer)).toBe(403);
    expect(answer).not.toMatch(TOLD);
  });

  it.each([
    { why: "no Host in HTTP/1.0", lines: ["GET /api/fedtrace/config HTTP/1.0"] },
    { why: "no Host in HTTP/1.1", lines: ["GET /api/fedtrace/config HTTP/1.1"] },
    {
      why: "two Hosts, the first its own",
      lines: ["GET /metrics HTTP/1.1", "Host: localhost", "Host: evil.example"],
    },
    {
      why: "two Hosts, the last its own",
      lines: ["GET /metrics HTTP/1.1", "Host: evil.example", "Host: localhost"],
    },
    {
      why: "a foreign target in absolute form",
      lines: ["GET http://evil.example/metrics HTTP/1.1", "Host: localhost"],
    },
    {
      why: "a foreign Host beside its own target",
      lines: ["GET http://localhost/metrics HTTP/1.1", "Host: evil.example"],
    },
    {
      why: "a user before the name",
      lines: ["GET http://localhost@evil.example/metrics HTTP/1.1", "Host: localhost"],
    },
    {
      why: "its own name in X-Forwarded-Host",
      lines: ["GET /metrics HTTP/1.1", "Host: evil.example", "X-Forwarded-Host: localhost"],
    },
    {
      why: "its own name in Forwarded",
      lines: ["GET /metrics HTTP/1.1", "Host: evil.example", "Forwarded: host=localhost"],
    },
    { why: "a folded Host", lines: ["GET /metrics HTTP/1.1", "Host: localhost", " .evil.example"] },
  ])("is refused: $why", async ({ lines }) => {
    const answer = await ask(...lines);
    expect([400, 403]).toContain(statusOf(answer));
    expect(answer).not.toMatch(TOLD);
  });
});

describe("by a page of another site", () => {
  it.each([
    { host: "localhost", origin: "http://localhost:9470", status: 200, why: "its own page" },
    { host: "127.0.0.1", origin: "http://127.0.0.1:9470", status: 200, why: "its own page, by address" },
    {
      host: "localhost",
      origin: "https://fedtrace.internal.example",
      status: 200,
      why: "one of admin.hosts",
    },
    {
      host: "localhost",
      origin: "http://127.0.0.1:9470",
      status: 403,
      why: "an address that is not the Host",
    },
    { host: "localhost", origin: "https://evil.example", status: 403, why: "somebody else's page" },
    { host: "127.0.0.1", origin: "http://192.168.1.10", status: 403, why: "a page of another machine" },
    { host: "localhost", origin: "http://localhost.evil.example", status: 403, why: "begins like its own" },
    { host: "localhost", origin: "null", status: 403, why: "a sandboxed frame, or a file" },
    { host: "localhost", origin: "file://localhost", status: 403, why: "no web origin" },
    { host: "localhost", origin: "chrome-extension://abcdef", status: 403, why: "an extension" },
  ])("Host: $host, Origin: $origin is $status ($why)", async ({ host, origin, status }) => {
    const answer = await ask("GET /api/fedtrace/peers HTTP/1.1", `Host: ${host}`, `Origin: ${origin}`);
    expect(statusOf(answer)).toBe(status);
    // A browser that is told nothing of access gives the answer to no other origin.
    expect(answer).not.toMatch(/access-control-allow/i);
  });

  it.each([
    {
      why: "a preflight",
      lines: ["OPTIONS /api/fedtrace/peers HTTP/1.1", "Access-Control-Request-Method: GET"],
    },
    {
      why: "a preflight of a public page for a private network",
      lines: ["OPTIONS /metrics HTTP/1.1", "Access-Control-Request-Private-Network: true"],
    },
    { why: "a form", lines: ["POST /api/fedtrace/config HTTP/1.1", "Content-Length: 0"] },
    {
      why: "a form that calls itself something else",
      lines: ["POST /metrics HTTP/1.1", "X-HTTP-Method-Override: GET"],
    },
    { why: "what would change something, were there anything", lines: ["DELETE /api/traces HTTP/1.1"] },
    { why: "a put", lines: ["PUT /api/fedtrace/config HTTP/1.1", "Content-Length: 0"] },
    { why: "what shows its own request", lines: ["TRACE / HTTP/1.1"] },
  ])("gets nothing for $why", async ({ lines }) => {
    for (const origin of ["Origin: https://evil.example", "Origin: http://localhost"]) {
      const answer = await ask(...lines, "Host: localhost", origin);
      expect([403, 405]).toContain(statusOf(answer));
      expect(answer).not.toMatch(/access-control-allow/i);
      expect(answer).not.toMatch(TOLD);
    }
  });

  it.each([
    {
      site: "cross-site",
      mode: "no-cors",
      dest: "image",
      status: 403,
      why: "an image of another site's page",
    },
    {
      site: "cross-site",
      mode: "no-cors",
      dest: "script",
      status: 403,
      why: "a script, whose errors tell of it",
    },
    {
      site: "cross-site",
      mode: "cors",
      dest: "empty",
      status: 403,
      why: "a request whose Origin was taken away",
    },
    { site: "cross-site", mode: "navigate", dest: "iframe", status: 403, why: "a frame" },
    {
      site: "same-site",
      mode: "no-cors",
      dest: "image",
      status: 403,
      why: "a page on another port of this machine",
    },
    { site: "cross-site", mode: "navigate", dest: "document", status: 200, why: "a link that was followed" },
    { site: "same-origin", mode: "cors", dest: "empty", status: 200, why: "its own page" },
    { site: "none", mode: "navigate", dest: "document", status: 200, why: "typed by the reader" },
  ])(
    "is $status where the browser calls it $site, $mode, $dest: $why",
    async ({ site, mode, dest, status }) => {
      const fetched = [`Sec-Fetch-Site: ${site}`, `Sec-Fetch-Mode: ${mode}`, `Sec-Fetch-Dest: ${dest}`];
      const answer = await ask("GET /api/fedtrace/peers HTTP/1.1", "Host: localhost", ...fetched);
      expect(statusOf(answer)).toBe(status);
      expect(TOLD.test(answer)).toBe(status === 200);
    },
  );

  it("a socket of the web is none here", async () => {
    const lines = [
      "Host: localhost",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAA",
    ];
    const answer = await exchangeRaw(
      attacked.port.admin,
      ["GET /api/traces HTTP/1.1", ...lines, "Connection: Upgrade, close", "", ""].join("\r\n"),
    );
    expect(answer).not.toMatch(/^HTTP\/1\.1 101 /);
  });
});

describe("what it answers", () => {
  it.each(PATHS)("is never sniffed, framed or run as something else: %s", async (path) => {
    const answer = await fetch(`http://127.0.0.1:${attacked.port.admin}${path}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("content-security-policy")).toMatch(
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    expect(answer.headers.get("content-type")).toMatch(
      /^(?:application\/json|text\/html; charset=utf-8|text\/plain;.*)$/,
    );
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect(answer.headers.get("set-cookie")).toBeNull();
    await answer.arrayBuffer();
  });

  it("is kept by no cache, but the page's own files", async () => {
    for (const path of PATHS.slice(1)) {
      const answer = await fetch(`http://127.0.0.1:${attacked.port.admin}${path}`);
      expect(answer.headers.get("cache-control"), path).toBe("no-store");
      await answer.arrayBuffer();
    }
  });
});
