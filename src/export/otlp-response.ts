/**
 * How many spans an OTLP back end refused of a batch that it accepted.
 *
 * ExportTraceServiceResponse { partial_success = 1 { rejected_spans = 1 (int64), error_message = 2 } }:
 * https://opentelemetry.io/docs/specs/otlp/#partial-success-1. The message is the back end's text and not read.
 */

const PARTIAL_SUCCESS = 1;
const REJECTED_SPANS = 1;

interface Field {
  readonly number: number;
  /** The value of a varint; else undefined. */
  readonly varint: number | undefined;
  /** The content of a length-delimited field; else undefined. */
  readonly content: Uint8Array | undefined;
  readonly end: number;
}

/** @returns 0 also for bytes that aren't such a message. Never throws: they are the back end's. */
export function parseRejectedSpans(body: Uint8Array): number {
  const partial = findField(body, PARTIAL_SUCCESS)?.content;
  return partial === undefined ? 0 : (findField(partial, REJECTED_SPANS)?.varint ?? 0);
}

function findField(bytes: Uint8Array, wanted: number): Field | undefined {
  for (let at = 0; at < bytes.length;) {
    const field = readField(bytes, at);
    if (field === undefined || field.number === wanted) return field;
    at = field.end;
  }
  return undefined;
}

function readField(bytes: Uint8Array, at: number): Field | undefined {
  const tag = readVarint(bytes, at);
  if (tag === undefined) return undefined;
  const number = Math.floor(tag.value / 8);
  const none = { number, varint: undefined, content: undefined };
  switch (tag.value % 8) {
    case 0: {
      const varint = readVarint(bytes, tag.end);
      return varint && { ...none, varint: varint.value, end: varint.end };
    }
    case 1:
      return { ...none, end: tag.end + 8 };
    case 2: {
      const length = readVarint(bytes, tag.end);
      if (length === undefined || length.value > bytes.length - length.end) return undefined;
      const end = length.end + length.value;
      return { ...none, content: bytes.subarray(length.end, end), end };
    }
    case 5:
      return { ...none, end: tag.end + 4 };
    default:
      return undefined; // Groups, which proto3 doesn't have.
  }
}

/** At most seven bytes, 2⁴⁹: a longer one is no count of spans. */
const VARINT_BYTES_MAX = 7;

function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return undefined;
}
