/**
 * Question: what does TLS in front cost: on a kept connection, in a new handshake, in a resumed one?
 * Method:   TLS 1.3, P-256, one captured GET. Kept: as the requests rung. Handshakes: four lanes, one connection after the
 *           other, each with one request (load/handshakes.mjs); CPU of the proxy a connection, and what that makes a second on a
 *           full core. The number a second that was seen is the client's limit as often as the proxy's: both are said.
 */

import { ENVOY, HAPROXY, NGINX, SUBJECT, UNTRACED } from "../contestants.mjs";
import { measure } from "../load/measure.mjs";
import { ask, cpuMs } from "../load/processes.mjs";
import { medianTable } from "../load/report.mjs";

const CONNECTIONS = 32;
const HANDSHAKES = 1500;
const QUICK_HANDSHAKES = 250;
const WARM_UP_HANDSHAKES = 200;
const ROUNDS = 3;

async function shake(stage, entry, isResumed) {
  const times = stage.isQuick ? QUICK_HANDSHAKES : HANDSHAKES;
  const message = { shake: entry.port, tls: stage.tls, isResumed };
  if (!entry.isWarm.has("handshakes")) {
    await ask(stage.loader, { ...message, isResumed: false, times: WARM_UP_HANDSHAKES });
    entry.isWarm.add("handshakes");
  }
  const beforeMs = cpuMs(entry.child.pid);
  const { wallMs } = await ask(stage.loader, { ...message, times });
  const spentMs = cpuMs(entry.child.pid) - beforeMs;
  return { cpuUs: (spentMs * 1000) / times, perSecond: (times * 1000) / wallMs };
}

export const tls = {
  name: "tls",
  title: "TLS in front: kept connections, new handshakes, resumed handshakes",
  /** @param stage as made by `createStage` */
  async run(stage) {
    if (stage.tls === undefined) {
      stage.say("  not measured: there is no openssl to make a certificate");
      return { samples: [], bars: [] };
    }
    const entries = await stage.enterAll([UNTRACED, SUBJECT, NGINX, HAPROXY, ENVOY], { kind: "tls" });
    const load = { connections: CONNECTIONS, requests: stage.counts.requests, tls: stage.tls };
    const samples = [];
    for (let round = 1; round <= (stage.isQuick ? 1 : ROUNDS); round++) {
      for (const entry of entries) {
        const kept = await measure(stage, entry, "key", load);
        const full = await shake(stage, entry, false);
        const resumed = await shake(stage, entry, true).catch((error) => {
          stage.say(`  ${entry.name}: ${error.message}`);
          return { cpuUs: Number.NaN, perSecond: Number.NaN };
        });
        samples.push({ name: entry.name, round, kept, full, resumed });
      }
    }
    const us = (value) => value.toFixed(1);
    const whole = (value) => Math.round(value).toString();
    stage.say(
      medianTable("CPU in µs; seen and of a full core a second", samples, [
        ["kept request", ({ kept }) => kept.cpuUs, us],
        ["handshake", ({ full }) => full.cpuUs, whole],
        ["seen", ({ full }) => full.perSecond, whole],
        ["full core", ({ full }) => 1e6 / full.cpuUs, whole],
        ["resumed", ({ resumed }) => resumed.cpuUs, whole],
        ["seen", ({ resumed }) => resumed.perSecond, whole],
        ["full core", ({ resumed }) => 1e6 / resumed.cpuUs, whole],
      ]),
    );
    await stage.leaveAll(entries);
    return { samples, bars: [] };
  },
};
