/**
 * Two real Synapse servers, each behind a fedtrace of its own, and a real Jaeger that all four send their spans to:
 *
 * ```
 *   Synapse A ──► sidecar A ──TLS──► recorder B ──TLS──► sidecar B ──► Synapse B      and the same way back
 *                 CLIENT                                 SERVER
 * ```
 * The recorder is what B's name leads to, and sees what crosses the border. Everything ends with the test.
 */

import { expect, onTestFinished } from "vitest";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { ADMIN, type ConfigDocument, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { delegate, type Delegation } from "./delegated-names.ts";
import { holdPort } from "./free-ports.ts";
import { federate, fixture, type ScenarioTimings } from "./homeserver-pair.ts";
import { type Jaeger, startJaeger } from "./jaeger.ts";
import { type Homeserver, startHomeserver } from "./synapse.ts";
import { createUser, type MatrixUser } from "./synapse-client.ts";
import { startTlsRecorder, type TlsRecorder } from "./tls-recorder.ts";

/**
 * How Synapse's requests get out:
 * `direct`: by themselves, no sidecar; `federation-proxy`: `outbound_federation_restricted_to`, in plain HTTP;
 * `connect`: `https_proxy`, TLS inside, which the sidecar looks into with an authority that Synapse trusts.
 */
export type WayOut = "direct" | "federation-proxy" | "connect";

export interface PairOptions {
  readonly wayOut: WayOut;
  /** Of both sidecars, in their config's form. */
  readonly whitelist: readonly string[];
  /** findSynapse().path */
  readonly python: string;
  /** findJaeger() */
  readonly jaegerProgram: string;
  /** Whether Synapse makes spans of its own; it takes three times as long then. */
  readonly isSynapseTraced: boolean;
  /** Its own whitelist where it does; by default all, so that what must not cross is the sidecar's to hold back. */
  readonly synapseWhitelist?: Readonly<Record<Label, readonly string[]>>;
  /** By default "port": the name has it, and DNS the address. */
  readonly naming?: "port" | Delegation;
}

export interface SidecarredServer {
  readonly homeserver: Homeserver;
  readonly sidecar: SpawnedSidecar;
}

interface TracedServer extends SidecarredServer {
  readonly recorder: TlsRecorder;
}

/** What the servers of a pair share. */
interface Surroundings extends PairOptions {
  readonly jaeger: Jaeger;
  readonly agentPort: number;
  /** For sidecars, which are told where to ask (`outbound.resolver`); Synapse itself can't be. */
  readonly dns: DnsServer;
}

interface TracedPair {
  readonly a: TracedServer;
  readonly b: TracedServer;
  readonly jaeger: Jaeger;
  readonly dns: DnsServer;
}

/** Matches both names of a pair, whatever its way out; for whitelists. */
export const BOTH = "hs[12]\\.test|127\\.0\\.0\\.1";

/** What users of both do with each other (homeserver-pair.ts) makes each server ask this of the other. */
export const ASKED_BOTH_WAYS = [
  "GET /_matrix/federation/v1/make_join/{roomId}/{userId}",
  "GET /_matrix/federation/v1/query/profile",
  "GET /_matrix/key/v2/server",
  "PUT /_matrix/federation/v1/send/{txnId}",
  "PUT /_matrix/federation/v2/invite/{roomId}/{eventId}",
  "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}",
];
/** And B of A besides. */
export const ASKED_OF_A = [
  "GET /_matrix/federation/v1/backfill/{roomId}",
  "GET /_matrix/federation/v1/media/download/{mediaId}",
];

const OPEN = { hs1: [".*"], hs2: [".*"] } as const;
const SECRET = "between-synapse-and-its-sidecar";

/** A Jaeger for Synapse's own spans too, until the test ends. */
export async function startSynapseJaeger(
  program: string,
): Promise<{ readonly jaeger: Jaeger; readonly agentPort: number }> {
  let agentPort = 0;
  const jaeger = await startJaeger(program, ([compact = 0]) => {
    agentPort = compact;
    // Two servers in a join send more at once than the system's default buffer holds.
    const endpoint = { endpoint: `127.0.0.1:${compact}`, socket_buffer_size: 4_194_304 };
    return { jaeger: { protocols: { thrift_compact: endpoint } } };
  });
  onTestFinished(() => jaeger.stop());
  return { jaeger, agentPort };
}

/** Jaeger and DNS; both end with the test. */
export async function startSurroundings(options: PairOptions): Promise<Surroundings> {
  const { jaeger, agentPort } = await startSynapseJaeger(options.jaegerProgram);
  const dns = await startDnsServer({ "hs1.test": { A: ["127.0.0.1"] }, "hs2.test": { A: ["127.0.0.1"] } });
  onTestFinished(() => dns.stop());
  return { ...options, jaeger, agentPort, dns };
}

/** All of it ends with the test. */
export async function startPair(options: PairOptions): Promise<TracedPair> {
  const surroundings = await startSurroundings(options);
  const [hs1, hs2] = await Promise.all([startRecorder("hs1"), startRecorder("hs2")]);
  const { naming = "port", dns } = surroundings;
  if (naming !== "port") await delegate(naming, { hs1: hs1.port, hs2: hs2.port }, dns);
  const [a, b] = await Promise.all([
    startRecorded("hs1", hs1, surroundings),
    startRecorded("hs2", hs2, surroundings),
  ]);
  return { a, b, jaeger: surroundings.jaeger, dns: surroundings.dns };
}

/**
 * Starts a pair, has a user of each do with the other all there is to do, and stops the sidecars, so that all spans are sent.
 *
 * @param messages so many each way; each is hundreds of spans where Synapse is traced
 */
export async function runPair(
  options: PairOptions,
  messages: number,
): Promise<TracedPair & { readonly timings: ScenarioTimings }> {
  const pair = await startPair(options);
  const { a, b } = pair;
  const [anna, bert] = await Promise.all([
    createUser(a.homeserver, "anna"),
    createUser(b.homeserver, "bert"),
  ]);
  if (options.whitelist.length > 0) await introduce({ user: anna, ...a }, { user: bert, ...b });
  const timings = await federate(anna, bert, messages);
  expect(await Promise.all([a.sidecar.stop(), b.sidecar.stop()])).toEqual([0, 0]);
  return { ...pair, timings };
}

interface Guest {
  readonly user: MatrixUser;
  readonly sidecar: SpawnedSidecar;
}

/** Until each sidecar has proven a request of the other's server: no request waits for a key, so the first ones begin new traces. */
async function introduce(a: Guest, b: Guest): Promise<void> {
  await expect
    .poll(async () => {
      await Promise.all([a.user.lookUp(b.user.id), b.user.lookUp(a.user.id)]);
      const counts = await Promise.all([a, b].map(({ sidecar }) => provenBy(sidecar)));
      return Math.min(...counts);
    }, INTRODUCTION)
    .toBeGreaterThan(0);
}

/** A key is fetched once; should that fail, it is tried again after 30 s. */
const INTRODUCTION = { interval: 200, timeout: 60_000 };

async function provenBy({ port }: SpawnedSidecar): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
  return Number(/fedtrace_proofs_total\{result="verified"\} (\d+)/.exec(metrics)?.[1] ?? 0);
}

