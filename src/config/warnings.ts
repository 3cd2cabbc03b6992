/**
 * What is legal but deserves a word at the start: a name that proves nothing, an open proxy, an option without
 * effect. What is doubtful about a pattern is asked of peer/pattern-lint.ts, through load.ts.
 */

import type { Finding } from "./fault.ts";
import type { Config } from "./merge.ts";
import { UNIX_CLIENTS } from "./schema-proxies.ts";
import { PROOF_WORDS } from "./schema-whitelist.ts";

/** Of a whole, valid config. Each rule gives at most one warning a place. */
export function findWarnings(config: Config): Finding[] {
  return [
    claimedName(config),
    noNetworks(config),
    openProxy(config),
    trustedEverybody(config),
    trustedNobody(config),
    loopbackNetworks(config),
    ...doubtfulExports(config),
    ...doubtfulSampling(config),
    openReports(config),
    crowdedMetrics(config),
  ].filter((finding) => finding !== undefined);
}

function openReports({ usageReport }: Config): Finding | undefined {
  const { isEnabled, endpoint } = usageReport;
  if (!isEnabled || endpoint === undefined) return undefined;
  const { protocol, hostname } = new URL(endpoint);
  if (protocol === "https:" || isLoopback(hostname.replace(/^\[(.*)\]$/, "$1"))) return undefined;
  return {
    path: ["usage_report", "endpoint"],
    message: "is http:// and not on this machine: whoever is on the way can read and change the reports",
  };
}

/** Of a scrape's text, for each value that a label shows: what a peer takes both ways, and its part of the shares (metrics/label-bounds.ts). */
const BYTES_PER_VALUE = 48 * 1024;

function crowdedMetrics({ metrics }: Config): Finding | undefined {
  const { isEnabled, top, bytesMax } = metrics;
  if (!isEnabled || top * BYTES_PER_VALUE <= bytesMax) return undefined;
  return {
    path: ["metrics", "top"],
    message: `is more than metrics.size has room for: each busy peer wants some 48KiB of it, which is ${Math.floor(bytesMax / BYTES_PER_VALUE)} peers; the others are counted as other`,
  };
}

function claimedName({ inbound, whitelist }: Config): Finding | undefined {
  if (inbound?.authenticate !== "claimed" || whitelist.length === 0) return undefined;
  return {
    path: ["inbound", "authenticate"],
    message:
      "is claimed, so a peer's name is only what it says: anyone can borrow a whitelisted name; signature, mtls and network ask for proof",
  };
}

function noNetworks({ inbound, whitelist }: Config): Finding | undefined {
  if (inbound?.authenticate !== "network" || whitelist.length === 0) return undefined;
  if (Object.keys(inbound.networks).length > 0) return undefined;
  return {
    path: ["inbound", "authenticate"],
    message:
      "is network while inbound.networks is empty: only a client certificate or a signature can prove a name",
  };
}

/** Only for addresses: what a name stands for is known when it is bound. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.[\d.]+$/.test(host);
}

function openProxy({ outbound }: Config): Finding | undefined {
  if (outbound === undefined || outbound.sharedSecret !== undefined) return undefined;
  if ("path" in outbound.listen) return undefined; // The directory's owner says who may reach it.
  if (isLoopback(outbound.listen.host)) return undefined;
  return {
    path: ["outbound", "listen"],
    message:
      "is not a loopback address and there is no outbound.shared_secret: whoever reaches it can send through it",
  };
}

function trustedEverybody({ inbound }: Config): Finding | undefined {
  const index = inbound?.trustedProxies.findIndex((entry) => entry.endsWith("/0")) ?? -1;
  if (index === -1) return undefined;
  return {
    path: ["inbound", "trusted_proxies", index],
    message: "is every address: whoever connects can speak for any client; list the proxies alone",
  };
}

/** On a unix socket no client has an address, and elsewhere all have one. */
function trustedNobody({ inbound }: Config): Finding | undefined {
  if (inbound === undefined || inbound.trustedProxies.length === 0) return undefined;
  const isSocket = "path" in inbound.listen;
  const hasSocket = inbound.trustedProxies.includes(UNIX_CLIENTS);
  if (isSocket && !hasSocket) {
    return {
      path: ["inbound", "trusted_proxies"],
      message:
        "has no unix:, and inbound.listen is a unix socket, whose clients have no address: none is trusted",
    };
  }
  if (isSocket || !hasSocket) return undefined;
  return {
    path: ["inbound", "trusted_proxies", inbound.trustedProxies.indexOf(UNIX_CLIENTS)],
    message: "stands for clients of a unix socket, which inbound.listen is not: it trusts nobody",
  };
}

