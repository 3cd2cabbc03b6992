/**
 * Question: how long does a cold start take, from the spawn to the line `ready`?
 * Method:   pairs: a bare node:http server, then fedtrace; the ratio within a pair. The machine's file cache is warm.
 */

import { fedtrace } from "../contestants.mjs";
import { median } from "../load/report.mjs";
import { timeStart } from "../load/start-up.mjs";

const START_UP_BAR = 1.6;
const PAIRS = 15;
const QUICK_PAIRS = 5;

export const start = {
  name: "start",
  title: "cold start",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const { command } = fedtrace(1)(await stage.takePlace());
    const bare = [process.execPath, "bench/proxies/bare-server.mjs"];
    const samples = [];
    for (let pair = 0; pair < (stage.isQuick ? QUICK_PAIRS : PAIRS); pair++) {
      const bareMs = await timeStart(stage.processes, bare);
      const fedtraceMs = await timeStart(stage.processes, command);
      samples.push({ bareMs, fedtraceMs, ratio: fedtraceMs / bareMs });
    }
    const of = (key) => median(samples.map((sample) => sample[key]));
    stage.say(
      `  fedtrace ${of("fedtraceMs").toFixed(0)} ms, bare ${of("bareMs").toFixed(0)} ms, median of ${samples.length} each`,
    );
    return {
      samples,
      bars: [{ what: "start to ready ÷ bare node:http server", value: of("ratio"), atMost: START_UP_BAR }],
    };
  },
};