type Label = "hs1" | "hs2";

/** Each is what its server's name leads to. */
async function startRecorder(label: Label): Promise<TlsRecorder> {
  const recorder = await startTlsRecorder({
    certificate: fixture(`${label}.pem`),
    privateKey: fixture(`${label}.key`),
    ca: fixture("ca.pem"),
  });
  onTestFinished(() => recorder.stop());
  return recorder;
}

async function startRecorded(
  label: Label,
  recorder: TlsRecorder,
  surroundings: Surroundings,
): Promise<TracedServer> {
  const { naming = "port", wayOut } = surroundings;
  // Nobody tells Synapse where a name is, so on its own it needs one that is an address.
  const host = wayOut === "direct" ? "127.0.0.1" : `${label}.test`;
  const serverName = naming === "port" ? `${host}:${recorder.port}` : host;
  const server = await startBehindSidecar(label, { serverName, inboundPort: 0 }, surroundings);
  recorder.forwardTo(server.sidecar.port.inbound, `${label}.test`);
  return { ...server, recorder };
}

interface Place {
  readonly serverName: string;
  /** Of the sidecar, for peers; 0: any. */
  readonly inboundPort: number;
}

/** Both end with the test. @param label of its certificate */
export async function startBehindSidecar(
  label: Label,
  { serverName, inboundPort }: Place,
  surroundings: Surroundings,
): Promise<SidecarredServer> {
  const { isSynapseTraced, agentPort, synapseWhitelist = OPEN } = surroundings;
  const held = await holdPort(); // Synapse has to know it before the sidecar listens.
  const outboundPort = held.port;
  const homeserver = await startHomeserver({
    python: surroundings.python,
    serverName,
    ...(isSynapseTraced ? { tracing: { agentPort, whitelist: synapseWhitelist[label] } } : {}),
    extra: synapseWayOut(surroundings.wayOut, outboundPort),
  });
  onTestFinished(() => homeserver.stop());
  await held.release();
  const sidecar = await startSidecar({
    server_name: serverName,
    inbound: {
      listen: `127.0.0.1:${inboundPort}`,
      upstream: `http://127.0.0.1:${homeserver.port}`,
      tls: { certificate: fixture(`${label}.pem`), private_key: fixture(`${label}.key`) },
      keys: {
        ca_file: fixture("ca.pem"),
        allow_networks: ["127.0.0.0/8"],
        resolver: `${surroundings.dns.resolver.host}:${surroundings.dns.resolver.port}`,
      },
    },
    ...sidecarWayOut(surroundings, outboundPort),
    whitelist: surroundings.whitelist,
    export: [{ otlp: { url: surroundings.jaeger.otlpUrl } }],
    admin: ADMIN,
  });
  return { homeserver, sidecar };
}

function synapseWayOut(wayOut: WayOut, outboundPort: number): Readonly<Record<string, unknown>> {
  switch (wayOut) {
    case "direct":
      return { federation_custom_ca_list: [fixture("ca.pem")] };
    case "federation-proxy":
      return {
        worker_replication_secret: SECRET,
        instance_map: { sidecar: { host: "127.0.0.1", port: outboundPort } },
        outbound_federation_restricted_to: ["sidecar"],
      };
    case "connect":
      return {
        https_proxy: `http://127.0.0.1:${outboundPort}`,
        federation_custom_ca_list: [fixture("intercept-ca.pem")],
      };
  }
}

function sidecarWayOut({ wayOut, dns }: Surroundings, port: number): ConfigDocument {
  if (wayOut === "direct") return {};
  const outbound = {
    listen: `127.0.0.1:${port}`,
    ca_file: fixture("ca.pem"),
    allow_networks: ["127.0.0.0/8"],
    resolver: `${dns.resolver.host}:${dns.resolver.port}`,
  };
  const authority = {
    ca_certificate: fixture("intercept-ca.pem"),
    ca_private_key: fixture("intercept-ca.key"),
  };
  return {
    outbound:
      wayOut === "connect" ? { ...outbound, intercept: authority } : { ...outbound, shared_secret: SECRET },
  };
}
