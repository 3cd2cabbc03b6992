/**
 * From `sampling` to what decides about traces: samplers, where their strategy comes from, budgets, back-pressure, debug passes. A part of
 * the composition root (app.ts).
 *
 * What counts (tokens, traces that were kept, a peer's share, a pass's uses) outlives a reload, and so does a source whose options stay as
 * they are; samplers are made anew by each.
 */

import type { Exporters } from "./app-export.ts";
import type { Config } from "./config/merge.ts";
import { watchFile } from "./config/watch.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import type { Random } from "./core/random.ts";
import {
  createPassMetrics,
  createPressureMetrics,
  createStrategyMetrics,
} from "./metrics/sampling-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { createPassBook, type PassBook } from "./passes/debug-pass.ts";
import { createWhitelist } from "./peer/whitelist.ts";
import type { BorderPolicy } from "./proxy/border.ts";
import { type Buckets, createBuckets } from "./sampling/buckets.ts";
import { createCeiling } from "./sampling/ceiling.ts";
import { createForcedBudget } from "./sampling/forced.ts";
import { createKeptTraces } from "./sampling/kept-traces.ts";
import { createPressure } from "./sampling/pressure.ts";
import { createSampler, type Sampler, simpleSampler } from "./sampling/samplers.ts";
import { createPeerShare } from "./sampling/share.ts";
import type { SamplerSpec, Strategy } from "./sampling/strategy.ts";
import { startFileStrategy } from "./strategies/file-strategy.ts";
import { startRemoteStrategy } from "./strategies/remote-strategy.ts";
import type { StrategySource, StrategyTools } from "./strategies/strategy-source.ts";

interface SamplingTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly registry: Registry;
  readonly exporters: Pick<Exporters, "fullness" | "tail">;
  /** Processes that share every rate. */
  readonly workers: number;
  /** For the other workers. */
  readonly onPassUsed: ((passId: string, expiresUnixMs: number) => void) | undefined;
}

export interface Sampling {
  /**
   * What a config decides by. A new source of strategies is waited for half a second at most.
   *
   * @throws FedtraceError CONFIG_INVALID where a strategy file can't be used; nothing is changed then
   */
  use(config: Config): Promise<Pick<BorderPolicy, "sampling" | "samplerOf" | "passes">>;
  /** Reads a strategy file now. */
  look(): void;
  /** Of a worker: another one let a pass in. */
  notePassUsed(passId: string, expiresUnixMs: number): void;
  stop(): void;
}

const NOTHING: Strategy = { sampler: { type: "const", param: 0 }, operations: [], lowerBound: 0 };

/** How long a start waits for a strategy: one that is there comes in some milliseconds. */
const SOURCE_WAIT_MS = 500;

export function createSampling(tools: SamplingTools): Sampling {
  const { clock, log, registry, exporters, workers } = tools;
  const buckets = createBuckets({ share: 1 / workers });
  const pressure = createPressure((nowMs) => exporters.fullness(nowMs), log);
  createPressureMetrics(registry, () => pressure.step(clock.monotonicMs()));
  const followed = createFollowed(tools, buckets);
  const passes = createPasses(tools);
  const parts = {
    forced: createForcedBudget(clock),
    share: createPeerShare(),
    kept: createKeptTraces(),
    pressure,
  };
  return {
    async use({ sampling, isSdkDisabled, serverName, resource }) {
      const samplerOf = await createSamplerOf(sampling.peers, buckets);
      const passBook = isSdkDisabled ? undefined : await passes.use(sampling.debugPassSecret, serverName);
      // Last: what can't be used is known by now, and a running source is not ended for it.
      const remote = isSdkDisabled ? undefined : sampling.remote;
      const sampler = await followed.follow(remote, resource.serviceName, localStrategy(sampling));
      return {
        sampling: {
          ...parts,
          isOff: isSdkDisabled,
          sampler,
          ceiling:
            sampling.maxPerSecond === undefined ? undefined : createCeiling(sampling.maxPerSecond, buckets),
        },
        samplerOf,
        passes: passBook,
      };
    },
    notePassUsed: (passId, expiresUnixMs) => passes.noteUsed(passId, expiresUnixMs),
    look: () => followed.look(),
    stop: () => followed.stop(),
  };
}

function localStrategy({ type, param, operations, lowerBound }: Config["sampling"]): Strategy {
  const words = { type: type === "remote" ? ("probabilistic" as const) : type, param };
  return {
    sampler: specOf(words),
    operations: operations.map(({ operation, sampler }) => ({
      operation,
      isLiteral: false,
      sampler: specOf(sampler),
    })),
    lowerBound,
  };
}

/** A checked sampler of the config in the words of sampling/strategy.ts. */
function specOf({ type, param }: Pick<SamplerSpec, "type"> & { readonly param: number }): SamplerSpec {
  return type === "const" ? { type, param: param === 1 ? 1 : 0 } : { type, param };
}

