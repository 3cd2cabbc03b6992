/**
 * Question: do two workers do nearly twice as much as one?
 * Method:   throughput of `workers: 2` on two cores against one on one, with the load on the cores that are left, in one
 *           process for each worker. That needs three cores. Where there are fewer, what can be said is what a request costs in
 *           CPU: two workers on one core should cost what one does, all processes counted.
 */

import { availableParallelism } from "node:os";
import { SUBJECT } from "../contestants.mjs";
import { CAPTURED } from "../load/captured.mjs";
import { ask, cpuMs, loadCores } from "../load/processes.mjs";
import { median, medianTable, pairedRatios } from "../load/report.mjs";

const CONNECTIONS = 64;
const ROUNDS = 3;
const WARM_UP = 15_000;
const CORES_MIN = 3;
const WORKERS_BAR = 1.7;
const COUNTS = [1, 2];

async function load(loaders, port, message) {
  const connections = CONNECTIONS / loaders.length;
  await Promise.all(loaders.map((loader) => ask(loader, { open: port, connections })));
  const each = { ...message, requests: Math.ceil(message.requests / loaders.length) };
  await Promise.all(
    loaders.map((loader) => ask(loader, { ...each, requests: Math.ceil(WARM_UP / loaders.length) })),
  );
  return async () => {
    const startMs = performance.now();
    await Promise.all(loaders.map((loader) => ask(loader, each)));
    const wallMs = performance.now() - startMs;
    await Promise.all(loaders.map((loader) => ask(loader, { close: true })));
    return wallMs;
  };
}

export const workers = {
  name: "workers",
  title: "two workers against one",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const isWide = stage.isPinned && availableParallelism() >= CORES_MIN;
    const why = `${availableParallelism()} cores; two workers and the load need ${CORES_MIN}`;
    if (!isWide) stage.say(`  throughput is not measured: ${why}. CPU of a request instead:`);
    const contestant = stage.contestants.find(({ name }) => name === SUBJECT);
    const cores = loadCores(isWide ? 2 : 1);
    const extra = await Promise.all(COUNTS.map(() => stage.startPeer("loader", cores)));
    const loaders = extra.map(({ child }) => child);
    const entries = [];
    for (const count of COUNTS) {
      const core = isWide && count === 2 ? "0,1" : "0";
      const entry = await stage.enter(contestant, { workers: count, core });
      if (entry !== undefined) entries.push({ ...entry, name: `${count} worker${count === 1 ? "" : "s"}` });
    }
    const samples = [];
    for (let round = 1; round <= (stage.isQuick ? 1 : ROUNDS); round++) {
      for (const rung of Object.keys(CAPTURED)) {
        for (const { name, child, port } of entries) {
          const { requests } = stage.counts;
          const run = await load(loaders, port, { run: rung, requests });
          const beforeMs = cpuMs(child.pid);
          const wallMs = await run();
          const cpuUs = ((cpuMs(child.pid) - beforeMs) * 1000) / requests;
          samples.push({ name, rung, round, cpuUs, perSecond: (requests * 1000) / wallMs });
        }
      }
    }
    for (const rung of Object.keys(CAPTURED)) {
      stage.say(
        medianTable(
          CAPTURED[rung].label,
          samples.filter((sample) => sample.rung === rung),
          [
            ["CPU µs", ({ cpuUs }) => cpuUs, (value) => value.toFixed(1)],
            ["requests/s", ({ perSecond }) => perSecond, (value) => value.toFixed(0)],
          ],
        ),
      );
    }
    await stage.leaveAll([...entries, ...extra]);
    const bars = Object.keys(CAPTURED).map((rung) => {
      const ratios = isWide ? pairedRatios(samples, rung, "2 workers", "1 worker", "perSecond") : [];
      return {
        what: `${CAPTURED[rung].label}: requests a second, two workers ÷ one`,
        value: ratios.length === 0 ? undefined : median(ratios),
        atLeast: WORKERS_BAR,
        why,
      };
    });
    return { samples, bars };
  },
};
