/**
 * Writes protobuf wire format (https://protobuf.dev/programming-guides/encoding/) into one growing buffer.
 *
 * Everything is written once, in order. The length of a text or a nested message stands before it, so its
 * caller says what it expects and that many length bytes are kept free; only where the guess needed fewer or
 * more bytes (rare) what was written is moved. Not here: reading, groups, packed fields, what OTLP doesn't use.
 */

/** Wire types: the low three bits of a tag. */
export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_LENGTH = 2;
export const WIRE_FIXED32 = 5;

/** Some 60 spans fit. */
const BUFFER_BYTES_INITIAL = 64 * 1024;
/** One batch of long texts may need more; then the buffer is given back after it. */
const BUFFER_BYTES_KEPT_MAX = 4 * 1024 * 1024;

/** No tag, length or number is longer. */
const SCALAR_BYTES_MAX = 10;
/** UTF-8 takes at most three bytes for one UTF-16 unit. */
const BYTES_PER_UNIT_MAX = 3;
/** Shorter texts are written by a loop: the call into the engine costs as much as some 30 characters. */
const LOOP_UNITS_MAX = 30;
/** The same for bytes that are copied. */
const LOOP_BYTES_MAX = 64;

/** KeyValue.value, and of AnyValue its string and its integer (common.proto). */
const ATTRIBUTE_VALUE = tagOf(2, WIRE_LENGTH);
const VALUE_STRING = tagOf(1, WIRE_LENGTH);
const VALUE_INT = tagOf(3, WIRE_VARINT);

const UINT32 = 2 ** 32;

