#!/usr/bin/env node
/**
 * The command line. The only file that reads argv, writes to standard output, hears signals and sets the exit
 * status. All commands are in one file: a start takes longer to open a second one than to pass over what it does not run.
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkCommand } from "./commands/check.ts";
import { debugPassCommand, parseDebugPass } from "./commands/debug-pass.ts";
import { decideCommand } from "./commands/decide.ts";
import { demoServerCommand, parseDemoServer } from "./commands/demo-server.ts";
import { openDialogue, type TerminalDialogue } from "./commands/init-dialogue.ts";
import { initCommand } from "./commands/init.ts";
import { EXIT, type ExitStatus, type Output } from "./commands/output.ts";
import { reportCommand } from "./commands/report.ts";
import { runCommand, type Signals } from "./commands/run.ts";
import { type PrimaryChannel, workerCommand } from "./commands/worker.ts";
import { parseHostPort, parseUpstream } from "./config/addresses.ts";
import { environmentVariable } from "./config/load.ts";
import { parseDuration } from "./config/quantities.ts";
import { VERSION } from "./core/version.ts";
import { demoCommand } from "./demo/demo.ts";

const USAGE = `usage: fedtrace COMMAND

  run --config FILE                                    runs the sidecar
  check --config FILE                                  tells everything that is wrong or doubtful in a config
  decide --config FILE --direction in|out --host NAME  says whether a host is whitelisted, and why
  debug-pass --peer NAME [--ttl 10m] [--count 20] [--config FILE]
                                                       prints a token: that peer's requests are traced, so many traces
  report --config FILE                                 prints the usage report that would be sent, and sends nothing
  init [--from-synapse homeserver.yaml]                prints a commented config; on a terminal it asks first
  ca init [--out DIR] [--permit NAME]... [--name TEXT] [--days N]
                                                       makes an authority for looking into tunnels: ca.pem and ca.key
  demo [--requests N]                                  two federating servers and their sidecars, in this process
  demo-server --name NAME --listen ADDR --proxy ADDR [--send-to NAME [--every 1s]]
                                                       the demo's small server alone, for trying a deployment
  loadgen [--to URL] [--via URL --via-to HOST:PORT] [--rate 20] [--for 30s] [--requests N] [--peers 20] [--seed N]
          [--trace none|some|all] [--remote] [--json]  federation traffic as captured, to a sidecar on this machine:
                                                       at most 1000 a second, for 1h, 1000000 requests, 10000 peers
  collect --listen ADDR --database FILE|postgres://... [--path PATH]... [--token-file FILE] [--retention 400d]
          [--trusted-proxy CIDR]... [--address-rate 1] [--address-burst 600] [--instance-rate 6] [--instance-burst 60]
                                                       receives usage reports of many servers, keeps and shows them; also
                                                       FEDTRACE_COLLECT_DATABASE, FEDTRACE_COLLECT_TOKEN; rates are a
                                                       second for an address, a minute for a server; kept 1d to 3650d
  --version, --help
`;

const OPTIONS = {
  config: { type: "string" },
  direction: { type: "string" },
  host: { type: "string" },
  peer: { type: "string" },
  ttl: { type: "string" },
  count: { type: "string" },
  "from-synapse": { type: "string" },
  requests: { type: "string" },
  name: { type: "string" },
  listen: { type: "string" },
  proxy: { type: "string" },
  "send-to": { type: "string" },
  every: { type: "string" },
  out: { type: "string" },
  permit: { type: "string", multiple: true },
  days: { type: "string" },
  to: { type: "string" },
  via: { type: "string" },
  "via-to": { type: "string" },
  rate: { type: "string" },
  for: { type: "string" },
  peers: { type: "string" },
  seed: { type: "string" },
  trace: { type: "string" },
  remote: { type: "boolean" },
  json: { type: "boolean" },
  database: { type: "string" },
  path: { type: "string", multiple: true },
  "token-file": { type: "string" },
  retention: { type: "string" },
  "trusted-proxy": { type: "string", multiple: true },
  "address-rate": { type: "string" },
  "address-burst": { type: "string" },
  "instance-rate": { type: "string" },
  "instance-burst": { type: "string" },
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Where `debug-pass` finds the config unless told: what it is given for is an operator in a hurry. */
const CONFIG_DEFAULT = "fedtrace.yaml";

