/** Who has room in a scrape: whoever is busy, not whoever came first. */

import { describe, expect, it } from "vitest";
import { createTrafficMetrics } from "../../src/metrics/traffic-metrics.ts";
import { testRegistry } from "../support/metrics.ts";

const MIB = 1024 * 1024;
const TRACE = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

const SERVED = {
  path: "/x",
  ip: "192.0.2.1",
  status: 200,
  route: "/_matrix/federation/v1/version",
  bytes: 1,
  exemplar: undefined,
};

/** What whoever asks can choose, and what he can bring about. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER"];
const ANSWERS = [
  { status: 200 },
  { status: 404 },
  { status: 405 },
  { status: undefined, error: "CLIENT_ABORTED" },
  { status: 408, error: "BODY_TIMEOUT" },
];

function startTraffic(bytesMax = MIB, hasIp = true) {
  const registry = testRegistry();
  const traffic = createTrafficMetrics(registry, { top: 20, bytesMax, hasIp });
  const request = { method: "GET", scheme: "https", protocolVersion: "1.1", error: "", seconds: 0.1 };
  return {
    serve: (served: Partial<Parameters<typeof traffic.http.served>[0]>): void =>
      traffic.http.served({ ...request, ...SERVED, ...served }),
    send: (address: string, status: number): void =>
      traffic.http.sent({ ...request, address, port: 8448, status, exemplar: undefined }),
    forge: (peer: string, reason: string): void => traffic.peers.nameForged(peer, reason),
    /** @returns label values of its series that have them all, and what they counted */
    counted: (family: string, ...values: readonly string[]): number =>
      (registry.find(family)?.series ?? [])
        .filter((series) => values.every((value) => series.values.includes(value)))
        .flatMap(({ numbers }) => (numbers.length > 1 ? numbers.slice(0, -1) : numbers))
        .reduce((sum, count) => sum + count, 0),
  };
}

it("shows a busy path after a stranger took all room with long ones", () => {
  const { serve, counted } = startTraffic();
  for (let at = 0; at < 5; at++)
    for (let other = 0; other < 19; other++)
      serve({ path: `/${"x".repeat(110)}${at}`, ip: `2001:db8::${other}` });
  for (let time = 0; time < 1000; time++) serve({ path: "/_matrix/federation/v1/version" });
  expect(counted("http_request_count", "/_matrix/federation/v1/version", "192.0.2.1")).toBeGreaterThan(900);
});

it("shows a busy server after another one answered with each status that there is", () => {
  const { send, counted } = startTraffic();
  for (let status = 100; status < 1000; status++) send("mad.example", status);
  for (let time = 0; time < 100; time++) send("busy.example", 200);
  const counts = (address: string): number => counted("http_client_request_duration_seconds", address, "200");
  expect(counts("busy.example")).toBeGreaterThan(90);
  expect(counted("http_client_request_duration_seconds", "mad.example")).toBeLessThan(100);
});

it.each([
  { why: "whoever asks varies all that he can", size: "1 MiB", bytesMax: MIB },
  { why: "there is half of the usual room", size: "512 KiB", bytesMax: MIB / 2 },
])("tells a status that is an error where $why ($size)", ({ bytesMax }) => {
  const { serve, counted } = startTraffic(bytesMax);
  for (const method of METHODS)
    for (const protocolVersion of ["1.0", "1.1"])
      for (const answer of ANSWERS)
        for (let route = 0; route < 10; route++)
          serve({ method, protocolVersion, ...answer, route: `/_matrix/r${route}` });
  serve({ status: 502, error: "UPSTREAM_REFUSED", route: "/_matrix/federation/v1/send/{txnId}" });
  expect(counted("http_server_request_duration_seconds", "502")).toBe(1);
});

it("tells a status that is an error, whatever routes and statuses there were before", () => {
  const { serve, counted } = startTraffic();
  for (let at = 0; at < 200; at++)
    for (const status of [200, 404]) serve({ status, route: `/_matrix/federation/v1/some-route/${at}` });
  for (let at = 0; at < 300; at++)
    serve({ status: 502, error: "502", route: "/_matrix/federation/v1/some-route/0" });
  expect(counted("http_server_request_duration_seconds", "502")).toBe(300);
});

