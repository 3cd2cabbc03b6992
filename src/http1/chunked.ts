/**
 * The chunked transfer coding, followed without taking it apart: the bytes are checked and forwarded as they
 * came, and only the trailer section is held back until it is whole, since lines may have to be cut from it.
 *
 * Source: RFC 9112 section 7.1, read strictly. Sizes have at most 13 hex digits and are below 2^31, so every parser
 * agrees on them; lines end in CRLF; extensions follow the grammar and are bounded, because lenient readings of their
 * line ends are a known way to smuggle (CVE-2023-39326, CVE-2025-55315).
 */

import { FIELD_LINES, TOKEN_CLASS } from "./fields.ts";

/** A chunk's size and extensions. Real ones are a few bytes; signatures in extensions stay below 200. */
const SIZE_LINE_MAX = 1024;

/** Zeros before count too: below 2^52, so that a number holds them exactly until `SIZE_MAX` is asked about. */
const SIZE_DIGITS_MAX = 13;

/**
 * 2 GiB less one byte, as in haproxy. A server that counts in 32 bits, or in 31 and a sign, would see a larger chunk end
 * inside it, and read what follows as requests (CVE-2002-0392, CVE-2013-2028). Nobody sends such chunks: a sender
 * holds each in memory to know its size.
 */
const SIZE_MAX = 0x7f_ff_ff_ff;

const TOKEN = `[${TOKEN_CLASS}]+`;
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"';
const SIZE_LINE = new RegExp(
  `^([0-9A-Fa-f]{1,${SIZE_DIGITS_MAX}})(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)*$`,
);
const TRAILERS = new RegExp(`^${FIELD_LINES}$`);

const CR = 0x0d;
const LF = 0x0a;

type Phase = "size" | "size-lf" | "bytes" | "bytes-cr" | "bytes-lf" | "trailers" | "done" | "fault";

/** Reads one message's body. Owned by a connection; feed it each buffer in turn. */
export class ChunkedReader {
  #phase: Phase = "size";
  #line = "";
  #left = 0;
  #trailers = "";
  readonly #trailersMax: number;
  readonly #onBytes: ((bytes: Buffer) => void) | undefined;
  /** After a read: the end, in the buffer read, of what may be forwarded as it is. */
  passEnd = 0;
  /** Bytes of chunks so far, without the coding. */
  payload = 0;
  fault: "chunk" | "trailer" | "head-size" | undefined;

  /**
   * @param trailersMax bytes of the trailer section (`limits.head`)
   * @param onBytes given the bytes of each chunk without the coding, for clients that don't know it (HTTP/1.0)
   */
  constructor(trailersMax: number, onBytes?: (bytes: Buffer) => void) {
    this.#trailersMax = trailersMax;
    this.#onBytes = onBytes;
  }

  get isDone(): boolean {
    return this.#phase === "done";
  }

  /** Once done: the trailer lines with their empty line, or "" where there were none. */
  get trailers(): string {
    return this.#trailers;
  }

