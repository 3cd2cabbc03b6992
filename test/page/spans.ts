/** Spans for tests of the page, as jaeger-model.ts reads them. */

import type { Attribute, Span, Trace } from "../../src/page/jaeger-model.ts";

export function createSpan(spanId: string, change: Partial<Span> = {}): Span {
  return {
    spanId,
    parentId: undefined,
    name: `span ${spanId}`,
    service: "one.demo fedtrace",
    startUs: 1000,
    durationUs: 100,
    attributes: [],
    process: [],
    events: [],
    links: [],
    warnings: [],
    isError: false,
    ...change,
  };
}

export function createTrace(traceId: string, spans: readonly Span[]): Trace {
  const startUs = Math.min(...spans.map((span) => span.startUs));
  const endUs = Math.max(...spans.map((span) => span.startUs + span.durationUs));
  return { traceId, spans, startUs, durationUs: endUs - startUs };
}

export function attributes(values: Readonly<Record<string, Attribute["value"]>>): readonly Attribute[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}
