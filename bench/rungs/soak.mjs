/**
 * Question: does memory stay flat, however long it runs?
 * Method:   `--soak` requests (2 million), traced at 100 %, GET and PUT in turn, connections opened anew every 200,000; resident
 *           memory after each 1 % of them. The first quarter fills caches, pools and the store of recent traces and is not
 *           looked at. Over the rest: the median of the slopes between all pairs of samples (Theil and Sen), which single
 *           peaks of a collector that is about to run do not move.
 * Bar:      2 bytes a request. The smallest object that could be kept by each request takes 16.
 * Source:   https://en.wikipedia.org/wiki/Theil–Sen_estimator.
 */

import { SUBJECT } from "../contestants.mjs";
import { CAPTURED } from "../load/captured.mjs";
import { ask, memory } from "../load/processes.mjs";
import { medianSlope } from "../load/report.mjs";

const CONNECTIONS = 32;
const STEPS = 100;
const STEPS_A_CONNECTION = 10;
const SKIPPED_SHARE = 0.25;
const SLOPE_BAR = 2;
/** Below, a peak or two of the collector is more than the bar: a slope says nothing. */
const REQUESTS_MIN = 1_000_000;
const TOLD_EVERY = 10;

export const soak = {
  name: "soak",
  title: "memory over a long run",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const entry = await stage.enter(stage.contestants.find(({ name }) => name === SUBJECT));
    if (entry === undefined) return { samples: [], bars: [] };
    const kinds = Object.keys(CAPTURED);
    const requests = Math.ceil(stage.counts.soak / STEPS);
    const samples = [];
    for (let step = 0; step < STEPS; step++) {
      if (step % STEPS_A_CONNECTION === 0) {
        await ask(stage.loader, { close: true });
        await ask(stage.loader, { open: entry.port, connections: CONNECTIONS });
      }
      await ask(stage.loader, { run: kinds[step % kinds.length], requests });
      await stage.collector.spansOf(""); // The collector's memory is to stay small as well.
      const { rssMb, peakMb } = memory(entry.child.pid);
      samples.push({ requests: (step + 1) * requests, rssMb, peakMb });
      if ((step + 1) % TOLD_EVERY === 0) {
        stage.say(`  ${((step + 1) * requests).toLocaleString("en")} requests: ${rssMb.toFixed(1)} MB`);
      }
    }
    await ask(stage.loader, { close: true });
    await stage.leaveAll([entry]);
    const judged = samples.slice(Math.round(STEPS * SKIPPED_SHARE));
    const slope = medianSlope(judged.map(({ requests: x, rssMb }) => [x, rssMb * 1e6]));
    stage.say(`  slope over the last three quarters: ${slope.toFixed(2)} bytes a request`);
    const isLong = requests * STEPS >= REQUESTS_MIN;
    return {
      samples,
      slope,
      bars: [
        {
          what: `memory flat over ${(requests * STEPS).toLocaleString("en")} requests: growth a request`,
          value: isLong ? slope : undefined,
          atMost: SLOPE_BAR,
          unit: " bytes",
          why: "too few requests for a slope to say something",
        },
      ],
    };
  },
};
