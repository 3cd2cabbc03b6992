/**
 * haproxy and nginx in front, as docs/guides/behind-another-proxy.md sets them up: the client that they name is the client, and one
 * that writes the same headers itself is not believed.
 *
 * Clients connect from 127.0.0.2, proxies from 127.0.0.1. Not here: nginx's `proxy_protocol on`, which is in its stream module, and
 * Debian packages that apart; haproxy before 2.8 has no `option forwarded`, and writes the same by `set-header`.
 */

import { metricsText } from "../support/metrics.ts";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { connect as connectTls } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { connectPeer, wrapPeer } from "../http1/sockets.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import { poll } from "../support/poll.ts";
import { recordingUpstream } from "../support/wire.ts";
import { HAPROXY, NGINX, type RealProxy, type Recipe, startRealProxy } from "./conformance-proxies.ts";

const CLIENT = "127.0.0.2";
const PROXY = "127.0.0.1";
/** Of `friend.test`; nobody connects from there. */
const FRIEND = "192.0.2.7";

const pem = (name: string): string => resolve("test/fixtures/mtls", name);

/** A sidecar with a recipe's proxy in front. */
async function stage(recipe: Recipe, configure: Recipe["configure"], inbound: object = {}) {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  const sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      trusted_proxies: [PROXY],
      identify: ["address"],
      authenticate: "network",
      networks: { "friend.test": [`${FRIEND}/32`], "client.test": [`${CLIENT}/32`] },
      ...inbound,
    },
    whitelist: ["client\\.test"],
  });
  onTestFinished(() => sidecar.sidecar.stop());
  const proxy = await startRealProxy({ ...recipe, configure }, sidecar.port.inbound);
  onTestFinished(() => proxy.stop());
  return { upstream, sidecar, proxy };
}

const request = (lines: readonly string[]): string =>
  ["GET /_matrix/key/v2/server HTTP/1.1", "Host: own.test", ...lines, "Connection: close", "", ""].join(
    "\r\n",
  );

/** Sends one request through the proxy. @returns what the sidecar made of its client */
async function ask(proxy: RealProxy, sidecar: TestSidecar, lines: readonly string[] = []) {
  sidecar.forget();
  const peer = await connectPeer(proxy.port, CLIENT);
  peer.send(request(lines));
  await peer.until("\r\n\r\nok");
  return seenBy(sidecar);
}

async function seenBy(sidecar: TestSidecar) {
  const [span] = await sidecar.spansOf(1);
  return [
    span?.attributes["client.address"],
    span?.attributes["network.peer.address"],
    span?.attributes["fedtrace.peer.name"],
    span?.attributes["fedtrace.peer.proof"],
    span?.attributes["url.scheme"],
  ];
}

const KNOWN = [CLIENT, PROXY, "client.test", "network", "http"];
const UNKNOWN = [PROXY, PROXY, undefined, "none", "http"];
const SPOOFS = [`X-Forwarded-For: ${FRIEND}`, `Forwarded: for=${FRIEND}`];

interface HaproxyParts {
  readonly mode?: "http" | "tcp";
  readonly frontend?: string;
  readonly server?: string;
}

function haproxy({ mode = "http", frontend = "", server = "" }: HaproxyParts): Recipe["configure"] {
  return (_directory, port, upstreamPort) => `
global
  maxconn 256
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:${port}
  ${frontend}
  default_backend own
backend own
  server own 127.0.0.1:${upstreamPort} ${server}
`;
}

