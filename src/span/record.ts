/**
 * A finished span: plain values, written once when the request ends, that read as OpenTelemetry's
 * `ReadableSpan` (@opentelemetry/sdk-trace 2.x), so every OpenTelemetry exporter takes them as they are.
 *
 * The sidecar has no tracer and no open span objects: the proxy holds what it knows about a request in its own
 * variables and makes one record at the end, for sampled requests only. What OpenTelemetry wants as objects
 * (times, contexts, links) is built by getters, when an exporter asks. Packages of OpenTelemetry are imported
 * as types only; none is in the bundle.
 */

import type {
  Attributes as OtelAttributes,
  HrTime,
  Link,
  SpanContext,
  SpanStatus,
  TraceState,
} from "@opentelemetry/api";
import type { InstrumentationScope } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import type { TraceContext } from "../propagation/context.ts";
import { createTraceState } from "./trace-state.ts";

/** OpenTelemetry's numbers (https://opentelemetry.io/docs/specs/otel/trace/api/#spankind). */
export const SPAN_KIND_SERVER = 1;
export const SPAN_KIND_CLIENT = 2;

/** https://opentelemetry.io/docs/specs/otel/trace/api/#set-status; "ok" is the application's to say, never ours. */
const STATUS_UNSET = 0;
const STATUS_ERROR = 2;

/** W3C trace flags (https://www.w3.org/TR/trace-context-2/#trace-flags). */
const FLAG_SAMPLED = 0x01;
const FLAG_RANDOM = 0x02;

const NANOSECONDS_PER_MS = 1e6;
const NANOSECONDS_PER_SECOND = 1e9;

type AttributeValue = string | number | boolean;
/** A value of undefined counts as absent. */
export type Attributes = Record<string, AttributeValue | undefined>;

/** Where finished spans go. Never throws, never blocks, sheds on its own. */
export interface SpanSink<Span = SpanRecord> {
  onEnd(span: Span): void;
}

/** A span that this one has to do with. */
export interface SpanLink {
  readonly context: TraceContext;
  readonly attributes: Attributes;
}

/** Something that happened within the span. */
export interface SpanEvent {
  readonly name: string;
  readonly unixMs: number;
  readonly attributes: Attributes;
}

/** How the span's record is made: everything at once, when the span ends. */
export interface SpanFields {
  readonly name: string;
  readonly kind: typeof SPAN_KIND_SERVER | typeof SPAN_KIND_CLIENT;
  /** Its own ids; `isSampled` is true, or it would not be recorded. */
  readonly context: TraceContext;
  /** Always from a header, a peer's or the own server's: a remote parent in OpenTelemetry's words. */
  readonly parent: TraceContext | undefined;
  readonly startUnixMs: number;
  /** Before the start (the wall clock was set back): read as the start. */
  readonly endUnixMs: number;
  readonly attributes: Attributes;
  readonly links: readonly SpanLink[];
  readonly events: readonly SpanEvent[];
  /** An error's code (conventions.ts, `errorType`), or undefined: the status stays unset. */
  readonly error: string | undefined;
}

/** What all spans of this process share; made once (resource.ts). Exporters group by the identity of both. */
export interface SpanOrigin {
  readonly resource: Resource;
  readonly scope: InstrumentationScope;
}

/** A class because it is made for each sampled request: one shape, getters on the prototype. */
export class SpanRecord implements ReadableSpan {
  readonly origin: SpanOrigin;
  readonly fields: SpanFields;
  readonly parentSpanContext?: SpanContext;

  constructor(origin: SpanOrigin, fields: SpanFields) {
    this.origin = origin;
    this.fields = fields;
    if (fields.parent !== undefined) this.parentSpanContext = toSpanContext(fields.parent, true);
  }

  get name(): string {
    return this.fields.name;
  }

  get kind(): typeof SPAN_KIND_SERVER | typeof SPAN_KIND_CLIENT {
    return this.fields.kind;
  }

  get traceId(): string {
    return this.fields.context.traceId;
  }

  /** As an encoded span has it (encoded-span.ts). */
  outline(): Pick<SpanFields, "name" | "kind" | "startUnixMs" | "endUnixMs"> {
    return this.fields;
  }

  toRecord(): this {
    return this;
  }

  spanContext(): SpanContext {
    return toSpanContext(this.fields.context, false);
  }

  get startTime(): HrTime {
    return toHrTime(this.fields.startUnixMs);
  }

  get endTime(): HrTime {
    return toHrTime(Math.max(this.fields.startUnixMs, this.fields.endUnixMs));
  }

  /** End minus start as they are exported, so the three never disagree by a rounding. */
  get duration(): HrTime {
    const [startSeconds, startNanoseconds] = this.startTime;
    const [endSeconds, endNanoseconds] = this.endTime;
    const nanoseconds = endNanoseconds - startNanoseconds;
    return nanoseconds < 0
      ? [endSeconds - startSeconds - 1, nanoseconds + NANOSECONDS_PER_SECOND]
      : [endSeconds - startSeconds, nanoseconds];
  }

  get ended(): boolean {
    return true;
  }

  /**
   * The message is the error's code, but none where it is a status code: the conventions leave it out where
   * http.response.status_code says it (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status).
   */
  get status(): SpanStatus {
    const { error } = this.fields;
    if (error === undefined) return { code: STATUS_UNSET };
    return /^\d+$/.test(error) ? { code: STATUS_ERROR } : { code: STATUS_ERROR, message: error };
  }

  get attributes(): OtelAttributes {
    return this.fields.attributes;
  }

  get links(): Link[] {
    return this.fields.links.map(({ context, attributes }) => ({
      context: toSpanContext(context, false),
      attributes,
    }));
  }

  get events(): TimedEvent[] {
    return this.fields.events.map(({ name, unixMs, attributes }) => ({
      name,
      time: toHrTime(unixMs),
      attributes,
    }));
  }

  get resource(): Resource {
    return this.origin.resource;
  }

  get instrumentationScope(): InstrumentationScope {
    return this.origin.scope;
  }

  // Nothing is dropped from a span: attributes are a fixed set, each bounded where it is made (conventions.ts).
  get droppedAttributesCount(): number {
    return 0;
  }

  get droppedEventsCount(): number {
    return 0;
  }

  get droppedLinksCount(): number {
    return 0;
  }
}

/** As W3C's trace-flags have them. */
export function traceFlagsOf({ isSampled, isRandom }: TraceContext): number {
  return (isSampled ? FLAG_SAMPLED : 0) | (isRandom ? FLAG_RANDOM : 0);
}

function toSpanContext(context: TraceContext, isRemote: boolean): SpanContext {
  const { traceId, spanId, traceState } = context;
  const traceFlags = traceFlagsOf(context);
  if (traceState === "") return { traceId, spanId, traceFlags, isRemote };
  return {
    traceId,
    spanId,
    traceFlags,
    isRemote,
    traceState: createTraceState(traceState) satisfies TraceState,
  };
}

/** Seconds and nanoseconds; a double has about 0.24 µs of resolution at today's Unix milliseconds. */
export function toHrTime(unixMs: number): HrTime {
  const seconds = Math.floor(unixMs / 1000);
  const nanoseconds = Math.round((unixMs - seconds * 1000) * NANOSECONDS_PER_MS);
  return nanoseconds === NANOSECONDS_PER_SECOND ? [seconds + 1, 0] : [seconds, nanoseconds];
}
