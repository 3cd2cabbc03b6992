/** The trace context that all header formats are read into and written from. */

export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  /** The sender's "sampled" bit. A wish, never an order (sampling/decision.ts). */
  readonly isSampled: boolean;
  /** What `isSampled` does not say: `debug`, which never counts, or `none`, where the sender leaves it to whoever comes next. */
  readonly wish?: "debug" | "none";
  /** W3C level 2: the right-most 7 bytes of the trace id are random. Only `traceparent` carries it. */
  readonly isRandom: boolean;
  /** The checked list of `tracestate`, as it travels on; "" where there is none. Only W3C carries it. */
  readonly traceState: string;
}

/** Names as they stand in `propagation.formats`. */
export type Format = "w3c" | "jaeger" | "b3" | "b3multi";

/** Why a header was refused; the `reason` label of `fedtrace_context_refused`. */
export type Refusal =
  | "length" // shorter or longer than the format allows
  | "fields" // a separator or a field is missing, or there is one too many
  | "hex" // an id has a character that the format does not allow in it
  | "zero" // an id is all zero, which is "no id" in every format
  | "version" // not two digits, or the forbidden `ff`
  | "flags" // flags or sampling state are none that the format knows
  | "members" // more list members than `tracestate` may have
  | "key" // of a member of `tracestate`
  | "value" // of a member of `tracestate`
  | "repeated" // on several lines, which may be read as the first or as the last one
  | "trace-full"; // well formed, but its trace has as many spans here as it may have