interface Followed {
  /** @returns what samples by what the source says, and by the local strategy until it says something, or where there is no source */
  follow(remote: Config["sampling"]["remote"], service: string, local: Strategy): Promise<Sampler>;
  look(): void;
  stop(): void;
}

function createFollowed(tools: SamplingTools, buckets: Buckets): Followed {
  const counted = createStrategyMetrics(tools.registry);
  let running: { readonly key: string; readonly source: StrategySource } | undefined;
  let local = NOTHING;
  let said: Strategy | undefined;
  let current = createSampler(NOTHING, buckets);
  let isStopped = false;

  function renew(): void {
    current = createSampler(said === undefined ? local : beneath(local, said), buckets);
  }

  const following: Sampler = {
    get description() {
      return `remote: ${current.description}`;
    },
    get isByTurn() {
      return current.isByTurn;
    },
    get guarantee() {
      return current.guarantee;
    },
    isRated: (operation) => current.isRated(operation),
    sample: (candidate) => current.sample(candidate),
  };

  return {
    async follow(remote, service, localStrategy) {
      const key = JSON.stringify([remote, service]);
      if (key !== running?.key) {
        let fresh: Strategy | undefined;
        const source =
          remote &&
          startSource(remote, service, {
            ...tools,
            counters: { polled: counted },
            onStrategy(strategy) {
              fresh = strategy;
              if (running?.key !== key) return; // Not in force yet.
              said = strategy;
              renew();
            },
          });
        await untilReady(source);
        // While it was waited for.
        if (isStopped) {
          source?.stop();
          return following;
        }
        running?.source.stop();
        running = source && { key, source };
        said = fresh;
      }
      local = localStrategy;
      renew();
      return running === undefined ? current : following;
    },
    look: () => running?.source.look(),
    stop() {
      isStopped = true;
      running?.source.stop();
    },
  };
}

/** The operator's own rules go first; the rest is the strategy's. */
function beneath(local: Strategy, said: Strategy): Strategy {
  return {
    sampler: said.sampler,
    operations: [...local.operations, ...said.operations],
    lowerBound: Math.max(local.lowerBound, said.lowerBound),
  };
}

function startSource(
  remote: NonNullable<Config["sampling"]["remote"]>,
  service: string,
  tools: StrategyTools,
): StrategySource {
  const { url, file } = remote;
  if (url === undefined) {
    return startFileStrategy({ ...remote, path: file ?? "", service }, { ...tools, watch: watchFile });
  }
  return startRemoteStrategy({ ...remote, url, service }, tools);
}

async function untilReady(source: StrategySource | undefined): Promise<void> {
  if (source === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, SOURCE_WAIT_MS);
  });
  try {
    await Promise.race([source.ready, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function createSamplerOf(
  peers: Config["sampling"]["peers"],
  buckets: Buckets,
): Promise<BorderPolicy["samplerOf"]> {
  if (peers.length === 0) return undefined;
  const samplers = peers.map(({ text, sampler }) => simpleSampler(specOf(sampler), buckets, `peer: ${text}`));
  const list = await createWhitelist(
    peers.map(({ kind, text }) => ({ kind, text, sampling: "accept", forcedPerSecond: 0 })),
  );
  return (peer) => samplers[list.decide(peer).entry?.index ?? -1];
}

interface Passes {
  use(secret: string | undefined, audience: string): Promise<BorderPolicy["passes"]>;
  noteUsed(passId: string, expiresUnixMs: number): void;
}

/** Secrets that one process has had; an operator changes one now and then. */
const BOOKS_MAX = 8;

/** One book for each secret, for as long as the process: a new one would count every pass from the beginning. */
function createPasses({ clock, registry, exporters, onPassUsed = () => undefined }: SamplingTools): Passes {
  const presented = createPassMetrics(registry);
  /** By their secret; the one in use last. */
  const books = new Map<string, PassBook>();
  return {
    async use(secret, audience) {
      if (secret === undefined) return undefined;
      const tools = { clock, counters: { presented }, onUsed: onPassUsed };
      const book = books.get(secret) ?? (await createPassBook({ secret, audience }, tools));
      books.delete(secret);
      books.set(secret, book);
      for (const oldest of books.keys()) if (books.size > BOOKS_MAX) books.delete(oldest);
      return {
        admits(token, peer, traceId) {
          const isAdmitted = book.admits(token, peer, traceId);
          // What was held of this trace before is part of what was asked for.
          if (isAdmitted) exporters.tail?.promote(traceId, "asked");
          return isAdmitted;
        },
      };
    },
    noteUsed(passId, expiresUnixMs) {
      for (const book of [...books.values()].slice(-1)) book.noteUsed(passId, expiresUnixMs);
    },
  };
}
