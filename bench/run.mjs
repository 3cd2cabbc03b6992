/**
 * Question: what does a proxied request cost in CPU, traced and not, against the proxies that people would use instead;
 *           what does a start cost; how much memory is resident under load?
 * Decision it feeds: the product is worth its own HTTP/1.1 path only while a traced request costs at most 0.40 of
 *           Envoy's with OpenTelemetry and of http-proxy's untraced, starts within 1.6 of a bare server's time, and
 *           stays under 100 MB.
 * Input:    two captured Matrix requests in 256 forms (load/captured.mjs), 32 kept connections, warm pools, 127.0.0.1 only.
 * Method:   every proxy is a process of its own on one core, checked first (load/check.mjs); rounds A B C A B C …;
 *           user and system time of all its threads from /proc over a fixed number of requests; ratios within a round.
 *           What an exporter sends later than that (up to one batch) is in the next round's number.
 * Run:      npm run bench [-- --quick] [--rounds N] [--requests N] [--json FILE] [--only TEXT] [--install]
 * Last:     see bench/RESULTS.md. A missed bar is printed; the exit status is 0 all the same: this is no test.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CPU_BARS, fedtrace, install, listContestants, SUBJECT } from "./contestants.mjs";
import { CAPTURED } from "./load/captured.mjs";
import { findFaults } from "./load/check.mjs";
import {
  ask,
  canPin,
  cpuMs,
  createProcesses,
  memory,
  PROXY_CORE,
  untilListening,
} from "./load/processes.mjs";
import { timeStart } from "./load/start-up.mjs";
import { barLine, cpuTable, median, pairedRatios } from "./load/report.mjs";

const CONNECTIONS = 32;
/** Until the compilers of Node and Go's heap have settled; later rounds only fill the pools again. */
const FIRST_WARM_UP = 15_000;
const WARM_UP = 2000;
const START_UP_BAR = 1.6;
const MEMORY_BAR_MB = 100;
const RUNGS = Object.keys(CAPTURED);

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    requests: { type: "string" },
    json: { type: "string" },
    only: { type: "string" },
    install: { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 2 : 5));
const requests = Number(flags.requests ?? (flags.quick ? 6000 : 20_000));
const starts = flags.quick ? 5 : 15;

const isPinned = canPin();
const processes = createProcesses(isPinned);
const folder = mkdtempSync(join(tmpdir(), "fedtrace-bench-"));
process.on("exit", () => {
  processes.endAll();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Ports that nobody listens on now; they are taken a moment later. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise((resolve) => void server.listen(0, "127.0.0.1", () => resolve(server.address().port))),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => void server.close(resolve))));
  return ports;
}

async function startPeers() {
  const [upstream, sink, loader] = await Promise.all(
    ["upstream", "sink", "loader"].map((name) => processes.startPeer(`bench/load/${name}.mjs`)),
  );
  return {
    upstream: upstream.hello.port,
    sink: sink.hello.port,
    sinkProcess: sink.child,
    loader: loader.child,
  };
}

async function takePlace(peers, name) {
  const [listen, admin] = await freePorts(2);
  return {
    listen,
    admin,
    upstream: peers.upstream,
    sink: peers.sink,
    folder: join(folder, name.replace(/\W+/g, "-")),
  };
}

/** Starts a contestant and checks it. @returns the entry for the rounds, or undefined with the reason printed */
async function enter(contestant, peers) {
  const { name, missing, isTraced, spanPath } = contestant;
  if (missing !== undefined) return say(`  ${name}: ${missing}`);
  const place = await takePlace(peers, name);
  const { command, env } = contestant.prepare(place);
  const child = processes.start(command, { core: PROXY_CORE, env });
  const countSpans = async () => (await ask(peers.sinkProcess, { count: true }))[spanPath] ?? 0;
  try {
    await untilListening(child, place.listen);
    const faults = await findFaults(contestant, place.listen, countSpans);
    if (faults.length > 0) throw new Error(faults.join("; "));
  } catch (error) {
    child.kill("SIGKILL");
    return say(`  ${name}: left out, ${error.message}\n${child.lastWords.trim()}`.trimEnd());
  }
  say(`  ${name}: checked${isTraced ? ", context and spans arrive" : ""}`);
  return { name, isTraced, spanPath, child, port: place.listen, isWarm: new Set(), sent: 0 };
}

/** One contestant, one rung, one round. */
async function measure(entry, rung, loader) {
  await ask(loader, { open: entry.port, connections: CONNECTIONS });
  const warmUp = entry.isWarm.has(rung) ? WARM_UP : FIRST_WARM_UP;
  entry.isWarm.add(rung);
  await ask(loader, { run: rung, requests: warmUp });
  const beforeMs = cpuMs(entry.child.pid);
  const { wallMs } = await ask(loader, { run: rung, requests });
  const spentMs = cpuMs(entry.child.pid) - beforeMs;
  const { rssMb, peakMb } = memory(entry.child.pid);
  await ask(loader, { close: true });
  entry.sent += warmUp + requests;
  return {
    cpuUs: (spentMs * 1000) / requests,
    busy: spentMs / wallMs,
    perSecond: (requests * 1000) / wallMs,
    rssMb,
    peakMb,
  };
}

