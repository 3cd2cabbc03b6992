/**
 * Server-side request forgery by keys. Who sends a request says by which key it is signed, and a sidecar that verifies asks for that
 * key: a name, a key's URL or a delegation that leads inside makes it ask there, and one name after the other makes it ask without end.
 *
 * Source: CVE-2021-21273 (Synapse asked internal addresses, also about keys); CVE-2021-21392 (and such as IPv6 can write); CWE-918;
 * CWE-770 for asking without end.
 * Without the rule: a signature in the name of 169.254.169.254 is a request to it, from inside, and a flood of names is a flood of
 * requests to whomever they name.
 * Here everybody is whitelisted, the worst that can be written. Times and forms of answers: test/proof/fetch-keys.test.ts.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { createDns } from "../../src/discovery/dns.ts";
import { createDiscovery } from "../../src/discovery/server-discovery.ts";
import { createFetchWellKnown } from "../../src/discovery/well-known.ts";
import { parseServerName } from "../../src/peer/server-name.ts";
import { createFetchServerKeys } from "../../src/proof/fetch-keys.ts";
import { answerDelegations, CA, dialTo, startWeb, type Web } from "../discovery/web.ts";
import { type DnsServer, type DnsZone, startDnsServer } from "../support/dns-server.ts";
import { createMatrixSigner } from "../support/matrix-signer.ts";
import { poll } from "../support/poll.ts";
import { exchangeRaw, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";
import { type Attacked, startAttacked } from "./attacked.ts";
import { OWN } from "./proof-bought.ts";

const listen = "127.0.0.1:0";
const HOUR_MS = 3_600_000;
const HOME = { A: ["127.0.0.1"] };
const ZONE: DnsZone = {
  "a.example": HOME,
  "b.example": HOME,
  "private.example": { A: ["10.0.0.1"] },
  "metadata.example": { A: ["169.254.169.254"] },
  "zero.example": { A: ["0.0.0.0"] },
  "six.example": { AAAA: ["::1"] },
  "mapped.example": { AAAA: ["::ffff:127.0.0.1"] },
  "nat64.example": { AAAA: ["64:ff9b::7f00:1"] },
  "link.example": { AAAA: ["fe80::1"] },
  "alias.example": { CNAME: "private.example" },
  "both.example": { A: ["203.0.113.1", "127.0.0.1"] },
  "_matrix-fed._tcp.service.example": { SRV: [[1, 1, 8448, "private.example"]] },
};
const KEYS = { ca_file: "test/fixtures/discovery/ca.pem", fetches_per_second: 1000 };

/** What must not be reached: it listens inside. */
let inside: RecordingUpstream;
/** What may be, with a certificate for a.example and b.example. */
let web: Web;
let dns: DnsServer;
/** Which may ask nobody inside. */
let closed: Attacked;
/** Which may, for what is refused all the same. */
let open: Attacked;
/** Connections to it that rows before were failed for. */
let known = 0;
/** How far the clock of `open` was put forward. */
let aheadMs = 0;

beforeAll(async () => {
  inside = await recordingUpstream();
  web = await startWeb();
  dns = await startDnsServer(ZONE);
  closed = await start({ allow_networks: [] });
  open = await start({ allow_networks: ["127.0.0.0/8"] });
});
afterEach(() => {
  const connections = inside.connections.length - known;
  known += connections;
  expect(connections).toBe(0);
  web.takeRequests();
  dns.takeQueries();
});
afterAll(async () => {
  await Promise.all([closed, open].map((one) => one.stop()));
  inside.stop();
  web.stop();
  dns.stop();
});

/** @param keys of `inbound` */
async function start(keys: object, whitelist = [".*"]): Promise<Attacked> {
  const resolver = `${dns.resolver.host}:${dns.resolver.port}`;
  return startAttacked(
    { whitelist, outbound: { listen, resolver } },
    { authenticate: "signature", keys: { ...KEYS, ...keys } },
  );
}

/** A line that a key of that server must be asked for. */
function byMatrix(name: string, keyId = "ed25519:a"): string {
  return `Authorization: X-Matrix origin="${name}",key="${keyId}",sig="${"A".repeat(86)}",destination="${OWN}"`;
}

/** Lines for which the key at a URL must be asked for. */
function byUrl(keyId: string): readonly string[] {
  const covered = "(request-target) host date";
  return [
    `Date: ${new Date(Date.now() + aheadMs).toUTCString()}`,
    `Signature: keyId="${keyId}",algorithm="rsa-sha256",headers="${covered}",signature="AAAA"`,
  ];
}

/** Fetches that are over, by kind and what came of them. */
async function fetchesOf(one: Attacked): Promise<ReadonlyMap<string, number>> {
  return new Map(
    [...(await one.scrape())].flatMap(([series, count]) => {
      const [, kind, result] =
        /^fedtrace_key_fetches_total\{kind="(\w+)",result="([\w-]+)"\}/.exec(series) ?? [];
      return kind === undefined ? [] : [[`${kind} ${result}`, count] as const];
    }),
  );
}

