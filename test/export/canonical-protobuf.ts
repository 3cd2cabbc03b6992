/**
 * Reads OTLP protobuf back, independently of src/export, and writes it in proto3's short form: counts that
 * are zero and empty statuses left out. Two encodings mean the same where their short forms are equal bytes.
 * OpenTelemetry's serializer writes each dropped count, and a status, even where it is zero.
 */

/** Field → message type of the field; what isn't here is a scalar. */
const NESTED: Record<string, Record<number, string>> = {
  Request: { 1: "ResourceSpans" },
  ResourceSpans: { 1: "Resource", 2: "ScopeSpans" },
  Resource: { 1: "KeyValue" },
  ScopeSpans: { 1: "Scope", 2: "Span" },
  Scope: {},
  Span: { 9: "KeyValue", 11: "Event", 13: "Link", 15: "Status" },
  Event: { 3: "KeyValue" },
  Link: { 4: "KeyValue" },
  Status: {},
  KeyValue: { 2: "AnyValue" },
  AnyValue: { 5: "ArrayValue" },
  ArrayValue: { 1: "AnyValue" },
};

/** The members of its `oneof` are written when they are zero too. */
const KEEPS_ZERO = new Set(["AnyValue"]);

export function canonicalRequest(bytes: Uint8Array): Buffer {
  return canonical("Request", Buffer.from(bytes));
}

function canonical(type: string, bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at);
    const wireType = Number(tag.value & 7n);
    const { end, content } = readField(bytes, tag.end, wireType);
    const field = Number(tag.value >> 3n);
    const nested = NESTED[type]?.[field];
    if (content !== undefined && nested !== undefined) {
      const inner = canonical(nested, content);
      if (nested !== "Status" || inner.length > 0) {
        parts.push(bytes.subarray(at, tag.end), varint(inner.length), inner);
      }
    } else if (wireType !== 0 || KEEPS_ZERO.has(type) || bytes.subarray(tag.end, end).some(Boolean)) {
      parts.push(bytes.subarray(at, end));
    }
    at = end;
  }
  return Buffer.concat(parts);
}

function readField(bytes: Buffer, at: number, wireType: number): { end: number; content?: Buffer } {
  if (wireType === 0) return { end: readVarint(bytes, at).end };
  if (wireType === 1) return { end: at + 8 };
  if (wireType === 5) return { end: at + 4 };
  if (wireType !== 2) throw new Error(`wire type ${wireType} at ${at}`);
  const length = readVarint(bytes, at);
  const end = length.end + Number(length.value);
  if (end > bytes.length) throw new Error(`a length of ${length.value} at ${at} is past the end`);
  return { end, content: bytes.subarray(length.end, end) };
}

function readVarint(bytes: Buffer, at: number): { end: number; value: bigint } {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) throw new Error(`cut off at ${at}`);
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return { end: at + index + 1, value };
  }
  throw new Error(`a varint of more than ten bytes at ${at}`);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}
