/** createFetchWellKnown against real TLS hosts: answers, redirects, and every limit on both sides. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createDns, type Dns } from "../../src/discovery/dns.ts";
import {
  createFetchWellKnown,
  type WellKnown,
  type WellKnownOptions,
} from "../../src/discovery/well-known.ts";
import { createAllowedTargets } from "../../src/proxy/allowed-targets.ts";
import { fakeClock } from "../support/clock.ts";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { CA, dialTo, startWeb, type Web } from "./web.ts";

const BODY_BYTES_MAX = 50 * 1024;
const HOME = { A: ["127.0.0.1"] };
const ZONE = {
  "a.example": HOME,
  "b.example": HOME,
  "uncertified.example": HOME,
  "private.example": { A: ["10.0.0.1"] },
  "mixed.example": { A: ["127.0.0.1", "10.0.0.1"] },
  "failing.example": { fails: { A: "SERVFAIL", AAAA: "SERVFAIL" } },
} as const;

let dnsServer: DnsServer;
let dns: Dns;
let web: Web;
let forger: Web;
const allowed = createAllowedTargets(["127.0.0.0/8"]);
const isAllowed = (address: string): boolean => allowed.isAllowed(address);

beforeAll(async () => {
  dnsServer = await startDnsServer();
  dns = createDns({ resolver: dnsServer.resolver, timeoutMs: 5000 });
  web = await startWeb();
  forger = await startWeb("forger");
});
beforeEach(() => dnsServer.setZone(ZONE));
afterEach(() => {
  vi.unstubAllEnvs();
  dnsServer.takeQueries();
  web.takeRequests();
});
afterAll(() => {
  web.stop();
  forger.stop();
  dnsServer.stop();
});

async function fetchFrom(host: string, options: Partial<WellKnownOptions> = {}): Promise<WellKnown> {
  const fetchWellKnown = createFetchWellKnown({
    dns,
    isAllowed,
    isPortAllowed: (port) => port === web.port,
    tls: () => dialTo(CA),
    clock: fakeClock(),
    wellKnownPort: web.port,
    ...options,
  });
  return fetchWellKnown(host);
}

const delegate = (server: string): string => JSON.stringify({ "m.server": server });
const ofBytes = (bytes: number): string => delegate("hs.example").padEnd(bytes);

describe("an answer", () => {
  it.each([
    {
      why: "a name",
      body: delegate("hs.example"),
      server: { name: "hs.example", host: "hs.example", port: undefined },
    },
    {
      why: "with a port",
      body: delegate("hs.example:443"),
      server: { name: "hs.example:443", host: "hs.example", port: 443 },
    },
    {
      why: "a literal",
      body: delegate("[::1]:8448"),
      server: { name: "[::1]:8448", host: "[::1]", port: 8448 },
    },
    {
      why: "in upper case, with a dot",
      body: delegate("HS.Example."),
      server: { name: "hs.example", host: "hs.example", port: undefined },
    },
    {
      why: "with more members",
      body: '{"x":[1],"m.server":"hs.example"}',
      server: { name: "hs.example", host: "hs.example", port: undefined },
    },
    {
      why: "as long as may be",
      body: ofBytes(BODY_BYTES_MAX),
      server: { name: "hs.example", host: "hs.example", port: undefined },
    },
  ])("delegates: $why", async ({ body, server }) => {
    web.answer((_request, response) => response.writeHead(200, { "content-type": "text/html" }).end(body));
    expect(await fetchFrom("a.example")).toEqual({ server, lifetimeMs: undefined });
    expect(web.takeRequests()).toEqual(["a.example /.well-known/matrix/server"]);
  });

  it.each([
    { why: "no such page", status: 404, body: delegate("hs.example"), reason: "missing", isLasting: true },
    { why: "a status that is neither", status: 204, body: "", reason: "missing", isLasting: true },
    {
      why: "not modified, though nothing was asked so",
      status: 304,
      body: "",
      reason: "missing",
      isLasting: true,
    },
    {
      why: "a server's fault",
      status: 500,
      body: delegate("hs.example"),
      reason: "status",
      isLasting: false,
    },
    { why: "overloaded", status: 503, body: "", reason: "status", isLasting: false },
    { why: "no JSON", status: 200, body: "<html>", reason: "invalid", isLasting: true },
    { why: "nothing", status: 200, body: "", reason: "invalid", isLasting: true },
    { why: "no object", status: 200, body: "null", reason: "invalid", isLasting: true },
    { why: "a list", status: 200, body: '["m.server"]', reason: "invalid", isLasting: true },
    { why: "no m.server", status: 200, body: "{}", reason: "invalid", isLasting: true },
    {
      why: "m.server is no text",
      status: 200,
      body: '{"m.server":["hs.example"]}',
      reason: "invalid",
      isLasting: true,
    },
    {
      why: "m.server is a URL",
      status: 200,
      body: delegate("https://hs.example"),
      reason: "invalid",
      isLasting: true,
    },
    { why: "m.server is empty", status: 200, body: delegate(""), reason: "invalid", isLasting: true },
    {
      why: "a byte too long",
      status: 200,
      body: ofBytes(BODY_BYTES_MAX + 1),
      reason: "too-large",
      isLasting: true,
    },
  ])("doesn't: $why", async ({ status, body, reason, isLasting }) => {
    web.answer((_request, response) => response.writeHead(status).end(body));
    expect(await fetchFrom("a.example")).toEqual({ reason, isLasting });
  });

  it("that never ends is cut off at the bound", async () => {
    web.answer((_request, response) => {
      const more = (): boolean => response.write("x".repeat(16 * 1024));
      response.on("drain", more);
      while (more());
    });
    expect(await fetchFrom("a.example")).toEqual({ reason: "too-large", isLasting: true });
  });

  it("says how long it is good for", async () => {
    web.answer((_request, response) =>
      response.writeHead(200, { "cache-control": "max-age=3600" }).end(delegate("hs.example")),
    );
    expect(await fetchFrom("a.example")).toMatchObject({ lifetimeMs: 3_600_000 });
  });
});

describe("no answer", () => {
  const passing = (reason: string): unknown => ({ reason, isLasting: false });

  it.each([
    { why: "a certificate for other names", host: "uncertified.example", reason: "connect" },
    { why: "a private address", host: "private.example", reason: "address" },
    { why: "one of two is private", host: "mixed.example", reason: "address" },
    { why: "no address", host: "nothing.example", reason: "dns" },
    { why: "DNS fails", host: "failing.example", reason: "dns" },
    { why: "an address in disguise", host: "127.2.3", reason: "connect" },
    { why: "a private address in disguise", host: "10.1", reason: "address" },
    { why: "a name that no URL may have", host: "1.2.3.256", reason: "connect" },
  ])("$why", async ({ host, reason }) => {
    expect(await fetchFrom(host)).toEqual(passing(reason));
    expect(web.takeRequests()).toEqual([]);
  });

  it("from who has no certificate of an authority, whatever the environment says", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    expect(await fetchFrom("a.example", { wellKnownPort: forger.port })).toEqual(passing("connect"));
    expect(forger.takeRequests()).toEqual([]);
  });

  it("without the CA: the system's roots don't know the test's", async () => {
    expect(await fetchFrom("a.example", { tls: () => dialTo() })).toEqual(passing("connect"));
  });

  it("where nobody listens", async () => {
    const closed = await startWeb();
    closed.stop();
    expect(await fetchFrom("a.example", { wellKnownPort: closed.port })).toEqual(passing("connect"));
  });

  it("from a connection that breaks off", async () => {
    web.answer((_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("{", () => response.destroy());
    });
    expect(await fetchFrom("a.example")).toEqual(passing("connect"));
  });

  it.each([
    { why: "the head", answer: () => undefined },
    {
      why: "the rest of the body",

      answer: (_request: IncomingMessage, response: ServerResponse) => void response.write("{"),
    },
    {
      why: "an end of interim answers",

      answer: (_request: IncomingMessage, response: ServerResponse) => {
        const more = setInterval(() => response.writeProcessing(), 5);
        response.on("close", () => clearInterval(more));
      },
    },
  ])("in time: $why", async ({ answer }) => {
    web.answer(answer);
    expect(await fetchFrom("a.example", { timeoutMs: 200 })).toEqual(passing("timeout"));
  });
});

it("is no answer in time: DNS", async () => {
  // A server of its own, since c-ares goes on asking it after the end.
  const silent = await startDnsServer({ "a.example": { fails: { A: "silent", AAAA: "silent" } } });
  const asking = createDns({ resolver: silent.resolver });
  expect(await fetchFrom("a.example", { timeoutMs: 200, dns: asking })).toEqual({
    reason: "timeout",
    isLasting: false,
  });
  silent.stop();
});

it("closes the connection when the time is up", async () => {
  const closed = new Promise((resolve) => {
    web.answer((request) => request.socket.on("close", resolve));
  });
  expect(await fetchFrom("a.example", { timeoutMs: 200 })).toEqual({ reason: "timeout", isLasting: false });
  await closed;
});

describe("addresses", () => {
  it("are resolved once, and dialled as checked: a second answer has no effect (DNS rebinding)", async () => {
    dnsServer.setZone({ "a.example": (query) => (query === 0 ? HOME : { A: ["10.0.0.1"] }) });
    let dialled: string | undefined;
    web.answer((request, response) => {
      dialled = request.socket.localAddress;
      response.end(delegate("hs.example"));
    });
    expect(await fetchFrom("a.example")).toHaveProperty("server");
    expect(dialled).toBe("127.0.0.1");
    expect(dnsServer.takeQueries().toSorted()).toEqual(["A a.example", "AAAA a.example"]);
  });

  it("are tried one after the other", async () => {
    dnsServer.setZone({ "a.example": { A: ["127.0.0.2", "127.0.0.1"] } });
    web.answer((_request, response) => response.end(delegate("hs.example")));
    expect(await fetchFrom("a.example")).toHaveProperty("server");
  });
});

describe("a redirect", () => {
  /** Locations by path, for every host; what has none delegates. `PORT` stands for the host's own. */
  function redirectBy(locations: Readonly<Record<string, string>>, status = 302): void {
    web.answer((request, response) => {
      const location = locations[request.url ?? ""];
      if (location === undefined) response.end(delegate("hs.example"));
      else response.writeHead(status, { location: location.replace("PORT", String(web.port)) }).end();
    });
  }
  const FIRST = "/.well-known/matrix/server";

  it.each([301, 302, 303, 307, 308])("of status %i is followed", async (status) => {
    redirectBy({ [FIRST]: "https://b.example:PORT/x?y" }, status);
    expect(await fetchFrom("a.example")).toHaveProperty("server");
    expect(web.takeRequests()).toEqual([`a.example ${FIRST}`, "b.example /x?y"]);
  });

  it.each([
    { why: "a path", location: "/x", second: "a.example /x" },
    { why: "a relative path", location: "x", second: "a.example /.well-known/matrix/x" },
    { why: "another host without port", location: "https://b.example/x", second: "b.example /x" },
    { why: "without scheme", location: "//b.example/x", second: "b.example /x" },
    { why: "in upper case, with a dot", location: "https://B.example./x", second: "b.example /x" },
    {
      why: "a literal, without a name for TLS",
      location: "https://127.0.0.1/x",
      second: "127.0.0.1 /x TLS false",
    },
  ])("is followed to $why", async ({ location, second }) => {
    redirectBy({ [FIRST]: location });
    expect(await fetchFrom("a.example")).toHaveProperty("server");
    expect(web.takeRequests()).toEqual([`a.example ${FIRST}`, second]);
  });

  it.each([
    { why: "to http", location: "http://b.example/x", reason: "redirect", isLasting: true },
    {
      why: "to a port that is not allowed",
      location: "https://b.example:22/x",
      reason: "redirect",
      isLasting: true,
    },
    { why: "with a user's name", location: "https://u@b.example/x", reason: "redirect", isLasting: true },
    { why: "with a password", location: "https://:p@b.example/x", reason: "redirect", isLasting: true },
    { why: "to no URL", location: "https://", reason: "redirect", isLasting: true },
    { why: "to a file", location: "file:///etc/passwd", reason: "redirect", isLasting: true },
    {
      why: "to a host that is no server name",
      location: "https://b_b.example/x",
      reason: "redirect",
      isLasting: true,
    },
    { why: "to a private address", location: "https://10.0.0.1/x", reason: "address", isLasting: false },
    { why: "to one in disguise", location: "https://0x0a000001/x", reason: "address", isLasting: false },
    {
      why: "to IPv4 dressed as IPv6",
      location: "https://[::ffff:10.0.0.1]/x",
      reason: "address",
      isLasting: false,
    },
    {
      why: "to a name that leads inside",
      location: "https://private.example/x",
      reason: "address",
      isLasting: false,
    },
    {
      why: "to a name without address",
      location: "https://nothing.example/x",
      reason: "dns",
      isLasting: false,
    },
    {
      why: "to a host without its certificate",
      location: "https://uncertified.example/x",
      reason: "connect",
      isLasting: false,
    },
  ])("is not followed $why", async ({ location, reason, isLasting }) => {
    redirectBy({ [FIRST]: location });
    expect(await fetchFrom("a.example")).toEqual({ reason, isLasting });
    expect(web.takeRequests()).toEqual([`a.example ${FIRST}`]);
  });

  it("is followed to another port that is allowed, which then stands in Host", async () => {
    const other = await startWeb();
    other.answer((_request, response) => response.end(delegate("hs.example")));
    redirectBy({ [FIRST]: `https://b.example:${other.port}/x` });
    const isPortAllowed = (port: number): boolean => port === other.port;
    expect(await fetchFrom("a.example", { isPortAllowed })).toHaveProperty("server");
    expect(other.takeRequests()).toEqual([`b.example:${other.port} /x`]);
    other.stop();
  });

  it("without a Location is none", async () => {
    web.answer((_request, response) => response.writeHead(302).end());
    expect(await fetchFrom("a.example")).toEqual({ reason: "redirect", isLasting: true });
  });

  it("may come five times", async () => {
    redirectBy({ [FIRST]: "/1", "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/5" });
    expect(await fetchFrom("a.example")).toHaveProperty("server");
  });

  it("may not come six times", async () => {
    redirectBy({ [FIRST]: "/1", "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/5", "/5": "/6" });
    expect(await fetchFrom("a.example")).toEqual({ reason: "redirect", isLasting: true });
  });

  it("to itself ends with the count", async () => {
    redirectBy({ [FIRST]: FIRST });
    expect(await fetchFrom("a.example")).toEqual({ reason: "redirect", isLasting: true });
    expect(web.takeRequests()).toHaveLength(6);
  });

  it("to port 443 needs no leave", async () => {
    redirectBy({ [FIRST]: "https://private.example:443/x" });
    expect(await fetchFrom("a.example", { isPortAllowed: () => false })).toMatchObject({ reason: "address" });
  });
});