function loopbackNetworks({ inbound }: Config): Finding | undefined {
  if (inbound === undefined || inbound.trustedProxies.length > 0) return undefined;
  if (Object.keys(inbound.networks).length === 0) return undefined;
  if (!("path" in inbound.listen) && !isLoopback(inbound.listen.host)) return undefined;
  return {
    path: ["inbound", "networks"],
    message:
      "is used behind a listener that only this machine reaches, while inbound.trusted_proxies is empty: every client has the address of what stands in front",
  };
}

function doubtfulSampling({ sampling }: Config): Finding[] {
  const { type, param, operations, peers, lowerBound, maxPerSecond, remote, tail } = sampling;
  const findings: Finding[] = [];
  const doubt = (key: string, message: string): void =>
    void findings.push({ path: ["sampling", key], message });
  const isAll = type === "const" && param === 1 && operations.length + peers.length === 0;
  if (tail !== undefined && isAll && maxPerSecond === undefined) {
    doubt("tail", "holds next to nothing: const 1 records all");
  }
  if (maxPerSecond !== undefined && lowerBound > maxPerSecond) {
    doubt(
      "lower_bound",
      `is more for one operation than max_per_second, ${maxPerSecond}, is for all of them`,
    );
  }
  if (type === "probabilistic" && param > 0 && param < PROBABILITY_MIN) {
    doubt("param", "is so small that nothing is sampled");
  }
  if (remote !== undefined && remote.maxProbability === 0 && remote.maxPerSecond === 0) {
    doubt("remote", "lets no strategy sample anything: max_probability and max_per_second are 0");
  }
  return findings;
}

/** Half of what 56 bits can tell (sampling/threshold.ts). */
const PROBABILITY_MIN = 2 ** -57;

/** Something about one entry of the whitelist, wherever it stands. */
export interface EntryDoubt {
  /** In the whole list, the entries of `whitelist_file` behind the others. */
  readonly index: number;
  /** The key that it is about; without one, the pattern. */
  readonly key?: string;
  readonly message: string;
}

/** What an entry says beside its pattern and to no effect. */
export function findEntryWarnings({ inbound, whitelist }: Config): EntryDoubt[] {
  const doubts: EntryDoubt[] = [];
  for (const [index, { sampling, forcedPerSecond, authenticate }] of whitelist.entries()) {
    if (sampling === "trust" && forcedPerSecond === 0) {
      const message = "is 0, so sampling: trust is the same as accept";
      doubts.push({ index, key: "forced_per_second", message });
    }
    const message = authenticate && inbound && uselessProof(authenticate, inbound);
    if (message !== undefined) doubts.push({ index, key: "authenticate", message });
  }
  return doubts;
}

type Proof = NonNullable<Config["inbound"]>["authenticate"];

function uselessProof(
  asked: Proof,
  { authenticate, tls }: NonNullable<Config["inbound"]>,
): string | undefined {
  if (PROOF_WORDS.indexOf(asked) > PROOF_WORDS.indexOf(authenticate)) {
    return `is ${asked} and has no effect: inbound.authenticate asks for more, ${authenticate}`;
  }
  if (asked === "mtls" && authenticate !== "mtls" && tls?.clientCaFile === undefined) {
    return "is mtls without inbound.tls.client_ca: only a signature can prove its name";
  }
  return undefined;
}

/** Where each of Jaeger's ports takes one encoding, the other vanishes without an error. */
const AGENT_PORTS: Readonly<Record<number, "compact" | "binary">> = { 6831: "compact", 6832: "binary" };

function doubtfulExports({ exports }: Config): Finding[] {
  return exports.flatMap((item, index): Finding[] => {
    if (item.kind === "otlp" && item.protocol === "grpc" && /^https?:\/\/[^/?#]*\/./i.test(item.url)) {
      const message =
        "has a path, which grpc doesn't use: /v1/traces, and port 4318 of most collectors, are for http/protobuf";
      return [{ path: ["export", index, "otlp", "url"], message }];
    }
    if (item.kind !== "jaeger" || item.agent === undefined) return [];
    const taken = AGENT_PORTS[item.agent.port];
    if (taken === undefined || taken === item.protocol) return [];
    const message = `is ${item.protocol}, while Jaeger takes ${taken} on port ${item.agent.port}: spans vanish without an error`;
    return [{ path: ["export", index, "jaeger", "protocol"], message }];
  });
}
