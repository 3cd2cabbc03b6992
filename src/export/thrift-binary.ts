/**
 * Thrift's binary protocol: Jaeger takes it over UDP on 6832 and over HTTP on 14268.
 *
 * Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md, the strict form of a message.
 * Every number has its full width, big-endian. Not here: reading, and what thrift-writer.ts leaves out.
 */

import { ThriftBytes, type ThriftWriter } from "./thrift-writer.ts";

const TYPE_STOP = 0;
const TYPE_BOOL = 2;
const TYPE_DOUBLE = 4;
const TYPE_I32 = 8;
const TYPE_I64 = 10;
const TYPE_STRING = 11;
const TYPE_STRUCT = 12;
const TYPE_LIST = 15;

/** Version 1, and the message type 4 in the low byte. */
const ONEWAY_MESSAGE = 0x8001_0004;
/** Nobody answers a oneway call, so calls need no number. */
const SEQUENCE_ID = 0;

const LENGTH_BYTES = 4;

export class ThriftBinaryWriter implements ThriftWriter {
  readonly bytes = new ThriftBytes();

  reset(): void {
    this.bytes.reset();
  }

  onewayCall(name: string): void {
    this.bytes.int32(ONEWAY_MESSAGE);
    this.#text(name);
    this.bytes.int32(SEQUENCE_ID);
  }

  beginStruct(): void {
    // A struct has no beginning here.
  }

  endStruct(): void {
    this.bytes.byte(TYPE_STOP);
  }

  structField(id: number): void {
    this.#field(TYPE_STRUCT, id);
  }

  structsField(id: number, count: number): void {
    this.#field(TYPE_LIST, id);
    this.bytes.byte(TYPE_STRUCT);
    this.bytes.int32(count);
  }

  i32Field(id: number, value: number): void {
    this.#field(TYPE_I32, id);
    this.bytes.int32(value);
  }

  i64Field(id: number, high: number, low: number): void {
    this.#field(TYPE_I64, id);
    this.bytes.int32(high);
    this.bytes.int32(low);
  }

  doubleField(id: number, value: number): void {
    this.#field(TYPE_DOUBLE, id);
    this.bytes.doubleBigEndian(value);
  }

  boolField(id: number, value: boolean): void {
    this.#field(TYPE_BOOL, id);
    this.bytes.byte(value ? 1 : 0);
  }

  textField(id: number, text: string): void {
    this.#field(TYPE_STRING, id);
    this.#text(text);
  }

  #field(type: number, id: number): void {
    this.bytes.int24((type << 16) | id);
  }

  #text(text: string): void {
    const length = this.bytes.utf8Ahead(LENGTH_BYTES, text);
    this.bytes.int32(length);
    this.bytes.skip(length);
  }
}
