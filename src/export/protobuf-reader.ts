/**
 * Reads protobuf wire format (https://protobuf.dev/programming-guides/encoding/) of small answers, field by field.
 *
 * The bytes are a back end's: nothing here throws, and what can't be read ends the message. Not here: groups, and numbers
 * of more than 49 bits, which no count or duration needs.
 */

export interface Field {
  readonly number: number;
  /** The value of a varint; else undefined. */
  readonly varint: number | undefined;
  /** The content of a length-delimited field; else undefined. */
  readonly content: Uint8Array | undefined;
}

interface Placed extends Field {
  readonly end: number;
}

/** Every field in the order of the message, up to the first that can't be read. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  for (let at = 0; at < message.length;) {
    const field = readField(message, at);
    if (field === undefined) return;
    yield field;
    at = field.end;
  }
}

/** The first field of this number; undefined where there is none. */
export function findField(message: Uint8Array, wanted: number): Field | undefined {
  for (const field of fieldsOf(message)) if (field.number === wanted) return field;
  return undefined;
}

function readField(bytes: Uint8Array, at: number): Placed | undefined {
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

/** At most seven bytes, 2⁴⁹. */
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
