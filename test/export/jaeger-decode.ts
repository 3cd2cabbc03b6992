/**
 * Jaeger's Thrift read back by others: thriftrw with Jaeger's own IDL, as it comes in the package jaeger-client (binary), and Apache's
 * `thrift` field by field (compact, and binary for what isn't a call). Both give the same plain objects, by the IDL's names.
 */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** A tag's value is under the name of its type alone, whatever other fields were set. */
export interface DecodedTag {
  readonly key: string;
  readonly type: "STRING" | "DOUBLE" | "BOOL" | "LONG";
  readonly value: string | number | boolean | bigint;
}

export interface DecodedSpan {
  readonly traceIdLow: bigint;
  readonly traceIdHigh: bigint;
  readonly spanId: bigint;
  readonly parentSpanId: bigint;
  readonly operationName: string;
  readonly references: readonly {
    readonly refType: "CHILD_OF" | "FOLLOWS_FROM";
    readonly traceIdLow: bigint;
    readonly traceIdHigh: bigint;
    readonly spanId: bigint;
  }[];
  readonly flags: number;
  readonly startTime: bigint;
  readonly duration: bigint;
  readonly tags: readonly DecodedTag[];
  readonly logs: readonly { readonly timestamp: bigint; readonly fields: readonly DecodedTag[] }[];
}

export interface DecodedBatch {
  readonly process: { readonly serviceName: string; readonly tags: readonly DecodedTag[] };
  readonly spans: readonly DecodedSpan[];
}

/** A struct as either reader gives it: names to values; 64-bit integers are bigints, enums numbers. */
type Struct = Readonly<Record<string, unknown>>;

const TAG_TYPES = ["STRING", "DOUBLE", "BOOL", "LONG"] as const;
const TAG_FIELDS = ["vStr", "vDouble", "vBool", "vLong"] as const;
const REFERENCE_TYPES = ["CHILD_OF", "FOLLOWS_FROM"] as const;

/** A struct's fields by id, and the struct that a field of it holds. */
interface Shape {
  readonly names: Readonly<Record<number, string>>;
  readonly inner?: Readonly<Record<number, Shape>>;
}

const TAG: Shape = {
  names: { 1: "key", 2: "vType", 3: "vStr", 4: "vDouble", 5: "vBool", 6: "vLong", 7: "vBinary" },
};
const LOG: Shape = { names: { 1: "timestamp", 2: "fields" }, inner: { 2: TAG } };
const REFERENCE: Shape = { names: { 1: "refType", 2: "traceIdLow", 3: "traceIdHigh", 4: "spanId" } };
const SPAN: Shape = {
  names: {
    1: "traceIdLow",
    2: "traceIdHigh",
    3: "spanId",
    4: "parentSpanId",
    5: "operationName",
    6: "references",
    7: "flags",
    8: "startTime",
    9: "duration",
    10: "tags",
    11: "logs",
  },
  inner: { 6: REFERENCE, 10: TAG, 11: LOG },
};
const PROCESS: Shape = { names: { 1: "serviceName", 2: "tags" }, inner: { 2: TAG } };
const BATCH: Shape = { names: { 1: "process", 2: "spans" }, inner: { 1: PROCESS, 2: SPAN } };
const ARGUMENTS: Shape = { names: { 1: "batch" }, inner: { 1: BATCH } };

const require = createRequire(import.meta.url);

/** What is used of Apache's `thrift`. */
interface Protocol {
  readMessageBegin(): { readonly fname: string; readonly mtype: number; readonly rseqid: number };
  readStructBegin(): void;
  readStructEnd(): void;
  readFieldBegin(): { readonly ftype: number; readonly fid: number };
  readFieldEnd(): void;
  readListBegin(): { readonly etype: number; readonly size: number };
  readI32(): number;
  readI64(): { readonly buffer: Buffer; readonly offset: number };
  readBool(): boolean;
  readDouble(): number;
  readString(): string;
}

const thrift = require("thrift") as {
  readonly TCompactProtocol: new (transport: object) => Protocol;
  readonly TBinaryProtocol: new (transport: object) => Protocol;
  readonly TFramedTransport: new (bytes: Buffer) => { readonly readPos: number };
  readonly Thrift: {
    readonly Type: Readonly<
      Record<"STOP" | "BOOL" | "I32" | "I64" | "DOUBLE" | "STRING" | "STRUCT" | "LIST", number>
    >;
    readonly MessageType: { readonly ONEWAY: number };
  };
};
const { Type } = thrift.Thrift;

/** thriftrw's, of a struct or a message; it throws where bytes are left over. */
interface ThriftRw {
  readonly Batch: { readonly rw: object };
  readonly Agent: { readonly emitBatch: { readonly argumentsMessageRW: object } };
}

const jaegerClient = dirname(require.resolve("jaeger-client/package.json"));
const requireOfIt = createRequire(join(jaegerClient, "package.json"));
const { Thrift: ThriftRw } = requireOfIt("thriftrw") as {
  readonly Thrift: new (options: object) => ThriftRw;
};
const { fromBufferResult } = requireOfIt("bufrw") as {
  readonly fromBufferResult: (rw: object, bytes: Buffer) => { readonly err?: Error; readonly value: Struct };
};
const load = (path: string): ThriftRw =>
  new ThriftRw({
    entryPoint: join(jaegerClient, "dist/src", path),
    allowFilesystemAccess: true,
    allowOptionalArguments: true,
  });