/** @returns what came of the fetch that a request has caused, as `kind result` */
async function cameOf(one: Attacked, lines: readonly string[]): Promise<string | undefined> {
  one.advance(1000); // Of one host there are two a second.
  const before = await fetchesOf(one);
  expect((await one.passIn(lines)).received).toMatch(/^HTTP\/1\.1 200 /);
  return poll(async () => {
    const now = await fetchesOf(one);
    return [...now].find(([word, count]) => count !== (before.get(word) ?? 0))?.[0];
  }, 15_000);
}

const NAMES = Object.keys(ZONE).filter((name) => !name.startsWith("_"));
const LITERALS = [
  "127.0.0.1",
  "127.8.9.10",
  "10.0.0.1",
  "169.254.169.254",
  "0.0.0.0",
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[64:ff9b::7f00:1]",
  "[fe80::1]",
];

describe("a key inside", () => {
  it.each([...NAMES, ...LITERALS])("is asked for of nobody, server or actor: %s", async (name) => {
    const server = `${name}:${inside.port}`;
    expect(await cameOf(closed, [byMatrix(server)])).toBe("server address");
    expect(await cameOf(closed, byUrl(`https://${server}/users/x#main-key`))).toBe("actor address");
  });

  it.each(["0x7f.1", "2130706433", "127.1"])(
    "that only some programs read in a name is asked for in DNS, where it is none: %s",
    async (name) => {
      expect(await cameOf(open, [byMatrix(`${name}:${inside.port}`)])).toBe("server dns");
      expect(await cameOf(open, byUrl(`https://${name}:${inside.port}/x`))).toBe("actor dns");
    },
  );

  it.each([
    "[127.0.0.1]",
    "[fe80::1%25eth0]",
    "a.example@127.0.0.1",
    "%31%32%37.0.0.1",
    "a.example\\@127.0.0.1",
  ])("in a spelling that only some programs read is nobody's: %s", async (name) => {
    for (const lines of [[byMatrix(`${name}:${inside.port}`)], byUrl(`https://${name}:${inside.port}/x`)]) {
      const { span } = await open.passIn(lines);
      expect(span?.attributes["fedtrace.peer.name"]).toBeUndefined();
    }
  });

  it("by a service record neither", async () => {
    expect(await cameOf(closed, [byMatrix("service.example")])).toBe("server address");
  });

  it("by the notary neither, who is asked where a server can't be", async () => {
    const notary = { server_name: `six.example:${inside.port}` };
    const sidecar = await start({ allow_networks: [], notary });
    onTestFinished(() => sidecar.stop());
    expect(await cameOf(sidecar, [byMatrix(`nothing.example:${inside.port}`)])).toBe("server dns");
    expect(dns.takeQueries()).toContain("AAAA six.example");
  });

  it("by a .well-known neither, nor by where that redirects to", async () => {
    const trusted = await dialTo(CA);
    const checks = {
      dns: createDns({ resolver: dns.resolver, timeoutMs: 5000 }),
      isAllowed: (address: string) => address === "127.0.0.1",
      isPortAllowed: () => true,
      clock: createSystemClock(),
    };
    const tls = () => trusted;
    const fetchWellKnown = createFetchWellKnown({ ...checks, tls, wellKnownPort: web.port });
    const discovery = createDiscovery({ ...checks, fetchWellKnown, random: { fraction: () => 0 } });
    const fetchKeys = createFetchServerKeys({ discovery, tls });
    const ask = async (host: string): Promise<unknown> => {
      const server = parseServerName(host);
      return server === undefined ? "name" : fetchKeys(server);
    };
    // One that leads to what listens inside, where only 127.0.0.1 as it stands is allowed.
    const mapped = `[::ffff:127.0.0.1]:${inside.port}`;
    answerDelegations(web, { "a.example": mapped });
    expect(await ask("a.example")).toBe("address");
    expect(web.takeRequests()).toEqual(["a.example /.well-known/matrix/server"]);
    const location = `https://${mapped}/.well-known/matrix/server`;
    web.answer((_request, response) => response.writeHead(302, { location }).end());
    expect(await ask("b.example")).toBe("connect"); // Without a delegation it is asked itself, at 8448.
    expect(web.takeRequests()).toEqual(["b.example /.well-known/matrix/server"]);
  });
});

