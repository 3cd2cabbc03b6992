/**
 * Traces that were kept because there was a token left, for a minute: the next request of one is kept without another token, or a
 * trace would be torn by what other traces took meanwhile.
 */

import type { SamplingDecision } from "./decision.ts";

/** As long as a forced one is remembered (forced.ts). */
const KEPT_MS = 60_000;
/** Some 3 MB. A rate of 270 new traces a second fills it. */
const TRACES_MAX = 16_384;

export interface KeptTraces {
  /** What was decided when the trace was kept, within the last minute. */
  find(traceId: string, nowMs: number): SamplingDecision | undefined;
  keep(traceId: string, decision: SamplingDecision, nowMs: number): void;
}

export function createKeptTraces(tracesMax = TRACES_MAX): KeptTraces {
  /** The oldest first. */
  const traces = new Map<string, { readonly decision: SamplingDecision; readonly keptAtMs: number }>();
  return {
    find(traceId, nowMs) {
      const known = traces.get(traceId);
      return known !== undefined && nowMs - known.keptAtMs < KEPT_MS ? known.decision : undefined;
    },
    keep(traceId, decision, nowMs) {
      traces.delete(traceId);
      traces.set(traceId, { decision, keptAtMs: nowMs });
      for (const [oldest, { keptAtMs }] of traces) {
        if (traces.size <= tracesMax && nowMs - keptAtMs < KEPT_MS) break;
        traces.delete(oldest);
      }
    },
  };
}
