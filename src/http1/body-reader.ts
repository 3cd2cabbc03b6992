/**
 * Where a message's body ends, for every framing; the bytes themselves are passed on as they came.
 *
 * Source: RFC 9112 section 6.
 */

import { ChunkedReader } from "./chunked.ts";
import { CHUNKED, UNTIL_CLOSE } from "./framing.ts";

/**
 * libuv reads into buffers of 64 KiB. One that is full is followed by the next before anything else happens, so the next
 * request could be on its way before what stood behind the response is seen, and would be answered with it.
 */
const READ_BYTES = 65_536;

/** Whether anything stands, or could, behind a message that ends at `end` of what was read. */
export function mayHaveMore(bytes: Buffer, end: number): boolean {
  return end < bytes.length || bytes.length >= READ_BYTES;
}

/** What a piece of input held of the body. */
export interface BodyPiece {
  /** End of the bytes to pass on as they are. */
  readonly passEnd: number;
  /** How many of them are the body's, without its coding. */
  readonly payload: number;
  /** End of what belongs to the body; the rest is the next message's. */
  readonly end: number;
  readonly isDone: boolean;
}

export type BodyFault = "chunk" | "trailer" | "head-size";

export class BodyReader {
  #left: number;
  readonly #chunked: ChunkedReader | undefined;

  /**
   * @param length bytes, `CHUNKED` or `UNTIL_CLOSE`
   * @param trailersMax bytes of a trailer section
   * @param onBytes for `CHUNKED`: given the bytes without the coding; nothing else should be passed on then
   */
  constructor(length: number, trailersMax: number, onBytes?: (bytes: Buffer) => void) {
    this.#left = length === UNTIL_CLOSE ? Number.POSITIVE_INFINITY : length;
    this.#chunked = length === CHUNKED ? new ChunkedReader(trailersMax, onBytes) : undefined;
  }

  /** After the end: the trailer section with its empty line, or "". */
  get trailers(): string {
    return this.#chunked?.trailers ?? "";
  }

  read(bytes: Buffer, from: number): BodyPiece | BodyFault {
    const chunked = this.#chunked;
    if (chunked !== undefined) {
      const before = chunked.payload;
      const end = chunked.read(bytes, from);
      const payload = chunked.payload - before;
      return chunked.fault ?? { passEnd: chunked.passEnd, payload, end, isDone: chunked.isDone };
    }
    const end = Math.min(bytes.length, from + this.#left);
    this.#left -= end - from;
    return { passEnd: end, payload: end - from, end, isDone: this.#left === 0 };
  }
}
