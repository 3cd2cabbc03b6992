/**
 * Question: what does a small request cost in CPU, traced and not, beside everyone else?
 * Method:   32 kept connections, all contestants alive at once, rounds A B C A B C …; CPU of the proxy from /proc over a fixed
 *           number of requests. What an exporter sends later than that (up to one batch) is in the next round's number.
 */

import * as names from "../contestants.mjs";
import { CAPTURED } from "../load/captured.mjs";
import { measure } from "../load/measure.mjs";
import { cpuTable, median, pairedRatios } from "../load/report.mjs";

const CONNECTIONS = 32;
const MEMORY_BAR_MB = 100;
/** Small bodies are read at once, buffered or not; what a part of the spans costs is the tracing rung's. */
const LEFT_OUT = new Set([names.NGINX_UNBUFFERED, names.TRACED_1, names.TRACED_10]);
/** Traced at 100 %, fedtrace may cost this share of the other. */
const PEER_BARS = [
  { against: names.ENVOY_TRACED, atMost: 0.3 },
  { against: names.CADDY_TRACED, atMost: 0.28 },
  { against: names.NGINX, atMost: 2 },
];

async function runRounds(stage, entries) {
  const { rounds, requests } = stage.counts;
  const samples = [];
  for (let round = 1; round <= rounds; round++) {
    for (const rung of Object.keys(CAPTURED)) {
      for (const entry of entries) {
        const sample = await measure(stage, entry, rung, { connections: CONNECTIONS, requests });
        samples.push({ name: entry.name, rung, round, ...sample });
        // Between two measurements, so that decoding costs none of them.
        await stage.collector.spansOf("");
      }
    }
    stage.say(`  round ${round} of ${rounds} done`);
  }
  return samples;
}

function listBars(samples) {
  const peers = PEER_BARS.flatMap(({ against, atMost }) =>
    Object.keys(CAPTURED).map((rung) => {
      const ratios = pairedRatios(samples, rung, names.SUBJECT, against);
      return {
        what: `CPU, ${CAPTURED[rung].label}: ${names.SUBJECT} ÷ ${against}`,
        value: ratios.length === 0 ? undefined : median(ratios),
        atMost,
      };
    }),
  );
  const own = samples.filter(({ name }) => name === names.SUBJECT);
  const highest = (key) => Math.max(...own.map((sample) => sample[key]));
  return [
    ...peers,
    { what: "resident under load", value: highest("rssMb"), atMost: MEMORY_BAR_MB, unit: " MB" },
    { what: "resident at its highest", value: highest("peakMb"), atMost: MEMORY_BAR_MB, unit: " MB" },
  ];
}

export const requests = {
  name: "requests",
  title: "CPU of a request, beside everyone else",
  /** @param stage as made by `createStage` @throws where fedtrace itself is left out: then there is no ratio */
  async run(stage) {
    const contestants = stage.contestants.filter(({ name }) => !LEFT_OUT.has(name));
    const entries = await stage.enterAll(contestants.map(({ name }) => name));
    if (entries.every(({ name }) => name !== names.SUBJECT)) throw new Error(`${names.SUBJECT} is left out`);
    const samples = await runRounds(stage, entries);
    const present = new Set(entries.map(({ name }) => name));
    const shown = contestants.filter(({ name, missing }) => present.has(name) || missing !== undefined);
    for (const rung of Object.keys(CAPTURED)) {
      stage.say(`\n${cpuTable(samples, rung, names.SUBJECT, shown)}`);
    }
    const exported = await stage.sayExported(entries.filter(({ contestant }) => contestant.isTraced));
    await stage.leaveAll(entries);
    return { samples, exported, bars: listBars(samples) };
  },
};
