/** The measurement that most rungs share: CPU of a contestant over a fixed number of requests of kept connections. */

import { ask, cpuMs, memory } from "./processes.mjs";

/** Until the compilers of Node and Go's heap have settled; later rounds only fill the pools again. */
const FIRST_WARM_UP = 15_000;
const QUICK_WARM_UP = 4000;
const WARM_UP = 2000;

/**
 * One contestant, one kind of request, one round.
 *
 * @param stage as made by `createStage`
 * @param {object} entry
 * @param {string} rung of the captured requests: key or send
 * @param {{ connections: number, requests: number, tls?: object }} load
 * @returns {Promise<{ cpuUs: number, busy: number, perSecond: number, rssMb: number, peakMb: number }>} `busy` is the share of a
 *   core that the proxy had
 */
export async function measure(stage, entry, rung, { connections, requests, tls }) {
  const { loader } = stage;
  await ask(loader, { open: entry.port, connections, tls });
  const firstWarmUp = stage.isQuick ? QUICK_WARM_UP : FIRST_WARM_UP;
  const warmUp = entry.isWarm.has(rung) ? Math.max(WARM_UP, connections) : firstWarmUp;
  entry.isWarm.add(rung);
  await ask(loader, { run: rung, requests: warmUp });
  const beforeMs = cpuMs(entry.child.pid);
  const { wallMs } = await ask(loader, { run: rung, requests });
  const spentMs = cpuMs(entry.child.pid) - beforeMs;
  const { rssMb, peakMb } = memory(entry.child.pid);
  await ask(loader, { close: true });
  entry.sent += warmUp + requests;
  return {
    cpuUs: (spentMs * 1000) / requests,
    busy: spentMs / wallMs,
    perSecond: (requests * 1000) / wallMs,
    rssMb,
    peakMb,
  };
}