  /**
   * Follows the coding through `bytes` from `from`.
   *
   * @returns the end of what belongs to this body: `bytes.length` unless it is done or at fault
   */
  read(bytes: Buffer, from: number): number {
    let at = from;
    this.passEnd = from;
    while (at < bytes.length) {
      switch (this.#phase) {
        case "size":
          at = this.#readSizeLine(bytes, at);
          break;
        case "size-lf":
          if (bytes[at++] !== LF) return this.#fail("chunk", at);
          this.#phase = this.#left === 0 ? "trailers" : "bytes";
          break;
        case "bytes": {
          const end = Math.min(bytes.length, at + this.#left);
          this.#onBytes?.(bytes.subarray(at, end));
          this.#left -= end - at;
          this.payload += end - at;
          at = end;
          if (this.#left === 0) this.#phase = "bytes-cr";
          break;
        }
        case "bytes-cr":
          if (bytes[at++] !== CR) return this.#fail("chunk", at);
          this.#phase = "bytes-lf";
          break;
        case "bytes-lf":
          if (bytes[at++] !== LF) return this.#fail("chunk", at);
          this.#phase = "size";
          break;
        case "trailers":
          return this.#readTrailers(bytes, at);
        case "done":
        case "fault":
          return at;
      }
      this.passEnd = at;
    }
    return at;
  }

  /** Hex digits and CR, all here: nearly every size line. @returns -1 for any other, which the slow way reads or refuses */
  #readPlainSize(bytes: Buffer, from: number): number {
    let size = 0;
    for (let at = from; at < bytes.length && at - from <= SIZE_DIGITS_MAX; at++) {
      const code = bytes[at] ?? 0;
      if (code === CR && at > from) {
        if (size > SIZE_MAX) return -1;
        this.#left = size;
        this.#phase = "size-lf";
        return at + 1;
      }
      const digit = hexDigit(code);
      if (digit === -1) return -1;
      size = size * 16 + digit;
    }
    return -1;
  }

  #readSizeLine(bytes: Buffer, from: number): number {
    if (this.#line === "") {
      const plain = this.#readPlainSize(bytes, from);
      if (plain !== -1) return plain;
    }
    const end = bytes.indexOf(CR, from);
    const to = end === -1 ? bytes.length : end;
    if (this.#line.length + to - from > SIZE_LINE_MAX) return this.#fail("chunk", to);
    this.#line += bytes.toString("latin1", from, to);
    if (end === -1) return this.#line.includes("\n") ? this.#fail("chunk", to) : to;
    const size = Number.parseInt(SIZE_LINE.exec(this.#line)?.[1] ?? "", 16);
    if (!(size <= SIZE_MAX)) return this.#fail("chunk", to); // NaN too: the line is malformed.
    this.#line = "";
    this.#left = size;
    this.#phase = "size-lf";
    return end + 1;
  }

  /** The section is short and most often empty; it is gathered as text until its empty line. */
  #readTrailers(bytes: Buffer, from: number): number {
    const held = this.#trailers.length;
    if (held === 0 && bytes[from] === CR && bytes[from + 1] === LF) {
      this.#phase = "done";
      this.passEnd = from + 2;
      return from + 2;
    }
    // One byte more than the bound shows that it is passed.
    const to = Math.min(bytes.length, from + this.#trailersMax + 1 - held);
    const text = this.#trailers + bytes.toString("latin1", from, to);
    const end = text.startsWith("\r\n") ? 2 : endOfSection(text, held);
    if (end === undefined && hasBareLineFeed(text, held)) return this.#fail("trailer", bytes.length);
    if ((end ?? text.length) > this.#trailersMax) return this.#fail("head-size", bytes.length);
    if (end === undefined) {
      this.#trailers = text;
      return bytes.length;
    }
    const section = text.slice(0, end);
    if (!TRAILERS.test(section)) return this.#fail("trailer", from);
    this.#phase = "done";
    this.#trailers = end === 2 ? "" : section;
    const at = from + end - held;
    // The empty line of an empty section passes as it is, unless its CR came, and was held, before.
    if (end === 2 && held === 0) this.passEnd = at;
    else if (end === 2) this.#trailers = section;
    return at;
  }

  #fail(fault: "chunk" | "trailer" | "head-size", at: number): number {
    this.fault = fault;
    this.#phase = "fault";
    return at;
  }
}

/** The end of a non-empty section: behind its first CRLF CRLF. Text before `held - 3` was searched already. */
function endOfSection(text: string, held: number): number | undefined {
  const at = text.indexOf("\r\n\r\n", Math.max(0, held - 3));
  return at === -1 ? undefined : at + 4;
}

/** Text before `from` was searched already: a sender of single bytes costs no more than its own packets. */
function hasBareLineFeed(text: string, from: number): boolean {
  for (let at = text.indexOf("\n", from); at !== -1; at = text.indexOf("\n", at + 1)) {
    if (text.charCodeAt(at - 1) !== CR) return true;
  }
  return false;
}

/** The digit's value, or -1. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = (code | 0x20) - 0x57;
  return letter >= 10 && letter <= 15 ? letter : -1;
}
