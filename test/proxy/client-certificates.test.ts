/**
 * Names that client certificates prove (`inbound.tls.client_ca`), over real handshakes in both versions of TLS: what a
 * certificate says, and who vouches for it.
 *
 * Not here: how its text is read (test/peer/certificate.test.ts), and renewals and tickets (test/http1/listener-tls.test.ts).
 */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { recordingUpstream, type RecordingUpstream } from "../support/wire.ts";

/** Made by test/fixtures/mtls/make.sh, which says what each is. */
const pem = (name: string): string => resolve("test/fixtures/mtls", name);
const read = (name: string): string => readFileSync(pem(name), "utf8");

let upstream: RecordingUpstream;
let own: TestSidecar;

beforeAll(async () => {
  upstream = await recordingUpstream();
  own = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      tls: { certificate: pem("server.pem"), private_key: pem("server.key"), client_ca: pem("ca.pem") },
      authenticate: "mtls",
    },
    whitelist: ["hs2\\.example"],
  });
});
beforeEach(() => own.forget());
afterAll(async () => {
  upstream.stop();
  await own.sidecar.stop();
});

/** @param origin what an X-Matrix header says on top of the certificate @returns what the span says of the peer */
async function peerOf(certificate: string | undefined, version: Version, origin?: string) {
  const socket = connect({
    host: "127.0.0.1",
    port: own.port.inbound,
    servername: "localhost",
    ca: read("server.pem"),
    minVersion: version,
    maxVersion: version,
    ...(certificate === undefined
      ? {}
      : { cert: read(`${certificate}.pem`), key: read(`${certificate}.key`) }),
  });
  const claim =
    origin === undefined ? "" : `Authorization: X-Matrix origin="${origin}",key="ed25519:a",sig="AA"\r\n`;
  socket.write(`GET /_matrix/key/v2/server HTTP/1.1\r\nHost: own.test\r\n${claim}Connection: close\r\n\r\n`);
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
  const [span] = await own.spansOf(1);
  return [
    span?.attributes["fedtrace.peer.name"],
    span?.attributes["fedtrace.peer.proof"],
    span?.attributes["fedtrace.whitelisted"],
  ];
}

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
type Version = (typeof VERSIONS)[number];
const NOBODY = [undefined, "none", false];

describe.each(VERSIONS)("over %s", (version) => {
  it.each([
    { certificate: "dns", peer: ["hs2.example", "mtls", true], why: "a DNS name is a server's" },
    { certificate: "uri", peer: ["hs2.example:8448", "mtls", true], why: "and a URI's host, with its port" },
    { certificate: "both", peer: ["hs3.example", "mtls", false], why: "the first of several is taken" },
    { certificate: "wildcard", peer: NOBODY, why: "a wildcard is no one server" },
    { certificate: "cn-only", peer: NOBODY, why: "the common name counts for nothing (RFC 9525, section 2)" },
    {
      certificate: "quoted",
      peer: NOBODY,
      why: "a name that holds the separator is one odd name (CVE-2021-44532)",
    },
    { certificate: "expired", peer: NOBODY, why: "it is out of date" },
    { certificate: "for-servers", peer: NOBODY, why: "it is not issued for clients" },
    { certificate: "other", peer: NOBODY, why: "its authority is not in client_ca" },
    { certificate: "self", peer: NOBODY, why: "nobody vouches for it" },
    { certificate: undefined, peer: NOBODY, why: "a certificate is asked for, never demanded" },
  ])("$certificate: $why", async ({ certificate, peer }) => {
    expect(await peerOf(certificate, version)).toEqual(peer);
  });

  it.each([
    { certificate: "dns", proof: "mtls", why: "a name without port stands for every port" },
    { certificate: "both", proof: "mtls", why: "any name of the certificate will do, not its first alone" },
    { certificate: "uri", proof: "mtls", why: "the URI has this very port" },
    { certificate: "wildcard", proof: "claimed", why: "a wildcard proves none of its names" },
    { certificate: "quoted", proof: "claimed", why: "what stands inside another name is not signed" },
    { certificate: "expired", proof: "claimed", why: "an unverified one is none" },
  ])("$certificate proves the origin of X-Matrix by $proof: $why", async ({ certificate, proof }) => {
    const peer = ["hs2.example:8448", proof, proof === "mtls"];
    expect(await peerOf(certificate, version, "hs2.example:8448")).toEqual(peer);
  });

  it("does not prove another port than its URI names", async () => {
    expect(await peerOf("uri", version, "hs2.example:9999")).toEqual(["hs2.example:9999", "claimed", false]);
  });
});
