/**
 * Server-side request forgery. The way out stands inside: whoever makes it ask for an address reaches what is reached from
 * there alone, such as a metadata service, a database or an admin page; a name, a redirect or an odd spelling of an address
 * is how it is asked for.
 *
 * Source: CVE-2021-21273 (Synapse asked for internal addresses, also for keys), CVE-2021-21392 (and for such as IPv6 can
 * write); CVE-2026-44492 (axios read ::ffff:7f00:1 as no loopback); CWE-918.
 * Without the rule: a federation name that leads to 169.254.169.254 hands out the machine's credentials.
 * The look-ups themselves (.well-known, its redirects, rebinding between check and dial): test/discovery.
 */

import { connect as connectPlain } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type DnsServer, type DnsZone, startDnsServer } from "../support/dns-server.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

const listen = "127.0.0.1:0";

/** What must not be reached: it listens inside. */
let inside: RecordingUpstream;
let dns: DnsServer;
/** Which may go nowhere but outside. */
let closed: TestSidecar;
/** Which may reach the inside, for what is refused all the same. */
let open: TestSidecar;

const ZONE: DnsZone = {
  "a.example": { A: ["127.0.0.1"] },
  "private.example": { A: ["10.0.0.1"] },
  "metadata.example": { A: ["169.254.169.254"] },
  "azure.example": { A: ["168.63.129.16"] },
  "nat.example": { A: ["100.100.100.200"] },
  "zero.example": { A: ["0.0.0.0"] },
  "broadcast.example": { A: ["255.255.255.255"] },
  "six.example": { AAAA: ["::1"] },
  "mapped.example": { AAAA: ["::ffff:127.0.0.1"] },
  "nat64.example": { AAAA: ["64:ff9b::7f00:1"] },
  "6to4.example": { AAAA: ["2002:7f00:1::"] },
  "link.example": { AAAA: ["fe80::1"] },
  "unique.example": { AAAA: ["fd00::1"] },
  "alias.example": { CNAME: "a.example" },
  "both.example": { A: ["10.0.0.1", "127.0.0.1"], AAAA: ["::1"] },
  "service.example": {},
  "_matrix-fed._tcp.service.example": { SRV: [[1, 1, 8448, "a.example"]] },
};

beforeAll(async () => {
  inside = await recordingUpstream();
  dns = await startDnsServer(ZONE);
  const resolver = `${dns.resolver.host}:${dns.resolver.port}`;
  closed = await startInProcess({ outbound: { listen, resolver } });
  open = await startInProcess({
    outbound: { listen, resolver, allow_networks: ["127.0.0.0/8"] },
    inbound: { listen, upstream: `http://127.0.0.1:${inside.port}`, authenticate: "claimed" },
  });
});
afterAll(async () => {
  await closed.sidecar.stop();
  await open.sidecar.stop();
  inside.stop();
  dns.stop();
});

interface Asked {
  readonly target: string;
  readonly method?: string;
}

function ask(port: number, { target, method = "GET" }: Asked): Promise<string> {
  return exchangeRaw(port, `${method} ${target} HTTP/1.1\r\nHost: peer.example\r\nConnection: close\r\n\r\n`);
}

async function expectRefused(
  sidecar: TestSidecar,
  asked: Asked,
  status: number,
  code: string,
): Promise<void> {
  const known = inside.received().length;
  const connections = inside.connections.length;
  const received = await ask(sidecar.port.outbound, asked);
  expect(received).toContain(`HTTP/1.1 ${status} `);
  expect(received).toContain(`"errcode":"FEDTRACE_${code}"`);
  expect(inside.received().slice(known)).toBe("");
  expect(inside.connections.length).toBe(connections);
}

describe("an address inside", () => {
  it.each([
    { why: "private, by the federation's scheme", target: "matrix-federation://10.0.0.1/x" },
    { why: "private, over TLS", target: "https://192.168.0.1/x" },
    { why: "private, in a tunnel", method: "CONNECT", target: "172.16.0.1:443" },
    { why: "private", target: "http://10.0.0.1/x" },
    { why: "the clouds' metadata", target: "http://169.254.169.254/latest/meta-data" },
    { why: "IPv4 dressed as IPv6, in a tunnel", method: "CONNECT", target: "[::ffff:a00:1]:443" },
    { why: "IPv4 dressed as IPv6", target: "http://[::ffff:10.0.0.1]/x" },
    { why: "loopback", target: "http://127.0.0.1/x" },
    { why: "loopback, not its first address", target: "http://127.8.9.10/x" },
    { why: "loopback, in long", target: "http://[0:0:0:0:0:0:0:1]/x" },
    { why: "any address of this machine", target: "http://[::]/x" },
    { why: "a host's own network", target: "matrix-federation://[fe80::1]/x" },
    { why: "NAT64, which leads to IPv4", target: "http://[64:ff9b::7f00:1]/x" },
    { why: "6to4, which does too", target: "http://[2002:7f00:1::]/x" },
  ])("is not asked for: $why", async (asked) => {
    await expectRefused(closed, asked, 403, "TARGET_REFUSED");
  });

  it.each([
    { why: "in hexadecimal", target: "http://0x7f.1/x" },
    { why: "as one number", target: "https://2130706433/x" },
    { why: "of two parts, in a tunnel", method: "CONNECT", target: "127.1:443" },
    { why: "IPv4 in brackets", target: "http://[127.0.0.1]/x" },
    { why: "IPv4 in brackets, in a tunnel", method: "CONNECT", target: "[127.0.0.1]:443" },
    { why: "in octal", target: "matrix-federation://0177.0.0.1/x" },
    { why: "with a zone", target: "http://[fe80::1%25eth0]/x" },
    { why: "percent-encoded", target: "http://%31%32%37.0.0.1/x" },
    { why: "behind a user name", target: "http://peer.example@127.0.0.1/x" },
    { why: "behind a backslash", target: "http://peer.example\\@127.0.0.1/x" },
    {
      why: "in digits of another script, as bytes",
      target: "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/x",
    },
  ])("that only some programs read is no target at all: $why", async (asked) => {
    // Where it is allowed even: what two readers take for two hosts has no right one.
    await expectRefused(open, asked, 400, "REQUEST_MALFORMED");
  });
});

