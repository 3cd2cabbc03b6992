/**
 * Question: where does the CPU of a request go, by function?
 * Method:   V8's sampling profiler within fedtrace, of its main thread, over as many requests as a round of the CPU rung; by
 *           function, as it stands in src/. A function's time includes what was inlined into it.
 * Not here: time of other threads, and the kernel's by call: `(program)` and the native functions hold that.
 */

import { SUBJECT, UNTRACED } from "../contestants.mjs";
import { CAPTURED } from "../load/captured.mjs";
import { ask } from "../load/processes.mjs";
import { align } from "../load/report.mjs";
import { summarize } from "./allocation.mjs";

const CONNECTIONS = 32;
const WARM_UP = 20_000;

export const profile = {
  name: "profile",
  title: "where the CPU of a request goes",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const samples = [];
    const options = ["--enable-source-maps", "--import", "./bench/load/allocation-probe.mjs"];
    for (const name of [UNTRACED, SUBJECT]) {
      const contestant = stage.contestants.find((candidate) => candidate.name === name);
      const entry = await stage.enter(contestant, { nodeOptions: options, hasChannel: true });
      if (entry === undefined) continue;
      await ask(stage.loader, { open: entry.port, connections: CONNECTIONS });
      for (const rung of Object.keys(CAPTURED)) {
        await ask(stage.loader, { run: rung, requests: WARM_UP });
        await ask(entry.child, { profile: "cpu" });
        await ask(stage.loader, { run: rung, requests: stage.counts.requests });
        const { nodes } = await ask(entry.child, { profiled: true });
        const busy = nodes.filter(({ name: what }) => what !== "(idle)");
        const all = busy.reduce((sum, { self }) => sum + self, 0);
        const functions = summarize(busy, all, (share) => `${(share * 100).toFixed(1)} %`);
        samples.push({ name, rung, functions });
        stage.say(`  ${name}, ${CAPTURED[rung].label}`);
        stage.say(align(functions).replace(/^/gm, "    "));
      }
      await ask(stage.loader, { close: true });
      await stage.leaveAll([entry]);
    }
    return { samples, bars: [] };
  },
};
