/**
 * From an encoded span back to its fields: what the trace page and Jaeger's query API show.
 *
 * Reads what otlp-span.ts and span-encoder.ts wrote, and nothing else: the bytes never left this process, so there is no
 * malformed input, only a fault of ours, which an assertion names. What OTLP has no place for is not there again: of the
 * parent only its id, and that it was remote.
 */

import { FedtraceError } from "../core/errors.ts";
import type { TraceContext } from "../propagation/context.ts";
import { ANY, EVENT, KEY_VALUE, KIND_OFFSET, LINK, SPAN, STATUS } from "./otlp-span.ts";
import { type Attributes, SPAN_KIND_CLIENT, SPAN_KIND_SERVER, type SpanFields } from "./record.ts";

/** What most searches ask for. */
export type SpanOutline = Pick<SpanFields, "name" | "kind" | "startUnixMs" | "endUnixMs">;

const FLAG_SAMPLED = 0x01;
const FLAG_RANDOM = 0x02;
const NANOSECONDS_PER_MS = 1_000_000n;

type AttributeValue = NonNullable<Attributes[string]>;

/** A place in a page. A class because a span has some two hundred numbers, each read by it. */
class Reader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Below 2⁵³ exact. */
  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new FedtraceError("INTERNAL", "an encoded span ends within a number");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  int64(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
  }

  fixed32(): number {
    this.at += 4;
    return this.bytes.readUInt32LE(this.at - 4);
  }

  /** Nanoseconds; as milliseconds the very double that they were written from. */
  time(): number {
    this.at += 8;
    const nanoseconds = this.bytes.readBigUInt64LE(this.at - 8);
    return Number(nanoseconds / NANOSECONDS_PER_MS) + Number(nanoseconds % NANOSECONDS_PER_MS) / 1e6;
  }

  double(): number {
    this.at += 8;
    return this.bytes.readDoubleLE(this.at - 8);
  }

  /** @returns where what has a length ends; the reader stands at its start */
  open(): number {
    const length = this.varint();
    return this.at + length;
  }

  text(): string {
    const end = this.open();
    const text = this.bytes.toString("utf8", this.at, end);
    this.at = end;
    return text;
  }

  hex(): string {
    const end = this.open();
    const text = this.bytes.toString("hex", this.at, end);
    this.at = end;
    return text;
  }
}

/** @param at where the content of the message begins, and `end` one past its last byte */
export function readOutline(page: Buffer, at: number, end: number): SpanOutline {
  const reader = new Reader(page, at);
  let name = "";
  let kind: SpanFields["kind"] = SPAN_KIND_SERVER;
  let startUnixMs = 0;
  while (reader.at < end) {
    switch (reader.varint()) {
      case SPAN.NAME:
        name = reader.text();
        break;
      case SPAN.KIND:
        kind = kindOf(reader.varint());
        break;
      case SPAN.START:
        startUnixMs = reader.time();
        break;
      case SPAN.END:
        return { name, kind, startUnixMs, endUnixMs: reader.time() };
      default:
        reader.at = reader.open(); // Ids and tracestate.
    }
  }
  return { name, kind, startUnixMs, endUnixMs: startUnixMs };
}

function kindOf(written: number): SpanFields["kind"] {
  return written === SPAN_KIND_CLIENT + KIND_OFFSET ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER;
}

/** What is gathered while the fields come by. */
type Draft = { -readonly [K in Exclude<keyof SpanFields, "context" | "parent">]: SpanFields[K] } & {
  attributes: Attributes;
  links: SpanFields["links"][number][];
  events: SpanFields["events"][number][];
  traceId: string;
  spanId: string;
  traceState: string;
  parentId: string;
  flags: number;
};

/** As `readOutline`, all of it. */
export function decodeSpan(page: Buffer, at: number, end: number): SpanFields {
  const reader = new Reader(page, at);
  const draft: Draft = {
    name: "",
    kind: SPAN_KIND_SERVER,
    startUnixMs: 0,
    endUnixMs: 0,
    attributes: {},
    links: [],
    events: [],
    error: undefined,
    traceId: "",
    spanId: "",
    traceState: "",
    parentId: "",
    flags: 0,
  };
  while (reader.at < end) readSpanField(reader, draft);
  const { traceId, spanId, traceState, parentId, flags, ...fields } = draft;
  const context = contextOf(traceId, spanId, traceState, flags);
  const parent = parentId === "" ? undefined : contextOf(traceId, parentId, "", flags);
  return { ...fields, context, parent };
}

