/**
 * Question: does a request cost the same, however many connections are open?
 * Method:   1, 10, 100 and 1,000 kept client connections, one request open on each; peers may keep as many to the upstream. With
 *           one connection nothing is done in batches and everybody sleeps between two bytes: that row shows the wakes.
 */

import { ENVOY, HAPROXY, NGINX, RAW_PAIR, SUBJECT, UNTRACED } from "../contestants.mjs";
import { measure } from "../load/measure.mjs";
import { medianTable } from "../load/report.mjs";

const STEPS = [1, 10, 100, 1000];
const ROUNDS = 3;
/** A lone connection waits for each answer. */
const LONE_SHARE = 0.25;

export const connections = {
  name: "connections",
  title: "1 to 1,000 connections",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const entries = await stage.enterAll([UNTRACED, SUBJECT, RAW_PAIR, NGINX, HAPROXY, ENVOY], {
      connections: Math.max(...STEPS),
    });
    const samples = [];
    for (let round = 1; round <= (stage.isQuick ? 1 : ROUNDS); round++) {
      for (const step of STEPS) {
        const requests = Math.round(stage.counts.requests * (step === 1 ? LONE_SHARE : 1));
        for (const entry of entries) {
          const sample = await measure(stage, entry, "key", { connections: step, requests });
          samples.push({ name: entry.name, rung: `${step}`, round, ...sample });
        }
      }
    }
    for (const step of STEPS) {
      stage.say(
        medianTable(
          step === 1 ? "1 connection" : `${step} connections`,
          samples.filter(({ rung }) => rung === `${step}`),
          [
            ["CPU µs", ({ cpuUs }) => cpuUs, (value) => value.toFixed(1)],
            ["busy", ({ busy }) => busy, (value) => `${Math.round(value * 100)} %`],
            ["requests/s", ({ perSecond }) => perSecond, (value) => value.toFixed(0)],
            ["MB", ({ rssMb }) => rssMb, (value) => value.toFixed(0)],
          ],
        ),
      );
    }
    await stage.leaveAll(entries);
    return { samples, bars: [] };
  },
};
