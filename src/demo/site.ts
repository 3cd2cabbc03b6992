/** A site of the demo: a small server and the sidecar in front of it and behind it, in this process. */

import type { AddressInfo } from "node:net";
import { type Sidecar, startSidecar } from "../app.ts";
import type { FetchServerKeys } from "../app-proof.ts";
import { type Config, mergeConfig } from "../config/merge.ts";
import { readOtelEnvironment } from "../config/otel-environment.ts";
import { checkSchema } from "../config/schema.ts";
import { createSystemClock } from "../core/clock.ts";
import { FedtraceError } from "../core/errors.ts";
import { createLog } from "../core/log.ts";
import { createRandom } from "../core/random.ts";
import { createNamedDns } from "../discovery/named-dns.ts";
import type { SpanSink } from "../span/record.ts";
import { startHomeserver } from "./homeserver.ts";
import { type Member, UNREACHABLE } from "./traffic.ts";

/** Where a sidecar's admin listener usually is; another port where somebody else has it. */
const ADMIN_PORT = 9470;
/** Where collectors and Jaeger take OTLP over HTTP. */
export const OTLP_PORT = 4318;

export interface Site extends Member {
  readonly sidecar: Sidecar;
  readonly outboundPort: number;
  /** Of the trace page; undefined where there is none. */
  readonly adminAddress: string | undefined;
}

interface SiteOptions {
  /** What a server of the demo publishes; they have no TLS, so it is not fetched from where a Matrix server's is. */
  readonly keysOf: FetchServerKeys;
  readonly host: string;
  readonly spans: SpanSink;
  readonly isCollected: boolean;
  /** Undefined: no admin listener. */
  readonly adminPort: number | undefined;
  readonly pageDirectory: string;
}

/** The one with the page, if there is to be one. Rejects as startSite does. */
export async function startFirstSite(
  options: Omit<SiteOptions, "adminPort">,
  hasPage: boolean,
): Promise<Site> {
  if (!hasPage) return startSite({ ...options, adminPort: undefined });
  try {
    return await startSite({ ...options, adminPort: ADMIN_PORT });
  } catch (error) {
    if (!(error instanceof FedtraceError) || error.code !== "LISTEN_FAILED") throw error;
    return startSite({ ...options, adminPort: 0 }); // Another demo or a sidecar has it.
  }
}

/** All names of the demo are this machine, but one. */
function resolveDemoName(name: string): Promise<readonly string[]> {
  return name.endsWith(".demo") && !UNREACHABLE.startsWith(name)
    ? Promise.resolve(["127.0.0.1"])
    : Promise.reject(new Error(name));
}

/** Rejects with FedtraceError where a listener can't be had; nothing is left running. */
export async function startSite(options: SiteOptions): Promise<Site> {
  const homeserver = await startHomeserver();
  const addresses = new Map<string, string>();
  const name = `${options.host}:${await findFreePort()}`;
  const starting = startSidecar(demoConfig(name, options, homeserver.port), {
    clock: createSystemClock(),
    random: createRandom(),
    log: createLog("error"), // What fails here fails on purpose, and the page shows it.
    resolve: resolveDemoName,
    dns: createNamedDns(resolveDemoName),
    fetchServerKeys: options.keysOf,
    spans: options.spans,
    pageDirectory: options.pageDirectory,
    onListening: (listener, address) => void addresses.set(listener, address),
  });
  let sidecar: Sidecar;
  try {
    sidecar = await starting;
  } catch (error) {
    homeserver.stop();
    throw error;
  }
  return {
    name,
    homeserver,
    sidecar,
    outboundPort: Number(/\d+$/.exec(addresses.get("outbound") ?? "")?.[0]),
    adminAddress: addresses.get("admin"),
  };
}

/** A server's name is what requests to it are signed for, so its port must be known before anybody listens there. */
async function findFreePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** The file a user would write, in the form that a file is parsed to. */
function demoConfig(
  name: string,
  { isCollected, adminPort }: Pick<SiteOptions, "isCollected" | "adminPort">,
  upstreamPort: number,
): Config {
  const checked = checkSchema({
    server_name: name,
    inbound: { listen: `127.0.0.1:${name.split(":")[1]}`, upstream: `http://127.0.0.1:${upstreamPort}` },
    outbound: { listen: "127.0.0.1:0", allow_networks: ["127.0.0.0/8"] },
    whitelist: ["(one|two)\\.demo", { glob: "careless.demo" }],
    sampling: { type: "const", param: 1 },
    export: isCollected ? [{ otlp: { url: `http://127.0.0.1:${OTLP_PORT}/v1/traces` } }] : [],
    ...(adminPort === undefined ? {} : { admin: { listen: `127.0.0.1:${adminPort}` } }),
  });
  if ("findings" in checked) {
    throw new FedtraceError("CONFIG_INVALID", checked.findings.map(({ message }) => message).join("; "));
  }
  return mergeConfig(checked.file, readOtelEnvironment({}));
}
