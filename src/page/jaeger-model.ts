/**
 * Traces as Jaeger's query API answers them, read into what the page draws.
 * The answer is our own server's, the texts in it are anybody's: a field that is missing or of another type reads as
 * empty, and nothing throws. Not here: what a trace means (trace-summary.ts, border-story.ts).
 */

export interface Attribute {
  readonly key: string;
  readonly value: string | number | boolean;
}

interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
}

interface SpanEvent {
  readonly unixUs: number;
  readonly fields: readonly Attribute[];
}

export interface Span {
  readonly spanId: string;
  /** Undefined for a root. The parent need not be there. */
  readonly parentId: string | undefined;
  readonly name: string;
  readonly service: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly attributes: readonly Attribute[];
  readonly process: readonly Attribute[];
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  readonly warnings: readonly string[];
  readonly isError: boolean;
}

export interface Trace {
  readonly traceId: string;
  /** In the order of the answer. */
  readonly spans: readonly Span[];
  /** Of the earliest span. */
  readonly startUs: number;
  /** From the earliest start to the latest end. */
  readonly durationUs: number;
}

/** @param answer the body of `/api/traces…`: `{data: [trace, …]}`; traces without spans are left out */
export function parseTraces(answer: unknown): readonly Trace[] {
  return listOf(fieldOf(answer, "data"))
    .map(parseTrace)
    .filter(({ spans }) => spans.length > 0);
}

/** @param answer the body of `/api/services` or `/api/services/{s}/operations`: `{data: [text, …]}` */
export function parseNames(answer: unknown): readonly string[] {
  return listOf(fieldOf(answer, "data"))
    .filter((name) => typeof name === "string")
    .sort();
}

export function attributeOf(span: Span, key: string): Attribute["value"] | undefined {
  return span.attributes.find((attribute) => attribute.key === key)?.value;
}

function parseTrace(trace: unknown): Trace {
  const processes = new Map(
    Object.entries(recordOf(fieldOf(trace, "processes"))).map(([id, process]) => [
      id,
      { service: textOf(fieldOf(process, "serviceName")), tags: parseAttributes(fieldOf(process, "tags")) },
    ]),
  );
  const traceId = textOf(fieldOf(trace, "traceID"));
  const spans = listOf(fieldOf(trace, "spans")).map((span): Span => {
    const process = processes.get(textOf(fieldOf(span, "processID")));
    return parseSpan(traceId, span, process?.service ?? "", process?.tags ?? []);
  });
  let startUs = Number.POSITIVE_INFINITY;
  let endUs = 0;
  for (const span of spans) {
    startUs = Math.min(startUs, span.startUs);
    endUs = Math.max(endUs, span.startUs + span.durationUs);
  }
  return { traceId, spans, startUs, durationUs: Math.max(0, endUs - startUs) };
}

function parseSpan(traceId: string, span: unknown, service: string, process: readonly Attribute[]): Span {
  const attributes = parseAttributes(fieldOf(span, "tags"));
  const references = listOf(fieldOf(span, "references")).map((reference) => ({
    type: textOf(fieldOf(reference, "refType")),
    traceId: textOf(fieldOf(reference, "traceID")),
    spanId: textOf(fieldOf(reference, "spanID")),
  }));
  const isParent = (reference: (typeof references)[number]): boolean =>
    reference.type === "CHILD_OF" && reference.traceId === traceId;
  return {
    spanId: textOf(fieldOf(span, "spanID")),
    parentId: references.find(isParent)?.spanId,
    name: textOf(fieldOf(span, "operationName")),
    service,
    startUs: numberOf(fieldOf(span, "startTime")),
    durationUs: Math.max(0, numberOf(fieldOf(span, "duration"))),
    attributes,
    process,
    events: listOf(fieldOf(span, "logs")).map((log) => ({
      unixUs: numberOf(fieldOf(log, "timestamp")),
      fields: parseAttributes(fieldOf(log, "fields")),
    })),
    links: references.filter((reference) => !isParent(reference)),
    warnings: listOf(fieldOf(span, "warnings")).map(textOf),
    isError: attributes.some(isErrorMark),
  };
}

/** `error` is Jaeger's own mark; the others say the same where a span came another way. */
function isErrorMark({ key, value }: Attribute): boolean {
  if (key === "error") return value === true || value === "true";
  return key === "error.type" || (key === "otel.status_code" && value === "ERROR");
}

function parseAttributes(tags: unknown): readonly Attribute[] {
  return listOf(tags).map((tag) => {
    const value = fieldOf(tag, "value");
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    return { key: textOf(fieldOf(tag, "key")), value: isPlain ? value : (JSON.stringify(value) ?? "") };
  });
}

/** Any member of what may not be an object at all. */
export function fieldOf(value: unknown, key: string): unknown {
  return recordOf(value)[key];
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
