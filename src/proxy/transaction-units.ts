/**
 * Counts the events of a Matrix transaction while it streams by: the items of its lists `pdus` and `edus`
 * (https://spec.matrix.org/v1.16/server-server-api/#put_matrixfederationv1sendtxnid).
 *
 * It follows brackets and strings only, and keeps four numbers and one key of at most eight bytes, whatever the body holds. What is no
 * JSON gives a wrong count and nothing worse; a compressed body gives none. Not here: whether the items are events.
 */

/** Of each kind, in one body; a transaction has at most 50 PDUs and 100 EDUs. */
const UNITS_MAX = 1000;
const KEY_BYTES_MAX = 8;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

type List = "pdus" | "edus";

export class TransactionUnits {
  pdus = 0;
  edus = 0;
  /** Of brackets: 1 in the body's object, 2 in a list of it. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** The last string at depth 1, which is a key if a colon follows. */
  #text = "";
  #key = "";
  #list: List | undefined;

  /** @param bytes the next ones of the body, in any pieces; not kept */
  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at++) {
      if (this.#isInString) {
        at = this.#readString(bytes, at);
        continue;
      }
      switch (bytes[at]) {
        case QUOTE:
          this.#isInString = true;
          this.#text = "";
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          this.#open(bytes[at] === OPEN_BRACKET);
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          this.#depth--;
          if (this.#depth < 2) this.#list = undefined;
          break;
        case COLON:
          if (this.#depth === 1) this.#key = this.#text;
          break;
        case COMMA:
          if (this.#depth === 1) this.#key = "";
          break;
      }
    }
  }

  #open(isList: boolean): void {
    const depth = this.#depth++;
    if (depth === 1) {
      this.#list = isList && (this.#key === "pdus" || this.#key === "edus") ? this.#key : undefined;
    } else if (depth === 2 && !isList && this.#list !== undefined && this[this.#list] < UNITS_MAX) {
      this[this.#list]++;
    }
  }

  /** Most of a body is strings: their ends are looked for by the buffer itself. @returns where it stands afterwards */
  #readString(bytes: Buffer, from: number): number {
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at++;
    }
    let quote = bytes.indexOf(QUOTE, at);
    for (;;) {
      // Looked for anew only where that one was passed, as an escaped one: a body of escapes takes no longer.
      if (quote !== -1 && quote < at) quote = bytes.indexOf(QUOTE, at);
      const end = quote === -1 ? bytes.length : quote;
      const backslash = bytes.subarray(at, end).indexOf(BACKSLASH);
      if (backslash === -1) {
        if (this.#depth === 1) this.#keep(bytes, at, end);
        if (quote !== -1) this.#isInString = false;
        return end;
      }
      this.#text = "\\"; // No key that is looked for has an escape in it.
      at += backslash + 2;
      if (at > bytes.length) {
        this.#isEscaped = true;
        return bytes.length;
      }
    }
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.#text.length + to - from > KEY_BYTES_MAX) this.#text = "\\";
    else this.#text += bytes.toString("latin1", from, to);
  }
}
