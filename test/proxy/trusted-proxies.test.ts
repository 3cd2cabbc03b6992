/**
 * Behind proxies: whose word about a client counts, and all that follows from it. Real sockets; 127.0.0.1 is a trusted proxy,
 * 127.0.0.2 anybody.
 *
 * Spoofing: CWE-290 and CWE-348. Without the rule, whoever writes an address of `networks` into a header is a whitelisted peer.
 */

import { metricsText } from "../support/metrics.ts";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { v2 } from "../http1/proxy-headers.ts";
import { connectPeer } from "../http1/sockets.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

const PROXY = "127.0.0.1";
const ANYBODY = "127.0.0.2";
/** Of `friend.test`. */
const FRIEND = "192.0.2.7";

const TRACE = "d4cda95b652f4a1592b449d5929fda1b";
const W3C = `traceparent: 00-${TRACE}-6e0c63257de34c92-01`;

let upstream: RecordingUpstream;
/** With `trusted_proxies`, without, and with `proxy_protocol` on top. */
let behind: TestSidecar;
let alone: TestSidecar;
let announced: TestSidecar;

function documentOf(inbound: object): Record<string, unknown> {
  return {
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      identify: ["x-matrix", "address"],
      authenticate: "network",
      // A network of the proxy's own: its clients are not in it.
      networks: { "friend.test": ["192.0.2.0/24"], "inside.test": ["127.0.0.0/8"] },
      ...inbound,
    },
    whitelist: ["friend\\.test", "inside\\.test"],
  };
}

beforeAll(async () => {
  upstream = await recordingUpstream();
  behind = await startInProcess(documentOf({ trusted_proxies: [PROXY, "10.0.0.0/8"] }));
  alone = await startInProcess(documentOf({ networks: { "friend.test": ["192.0.2.0/24"] } }));
  announced = await startInProcess(
    documentOf({ trusted_proxies: [PROXY, "10.0.0.0/8"], proxy_protocol: true }),
  );
});
beforeEach(() => {
  for (const sidecar of [behind, alone, announced]) sidecar.forget();
});
afterAll(async () => {
  upstream.stop();
  for (const { sidecar } of [behind, alone, announced]) await sidecar.stop();
});

interface Passed {
  /** Of the X-Forwarded-* and Forwarded lines that the server behind got. */
  readonly lines: readonly string[];
  readonly client: unknown;
  readonly socket: unknown;
  readonly scheme: unknown;
  readonly server: unknown;
  readonly name: unknown;
  readonly proof: unknown;
  readonly isExtracted: boolean;
}

/** One request from an address, or to a unix socket's path; `before` is sent ahead of it. */
async function pass(
  sidecar: TestSidecar,
  from: string,
  { lines = [], before = "", path }: { lines?: readonly string[]; before?: string; path?: string },
): Promise<Passed> {
  const [known, spans] = [upstream.received().length, sidecar.spans.length];
  const peer = await connectPeer(path ?? sidecar.port.inbound, from);
  const head = [
    "GET /_matrix/key/v2/server HTTP/1.1",
    "Host: own.test:8448",
    W3C,
    ...lines,
    "Connection: close",
  ];
  peer.send(`${before}${head.join("\r\n")}\r\n\r\n`);
  await peer.until("\r\n\r\nok");
  peer.socket.end();
  const span = (await sidecar.spansOf(spans + 1))[spans];
  const arrived = upstream.received().slice(known);
  return {
    lines: arrived.split("\r\n").filter((line) => /^(?:x[-_])?forwarded/i.test(line)),
    client: span?.attributes["client.address"],
    socket: span?.attributes["network.peer.address"],
    scheme: span?.attributes["url.scheme"],
    server: span?.attributes["server.address"],
    name: span?.attributes["fedtrace.peer.name"],
    proof: span?.attributes["fedtrace.peer.proof"],
    isExtracted: span?.spanContext().traceId === TRACE,
  };
}

/** Written by a proxy whose client is `client`. */
const byX = (client: string): readonly string[] => [`X-Forwarded-For: ${client}`];
const byRfc = (client: string): readonly string[] => [`Forwarded: for="${client}"`];

