/**
 * How long a message takes from one real Synapse to another, with and without fedtrace between:
 *
 * ```
 *   Synapse A ──TLS──► Synapse B                                     bare
 *   Synapse C ──► sidecar C ──TLS──► sidecar D ──► Synapse D         behind sidecars, every request traced, to a real Jaeger
 * ```
 * All four run at once and send by turns, so that what else the machine does hits both. Nothing records between them.
 * What is asserted is that every message arrives; what is printed goes into bench/RESULTS.md.
 */

import { beforeAll, it } from "vitest";
import { freePorts } from "./free-ports.ts";
import { INSTALL_TIMEOUT_MS, median, shareRoom, timeMessage } from "./homeserver-pair.ts";
import { findJaeger } from "./jaeger-binary.ts";
import { startBare } from "./synapse-bare.ts";
import { createUser, type MatrixUser } from "./synapse-client.ts";
import { findSynapse } from "./synapse-python.ts";
import type { Homeserver } from "./synapse.ts";
import { BOTH, startBehindSidecar, startSurroundings } from "./synapse-sidecars.ts";

/** Each is a message both ways of both pairs, which go first by turns. */
const ROUNDS = 20;
/** A server's first messages are slower: connections, caches, the other's keys. */
const WARM_UP_ROUNDS = 4;

/** Measured 45 s alone on two cores, 75 beside others; twice the usual limit. */
const TIMEOUT_MS = 240_000;
const BUILD_TIMEOUT_MS = 40 * 60_000 + INSTALL_TIMEOUT_MS;

let programs: { readonly python: string; readonly jaegerProgram: string };
beforeAll(async () => {
  programs = { jaegerProgram: await findJaeger(), python: (await findSynapse()).path };
}, BUILD_TIMEOUT_MS);

it(
  "delivers every message, with sidecars and without",
  async () => {
    const { python } = programs;
    const [portA = 0, portB = 0, portC = 0, portD = 0] = await freePorts(4);
    const surroundings = await startSurroundings({
      ...programs,
      wayOut: "federation-proxy",
      isSynapseTraced: false,
      whitelist: [BOTH],
    });
    const bareServers = await Promise.all([startBare(python, portA, "hs1"), startBare(python, portB, "hs2")]);
    const [c, d] = await Promise.all([
      startBehindSidecar("hs1", { serverName: `hs1.test:${portC}`, inboundPort: portC }, surroundings),
      startBehindSidecar("hs2", { serverName: `hs2.test:${portD}`, inboundPort: portD }, surroundings),
    ]);
    const pairs = [await correspond(bareServers), await correspond([c.homeserver, d.homeserver])] as const;

    for (let round = 0; round < WARM_UP_ROUNDS; round++) for (const pair of pairs) await pair.exchange();
    const rounds: { readonly bare: Exchanged; readonly sidecars: Exchanged }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const times = new Map<Correspondence, Exchanged>();
      for (const pair of round % 2 === 0 ? pairs : pairs.toReversed()) times.set(pair, await pair.exchange());
      const [bare = [], sidecars = []] = pairs.map((pair) => times.get(pair));
      rounds.push({ bare, sidecars });
    }
    const bare = rounds.flatMap((round) => round.bare);
    const sidecars = rounds.flatMap((round) => round.sidecars);
    console.log(`a message between two Synapses, ${bare.length} of each:`, {
      bareMs: spreadOf(bare),
      sidecarsMs: spreadOf(sidecars),
      ratioOfMedians: rounded(median(sidecars) / median(bare)),
      medianRatioOfARound: rounded(median(rounds.map((round) => sum(round.sidecars) / sum(round.bare)))),
    });
  },
  TIMEOUT_MS,
);

/** Milliseconds of a message there and of one back. */
type Exchanged = readonly number[];

interface Correspondence {
  exchange(): Promise<Exchanged>;
}

/** A user of each, in one room. */
async function correspond(servers: readonly Homeserver[]): Promise<Correspondence> {
  const users = await Promise.all(servers.map((server, index) => createUser(server, `user${index}`)));
  const [one, other] = users as [MatrixUser, MatrixUser];
  const roomId = await shareRoom(one, other);
  return {
    exchange: async () => [await timeMessage(one, other, roomId), await timeMessage(other, one, roomId)],
  };
}

function spreadOf(times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1);
  return `${at(0.5)} (a quarter below ${at(0.25)}, a quarter above ${at(0.75)})`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function rounded(ratio: number): number {
  return Math.round(ratio * 1000) / 1000;
}
