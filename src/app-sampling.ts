/**
 * From `sampling` to what decides about traces: samplers, budgets, back-pressure. A part of the composition root (app.ts).
 *
 * What counts (tokens, traces that were kept, a peer's share) outlives a reload; samplers are made anew by each.
 */

import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import { createPressureMetrics } from "./metrics/sampling-metrics.ts";
import type { Registry } from "./metrics/registry.ts";
import { createWhitelist } from "./peer/whitelist.ts";
import type { BorderPolicy } from "./proxy/border.ts";
import { type Buckets, createBuckets } from "./sampling/buckets.ts";
import { createForcedBudget } from "./sampling/forced.ts";
import { createKeptTraces } from "./sampling/kept-traces.ts";
import { createPressure } from "./sampling/pressure.ts";
import { createSampler, simpleSampler } from "./sampling/samplers.ts";
import { createPeerShare } from "./sampling/share.ts";
import type { SamplerSpec, Strategy } from "./sampling/strategy.ts";

interface SamplingTools {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  /** Of the exporters' queues, 0 to 1. */
  readonly fullness: (nowMs: number) => number;
  /** Processes that share every rate. */
  readonly workers: number;
}

export interface Sampling {
  /** What a config decides by. */
  use(config: Config): Promise<Pick<BorderPolicy, "sampling" | "samplerOf">>;
}

const NOTHING: Strategy = { sampler: { type: "const", param: 0 }, operations: [], lowerBound: 0 };

export function createSampling({ clock, log, registry, fullness, workers }: SamplingTools): Sampling {
  const buckets = createBuckets({ share: 1 / workers });
  const pressure = createPressure(fullness, log);
  createPressureMetrics(registry, () => pressure.step(clock.monotonicMs()));
  const parts = {
    forced: createForcedBudget(clock),
    share: createPeerShare(),
    kept: createKeptTraces(),
    pressure,
    buckets,
  };
  return {
    async use({ sampling, isSdkDisabled }) {
      const strategy = isSdkDisabled ? NOTHING : localStrategy(sampling);
      return {
        sampling: {
          ...parts,
          sampler: createSampler(strategy, buckets),
          maxPerSecond: sampling.maxPerSecond,
        },
        samplerOf: isSdkDisabled ? undefined : await createSamplerOf(sampling.peers, buckets),
      };
    },
  };
}

function localStrategy({ type, param, operations, lowerBound }: Config["sampling"]): Strategy {
  const words = { type: type === "remote" ? "probabilistic" : type, param };
  return {
    sampler: specOf(words),
    operations: operations.map(({ operation, sampler }) => ({ operation, sampler: specOf(sampler) })),
    lowerBound,
  };
}

/** A checked sampler of the config in the words of sampling/strategy.ts. */
function specOf({ type, param }: Pick<SamplerSpec, "type"> & { readonly param: number }): SamplerSpec {
  return type === "const" ? { type, param: param === 1 ? 1 : 0 } : { type, param };
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
