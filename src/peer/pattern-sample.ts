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
const LOOSE = "?";

/** Stands in a sample behind one character of a class that may be repeated (`[a-z]+`, `\S*`). */
export const MORE = "+";

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

/** @param regex one that the engine compiles @param choice which alternative is taken, of each group with so many */
export function sampleOf(regex: string, choice = 0): Sample {
  return createReader(regex, choice).alternation();
}

/** Samples of one pattern; more alternatives than that are a list, and alike. */
const SAMPLES_MAX = 16;

/** Different samples, each alternative in one of them at least. */
export function samplesOf(regex: string): readonly Sample[] {
  if (!regex.includes("|")) return [sampleOf(regex)];
  const samples = new Map<string, Sample>();
  for (let choice = 0; choice < SAMPLES_MAX; choice++) {
    const sample = sampleOf(regex, choice);
    samples.set(sample.text, sample);
  }
  return [...samples.values()];
}

/** A sample as a name. */
export function nameOf({ text }: Pick<Sample, "text">): string {
  return text.replaceAll(MORE, "").replaceAll(RUN, "a").replaceAll(LOOSE, ".");
}

/** A recursive descent; as deep as the pattern's groups, of which the engine allows 1,000. */
function createReader(regex: string, choice: number): { alternation(): Sample } {
  let at = 0;

  function take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at;
    const match = pattern.exec(regex) ?? undefined;
    at += match?.[0].length ?? 0;
    return match;
  }

  /** One of the alternatives that are not dead. */
  function alternation(): Sample {
    const all = [concatenation()];
    while (regex[at] === "|") {
      at++;
      all.push(concatenation());
    }
    const alive = all.filter(({ isDead }) => !isDead);
    return alive[choice % alive.length] ?? all[0] ?? { text: "", isDead: true };
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
    const isClass = /^(?:\[|\\[dDwWsSpP])/.test(regex.slice(at, at + 2));
    const one = atom();
    const quantifier = take(QUANTIFIER);
    if (quantifier === undefined) return one;
    const [form, least, most] = quantifier;
    const isUnbounded = form.startsWith("*") || form.startsWith("+") || most === "";
    if (one.text === LOOSE && isUnbounded) return { text: RUN, isDead: false };
    if (isClass && isUnbounded && !one.isDead) return { text: one.text + MORE, isDead: false };
    const times = form.startsWith("+") ? 1 : Number(least ?? 0);
    return times === 0 ? { text: "", isDead: false } : { text: one.text.repeat(times), isDead: one.isDead };
  }

  function atom(): Sample {
    const quote = take(QUOTE);
    if (quote !== undefined) return literal(quote[1] ?? "");
    const escape = take(ESCAPE);
    if (escape !== undefined) return escaped(escape[0]);
    if (take(FLAGS_ONLY) !== undefined) return { text: "", isDead: false };
    const set = take(CLASS);
    if (set !== undefined) return { text: ofClass(set[0]), isDead: false };
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

/** A letter or digit that a class names; a negated one has most of them. */
function ofClass(set: string): string {
  if (set.startsWith("[^")) return "a";
  if (/\[:x?digit:|\\d/.test(set)) return "1";
  return /(?<!\\)[0-9A-Za-z]/.exec(set)?.[0] ?? "a";
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
