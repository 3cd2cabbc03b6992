/**
 * The way out: which requests are let through, where they lead, and what each refusal says.
 * Targets that lead inside are an attack: test/attacks/ssrf.test.ts.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAllowedTargets } from "../../src/proxy/allowed-targets.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

let upstream: RecordingUpstream;
let sidecar: TestSidecar;

beforeAll(async () => {
  upstream = await recordingUpstream();
  const listen = "127.0.0.1:0";
  sidecar = await startInProcess({
    outbound: { listen, shared_secret: "s3cret", allow_networks: ["127.0.0.0/8"] },
  });
});
afterAll(async () => {
  upstream.stop();
  await sidecar.sidecar.stop();
});

const SECRET = "Proxy-Authorization: Bearer s3cret";

function basic(credentials: string): string {
  return `Proxy-Authorization: Basic ${Buffer.from(credentials).toString("base64")}`;
}

function request(target: string, lines: readonly string[], method = "GET"): string {
  return `${method} ${target} HTTP/1.1\r\n${[...lines, "Connection: close"].join("\r\n")}\r\n\r\n`;
}

describe("the shared secret", () => {
  it.each([
    { why: "right", lines: [SECRET], status: 200 },
    {
      why: "the scheme in another case (RFC 9110 section 11.1)",
      lines: ["Proxy-Authorization: bearer s3cret"],
      status: 200,
    },
    { why: "missing", lines: [], status: 407 },
    { why: "wrong", lines: ["Proxy-Authorization: Bearer s3creT"], status: 407 },
    { why: "a beginning of it", lines: ["Proxy-Authorization: Bearer s3cre"], status: 407 },
    { why: "another scheme", lines: ["Proxy-Authorization: Digest s3cret"], status: 407 },
    { why: "Basic is base64", lines: ["Proxy-Authorization: Basic s3cret"], status: 407 },
    { why: "as the password of Basic", lines: [basic("synapse:s3cret")], status: 200 },
    { why: "nobody's password", lines: [basic(":s3cret")], status: 200 },
    { why: "a password with a colon", lines: [basic("synapse:s3:cret")], status: 407 },
    { why: "as the user of Basic", lines: [basic("s3cret:")], status: 407 },
    { why: "as all of Basic", lines: [basic("s3cret")], status: 407 },
    { why: "two of them", lines: [SECRET, SECRET], status: 407 },
    { why: "nominated away", lines: [SECRET, "Connection: proxy-authorization"], status: 407 },
  ])("$why: $status", async ({ lines, status }) => {
    const known = upstream.received().length;
    const authority = `peer.test:${upstream.port}`;
    const received = await exchangeRaw(
      sidecar.port.outbound,
      request(`http://${authority}/x`, [`Host: ${authority}`, ...lines]),
    );
    expect(received).toContain(`HTTP/1.1 ${status} `);
    expect(upstream.received().slice(known)).not.toMatch(/proxy-authorization|s3cret/i);
    if (status === 407) expect(received).toContain("proxy-authenticate: Bearer");
  });
});

describe("targets", () => {
  it("are asked for in origin-form, with the target's authority as Host (RFC 9112 section 3.2.2)", async () => {
    const known = upstream.received().length;
    const target = `http://peer.test:${upstream.port}/a/%21b?c=d&e`;
    await exchangeRaw(sidecar.port.outbound, request(target, ["Host: elsewhere.test", SECRET]));
    expect(upstream.received().slice(known)).toBe(
      `GET /a/%21b?c=d&e HTTP/1.1\r\nhost: peer.test:${upstream.port}\r\n\r\n`,
    );
  });

  it("without a path get one", async () => {
    const known = upstream.received().length;
    const authority = `peer.test:${upstream.port}`;
    await exchangeRaw(
      sidecar.port.outbound,
      request(`http://${authority}?q`, [`Host: ${authority}`, SECRET]),
    );
    expect(upstream.received().slice(known)).toMatch(/^GET \/\?q HTTP/);
  });

  it.each([
    { why: "origin-form is for servers", target: "/x", status: 400, code: "REQUEST_MALFORMED" },
    {
      why: "user names are not sent",
      target: "http://u:p@peer.test/x",
      status: 400,
      code: "REQUEST_MALFORMED",
    },
    {
      why: "a port out of range",
      target: "http://peer.test:65536/x",
      status: 400,
      code: "REQUEST_MALFORMED",
    },
    {
      why: "user names are not sent",
      target: "matrix-federation://u@peer.test/x",
      status: 400,
      code: "REQUEST_MALFORMED",
    },
    {
      why: "a host that is no server name",
      target: "matrix-federation://peer..test/x",
      status: 400,
      code: "REQUEST_MALFORMED",
    },
    { why: "a scheme nobody knows", target: "gopher://peer.test/x", status: 501, code: "FORM_UNSUPPORTED" },
    {
      why: "CONNECT needs a port",
      method: "CONNECT",
      target: "peer.test",
      status: 400,
      code: "REQUEST_MALFORMED",
    },
    {
      why: "TRACE shows what was injected",
      method: "TRACE",
      target: "http://peer.test/x",
      status: 501,
      code: "FORM_UNSUPPORTED",
    },
    {
      why: "and so does TRACK",
      method: "TRACK",
      target: "http://peer.test/x",
      status: 501,
      code: "FORM_UNSUPPORTED",
    },
    {
      why: "a method of another protocol",
      method: "PROPFIND",
      target: "matrix-federation://peer.test/x",
      status: 501,
      code: "FORM_UNSUPPORTED",
    },
    { why: "a name without address", target: "http://peer.invalid/x", status: 502, code: "DISCOVERY_FAILED" },
    {
      why: "a Matrix name without address",
      target: "matrix-federation://peer.invalid/x",
      status: 502,
      code: "DISCOVERY_FAILED",
    },
  ])("refused: $why", async ({ target, method, status, code }) => {
    const received = await exchangeRaw(
      sidecar.port.outbound,
      request(target, ["Host: peer.test", SECRET], method),
    );
    expect(received).toContain(`HTTP/1.1 ${status} `);
    expect(received).toContain(`"errcode":"FEDTRACE_${code}"`);
  });

  it("bodies that come before the name is resolved arrive whole", async () => {
    const known = upstream.received().length;
    const authority = `fresh.test:${upstream.port}`;
    const head = `PUT http://${authority}/x HTTP/1.1\r\nHost: ${authority}\r\n${SECRET}\r\nConnection: close\r\n`;
    await exchangeRaw(sidecar.port.outbound, `${head}Content-Length: 5\r\n\r\nhello`);
    expect(upstream.received().slice(known)).toMatch(/\r\n\r\nhello$/);
  });
});

describe("addresses that may be dialled", () => {
  const listed = createAllowedTargets(["10.1.0.0/16", "fd00::/8", "192.168.1.1"]);

  it.each([
    { why: "public", address: "1.1.1.1", isAllowed: true },
    { why: "public", address: "2606:4700::1", isAllowed: true },
    { why: "listed", address: "10.1.255.255", isAllowed: true },
    { why: "listed alone", address: "192.168.1.1", isAllowed: true },
    { why: "listed", address: "fd00::1", isAllowed: true },
    { why: "one past what is listed", address: "10.2.0.0", isAllowed: false },
    { why: "one past what is listed", address: "192.168.1.2", isAllowed: false },
    { why: "loopback", address: "127.0.0.1", isAllowed: false },
    { why: "loopback", address: "::1", isAllowed: false },
    { why: "unspecified", address: "0.0.0.0", isAllowed: false },
    { why: "unspecified", address: "::", isAllowed: false },
    { why: "carrier-grade NAT", address: "100.64.0.1", isAllowed: false },
    { why: "last before it", address: "100.63.255.255", isAllowed: true },
    { why: "Azure's host, by a public number", address: "168.63.129.16", isAllowed: false },
    { why: "next to it", address: "168.63.129.17", isAllowed: true },
    { why: "Alibaba's metadata is in carrier-grade NAT", address: "100.100.100.200", isAllowed: false },
    { why: "private", address: "172.31.255.255", isAllowed: false },
    { why: "first after it", address: "172.32.0.0", isAllowed: true },
    { why: "multicast", address: "224.0.0.1", isAllowed: false },
    { why: "broadcast", address: "255.255.255.255", isAllowed: false },
    { why: "link-local", address: "fe80::1", isAllowed: false },
    { why: "multicast", address: "ff02::1", isAllowed: false },
    { why: "IPv4-mapped", address: "::ffff:127.0.0.1", isAllowed: false },
    { why: "NAT64 leads to IPv4", address: "64:ff9b::7f00:1", isAllowed: false },
    { why: "6to4 leads to IPv4", address: "2002:7f00:1::", isAllowed: false },
    { why: "not an address", address: "peer.test", isAllowed: false },
  ])("$address ($why): $isAllowed", ({ address, isAllowed }) => {
    expect(listed.isAllowed(address)).toBe(isAllowed);
  });
});
