/**
 * Several processes as one sidecar: the composition root of the primary, as app.ts is that of one process.
 *
 * ```
 *   connections ─► doors ─► hand-out ─► worker 1 ─► own server, targets      each worker: app.ts, with its share of
 *                                   └─► worker 2 ─►        "                 every budget and a store of its own
 *   admin listener ─► merged metrics, peers, traces ─► asks them
 * ```
 * Start, in order: doors and admin listener, workers, ready. Stop is that list backwards: not ready, doors close, workers drain and
 * end, admin goes last. No request passes through the primary; it only accepts, and answers who looks.
 */

import type { Socket } from "node:net";
import { createSourceRoutes } from "./admin/query-routes.ts";
import { startAdminListener } from "./app-admin.ts";
import type { Sidecar, SidecarTools } from "./app.ts";
import { mergeFaults } from "./app-faults.ts";
import { shareOf } from "./app-share.ts";
import { createTicketKeys, rotateTicketKeys } from "./app-tls.ts";
import type { Config } from "./config/merge.ts";
import { findRestartKeys } from "./config/reload.ts";
import { createWorkerMetrics } from "./metrics/worker-metrics.ts";
import { createWhitelist, type Whitelist } from "./peer/whitelist.ts";
import { createOutboundIdKey } from "./proxy/outbound-ids.ts";
import { type Crew, startCrew } from "./workers/crew.ts";
import { type Door, startDoor } from "./workers/door.ts";
import { createHandOut, type HandOut } from "./workers/hand-out.ts";
import { createMetricsRegistry, startOwnMetrics } from "./app-metrics.ts";
import { createUsageCounting, createUsageReports, type UsageCounting } from "./app-usage.ts";
import { createMergedMetrics, type MergedMetrics } from "./workers/merged-metrics.ts";
import { mergePeers } from "./workers/merged-peers.ts";
import { createMergedTraces } from "./workers/merged-traces.ts";
import type { UsagePart } from "./usage/usage-part.ts";
import type { ListenerName } from "./workers/messages.ts";
import { createFork } from "./workers/worker-process.ts";

export interface WorkersTools extends Pick<
  SidecarTools,
  "clock" | "random" | "log" | "pageDirectory" | "onListening"
> {
  /** At least 2. */
  readonly count: number;
  /** Of the command line, which knows the command `worker`. */
  readonly programPath: string;
}

type Workers = ReturnType<Crew<Socket>["workers"]>;

/** What `run` does with a sidecar, be it one process or several. */
export type RunningSidecar = Pick<Sidecar, "reload" | "rereadCertificates" | "stop">;

/** After the drain a worker flushes for 5 s and gives each exporter a second to close; the rest is for a busy machine. */
const STOP_MARGIN_MS = 10_000;
/** Compiling the largest whitelist takes a second; for a worker that is just being started again. */
const RELOAD_TIMEOUT_MS = 10_000;
/** A worker that takes longer is counted with the next minute. */
const USAGE_TIMEOUT_MS = 1000;
/** Readers whose search goes to every worker, at once: half of what one store bears. */
const SEARCHES_MAX = 8;

/** What a reload replaces. */
interface Live {
  readonly config: Config;
  readonly whitelist: Whitelist;
}

/** What the primary has of its own, before there are workers. */
interface Primary {
  live: Live;
  ticketKeys: Uint8Array;
  readonly outboundIdKey: Uint8Array;
  /** From the first "ready" to the stop. */
  isServing: boolean;
  crew: Crew<Socket> | undefined;
}

/**
 * @throws FedtraceError LISTEN_FAILED that names every address which can't be taken, or what keeps a worker from starting; nothing
 *   is left running
 */
export async function startWorkers(config: Config, tools: WorkersTools): Promise<RunningSidecar> {
  const { count } = tools;
  const primary: Primary = {
    live: { config, whitelist: await createWhitelist(config.whitelist) },
    ticketKeys: createTicketKeys(),
    outboundIdKey: createOutboundIdKey(),
    isServing: false,
    crew: undefined,
  };
  const readyOnes = (): Workers => (primary.crew?.workers() ?? []).filter(({ isReady }) => isReady);
  const registry = createMetricsRegistry(config, tools.clock);
  const counts = createWorkerMetrics(registry, () => readyOnes().length);
  const stopOwnMetrics = startOwnMetrics(config, registry, tools.clock);
  const metrics = createMergedMetrics(readyOnes, () => registry.collect());
  const handOut = createHandOut<Socket>({
    close: (socket) => socket.destroy(),
    onDropped: () => counts.connectionDropped(),
  });
  const opened = await openAll(config, handOut, () => startAdmin(primary, { tools, readyOnes, metrics }));
  if (opened.faults.length > 0) {
    stopOwnMetrics();
    await opened.close();
    throw mergeFaults(opened.faults);
  }
  for (const [name, { address }] of opened.doors) tools.onListening?.(name, address);

  const crew = startCrew<Socket>({
    ...tools,
    fork: await createFork(tools.programPath),
    start(number) {
      const { live, ticketKeys, outboundIdKey } = primary;
      return {
        number,
        workers: count,
        config: shareOf(live.config, number, count),
        ticketKeys,
        outboundIdKey,
      };
    },
    onReady: (worker) => handOut.join(worker),
    onTook: (worker, connections) => handOut.took(worker, connections),
    onGone(worker) {
      handOut.leave(worker);
      metrics.gone(worker);
    },
    onRestart: () => counts.restarted(),
    onBeat: (worker) => void metrics.poll(worker),
  });
  primary.crew = crew;
  const own = createUsageCounting(); // Serves nobody, and has memory all the same.
  const reports = createUsageReports({ tools, registry }, () => takeUsage(readyOnes(), own));
  const stopRotation = rotateTicketKeys((ticketKeys) => {
    primary.ticketKeys = ticketKeys;
    crew.tellAll({ tell: "ticket-keys", ticketKeys });
  });

  async function stop(drainMs: number): Promise<void> {
    primary.isServing = false;
    stopRotation();
    for (const door of opened.doors.values()) door.close();
    handOut.stop();
    stopOwnMetrics();
    // Before they are gone; what they serve while they drain is not counted any more.
    await reports.stop();
    own.stop();
    await crew.stop(drainMs + STOP_MARGIN_MS);
    await opened.close();
  }

  try {
    await crew.ready;
  } catch (error) {
    await stop(0);
    throw error;
  }
  primary.isServing = true;
  const report = (now: Config): void => {
    own.use(now);
    reports.use(now);
  };
  report(config);
  return {
    async reload(next) {
      const keys = await reload(primary, crew, { next, count });
      if (keys.length === 0) report(next);
      return keys;
    },
    async rereadCertificates() {
      const waiting = { timeoutMs: RELOAD_TIMEOUT_MS, onPart: () => undefined };
      await Promise.all(readyOnes().map((worker) => worker.ask("certificates", undefined, waiting)));
    },
    stop: () => stop(primary.live.config.limits.drainMs),
  };
}

