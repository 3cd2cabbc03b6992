/**
 * Whitelist patterns in an engine whose time is linear in the name, whatever the pattern: re2js
 * (https://github.com/le0pard/re2js, syntax: https://github.com/google/re2/wiki/Syntax). Only this file imports it.
 *
 * The engine anchors: a pattern's text is compiled as it is, never wrapped, so `a)|(b` is a fault and `\Qabc`
 * swallows nothing. Letter case is aside unless the pattern itself says `(?-i)`.
 * Not here: what an entry means (peer/whitelist.ts), and what is legal but likely a mistake (pattern-lint.ts).
 */

import { RE2JS, RE2Set } from "re2js";
import { checkGlob, globToRegex } from "./glob.ts";
import { createMaskIndex } from "./mask-index.ts";
import { hasMasks, masksOf } from "./name-mask.ts";
import { adviceFor } from "./pattern-legal.ts";
import { tailOf } from "./pattern-tail.ts";

export interface Pattern {
  readonly kind: "regex" | "glob";
  readonly text: string;
}

/** Far above any list of names written by hand; a longer one is split into entries. */
const PATTERN_LENGTH_MAX = 1000;
/** Entries of one whitelist, those of its file too (config/whitelist-file.ts). */
const PATTERNS_MAX = 21_000;
/**
 * Instructions of all compiled patterns together; 1,000 usual patterns have about 21,000. A name's first verdict
 * costs at worst 70 ns for each instruction and character (measured on `(.*a.{90}b.*)` fifty times over).
 */
const PROGRAM_SIZE_MAX = 50_000;