describe("a name that leads inside", () => {
  const names = Object.keys(ZONE).filter((name) => !name.startsWith("_") && name !== "service.example");

  it.each(names)("is not asked for, in any way: %s", async (name) => {
    const { port } = inside;
    const ways: readonly Asked[] = [
      { target: `http://${name}:${port}/x` },
      { target: `https://${name}:${port}/x` },
      { target: `matrix-federation://${name}:${port}/x` },
      { target: `${name}:${port}`, method: "CONNECT" },
      { target: `http://${name.toUpperCase()}.:${port}/x` },
    ];
    for (const asked of ways) await expectRefused(closed, asked, 403, "TARGET_REFUSED");
  });

  it("by a service record neither", async () => {
    await expectRefused(closed, { target: "matrix-federation://service.example/x" }, 403, "TARGET_REFUSED");
  });

  it("by a redirect of the answer is the asker's to follow, not the sidecar's", async () => {
    const peer = await recordingUpstream(
      `HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${inside.port}/\r\nContent-Length: 0\r\n\r\n`,
    );
    const known = inside.received().length;
    const target = `http://a.example:${peer.port}/x`;
    expect(await ask(open.port.outbound, { target })).toContain("302 Found");
    expect(inside.received().slice(known)).toBe("");
    peer.stop();
  });
});

describe("another protocol's port", () => {
  it.each([
    { why: "mail", target: "http://a.example:25/x" },
    { why: "mail over TLS", target: "https://a.example:465/x" },
    { why: "mail, by the federation's scheme", target: "matrix-federation://a.example:587/x" },
    { why: "chat, in a tunnel", method: "CONNECT", target: "a.example:6667" },
    { why: "none, in a tunnel", method: "CONNECT", target: "a.example:0" },
  ])("is no target, wherever it leads: $why", async (asked) => {
    await expectRefused(open, asked, 403, "TARGET_REFUSED");
  });
});

describe("the front door", () => {
  it.each([
    { why: "in absolute form", line: "GET http://169.254.169.254/latest HTTP/1.1", host: "169.254.169.254" },
    { why: "by Host alone", line: "GET /latest HTTP/1.1", host: "169.254.169.254" },
  ])("leads to the own server alone, whatever is asked for: $why", async ({ line, host }) => {
    const known = inside.received().length;
    await exchangeRaw(open.port.inbound, `${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(inside.received().slice(known)).toMatch(/^GET \/latest HTTP\/1\.1\r\n/);
  });

  it.each([
    { why: "a tunnel", line: "CONNECT 127.0.0.1:22 HTTP/1.1", host: "127.0.0.1:22", status: 501 },
    { why: "two hosts", line: "GET http://127.0.0.1/ HTTP/1.1", host: "own.test", status: 400 },
    {
      why: "a scheme of the way out",
      line: "GET matrix-federation://a.example/ HTTP/1.1",
      host: "a.example",
      status: 400,
    },
  ])("is no way out: $why", async ({ line, host, status }) => {
    const known = inside.received().length;
    const received = await exchangeRaw(
      open.port.inbound,
      `${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    expect(received).toContain(`HTTP/1.1 ${status} `);
    expect(inside.received().slice(known)).toBe("");
  });
});

describe("a proxy loop (until every connection is taken)", () => {
  it.each([
    { why: "IPv4 in IPv6", listen: "127.0.0.1:0", host: "[::ffff:127.0.0.1]", networks: ["127.0.0.0/8"] },
    { why: "the same in hex", listen: "127.0.0.1:0", host: "[::ffff:7f00:1]", networks: ["127.0.0.0/8"] },
    {
      why: "another address of a wildcard listener, in IPv6",
      listen: "0.0.0.0:0",
      host: "[0:0:0:0:0:ffff:7f00:9]",
      networks: ["127.0.0.0/8"],
    },
    {
      why: "the unspecified address is dialled as loopback",
      listen: "127.0.0.1:0",
      host: "0.0.0.0",
      networks: ["0.0.0.0/0"],
    },
    { why: "and so is IPv6's, by a dual-stack system", listen: "[::1]:0", host: "[::]", networks: ["::/0"] },
    { why: "another text of ::1", listen: "[::1]:0", host: "[0::1]", networks: ["::1/128"] },
    {
      why: "of a wildcard listener",
      listen: "[::]:0",
      host: "[::ffff:127.0.0.3]",
      networks: ["127.0.0.0/8"],
    },
  ])("$why: $host at $listen is refused", async ({ listen: address, host, networks }) => {
    const sidecar = await startInProcess({ outbound: { listen: address, allow_networks: networks } });
    onTestFinished(() => sidecar.sidecar.stop());
    const port = sidecar.port.outbound;
    const socket = connectPlain({ port, host: address.startsWith("[") ? "::1" : "127.0.0.1" });
    socket.write(`GET http://${host}:${port}/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(await text(socket)).toContain("the target is this proxy itself");
    expect(await sidecar.spansOf(1)).toHaveLength(1);
  });
});
