/** From what an exchange knows when it is answered to what is counted of its request, in families of many labels (metrics/). */

import { ERROR_STATUS } from "../core/errors.ts";
import type { ExemplarIds } from "../metrics/children.ts";
import type { TrafficMetrics } from "../metrics/traffic-metrics.ts";
import { errorType } from "../span/conventions.ts";
import { knownMethod } from "../span/span-name.ts";
import { type ExchangeFacts, hasFailed, protocolVersion } from "./exchange-span.ts";

/** A request is answered, or failed; counted once. Of one that became a tunnel or a WebSocket when that began: its time says nothing more. */
export function countRequest(traffic: TrafficMetrics, facts: ExchangeFacts, endUnixMs: number): void {
  const { direction, head, target, client, crossing, status } = facts;
  const seconds = (endUnixMs - facts.startUnixMs) / 1000;
  const exemplar = exemplarOf(facts);
  if (direction === "inbound") {
    traffic.http.served({
      method: knownMethod(head.method),
      route: facts.route ?? "",
      path: target.path,
      status,
      ip: facts.clientAddress,
      bytes: facts.responseBytes,
      scheme: client?.scheme ?? target.scheme,
      protocolVersion: protocolVersion(head),
      error: errorType("server", status, facts.error) ?? "",
      seconds,
      exemplar,
    });
  } else {
    countAttempt(traffic, facts, endUnixMs);
  }
  const { name } = crossing.peer;
  if (name === undefined) return;
  if (crossing.isWhitelisted) {
    traffic.peers.met({
      direction,
      peer: name,
      hasFailed: hasFailed(facts) && !isAskersFault(facts),
      endUnixMs,
      seconds,
      exemplar,
    });
  }
  if (direction === "inbound") countDoubts(traffic, facts, name);
}

/** One attempt of the way out, which has a span of its own. */
export function countAttempt({ http }: TrafficMetrics, facts: ExchangeFacts, endUnixMs: number): void {
  const { head, target, status, error } = facts;
  if (target.server === undefined) return; // Nobody was asked: it named none (fedtrace_errors_total has it).
  http.sent({
    method: knownMethod(head.method),
    status,
    address: target.server.address,
    port: target.server.port,
    scheme: target.scheme,
    protocolVersion: protocolVersion(head),
    error: errorType("client", status, error) ?? "",
    seconds: (endUnixMs - facts.startUnixMs) / 1000,
    exemplar: exemplarOf(facts),
  });
}

/** What there is to say of a friend's name besides its requests. */
function countDoubts(
  { peers }: TrafficMetrics,
  { crossing, proofRefusal }: ExchangeFacts,
  name: string,
): void {
  const { isWhitelisted, isUnproven, refusals, asked, decision } = crossing;
  if (isUnproven) peers.nameForged(name, proofRefusal ?? "unproven");
  if (!isWhitelisted) return;
  for (const { reason } of refusals) peers.contextRefused(name, reason);
  if (asked === "sampled" || asked === "debug") {
    peers.samplingForced(name, decision.by === "forced" || decision.by === "debug_pass");
  }
}

/** Who asked went away, or asked what is refused: no failure of the one that was asked. */
function isAskersFault({ direction, error }: ExchangeFacts): boolean {
  if (error === undefined) return false;
  return (
    error === "CLIENT_ABORTED" ||
    (direction === "inbound" ? ERROR_STATUS[error] < 500 : error === "TARGET_REFUSED")
  );
}

/** A trace that can be looked at. */
function exemplarOf({ crossing }: ExchangeFacts): ExemplarIds | undefined {
  return crossing.context.isSampled ? crossing.context : undefined;
}