/** A brace repeats (`a{9}`) or, in a glob, multiplies; without any, the size follows the text. */
const BRACE = /\{/;

/** @returns what is wrong with one pattern and what to write instead, or undefined. Never throws. */
export function checkPattern(pattern: Pattern): string | undefined {
  const fault = checkBounds(pattern);
  // What the table reads the engine takes: parsing it a second time is what a long list would wait for.
  if (fault !== undefined || hasMasks(pattern)) return fault;
  return pattern.kind === "regex" ? checkRegex(pattern.text) : checkGlob(pattern.text);
}

function checkBounds({ text }: Pattern): string | undefined {
  if (text === "") return "an empty pattern matches no name: leave the entry out";
  if (text.length <= PATTERN_LENGTH_MAX) return undefined;
  return `the pattern has ${text.length} characters, ${PATTERN_LENGTH_MAX} are allowed: split it into entries`;
}

function checkRegex(text: string): string | undefined {
  try {
    // Parsing finds what is wrong. Only counted repeats can make a pattern of this length too large, and compiling it
    // takes a millisecond that a start has to wait for.
    new RE2Set(RE2Set.ANCHOR_BOTH, flagsFor([text])).add(text);
    if (!BRACE.test(text)) return undefined;
    const size = RE2JS.compile(text, flagsFor([text])).programSize();
    return size > PROGRAM_SIZE_MAX ? sizeFault(size) : undefined;
  } catch (error) {
    return syntaxFault(text, error);
  }
}

/**
 * Names come in lower case, so letter case matters only to a pattern that may hold an upper-case letter, or a class
 * with some. All others match the same without folding, and compile in half the time, which a start waits for.
 */
function flagsFor(texts: readonly string[]): number {
  return texts.some(mayHoldUpperCase) ? RE2JS.CASE_INSENSITIVE : 0;
}

/** A letter, an escape or a named class that stands for some, or a range over them: `[.-_]` holds A to Z. */
function mayHoldUpperCase(text: string): boolean {
  if (/[A-Z]|\\[xp0-7]|\[:/.test(text)) return true;
  return [...text.matchAll(/(.)-(?=(.))/gs)].some(([, from = "", to = ""]) => from <= "Z" && to >= "A");
}

function sizeFault(size: number): string {
  return `compiles to ${size} instructions, ${PROGRAM_SIZE_MAX} are allowed for all patterns together: use smaller repeat counts or fewer patterns`;
}

function syntaxFault(text: string, error: unknown): string {
  const advice = adviceFor(text, tryCompile);
  if (advice !== undefined) return advice;
  const reason = error instanceof Error ? error.message.replace("error parsing regexp: ", "") : String(error);
  return `not a regular expression: ${reason.replace("`(?i)", "`")}`;
}

function tryCompile(regex: string): ((name: string) => boolean) | undefined {
  try {
    return compilePattern(regex);
  } catch {
    return undefined;
  }
}

/** @returns what is wrong with patterns together of which each passes checkPattern, or undefined */
export async function checkUnion(patterns: readonly Pattern[]): Promise<string | undefined> {
  if (patterns.length <= PATTERNS_MAX && isSurelySmall(patterns.filter((one) => !hasMasks(one)))) {
    return undefined;
  }
  const union = await compileUnion(patterns);
  return "faults" in union ? union.faults.join("; ").replace(/^whitelist: /, "") : undefined;
}

/** The pattern as the engine reads it. @param pattern one that checkPattern passes */
export async function toRegex(pattern: Pattern): Promise<string> {
  return pattern.kind === "regex" ? pattern.text : await globToRegex(pattern.text);
}

/** A test of one pattern on whole names. @param regex of toRegex */
export function compilePattern(regex: string): (name: string) => boolean {
  const compiled = RE2JS.compile(regex, flagsFor([regex]));
  return (name) => compiled.testExact(name);
}

/** The index of the first pattern that matches the whole name, or -1. Linear in the name. */
export type FirstMatch = (name: string) => number;

export interface Union {
  readonly firstMatch: FirstMatch;
  /** Compiles what a later name would wait for. */
  warmUp(): void;
}

/**
 * The union of all patterns: what can be looked up in a table (name-mask.ts), and the engine's set of the rest, which is
 * asked only where one of its patterns may come first.
 *
 * @returns it, or every fault with its pattern's index
 */
export async function compileUnion(
  patterns: readonly Pattern[],
): Promise<Union | { readonly faults: readonly string[] }> {
  if (patterns.length > PATTERNS_MAX) {
    return { faults: [`whitelist: ${patterns.length} entries, ${PATTERNS_MAX} are allowed`] };
  }
  const faults: string[] = [];
  const table = createMaskIndex();
  const rest: number[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const masks = checkBounds(pattern) === undefined ? masksOf(pattern) : undefined;
    if (masks === undefined) rest.push(index);
    for (const mask of masks ?? []) table.add(mask, index);
  }
  const restPatterns = rest.flatMap((index) => patterns[index] ?? []);
  /** Names that end otherwise match none of the rest. */
  const tails = createMaskIndex();
  const union = new RE2Set(RE2Set.ANCHOR_BOTH, flagsFor(restPatterns.map(({ text }) => text)));
  for (const [at, pattern] of restPatterns.entries()) {
    const added = await addTo(union, pattern);
    if ("fault" in added) faults.push(`whitelist[${rest[at]}]: ${added.fault}`);
    else tails.add(tailOf(added.regex), rest[at] ?? 0);
  }
  if (faults.length > 0) return { faults };

  let isCompiled = false;
  const compile = (): void => {
    if (!isCompiled && rest.length > 0) union.compile();
    isCompiled = true;
  };
  if (!isSurelySmall(restPatterns)) {
    compile();
    const size = union.prog.numInst();
    if (size > PROGRAM_SIZE_MAX) return { faults: [`whitelist: ${sizeFault(size)}`] };
  }
  return {
    warmUp: compile,
    firstMatch(name) {
      let first = table.firstMatch(name);
      if (tails.firstMatch(name) < first) {
        compile(); // Not before it is needed: five patterns take 5 ms, which a start would wait for.
        for (const at of union.match(name)) first = Math.min(first, rest[at] ?? Infinity);
      }
      return first === Infinity ? -1 : first;
    },
  };
}

/** Without counted repeats a pattern has at most about two instructions a character. */
function isSurelySmall(patterns: readonly Pattern[]): boolean {
  const length = patterns.reduce((sum, { text }) => sum + text.length, 0);
  return 4 * length < PROGRAM_SIZE_MAX && !patterns.some(({ text }) => BRACE.test(text));
}

/** Parses a pattern once, into the union. @returns what is wrong with it, as checkPattern does */
async function addTo(
  union: RE2Set,
  pattern: Pattern,
): Promise<{ readonly regex: string } | { readonly fault: string }> {
  const fault = checkBounds(pattern) ?? (pattern.kind === "glob" ? checkGlob(pattern.text) : undefined);
  if (fault !== undefined) return { fault };
  try {
    const regex = await toRegex(pattern);
    union.add(regex);
    return { regex };
  } catch (error) {
    return { fault: syntaxFault(pattern.text, error) };
  }
}
