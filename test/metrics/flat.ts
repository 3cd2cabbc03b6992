/**
 * Very many distinct peers: what is kept, and what a scrape has, is what it was after some thousands.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { createRegistry } from "../../src/metrics/registry.ts";
import { formatText } from "../../src/metrics/text.ts";
import { createTrafficMetrics } from "../../src/metrics/traffic-metrics.ts";

const FIRST = 20_000;
const MIB = 1024 * 1024;
const METHODS = ["GET", "PUT", "POST", "_OTHER"];
const EXEMPLAR = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/**
 * @param peers how many come in all, each with a name, an address, a path and a target that nobody else has
 */
export function expectFlat(peers: number): void {
  const registry = createRegistry({ prefix: "fedtrace", clock: createSystemClock() });
  const traffic = createTrafficMetrics(registry, { top: 20, bytesMax: MIB, hasIp: true });

  /** Each with all that a peer can choose besides, too. */
  function meet(from: number, to: number): void {
    for (let at = from; at < to; at++) {
      const peer = `a-rather-long-name-of-a-peer-${at}.example.org`;
      const method = METHODS[at % METHODS.length] ?? "";
      const status = 200 + (at % 400);
      const protocolVersion = at % 2 === 0 ? "1.1" : "1.0";
      const error = at % 3 === 0 ? "UPSTREAM_TIMEOUT" : "";
      const seconds = (at % 100) / 10;
      const route = `/_matrix/federation/v1/some-route/${at % 40}/{eventId}`;
      // Literals: a spread costs more than all that is counted.
      traffic.http.served({
        method,
        status,
        scheme: "https",
        protocolVersion,
        error,
        seconds,
        exemplar: EXEMPLAR,
        route,
        path: `/${peer}/${at}?x=${at}`,
        ip: `2001:db8::${at.toString(16)}`,
        bytes: 10,
      });
      traffic.http.sent({
        method,
        status,
        scheme: "https",
        protocolVersion,
        error,
        seconds,
        exemplar: EXEMPLAR,
        address: peer,
        port: at % 65_536,
      });
      traffic.peers.met({
        direction: "inbound",
        peer,
        seconds,
        hasFailed: false,
        endUnixMs: at,
        exemplar: EXEMPLAR,
      });
      if (at % 10 !== 0) continue; // The rest of the tables work the same way.
      traffic.peers.nameForged(peer, "wrong");
      traffic.peers.contextRefused(peer, "length");
      traffic.peers.samplingForced(peer, false);
      traffic.grpc.called({
        type: "unary",
        service: peer,
        method: peer,
        plugin: peer,
        sent: 1,
        received: 1,
        seconds: 1,
      });
    }
  }

  const heapOf = (): number => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  meet(0, FIRST);
  const before = { heap: heapOf(), text: formatText(registry.collect(), "openmetrics").length };
  meet(FIRST, peers);
  const after = { heap: heapOf(), text: formatText(registry.collect(), "openmetrics").length };
  expect(after.text).toBeLessThan(MIB);
  // Halving lets a few values in whose counts were 1: their names have other lengths.
  expect(Math.abs(after.text - before.text)).toBeLessThan(0.05 * MIB);
  expect(after.heap - before.heap).toBeLessThan(2 * MIB);
}
