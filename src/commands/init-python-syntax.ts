/**
 * What Python's `re` and RE2 read alike: a grammar of exactly that. It is a list of what may stand, not of what may not,
 * so a construct that nobody thought of is refused and never guessed at.
 *
 * "Alike" is meant for names that can be a server's: ASCII, no control characters. There `\d`, `\w`, `\s`, `\b` (Unicode in
 * Python, ASCII in RE2), the dot, and `$` before a line's end come to the same. RE2 has no negative look-around, so what it
 * reads narrower makes a whole pattern narrower.
 * Sources: https://docs.python.org/3/library/re.html#regular-expression-syntax (Lib/re/_parser.py of 3.11),
 * https://github.com/google/re2/wiki/Syntax. Held by test/fixtures/python-patterns.jsonl, which is what Python said.
 * Not here: what RE2 refuses itself (peer/pattern.ts says that, with advice).
 */

export interface PythonPattern {
  /** The first thing that the two read differently, or that Python refuses; undefined: none. */
  readonly refused: string | undefined;
  /** Whether an upper-case letter can match, which it did in Synapse alone. */
  readonly hasUpperCase: boolean;
  /** Whether `$` stands somewhere: there Synapse allowed no port behind the name. */
  readonly hasEnd: boolean;
  /** RE2's instructions at most, counted repeats multiplied out. */
  readonly size: number;
}

/** What a token is for the token behind it: only an atom can be repeated. */
type Role = "atom" | "anchor" | "open" | "close" | "quantifier" | "or" | "refused";

/** One form at one place of the pattern; sticky. */
type Form = readonly [form: RegExp, role: Role];

