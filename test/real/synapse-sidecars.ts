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
import { type ConfigDocument, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { freePorts } from "./free-ports.ts";
import { federate, fixture, type ScenarioTimings } from "./homeserver-pair.ts";
import { type Jaeger, startJaeger } from "./jaeger.ts";
import { type Homeserver, startHomeserver } from "./synapse.ts";
import { createUser } from "./synapse-client.ts";
import { startTestDns, type TestDns } from "./test-dns.ts";
import { startTlsRecorder, type TlsRecorder } from "./tls-recorder.ts";

/**
 * How Synapse's requests get out:
 * `direct`: by themselves, no sidecar; `federation-proxy`: `outbound_federation_restricted_to`, in plain HTTP;
 * `connect`: `https_proxy`, TLS inside, which the sidecar looks into with an authority that Synapse trusts.
 */
export type WayOut = "direct" | "federation-proxy" | "connect";

interface PairOptions {
  readonly wayOut: WayOut;
  /** Of both sidecars, in their config's form. */
  readonly whitelist: readonly string[];
  /** findSynapse().path */
  readonly python: string;
  /** findJaeger() */
  readonly jaegerProgram: string;
  /** Whether Synapse makes spans of its own; it takes three times as long then. */
  readonly isSynapseTraced: boolean;
}

export interface TracedServer {
  readonly homeserver: Homeserver;
  readonly sidecar: SpawnedSidecar;
  readonly recorder: TlsRecorder;
}

interface TracedPair {
  readonly a: TracedServer;
  readonly b: TracedServer;
  readonly jaeger: Jaeger;
  readonly dns: TestDns;
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

const SECRET = "between-synapse-and-its-sidecar";

async function startPair(options: PairOptions): Promise<TracedPair> {
  let agentPort = 0;
  const jaeger = await startJaeger(options.jaegerProgram, ([compact = 0]) => {
    agentPort = compact;
    // Two servers in a join send more at once than the system's default buffer holds.
    const endpoint = { endpoint: `127.0.0.1:${compact}`, socket_buffer_size: 4_194_304 };
    return { jaeger: { protocols: { thrift_compact: endpoint } } };
  });
  onTestFinished(() => jaeger.stop());
  const dns = await startTestDns();
  onTestFinished(() => dns.stop());
  const shared = { ...options, jaeger, agentPort, dns };
  const [a, b] = await Promise.all([startServer("hs1", shared), startServer("hs2", shared)]);
  return { a, b, jaeger, dns };
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
  const timings = await federate(anna, bert, messages);
  expect(await Promise.all([a.sidecar.stop(), b.sidecar.stop()])).toEqual([0, 0]);
  return { ...pair, timings };
}

interface Shared extends PairOptions {
  readonly jaeger: Jaeger;
  readonly agentPort: number;
  readonly dns: TestDns;
}

async function startServer(label: "hs1" | "hs2", shared: Shared): Promise<TracedServer> {
  const files = { certificate: fixture(`${label}.pem`), privateKey: fixture(`${label}.key`) };
  const recorder = await startTlsRecorder({ ...files, ca: fixture("ca.pem") });
  onTestFinished(() => recorder.stop());
  // Nobody tells Synapse where a name is, so on its own it needs one that is an address.
  const serverName = `${shared.wayOut === "direct" ? "127.0.0.1" : `${label}.test`}:${recorder.port}`;
  const [outboundPort = 0] = await freePorts(1); // Synapse has to know it before the sidecar listens.
  const homeserver = await startHomeserver({
    python: shared.python,
    serverName,
    // As open as can be: what must not cross is the sidecar's to hold back.
    ...(shared.isSynapseTraced ? { tracing: { agentPort: shared.agentPort, whitelist: [".*"] } } : {}),
    extra: synapseWayOut(shared.wayOut, outboundPort),
  });
  onTestFinished(() => homeserver.stop());
  const sidecar = await startSidecar({
    server_name: serverName,
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${homeserver.port}`,
      tls: { certificate: files.certificate, private_key: files.privateKey },
    },
    ...sidecarWayOut(shared, outboundPort),
    whitelist: shared.whitelist,
    export: [{ otlp: { url: shared.jaeger.otlpUrl } }],
  });
  recorder.forwardTo(sidecar.port.inbound, `${label}.test`);
  return { homeserver, sidecar, recorder };
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

function sidecarWayOut({ wayOut, dns }: Shared, port: number): ConfigDocument {
  if (wayOut === "direct") return {};
  const outbound = {
    listen: `127.0.0.1:${port}`,
    ca_file: fixture("ca.pem"),
    allow_networks: ["127.0.0.0/8"],
    resolver: `127.0.0.1:${dns.port}`,
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
