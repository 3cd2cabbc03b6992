/**
 * Question: how long does a request wait at half of what a proxy can do, and does its slowest hundredth wait longer than Envoy's?
 * Method:   first each one's saturation: 32 connections in a closed loop. Then an open loop at half of that, and again all at
 *           half of the rate of Envoy with OpenTelemetry, so that one is not held against another that does less; latency
 *           counts from when a request was due (load/pace.mjs). p50, p99: medians of the rounds.
 * The load: no proxy and the raw pair of sockets show what it adds itself; `late` is how long after its time the loader sent one
 *           request of a hundred. Where a saturated proxy was not busy, the load was the limit, and half of it is less than half of
 *           the proxy's.
 */

import { setPriority } from "node:os";
import {
  CADDY_TRACED,
  ENVOY,
  ENVOY_TRACED,
  HAPROXY,
  HTTP_PROXY,
  NGINX,
  RAW_PAIR,
  SUBJECT,
  UNTRACED,
} from "../contestants.mjs";
import { measure } from "../load/measure.mjs";
import { ask } from "../load/processes.mjs";
import { median, medianTable, pairedRatios } from "../load/report.mjs";

const CONNECTIONS = 32;
/** More than are open at a time at half of saturation, so that a stall meets new requests, as it would in life. */
const PACED_CONNECTIONS = 128;
const ROUNDS = 3;
const SECONDS = 3;
/** The paced loader looks at the clock without a pause: whoever else wakes on its core goes first. */
const LOADER_NICENESS = 5;
const QUICK_SECONDS = 1;
const DIRECT = "no proxy";
const KIND = "key";

async function saturate(stage, entries) {
  const saturation = new Map();
  for (const entry of entries) {
    const load = { connections: CONNECTIONS, requests: stage.counts.requests };
    saturation.set(entry.name, await measure(stage, entry, KIND, load));
  }
  return saturation;
}

async function pace(loader, port, message) {
  await ask(loader, { open: port, connections: PACED_CONNECTIONS });
  const result = await ask(loader, { pace: KIND, ...message });
  await ask(loader, { close: true });
  return result;
}

/** One round. @param {(name: string) => number} rateOf requests a second */
async function paceAll(stage, loader, entries, rateOf) {
  const seconds = stage.isQuick ? QUICK_SECONDS : SECONDS;
  const samples = [];
  for (const { name, port } of entries) {
    const rate = rateOf(name);
    samples.push({ name, rate, ...(await pace(loader, port, { perSecond: rate, seconds })) });
    await stage.collector.spansOf(""); // Between two measurements, so that decoding costs none of them.
  }
  return samples;
}

function say(stage, samples, saturation) {
  const ms = (value) => value.toFixed(2);
  // No proxy has no process.
  const percent = (value) => (Number.isNaN(value) ? "" : `${Math.round(value * 100)} %`);
  for (const rung of new Set(samples.map((sample) => sample.rung))) {
    stage.say(
      medianTable(
        `at ${rung}; ms`,
        samples.filter((sample) => sample.rung === rung),
        [
          ["requests/s", ({ rate }) => rate, (value) => value.toFixed(0)],
          ["of a core", ({ name }) => saturation.get(name)?.busy ?? Number.NaN, percent],
          ["p50", ({ p50Ms }) => p50Ms, ms],
          ["p99", ({ p99Ms }) => p99Ms, ms],
          ["highest", ({ maxMs }) => maxMs, ms],
          ["late", ({ lateP99Ms }) => lateP99Ms, ms],
        ],
      ),
    );
  }
}

const OWN_HALF = "half of its own saturation";
const ENVOY_HALF = `half of the saturation of ${ENVOY_TRACED}`;

export const latency = {
  name: "latency",
  title: "latency at half of saturation, open loop",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const contestants = [
      UNTRACED,
      SUBJECT,
      RAW_PAIR,
      HTTP_PROXY,
      NGINX,
      HAPROXY,
      ENVOY,
      ENVOY_TRACED,
      CADDY_TRACED,
    ];
    const entries = await stage.enterAll(contestants, { connections: PACED_CONNECTIONS });
    const saturation = await saturate(stage, entries);
    const common = saturation.get(ENVOY_TRACED)?.perSecond;
    const direct = { name: DIRECT, port: stage.upstreamPort };
    const { child: loader } = await stage.startPeer("loader");
    setPriority(loader.pid, LOADER_NICENESS);
    const samples = [];
    for (let round = 1; round <= (stage.isQuick ? 1 : ROUNDS); round++) {
      const keep = (rung) => (sample) => void samples.push({ ...sample, rung, round });
      const ownHalf = (name) => saturation.get(name).perSecond / 2;
      (await paceAll(stage, loader, entries, ownHalf)).forEach(keep(OWN_HALF));
      if (common === undefined) continue;
      (await paceAll(stage, loader, [...entries, direct], () => common / 2)).forEach(keep(ENVOY_HALF));
    }
    say(stage, samples, saturation);
    await stage.leaveAll([...entries, { child: loader }]);
    const bars = [OWN_HALF, ENVOY_HALF].map((rung) => {
      const ratios = pairedRatios(samples, rung, SUBJECT, ENVOY_TRACED, "p99Ms");
      return {
        what: `p99 at ${rung}: ${SUBJECT} ÷ ${ENVOY_TRACED}`,
        value: ratios.length === 0 ? undefined : median(ratios),
        atMost: 1,
      };
    });
    return { samples, saturation: Object.fromEntries(saturation), bars };
  },
};
