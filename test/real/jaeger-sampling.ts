/**
 * A real Jaeger 2 that hands out sampling strategies: from a file, or as it works them out itself (adaptive).
 *
 * Config: https://www.jaegertracing.io/docs/2.13/configuration/ (extension `remote_sampling`, processor `adaptive_sampling`).
 */

import { type Jaeger, type MoreParts, startJaeger } from "./jaeger.ts";

export interface SamplingJaeger extends Jaeger {
  /** `http://127.0.0.1:PORT/sampling` */
  readonly samplingUrl: string;
}

/** How often Jaeger looks at its file. */
const RELOAD_MS = 200;

/** @param path of a strategies file that is there @param ports of a Jaeger that was there before */
export function startFileSampling(
  program: string,
  path: string,
  ports?: readonly number[],
): Promise<SamplingJaeger> {
  const toParts: ToParts = (http) => ({
    extensions: { remote_sampling: { file: { path, reload_interval: `${RELOAD_MS}ms` }, http } },
  });
  return startSampling(program, toParts, ports);
}

/** As fast as it can be had; all are `remote_sampling.adaptive` of Jaeger's config. */
const ADAPTIVE = {
  initial_sampling_probability: 0.1,
  min_sampling_probability: 0.001,
  target_samples_per_second: 1,
  calculation_interval: "1s",
  /** Two minutes unless set: what is newer isn't counted yet. */
  calculation_delay: "1s",
  aggregation_buckets: 10,
  leader_lease_refresh_interval: "1s",
  follower_lease_refresh_interval: "2s",
} as const;

export const INITIAL_PROBABILITY = ADAPTIVE.initial_sampling_probability;
/** Default of Jaeger's `min_samples_per_second`: the lower bound of each operation. */
export const MIN_PER_SECOND = 1 / 60;
/** Until spans of now are in a probability: the delay, and one whole interval. */
export const CALCULATED_MS = 2000;

/**
 * What one Jaeger works out, it hands out after its next start only: `Provider` reads probabilities when it starts and, every 20 s, if it
 * is not the leader; with memory or Badger as the store each process is the leader. So the store is Badger, and a test starts it twice.
 *
 * @param directory of the store, which outlives this Jaeger
 * @param ports of a Jaeger that was there before
 */
export function startAdaptiveSampling(
  program: string,
  directory: string,
  ports?: readonly number[],
): Promise<SamplingJaeger> {
  const badger = { directories: { keys: directory, values: directory }, ephemeral: false };
  const toParts: ToParts = (http) => ({
    backends: { sampling: { badger } },
    extensions: { remote_sampling: { adaptive: { sampling_store: "sampling", ...ADAPTIVE }, http } },
    processors: { adaptive_sampling: {} },
  });
  return startSampling(program, toParts, ports);
}

type ToParts = (http: { readonly endpoint: string }) => MoreParts;

async function startSampling(
  program: string,
  toParts: ToParts,
  ports?: readonly number[],
): Promise<SamplingJaeger> {
  let endpoint = "";
  const jaeger = await startJaeger(
    program,
    () => ({}),
    (port) => {
      endpoint = `127.0.0.1:${port}`;
      return toParts({ endpoint });
    },
    ports,
  );
  return { ...jaeger, samplingUrl: `http://${endpoint}/sampling` };
}
