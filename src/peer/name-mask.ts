/**
 * Patterns that a table can look up: names in which an unescaped dot, or a `?` of a glob, stands for one character, and
 * the ends of names (`*.example.net`, `(.+\.)?friends\.example`). Nearly all entries of a long list are such, and
 * thousands of them cost one look-up (peer/mask-index.ts) where the engine would have to compile each.
 *
 * Exact on what parseServerName gives, which is all that is asked for: lower-case ASCII that begins with no dot. What is
 * read here the engine (peer/pattern.ts) reads the same way: test/peer/name-mask.test.ts asks both.
 * Not here: classes, repeats, flags, runs at other places than the start; all these are the engine's.
 */

/** A name, or the end of one. */
export interface NameMask {
  /** Any characters, also none, may stand before the text. */
  readonly isOpen: boolean;
  /** Lower-case, with ANY for any one character. */
  readonly text: string;
}

/** Stands in no name, and sorts before all that do. */
export const ANY = "\u0000";

/** Of one pattern; `(a|b)(c|d)?` has six. A pattern with more is the engine's. */
const MASKS_MAX = 16;
/** Groups within groups; the engine has a bound too, and it must be the one that is met first here. */
const DEPTH_MAX = 8;

/** Characters that stand for themselves, in a regular expression and in a glob. */
const PLAIN = /^[0-9A-Za-z:_/@%,;=<>~#&!"'` -]$/;
/** What a backslash makes stand for itself. */
const PUNCTUATION = /^[!-/:-@[-`{-~]$/;
/**
 * Any port, which may be missing: a pattern without it matches the same names, since each is asked for without its port
 * too. No IPv6 literal ends in a digit.
 */
const ANY_PORT = /(?<!\\)\((?:\?:)?:(?:\\d|\[0-9\])[+*]\)\?(?=\$?$)/;
const GLOB = /^\**(?:[0-9A-Za-z:_/@.?[\]-])*$/;

/** Most entries of a list, so they are read quickly: names whose dots are escaped, or not. */
const NAME = /^(?:[0-9A-Za-z:-]|\\\.)+$/;
const LOOSE_NAME = /^(?:[0-9A-Za-z:-]|\\?\.)+$/;
/** A domain and all below it. */
const DOMAIN = /^\((?:\?:)?\.[+*]\\\.\)\?((?:[0-9A-Za-z:-]|\\\.)+)$/;

type Masks = readonly NameMask[];
const NOTHING: Masks = [{ isOpen: false, text: "" }];

/**
 * @param pattern any; what is read here is one that the engine takes
 * @returns masks of which one matches exactly when the pattern does; undefined: ask the engine
 */
export function masksOf(pattern: {
  readonly kind: "regex" | "glob";
  readonly text: string;
}): Masks | undefined {
  const { kind, text } = pattern;
  if (kind === "glob") return maskOfGlob(text);
  if (NAME.test(text)) return [{ isOpen: false, text: unescapeDots(text) }];
  if (LOOSE_NAME.test(text)) return [{ isOpen: false, text: looseMask(text) }];
  const domain = DOMAIN.exec(text)?.[1];
  if (domain === undefined) return readRegex(text.replace(ANY_PORT, ""));
  const name = unescapeDots(domain);
  return [
    { isOpen: false, text: name },
    { isOpen: true, text: `.${name}` },
  ];
}

/** Whether masksOf gives any, in less time. */
export function hasMasks(pattern: { readonly kind: "regex" | "glob"; readonly text: string }): boolean {
  const { kind, text } = pattern;
  if (kind === "glob") return GLOB.test(text);
  return LOOSE_NAME.test(text) || DOMAIN.test(text) || masksOf(pattern) !== undefined;
}

function unescapeDots(text: string): string {
  return text.replaceAll("\\.", ".").toLowerCase();
}

function looseMask(text: string): string {
  const parts = text.toLowerCase().split("\\.");
  return parts.map((part) => part.replaceAll(".", ANY)).join(".");
}

function maskOfGlob(glob: string): Masks | undefined {
  if (!GLOB.test(glob)) return undefined;
  const text = glob.replace(/^\*+/, "").replaceAll("?", ANY).toLowerCase();
  return [{ isOpen: glob.startsWith("*"), text }];
}

/** Thrown away with what was read when a pattern turns out to be the engine's. */
function readRegex(regex: string): Masks | undefined {
  let at = 0;

  function alternation(depth: number): Masks | undefined {
    if (depth > DEPTH_MAX) return undefined;
    const all: NameMask[] = [];
    for (;;) {
      const masks = concatenation(depth);
      if (masks === undefined || all.length + masks.length > MASKS_MAX) return undefined;
      all.push(...masks);
      if (regex[at] !== "|") return all;
      at++;
    }
  }

  function concatenation(depth: number): Masks | undefined {
    let masks: Masks | undefined = NOTHING;
    // At the ends of a whole alternative they change nothing: a pattern matches the whole name anyway.
    if (depth === 0 && regex[at] === "^") at++;
    while (masks !== undefined && at < regex.length && !"|)".includes(regex[at] ?? "")) {
      if (depth === 0 && regex[at] === "$" && (at + 1 === regex.length || regex[at + 1] === "|")) at++;
      else masks = join(masks, item(depth));
    }
    return masks;
  }

  function item(depth: number): Masks | undefined {
    const one = atom(depth);
    const quantifier = regex[at] ?? "";
    if (one === undefined || !"*+?{".includes(quantifier) || quantifier === "") return one;
    at++;
    if (regex[at] === "?") at++; // Lazy: which way is tried first changes nothing for a whole match.
    // A second quantifier is a fault, which the engine tells.
    if ("*+?{".includes(regex[at] ?? "|")) return undefined;
    if (quantifier === "?") return [...NOTHING, ...one];
    const isDot = one === ANY_ONE;
    if (quantifier === "{" || !isDot) return undefined;
    return [{ isOpen: true, text: quantifier === "+" ? ANY : "" }];
  }

  function atom(depth: number): Masks | undefined {
    const character = regex[at] ?? "";
    at++;
    if (character === ".") return ANY_ONE;
    if (character === "\\") {
      const escaped = regex[at] ?? "";
      at++;
      return PUNCTUATION.test(escaped) ? [{ isOpen: false, text: escaped }] : undefined;
    }
    if (character !== "(") {
      return PLAIN.test(character) ? [{ isOpen: false, text: character.toLowerCase() }] : undefined;
    }
    if (regex.startsWith("?:", at)) at += 2;
    const inside = alternation(depth + 1);
    if (regex[at] !== ")") return undefined;
    at++;
    return inside;
  }

  const masks = alternation(0);
  return at === regex.length ? masks?.map(withoutFirstOfRun) : undefined;
}

/** `.+` before a dot is `.*`: no name begins with a dot. */
function withoutFirstOfRun({ isOpen, text }: NameMask): NameMask {
  return { isOpen, text: isOpen && text.startsWith(`${ANY}.`) ? text.slice(1) : text };
}

const ANY_ONE: Masks = [{ isOpen: false, text: ANY }];

/** Each of the one followed by each of the other; a run in the middle is the engine's. */
function join(left: Masks, right: Masks | undefined): Masks | undefined {
  if (right === undefined || left.length * right.length > MASKS_MAX) return undefined;
  const joined: NameMask[] = [];
  for (const before of left) {
    for (const after of right) {
      if (after.isOpen && before.text !== "") return undefined;
      joined.push({ isOpen: before.isOpen || after.isOpen, text: before.text + after.text });
    }
  }
  return joined;
}

/** Whether a mask matches a name. @param name of parseServerName */
export function fits({ isOpen, text }: NameMask, name: string): boolean {
  const skipped = name.length - text.length;
  if (skipped < 0 || (skipped > 0 && !isOpen)) return false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== ANY && text[at] !== name[skipped + at]) return false;
  }
  return true;
}
