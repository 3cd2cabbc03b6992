/**
 * `propagation.outbound_ids: per_peer`: the trace id that a destination is given in the place of ours.
 *
 * ```
 *   trace id = the first 16 bytes of HMAC-SHA-256(key, our trace id in 32 hex digits ‖ the destination's name)
 *   span id  = random
 * ```
 * So two destinations can't tell that they were given the same trace, one that is asked again is given the same id, whichever worker
 * asks, and nobody without the key gets from one id to another. Why so: docs/decisions, "A trace id for each peer".
 * It costs 3.3 µs of CPU for each attempt. Not here: any way back. Our span says what was sent (exchange-span.ts), and the store finds it by that.
 */

import { createSecret, type Random } from "../core/random.ts";
import { parseServerName } from "../peer/server-name.ts";
import type { TraceContext } from "../propagation/context.ts";

/** As long as what the hash gives: a longer key adds nothing (RFC 2104 section 3). */
const KEY_BYTES = 32;

const TRACE_ID_DIGITS = 32;
const NO_ID = "0".repeat(TRACE_ID_DIGITS);
const LEAST_ID = "1".padStart(TRACE_ID_DIGITS, "0");

export interface OutboundIds {
  /**
   * What is sent in the place of `context`: of ours it keeps the sampled flag and nothing else.
   *
   * Its span id is not our span's: a link that names a span of its own trace makes Jaeger's page take the span for its own parent, and
   * leave it out. `tracestate` stays here, since it would be the same everywhere; the random flag is always set, as it is
   * true of a keyed hash and then tells nothing of where the trace began.
   *
   * @param destination a whitelisted name; letter case and the root's dot make no difference, the port does
   */
  contextFor(context: TraceContext, destination: string): TraceContext;
}

/** 32 random bytes: once a sidecar, for all its workers. */
export function createOutboundIdKey(): Uint8Array {
  return createSecret(KEY_BYTES);
}

/** @param key of `createOutboundIdKey` */
export async function createOutboundIds(
  key: Uint8Array,
  random: Pick<Random, "spanId">,
): Promise<OutboundIds> {
  // Costs its share of the start-up time, so only those pay who ask for it.
  const { createHmac } = await import("node:crypto");
  return {
    contextFor({ traceId, isSampled }, destination) {
      const name = parseServerName(destination)?.name ?? destination;
      const digest = createHmac("sha256", key)
        .update(traceId + name, "latin1")
        .digest("hex");
      return {
        traceId: traceIdOf(digest),
        spanId: random.spanId(),
        isSampled,
        isRandom: true,
        traceState: "",
      };
    },
  };
}

/** All zero is "no id" in every format. @param digest hex digits, 32 at least */
export function traceIdOf(digest: string): string {
  const id = digest.slice(0, TRACE_ID_DIGITS);
  return id === NO_ID ? LEAST_ID : id;
}
