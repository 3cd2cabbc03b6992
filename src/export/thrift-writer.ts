/**
 * What Jaeger's model (jaeger-thrift.ts) needs of a Thrift protocol, and the buffer that both protocols write into.
 *
 * The protocols are thrift-binary.ts and thrift-compact.ts. They write field by field, in order, without a look ahead, so a
 * struct's bytes don't depend on what stands before it: spans are encoded once, and then put into as many packets as they
 * need. Not here: reading, and the types that Jaeger's model has no use for (maps, sets, lists of anything but structs).
 */

/**
 * Field ids must rise within a struct, by 15 at most from one to the next: the compact protocol writes the difference,
 * and its longer form for anything else isn't here.
 */
export interface ThriftWriter {
  /** Where the writing goes. */
  readonly bytes: ThriftBytes;
  /** Starts anew, also after a struct that was never ended. */
  reset(): void;
  /** The head of a oneway call: its arguments follow as one struct. */
  onewayCall(name: string): void;
  beginStruct(): void;
  endStruct(): void;
  /** A field that is a struct; `endStruct` ends it. */
  structField(id: number): void;
  /** A field that is a list of so many structs; each follows between `beginStruct` and `endStruct`. */
  structsField(id: number, count: number): void;
  /** @param value a whole number of 32 bits, with its sign */
  i32Field(id: number, value: number): void;
  /** @param high with or without its sign, 32 bits of it count. @param low from 0 to 2³² - 1 */
  i64Field(id: number, high: number, low: number): void;
  doubleField(id: number, value: number): void;
  boolField(id: number, value: boolean): void;
  /** UTF-8; a lone surrogate becomes U+FFFD. */
  textField(id: number, text: string): void;
}

/** Some 100 spans fit. */
const BUFFER_BYTES_INITIAL = 64 * 1024;
/** One batch of long texts may need more; then the buffer is given back after it. */
const BUFFER_BYTES_KEPT_MAX = 4 * 1024 * 1024;

/** No number is longer: a varint of 64 bits. */
const SCALAR_BYTES_MAX = 10;
/** UTF-8 takes at most three bytes for one UTF-16 unit. */
const BYTES_PER_UNIT_MAX = 3;
/** Shorter texts are written by a loop: the call into the engine costs as much as some 30 characters. */
const LOOP_UNITS_MAX = 30;

/** A growing buffer. A class because it is the hottest loop of the export: its fields are touched for every byte. */
export class ThriftBytes {
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_INITIAL);
  #position = 0;

  /** How many were written since the last `reset`. */
  get length(): number {
    return this.#position;
  }

  /** Starts anew; what `copy` returned before stays valid, what `view` returned doesn't. */
  reset(): void {
    this.#position = 0;
    if (this.#buffer.length > BUFFER_BYTES_KEPT_MAX) {
      this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_INITIAL);
    }
  }

  /** What was written from `start` to `end`, as it stands: valid until the next write. */
  view(start: number, end: number): Buffer {
    return this.#buffer.subarray(start, end);
  }

  /** All that was written, the caller's to keep. */
  copy(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#position));
  }

  /** @param value its low 8 bits count */
  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#position++] = value;
  }

  /** Big-endian; @param value its low 24 bits count */
  int24(value: number): void {
    this.#reserve(3);
    const buffer = this.#buffer;
    buffer[this.#position++] = value >>> 16;
    buffer[this.#position++] = value >>> 8;
    buffer[this.#position++] = value;
  }

  /** Big-endian; @param value its low 32 bits count */
  int32(value: number): void {
    this.#reserve(4);
    const buffer = this.#buffer;
    buffer[this.#position++] = value >>> 24;
    buffer[this.#position++] = value >>> 16;
    buffer[this.#position++] = value >>> 8;
    buffer[this.#position++] = value;
  }

  /** Base 128, lowest group first; @param value from 0 to 2³² - 1 */
  varint(value: number): void {
    this.varint64(0, value);
  }

  /** The same of 64 bits; @param high and low: 32 bits of each count */
  varint64(high: number, low: number): void {
    this.#reserve(SCALAR_BYTES_MAX);
    const buffer = this.#buffer;
    let restHigh = high >>> 0;
    let restLow = low >>> 0;
    while (restHigh !== 0 || restLow > 0x7f) {
      buffer[this.#position++] = (restLow & 0x7f) | 0x80;
      restLow = ((restLow >>> 7) | (restHigh << 25)) >>> 0;
      restHigh >>>= 7;
    }
    buffer[this.#position++] = restLow;
  }

  doubleBigEndian(value: number): void {
    this.#reserve(8);
    this.#position = this.#buffer.writeDoubleBE(value, this.#position);
  }

  doubleLittleEndian(value: number): void {
    this.#reserve(8);
    this.#position = this.#buffer.writeDoubleLE(value, this.#position);
  }

  raw(bytes: Buffer): void {
    this.#reserve(bytes.length);
    bytes.copy(this.#buffer, this.#position);
    this.#position += bytes.length;
  }

  /**
   * Puts a text's UTF-8 `gap` bytes ahead, so that its length can be written before it; then `skip` goes behind it.
   * @returns its bytes
   */
  utf8Ahead(gap: number, text: string): number {
    this.#reserve(gap + text.length * BYTES_PER_UNIT_MAX);
    const start = this.#position + gap;
    if (text.length <= LOOP_UNITS_MAX && this.#writeAscii(start, text)) return text.length;
    return this.#buffer.write(text, start);
  }

  skip(count: number): void {
    this.#position += count;
  }

  /** @returns false where a character isn't ASCII: nothing counts as written then */
  #writeAscii(start: number, text: string): boolean {
    const buffer = this.#buffer;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) return false;
      buffer[start + index] = unit;
    }
    return true;
  }

  #reserve(count: number): void {
    const needed = this.#position + count;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#position);
    this.#buffer = grown;
  }
}
