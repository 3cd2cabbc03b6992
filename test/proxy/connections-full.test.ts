/** What a client meets when there is no room: an idle connection goes, or a 503 that says when to come back; and who counts. */

import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { formatAnswer } from "../../src/proxy/answers.ts";
import { connectPeer } from "../http1/sockets.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { exchangeRaw, OK_RESPONSE, rawClient, recordingUpstream } from "../support/wire.ts";

const GET = "GET / HTTP/1.1\r\nHost: own.test\r\n\r\n";

async function start(limits: object, { isSilent = false, listen = "127.0.0.1:0" } = {}) {
  const upstream = await recordingUpstream(() => (isSilent ? undefined : OK_RESPONSE));
  onTestFinished(() => upstream.stop());
  const sidecar = await startInProcess({
    inbound: { listen, upstream: `http://127.0.0.1:${upstream.port}` },
    admin: { listen: "127.0.0.1:0" },
    limits: { drain: "0s", ...limits },
  });
  onTestFinished(() => sidecar.sidecar.stop());
  return { upstream, sidecar };
}

async function metric({ port }: TestSidecar, series: string): Promise<string | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
  return text.split("\n").find((line) => line.startsWith(`${series} `));
}

it("answers 503 where no connection is idle, and counts it", async () => {
  const { upstream, sidecar } = await start({ connections: 1 }, { isSilent: true });
  const busy = await rawClient(sidecar.port.inbound);
  busy.send(GET);
  while (upstream.received() === "") await new Promise((resolve) => void setImmediate(resolve));
  expect(await exchangeRaw(sidecar.port.inbound, "")).toBe(
    formatAnswer({ code: "CONNECTIONS_FULL" }, true, false),
  );
  const series = 'fedtrace_requests_refused_total{direction="inbound",reason="connections"}';
  expect(await metric(sidecar, series)).toBe(`${series} 1`);
});

it.each(["CONNECTIONS_FULL", "PEER_CONNECTIONS_FULL"] as const)("says of %s when to come back", (code) => {
  expect(formatAnswer({ code }, true, false)).toMatch(
    new RegExp(
      `^HTTP/1\\.1 503 [^]*\r\nretry-after: 1\r\nconnection: close\r\n\r\n{"errcode":"FEDTRACE_${code}",`,
    ),
  );
});

it("gives an idle connection's place away, and counts it", async () => {
  const { sidecar } = await start({ connections: 1 });
  const kept = await rawClient(sidecar.port.inbound);
  kept.send(GET);
  await kept.until((received) => received.endsWith("ok"));
  const newcomer = await rawClient(sidecar.port.inbound);
  newcomer.send(GET);
  expect(await newcomer.until((received) => received.endsWith("ok"))).toMatch(/^HTTP\/1\.1 200 OK/);
  expect((await kept.closed()).isReset).toBe(false);
  const series = 'fedtrace_connections_evicted_total{direction="inbound"}';
  expect(await metric(sidecar, series)).toBe(`${series} 1`);
});

it("does not count loopback clients, which a proxy in front may stand behind", async () => {
  const { sidecar } = await start({ connections_per_peer: 1 });
  for (let index = 0; index < 3; index++) {
    const client = await rawClient(sidecar.port.inbound);
    client.send(GET);
    expect(await client.until((received) => received.endsWith("ok"))).toMatch(/^HTTP\/1\.1 200 OK/);
  }
});

it("names no address of a client on a unix socket", async () => {
  const path = join(temporaryDirectory(), "in.sock");
  const { upstream } = await start({ connections_per_peer: 1 }, { listen: `unix:${path}` });
  for (let index = 0; index < 2; index++) {
    const client = await connectPeer(path);
    client.send(GET.replace("\r\n\r\n", "\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"));
    await client.until("ok");
  }
  expect(upstream.received()).not.toMatch(/^x-forwarded-for/im);
  expect(upstream.received()).toContain("x-forwarded-proto: http\r\nx-forwarded-host: own.test\r\n");
});
