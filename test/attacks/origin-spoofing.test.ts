/**
 * Origin spoofing. A whitelist is as good as the name that it is asked about: a name that is read in one way here and in
 * another behind, spelled so that it looks like a friend's, or said by a header that anybody can write, borrows the friend's trust.
 *
 * Source: CVE-2024-23832 (Mastodon took a sender's word for where it came from); CVE-2021-44532 (a certificate's name with a
 * comma was two names to Node); RFC 7239 section 8 on what forwarded addresses are worth; https://spec.matrix.org/v1.16/server-server-api/#request-authentication.
 * Without the rule: a stranger's contexts are taken, his "sampled" counts, and he is told trace ids.
 * Signatures, the default, are in forged-proof.test.ts; here a name, an address or a certificate is enough.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw } from "../support/wire.ts";
import { type Attacked, from, injectedIn, type Passed, SPAN, startAttacked, TLS, TRACE } from "./attacked.ts";

const W3C = `traceparent: 00-${TRACE}-${SPAN}-01`;
/** Names its trace, so that what a peer is told shows. */
const ANSWER = "HTTP/1.1 200 OK\r\nSynapse-Trace-Id: told\r\nContent-Length: 2\r\n\r\nok";

/** A name is all that it takes. */
let claimed: Attacked;
/** It takes the address too. */
let network: Attacked;
/** The same, behind a proxy elsewhere, and behind one on this machine. */
let elsewhere: Attacked;
let behind: Attacked;
/** It takes a certificate. */
let mtls: Attacked;

beforeAll(async () => {
  claimed = await startAttacked();
  const byNetwork = { authenticate: "network", networks: { "friend.test": ["10.1.0.0/16"] } };
  network = await startAttacked({}, byNetwork);
  elsewhere = await startAttacked({}, { ...byNetwork, trusted_proxies: ["10.9.0.0/16"] });
  behind = await startAttacked({}, { ...byNetwork, trusted_proxies: ["127.0.0.1"] });
  mtls = await startAttacked({}, { authenticate: "mtls", tls: TLS });
  for (const attacked of [claimed, network, elsewhere, behind, mtls]) attacked.answerWith(ANSWER);
});
afterAll(() => Promise.all([claimed, network, elsewhere, behind, mtls].map((attacked) => attacked.stop())));

/** Nothing of what a friend may was granted. */
function expectStranger({ arrived, received, span }: Passed): void {
  expect(received).toMatch(/^HTTP\/1\.1 200 /);
  expect(received).not.toContain("told");
  expect(span?.attributes["fedtrace.whitelisted"]).toBe(false);
  expect(span?.attributes["fedtrace.context"]).toBe("restarted");
  expect(injectedIn(arrived).traceId).not.toBe(TRACE);
}

function expectFriend({ arrived, received, span }: Passed): void {
  expect(received).toContain("told");
  expect(span?.attributes["fedtrace.whitelisted"]).toBe(true);
  expect(injectedIn(arrived).traceId).toBe(TRACE);
}

const REST = 'key="ed25519:a",sig="AA"';

