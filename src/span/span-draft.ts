/** A request's span at the moment it ends: what the proxy knows, before it is made into attributes or bytes. */

import type { TraceContext } from "../propagation/context.ts";
import { type ClientFacts, clientAttributes, type ServerFacts, serverAttributes } from "./conventions.ts";
import {
  SPAN_KIND_CLIENT,
  SPAN_KIND_SERVER,
  type SpanEvent,
  type SpanLink,
  type SpanOrigin,
  SpanRecord,
} from "./record.ts";

/** `SpanFields` before its attributes are made; one of `server` and `client` is there. */
export interface SpanDraft {
  readonly name: string;
  readonly context: TraceContext;
  readonly parent: TraceContext | undefined;
  readonly startUnixMs: number;
  readonly endUnixMs: number;
  /** conventions.ts, `errorType`. */
  readonly error: string | undefined;
  readonly server: ServerFacts | undefined;
  readonly client: ClientFacts | undefined;
  /** Whether the request is the own server's, or a whitelisted peer's. */
  readonly isKnown: boolean;
  /** Of client spans alone; the fast way of span-encoder.ts writes none. */
  readonly links: readonly SpanLink[];
  readonly events: readonly SpanEvent[];
}

/** What a proxy hands the spans of requests to. Never throws, never blocks, sheds on its own. */
export interface SpanIntake {
  /** Whether those of requests that were not sampled are wanted too. */
  readonly takesUnsampled: boolean;
  take(draft: SpanDraft): void;
}

export function draftToRecord(origin: SpanOrigin, draft: SpanDraft): SpanRecord {
  const { server, client } = draft;
  return new SpanRecord(origin, {
    name: draft.name,
    kind: client === undefined ? SPAN_KIND_SERVER : SPAN_KIND_CLIENT,
    context: draft.context,
    parent: draft.parent,
    startUnixMs: draft.startUnixMs,
    endUnixMs: draft.endUnixMs,
    attributes:
      client === undefined
        ? server === undefined
          ? {}
          : serverAttributes(server)
        : clientAttributes(client),
    links: draft.links,
    events: draft.events,
    error: draft.error,
  });
}