type Values = { readonly [K in keyof typeof OPTIONS]?: string | boolean | string[] | undefined };

// Whoever reads our lines may stop (`fedtrace run | head`); the sidecar goes on.
process.stdout.on("error", () => undefined);
process.stderr.on("error", () => undefined);

const output: Output = {
  line: (text) => void process.stdout.write(`${text}\n`),
  errorLine: (text) => void process.stderr.write(`${text}\n`),
};

/** Beside dist/, in the repository, the package and the image. */
const SCHEMA_PATH = fileURLToPath(new URL("../fedtrace.schema.json", import.meta.url));

/** The build puts the page beside this file. */
const pageDirectory = fileURLToPath(new URL("page/", import.meta.url));

/** And the collector's. */
const collectPageDirectory = fileURLToPath(new URL("collect-page/", import.meta.url));

/** This file, for processes that `run` starts. */
const programPath = fileURLToPath(import.meta.url);

/** What a command line can't be read as; told with the usage, exit status 2. */
class UsageError extends Error {}

function signals(): Signals {
  return {
    stop: new Promise((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, resolve);
    }),
    onReload: (reload) => void process.on("SIGHUP", reload),
  };
}

/** A worker hears the primary's word alone: Ctrl-C and a stopping service send signals to all processes at once. */
function primaryChannel(): PrimaryChannel {
  if (process.send === undefined)
    throw new UsageError("worker is started by run, where the config has workers");
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
  return {
    send: (message, onSent) => void process.send?.(message, undefined, undefined, onSent),
    onMessage: (listen) => void process.on("message", listen),
    onGone: (listen) => void process.on("disconnect", listen),
    close() {
      if (process.connected) process.disconnect();
    },
  };
}

/** Somebody at the keyboard. Questions go to standard error: standard output is the config. */
function terminal(): (() => Promise<TerminalDialogue>) | undefined {
  if (!process.stdin.isTTY) return undefined;
  return () => openDialogue(process.stdin, process.stderr);
}

function textOf(values: Values, name: keyof typeof OPTIONS): string {
  const value = values[name];
  if (typeof value !== "string" || value === "") throw new UsageError(`--${name} is needed`);
  return value;
}

/** An option that may be left out, but not empty. */
function textIfGiven(values: Values, name: keyof typeof OPTIONS): string | undefined {
  return values[name] === undefined ? undefined : textOf(values, name);
}

/** As it stands, for a command that tells all that is wrong at once. */
function wordOf(values: Values, name: keyof typeof OPTIONS): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

function wordsOf(values: Values, name: keyof typeof OPTIONS): readonly string[] {
  const given = values[name];
  return Array.isArray(given) ? given : [];
}