/** Of those that answer. */
async function takeUsage(workers: Workers, own: UsageCounting): Promise<readonly UsagePart[]> {
  const parts = [own.take() ?? []].flat();
  await Promise.all(
    workers.map((worker) =>
      worker.ask("usage", undefined, {
        timeoutMs: USAGE_TIMEOUT_MS,
        onPart: (part) => void parts.push(part),
      }),
    ),
  );
  return parts;
}

interface AdminParts {
  readonly tools: WorkersTools;
  readonly readyOnes: () => Workers;
  readonly metrics: MergedMetrics;
}

function startAdmin(
  primary: Primary,
  { tools, readyOnes, metrics }: AdminParts,
): ReturnType<typeof startAdminListener> {
  const state = {
    // One is enough: the others' connections go to it, and whoever asks should not turn away from all of them.
    get isReady() {
      return primary.isServing && readyOnes().length > 0;
    },
  };
  return startAdminListener(state, {
    ...tools,
    config: () => primary.live.config,
    whitelist: () => primary.live.whitelist,
    metrics: () => metrics.snapshot(),
    async peers() {
      const { all, ...met } = await mergePeers(readyOnes());
      return { ...met, peers: () => all };
    },
    traceRoutes(turns) {
      const source = createMergedTraces(readyOnes);
      return createSourceRoutes({ source, clock: tools.clock, turns }, SEARCHES_MAX);
    },
  });
}

interface Opened {
  readonly doors: ReadonlyMap<ListenerName, Door>;
  readonly faults: readonly unknown[];
  /** Doors, then the admin listener. */
  readonly close: () => Promise<void>;
}

/** All are tried before any fault is told, so an operator sees every taken address at once. */
async function openAll(
  config: Config,
  handOut: HandOut<Socket>,
  openAdmin: () => ReturnType<typeof startAdminListener>,
): Promise<Opened> {
  const doors = new Map<ListenerName, Door>();
  const open = async (listener: ListenerName): Promise<void> => {
    const address = config[listener]?.listen;
    if (address === undefined) return;
    doors.set(listener, await startDoor(address, (socket) => handOut.offer({ listener, socket })));
  };
  const [admin, ...sides] = await Promise.allSettled([openAdmin(), open("inbound"), open("outbound")]);
  return {
    doors,
    faults: [admin, ...sides].flatMap((start) =>
      start.status === "rejected" ? [start.reason as unknown] : [],
    ),
    async close() {
      for (const door of doors.values()) door.close();
      if (admin.status === "fulfilled") await admin.value?.stop();
    },
  };
}

/**
 * A worker that is started meanwhile begins with the new config.
 *
 * @returns keys that need a restart, and then nothing was changed
 * @throws Error that names each worker which did not take it over: that one goes on with the old config, the others with the new
 */
async function reload(
  primary: Primary,
  crew: Crew<Socket>,
  { next, count }: { readonly next: Config; readonly count: number },
): Promise<readonly string[]> {
  const keys = findRestartKeys(primary.live.config, next);
  if (keys.length > 0) return keys;
  primary.live = { config: next, whitelist: await createWhitelist(next.whitelist) };
  const failures = await Promise.all(
    crew.workers().map(async (worker) => {
      let refused: readonly string[] = [];
      const reason = await worker.ask("reload", shareOf(next, worker.number, count), {
        timeoutMs: RELOAD_TIMEOUT_MS,
        onPart: (part) => void (refused = part),
      });
      if (reason === undefined && refused.length === 0) return [];
      return [`worker ${worker.number}: ${reason ?? `needs a restart for ${refused.join(", ")}`}`];
    }),
  );
  if (failures.flat().length > 0) throw new Error(failures.flat().join("; "));
  return [];
}
