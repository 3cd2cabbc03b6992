/**
 * Globs over server names: `*` any run of characters, dots too; `?` one; braces `{a,b}` and `{1..3}`.
 * They become regular expressions of the linear engine (peer/pattern.ts).
 *
 * micromatch expands the braces and does nothing else: its matchers can backtrack, and treat dots and slashes as
 * paths have them. It is loaded (5 ms) only for a glob that has braces. What it would expand to is counted
 * before: its own limit knows neither `{9..1}` nor `{1..900}{1..900}`.
 * Not here: character classes, `!` and quoting; their characters stand in no server name, or for themselves.
 */

/** One glob stands for at most so many names; a list that is longer is better told by a `*`. */
const EXPANSIONS_MAX = 1000;
/** Characters of all expansions together; keeps the compiled set within its own bound. */
const EXPANDED_LENGTH_MAX = 50_000;

/** Outside of these micromatch gives brackets, quotes, `$` and backslashes meanings of their own. */
const BRACE_GLOB = /^[A-Za-z0-9_.:*?{},-]+$/;
const NUMBER_RANGE = /^(-?[0-9]+)\.\.(-?[0-9]+)(?:\.\.(-?[0-9]+))?$/;
const LETTER_RANGE = /^([a-z])\.\.([a-z])(?:\.\.(-?[0-9]+))?$/i;

/** @returns what is wrong with the glob and what is allowed, or undefined */
export function checkGlob(glob: string): string | undefined {
  if (!/[{}]/.test(glob)) return undefined;
  if (!BRACE_GLOB.test(glob)) {
    return "beside braces a glob may hold letters, digits and . : - _ * ? only; write other names as entries of their own";
  }
  const count = countExpansions(glob);
  if (typeof count === "string") return count;
  if (count > EXPANSIONS_MAX) {
    return `the braces stand for more than ${EXPANSIONS_MAX} names; use * or ? for a part of them`;
  }
  if (count * glob.length > EXPANDED_LENGTH_MAX) {
    return `the braces expand to more than ${EXPANDED_LENGTH_MAX} characters; split the entry or use *`;
  }
  return undefined;
}

/** @param glob one that checkGlob passes */
export async function globToRegex(glob: string): Promise<string> {
  const [only = "", ...others] = await expandBraces(glob);
  if (others.length === 0) return quoteGlob(only);
  return `(?:${[only, ...others].map(quoteGlob).join("|")})`;
}

async function expandBraces(glob: string): Promise<readonly string[]> {
  if (!glob.includes("{")) return [glob];
  const { default: micromatch } = await import("micromatch");
  return micromatch.braces(glob, { expand: true, nodupes: true });
}

function quoteGlob(glob: string): string {
  return glob.replaceAll(/\*+|[\\.+?()|[\]{}^$]/g, (special) => {
    if (special.startsWith("*")) return ".*";
    return special === "?" ? "." : `\\${special}`;
  });
}

/** An open brace, or the whole glob. */
interface Level {
  readonly start: number;
  /** Names that the alternatives before the last comma stand for, and the one after it. */
  finished: number;
  current: number;
  hasComma: boolean;
  hasDots: boolean;
}

function openLevel(start: number): Level {
  return { start, finished: 0, current: 1, hasComma: false, hasDots: false };
}

/** How many names the braces stand for, or what is wrong with them. Infinity for what is past counting. */
function countExpansions(glob: string): number | string {
  const root = openLevel(0);
  const parents: Level[] = [];
  let level = root;
  for (let at = 0; at < glob.length; at++) {
    const parent = parents.at(-1);
    if (glob[at] === "{") {
      parents.push(level);
      level = openLevel(at + 1);
    } else if (glob[at] === "}") {
      if (parent === undefined) return "a } without its {";
      const count = countBrace(level, glob.slice(level.start, at));
      if (typeof count === "string") return count;
      parent.current *= count;
      parents.pop();
      level = parent;
    } else if (glob[at] === ",") {
      level.finished += level.current;
      level.current = 1;
      level.hasComma = true;
    } else if (glob.startsWith("..", at)) {
      level.hasDots = true;
    }
  }
  return level === root ? root.current : "a { without its }";
}

/** @param inside all between the braces; nested ones are already counted in `level` */
function countBrace(level: Level, inside: string): number | string {
  if (level.hasComma && !level.hasDots) return level.finished + level.current;
  const numbers = NUMBER_RANGE.exec(inside);
  if (numbers !== null) return rangeSize(Number(numbers[1]), Number(numbers[2]), numbers[3]);
  const letters = LETTER_RANGE.exec(inside);
  if (letters !== null) return rangeSize(codeOf(letters[1]), codeOf(letters[2]), letters[3]);
  return `{${inside}} is neither a list like {a,b} nor a range like {1..3}`;
}

function codeOf(letter: string | undefined): number {
  return letter?.charCodeAt(0) ?? 0;
}

function rangeSize(from: number, to: number, step: string | undefined): number {
  return Math.floor(Math.abs(to - from) / Math.max(1, Math.abs(Number(step ?? 1)))) + 1;
}
