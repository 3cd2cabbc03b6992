/** Keys over real TLS: whom is asked and how, what is taken, and every reason for which nothing is. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DialTo } from "../../src/discovery/https-get.ts";
import { createDns } from "../../src/discovery/dns.ts";
import { createDiscovery, type Discovery } from "../../src/discovery/server-discovery.ts";
import { parseServerName, type ServerName } from "../../src/peer/server-name.ts";
import {
  createFetchActorKey,
  createFetchServerKeys,
  type FetchActorKeyOptions,
  type FetchServerKeysOptions,
} from "../../src/proof/fetch-keys.ts";
import { createAllowedTargets } from "../../src/proxy/allowed-targets.ts";
import { CA, dialTo, startWeb, type Web } from "../discovery/web.ts";
import { fakeClock } from "../support/clock.ts";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { actorOf, pemOf, RSA_PEM } from "./actors.ts";

const HOME = { A: ["127.0.0.1"] };
const ACTOR_BYTES_MAX = 256 * 1024;
const SERVER_KEYS_BYTES_MAX = 64 * 1024;
const SMTP = 25;

let dnsServer: DnsServer;
let web: Web;
let forger: Web;
let trusted: DialTo;
let discovery: Discovery;
let keyId: string;
const targets = createAllowedTargets(["127.0.0.0/8"]);

beforeAll(async () => {
  dnsServer = await startDnsServer({
    "a.example": HOME,
    "b.example": HOME,
    "uncertified.example": HOME,
    "private.example": { A: ["10.0.0.1"] },
    "mixed.example": { A: ["127.0.0.1", "169.254.169.254"] },
    "failing.example": { fails: { A: "SERVFAIL", AAAA: "SERVFAIL" } },
  });
  web = await startWeb();
  forger = await startWeb("forger");
  trusted = await dialTo(CA);
  keyId = `https://a.example:${web.port}/users/x?y=%20#main-key`;
});
beforeEach(() => {
  const checks = {
    dns: createDns({ resolver: dnsServer.resolver, timeoutMs: 5000 }),
    isAllowed: (address: string) => targets.isAllowed(address),
    isPortAllowed: (port: number) => port !== SMTP,
    clock: fakeClock(),
  };
  const fetchWellKnown = async () => ({ reason: "missing", isLasting: true }) as const;
  discovery = createDiscovery({ ...checks, fetchWellKnown, random: { fraction: () => 0 } });
});
afterEach(() => {
  for (const host of [web, forger]) host.takeRequests();
  dnsServer.takeQueries();
});
afterAll(() => {
  web.stop();
  forger.stop();
  dnsServer.stop();
});

function fetchActor(id = keyId, options: Partial<FetchActorKeyOptions> = {}): Promise<unknown> {
  return createFetchActorKey({ discovery, tls: () => trusted, ...options })(id);
}

function fetchServer(
  server: string,
  notary?: string,
  options: Partial<FetchServerKeysOptions> = {},
): Promise<unknown> {
  const name = (text: string): ServerName => {
    const parsed = parseServerName(text);
    if (parsed === undefined) throw new Error(text);
    return parsed;
  };
  const fetchKeys = createFetchServerKeys({ discovery, tls: () => trusted, ...options });
  return fetchKeys(name(server), notary === undefined ? undefined : name(notary));
}

/** Of `keyId`. */
function actor(): string {
  const owner = keyId.replace(/\?.*/, "");
  return actorOf({ id: owner, publicKey: { id: keyId, owner, publicKeyPem: RSA_PEM } });
}