const FORMS: readonly Form[] = [
  [/\\(?:[^A-Za-z0-9\x80-\uffff]|[DdSsWwafnrtv]|x[0-9A-Fa-f]{2})/y, "atom"],
  [/\\[ABb]|[\^$]/y, "anchor"],
  // One sign only: what (?i-i:…) means, Python does not say.
  [/\((?:\?(?:P<[A-Za-z_][A-Za-z0-9_]*>|-?[ims]+:|:)|(?!\?))/y, "open"],
  [/\)/y, "close"],
  [/\|/y, "or"],
  // RE2 takes {01} for text.
  [/(?:[*+?]|\{(?:0|[1-9]\d*)(?:,(?:0|[1-9]\d*)?)?\})\??/y, "quantifier"],
  // A brace that no count follows is one in both.
  [/[^\\[(){*+?|^$\x80-\uffff]|\{(?![\d,])/y, "atom"],
];

/** A set's piece: a class, which can't be an end of a range, or one character. `[` is not among them. */
const SET_CLASS = /\\[DdSsWw]/y;
const SET_CHARACTER = /\\(?:[^A-Za-z0-9\x80-\uffff]|[afnrtv]|x[0-9A-Fa-f]{2})|[^\\[\x80-\uffff]/y;

/** Why what is in neither grammar is refused, by how the rest of the pattern begins. The last fits everything. */
const REASONS: readonly (readonly [rest: RegExp, reason: string])[] = [
  [
    /^\[[:.=]/,
    "Python reads [: inside a set as two characters, and here [:alpha:] is any letter: write the letters out, as in [a-z], or \\[ for a bracket",
  ],
  [/^\[/, "a bracket inside a set is to become a nested set in Python: write \\["],
  [/^\{,/, "Python reads {,3} as {0,3}, and here it stands for itself: write {0,3}"],
  [
    /^\{/,
    "only {n}, {n,} and {n,m} without leading zeros repeat in Python and here: write one of them, or \\{",
  ],
  [
    /^\(\?[aiLmsu-]+\)/,
    "Python takes flags such as (?i) at the very start alone, which Synapse's brackets take away: leave them out; letter case is aside here",
  ],
  [/^\(\?</, "Python's named groups are written (?P<name>…): write that, or plain brackets"],
  [/^\(\?/, "Python and RE2 do not both know this group: write plain brackets"],
  [
    /^\\[zZ]/,
    "an end such as \\z inside a pattern is not taken over: leave it out, a pattern always matches the whole name",
  ],
  [/^\\[0-9]/, "Python and RE2 count octal escapes and references differently: write the character itself"],
  [
    /^\\/,
    "Python and RE2 do not both know this escape, or read it differently: write the characters themselves",
  ],
  [/^[*+?]/, "Python repeats neither an anchor nor a repeat: leave one out"],
  [
    /^[^]/,
    "a server name has only ASCII characters, of which Python and RE2 may fold others onto: leave them out",
  ],
];

function reasonAt(text: string, at: number): string {
  const rest = text.slice(at, at + 12);
  return REASONS.find(([form]) => form.test(rest))?.[1] ?? "";
}

/** The text of a sticky form at a place; undefined: something else stands there. */
function match(form: RegExp, text: string, at: number): string | undefined {
  form.lastIndex = at;
  return form.exec(text)?.[0];
}

/** @param text whatever stands in the file. Linear in it. It goes on behind what is refused, for the size alone. */
export function readPythonPattern(text: string): PythonPattern {
  const sizes = createSizes();
  let refused: string | undefined;
  let hasUpperCase = false;
  let hasEnd = false;
  let before: Role = "open";
  for (let at = 0; at < text.length;) {
    const token = text[at] === "[" ? readSet(text, at) : readToken(text, at);
    // `(*` and `|*` are left to RE2, which refuses them too.
    const isRepeatOfNone = token.role === "quantifier" && (before === "anchor" || before === "quantifier");
    refused ??= isRepeatOfNone ? reasonAt("*", 0) : token.refused;
    hasUpperCase ||= token.hasUpperCase;
    const symbol = text.slice(at, token.end);
    hasEnd ||= symbol === "$";
    sizes.add(token.role, symbol);
    before = token.role;
    at = token.end;
  }
  return { refused, hasUpperCase, hasEnd, size: sizes.total() };
}

interface Token {
  readonly role: Role;
  /** Where the next one begins. */
  readonly end: number;
  readonly hasUpperCase: boolean;
  readonly refused?: string;
}

function readToken(text: string, at: number): Token {
  for (const [form, role] of FORMS) {
    const symbol = match(form, text, at);
    if (symbol === undefined) continue;
    const isUpper = role === "atom" && spansUpperCase(codeOf(symbol), codeOf(symbol));
    return { role, end: at + symbol.length, hasUpperCase: isUpper };
  }
  // A group that is refused still opens one, or the sizes behind it would count for another.
  const role = text[at] === "(" ? "open" : "refused";
  return { role, end: at + (text[at] === "\\" ? 2 : 1), hasUpperCase: false, refused: reasonAt(text, at) };
}

/** A set `[…]` from its bracket on. In both, a `]` that comes first stands for itself, as does a `-` at either end. */
function readSet(text: string, start: number): Token {
  let at = match(/\[\^?/y, text, start)?.length ?? 1;
  at += start;
  const first = at;
  let hasUpperCase = false;
  let refused: string | undefined;
  while (at < text.length && (text[at] !== "]" || at === first)) {
    const set = match(SET_CLASS, text, at);
    if (set !== undefined) {
      at += set.length;
      if (text[at] === "-" && text[at + 1] !== "]") {
        refused ??= "Python refuses a range that begins with a class, such as [\\w-a]: write the - last";
      }
      continue;
    }
    const low = match(SET_CHARACTER, text, at);
    if (low === undefined) {
      refused ??= reasonAt(text, at);
      at += text[at] === "\\" ? 2 : 1;
      continue;
    }
    at += low.length;
    const high = text[at] === "-" && text[at + 1] !== "]" ? match(SET_CHARACTER, text, at + 1) : undefined;
    hasUpperCase ||= spansUpperCase(codeOf(low), codeOf(high ?? low));
    at += high === undefined ? 0 : 1 + high.length;
  }
  const found = { role: "atom", end: Math.min(at + 1, text.length), hasUpperCase } as const;
  return refused === undefined ? found : { ...found, refused };
}

/** Of one character as a form matched it; a class gives the code of its letter's backslash, which is no letter. */
function codeOf(symbol: string): number {
  if (symbol.startsWith("\\x")) return Number.parseInt(symbol.slice(2), 16);
  return /^\\[A-Za-z]/.test(symbol) ? 0 : (symbol.at(-1) ?? "").charCodeAt(0);
}

function spansUpperCase(low: number, high: number): boolean {
  return low <= "Z".charCodeAt(0) && high >= "A".charCodeAt(0);
}

interface Sizes {
  add(role: Role, symbol: string): void;
  total(): number;
}

/** Nested repeats would run out of numbers. */
const SIZE_MAX = 1e9;
/** What a pattern has beside its own: start, match, and the way into the union. */
const SIZE_OF_NONE = 5;

/** Adds up instructions, rather too many than too few: so what fits here fits in the engine. */
function createSizes(): Sizes {
  /** Of each open group; what it holds, and its last atom, which a repeat copies. */
  const stack = [{ size: SIZE_OF_NONE, last: 0 }];
  function grow(by: number, last: number): void {
    const group = stack.at(-1);
    if (group === undefined) return;
    group.size = Math.min(group.size + by, SIZE_MAX);
    group.last = Math.min(last, SIZE_MAX);
  }
  function close(): void {
    const size = stack.length > 1 ? (stack.pop()?.size ?? 0) : 0;
    // An empty group is one instruction, its ends are two.
    grow(size + 3, size + 3);
  }
  return {
    add(role, symbol) {
      const last = stack.at(-1)?.last ?? 0;
      if (role === "open") stack.push({ size: 0, last: 0 });
      else if (role === "close") close();
      else if (role === "or") grow(2, 0);
      else if (role === "quantifier") {
        const copies = copiesOf(symbol);
        const more = last * (copies - 1) + 2 * copies;
        grow(more, last + more);
      } else grow(1, 1);
    },
    total() {
      while (stack.length > 1) close();
      return stack[0]?.size ?? 0;
    },
  };
}

/** `{n,m}` is m copies, `{n,}` n + 1 at most; everything else one. */
function copiesOf(quantifier: string): number {
  const [, least = "0", comma = "", most] = /^\{(\d+)(,?)(\d*)/.exec(quantifier) ?? [];
  return Math.max(1, Number(most || least) + (comma === "" ? 0 : 1));
}
