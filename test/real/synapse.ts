/**
 * A real Synapse in a process of its own: sqlite in a temporary directory, on 127.0.0.1, with no limits that a test
 * would run into. synapse-python.ts says where the program comes from; synapse-client.ts speaks to it.
 *
 * Options: https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html
 * Not here: how one server finds another. A name that is an address with a port (`127.0.0.1:23456`) needs nothing.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "../support/poll.ts";
import { freePorts } from "./free-ports.ts";

/** A part of a homeserver.yaml, as it would be parsed. */
type YamlMapping = Readonly<Record<string, unknown>>;

export interface HomeserverOptions {
  /** findSynapse().path */
  readonly python: string;
  /** Its federation name, with the port where peers reach it. */
  readonly serverName: string;
  /** A second listener, with TLS, for peers that come without a sidecar between; the paths are PEM files. */
  readonly federationTls?: {
    readonly port: number;
    readonly certificate: string;
    readonly privateKey: string;
  };
  /** Jaeger's client in Synapse, every request sampled, compact Thrift over UDP to this port of loopback. */
  readonly tracing?: { readonly agentPort: number; readonly whitelist: readonly string[] };
  /** Off by default: presence would send EDUs of its own between what a test looks at. */
  readonly hasPresence?: boolean;
  /** Goes over all of the above, key by key. */
  readonly extra?: YamlMapping;
  /** A second config file, whose keys replace those of all the above. @param port where it must have Synapse listen in plain HTTP */
  readonly overlay?: (port: number) => string;
}

export interface Homeserver {
  readonly name: string;
  /** Plain HTTP, all APIs: what a sidecar's `inbound.upstream` names. */
  readonly port: number;
  /** For registering users (admin/v1/register). */
  readonly sharedSecret: string;
  /** All that it has logged and printed. */
  log(): string;
  /** Ends the process at once and removes its directory. */
  stop(): Promise<void>;
}

/** Measured 3 to 4 s, two at once on two cores; a busy machine takes its time. */
const START_DEADLINE_MS = 60_000;
/** Its port may be taken between the choice and the start. */
const STARTS_MAX = 3;
const SHARED_SECRET = "registers the test's users";
const LOG_SHOWN_MAX = 4000;

/** @throws Error with the end of its log, where it does not answer; nothing is left running */
export async function startHomeserver(options: HomeserverOptions): Promise<Homeserver> {
  let log = "";
  for (let start = 1; start <= STARTS_MAX; start++) {
    const attempt = await startOnce(options);
    if (typeof attempt !== "string") return attempt;
    log = attempt;
    if (!log.includes("Address already in use")) break;
  }
  throw new Error(`Synapse ${options.serverName} did not start, having said:\n${log.slice(-LOG_SHOWN_MAX)}`);
}

/** @returns its log where it didn't start */
async function startOnce(options: HomeserverOptions): Promise<Homeserver | string> {
  const [port = 0] = await freePorts(1);
  const directory = mkdtempSync(join(tmpdir(), "fedtrace-synapse-"));
  const configs = [JSON.stringify(homeserverConfig(options, directory, port))]; // JSON is YAML.
  if (options.overlay !== undefined) configs.push(options.overlay(port));
  for (const [index, config] of configs.entries()) writeFileSync(join(directory, `${index}.yaml`), config);
  const logPath = join(directory, "homeserver.log");
  const args = configs.flatMap((_, index) => ["--config-path", `${index}.yaml`]);
  const child = spawnSynapse(options.python, args, { directory, logPath });
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true;
      resolve();
    };
    child.once("error", end); // It can't be executed.
    child.once("close", end);
  });

  let lastLog: string | undefined;
  const log = (): string => lastLog ?? readFileSync(logPath, "utf8");
  async function stop(): Promise<void> {
    child.kill("SIGKILL"); // What it has is thrown away with the directory.
    await ended;
    lastLog ??= readFileSync(logPath, "utf8"); // What a test that failed may still ask for.
    rmSync(directory, { recursive: true, force: true });
  }
  const isUp = await poll(async () => {
    if (isOver) return false;
    const answer = await fetch(`http://127.0.0.1:${port}/_matrix/client/versions`).catch(() => undefined);
    return answer?.ok === true ? true : undefined;
  }, START_DEADLINE_MS);
  if (isUp === true) return { name: options.serverName, port, sharedSecret: SHARED_SECRET, log, stop };
  await stop();
  return log();
}