it("tells of an error that comes again after the own server answered with each status that there is", () => {
  const { serve, counted } = startTraffic();
  for (let status = 100; status < 1000; status++) serve({ status });
  for (let time = 0; time < 10; time++) serve({ status: 503, error: "503" });
  expect(counted("http_server_request_duration_seconds", "503", "503")).toBeGreaterThan(7);
});

describe("after a stranger took all room with all that can be asked in another way", () => {
  function startTaken() {
    const traffic = startTraffic();
    for (let at = 0; at < 25; at++)
      traffic.serve({ path: `/${at}`, ip: `2001:db8::${at}`, route: "", method: "_OTHER" });
    for (const route of ["", "/_matrix/a", "/_matrix/b", "/_matrix/c"])
      for (const method of METHODS)
        for (const protocolVersion of ["1.0", "1.1"])
          for (const answer of ANSWERS)
            traffic.serve({ method, protocolVersion, ...answer, route, path: "/y", ip: "2001:db8::ff" });
    return traffic;
  }

  it.each([
    { family: "http_request_count", what: "/_matrix/federation/v1/version" },
    { family: "http_server_request_duration_seconds", what: "/_matrix/federation/v1/version" },
    { family: "http_request_count", what: "/busy" },
  ])("shows $what in $family", ({ family, what }) => {
    const { serve, counted } = startTaken();
    for (let time = 0; time < 1000; time++) serve({ path: "/busy" });
    expect(counted(family, what)).toBeGreaterThan(800);
  });

  it("still tells of a status that is an error", () => {
    const { serve, counted } = startTaken();
    for (let route = 0; route < 40; route++)
      for (let time = 0; time < 100; time++) serve({ path: "/busy", route: `/_matrix/r${route}` });
    serve({ status: 502, error: "UPSTREAM_REFUSED" });
    for (const family of ["http_server_request_duration_seconds", "http_request_count"])
      expect(counted(family, "502")).toBe(1);
  });
});

it("tells of no addresses as of others where addresses are not told", () => {
  const { serve, counted } = startTraffic(MIB, false);
  for (const method of METHODS)
    for (const answer of ANSWERS)
      for (let path = 0; path < 40; path++)
        serve({ method, ...answer, path: `/${path}`, route: `/_matrix/r${path % 4}` });
  expect(counted("metrics_overflow", "endpoint")).toBeGreaterThan(1000);
  expect(counted("metrics_overflow", "ip")).toBe(0);
  expect(counted("http_request_count", "")).toBe(METHODS.length * ANSWERS.length * 40);
});

it("does not take names that are forged for peers for which there is no room", () => {
  const { forge, counted } = startTraffic();
  for (let name = 0; name < 20; name++)
    for (let reason = 0; reason < 8; reason++)
      forge(`a-rather-long-whitelisted-name-${name}.example`, `a-reason-${reason}`);
  expect(counted("metrics_overflow", "forged_peer")).toBeGreaterThan(0);
  // An alert about peers that say nothing any more is silent where it grows.
  expect(counted("metrics_overflow", "peer")).toBe(0);
});

it.each([
  { top: 20, size: "1 MiB", bytesMax: MIB },
  { top: 100, size: "48 KiB for each", bytesMax: 100 * 48 * 1024 },
  { top: 1000, size: "48 KiB for each", bytesMax: 1000 * 48 * 1024 },
])("has room for $top peers, both ways, in $size", ({ top, bytesMax }) => {
  const registry = testRegistry();
  const { peers } = createTrafficMetrics(registry, { top, bytesMax, hasIp: true });
  for (let at = 0; at < top; at++) {
    for (const direction of ["inbound", "outbound"] as const) {
      const peer = `matrix-homeserver-of-town-${String(at).padStart(4, "0")}.example`;
      peers.met({ direction, peer, seconds: 1, hasFailed: false, endUnixMs: 1, exemplar: TRACE });
    }
  }
  const named = registry.find("peer_requests")?.series.map(({ values: [, peer] }) => peer) ?? [];
  expect([named.length, named.includes("other")]).toEqual([2 * top, false]);
});