describe("a trusted proxy's word", () => {
  it.each([
    { lines: byX(FRIEND), why: "X-Forwarded-For" },
    { lines: byRfc(FRIEND), why: "Forwarded" },
    { lines: [...byX(FRIEND), ...byRfc(FRIEND)], why: "both, saying the same" },
    {
      lines: byX(`203.0.113.1, ${FRIEND}, 10.0.0.3`),
      why: "the client is the first from the right that is not trusted",
    },
    {
      lines: ["X-Forwarded-For: 203.0.113.1", ...byX(FRIEND), ...byX("10.0.0.3")],
      why: "over several lines",
    },
    { lines: ["x_forwarded_for: 203.0.113.1", ...byX(FRIEND)], why: "whatever names with _ say" },
    { lines: [...byX(FRIEND), "Forwarded:"], why: "beside an empty line" },
  ])("names its client: $why", async ({ lines }) => {
    expect(await pass(behind, PROXY, { lines })).toEqual({
      lines: [`x-forwarded-for: ${FRIEND}`, "x-forwarded-proto: http", "x-forwarded-host: own.test:8448"],
      client: FRIEND,
      socket: PROXY,
      scheme: "http",
      server: "own.test",
      name: "friend.test",
      proof: "network",
      isExtracted: true,
    });
  });

  it.each([
    { lines: ["X-Forwarded-Proto: https", "X-Forwarded-Host: social.test"], why: "X-Forwarded-*" },
    { lines: ["Forwarded: proto=https;host=social.test;for=unknown"], why: "Forwarded" },
    {
      lines: [...byX(ANYBODY), "X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: social.test"],
      why: "with a client",
    },
  ])("says what the client spoke, and to whom: $why", async ({ lines }) => {
    const passed = await pass(behind, PROXY, { lines });
    expect(passed.lines.slice(1)).toEqual(["x-forwarded-proto: https", "x-forwarded-host: social.test"]);
    expect([passed.scheme, passed.server]).toEqual(["https", "social.test"]);
  });

  it("leaves Host as it came, which is signed", async () => {
    const known = upstream.received().length;
    await pass(behind, PROXY, { lines: ["X-Forwarded-Host: social.test"] });
    expect(upstream.received().slice(known)).toContain("\r\nHost: own.test:8448\r\n");
  });

  it("counts on a unix socket where unix: is listed, and not elsewhere", async () => {
    const directory = temporaryDirectory();
    for (const [index, trusted_proxies] of [["unix:"], ["127.0.0.0/8"]].entries()) {
      const path = join(directory, `${index}.sock`);
      const sidecar = await startInProcess(documentOf({ listen: `unix:${path}`, trusted_proxies }));
      onTestFinished(() => sidecar.sidecar.stop());
      const { lines, client, name } = await pass(sidecar, "", { path, lines: byX(FRIEND) });
      const isBelieved = index === 0;
      expect([client, name]).toEqual(isBelieved ? [FRIEND, "friend.test"] : [undefined, undefined]);
      expect(lines.includes(`x-forwarded-for: ${FRIEND}`)).toBe(isBelieved);
    }
  });
});

/** What nobody is proven by: the client is as unknown as before, and Forwarded goes no further. */
const UNKNOWN_CLIENT = {
  lines: [`x-forwarded-for: ${PROXY}`, "x-forwarded-proto: http", "x-forwarded-host: own.test:8448"],
  client: PROXY,
  socket: PROXY,
  scheme: "http",
  server: "own.test",
  name: undefined,
  proof: "none",
  isExtracted: false,
};

