/**
 * Finds the end of a head in what a socket delivers, in one piece or in many.
 *
 * Almost always a head comes whole: one search in one short string. A head in fragments is gathered in a
 * buffer that doubles, and only new bytes are searched, so a sender of single bytes costs no more than its
 * own packets (no quadratic work: CVE-2018-12122 is the family).
 */

/** Enough for nearly every head; a larger first look would copy bodies for nothing. */
const FIRST_LOOK_BYTES = 4096;
/** Empty lines that may stand before a request (RFC 9112 section 2.2 asks for at least one). */
const EMPTY_LINES_MAX = 2;

const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = Buffer.from("\r\n\r\n", "latin1");

/** `text` is the head with its empty line; `end` is where its last byte lies, one past, in the bytes given. */
interface Found {
  readonly text: string;
  readonly end: number;
}

export class HeadBuffer {
  readonly #maxBytes: number;
  #gathered: Buffer | undefined;
  #length = 0;
  #emptyLines = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether some bytes of a head are held. */
  get isPartial(): boolean {
    return this.#length > 0;
  }

  /**
   * Takes bytes from `from` on.
   *
   * @returns the head; or "more" (all of the bytes were taken, more are needed); or why there can be none
   */
  take(bytes: Buffer, from: number): Found | "more" | "bare-line-end" | "head-size" {
    let at = from;
    const isCrHeld = this.#length === 1 && this.#gathered?.[0] === CR;
    if (isCrHeld && bytes[at] === LF && this.#emptyLines < EMPTY_LINES_MAX) {
      // An empty line whose two bytes came apart.
      this.#length = 0;
      this.#emptyLines++;
      at++;
    }
    if (this.#length === 0) {
      while (bytes[at] === CR && bytes[at + 1] === LF && this.#emptyLines < EMPTY_LINES_MAX) {
        at += 2;
        this.#emptyLines++;
      }
      const text = bytes.toString("latin1", at, Math.min(bytes.length, at + FIRST_LOOK_BYTES));
      const end = text.indexOf("\r\n\r\n");
      if (end !== -1) return this.#found(text.slice(0, end + 4), at + end + 4);
    }
    return this.#gather(bytes, at);
  }

  #gather(bytes: Buffer, from: number): Found | "more" | "bare-line-end" | "head-size" {
    const held = this.#length;
    const room = this.#maxBytes + HEAD_END.length - held;
    const taken = Math.min(bytes.length - from, room);
    const gathered = this.#reserve(held + taken);
    bytes.copy(gathered, held, from, from + taken);
    this.#length = held + taken;
    const view = gathered.subarray(0, this.#length);
    const end = view.indexOf(HEAD_END, Math.max(0, held - 3));
    if (end !== -1) {
      const headEnd = end + HEAD_END.length;
      return this.#found(view.toString("latin1", 0, headEnd), from + headEnd - held);
    }
    if (hasBareLineFeed(view, held)) return "bare-line-end";
    return this.#length > this.#maxBytes ? "head-size" : "more";
  }

  #reserve(length: number): Buffer {
    const old = this.#gathered;
    if (old !== undefined && old.length >= length) return old;
    const grown = Buffer.allocUnsafe(Math.max(length, 2 * (old?.length ?? 512)));
    old?.copy(grown, 0, 0, this.#length);
    this.#gathered = grown;
    return grown;
  }

  #found(text: string, end: number): Found | "head-size" {
    this.#length = 0;
    this.#emptyLines = 0;
    this.#gathered = undefined;
    return text.length > this.#maxBytes ? "head-size" : { text, end };
  }
}

/** A head with LF alone would never show its end; it is refused when its first line is here, not at the time limit. */
function hasBareLineFeed(view: Buffer, from: number): boolean {
  for (let at = view.indexOf(LF, from); at !== -1; at = view.indexOf(LF, at + 1)) {
    if (view[at - 1] !== CR) return true;
  }
  return false;
}
