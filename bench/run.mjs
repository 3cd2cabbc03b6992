/**
 * Question: what does a proxied request cost, traced and not, on each rung of a ladder, against the proxies that people would
 *           use instead? docs/performance.md explains each rung.
 * Decision it feeds: the product is worth its own HTTP/1.1 path only while it keeps the bars of bars.mjs.
 * Input:    two captured Matrix requests in 256 forms (load/captured.mjs), or bodies of 64 KiB and 8 MiB; 127.0.0.1 only.
 * Method:   every proxy is a process of its own on one core, checked first (load/check.mjs); rounds A B C A B C …;
 *           user and system time of all its threads from /proc over a fixed number of requests; ratios within a round.
 * Run:      npm run bench [-- --quick] [--rungs TEXT[,TEXT]] [--only TEXT] [--rounds N] [--requests N] [--soak N] [--json FILE]
 *           [--install]. A full run takes about 25 minutes, a quick one 3.
 * Last:     see bench/RESULTS.md. A missed bar is printed; the exit status is 0 all the same: this is no test.
 */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { install, listContestants } from "./contestants.mjs";
import { canPin } from "./load/processes.mjs";
import { barLine } from "./load/report.mjs";
import { allocation } from "./rungs/allocation.mjs";
import { bodies } from "./rungs/bodies.mjs";
import { connections } from "./rungs/connections.mjs";
import { latency } from "./rungs/latency.mjs";
import { profile } from "./rungs/profile.mjs";
import { requests } from "./rungs/requests.mjs";
import { soak } from "./rungs/soak.mjs";
import { start } from "./rungs/start.mjs";
import { tls } from "./rungs/tls.mjs";
import { tracing } from "./rungs/tracing.mjs";
import { workers } from "./rungs/workers.mjs";
import { createStage } from "./stage.mjs";

/** In the order of a run. */
const RUNGS = [
  start,
  requests,
  tracing,
  allocation,
  profile,
  connections,
  tls,
  bodies,
  latency,
  workers,
  soak,
];
/** Measures nothing: a quick run does without, unless it is asked for. */
const NOT_QUICK = new Set([profile]);

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rungs: { type: "string" },
    rounds: { type: "string" },
    requests: { type: "string" },
    soak: { type: "string" },
    json: { type: "string" },
    only: { type: "string" },
    install: { type: "boolean", default: false },
  },
});

/** Above, somebody else takes a good part of a core. */
const QUIET_LOAD = 0.7;

function say(text) {
  process.stdout.write(`${text}\n`);
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

function pickRungs() {
  const wanted = flags.rungs?.split(",");
  const rungs = RUNGS.filter(
    (rung) => wanted?.some((text) => rung.name.includes(text)) ?? !(flags.quick && NOT_QUICK.has(rung)),
  );
  if (rungs.length > 0) return rungs;
  throw new Error(`no rung of that name; there are ${RUNGS.map(({ name }) => name).join(", ")}`);
}

function number(text, usual, quick) {
  return Number(text ?? (flags.quick ? quick : usual));
}

async function main() {
  if (flags.install) install();
  const rungs = pickRungs();
  const machine = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    node: process.version,
    commit: commit(),
    loadBefore: loadavg()[0],
  };
  const isPinned = canPin();
  say(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, commit ${machine.commit}`);
  say(
    isPinned
      ? "pinned: the proxy on core 0; load, upstream and collector on the others"
      : "not pinned: no taskset or no second core, so proxies with several threads may use several cores",
  );
  if (machine.loadBefore > QUIET_LOAD) {
    say(
      `not alone: load ${machine.loadBefore.toFixed(1)}. CPU ratios are rough; throughput and latency say nothing`,
    );
  }
  const stage = await createStage({
    isPinned,
    isQuick: flags.quick,
    only: flags.only,
    contestants: listContestants(),
    counts: {
      rounds: number(flags.rounds, 5, 1),
      requests: number(flags.requests, 20_000, 3000),
      soak: number(flags.soak, 2_000_000, 60_000),
    },
    say,
  });

  const results = {};
  const startMs = performance.now();
  for (const rung of rungs) {
    say(`\n${rung.name}: ${rung.title}`);
    results[rung.name] = await rung.run(stage);
  }
  say(`\nall of it took ${Math.round((performance.now() - startMs) / 1000)} s`);
  const bars = Object.values(results).flatMap((result) => result.bars);
  if (bars.length > 0) say("\nbars");
  for (const bar of bars) say(barLine(bar));
  if (flags.json !== undefined) {
    const date = new Date().toISOString();
    writeFileSync(flags.json, `${JSON.stringify({ date, machine, isPinned, results, bars }, null, 2)}\n`);
    say(`\nraw results: ${flags.json}`);
  }
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`bench: ${error.stack}\n`);
  process.exit(1);
}
