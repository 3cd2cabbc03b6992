/** Inbound over TLS, and peers that name themselves by a client certificate (`authenticate: mtls`). */

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { connect, type ConnectionOptions } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import { readSpans } from "../support/otlp-file.ts";
import { inboundTo, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { type RecordingUpstream, recordingUpstream } from "../support/wire.ts";

/** Made by test/fixtures/tls/make.sh, which says what each is. */
const pem = (name: string): string => resolve("test/fixtures/tls", name);
const read = (name: string): string => readFileSync(pem(name), "utf8");

const TRACE_ID = "11111111111111111111111111111111";
const REQUEST =
  "GET /_matrix/federation/v1/version HTTP/1.1\r\nHost: own.test\r\nConnection: close\r\n" +
  `traceparent: 00-${TRACE_ID}-2222222222222222-01\r\n\r\n`;

async function startTls(
  inbound: object,
): Promise<{ sidecar: SpawnedSidecar; upstream: RecordingUpstream; tracesPath: string }> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const tracesPath = join(temporaryDirectory(), "traces.jsonl");
  const tls = {
    certificate: pem("server.pem"),
    private_key: pem("server.key"),
    client_ca: pem("peers-ca.pem"),
  };
  const sidecar = await startSidecar({
    inbound: { ...inboundTo(upstream.port), tls, ...inbound },
    whitelist: ["hs2\\.example"],
    export: [{ file: { path: tracesPath } }],
  });
  return { sidecar, upstream, tracesPath };
}

/** Sends REQUEST and reads the whole answer; the sidecar's certificate is verified. */
async function ask({ port }: SpawnedSidecar, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: port.inbound, ca: read("server.pem"), ...options });
  socket.write(REQUEST);
  return text(socket);
}

it("terminates TLS, and tells the upstream so", async () => {
  const { sidecar, upstream, tracesPath } = await startTls({});
  expect(await ask(sidecar)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
  expect(upstream.received()).toMatch(/^x-forwarded-proto: https\r$/m);
  expect(await sidecar.stop()).toBe(0);
  expect(readSpans(tracesPath).map(({ attributes }) => attributes["url.scheme"])).toEqual(["https"]);
});

it("costs a peer that speaks no TLS its connection, and nobody else", async () => {
  const { sidecar } = await startTls({});
  await expect(ask(sidecar, { maxVersion: "TLSv1.1", minVersion: "TLSv1.1" })).rejects.toThrow(/./);
  expect(await ask(sidecar)).toMatch(/^HTTP\/1\.1 200 /);
});

const PEER = { cert: read("peer.pem"), key: read("peer.key") };
const FORGER = { cert: read("forger.pem"), key: read("forger.key") };

describe("authenticate: mtls", () => {
  it.each([
    {
      why: "a certificate of an authority in client_ca names the peer",
      certificate: PEER,
      expected: { name: "hs2.example", proof: "mtls", isWhitelisted: true, context: "extracted" },
    },
    {
      why: "the same name in a certificate that nobody vouches for is no name",
      certificate: FORGER,
      expected: { name: undefined, proof: "none", isWhitelisted: false, context: "restarted" },
    },
    {
      why: "without a certificate there is no name",
      certificate: {},
      expected: { name: undefined, proof: "none", isWhitelisted: false, context: "restarted" },
    },
  ])("$why", async ({ certificate, expected }) => {
    const { sidecar, upstream, tracesPath } = await startTls({ authenticate: "mtls" });
    expect(await ask(sidecar, certificate)).toMatch(/^HTTP\/1\.1 200 /);
    expect(upstream.received().includes(TRACE_ID)).toBe(expected.isWhitelisted);
    expect(await sidecar.stop()).toBe(0);
    const [span] = readSpans(tracesPath);
    expect({
      name: span?.attributes["fedtrace.peer.name"],
      proof: span?.attributes["fedtrace.peer.proof"],
      isWhitelisted: span?.attributes["fedtrace.whitelisted"],
      context: span?.attributes["fedtrace.context"],
    }).toEqual(expected);
    expect(span?.traceId === TRACE_ID).toBe(expected.isWhitelisted);
  });
});
