/**
 * The elements of `Forwarded`, one a hop, each a few named values.
 *
 * Source: RFC 7239, section 4. Beside its grammar blanks are taken around "," and ";", which many write, and empty elements
 * (RFC 9110, section 5.6.1.2). A name twice in an element is malformed, as is a quote that does not close: two readers could see
 * different hops.
 */

/** Names in lower case, values without their quotes. */
export type ForwardedElement = ReadonlyMap<string, string>;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = '"((?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*)"';
/** A pair, if there is one, and what ends it. No two neighbours begin alike, so it is linear. */
const PAIR = new RegExp(`[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|${QUOTED})[ \\t]*)?([,;]|$)`, "y");

/** @param text all lines, joined by commas @returns undefined for what can't be read. Never throws; linear in the text. */
export function parseForwardedElements(text: string): readonly ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = [];
  let element = new Map<string, string>();
  const pair = new RegExp(PAIR); // Its place is kept in it.
  for (let isOver = false; !isOver;) {
    const found = pair.exec(text);
    if (found === null) return undefined;
    const [, name, token, quoted, end] = found;
    if (name !== undefined) {
      const key = name.toLowerCase();
      if (element.has(key)) return undefined;
      element.set(key, token ?? (quoted ?? "").replaceAll(/\\(.)/g, "$1"));
    }
    if (end !== ";" && element.size > 0) {
      elements.push(element);
      element = new Map();
    }
    isOver = end === "";
  }
  return elements;
}
