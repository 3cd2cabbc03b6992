/**
 * Question: how fast do large bodies pass, and what does a MiB of them cost?
 * Method:   bodies of 64 KiB on 8 connections and of 8 MiB on 4, as responses and as requests; the raw pair of sockets and no
 *           proxy at all show how fast the load itself is. Where a proxy's core was not full, the load was the limit: then its
 *           MiB a second say little, and MiB a CPU second (what a full core would pass) say what it can. The bar is held
 *           against both.
 */

import {
  ENVOY,
  HAPROXY,
  HTTP_PROXY,
  NGINX,
  NGINX_UNBUFFERED,
  RAW_PAIR,
  SUBJECT,
  UNTRACED,
} from "../contestants.mjs";
import { BULK_SIZES } from "../load/bulk.mjs";
import { ask, cpuMs } from "../load/processes.mjs";
import { median, medianTable, pairedRatios } from "../load/report.mjs";

const MIB = 1024 * 1024;
const ROUNDS = 3;
const QUICK_ROUNDS = 1;
const QUICK_SHARE = 0.2;
const WARM_UP_SHARE = 0.2;
/** Who waits for something else than its CPU is not waited for. */
const MEASURED_MS_MAX = 2500;
const THROUGHPUT_BAR = 0.9;
const LARGEST = Math.max(...Object.keys(BULK_SIZES).map(Number));
const DIRECT = "no proxy";
const WAYS = { get: "response", put: "request" };

async function measureBodies(stage, entry, way, size) {
  const { connections, requests: usual } = BULK_SIZES[size];
  const planned = Math.round(usual * (stage.isQuick ? QUICK_SHARE : 1));
  const { bulkLoader } = stage;
  await ask(bulkLoader, { open: entry.port, connections });
  const warmUp = Math.max(connections, Math.round(planned * WARM_UP_SHARE));
  const warm = await ask(bulkLoader, { [way]: Number(size), requests: warmUp });
  const possible = Math.round((MEASURED_MS_MAX / warm.wallMs) * warmUp);
  const requests = Math.max(connections, Math.min(planned, possible));
  const beforeMs = entry.child && cpuMs(entry.child.pid);
  const { wallMs } = await ask(bulkLoader, { [way]: Number(size), requests });
  const spentMs = entry.child ? cpuMs(entry.child.pid) - beforeMs : Number.NaN;
  await ask(bulkLoader, { close: true });
  const mib = (requests * Number(size)) / MIB;
  return {
    mibPerSecond: (mib * 1000) / wallMs,
    mibPerCpuSecond: (mib * 1000) / spentMs,
    cpuUsPerMib: (spentMs * 1000) / mib,
    busy: spentMs / wallMs,
  };
}

function listBars(samples) {
  const keys = { mibPerSecond: "MiB a second", mibPerCpuSecond: "MiB a CPU second" };
  return Object.entries(WAYS).flatMap(([way, what]) =>
    Object.entries(keys).map(([key, unit]) => {
      const ratios = pairedRatios(samples, `${way} ${LARGEST}`, SUBJECT, HAPROXY, key);
      return {
        what: `8 MiB ${what}: ${SUBJECT} ÷ ${HAPROXY}, ${unit}`,
        value: ratios.length === 0 ? undefined : median(ratios),
        atLeast: THROUGHPUT_BAR,
      };
    }),
  );
}

function sayTables(stage, samples) {
  const numberOr = (format) => (value) => (Number.isFinite(value) ? format(value) : "");
  for (const [size, { label, connections }] of Object.entries(BULK_SIZES)) {
    for (const [way, what] of Object.entries(WAYS)) {
      const own = samples.filter(({ rung }) => rung === `${way} ${size}`);
      stage.say(
        medianTable(`${label} ${what}, ${connections} connections`, own, [
          ["MiB/s", ({ mibPerSecond }) => mibPerSecond, (value) => value.toFixed(0)],
          ["CPU µs/MiB", ({ cpuUsPerMib }) => cpuUsPerMib, numberOr((value) => value.toFixed(0))],
          ["MiB/CPU s", ({ mibPerCpuSecond }) => mibPerCpuSecond, numberOr((value) => value.toFixed(0))],
          ["busy", ({ busy }) => busy, numberOr((value) => `${Math.round(value * 100)} %`)],
        ]),
      );
    }
  }
}

export const bodies = {
  name: "bodies",
  title: "bodies of 64 KiB and 8 MiB, both ways",
  /** @param stage as made by `createStage` */
  async run(stage) {
    const contestants = [UNTRACED, SUBJECT, RAW_PAIR, HTTP_PROXY, NGINX, NGINX_UNBUFFERED, HAPROXY, ENVOY];
    const entries = await stage.enterAll(contestants, { kind: "bodies" });
    entries.push({ name: DIRECT, port: stage.bulkUpstreamPort });
    const samples = [];
    for (let round = 1; round <= (stage.isQuick ? QUICK_ROUNDS : ROUNDS); round++) {
      for (const size of Object.keys(BULK_SIZES)) {
        for (const way of Object.keys(WAYS)) {
          for (const entry of entries) {
            const sample = await measureBodies(stage, entry, way, size);
            samples.push({ name: entry.name, rung: `${way} ${size}`, round, ...sample });
          }
        }
      }
    }
    sayTables(stage, samples);
    await stage.leaveAll(entries.filter(({ child }) => child !== undefined));
    return { samples, bars: listBars(samples) };
  },
};
