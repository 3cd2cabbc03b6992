/**
 * A span that was not sampled when its request began and is kept all the same (store/tail-buffer.ts), as one that is.
 *
 * It says so itself, and by what: who counts spans must not take it for one of so many. Its tracestate names no threshold, since one that
 * is not sampled never has any (sampling/decision.ts). Ids and times stay: peers were told them.
 */

import type { TraceContext } from "../propagation/context.ts";
import type { SamplingFacts } from "./conventions.ts";
import type { EndedSpan } from "./encoded-span.ts";
import { SpanRecord } from "./record.ts";

/** What decided that the span is recorded, where it was not the sampler. */
const DECIDED_KEY = "fedtrace.sampling.decided";

type KeptBecause = Extract<SamplingFacts["decided"], `tail_${string}`>;

/** @returns a new record; links to spans of the same trace are sampled too, since these are kept with it */
export function keptRecord(span: EndedSpan, why: KeptBecause): SpanRecord {
  const { origin, fields } = span.toRecord();
  const asSampled = (context: TraceContext): TraceContext => ({ ...context, isSampled: true });
  const { traceId } = fields.context;
  return new SpanRecord(origin, {
    ...fields,
    context: asSampled(fields.context),
    attributes: { ...fields.attributes, [DECIDED_KEY]: why },
    links: fields.links.map((link) =>
      link.context.traceId === traceId ? { ...link, context: asSampled(link.context) } : link,
    ),
  });
}