function spawnSynapse(
  python: string,
  args: readonly string[],
  { directory, logPath }: { readonly directory: string; readonly logPath: string },
): ChildProcess {
  // Synapse would take the tester's https_proxy for federation, which here never leaves loopback.
  const kept = Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name));
  const log = openSync(logPath, "a");
  try {
    return spawn(python, ["-m", "synapse.app.homeserver", ...args], {
      // A path that the config leaves to Synapse counts from here.
      cwd: directory,
      env: Object.fromEntries(kept),
      stdio: ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
}

function homeserverConfig(options: HomeserverOptions, directory: string, port: number): YamlMapping {
  const { serverName, federationTls, tracing, hasPresence = false, extra = {} } = options;
  const resources = [{ names: ["client", "federation", "media", "keys"] }];
  const listener = { bind_addresses: ["127.0.0.1"], type: "http", resources };
  const tlsListeners =
    federationTls === undefined ? [] : [{ ...listener, port: federationTls.port, tls: true }];
  return {
    server_name: serverName,
    report_stats: false,
    pid_file: join(directory, "homeserver.pid"),
    listeners: [{ ...listener, port, tls: false, x_forwarded: true }, ...tlsListeners],
    ...(federationTls === undefined
      ? {}
      : { tls_certificate_path: federationTls.certificate, tls_private_key_path: federationTls.privateKey }),
    database: { name: "sqlite3", args: { database: join(directory, "homeserver.db") } },
    media_store_path: join(directory, "media"),
    ...keys(),
    registration_shared_secret: SHARED_SECRET,
    enable_registration: false,
    // The other server is on loopback, which both lists refuse by default.
    ip_range_blacklist: [],
    federation_ip_range_blacklist: [],
    presence: { enabled: hasPresence },
    ...NO_LIMITS,
    ...(tracing === undefined ? {} : { opentracing: tracingConfig(tracing) }),
    ...extra,
  };
}

/** Made here rather than by `--generate-keys`, which is one more start of Python; nobody else is asked for keys. */
function keys(): YamlMapping {
  const secret = (): string => randomBytes(32).toString("base64").replace(/=+$/, "");
  return {
    signing_key: `ed25519 a_${randomBytes(3).toString("hex")} ${secret()}`,
    macaroon_secret_key: secret(),
    form_secret: secret(),
    trusted_key_servers: [],
    suppress_key_server_warning: true,
  };
}

function tracingConfig(tracing: NonNullable<HomeserverOptions["tracing"]>): YamlMapping {
  return {
    enabled: true,
    homeserver_whitelist: tracing.whitelist,
    jaeger_config: {
      sampler: { type: "const", param: 1 },
      local_agent: { reporting_host: "127.0.0.1", reporting_port: tracing.agentPort },
      logging: false,
      // By default it holds 100 spans and drops the rest, and sends once a second; a run of the scenario makes thousands.
      reporter_queue_size: 100_000,
      reporter_flush_interval: 0.1,
    },
  };
}

const UNLIMITED = { per_second: 100_000, burst_count: 100_000 };

/** bcrypt's least cost beside them: each password would take a quarter of a second. */
const NO_LIMITS: YamlMapping = {
  bcrypt_rounds: 4,
  rc_message: UNLIMITED,
  rc_registration: UNLIMITED,
  rc_login: { address: UNLIMITED, account: UNLIMITED, failed_attempts: UNLIMITED },
  rc_joins: { local: UNLIMITED, remote: UNLIMITED },
  rc_joins_per_room: UNLIMITED,
  rc_invites: { per_room: UNLIMITED, per_user: UNLIMITED, per_issuer: UNLIMITED },
  rc_media_create: UNLIMITED,
  rc_room_creation: UNLIMITED,
  rc_federation: {
    window_size: 1000,
    sleep_limit: 100_000,
    sleep_delay: 1,
    reject_limit: 100_000,
    concurrent: 100,
  },
  federation_rr_transactions_per_room_per_second: 100_000,
  remote_media_download_per_second: "1G",
};
