/** A hundred thousand distinct peers, and what other series keep beside them. A million: test/long/million.test.ts. */

import { expect, it } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { createRegistry } from "../../src/metrics/registry.ts";
import { createTrafficMetrics } from "../../src/metrics/traffic-metrics.ts";
import { expectFlat } from "./flat.ts";

const MIB = 1024 * 1024;
const EXEMPLAR = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

// Each has over 200 bytes of its own: kept, those after the first 20,000 were 16 MiB, and 2 are allowed.
it("leave memory flat and a scrape under 1 MiB", () => {
  expectFlat(100_000);
});

it("tells a status that is an error, whatever routes and statuses there were before", () => {
  const registry = createRegistry({ prefix: "fedtrace", clock: createSystemClock() });
  const traffic = createTrafficMetrics(registry, { top: 20, bytesMax: MIB, hasIp: true });
  const serve = (route: string, status: number): void =>
    traffic.http.served({
      method: "GET",
      status,
      scheme: "https",
      protocolVersion: "1.1",
      error: status >= 500 ? String(status) : "",
      seconds: 0.1,
      exemplar: EXEMPLAR,
      route,
      path: "/x",
      ip: "192.0.2.1",
      bytes: 1,
    });
  for (let at = 0; at < 200; at++)
    for (const status of [200, 404]) serve(`/_matrix/federation/v1/some-route/${at}`, status);
  for (let at = 0; at < 300; at++) serve("/_matrix/federation/v1/some-route/0", 502);
  const family = registry.find("http_server_request_duration_seconds");
  const failed = (family?.series ?? []).filter(({ values }) => values.includes("502"));
  const counted = failed
    .flatMap(({ numbers }) => numbers.slice(0, -1))
    .reduce((sum, count) => sum + count, 0);
  expect(counted).toBe(300);
});
