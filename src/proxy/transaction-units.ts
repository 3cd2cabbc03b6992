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

/** Stands for a string that is none of the keys: longer, or with an escape. */
const UNREADABLE = "\\".repeat(KEY_BYTES_MAX);

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
    let at = 0;
    while (at < bytes.length)
      at = this.#isInString ? this.#readString(bytes, at) : this.#readOther(bytes, at);
  }

  /** Up to the next string. @returns where it stands then */
  #readOther(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      switch (bytes[at]) {
        case QUOTE:
          this.#isInString = true;
          this.#text = "";
          return at + 1;
        case OPEN_BRACE:
          this.#open(false);
          break;
        case OPEN_BRACKET:
          this.#open(true);
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
    return bytes.length;
  }

  #open(isList: boolean): void {
    const depth = this.#depth++;
    if (depth === 1) {
      this.#list = isList && (this.#key === "pdus" || this.#key === "edus") ? this.#key : undefined;
    } else if (depth === 2 && !isList && this.#list !== undefined && this[this.#list] < UNITS_MAX) {
      this[this.#list]++;
    }
  }

  /** Byte by byte: most strings are short, and a call of `indexOf` takes longer than they are. @returns where it stands afterwards */
  #readString(bytes: Buffer, from: number): number {
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at++;
    }
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === BACKSLASH) {
        this.#text = UNREADABLE;
        at++;
        this.#isEscaped = at === bytes.length;
      } else if (byte === QUOTE) {
        this.#isInString = false;
        break;
      }
    }
    if (this.#depth === 1) this.#keep(bytes, from, Math.min(at, bytes.length));
    return at + 1;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.#text.length + to - from > KEY_BYTES_MAX) this.#text = UNREADABLE;
    else this.#text += bytes.toString("latin1", from, to);
  }
}