const agentIdl = load("thriftrw-idl/agent.thrift");
const jaegerIdl = load("jaeger-idl/thrift/jaeger.thrift");

/** A packet to an agent's binary port. */
export function decodeBinaryCall(packet: Buffer): DecodedBatch {
  const message = readWhole(agentIdl.Agent.emitBatch.argumentsMessageRW, packet);
  const { batch } = message["body"] as { readonly batch: Struct };
  return toBatch(batch);
}

/** The body of a POST. */
export function decodeBinaryBatch(body: Buffer): DecodedBatch {
  return toBatch(readWhole(jaegerIdl.Batch.rw, body));
}

function readWhole(rw: object, bytes: Buffer): Struct {
  const { err, value } = fromBufferResult(rw, bytes);
  if (err) throw err;
  return value;
}

/** A packet to an agent's port of either protocol. */
export function decodeCall(protocol: "compact" | "binary", packet: Buffer): DecodedBatch {
  const transport = new thrift.TFramedTransport(packet);
  const input =
    protocol === "compact" ? new thrift.TCompactProtocol(transport) : new thrift.TBinaryProtocol(transport);
  const { fname, mtype, rseqid } = input.readMessageBegin();
  if (fname !== "emitBatch" || mtype !== thrift.Thrift.MessageType.ONEWAY || rseqid !== 0) {
    throw new Error(`not a oneway emitBatch: ${fname}, type ${mtype}, number ${rseqid}`);
  }
  const { batch } = readStruct(input, ARGUMENTS) as { readonly batch: Struct };
  if (transport.readPos !== packet.length)
    throw new Error(`${packet.length - transport.readPos} bytes left over`);
  return toBatch(batch);
}

function readStruct(input: Protocol, shape: Shape): Struct {
  const struct: Record<string, unknown> = {};
  input.readStructBegin();
  for (;;) {
    const { ftype, fid } = input.readFieldBegin();
    if (ftype === Type.STOP) break;
    const name = shape.names[fid];
    if (name === undefined || name in struct) throw new Error(`field ${fid} is unknown, or there twice`);
    struct[name] = readValue(input, ftype, shape.inner?.[fid]);
    input.readFieldEnd();
  }
  input.readStructEnd();
  return struct;
}

function readValue(input: Protocol, type: number, shape: Shape | undefined): unknown {
  if (type === Type.BOOL) return input.readBool();
  if (type === Type.I32) return input.readI32();
  if (type === Type.DOUBLE) return input.readDouble();
  if (type === Type.STRING) return input.readString();
  if (type === Type.I64) {
    const { buffer, offset } = input.readI64();
    return buffer.readBigInt64BE(offset);
  }
  if (shape === undefined) throw new Error(`no value of type ${type} belongs here`);
  if (type === Type.STRUCT) return readStruct(input, shape);
  const { etype, size } = input.readListBegin();
  if (type !== Type.LIST || etype !== Type.STRUCT) throw new Error(`no list of ${etype} belongs here`);
  return Array.from({ length: size }, () => readStruct(input, shape));
}

function toBatch(batch: Struct): DecodedBatch {
  const process = batch["process"] as Struct;
  return {
    process: { serviceName: String(process["serviceName"]), tags: structs(process["tags"]).map(toTag) },
    spans: structs(batch["spans"]).map(toSpan),
  };
}

function toSpan(span: Struct): DecodedSpan {
  return {
    traceIdLow: toBigInt(span["traceIdLow"]),
    traceIdHigh: toBigInt(span["traceIdHigh"]),
    spanId: toBigInt(span["spanId"]),
    parentSpanId: toBigInt(span["parentSpanId"]),
    operationName: String(span["operationName"]),
    references: structs(span["references"]).map((reference) => ({
      refType: enumWord(REFERENCE_TYPES, reference["refType"]),
      traceIdLow: toBigInt(reference["traceIdLow"]),
      traceIdHigh: toBigInt(reference["traceIdHigh"]),
      spanId: toBigInt(reference["spanId"]),
    })),
    flags: Number(span["flags"]),
    startTime: toBigInt(span["startTime"]),
    duration: toBigInt(span["duration"]),
    tags: structs(span["tags"]).map(toTag),
    logs: structs(span["logs"]).map((log) => ({
      timestamp: toBigInt(log["timestamp"]),
      fields: structs(log["fields"]).map(toTag),
    })),
  };
}

function toTag(tag: Struct): DecodedTag {
  const type = enumWord(TAG_TYPES, tag["vType"]);
  const value = tag[TAG_FIELDS[TAG_TYPES.indexOf(type)] ?? ""];
  return {
    key: String(tag["key"]),
    type,
    value: type === "LONG" ? toBigInt(value) : (value as DecodedTag["value"]),
  };
}

/** An absent list is an empty one. */
function structs(value: unknown): readonly Struct[] {
  return Array.isArray(value) ? (value as readonly Struct[]) : [];
}

/** thriftrw gives an i64 as its eight bytes. */
function toBigInt(value: unknown): bigint {
  if (Buffer.isBuffer(value)) return value.readBigInt64BE();
  if (typeof value === "bigint") return value;
  throw new Error(`no i64: ${String(value)}`);
}

/** thriftrw gives an enum's word, `thrift` its number. */
function enumWord<T extends string>(words: readonly T[], value: unknown): T {
  const word = words.find((known, number) => known === value || number === value);
  if (word === undefined) throw new Error(`none of ${words.join(", ")}: ${String(value)}`);
  return word;
}