interface Answer {
  readonly status?: number;
  readonly type?: string | undefined;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function answer({ status = 200, type = "application/activity+json", body, headers = {} }: Answer): void {
  web.answer((_request, response) => {
    if (type !== "") response.setHeader("content-type", type);
    response.writeHead(status, headers).end(body);
  });
}

const ofBytes = (body: string, bytes: number): string => body.padEnd(bytes);

describe("the key of an actor", () => {
  it.each([
    { why: "activity+json", type: "application/activity+json; charset=utf-8" },
    { why: "ld+json", type: 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"' },
    {
      why: "as something to show",
      type: "application/activity+json",
      headers: { "content-disposition": "inline" },
    },
  ])("is fetched: $why", async ({ type, headers = {} }) => {
    answer({ type, headers, body: actor() });
    expect(pemOf((await fetchActor()) as Parameters<typeof pemOf>[0])).toBe(RSA_PEM);
    expect(web.takeRequests()).toEqual([`a.example:${web.port} /users/x?y=%20`]);
  });

  it("is asked for with no credentials, as ActivityPub says", async () => {
    let headers: IncomingMessage["headers"] = {};
    web.answer((request, response) => {
      headers = request.headers;
      response.writeHead(404).end();
    });
    expect(await fetchActor()).toBe("status");
    expect(headers).toEqual({
      accept:
        'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
      host: `a.example:${web.port}`,
      "user-agent": "fedtrace",
      connection: "close",
    });
  });

  it("is fetched of a document as long as may be", async () => {
    answer({ body: ofBytes(actor(), ACTOR_BYTES_MAX) });
    expect(typeof (await fetchActor())).toBe("object");
  });

  it.each<{ why: string; refusal: string; answered: () => Answer }>([
    {
      why: "a byte too long",
      answered: () => ({ body: ofBytes(actor(), ACTOR_BYTES_MAX + 1) }),
      refusal: "too-large",
    },
    {
      why: "text that a user uploaded",
      answered: () => ({ type: "text/plain", body: actor() }),
      refusal: "media-type",
    },
    {
      why: "JSON that a user uploaded",
      answered: () => ({ type: "application/json", body: actor() }),
      refusal: "media-type",
    },
    {
      why: "something to save",
      answered: () => ({ headers: { "content-disposition": "attachment" }, body: actor() }),
      refusal: "attachment",
    },
    { why: "HTML", answered: () => ({ type: "text/html", body: actor() }), refusal: "media-type" },
    { why: "no type", answered: () => ({ type: "", body: actor() }), refusal: "media-type" },
    {
      why: "shown to those who sign alone",
      answered: () => ({ status: 401, body: actor() }),
      refusal: "status",
    },
    { why: "gone", answered: () => ({ status: 410, body: "" }), refusal: "status" },
    { why: "a server's fault", answered: () => ({ status: 503, body: actor() }), refusal: "status" },
    {
      why: "another page of the same host",
      answered: () => ({ status: 302, headers: { location: "/x" }, body: actor() }),
      refusal: "redirect",
    },
    {
      why: "a private address",
      answered: () => ({ status: 301, headers: { location: "https://10.0.0.1/" }, body: "" }),
      refusal: "redirect",
    },
    { why: "no JSON", answered: () => ({ body: "<html>" }), refusal: "json" },
    {
      why: "no such key",
      answered: () => ({ body: actor().replaceAll("#main-key", "#other") }),
      refusal: "missing",
    },
    {
      why: "an owner elsewhere",
      answered: () => ({ body: actor().replace('"owner":"https://a.', '"owner":"https://b.') }),
      refusal: "owner",
    },
  ])("is not taken: $why", async ({ answered, refusal }) => {
    answer(answered());
    expect(await fetchActor()).toBe(refusal);
    expect(web.takeRequests()).toHaveLength(1);
  });

  it.each([
    { why: "http", id: "http://a.example/x" },
    { why: "what a user of Matrix uploaded", id: "https://a.example/_matrix/media/v3/download/a.example/x" },
  ])("is not asked for: $why", async ({ id }) => {
    expect(await fetchActor(id)).toBe("key-id");
    expect(dnsServer.takeQueries()).toEqual([]);
  });

  it.each([
    { why: "a private address", id: "https://private.example/x", refusal: "address" },
    { why: "one of two is the cloud's own", id: "https://mixed.example/x", refusal: "address" },
    { why: "a literal inside", id: "https://10.0.0.1/x", refusal: "address" },
    { why: "IPv4 dressed as IPv6", id: "https://[::ffff:10.0.0.1]/x", refusal: "address" },
    { why: "a port that is not allowed", id: `https://a.example:${SMTP}/x`, refusal: "port" },
    { why: "port 0", id: "https://a.example:0/x", refusal: "port" },
    { why: "no such name", id: "https://nothing.example/x", refusal: "dns" },
    { why: "DNS fails", id: "https://failing.example/x", refusal: "dns" },
  ])("is not dialled: $why", async ({ id, refusal }) => {
    expect(await fetchActor(id)).toBe(refusal);
  });

  it("is asked for without the port that https means, however the id writes it", async () => {
    const located: FetchActorKeyOptions["discovery"] = {
      host: (host, port) => ({
        addresses: [{ host: "127.0.0.1", port: web.port }],
        hostHeader: `${host}:${port}`,
        tlsName: host,
        step: "host",
      }),
    };
    web.answer((_request, response) => response.writeHead(404).end());
    for (const id of ["https://a.example/x", "https://a.example:443/x"]) {
      expect(await fetchActor(id, { discovery: located })).toBe("status");
      expect(web.takeRequests()).toEqual(["a.example /x"]);
    }
  });

  it("of an id without path is asked for at the root", async () => {
    web.answer((_request, response) => response.writeHead(404).end());
    expect(await fetchActor(`https://A.example:${web.port}#main-key`)).toBe("status");
    expect(await fetchActor(`https://A.example:${web.port}?x`)).toBe("status");
    expect(web.takeRequests()).toEqual([`a.example:${web.port} /`, `a.example:${web.port} /?x`]);
  });

  it.each([
    { why: "a certificate for other names", id: () => `https://uncertified.example:${web.port}/x` },
    { why: "a certificate of nobody", id: () => `https://a.example:${forger.port}/x` },
  ])("is not taken from $why", async ({ id }) => {
    expect(await fetchActor(id())).toBe("connect");
    expect([...web.takeRequests(), ...forger.takeRequests()]).toEqual([]);
  });

  it("is not fetched where whom to trust can't be read", async () => {
    const tls = () => Promise.reject(new Error("no roots"));
    expect(await fetchActor(keyId, { tls })).toBe("connect");
  });
});

describe("keys of a server", () => {
  const BODY = '{"server_name":"a.example"}';
  const JSON_TYPE = "application/json";

  it("are fetched from itself, and given as they are", async () => {
    answer({ type: JSON_TYPE, body: BODY });
    expect(await fetchServer(`a.example:${web.port}`)).toEqual({ body: BODY });
    expect(web.takeRequests()).toEqual([`a.example:${web.port} /_matrix/key/v2/server`]);
  });

  it("are fetched from a notary", async () => {
    answer({ type: JSON_TYPE, body: BODY });
    expect(await fetchServer("[::1]:8448", `b.example:${web.port}`)).toEqual({ body: BODY });
    expect(web.takeRequests()).toEqual([`b.example:${web.port} /_matrix/key/v2/query/%5B%3A%3A1%5D%3A8448`]);
  });

  it("are fetched from where discovery says, in the name it says", async () => {
    answer({ type: JSON_TYPE, body: BODY });
    const located: FetchServerKeysOptions["discovery"] = {
      server: () => ({
        addresses: [{ host: "127.0.0.1", port: web.port }],
        hostHeader: "b.example",
        tlsName: "b.example",
        step: "srv",
      }),
    };
    expect(await fetchServer("a.example", undefined, { discovery: located })).toEqual({ body: BODY });
    expect(web.takeRequests()).toEqual(["b.example /_matrix/key/v2/server"]);
  });

  it.each<{ why: string; refusal: string | object; answered: Answer }>([
    {
      why: "as long as may be",
      answered: { body: ofBytes(BODY, SERVER_KEYS_BYTES_MAX) },
      refusal: { body: ofBytes(BODY, SERVER_KEYS_BYTES_MAX) },
    },
    {
      why: "a byte too long",
      answered: { body: ofBytes(BODY, SERVER_KEYS_BYTES_MAX + 1) },
      refusal: "too-large",
    },
    { why: "another type", answered: { type: "text/html", body: BODY }, refusal: "media-type" },
    {
      why: "an actor's type",
      answered: { type: "application/activity+json", body: BODY },
      refusal: "media-type",
    },
    { why: "not there", answered: { status: 404, body: BODY }, refusal: "status" },
    {
      why: "elsewhere",
      answered: { status: 307, headers: { location: "/y" }, body: BODY },
      refusal: "redirect",
    },
  ])("$why", async ({ answered, refusal }) => {
    answer({ type: JSON_TYPE, ...answered });
    expect(await fetchServer(`a.example:${web.port}`)).toEqual(refusal);
  });

  it.each([
    { why: "a private address", server: "private.example:8448", refusal: "address" },
    { why: "a port that is not allowed", server: `a.example:${SMTP}`, refusal: "port" },
    { why: "no such name", server: "nothing.example:8448", refusal: "dns" },
  ])("are not dialled: $why", async ({ server, refusal }) => {
    expect(await fetchServer(server)).toBe(refusal);
    expect(await fetchServer("a.example", server)).toBe(refusal);
  });
});

describe("the time", () => {
  it.each([
    { why: "the head", respond: () => undefined },
    {
      why: "the rest of the body",
      respond: (_request: IncomingMessage, response: ServerResponse) =>
        void response.writeHead(200, { "content-type": "application/activity+json" }).write("{"),
    },
  ])("ends a wait for $why, and the connection", async ({ respond }) => {
    const closed = new Promise((resolve) => {
      web.answer((request, response) => {
        request.socket.on("close", resolve);
        respond(request, response);
      });
    });
    expect(await fetchActor(keyId, { timeoutMs: 200 })).toBe("timeout");
    await closed;
  });

  it("ends a wait for discovery", async () => {
    const never: FetchActorKeyOptions["discovery"] = { host: () => new Promise(() => undefined) };
    expect(await fetchActor(keyId, { discovery: never, timeoutMs: 20 })).toBe("timeout");
  });
});
