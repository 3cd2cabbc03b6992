/**
 * Trace headers as peers send them: none, good ones, sampled ones, broken ones, baggage.
 *
 * Sources: https://www.w3.org/TR/trace-context-2/, https://www.w3.org/TR/baggage/ and
 * https://www.jaegertracing.io/docs/1.52/client-libraries/#propagation-format; names as Synapse writes them.
 */

import type { Random } from "../core/random.ts";
import { createPicker } from "./chance.ts";

/** `none`: no request has one; `some`: half of them; `all`: each of them. */
export type TraceShare = (typeof TRACE_SHARES)[number];

export const TRACE_SHARES = ["none", "some", "all"] as const;

type Headers = Readonly<Record<string, string>>;

interface TraceKind {
  readonly what: string;
  /** Of 100 requests, with `some`. */
  readonly share: number;
  readonly headers: (random: Random) => Headers;
}

const KINDS: readonly TraceKind[] = [
  { what: "nothing", share: 50, headers: () => ({}) },
  { what: "Jaeger, not sampled", share: 14, headers: (random) => ({ "Uber-Trace-Id": jaeger(random, "0") }) },
  { what: "Jaeger, sampled", share: 5, headers: (random) => ({ "Uber-Trace-Id": jaeger(random, "1") }) },
  { what: "W3C, not sampled", share: 14, headers: (random) => ({ traceparent: w3c(random, "00") }) },
  { what: "W3C, sampled", share: 5, headers: (random) => ({ traceparent: w3c(random, "01") }) },
  {
    what: "W3C with its neighbours",
    share: 3,
    headers: (random) => ({
      traceparent: w3c(random, "00"),
      tracestate: "vendor=loadgen",
      baggage: "user=loadgen,session=1",
    }),
  },
  {
    what: "forced, as Synapse does for a user that is watched", // As captured with invites.
    share: 2,
    headers: (random) => ({
      "Uber-Trace-Id": jaeger(random, "3"),
      "Uberctx-Synapse-Force-Tracing": "1",
    }),
  },
  { what: "baggage alone", share: 2, headers: () => ({ baggage: "user=loadgen" }) },
  { what: "an id of no length", share: 1, headers: () => ({ "Uber-Trace-Id": "zzz" }) },
  { what: "a trace id of zeros", share: 1, headers: () => ({ traceparent: BROKEN.zeros }) },
  { what: "digits too few", share: 1, headers: () => ({ traceparent: BROKEN.short }) },
  { what: "no version that there is", share: 1, headers: () => ({ traceparent: BROKEN.version }) },
  { what: "too many fields", share: 1, headers: () => ({ "Uber-Trace-Id": "1:2:3:4:5" }) },
];

const BROKEN = {
  zeros: "00-00000000000000000000000000000000-b7ad6b7169203331-01",
  short: "00-0af7651916cd43dd8448eb2-b7ad6b7169203331-01",
  version: "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
} as const;

/** @returns the trace headers of one request after the other */
export function createTraceLines(share: TraceShare, random: Random): () => Headers {
  if (share === "none") return () => ({});
  const kinds = share === "all" ? KINDS.slice(1) : KINDS;
  const pick = createPicker(kinds, (kind) => kind.share);
  return () => pick(random.fraction()).headers(random);
}

function w3c(random: Random, flags: string): string {
  return `00-${random.traceId()}-${random.spanId()}-${flags}`;
}

/** Trace ids of 64 bits, as Synapse has them. */
function jaeger(random: Random, flags: string): string {
  return `${random.spanId()}:${random.spanId()}:${random.spanId()}:${flags}`;
}
