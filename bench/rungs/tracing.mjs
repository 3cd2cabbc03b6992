/**
 * Question: what does tracing add to fedtrace's own untraced path, by the share of requests that is traced?
 * Method:   four of fedtrace alone, twice as many rounds as the requests rung, each second one backwards, so that none is always
 *           the one after a busy one: the bars are of a few per cent. CPU from /proc; ratios within a round.
 */

import { SUBJECT, TRACED_1, TRACED_10, UNTRACED } from "../contestants.mjs";
import { CAPTURED } from "../load/captured.mjs";
import { measure } from "../load/measure.mjs";
import { median, medianTable, pairedRatios } from "../load/report.mjs";

const CONNECTIONS = 32;
const ROUNDS_FACTOR = 2;
/** At 1 and 10 % the code that encodes spans runs rarely, and is compiled late: what is asked for is the time after that. */
const WARM_UP = 60_000;
const QUICK_WARM_UP = 20_000;
const NAMES = [UNTRACED, TRACED_1, TRACED_10, SUBJECT];
/** What tracing may add to the untraced path, by the share that is traced. */
const BARS = [
  { of: SUBJECT, atMost: 1.12 },
  { of: TRACED_10, atMost: 1.03 },
];

function sayTables(stage, samples) {
  for (const rung of Object.keys(CAPTURED)) {
    const own = samples.filter((sample) => sample.rung === rung);
    const untraced = new Map(
      own.filter(({ name }) => name === UNTRACED).map(({ round, cpuUs }) => [round, cpuUs]),
    );
    stage.say(
      medianTable(CAPTURED[rung].label, own, [
        ["CPU µs", ({ cpuUs }) => cpuUs, (value) => value.toFixed(1)],
        ["÷ untraced", ({ cpuUs, round }) => cpuUs / untraced.get(round), (value) => value.toFixed(3)],
        ["busy", ({ busy }) => busy, (value) => `${Math.round(value * 100)} %`],
        ["requests/s", ({ perSecond }) => perSecond, (value) => value.toFixed(0)],
      ]),
    );
  }
}

export const tracing = {
  name: "tracing",
  title: "what tracing adds, by the share that is traced",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const entries = await stage.enterAll(NAMES);
    for (const entry of entries) {
      for (const rung of Object.keys(CAPTURED)) {
        const warmUp = stage.isQuick ? QUICK_WARM_UP : WARM_UP;
        await measure(stage, entry, rung, { connections: CONNECTIONS, requests: warmUp });
        await stage.collector.spansOf("");
      }
    }
    const samples = [];
    for (let round = 1; round <= stage.counts.rounds * ROUNDS_FACTOR; round++) {
      const order = round % 2 === 1 ? entries : entries.toReversed();
      for (const rung of Object.keys(CAPTURED)) {
        for (const entry of order) {
          const load = { connections: CONNECTIONS, requests: stage.counts.requests };
          samples.push({ name: entry.name, rung, round, ...(await measure(stage, entry, rung, load)) });
          await stage.collector.spansOf(""); // Between two measurements, so that decoding costs none of them.
        }
      }
    }
    sayTables(stage, samples);
    const exported = await stage.sayExported(entries.filter(({ name }) => name !== UNTRACED));
    await stage.leaveAll(entries);
    const bars = BARS.flatMap(({ of, atMost }) =>
      Object.keys(CAPTURED).map((rung) => {
        const ratios = pairedRatios(samples, rung, of, UNTRACED);
        return {
          what: `CPU, ${CAPTURED[rung].label}: ${of} ÷ untraced`,
          value: ratios.length === 0 ? undefined : median(ratios),
          atMost,
        };
      }),
    );
    return { samples, exported, bars };
  },
};