describe("X-Matrix", () => {
  it.each([
    { why: "as it is meant", line: from("friend.test") },
    { why: "with a port", line: from("friend.test:8448") },
    { why: "in capitals: names are the same in any (RFC 4343)", line: from("FRIEND.Test") },
    { why: "with the root's dot", line: from("friend.test.") },
    { why: "without quotes", line: `Authorization: X-Matrix origin=friend.test,${REST}` },
  ])("names a friend: $why", async ({ line }) => {
    expectFriend(await claimed.passIn([line, W3C]));
  });

  it.each([
    {
      why: "two origins in one line, the friend last, as Synapse reads",
      line: `Authorization: X-Matrix origin="evil.test",origin="friend.test",${REST}`,
    },
    {
      why: "two origins in one line, the friend first",
      line: `Authorization: X-Matrix origin="friend.test",origin="evil.test",${REST}`,
    },
    { why: "two lines, the friend first", line: `${from("friend.test")}\r\n${from("evil.test")}` },
    { why: "two lines, the friend last", line: `${from("evil.test")}\r\n${from("friend.test")}` },
    {
      why: "one friend with two ports: two servers",
      line: `${from("friend.test:1")}\r\n${from("friend.test:2")}`,
    },
    {
      why: "a comma inside quotes, where Synapse splits",
      line: `Authorization: X-Matrix origin="evil.test,origin=friend.test",${REST}`,
    },
    {
      why: "a comma inside another value's quotes",
      line: `Authorization: X-Matrix foo="a,origin=friend.test",origin="evil.test",${REST}`,
    },
    { why: "a quote that is closed nowhere", line: `Authorization: X-Matrix origin="friend.testx,${REST}` },
    { why: "a list of two names", line: from("friend.test evil.test") },
    {
      why: "the scheme in other letters, which Synapse passes over",
      line: `Authorization: x-matrix origin="friend.test",${REST}`,
    },
    { why: "a tab behind the scheme", line: `Authorization: X-Matrix\torigin="friend.test",${REST}` },
    { why: "a blank before the equals sign", line: `Authorization: X-Matrix origin ="friend.test",${REST}` },
    {
      why: "behind another scheme, in one line",
      line: `Authorization: Bearer x, X-Matrix origin="friend.test",${REST}`,
    },
    { why: "two dots at the end", line: from("friend.test..") },
    { why: "a user before it", line: from("friend.test@evil.test") },
    { why: "a user name that is a friend", line: from("evil.test@friend.test") },
    { why: "a friend as the beginning of a name", line: from("friend.test.evil.example") },
    { why: "a friend as the end of one", line: from("notfriend.test") },
    { why: "a friend below a name", line: from("x.friend.test") },
    { why: "any character for the dot", line: from("friendxtest") },
    { why: "a line end in the name, quoted", line: from(String.raw`friend.test\nevil.test`) },
    { why: "a port that is none", line: from("friend.test:99999") },
    { why: "a port of letters", line: from("friend.test:https") },
    { why: "two ports", line: from("friend.test:8448:8448") },
    { why: "a Kelvin sign, as its bytes", line: from("friend.test\xe2\x84\xaa") },
    { why: "a Cyrillic letter, as its bytes", line: from("fri\xd0\xb5nd.test") },
    { why: "the same in Punycode", line: from("xn--frind-ouf.test") },
    { why: "Punycode of a name that needs none", line: from("xn--friend-.test") },
    { why: "a full stop of another script, as its bytes", line: from("friend\xe3\x80\x82test") },
    { why: "a percent-encoded dot", line: from("friend%2Etest") },
    { why: "a zero-width space, as its bytes", line: from("friend.test\xe2\x80\x8b") },
    { why: "a URL", line: from("https://friend.test") },
    { why: "in Proxy-Authorization", line: `Proxy-${from("friend.test")}` },
    { why: "in a header that calls itself the origin", line: "Origin: https://friend.test" },
    { why: "in Host and its copies", line: "X-Forwarded-Host: friend.test" },
    { why: "in From", line: "From: friend.test" },
  ])("names none: $why", async ({ line }) => {
    expectStranger(await claimed.passIn([line, W3C]));
  });
});

describe("a key id", () => {
  const signature = (keyId: string, more = ""): string =>
    `Signature: keyId="${keyId}",algorithm="hs2019",headers="(request-target) host",signature="AA=="${more}`;

  it("names a friend", async () => {
    expectFriend(await claimed.passIn([signature("https://friend.test/users/a#main-key"), W3C]));
  });

  it.each([
    {
      why: "two key ids in one line",
      line: signature("https://friend.test/a", ',keyId="https://evil.test/b"'),
    },
    {
      why: "one of them in other letters",
      line: signature("https://evil.test/a", ',KEYID="https://friend.test/b"'),
    },
    {
      why: "two lines",
      line: `${signature("https://friend.test/a")}\r\n${signature("https://evil.test/b")}`,
    },
    {
      why: "one line of each standard",
      line: `${signature("https://evil.test/a")}\r\nSignature-Input: sig1=("@method");keyid="https://friend.test/b"`,
    },
    { why: "a friend as the user", line: signature("https://friend.test@evil.test/a") },
    { why: "a friend as the user, behind a friend's account", line: signature("acct:friend.test@evil.test") },
    { why: "an account at two servers", line: signature("acct:a@evil.test@friend.test") },
    {
      why: "a backslash, which browsers take for a slash",
      line: signature(String.raw`https://evil.test\\@friend.test/a`),
    },
    { why: "a fragment before the host ends", line: signature("https://evil.test#@friend.test/a") },
    { why: "a query before the host ends", line: signature("https://evil.test?@friend.test/a") },
    { why: "three slashes", line: signature("https:///friend.test/a") },
    { why: "another scheme", line: signature("did:web:friend.test") },
    { why: "a host that is percent-encoded", line: signature("https://%66riend.test/a") },
    { why: "a tab that URL parsers take out", line: signature("https://fri\tend.test/a") },
    { why: "a friend in the path", line: signature("https://evil.test/friend.test") },
    { why: "a friend in an inner list", line: 'Signature-Input: sig1=("a";keyid="https://friend.test")' },
    {
      why: "an X-Matrix line that names another",
      line: `${from("evil.test")}\r\n${signature("https://friend.test/a")}`,
    },
  ])("names none: $why", async ({ line }) => {
    expectStranger(await claimed.passIn([line, W3C]));
  });
});