function contextOf(traceId: string, spanId: string, traceState: string, flags: number): TraceContext {
  return {
    traceId,
    spanId,
    isSampled: (flags & FLAG_SAMPLED) !== 0,
    isRandom: (flags & FLAG_RANDOM) !== 0,
    traceState,
  };
}

function readSpanField(reader: Reader, draft: Draft): void {
  const tag = reader.varint();
  switch (tag) {
    case SPAN.TRACE_ID:
      draft.traceId = reader.hex();
      break;
    case SPAN.SPAN_ID:
      draft.spanId = reader.hex();
      break;
    case SPAN.TRACE_STATE:
      draft.traceState = reader.text();
      break;
    case SPAN.PARENT_SPAN_ID:
      draft.parentId = reader.hex();
      break;
    case SPAN.NAME:
      draft.name = reader.text();
      break;
    case SPAN.KIND:
      draft.kind = kindOf(reader.varint());
      break;
    case SPAN.START:
      draft.startUnixMs = reader.time();
      break;
    case SPAN.END:
      draft.endUnixMs = reader.time();
      break;
    case SPAN.ATTRIBUTES:
      readAttribute(reader, draft.attributes);
      break;
    case SPAN.EVENTS:
      draft.events.push(readEvent(reader));
      break;
    case SPAN.LINKS:
      draft.links.push(readLink(reader));
      break;
    case SPAN.STATUS:
      draft.error = readStatus(reader, draft.attributes);
      break;
    case SPAN.FLAGS:
      draft.flags = reader.fixed32();
      break;
    default:
      throw new FedtraceError("INTERNAL", `an encoded span has a field with the tag ${tag}`);
  }
}

function readAttribute(reader: Reader, attributes: Attributes): void {
  const end = reader.open();
  reader.varint(); // KEY_VALUE.KEY
  const key = reader.text();
  if (reader.at >= end || reader.varint() !== KEY_VALUE.VALUE) return;
  const valueEnd = reader.open();
  if (reader.at < valueEnd) attributes[key] = readValue(reader);
  reader.at = end;
}

function readValue(reader: Reader): AttributeValue {
  switch (reader.varint()) {
    case ANY.STRING:
      return reader.text();
    case ANY.BOOL:
      return reader.varint() === 1;
    case ANY.INT:
      return reader.int64();
    default:
      return reader.double();
  }
}

function readEvent(reader: Reader): SpanFields["events"][number] {
  const end = reader.open();
  const event = { name: "", unixMs: 0, attributes: {} };
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === EVENT.TIME) event.unixMs = reader.time();
    else if (tag === EVENT.NAME) event.name = reader.text();
    else if (tag === EVENT.ATTRIBUTES) readAttribute(reader, event.attributes);
    else reader.varint();
  }
  return event;
}

function readLink(reader: Reader): SpanFields["links"][number] {
  const end = reader.open();
  const attributes: Attributes = {};
  let traceId = "";
  let spanId = "";
  let traceState = "";
  let flags = 0;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === LINK.TRACE_ID) traceId = reader.hex();
    else if (tag === LINK.SPAN_ID) spanId = reader.hex();
    else if (tag === LINK.TRACE_STATE) traceState = reader.text();
    else if (tag === LINK.ATTRIBUTES) readAttribute(reader, attributes);
    else if (tag === LINK.FLAGS) flags = reader.fixed32();
    else reader.varint();
  }
  return { context: contextOf(traceId, spanId, traceState, flags), attributes };
}

/** An error's own word; where it is a status code the message is left out, and the attribute says it (record.ts). */
function readStatus(reader: Reader, attributes: Attributes): string {
  const end = reader.open();
  let message = "";
  while (reader.at < end) {
    if (reader.varint() === STATUS.MESSAGE) message = reader.text();
    else reader.varint();
  }
  const type = attributes["error.type"];
  return message === "" && typeof type === "string" ? type : message;
}