describe("another protocol", () => {
  it.each([
    { why: "mail", port: 25 },
    { why: "a shell", port: 22 },
    { why: "chat", port: 6667 },
    { why: "none", port: 0 },
  ])("is spoken to by no key's URL and no server's name: $why", async ({ port }) => {
    expect(await cameOf(open, [byMatrix(`a.example:${port}`)])).toBe("server port");
    expect(await cameOf(open, byUrl(`https://a.example:${port}/x`))).toBe("actor port");
  });

  it.each([
    { why: "http", keyId: (port: number) => `http://a.example:${port}/x` },
    { why: "an account", keyId: () => "acct:x@a.example" },
  ])(
    "than https is none for a key: nothing is fetched, and DNS is not even asked: $why",
    async ({ keyId }) => {
      const before = await fetchesOf(open);
      const { span } = await open.passIn(byUrl(keyId(inside.port)));
      expect(span?.attributes["fedtrace.peer.proof_refused"]).toBe("malformed");
      expect(await fetchesOf(open)).toEqual(before);
      expect(dns.takeQueries()).toEqual([]);
    },
  );
});

describe("what answers for a key", () => {
  it.each<{ why: string; result: string; status?: number; headers?: object; body?: string }>([
    {
      why: "a redirect inside",
      status: 302,
      headers: { location: "http://127.0.0.1:PORT/" },
      result: "redirect",
    },
    { why: "a redirect to itself", status: 308, headers: { location: "/y" }, result: "redirect" },
    { why: "a page", headers: { "content-type": "text/html" }, body: "{}", result: "media-type" },
    { why: "no type", headers: {}, body: "{}", result: "media-type" },
    { why: "a megabyte", body: `{"a":"${"x".repeat(1_000_000)}"}`, result: "too-large" },
    { why: "a fault", status: 500, result: "status" },
  ])("is followed nowhere, and read only as far as it is a key: $why", async (answer) => {
    const { why, result, status = 200, body = "" } = answer;
    web.answer(({ url = "" }, response) => {
      const type = url.startsWith("/_matrix/") ? "application/json" : "application/activity+json";
      const headers = answer.headers ?? { "content-type": type };
      const written = JSON.stringify(headers).replace("PORT", String(inside.port));
      response.writeHead(status, JSON.parse(written) as Record<string, string>).end(body);
    });
    const path = encodeURIComponent(why);
    expect(await cameOf(open, byUrl(`https://a.example:${web.port}/${path}`))).toBe(`actor ${result}`);
    expect(web.takeRequests()).toEqual([`a.example:${web.port} /${path}`]);
    expect(await cameOf(open, [byMatrix(`a.example:${web.port}`)])).toBe(`server ${result}`);
    expect(web.takeRequests()).toEqual([`a.example:${web.port} /_matrix/key/v2/server`]);
    // The next row asks the same server, which is left alone for up to an hour.
    aheadMs += HOUR_MS;
    open.advance(HOUR_MS);
  });
});

describe("names", () => {
  it("that are not on the whitelist are asked for nothing, in DNS neither", async () => {
    const sidecar = await start({ allow_networks: ["127.0.0.0/8"] }, ["friend\\.test"]);
    onTestFinished(() => sidecar.stop());
    for (const name of [...NAMES, ...LITERALS, "friend.test.a.example"]) {
      await sidecar.passIn([byMatrix(`${name}:${web.port}`)]);
      await sidecar.passIn(byUrl(`https://${name}:${web.port}/users/x`));
    }
    expect(await fetchesOf(sidecar)).toEqual(new Map());
    expect(dns.takeQueries()).toEqual([]);
    expect(web.takeRequests()).toEqual([]);
  });

  it("are asked for three times in any second at most where a pattern takes them, and those met before as often", async () => {
    const friends = Array.from({ length: 7 }, (_, at) => createMatrixSigner(`friend${at}.test`));
    const documents = new Map(friends.map((signer) => [signer.name, signer.keyDocument()]));
    const asked: { readonly isFriend: boolean; readonly atMs: number }[] = [];
    const sidecar = await startAttacked(
      { whitelist: [".*"] },
      {},
      {
        fetchServerKeys: async ({ name }) => {
          asked.push({ isFriend: documents.has(name), atMs: performance.now() });
          return documents.get(name) ?? "";
        },
      },
    );
    onTestFinished(() => sidecar.stop());
    for (const { name } of friends) {
      sidecar.advance(1000);
      expect(await sidecar.sidecar.learnKeys(name)).toBe(true);
    }
    sidecar.advance(60_000); // By then a signature that is wrong makes it ask again whether the key is the same.
    asked.length = 0;
    const names = [...documents.keys(), ...Array.from({ length: 200 }, (_, at) => `p${at}.test`)];
    const lines = names.map((name) => byMatrix(name, friends[0]?.keyId ?? ""));
    const heads = [...lines, "Connection: close"].map(
      (line) => `GET /x HTTP/1.1\r\nHost: ${OWN}\r\n${line}\r\n\r\n`,
    );
    await exchangeRaw(sidecar.port.inbound, heads.join(""));
    for (const kind of [true, false]) {
      const times = asked.filter(({ isFriend }) => isFriend === kind).map(({ atMs }) => atMs);
      const busiest = Math.max(
        ...times.map((from) => times.filter((at) => at >= from && at < from + 900).length),
      );
      expect(busiest).toBeGreaterThan(0);
      expect(busiest).toBeLessThanOrEqual(3);
    }
  });
});
