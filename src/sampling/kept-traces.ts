/**
 * What was decided about a trace because there was a token left, or none: its next request is decided likewise, for a minute, or
 * the trace would be torn by what other traces took meanwhile.
 */

/** As long as a forced one is remembered (forced.ts). */
const KEPT_MS = 60_000;
/** Some 3 MB. A rate of 270 new traces a second fills it. */
const TRACES_MAX = 16_384;

/** Why it is kept: there was a token, or a debug pass. */
export type KeptBy = "turn" | "debug_pass";

export interface KeptTraces {
  /** How the trace was kept within the last minute. */
  find(traceId: string, nowMs: number): KeptBy | undefined;
  keep(traceId: string, by: KeptBy, nowMs: number): void;
  /** @param key the trace's id; of one that a peer brought, with the peer's name: nobody else is to suffer from what it is refused */
  refuse(key: string, nowMs: number): void;
  /** Whether it was refused a short while ago: within half a minute to a minute, or less if many were. */
  isRefused(key: string, nowMs: number): boolean;
}

export function createKeptTraces(tracesMax = TRACES_MAX): KeptTraces {
  /** The oldest first. */
  const kept = new Map<string, { readonly by: KeptBy; readonly keptAtMs: number }>();
  // Two generations: most requests are refused, and one that is must cost no more than an entry in a set.
  let refused = new Set<string>();
  let refusedBefore = new Set<string>();
  let begunAtMs = -Infinity;

  function renew(nowMs: number): void {
    const isOld = nowMs - begunAtMs >= KEPT_MS / 2;
    if (!isOld && refused.size < tracesMax / 2) return;
    // After a rest both are old.
    refusedBefore = nowMs - begunAtMs >= KEPT_MS ? new Set() : refused;
    refused = new Set();
    begunAtMs = nowMs;
  }

  return {
    find(traceId, nowMs) {
      if (kept.size === 0) return undefined;
      const known = kept.get(traceId);
      return known !== undefined && nowMs - known.keptAtMs < KEPT_MS ? known.by : undefined;
    },
    keep(traceId, by, nowMs) {
      kept.delete(traceId);
      kept.set(traceId, { by, keptAtMs: nowMs });
      for (const [oldest, { keptAtMs }] of kept) {
        if (kept.size <= tracesMax && nowMs - keptAtMs < KEPT_MS) break;
        kept.delete(oldest);
      }
    },
    refuse(key, nowMs) {
      renew(nowMs);
      refused.add(key);
    },
    isRefused(key, nowMs) {
      renew(nowMs);
      return refused.has(key) || refusedBefore.has(key);
    },
  };
}