/** By the words that name them. */
const COMMANDS: Readonly<Record<string, (values: Values) => Promise<ExitStatus>>> = {
  run: (values) =>
    runCommand(textOf(values, "config"), { output, signals: signals(), pageDirectory, programPath }),
  worker: () => workerCommand(primaryChannel(), pageDirectory),
  check: (values) => checkCommand(textOf(values, "config"), output),
  decide(values) {
    const direction = textOf(values, "direction");
    if (direction !== "in" && direction !== "out") throw new UsageError("--direction is in or out");
    const asked = { path: textOf(values, "config"), direction, host: textOf(values, "host") } as const;
    return decideCommand(asked, output);
  },
  "debug-pass"(values) {
    const parsed = parseDebugPass({
      peer: wordOf(values, "peer"),
      ttl: wordOf(values, "ttl"),
      count: wordOf(values, "count"),
    });
    if ("refused" in parsed) throw new UsageError(parsed.refused.join("\n"));
    return debugPassCommand(textIfGiven(values, "config") ?? CONFIG_DEFAULT, parsed.value, output);
  },
  report: (values) => reportCommand(textOf(values, "config"), output),
  init(values) {
    const fromSynapse = textIfGiven(values, "from-synapse");
    return initCommand({ fromSynapse, schemaPath: SCHEMA_PATH, openDialogue: terminal() }, output);
  },
  async "ca init"(values) {
    // A file of its own: certificates are nobody else's business at a start, and this runs once in a server's life.
    const { caInitCommand, parseCaInit } = await import("./commands/ca-init.ts");
    const parsed = parseCaInit({
      out: wordOf(values, "out"),
      permit: wordsOf(values, "permit"),
      name: wordOf(values, "name"),
      days: wordOf(values, "days"),
    });
    if ("refused" in parsed) throw new UsageError(parsed.refused.join("\n"));
    return caInitCommand(parsed.value, output);
  },
  "demo-server"(values) {
    const parsed = parseDemoServer({
      name: textOf(values, "name"),
      listen: textOf(values, "listen"),
      proxy: textOf(values, "proxy"),
      sendTo: textIfGiven(values, "send-to"),
      every: textIfGiven(values, "every"),
    });
    if ("refused" in parsed) throw new UsageError(parsed.refused);
    return demoServerCommand(parsed.value, output, signals());
  },
  async loadgen(values) {
    // As `ca init`, and it brings Node's own HTTP client.
    const { loadgenCommand, parseLoadgen } = await import("./commands/loadgen.ts");
    const parsed = parseLoadgen(
      {
        to: wordOf(values, "to"),
        via: wordOf(values, "via"),
        viaTo: wordOf(values, "via-to"),
        rate: wordOf(values, "rate"),
        for: wordOf(values, "for"),
        requests: wordOf(values, "requests"),
        peers: wordOf(values, "peers"),
        seed: wordOf(values, "seed"),
        trace: wordOf(values, "trace"),
        isRemote: values.remote === true,
        isJson: values.json === true,
        secret: environmentVariable("FEDTRACE_SECRET"),
      },
      { parseDuration, parseHostPort, parseUpstream },
    );
    if ("refused" in parsed) throw new UsageError(parsed.refused.join("\n"));
    return loadgenCommand(parsed.value, output, signals());
  },
  async collect(values) {
    // A program of its own (build.mjs): it brings Node's HTTP server and a database.
    const { collectCommand, parseCollect } = await import("./commands/collect.ts");
    const parsed = parseCollect({
      listen: wordOf(values, "listen"),
      database: wordOf(values, "database"),
      path: wordsOf(values, "path"),
      tokenFile: wordOf(values, "token-file"),
      retention: wordOf(values, "retention"),
      trustedProxy: wordsOf(values, "trusted-proxy"),
      addressRate: wordOf(values, "address-rate"),
      addressBurst: wordOf(values, "address-burst"),
      instanceRate: wordOf(values, "instance-rate"),
      instanceBurst: wordOf(values, "instance-burst"),
      databaseVariable: environmentVariable("FEDTRACE_COLLECT_DATABASE"),
      tokenVariable: environmentVariable("FEDTRACE_COLLECT_TOKEN"),
    });
    if ("refused" in parsed) throw new UsageError(parsed.refused.join("\n"));
    const tools = { output, signals: signals(), pageDirectory: collectPageDirectory };
    return collectCommand(parsed.value, tools);
  },
  demo(values) {
    const requests = values.requests === undefined ? undefined : Number(textOf(values, "requests"));
    if (requests !== undefined && !(Number.isInteger(requests) && requests >= 1 && requests <= 1_000_000)) {
      throw new UsageError("--requests is a whole number from 1 to 1000000");
    }
    return demoCommand(requests, { output, signals: signals(), pageDirectory, programPath });
  },
};

async function main(): Promise<ExitStatus> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.version === true) {
    output.line(VERSION);
    return EXIT.OK;
  }
  if (values.help === true) {
    output.line(USAGE);
    return EXIT.OK;
  }
  const name = positionals.join(" ");
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    throw new UsageError(name === "" ? "a command is needed" : `no such command: ${name}`);
  }
  return command(values);
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  output.errorLine(
    isUsage ? `${error.message}\n\n${USAGE}` : String(error instanceof Error ? error.stack : error),
  );
  process.exitCode = isUsage ? EXIT.BAD_CONFIG : EXIT.CANNOT_START;
}
