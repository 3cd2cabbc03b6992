/**
 * Many distinct CONNECT hosts, the short run of test/real/connect-hosts.test.ts: what some dozens of names leave in the counters, and that
 * connections and tunnels are gone. Memory is measured there.
 */

import { sumOf } from "../support/metrics.ts";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createAuthorityCertificate } from "../../src/authority/authority-certificate.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { startInProcess, type TestSidecar } from "../support/in-process.ts";
import {
  createUseIntercepted,
  PEER_CA_FILE,
  startEcho,
  startWildPeer,
  useBlind,
  useTunnels,
  WILD_ZONE,
} from "../support/tunnel-load.ts";

const NAMES = 200;
/** Each costs two handshakes and a certificate, some 10 ms of a core. */
const INTERCEPTED = 60;
const TIMEOUT_MS = 60_000;

async function start(outbound: object): Promise<TestSidecar> {
  const dns = await startDnsServer(WILD_ZONE);
  const resolver = `${dns.resolver.host}:${dns.resolver.port}`;
  const allowed = { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"], ca_file: PEER_CA_FILE };
  const sidecar = await startInProcess({ outbound: { ...allowed, resolver, ...outbound } });
  onTestFinished(async () => {
    await sidecar.sidecar.stop();
    dns.stop();
  });
  return sidecar;
}

/** Every series that has no label, and for the others the sum. */
function counters({ sidecar }: TestSidecar): Readonly<Record<string, number>> {
  const families = sidecar.registry.collect();
  return Object.fromEntries(families.map(({ name }) => [name, sumOf(sidecar.registry, name)]));
}

/** Nothing of the tunnels is left but what caches keep: a host and an address a name. */
const leftBy = (names: number): Readonly<Record<string, number>> => ({
  fedtrace_connections: 0,
  fedtrace_upstream_connections: 0,
  fedtrace_upstream_queue: 0,
  fedtrace_upstream_connects: names,
  fedtrace_discovery_in_flight: 0,
  fedtrace_discovery_entries: 2 * names,
  fedtrace_spans_started: names,
  fedtrace_errors: 0,
});

describe("many distinct hosts", () => {
  it(`${NAMES} in tunnels that pass unopened`, async () => {
    const [echo, sidecar] = [await startEcho(), await start({})];
    await useTunnels(useBlind, { proxy: sidecar.port.outbound, peer: echo.port }, { from: 0, to: NAMES });
    await expect.poll(() => counters(sidecar)).toMatchObject(leftBy(NAMES));
  });

  it(`${INTERCEPTED} in tunnels that are looked into`, { timeout: TIMEOUT_MS }, async () => {
    const order = { commonName: "test", permitted: [], days: 90, clock: createSystemClock() };
    const made = await createAuthorityCertificate(order);
    if ("refused" in made) throw new Error(JSON.stringify(made.refused));
    const directory = temporaryDirectory();
    const [certificate, key] = [join(directory, "ca.pem"), join(directory, "ca.key")];
    writeFileSync(certificate, made.value.certificatePem);
    writeFileSync(key, made.value.privateKeyPem);
    const peer = await startWildPeer();
    const sidecar = await start({ intercept: { ca_certificate: certificate, ca_private_key: key } });

    const use = createUseIntercepted(made.value.certificatePem);
    await useTunnels(use, { proxy: sidecar.port.outbound, peer: peer.port }, { from: 0, to: INTERCEPTED });
    await expect
      .poll(() => counters(sidecar))
      .toMatchObject({
        fedtrace_connections: 0,
        fedtrace_intercepted_tunnels: 0,
        fedtrace_intercept_certificates_kept: INTERCEPTED,
        fedtrace_intercept_certificates: INTERCEPTED,
        fedtrace_intercept_failures: 0,
      });
    peer.dropAll(); // The targets end what rested.
    await expect.poll(() => counters(sidecar)).toMatchObject(leftBy(INTERCEPTED));
  });
});