async function runRounds(entries, peers) {
  const samples = [];
  const spans = {};
  const collect = async () => {
    for (const [path, count] of Object.entries(await ask(peers.sinkProcess, { count: true }))) {
      spans[path] = (spans[path] ?? 0) + count;
    }
  };
  for (let round = 1; round <= rounds; round++) {
    for (const rung of RUNGS) {
      for (const entry of entries) {
        samples.push({ name: entry.name, rung, round, ...(await measure(entry, rung, peers.loader)) });
        await collect(); // Between two measurements, so that decoding costs none of them.
      }
    }
    say(`  round ${round} of ${rounds} done`);
  }
  const exported = entries
    .filter(({ isTraced }) => isTraced)
    .map(({ name, spanPath, sent }) => ({ name, share: (spans[spanPath] ?? 0) / sent }));
  return { samples, exported };
}

async function timeStarts(peers) {
  const place = await takePlace(peers, "start-up");
  const { command } = fedtrace(1)(place);
  const bare = [process.execPath, "bench/proxies/bare-server.mjs"];
  const pairs = [];
  for (let run = 0; run < starts; run++) {
    const bareMs = await timeStart(processes, bare);
    const fedtraceMs = await timeStart(processes, command);
    pairs.push({ bareMs, fedtraceMs, ratio: fedtraceMs / bareMs });
  }
  return pairs;
}

function commit() {
  try {
    const git = (...parameters) => execFileSync("git", parameters, { encoding: "utf8" }).trim();
    const isDirty = git("status", "--porcelain", "--", "src", "build.mjs") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${isDirty ? " + changes" : ""}`;
  } catch {
    return "unknown";
  }
}

function listBars(samples, pairs) {
  const cpu = CPU_BARS.flatMap(({ against, atMost }) =>
    RUNGS.map((rung) => {
      const ratios = pairedRatios(samples, rung, SUBJECT, against);
      const value = ratios.length === 0 ? undefined : median(ratios);
      return { what: `CPU, ${CAPTURED[rung].label}: ${SUBJECT} ÷ ${against}`, value, atMost };
    }),
  );
  const own = samples.filter(({ name }) => name === SUBJECT);
  const highest = (key) => (own.length === 0 ? undefined : Math.max(...own.map((sample) => sample[key])));
  return [
    ...cpu,
    {
      what: "start to ready ÷ bare node:http server",
      value: median(pairs.map(({ ratio }) => ratio)),
      atMost: START_UP_BAR,
    },
    { what: "resident under load", value: highest("rssMb"), atMost: MEMORY_BAR_MB, unit: " MB" },
    { what: "resident at its highest", value: highest("peakMb"), atMost: MEMORY_BAR_MB, unit: " MB" },
  ];
}

async function main() {
  if (flags.install) install();
  const machine = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    node: process.version,
    commit: commit(),
  };
  say(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, commit ${machine.commit}`);
  say(
    isPinned
      ? "pinned: the proxy on core 0; load, upstream and collector on core 1"
      : "not pinned: no taskset or no second core, so proxies with several threads may use several cores",
  );
  const peers = await startPeers();

  say("\nstart-up");
  const pairs = await timeStarts(peers);
  const milliseconds = (key) => median(pairs.map((pair) => pair[key])).toFixed(0);
  say(
    `  fedtrace ${milliseconds("fedtraceMs")} ms, bare ${milliseconds("bareMs")} ms, median of ${starts} each`,
  );

  say("\ncheck");
  const contestants = listContestants().filter(
    ({ name }) => name === SUBJECT || name.includes(flags.only ?? ""),
  );
  const entries = [];
  for (const contestant of contestants) {
    const entry = await enter(contestant, peers);
    if (entry !== undefined) entries.push(entry);
  }
  // Without it there is no ratio and no bar: the rounds would say nothing.
  if (entries.every(({ name }) => name !== SUBJECT)) throw new Error(`${SUBJECT} is left out`);

  say(`\nload: ${rounds} rounds of ${requests} requests, ${CONNECTIONS} connections`);
  const { samples, exported } = await runRounds(entries, peers);
  for (const rung of RUNGS) say(`\n${cpuTable(samples, rung, SUBJECT, contestants)}`);
  say("spans that reached the collector, of all requests");
  for (const { name, share } of exported) say(`  ${name}: ${(share * 100).toFixed(1)} %`);

  const bars = listBars(samples, pairs);
  say("\nbars");
  for (const bar of bars) say(barLine(bar));
  if (flags.json !== undefined) {
    const date = new Date().toISOString();
    writeFileSync(
      flags.json,
      `${JSON.stringify({ date, machine, isPinned, samples, exported, pairs, bars }, null, 2)}\n`,
    );
    say(`\nraw results: ${flags.json}`);
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`bench: ${error.stack}\n`);
  process.exit(1);
}
