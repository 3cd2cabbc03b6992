/**
 * What a regular expression roughly looks like as a name: one sample that it might match, for the warnings of
 * peer/pattern-lint.ts. A guess on purpose: whoever uses it asks the engine whether it holds. Only `isDead` is
 * certain.
 *
 * Reads the engine's syntax (https://github.com/google/re2/wiki/Syntax), and only patterns that it has passed.
 */

/** Stands in a sample for a run of any characters (`.*`, `.+`). */
export const RUN = "*";
/** Stands in a sample for one character that an unescaped dot matches. */
export const LOOSE = "?";

export interface Sample {
  readonly text: string;
  /** Every way through the pattern needs a character that stands in no server name. */
  readonly isDead: boolean;
}

/** What server names are made of; U+212A and U+017F match k and s when case is aside. */
const NAME_CHARACTERS = /^[0-9A-Za-z.:[\]\u212A\u017F-]*$/;

const QUANTIFIER = /(?:[*+?]|\{([0-9]+)(?:,([0-9]*))?\})\??/y;
const GROUP_HEAD = /\((?:\?P?<[^>]*>|\?[a-zA-Z-]*:)?/y;
const FLAGS_ONLY = /\(\?[a-zA-Z-]*\)/y;
const CLASS = /\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]/y;
const ESCAPE = /\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[^}]*\}|..)|[0-7]{1,3}|.)/sy;
const QUOTE = /\\Q(.*?)(?:\\E|$)/sy;

/** @param regex one that the engine compiles */
export function sampleOf(regex: string): Sample {
  return createReader(regex).alternation();
}

/** A recursive descent; as deep as the pattern's groups, of which the engine allows 1,000. */
function createReader(regex: string): { alternation(): Sample } {
  let at = 0;

  function take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at;
    const match = pattern.exec(regex) ?? undefined;
    at += match?.[0].length ?? 0;
    return match;
  }

  /** The first alternative that is not dead. */
  function alternation(): Sample {
    let chosen = concatenation();
    while (regex[at] === "|") {
      at++;
      const next = concatenation();
      if (chosen.isDead) chosen = next;
    }
    return chosen;
  }

  function concatenation(): Sample {
    let text = "";
    let isDead = false;
    while (at < regex.length && regex[at] !== "|" && regex[at] !== ")") {
      const part = repetition();
      text += part.text;
      isDead ||= part.isDead;
    }
    return { text, isDead };
  }

  function repetition(): Sample {
    const one = atom();
    const quantifier = take(QUANTIFIER);
    if (quantifier === undefined) return one;
    const [form, least, most] = quantifier;
    const isUnbounded = form.startsWith("*") || form.startsWith("+") || most === "";
    if (one.text === LOOSE && isUnbounded) return { text: RUN, isDead: false };
    const times = form.startsWith("+") ? 1 : Number(least ?? 0);
    return times === 0 ? { text: "", isDead: false } : { text: one.text.repeat(times), isDead: one.isDead };
  }

  function atom(): Sample {
    const quote = take(QUOTE);
    if (quote !== undefined) return literal(quote[1] ?? "");
    const escape = take(ESCAPE);
    if (escape !== undefined) return escaped(escape[0]);
    if (take(FLAGS_ONLY) !== undefined) return { text: "", isDead: false };
    if (take(CLASS) !== undefined) return { text: "a", isDead: false };
    if (take(GROUP_HEAD) !== undefined) {
      const inside = alternation();
      at++; // The closing parenthesis.
      return inside;
    }
    const character = regex[at] ?? "";
    at++;
    if (character === ".") return { text: LOOSE, isDead: false };
    return character === "^" || character === "$" ? { text: "", isDead: false } : literal(character);
  }

  return { alternation };
}

function literal(text: string): Sample {
  return { text, isDead: !NAME_CHARACTERS.test(text) };
}

/** `\.` is itself; `\d`, `\w` and their like are any of their class; `\b`, `\A`, `\z` are no character. */
function escaped(escape: string): Sample {
  const kind = escape.charAt(1);
  if (/[^0-9A-Za-z]/.test(kind)) return literal(kind);
  if (/[bBAz]/.test(kind)) return { text: "", isDead: false };
  // \s, and the control characters \t \n \r \f \v \a.
  if (/[stnrfva]/.test(kind)) return { text: " ", isDead: true };
  return { text: kind === "d" ? "1" : "a", isDead: false };
}