describe("a trusted proxy's word is not believed", () => {
  it.each([
    {
      lines: [...byX(ANYBODY), ...byRfc(FRIEND)],
      reason: "disagree",
      why: "it sets one and passes the other",
    },
    { lines: [...byX(FRIEND), ...byRfc(ANYBODY)], reason: "disagree", why: "or the other way round" },
    {
      lines: [...byRfc(FRIEND), "X-Forwarded-Proto: http"],
      reason: "disagree",
      why: "one kind tells no client",
    },
    { lines: [...byX(FRIEND), "Forwarded: proto=http"], reason: "disagree", why: "and so for the other" },
    {
      lines: [...byX(FRIEND), "X-Forwarded-Proto: https", `Forwarded: for=${FRIEND};proto=http`],
      reason: "disagree",
      why: "the same client by two schemes",
    },
    {
      lines: [...byX(FRIEND), "X-Forwarded-Host: a.test", `Forwarded: for=${FRIEND};host=b.test`],
      reason: "disagree",
      why: "the same client to two hosts",
    },
    { lines: byX(`${FRIEND}, oops`), reason: "syntax", why: "X-Forwarded-For is malformed" },
    { lines: ['Forwarded: for="oops', ...byRfc(FRIEND)], reason: "syntax", why: "Forwarded is malformed" },
    { lines: [...byX(FRIEND), "X-Forwarded-Proto: gopher"], reason: "syntax", why: "another scheme" },
    { lines: [...byX(FRIEND), "X-Forwarded-Host: a b"], reason: "syntax", why: "no host" },
    {
      lines: byX(Array.from({ length: 33 }, () => "10.0.0.3").join()),
      reason: "bound",
      why: "too many hops",
    },
    {
      lines: [...byX(FRIEND), "Connection: x-forwarded-for"],
      reason: "nominated",
      why: "Connection nominates the one that is there",
    },
    {
      lines: [...byX("203.0.113.9"), ...byRfc(FRIEND), "Connection: X-Forwarded-For"],
      reason: "nominated",
      why: "a client nominates what the proxy wrote, to be believed himself",
    },
    {
      lines: [...byX(FRIEND), ...byRfc("203.0.113.9"), "Connection: forwarded"],
      reason: "nominated",
      why: "the same the other way round",
    },
  ])("$reason: $why", async ({ lines, reason }) => {
    behind.advance(1000); // What peers cause is told five times a second.
    const before = await refusedBy(reason);
    expect(await pass(behind, PROXY, { lines })).toEqual(UNKNOWN_CLIENT);
    expect(await refusedBy(reason)).toBe(before + 1);
    expect(behind.logged.join()).toContain(`"reason":"${reason}","proxy":"${PROXY}"`);
  });

  it.each([
    { lines: [], why: "nothing is said" },
    { lines: ["X-Forwarded-For: unknown"], why: "it hides its client" },
    { lines: ["Forwarded: for=_hidden"], why: "so by Forwarded" },
    { lines: [`X_Forwarded_For: ${FRIEND}`], why: "a name with _ is another name" },
  ])("and its own address is nobody's: $why", async ({ lines }) => {
    expect(await pass(behind, PROXY, { lines })).toEqual(UNKNOWN_CLIENT);
  });

  it("where only one kind tells the scheme and the host, while both are there", async () => {
    const lines = [...byX(FRIEND), `Forwarded: for=${FRIEND};proto=https;host=evil.test`];
    const { scheme, server, name } = await pass(behind, PROXY, { lines });
    expect([scheme, server, name]).toEqual(["http", "own.test", "friend.test"]);
  });
});

