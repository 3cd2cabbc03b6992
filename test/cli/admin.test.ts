/**
 * The admin listener: what it answers. Who may ask it: test/attacks/admin-from-a-web-page.test.ts.
 * In the test's own process, but for what a process of its own adds: its environment, and its exporters' queue.
 */

import { describe, expect, it, onTestFinished } from "vitest";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import {
  ADMIN,
  type ConfigDocument,
  inboundTo,
  OUTBOUND,
  type SpawnedSidecar,
  startSidecar,
} from "../support/sidecar.ts";
import { exchangeRaw, recordingUpstream } from "../support/wire.ts";

async function startAdmin(document: ConfigDocument = {}): Promise<TestSidecar> {
  const started = await startInProcess({ inbound: inboundTo(1), admin: ADMIN, ...document });
  onTestFinished(() => started.sidecar.stop());
  return started;
}

/** The status of one answer, for exact request lines and header lines. */
async function statusOf({ port }: TestSidecar, ...lines: readonly string[]): Promise<number> {
  const answer = await exchangeRaw(port.admin, [...lines, "Connection: close", "", ""].join("\r\n"));
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

it.each([
  { line: "HEAD /health/live HTTP/1.1", status: 200, why: "GET without its body" },
  { line: "POST /health/live HTTP/1.1", status: 405, why: "it is read-only" },
  { line: "DELETE /metrics HTTP/1.1", status: 405, why: "it is read-only" },
  { line: "GET /nothing HTTP/1.1", status: 404, why: "there is nothing" },
  { line: "GET /health/live?x=1 HTTP/1.1", status: 200, why: "a query changes nothing" },
  { line: "GET http://localhost/health/live HTTP/1.1", status: 200, why: "a target in absolute form" },
])("$line is $status: $why", async ({ line, status }) => {
  expect(await statusOf(await startAdmin(), line, "Host: localhost")).toBe(status);
});

it("/health/ready says so in JSON", async () => {
  const { port } = await startAdmin();
  const response = await fetch(`http://127.0.0.1:${port.admin}/health/ready`);
  expect(await response.json()).toEqual({ status: "ready" });
});

describe("/api/fedtrace/decide", () => {
  it("answers as the command does", async () => {
    const { port } = await startAdmin({ whitelist: ["hs2\\.test"] });
    const response = await fetch(
      `http://127.0.0.1:${port.admin}/api/fedtrace/decide?direction=out&host=HS2.test`,
    );
    const report = (await response.json()) as object;
    const keys = ["host", "direction", "whitelisted", "entry", "sampling", "formats", "reason"];
    expect(Object.keys(report)).toEqual(keys);
    expect(report).toMatchObject({ direction: "out", whitelisted: true, entry: "hs2\\.test" });
  });

  it.each([
    { query: "direction=in", why: "no host" },
    { query: "host=hs2.test", why: "no direction" },
    { query: "direction=up&host=hs2.test", why: "no such direction" },
  ])("refuses $query: $why", async ({ query }) => {
    const { port } = await startAdmin();
    const response = await fetch(`http://127.0.0.1:${port.admin}/api/fedtrace/decide?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.any(String) as string });
  });
});

describe("/api/fedtrace/peers", () => {
  it("tells whom the server met, what was decided and what came of it", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const { port } = await startAdmin({
      inbound: inboundTo(upstream.port),
      outbound: OUTBOUND,
      whitelist: ["hs2\\.test"],
    });
    const ask = (listener: number, line: string, ...lines: readonly string[]): Promise<string> =>
      exchangeRaw(
        listener,
        [`${line} HTTP/1.1`, "Host: own.test", "Connection: close", ...lines, "", ""].join("\r\n"),
      );
    const from = (origin: string): string =>
      `Authorization: X-Matrix origin="${origin}",key="ed25519:1",sig="c2ln"`;
    await ask(port.inbound, "GET /", from("hs2.test"), "traceparent: 00-short", "baggage: a=1");
    await ask(port.inbound, "GET /", from("stranger.test:8448"), "uber-trace-id: 1:2:0:1");
    await ask(port.inbound, "GET /");
    await ask(port.outbound, `GET http://127.0.0.1:${upstream.port}/`);

    const answer = await fetch(`http://127.0.0.1:${port.admin}/api/fedtrace/peers`);
    const report = (await answer.json()) as { peers: readonly { name: string }[] };
    expect(report).toMatchObject({
      server_name: "own.test",
      service: "own.test fedtrace",
      authenticate: "claimed",
      forgotten: 0,
    });
    const peerOf = (name: string): unknown => report.peers.find((peer) => peer.name === name);
    const untouched = {
      requests: 0,
      failed: 0,
      last_contact: null,
      contexts: { absent: 0, extracted: 0, restarted: 0, refused: 0 },
      headers_removed: 0,
      body_contexts: 0,
    };
    const anyTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;
    expect(peerOf("hs2.test")).toEqual({
      name: "hs2.test",
      whitelisted: true,
      entry: "hs2\\.test",
      proof: "claimed",
      reason: "whitelist[0] matches the whole name; its proof must be at least claimed",
      inbound: {
        requests: 1,
        failed: 0,
        last_contact: anyTime,
        contexts: { absent: 0, extracted: 0, restarted: 0, refused: 1 },
        headers_removed: 2,
        body_contexts: 0,
      },
      outbound: untouched,
      refused: [{ format: "w3c", reason: "length", count: 1 }],
    });
    expect(peerOf("stranger.test:8448")).toMatchObject({
      whitelisted: false,
      entry: null,
      reason: "none of the 1 whitelist entries matches the whole name",
      inbound: { requests: 1, contexts: { restarted: 1 }, headers_removed: 1 },
      refused: [],
    });
    expect(peerOf("")).toMatchObject({ whitelisted: false, proof: "none", inbound: { requests: 1 } });
    expect(peerOf(`127.0.0.1:${upstream.port}`)).toMatchObject({
      inbound: untouched,
      outbound: { requests: 1, failed: 0, last_contact: anyTime },
    });
  });

  it("says of a whitelisted name whose proof was too weak that this was the reason", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const { port } = await startAdmin({
      inbound: { ...inboundTo(upstream.port), authenticate: "network" },
      whitelist: ["hs2\\.test"],
    });
    const authorization = 'Authorization: X-Matrix origin="hs2.test",key="ed25519:1",sig="c2ln"';
    await exchangeRaw(
      port.inbound,
      ["GET / HTTP/1.1", "Host: own.test", "Connection: close", authorization, "", ""].join("\r\n"),
    );
    const answer = await fetch(`http://127.0.0.1:${port.admin}/api/fedtrace/peers`);
    expect(await answer.json()).toMatchObject({
      peers: [
        {
          whitelisted: false,
          entry: "hs2\\.test",
          proof: "claimed",
          reason: "whitelist[0] matches the whole name; its proof must be at least network; it was claimed",
        },
      ],
    });
  });
});

it("/api/fedtrace/config shows what it runs with, secrets hidden", async () => {
  const { port } = await startSidecar(
    { outbound: { ...OUTBOUND, shared_secret: "${SECRET}" }, admin: ADMIN },
    { environment: { SECRET: "s3cret-word" } },
  );
  const answer = await (await fetch(`http://127.0.0.1:${port.admin}/api/fedtrace/config`)).text();
  expect(JSON.parse(answer)).toMatchObject({
    server_name: "own.test",
    outbound: { shared_secret: "(hidden)" },
    limits: { drain: "30s" },
  });
  expect(answer).not.toContain("s3cret-word");
});

describe("/metrics", () => {
  /** Series and their values, without comments. */
  async function scrape({ port }: SpawnedSidecar): Promise<Record<string, number>> {
    const response = await fetch(`http://127.0.0.1:${port.admin}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const lines = (await response.text()).split("\n").filter((line) => /^[^#]/.test(line));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
    );
  }

  it("counts what the contract lists", async () => {
    const upstream = await recordingUpstream();
    onTestFinished(() => upstream.stop());
    const sidecar = await startSidecar({
      inbound: inboundTo(upstream.port),
      outbound: OUTBOUND,
      admin: ADMIN,
      whitelist: ["hs2\\.test"],
    });
    const ask = (origin: string, ...lines: readonly string[]): Promise<string> => {
      const authorization = `Authorization: X-Matrix origin="${origin}",key="ed25519:1",sig="c2ln"`;
      const head = ["GET / HTTP/1.1", "Host: own.test", "Connection: close", authorization, ...lines];
      return exchangeRaw(sidecar.port.inbound, [...head, "", ""].join("\r\n"));
    };
    await ask("hs2.test", `traceparent: 00-${"1".repeat(32)}-${"2".repeat(16)}-01`, "baggage: a=1");
    await ask("hs2.test", "traceparent: 00-short");
    await ask("stranger.test", "uber-trace-id: 1:2:0:1");
    await exchangeRaw(sidecar.port.inbound, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");

    expect(await scrape(sidecar)).toMatchObject({
      'fedtrace_spans_started_total{direction="inbound"}': 3,
      'fedtrace_spans_started_total{direction="outbound"}': 0,
      'fedtrace_spans_sampled_total{direction="inbound"}': 3,
      'fedtrace_headers_removed_total{direction="inbound"}': 4,
      'fedtrace_peers_total{direction="inbound",verdict="whitelisted"}': 2,
      'fedtrace_peers_total{direction="inbound",verdict="stranger"}': 1,
      'fedtrace_context_refused_total{format="w3c",reason="length"}': 1,
      'fedtrace_requests_refused_total{direction="inbound",reason="host-repeated"}': 1,
      fedtrace_queue_length: 0,
    });
  });

  it("is not there where metrics.enabled is false", async () => {
    const { port } = await startAdmin({ metrics: { enabled: false } });
    expect((await fetch(`http://127.0.0.1:${port.admin}/metrics`)).status).toBe(404);
  });
});
