/**
 * One trace under two ids: ours, and the one that a peer was given in its place (`propagation.outbound_ids: per_peer`).
 *
 * Our client span names the peer's id in a tag; what the peer sends within that trace stands under its id. Both ways are asked of
 * Jaeger's query API as it is: by a trace's id, and by a search for the tag.
 */

import { type Fetched, fetchJson } from "./api.ts";
import { isHexId } from "./hash-route.ts";
import { attributeOf, parseNames, parseTraces, type Span, type Trace } from "./jaeger-model.ts";

const PEER_TRACE_ID = "fedtrace.peer.trace_id";
const TRACE_ID_DIGITS = 32;

/** The API asks for one service at a time; "any" asks for each, up to this many. */
export const SERVICES_ASKED_MAX = 8;
/** An id belongs to one trace of ours: more than one are guests' spans that say so. */
const TRACES_MAX = 5;

/** Our trace, as the peer that was given the id asked about stands in it. */
export interface OurTrace {
  readonly traceId: string;
  /** The client span that sent the id: the first, where it was sent again. */
  readonly spanId: string;
  /** Empty where no name is known. */
  readonly peer: string;
}

/** @returns the id that the span's peer was given in the place of ours; undefined where it was given ours, or what is no id */
export function peerTraceIdOf(span: Span): string | undefined {
  const id = attributeOf(span, PEER_TRACE_ID);
  return typeof id === "string" && isHexId(id, TRACE_ID_DIGITS) ? id.toLowerCase() : undefined;
}

/** Whether it goes on with a context that came from a peer, and may so be a trace of ours under the peer's id. */
export function isContinued({ spans }: Trace): boolean {
  return spans.some(
    (span) =>
      attributeOf(span, "fedtrace.direction") === "inbound" &&
      attributeOf(span, "fedtrace.context") === "extracted",
  );
}

/** Each trace once. */
export function findOurTraces(traces: readonly Trace[], peerTraceId: string): readonly OurTrace[] {
  const found = new Map<string, OurTrace>();
  for (const { traceId, spans } of traces) {
    const sent = spans.filter((span) => peerTraceIdOf(span) === peerTraceId);
    const [first] = sent.sort((left, right) => left.startUs - right.startUs);
    if (first === undefined || found.has(traceId)) continue;
    found.set(traceId, {
      traceId,
      spanId: first.spanId,
      peer: String(attributeOf(first, "fedtrace.peer.name") ?? ""),
    });
  }
  return [...found.values()];
}

/** @param traceId of which a peer may speak; old clients leave leading zeros out @returns none where it is no id of a peer's */
export async function askOurTraces(
  traceId: string,
  signal: AbortSignal,
): Promise<Fetched<readonly OurTrace[]>> {
  const services = await fetchJson("/api/services", parseNames, signal);
  if ("problem" in services) return services;
  const peerTraceId = traceId.padStart(TRACE_ID_DIGITS, "0");
  const answers = await Promise.all(
    services.value
      .slice(0, SERVICES_ASKED_MAX)
      .map((service) => fetchJson(searchPath(service, peerTraceId), parseTraces, signal)),
  );
  const traces: Trace[] = [];
  for (const answer of answers) {
    if ("problem" in answer) return answer;
    traces.push(...answer.value);
  }
  return { value: findOurTraces(traces, peerTraceId) };
}

/** All that the store has, from 1970 on. */
function searchPath(service: string, peerTraceId: string): string {
  const tags = JSON.stringify({ [PEER_TRACE_ID]: peerTraceId });
  const query = new URLSearchParams({ service, tags, start: "0", limit: String(TRACES_MAX) });
  return `/api/traces?${query.toString()}`;
}
