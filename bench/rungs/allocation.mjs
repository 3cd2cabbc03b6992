/**
 * Question: how much memory does a request allocate, sampled and not, and by which functions?
 * Method:   fedtrace with a young generation that holds the whole measurement, so that nothing is freed and the heap's growth
 *           is what was allocated, to the byte (load/allocation-probe.mjs); a run in which something was collected is done
 *           again. Then, apart, V8's sampling profiler names the functions.
 * Not here: memory that stays (rungs/soak.mjs). Growth of one run includes what timers do meanwhile: some bytes a request.
 */

import { SUBJECT, UNTRACED } from "../contestants.mjs";
import { CAPTURED } from "../load/captured.mjs";
import { ask } from "../load/processes.mjs";
import { align, median } from "../load/report.mjs";

/** Node's flags are in MB. Large enough for `REQUESTS` of 30 KB each. */
const YOUNG_MB = 256;
const PROBE_OPTIONS = [
  `--min-semi-space-size=${YOUNG_MB}`,
  `--max-semi-space-size=${YOUNG_MB}`,
  "--enable-source-maps",
  "--import",
  "./bench/load/allocation-probe.mjs",
];
const CONNECTIONS = 32;
/** Until the hot path is compiled for good. */
const WARM_UP = 40_000;
const REQUESTS = 4000;
const RUNS = 5;
const TRIES = 3;
const TOP = 20;

/** One measurement. @returns bytes a request, or undefined where something was collected meanwhile */
async function measureOnce(stage, { child }, rung) {
  await ask(child, { mark: true });
  await ask(stage.loader, { run: rung, requests: REQUESTS });
  const { heapBytes, externalBytes, collections } = await ask(child, { since: true });
  return collections > 0 ? undefined : { heap: heapBytes / REQUESTS, external: externalBytes / REQUESTS };
}

async function measure(stage, entry, rung) {
  await ask(stage.loader, { run: rung, requests: stage.isQuick ? WARM_UP / 2 : WARM_UP });
  const runs = [];
  for (let tries = 0; runs.length < RUNS && tries < RUNS * TRIES; tries++) {
    const run = await measureOnce(stage, entry, rung);
    if (run !== undefined) runs.push(run);
  }
  if (runs.length === 0) throw new Error("something was collected in every run");
  const of = (key) => median(runs.map((run) => run[key]));
  return { name: entry.name, rung, heapBytes: of("heap"), externalBytes: of("external"), runs: runs.length };
}

async function listAllocators(stage, { child }, rung) {
  await ask(child, { mark: true });
  await ask(child, { profile: "heap" });
  await ask(stage.loader, { run: rung, requests: REQUESTS });
  const { nodes } = await ask(child, { profiled: true });
  return summarize(nodes, REQUESTS, (bytes) => `${Math.round(bytes)} B`);
}

/** Nodes of a profile, one line a function. @param {number} divisor what `self` is divided by */
export function summarize(nodes, divisor, format) {
  const byPlace = new Map();
  for (const { name, url, line, self } of nodes) {
    const place = `${name || "(anonymous)"}  ${url.replace(/^.*\/(?=(src|node_modules)\/)/, "")}${url === "" ? "" : `:${line}`}`;
    byPlace.set(place, (byPlace.get(place) ?? 0) + self);
  }
  return [...byPlace]
    .sort(([, left], [, right]) => right - left)
    .slice(0, TOP)
    .map(([place, self]) => [place, format(self / divisor)]);
}

export const allocation = {
  name: "allocation",
  title: "bytes allocated by a request",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const samples = [];
    for (const name of [UNTRACED, SUBJECT]) {
      const contestant = stage.contestants.find((candidate) => candidate.name === name);
      const entry = await stage.enter(contestant, { nodeOptions: PROBE_OPTIONS, hasChannel: true });
      if (entry === undefined) continue;
      await ask(stage.loader, { open: entry.port, connections: CONNECTIONS });
      for (const rung of Object.keys(CAPTURED)) {
        const sample = await measure(stage, entry, rung);
        sample.allocators = await listAllocators(stage, entry, rung);
        samples.push(sample);
        stage.say(
          `  ${name}, ${CAPTURED[rung].label}: ${Math.round(sample.heapBytes)} bytes on the heap, ` +
            `${Math.round(sample.externalBytes)} in buffers (median of ${sample.runs} runs)`,
        );
        stage.say(align(sample.allocators).replace(/^/gm, "    "));
      }
      await ask(stage.loader, { close: true });
      await stage.leaveAll([entry]);
    }
    return { samples, bars: [] };
  },
};