async function refusedBy(reason: string): Promise<number> {
  const text = metricsText(behind.sidecar.registry);
  return Number(
    new RegExp(`fedtrace_forwarded_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0,
  );
}

/** Every way to say "I am 192.0.2.7". */
const SPOOFS = [
  { lines: byX(FRIEND), why: "X-Forwarded-For" },
  { lines: byRfc(FRIEND), why: "Forwarded" },
  { lines: [...byX(FRIEND), ...byRfc(FRIEND)], why: "both" },
  { lines: [...byX(`${FRIEND}, ${PROXY}`)], why: "with the proxy's address behind it" },
  {
    lines: [`X-Real-IP: ${FRIEND}`, `True-Client-IP: ${FRIEND}`, `CF-Connecting-IP: ${FRIEND}`],
    why: "other products' names",
  },
];

describe("anybody's word is not even read", () => {
  it.each([
    { of: () => behind, from: ANYBODY, why: "who is not listed" },
    { of: () => alone, from: PROXY, why: "where nobody is listed" },
    { of: () => announced, from: ANYBODY, why: "who sends no PROXY header where proxies do" },
  ])("$why", async ({ of, from }) => {
    for (const { lines } of SPOOFS) {
      const more = [...lines, "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test"];
      const passed = await pass(of(), from, { lines: more });
      expect(passed.lines).toEqual([
        `x-forwarded-for: ${from}`,
        "x-forwarded-proto: http",
        "x-forwarded-host: own.test:8448",
      ]);
      expect([passed.client, passed.socket, passed.scheme, passed.server]).toEqual([
        from,
        from,
        "http",
        "own.test",
      ]);
      expect(passed.name).not.toBe("friend.test");
    }
    expect(of().logged).toEqual([]);
  });

  it("and proves no name that X-Matrix claims", async () => {
    for (const { lines } of SPOOFS) {
      const claim = 'Authorization: X-Matrix origin="friend.test",key="ed25519:a",sig="AA"';
      const { name, proof, isExtracted } = await pass(behind, ANYBODY, { lines: [claim, ...lines] });
      expect([name, proof, isExtracted]).toEqual(["friend.test", "claimed", false]);
    }
  });

  const headers = [`PROXY TCP4 ${FRIEND} 127.0.0.1 1 2\r\n`, v2().toString("latin1")];
  it.each([
    { of: () => behind, from: ANYBODY, why: "who is not listed" },
    { of: () => behind, from: PROXY, why: "a proxy where proxy_protocol is off" },
    { of: () => announced, from: ANYBODY, why: "who is not listed where proxies send it" },
    { of: () => alone, from: PROXY, why: "where nobody is listed" },
  ])("a PROXY header is malformed HTTP: $why", async ({ of, from }) => {
    for (const header of headers) {
      const known = upstream.received().length;
      const peer = await connectPeer(of().port.inbound, from);
      peer.send(`${header}GET / HTTP/1.1\r\nHost: own.test\r\n${W3C}\r\n\r\n`);
      await peer.ended();
      expect(peer.received).toMatch(/^HTTP\/1\.1 400 /);
      expect([upstream.received().length, of().spans.length]).toEqual([known, 0]);
    }
  });
});

describe("with the PROXY protocol", () => {
  it.each([
    { before: `PROXY TCP4 ${FRIEND} 127.0.0.1 1 2\r\n`, why: "version 1" },
    { before: v2().toString("latin1"), why: "version 2" },
  ])("the client is who is announced: $why", async ({ before }) => {
    expect(await pass(announced, PROXY, { before })).toEqual({
      lines: [`x-forwarded-for: ${FRIEND}`, "x-forwarded-proto: http", "x-forwarded-host: own.test:8448"],
      client: FRIEND,
      socket: PROXY,
      scheme: "http",
      server: "own.test",
      name: "friend.test",
      proof: "network",
      isExtracted: true,
    });
  });

  it("its headers count only if it is a trusted proxy itself", async () => {
    const behindAnother = "PROXY TCP4 10.0.0.9 127.0.0.1 1 2\r\n";
    const direct = "PROXY TCP4 203.0.113.1 127.0.0.1 1 2\r\n";
    const believed = await pass(announced, PROXY, { before: behindAnother, lines: byX(FRIEND) });
    expect([believed.client, believed.name]).toEqual([FRIEND, "friend.test"]);
    const spoofed = await pass(announced, PROXY, { before: direct, lines: byX(FRIEND) });
    expect([spoofed.client, spoofed.name]).toEqual(["203.0.113.1", undefined]);
  });

  it.each([
    { before: "PROXY UNKNOWN\r\n", why: "UNKNOWN" },
    { before: v2({ command: 0x20 }).toString("latin1"), why: "LOCAL" },
    { before: v2({ family: 0x31, addresses: Buffer.alloc(216) }).toString("latin1"), why: "UNIX" },
  ])("who is announced without an address is nobody, whatever its headers say: $why", async ({ before }) => {
    expect(await pass(announced, PROXY, { before, lines: byX(FRIEND) })).toEqual(UNKNOWN_CLIENT);
  });

  it("a proxy's connection without one is closed, counted and told", async () => {
    const peer = await connectPeer(announced.port.inbound, PROXY);
    peer.send("GET / HTTP/1.1\r\nHost: own.test\r\n\r\n");
    await peer.ended();
    expect(peer.received).toBe("");
    expect(metricsText(announced.sidecar.registry)).toContain(
      'fedtrace_proxy_headers_refused_total{reason="absent"} 1',
    );
    expect(announced.logged.join()).toContain(`"reason":"absent","proxy":"${PROXY}"`);
  });
});

it("a reload takes other proxies over, and open connections with them", async () => {
  const sidecar = await startInProcess(documentOf({ trusted_proxies: ["10.0.0.0/8"] }));
  onTestFinished(() => sidecar.sidecar.stop());
  expect((await pass(sidecar, PROXY, { lines: byX(FRIEND) })).client).toBe(PROXY);
  expect(await sidecar.reload(documentOf({ trusted_proxies: [PROXY] }))).toEqual([]);
  expect((await pass(sidecar, PROXY, { lines: byX(FRIEND) })).client).toBe(FRIEND);
  expect(await sidecar.reload(documentOf({}))).toEqual([]);
  expect((await pass(sidecar, PROXY, { lines: byX(FRIEND) })).client).toBe(PROXY);
});