describe("haproxy", () => {
  it.each([
    { server: "send-proxy" },
    { server: "send-proxy-v2" },
    { server: "send-proxy-v2 proxy-v2-options crc32c,unique-id" },
    { server: "send-proxy-v2-ssl-cn" },
  ])("by $server, in both modes", async ({ server }) => {
    for (const mode of ["http", "tcp"] as const) {
      const { proxy, sidecar } = await stage(HAPROXY, haproxy({ mode, server }), { proxy_protocol: true });
      expect(await ask(proxy, sidecar)).toEqual(KNOWN);
      expect(await ask(proxy, sidecar, SPOOFS)).toEqual(KNOWN);
    }
  });

  it("by send-proxy-v2 before TLS that it does not open", async () => {
    const tls = { certificate: pem("server.pem"), private_key: pem("server.key") };
    const configure = haproxy({ mode: "tcp", server: "send-proxy-v2" });
    const { proxy, sidecar } = await stage(HAPROXY, configure, { proxy_protocol: true, tls });
    const raw = await connectPeer(proxy.port, CLIENT);
    const ca = readFileSync(pem("server.pem"));
    raw.socket.removeAllListeners("data");
    const secure = connectTls({ socket: raw.socket, servername: "localhost", ca });
    await once(secure, "secureConnect");
    const peer = wrapPeer(secure);
    peer.send(request(SPOOFS));
    await peer.until("\r\n\r\nok");
    expect(await seenBy(sidecar)).toEqual([...KNOWN.slice(0, -1), "https"]);
  });

  it("whose health checks are no faults", async () => {
    const server = "send-proxy-v2 check check-send-proxy inter 50ms";
    const configure = haproxy({ server });
    const { proxy, sidecar, upstream } = await stage(
      HAPROXY,
      (directory, port, upstreamPort) =>
        configure(directory, port, upstreamPort).replace(
          "\nbackend own",
          "\nbackend own\n  option httpchk GET /health",
        ),
      { proxy_protocol: true },
    );
    const checks = (): Promise<true | undefined> =>
      Promise.resolve(upstream.received().split("GET /health").length > 3 ? true : undefined);
    expect(await poll(checks, 10_000)).toBe(true);
    expect(await ask(proxy, sidecar)).toEqual(KNOWN);
    expect(metricsText(sidecar.sidecar.registry)).not.toContain("fedtrace_proxy_headers_refused_total{");
  });

  it("without send-proxy where the sidecar asks for it gets no answer", async () => {
    const { proxy, sidecar } = await stage(HAPROXY, haproxy({}), { proxy_protocol: true });
    const peer = await connectPeer(proxy.port, CLIENT);
    peer.send(request([]));
    await peer.until("HTTP/1.1 50");
    expect(sidecar.spans).toEqual([]);
    expect(metricsText(sidecar.sidecar.registry)).toMatch(
      /proxy_headers_refused_total\{reason="absent"\} [1-9]/,
    );
  });

  it("by option forwardfor: the client's own X-Forwarded-For counts for nothing, and its Forwarded against it", async () => {
    const { proxy, sidecar } = await stage(HAPROXY, haproxy({ frontend: "option forwardfor" }));
    expect(await ask(proxy, sidecar)).toEqual(KNOWN);
    expect(await ask(proxy, sidecar, SPOOFS.slice(0, 1))).toEqual(KNOWN);
    expect(await ask(proxy, sidecar, SPOOFS)).toEqual(UNKNOWN);
  });

  it("by option forwardfor, as the guide has it: it takes Forwarded away", async () => {
    const frontend = "option forwardfor\n  http-request del-header Forwarded";
    const { proxy, sidecar } = await stage(HAPROXY, haproxy({ frontend }));
    expect(await ask(proxy, sidecar, SPOOFS)).toEqual(KNOWN);
  });

  it("by Forwarded", async () => {
    const { proxy, sidecar } = await stage(HAPROXY, haproxy({ frontend: forwardedOption() }));
    expect(await ask(proxy, sidecar)).toEqual(KNOWN);
    expect(await ask(proxy, sidecar, SPOOFS.slice(1))).toEqual(KNOWN);
    expect(await ask(proxy, sidecar, SPOOFS)).toEqual(UNKNOWN);
  });
});

let version = 0;
beforeAll(async () => {
  const proxy = await startRealProxy(HAPROXY, 1);
  const [major = 0, minor = 0] = proxy.version.split(".").map(Number);
  version = major + minor / 100;
  await proxy.stop();
});

function forwardedOption(): string {
  return version >= 2.08 ? "option forwarded" : "http-request set-header Forwarded proto=http;for=%[src]";
}

function nginx(headers: string): Recipe["configure"] {
  return (directory, port, upstreamPort) =>
    NGINX.configure(directory, port, upstreamPort).replace(
      "proxy_pass http://own;",
      `proxy_pass http://own; ${headers}`,
    );
}

describe("nginx", () => {
  const X =
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;";

  it("by X-Forwarded-For, as most set it: the client's Forwarded counts against it", async () => {
    const { proxy, sidecar } = await stage(NGINX, nginx(X));
    expect(await ask(proxy, sidecar)).toEqual(KNOWN);
    expect(await ask(proxy, sidecar, SPOOFS.slice(0, 1))).toEqual(KNOWN);
    expect(await ask(proxy, sidecar, SPOOFS)).toEqual(UNKNOWN);
  });

  it("as the guide has it: it takes Forwarded away, and says which scheme and host it was asked for", async () => {
    const all = `${X} proxy_set_header X-Forwarded-Host $http_host; proxy_set_header Forwarded "";`;
    const { proxy, sidecar, upstream } = await stage(NGINX, nginx(all.replace("$scheme", "https")));
    expect(
      await ask(proxy, sidecar, [...SPOOFS, "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.test"]),
    ).toEqual([...KNOWN.slice(0, -1), "https"]);
    const told = upstream
      .received()
      .split("\r\n")
      .filter((line) => /^(?:x-)?forwarded/i.test(line));
    expect(told).toEqual([
      `x-forwarded-for: ${CLIENT}`,
      "x-forwarded-proto: https",
      "x-forwarded-host: own.test",
    ]);
  });

  it("that names nobody leaves its clients nobody, whatever they say", async () => {
    const { proxy, sidecar } = await stage(
      NGINX,
      nginx('proxy_set_header X-Forwarded-For ""; proxy_set_header Forwarded "";'),
    );
    expect(await ask(proxy, sidecar, SPOOFS)).toEqual(UNKNOWN);
  });
});
