/**
 * The bar of the way out: 10,000 distinct CONNECT hosts keep memory flat, in tunnels that pass unopened and in tunnels that are
 * looked into.
 *
 * Method: the sidecar as users run it, in a process of its own; the names' DNS server, clients and what the names lead to, in this
 * one. After every 2,500 names, when no client is connected any more: what V8 holds after a collection (memory-probe.mjs), the
 * resident memory, and the counts of every cache. The first quarter fills what is bounded below 2,500 (certificates, peers,
 * idle connections, the store of spans, which is made small) and is what the others are compared with. What goes on filling
 * then, discovery's caches with 8,192 entries each, is counted and its weight is taken off.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { createAuthorityCertificate } from "../../src/authority/authority-certificate.ts";
import { LEAFS_MAX } from "../../src/authority/leaf-cache.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { ENTRIES_MAX } from "../../src/discovery/server-discovery.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { ADMIN, OUTBOUND, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import {
  createUseIntercepted,
  PEER_CA_FILE,
  startEcho,
  startWildPeer,
  useBlind,
  type UseTunnel,
  useTunnels,
  type WildServer,
  WILD_ZONE,
} from "../support/tunnel-load.ts";

const STEPS = [2500, 5000, 7500, 10_000];
const TIMEOUT_MS = 600_000;
const PATIENCE = { interval: 50, timeout: 20_000 };

/** Of an entry of discovery, with all that hangs on it: measured 0.65 kB behind plain tunnels, 0.98 with a TLS name. */
const ENTRY_BYTES_MAX = 1000;
/** What heap moves by without a cause (measured: 0.3 MB). Over 7,500 names it is 270 bytes each: a socket that is held takes 5 kB. */
const HEAP_NOISE_BYTES = 2e6;
/**
 * Resident memory moves by up to 40 MB with the moment of a collection and what the allocator keeps (measured). What could leak
 * outside V8's heap is a TLS context (36 kB) or a TLS connection (65 kB): 7,500 of them would be 270 MB and more.
 */
const RESIDENT_NOISE_BYTES = 60e6;

/** `hosts` and `addresses`, the two caches that a CONNECT fills. */
const DISCOVERY_MAX = 2 * ENTRIES_MAX;
/** As app-upstreams.ts has it for targets. */
const IDLE_MAX = 512;

interface Sample {
  readonly names: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
  readonly entries: number;
  readonly certificates: number;
  readonly idle: number;
}

interface Probed {
  readonly sidecar: SpawnedSidecar;
  /** Where memory-probe.mjs listens. */
  readonly probePath: string;
}

async function startProbed(outbound: object): Promise<Probed> {
  const dns = await startDnsServer(WILD_ZONE);
  onTestFinished(() => dns.stop());
  const probePath = join(temporaryDirectory(), "probe.sock");
  const resolver = `${dns.resolver.host}:${dns.resolver.port}`;
  const sidecar = await startSidecar(
    {
      outbound: { ...OUTBOUND, resolver, ca_file: resolve(PEER_CA_FILE), ...outbound },
      admin: ADMIN,
      store: { spans: 1000 },
    },
    {
      environment: {
        NODE_OPTIONS: `--import=${pathToFileURL("test/real/memory-probe.mjs").href}`,
        MEMORY_PROBE: probePath,
      },
    },
  );
  return { sidecar, probePath };
}

