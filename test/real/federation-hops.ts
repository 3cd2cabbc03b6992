/**
 * Requests between two traced homeservers, found again: in Jaeger with the spans of all the programs that they went
 * through, and on the wire with the header lines that tell of a trace.
 *
 * ```
 *   Synapse A                       sidecar A     sidecar B     Synapse B
 *   "outgoing-federation-request" ─► CLIENT ─────► SERVER ─────► "incoming-federation-request"
 * ```
 * Both of Synapse's names are of its federation client and server (synapse/http/matrixfederationclient.py and
 * synapse/federation/transport/server/_base.py); its key server answers without looking at who asks, and continues nothing.
 */

import { poll } from "../support/poll.ts";
import { federationRequestsTo } from "./homeserver-pair.ts";
import type { Jaeger, JaegerSpan, JaegerTrace } from "./jaeger.ts";
import type { Homeserver } from "./synapse.ts";

/** One that is traced, by itself or by its sidecar. */
interface End {
  readonly homeserver: Homeserver;
}

interface Ends {
  readonly sender: End;
  readonly receiver: End;
}

/** A request as one of the two sidecars saw it. */
export interface Hop {
  /** The sidecar's name of the request. */
  readonly operation: string;
  /** Of the sidecar's span. */
  readonly tags: Readonly<Record<string, unknown>>;
  /** Of the sidecar's span: their attributes, and the name as `event`. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  /** Whether the sidecar's span names no other, known to Jaeger or not. */
  readonly isRoot: boolean;
  /**
   * From the last span to the first, such as `receiver's sidecar: server`: from the sidecar's own, or the Synapse's behind
   * it that hangs under it, up to where the sender's Synapse begins.
   */
  readonly spans: readonly string[];
}

/** All four export within a second or so; Jaeger answers with thousands of spans. */
const DEADLINE_MS = 30_000;

/**
 * Every request of one server's to the other, as seen at one end, once Jaeger has as many as the receiver's Synapse has
 * logged. The sidecars have to be stopped before, so that all spans were sent.
 *
 * @throws Error with what there is, where they stay fewer, or Synapse's own spans are not under the receiving sidecar's
 */
export async function hopsBetween(jaeger: Jaeger, ends: Ends, seenAt: keyof Ends): Promise<readonly Hop[]> {
  const expected = federationRequestsTo(ends.receiver.homeserver).length;
  let last: readonly Hop[] = [];
  const whole = await poll(async () => {
    const traces = await jaeger.tracesOf(serviceOf(ends[seenAt], "sidecar"));
    last = traces.flatMap((trace) => hopsIn(trace, ends, seenAt));
    return last.length === expected && last.every(isWhole) ? last : undefined;
  }, DEADLINE_MS);
  if (whole !== undefined) return whole;
  const found = last.map((hop) => `${hop.operation}: ${hop.spans.join(", ")}`).join("\n");
  throw new Error(`${last.length} of ${expected} requests, or some without a span of Synapse's:\n${found}`);
}

/** Seen at the receiver, Synapse's own span has come too. */
function isWhole(hop: Hop): boolean {
  return isKeyRequest(hop) || !hop.spans[0]?.startsWith("receiver's sidecar");
}

/** Those whose sender is proven, and those before its key was known. */
export function partByProof(hops: readonly Hop[]): {
  readonly proven: readonly Hop[];
  readonly before: readonly Hop[];
} {
  const isProven = ({ tags }: Hop): boolean => tags["fedtrace.peer.proof"] === "signature";
  return { proven: hops.filter(isProven), before: hops.filter((hop) => !isProven(hop)) };
}

/** Synapse's key server makes no span under the sidecar's. */
export function isKeyRequest({ operation }: Hop): boolean {
  return operation.includes(" /_matrix/key/");
}

const SENT = "outgoing-federation-request";
const HANDLED = "incoming-federation-request";

/** As each names itself to Jaeger: Synapse by its process, of which there is one, and the sidecar by its default. */
function serviceOf({ homeserver }: End, program: "Synapse" | "sidecar"): string {
  return `${homeserver.name} ${program === "Synapse" ? "master" : "fedtrace"}`;
}

function hopsIn(
  { spans, processes }: JaegerTrace,
  { sender, receiver }: Ends,
  seenAt: keyof Ends,
): readonly Hop[] {
  const byId = new Map(spans.map((span) => [span.spanID, span]));
  const parentOf = (span: JaegerSpan): JaegerSpan | undefined =>
    byId.get(span.references.find(({ refType }) => refType === "CHILD_OF")?.spanID ?? "");
  const roles = new Map(
    (["Synapse", "sidecar"] as const).flatMap((program) => [
      [serviceOf(sender, program), `sender's ${program}`],
      [serviceOf(receiver, program), `receiver's ${program}`],
    ]),
  );
  const roleOf = (span: JaegerSpan): string => roles.get(processes[span.processID]?.serviceName ?? "") ?? "";
  function describe(span: JaegerSpan): string {
    const role = roleOf(span);
    return `${role}: ${role.endsWith("sidecar") ? String(tagsOf(span)["span.kind"]) : span.operationName}`;
  }
  /** The span and those above it. */
  function lineFrom(span: JaegerSpan): readonly JaegerSpan[] {
    const parent = span.operationName === SENT ? undefined : parentOf(span);
    return [span, ...(parent === undefined ? [] : lineFrom(parent))];
  }

  const direction = seenAt === "sender" ? "outbound" : "inbound";
  const seen = spans.filter((span) => {
    const tags = tagsOf(span);
    const isSidecars = tags["user_agent.original"] === "fedtrace"; // It asks for the sender's keys.
    return roleOf(span) === `${seenAt}'s sidecar` && tags["fedtrace.direction"] === direction && !isSidecars;
  });
  return seen.map((span) => {
    const handled = spans.find((other) => other.operationName === HANDLED && parentOf(other) === span);
    return {
      operation: span.operationName,
      tags: tagsOf(span),
      events: span.logs.map(({ fields }) => valuesOf(fields)),
      isRoot: span.references.length === 0,
      spans: lineFrom(handled ?? span).map(describe),
    };
  });
}

function tagsOf({ tags }: JaegerSpan): Readonly<Record<string, unknown>> {
  return valuesOf(tags);
}

function valuesOf(tags: JaegerSpan["tags"]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}

const CONTEXT_LINE =
  /^(?:traceparent|tracestate|uber-trace-id|uberctx-[^:]*|jaeger-[^:]*|b3|x-b3-[^:]*|baggage|traceresponse|synapse-trace-id|x-trace-id|server-timing):/i;

/** Names, in lower case, of the header lines that tell of a trace, each once, of requests or answers. */
export function contextNamesIn(heads: readonly string[]): readonly string[] {
  const lines = heads.flatMap((head) => head.split("\r\n")).filter((line) => CONTEXT_LINE.test(line));
  return [...new Set(lines.map((line) => line.slice(0, line.indexOf(":")).toLowerCase()))].sort();
}