/** The number that stands before a field's value. Fields of OTLP are below 2,048: at most two bytes. */
export function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** A class because it is the hottest loop of the export: its fields are read and written for every byte. */
export class ProtobufWriter {
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_INITIAL);
  #position = 0;

  /** Starts anew; what `finish` returned before stays valid. */
  reset(): void {
    this.#position = 0;
    if (this.#buffer.length > BUFFER_BYTES_KEPT_MAX) {
      this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_INITIAL);
    }
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#position));
  }

  /** Bytes written since `reset`. */
  get length(): number {
    return this.#position;
  }

  /** Copies all that was written to `target`, where there must be room for it. */
  copyTo(target: Buffer, at: number): void {
    this.#buffer.copy(target, at, 0, this.#position);
  }

  /** Takes over `source` from `start` to `end`: a long run of bytes that are encoded already. */
  copy(source: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    source.copy(this.#buffer, this.#position, start, end);
    this.#position += end - start;
  }

  /** @param value a whole number from 0 to 2³² - 1 */
  varint(value: number): void {
    this.#reserve(SCALAR_BYTES_MAX);
    this.#scalar(value);
  }

  /** A varint for which there is room. */
  #scalar(value: number): void {
    const buffer = this.#buffer;
    let position = this.#position;
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) buffer[position++] = (rest & 0x7f) | 0x80;
    buffer[position++] = rest;
    this.#position = position;
  }

  /** @param value a whole number from -2⁶³ to 2⁶³ - 1 */
  int64(value: number): void {
    if (value >= 0 && value < UINT32) {
      this.varint(value);
      return;
    }
    this.#reserve(SCALAR_BYTES_MAX);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#buffer[this.#position++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#position++] = Number(rest);
  }

  fixed32(value: number): void {
    this.#reserve(SCALAR_BYTES_MAX);
    this.#position = this.#buffer.writeUInt32LE(value, this.#position);
  }

  /** @param high and low: the halves, each a whole number from 0 to 2³² - 1 */
  fixed64(high: number, low: number): void {
    this.fixed32(low);
    this.fixed32(high);
  }

  double(value: number): void {
    this.#reserve(SCALAR_BYTES_MAX);
    this.#position = this.#buffer.writeDoubleLE(value, this.#position);
  }

  /** Bytes as they are; with their tag and length where they need one. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    if (bytes.length > LOOP_BYTES_MAX) {
      this.#buffer.set(bytes, this.#position);
      this.#position += bytes.length;
      return;
    }
    this.#copyShort(bytes);
  }

  #copyShort(bytes: Uint8Array): void {
    const buffer = this.#buffer;
    let position = this.#position;
    for (let index = 0; index < bytes.length; index++) buffer[position++] = bytes[index] ?? 0;
    this.#position = position;
  }

  /** @param hex an even number of hex digits; at most an id's 32 */
  hex(tag: number, hex: string): void {
    this.varint(tag);
    this.varint(hex.length >>> 1);
    this.#reserve(hex.length);
    const buffer = this.#buffer;
    let position = this.#position;
    for (let index = 0; index < hex.length; index += 2) {
      buffer[position++] = (nibble(hex.charCodeAt(index)) << 4) | nibble(hex.charCodeAt(index + 1));
    }
    this.#position = position;
  }

  /**
   * A `KeyValue` with a string, as OTLP's attributes are: `tag { key, value { string } }`.
   *
   * @param key KeyValue.key with its tag and length
   * @returns false where a character isn't ASCII: what was written is then of no use
   */
  asciiAttribute(tag: number, key: Uint8Array, text: string): boolean {
    this.#reserve(key.length + text.length + 4 * SCALAR_BYTES_MAX);
    const textBytes = 1 + varintBytes(text.length) + text.length;
    this.#scalar(tag);
    this.#scalar(key.length + 1 + varintBytes(textBytes) + textBytes);
    this.#copyShort(key);
    this.#buffer[this.#position++] = ATTRIBUTE_VALUE;
    this.#scalar(textBytes);
    this.#buffer[this.#position++] = VALUE_STRING;
    this.#scalar(text.length);
    return this.#writeAscii(text);
  }

  /** The same with a whole number from 0 to 2³² - 1. */
  integerAttribute(tag: number, key: Uint8Array, value: number): void {
    this.#reserve(key.length + 4 * SCALAR_BYTES_MAX);
    const numberBytes = 1 + varintBytes(value);
    this.#scalar(tag);
    this.#scalar(key.length + 2 + numberBytes);
    this.#copyShort(key);
    this.#buffer[this.#position++] = ATTRIBUTE_VALUE;
    this.#scalar(numberBytes);
    this.#buffer[this.#position++] = VALUE_INT;
    this.#scalar(value);
  }

  /** Tag, length and UTF-8; a lone surrogate becomes U+FFFD, as protobuf takes well-formed text only. */
  text(tag: number, text: string): void {
    const lengthAt = this.open(tag, text.length);
    this.#reserve(text.length * BYTES_PER_UNIT_MAX);
    if (text.length > LOOP_UNITS_MAX || !this.#writeAscii(text)) {
      this.#position += this.#buffer.write(text, this.#position, text.length * BYTES_PER_UNIT_MAX);
    }
    this.close(lengthAt, text.length);
  }

  /**
   * Begins a nested message.
   * @param expectedBytes how long it will be, as far as known; a wrong guess costs a move, no more
   * @returns where its length stands: for `close`, with the same guess
   */
  open(tag: number, expectedBytes: number): number {
    this.varint(tag);
    const lengthAt = this.#position;
    this.#reserve(SCALAR_BYTES_MAX);
    this.#position += varintBytes(expectedBytes);
    return lengthAt;
  }

  close(lengthAt: number, expectedBytes: number): void {
    const start = lengthAt + varintBytes(expectedBytes);
    const end = this.#position;
    const length = end - start;
    const movedBy = varintBytes(length) - varintBytes(expectedBytes);
    if (movedBy !== 0) {
      this.#reserve(SCALAR_BYTES_MAX);
      this.#buffer.copyWithin(start + movedBy, start, end);
    }
    this.#position = lengthAt;
    this.varint(length);
    this.#position = end + movedBy;
  }

  /** @returns false where a character isn't ASCII: nothing counts as written then */
  #writeAscii(text: string): boolean {
    const buffer = this.#buffer;
    let position = this.#position;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) return false;
      buffer[position++] = unit;
    }
    this.#position = position;
    return true;
  }

  #reserve(bytes: number): void {
    const needed = this.#position + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#position);
    this.#buffer = grown;
  }
}

export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Of a hex digit's char code, either letter case: the low half of a letter is one less than six above ten. */
function nibble(code: number): number {
  return (code & 0x0f) + (code >>> 6) * 9;
}
