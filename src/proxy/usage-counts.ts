/** From what an exchange knows at its end to what usage reports count of it (usage/recorder.ts). */

import type { ExchangeFacts } from "./exchange-span.ts";

/** What the usage recorder is to a proxy. */
export interface UsageCounts {
  used(request: {
    readonly direction: "inbound" | "outbound";
    readonly peer: string | undefined;
    readonly status: number | undefined;
    readonly milliseconds: number;
    readonly bytes: number;
    readonly isSampled: boolean;
    readonly isFirstOfTrace: boolean;
    readonly transaction: { readonly pdus: number; readonly edus: number } | undefined;
  }): void;
}

/** A request is over, or became a tunnel or a WebSocket; counted once. */
export function countUsage(usage: UsageCounts, facts: ExchangeFacts, endUnixMs: number): void {
  const { direction, crossing, status, startUnixMs, responseBytes, requestBytes, units } = facts;
  const { peer, context, parent } = crossing;
  usage.used({
    direction,
    peer: peer.name,
    status,
    milliseconds: endUnixMs - startUnixMs,
    bytes: requestBytes + responseBytes,
    isSampled: context.isSampled,
    // A request of the own server's that has a parent belongs to a trace that was counted when it came in, or began with it.
    isFirstOfTrace: direction === "inbound" || parent === undefined,
    transaction: units,
  });
}
