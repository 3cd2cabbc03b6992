/** From what an exchange knows at its end to what usage reports count of it (usage/recorder.ts). */

import { reaches } from "../peer/proof.ts";
import type { UsageRecorder } from "../usage/recorder.ts";
import type { ExchangeFacts } from "./exchange-span.ts";

/** Matrix: every federation request is signed but these (`REQUIRE_AUTH = False` in synapse/federation/transport/server). */
const SIGNED_PREFIX = "/_matrix/federation/";
const UNSIGNED: ReadonlySet<string> = new Set([
  "/_matrix/federation/v1/version",
  "/_matrix/federation/v1/openid/userinfo",
  "/_matrix/federation/v1/3pid/onbind",
]);
/** ActivityPub: who delivers an activity signs it. */
const INBOX = /\/inbox$/;

/** What the usage recorder is to a proxy. */
export type UsageCounts = Pick<UsageRecorder, "used">;

/** A request is over, or became a tunnel or a WebSocket; counted once. */
export function countUsage(usage: UsageCounts, facts: ExchangeFacts, endUnixMs: number): void {
  const { direction, crossing, status, startUnixMs, responseBytes, requestBytes, units } = facts;
  const { peer, context, parent } = crossing;
  usage.used({
    direction,
    peer: isProvenBySuccess(facts) ? peer.name : undefined,
    status,
    milliseconds: endUnixMs - startUnixMs,
    bytes: requestBytes + responseBytes,
    isSampled: context.isSampled,
    // A request of the own server's that has a parent belongs to a trace that was counted when it came in, or began with it.
    isFirstOfTrace: direction === "inbound" || parent === undefined,
    transaction: units,
  });
}

/**
 * Whether a 2xx says that the peer is who it says: its name was proven here, or the own server answers this only to whom it has
 * verified. What it answers to everybody proves nothing, or anybody could make up as many peers as there is room for.
 */
function isProvenBySuccess({ direction, crossing, route, head }: ExchangeFacts): boolean {
  if (direction === "outbound" || reaches(crossing.peer.proof, "network")) return true;
  if (route === undefined) return false;
  if (route.startsWith(SIGNED_PREFIX)) return !UNSIGNED.has(route);
  return head.method === "POST" && INBOX.test(route);
}