describe("an address", () => {
  it.each([
    { why: "a claim alone", lines: [from("friend.test")] },
    { why: "X-Forwarded-For", lines: [from("friend.test"), "X-Forwarded-For: 10.1.0.1"] },
    { why: "X-Forwarded-For, of many hops", lines: ["X-Forwarded-For: 10.1.0.1, 127.0.0.1, 10.1.0.2"] },
    { why: "Forwarded", lines: [from("friend.test"), "Forwarded: for=10.1.0.1;by=10.1.0.2"] },
    {
      why: "X-Real-IP and its like",
      lines: [from("friend.test"), "X-Real-IP: 10.1.0.1", "True-Client-IP: 10.1.0.1"],
    },
    { why: "with underscores", lines: [from("friend.test"), "X_Forwarded_For: 10.1.0.1"] },
  ])("is the connection's, whatever a header says: $why", async ({ lines }) => {
    for (const attacked of [network, elsewhere]) {
      const passed = await attacked.passIn([...lines, W3C]);
      expectStranger(passed);
      expect(passed.arrived).toContain("x-forwarded-for: 127.0.0.1\r\n");
    }
  });

  it("that a trusted proxy tells is a friend's", async () => {
    expectFriend(await behind.passIn([from("friend.test"), "X-Forwarded-For: 10.1.0.1", W3C]));
  });

  it.each([
    { why: "of another friend than is claimed", lines: [from("trusted.test"), "X-Forwarded-For: 10.1.0.1"] },
    {
      why: "that the client wrote, before the proxy's own",
      lines: [from("friend.test"), "X-Forwarded-For: 10.1.0.1, 203.0.113.9"],
    },
    {
      why: "that the client wrote into what the proxy does not write",
      lines: [from("friend.test"), "X-Forwarded-For: 203.0.113.9", "Forwarded: for=10.1.0.1"],
    },
    {
      why: "IPv4-mapped of another network",
      lines: [from("friend.test"), "X-Forwarded-For: ::ffff:10.2.0.1"],
    },
  ])("that a trusted proxy hands on proves nobody: $why", async ({ lines }) => {
    expectStranger(await behind.passIn([...lines, W3C]));
  });

  it.each([
    { why: "for TCP4", line: "PROXY TCP4 10.1.0.1 10.1.0.2 1 2" },
    { why: "of unknown kind", line: "PROXY UNKNOWN" },
  ])("is not what a PROXY line before the request says: $why", async ({ line }) => {
    const known = network.upstream.received().length;
    const received = await exchangeRaw(
      network.port.inbound,
      `${line}\r\nGET /x HTTP/1.1\r\nHost: own.test\r\n${from("friend.test")}\r\n${W3C}\r\nConnection: close\r\n\r\n`,
    );
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
    expect(network.upstream.received().slice(known)).toBe("");
  });
});

describe("a certificate", () => {
  const passWith = (pair: string | undefined, lines: readonly string[]): Promise<Passed> =>
    mtls.passInWith(pair, [...lines, W3C]);

  it.each([
    { why: "its own", lines: [] },
    { why: "and the name that its owner says", lines: [from("friend.test")] },
  ])("names a friend: $why", async ({ lines }) => {
    expectFriend(await passWith("friend", lines));
  });

  it.each([
    { why: "none, and the name said", certificate: undefined, lines: [from("friend.test")] },
    { why: "another's, and the name said", certificate: "evil", lines: [from("friend.test")] },
    { why: "another's", certificate: "evil", lines: [] },
    { why: "one name whose text reads as two", certificate: "comma", lines: [] },
    {
      why: "one name whose text reads as two, and the name said",
      certificate: "comma",
      lines: [from("friend.test")],
    },
    { why: "the common name alone (RFC 9525 section 2)", certificate: "cn", lines: [from("friend.test")] },
    {
      why: "its own, beside two names that are said",
      certificate: "friend",
      lines: [from("friend.test"), from("evil.test")],
    },
    { why: "a wild card", certificate: "wild", lines: [from("friend.test")] },
    { why: "an e-mail address and a directory name", certificate: "mail", lines: [from("friend.test")] },
    { why: "a URI's user, and a workload's id", certificate: "path", lines: [from("friend.test")] },
    {
      why: "another's, with a header that holds a friend's",
      certificate: "evil",
      lines: ["X-Client-Cert: friend.test", "X-Forwarded-Client-Cert: DNS=friend.test"],
    },
  ])("names none: $why", async ({ certificate, lines }) => {
    expectStranger(await passWith(certificate, lines));
  });
});

describe("the peers' table", () => {
  it("tells a friend and who borrowed the name apart", async () => {
    await network.passIn([from("friend.test"), W3C]);
    const named = (await network.peers()).filter(({ name }) => name === "friend.test");
    expect(named).toMatchObject([{ whitelisted: false, proof: "claimed" }]);
  });
});