async function metricsOf({ sidecar }: Probed): Promise<Readonly<Record<string, number>>> {
  const answer = await fetch(`http://127.0.0.1:${sidecar.port.admin}/metrics`);
  const lines = (await answer.text()).split("\n").filter((line) => line.startsWith("fedtrace"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

async function takeSample(probed: Probed, names: number): Promise<Sample> {
  await expect
    .poll(() => metricsOf(probed), PATIENCE)
    .toMatchObject({ fedtrace_connections: 0, fedtrace_discovery_in_flight: 0 });
  const held = JSON.parse(await text(connect(probed.probePath))) as NodeJS.MemoryUsage;
  const status = readFileSync(`/proc/${probed.sidecar.pid}/status`, "latin1");
  const metrics = await metricsOf(probed);
  const read = (name: string): number => metrics[`fedtrace_${name}`] ?? 0;
  const taken = {
    names,
    heapBytes: held.heapUsed + held.external,
    residentBytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024,
    entries: read("discovery_entries"),
    certificates: read("intercept_certificates_kept"),
    idle: read("upstream_connections"),
  };
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(
    `${names} names: heap ${megabytes(taken.heapBytes)}, resident ${megabytes(taken.residentBytes)}, ` +
      `${taken.entries} entries, ${taken.certificates} certificates, ${taken.idle} connections to targets`,
  );
  return taken;
}

/** Uses every name once. @returns a sample after each quarter */
async function useAll(probed: Probed, peer: WildServer, use: UseTunnel): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  let from = 0;
  for (const to of STEPS) {
    await useTunnels(use, { proxy: probed.sidecar.port.outbound, peer: peer.port }, { from, to });
    samples.push(await takeSample(probed, to));
    from = to;
  }
  return samples;
}

function expectFlat([first, ...later]: readonly Sample[]): void {
  if (first === undefined) throw new Error("no samples");
  for (const { heapBytes, residentBytes, entries, certificates, idle } of [first, ...later]) {
    const kept = (entries - first.entries) * ENTRY_BYTES_MAX;
    expect(heapBytes - first.heapBytes - kept).toBeLessThan(HEAP_NOISE_BYTES);
    expect(residentBytes - first.residentBytes).toBeLessThan(RESIDENT_NOISE_BYTES);
    expect(entries).toBeLessThanOrEqual(DISCOVERY_MAX);
    expect(certificates).toBeLessThanOrEqual(LEAFS_MAX);
    expect(idle).toBeLessThanOrEqual(IDLE_MAX);
  }
}

it(
  "10,000 names in tunnels that pass unopened",
  async () => {
    const [echo, probed] = [await startEcho(), await startProbed({})];
    expectFlat(await useAll(probed, echo, useBlind));
    expect(await metricsOf(probed)).toMatchObject({
      fedtrace_upstream_connections: 0,
      'fedtrace_upstream_connects_total{direction="outbound"}': 10_000,
      'fedtrace_discovery_lookups_total{kind="hosts",outcome="miss"}': 10_000,
    });
    expect(await probed.sidecar.stop()).toBe(0);
  },
  TIMEOUT_MS,
);

it(
  "10,000 names in tunnels that are looked into, each with a handshake and a request",
  async () => {
    const made = await createAuthorityCertificate({
      commonName: "test",
      permitted: ["wild.example"],
      days: 90,
      clock: createSystemClock(),
    });
    if ("refused" in made) throw new Error(JSON.stringify(made.refused));
    const directory = temporaryDirectory();
    const [certificate, key] = [join(directory, "ca.pem"), join(directory, "ca.key")];
    writeFileSync(certificate, made.value.certificatePem);
    writeFileSync(key, made.value.privateKeyPem);
    const peer = await startWildPeer();
    const probed = await startProbed({ intercept: { ca_certificate: certificate, ca_private_key: key } });

    expectFlat(await useAll(probed, peer, createUseIntercepted(made.value.certificatePem)));
    expect(await metricsOf(probed)).toMatchObject({
      fedtrace_intercepted_tunnels: 0,
      'fedtrace_intercept_certificates_total{outcome="issued"}': 10_000,
      'fedtrace_upstream_connects_total{direction="outbound"}': 10_000,
    });
    peer.dropAll();
    await expect
      .poll(() => metricsOf(probed), PATIENCE)
      .toMatchObject({ fedtrace_connections: 0, fedtrace_upstream_connections: 0 });
    expect(await probed.sidecar.stop()).toBe(0);
  },
  TIMEOUT_MS,
);
