/**
 * Whitelist patterns: any text is a pattern or a refusal; what is a pattern means alone what it means among others, and in
 * the part of the syntax that JavaScript shares, what JavaScript says it means, from end to end of the name.
 */

import { equal, ok } from "node:assert/strict";
import { createContext, Script } from "node:vm";
import fc from "fast-check";
import { checkPattern, compilePattern, compileUnion, type Pattern, toRegex } from "../../src/peer/pattern.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { piecesOf } from "./texts.ts";

/** Long enough for every piece to match or not, short enough for an engine that backtracks. */
const names = fc.array(fc.string({ unit: fc.constantFrom(..."aab.-1".split("")), maxLength: 7 }), {
  minLength: 1,
  maxLength: 4,
});

const JUNK = [
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
  "{1,",
  "*",
  "+",
  "?",
  "|",
  "\\",
  "^",
  "$",
  ".",
  "a",
  "A",
  "1",
  ",",
  "..",
  "-",
];
const MORE_JUNK = [
  ...JUNK,
  "(?i)",
  "(?=",
  "(?P<n>",
  "\\Q",
  "\\E",
  "\\pL",
  "[[:alpha:]]",
  "\\1",
  "é",
  "\ud800",
  "\0",
  "\n",
];

const atom = fc.constantFrom("a", "b", "A", "\\.", "-", ".", "[ab]", "[^a]", "[a-c]", "[^.-_]", "1");
const quantifier = fc.constantFrom("", "", "", "*", "+", "?", "{1}", "{0,2}", "{2,}", "*?");

/** Alternatives of rows of items, each item with its quantifier. */
function regexOf(item: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const row = fc.array(fc.tuple(item, quantifier), { minLength: 1, maxLength: 3 });
  return fc
    .array(row, { minLength: 1, maxLength: 2 })
    .map((rows) => rows.map((items) => items.flat().join("")).join("|"));
}

function groupOf(inside: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom("(", "(?:"), inside).map(([open, text]) => `${open}${text})`);
}

/** The syntax that RE2 and JavaScript share, with groups three deep. */
const regex = regexOf(fc.oneof(atom, groupOf(regexOf(fc.oneof(atom, groupOf(regexOf(atom)))))));

/** The union compiles lazily and caches, a pattern alone does not: both are asked. */
async function matches(pattern: Pattern, tested: readonly string[]): Promise<readonly boolean[]> {
  const alone = compilePattern(await toRegex(pattern));
  const union = await compileUnion([{ kind: "regex", text: "never/a/name" }, pattern]);
  if ("faults" in union) throw new Error(`passes alone, but not among others: ${union.faults.join()}`);
  return tested.map((name) => {
    const isMatch = alone(name);
    equal(union.firstMatch(name), isMatch ? 1 : -1, `alone and among others: ${name}`);
    return isMatch;
  });
}

interface Case {
  readonly text: string;
  readonly tested: readonly string[];
}

async function checkJunk({ text, tested }: Case): Promise<void> {
  for (const kind of ["regex", "glob"] as const) {
    const fault = checkPattern({ kind, text });
    if (fault !== undefined) ok(fault.length > 0 && !fault.includes("undefined"), fault);
    else await matches({ kind, text }, tested);
  }
}

/** What JavaScript's engine may take for one name. It backtracks: nested quantifiers take it minutes on seven letters. */
const REFERENCE_TIMEOUT_MS = 100;
const REFERENCE = new Script("pattern.test(name)");
const GIVEN: { pattern: RegExp; name: string } = { pattern: /x/, name: "" };
const CONTEXT = createContext(GIVEN);

/** @returns undefined where the reference gave up: then it has nothing to say */
function readsJavaScript(pattern: RegExp, name: string): unknown {
  try {
    Object.assign(GIVEN, { pattern, name });
    return REFERENCE.runInContext(CONTEXT, { timeout: REFERENCE_TIMEOUT_MS });
  } catch {
    return undefined;
  }
}

async function checkRegex({ text, tested }: Case): Promise<void> {
  equal(checkPattern({ kind: "regex", text }), undefined, "refused");
  const pattern = new RegExp(`^(?:${text})$`, "i");
  for (const [index, isMatch] of (await matches({ kind: "regex", text }, tested)).entries()) {
    const name = tested[index] ?? "";
    equal(isMatch, readsJavaScript(pattern, name) ?? isMatch, `on ${name}`);
  }
}

export const PATTERN_TEXT: FuzzTarget = createTarget(
  "pattern-text",
  fc.asyncProperty(fc.record({ text: piecesOf(MORE_JUNK, 12), tested: names }), checkJunk),
);

export const PATTERN_REGEX: FuzzTarget = createTarget(
  "pattern-regex",
  fc.asyncProperty(fc.record({ text: regex, tested: names }), checkRegex),
);

/** One alternative after the other: what braces stand for. */
function expand(glob: string): readonly string[] {
  const close = glob.indexOf("}");
  if (close === -1) return [glob];
  const open = glob.lastIndexOf("{", close);
  const inside = glob.slice(open + 1, close);
  const [, from, to] = /^(\d)\.\.(\d)$/.exec(inside) ?? [];
  const step = Number(from) <= Number(to) ? 1 : -1;
  const choices =
    from === undefined
      ? inside.split(",")
      : Array.from({ length: Math.abs(Number(to) - Number(from)) + 1 }, (_, at) =>
          String(Number(from) + at * step),
        );
  return choices.flatMap((choice) => expand(glob.slice(0, open) + choice + glob.slice(close + 1)));
}

/** Character by character, with every way to read a star. */
function isGlobbed(glob: string, name: string): boolean {
  if (glob === "") return name === "";
  if (glob.startsWith("*")) {
    return isGlobbed(glob.slice(1), name) || (name !== "" && isGlobbed(glob, name.slice(1)));
  }
  const isSame = name !== "" && (glob.startsWith("?") || glob[0]?.toLowerCase() === name[0]);
  return isSame && isGlobbed(glob.slice(1), name.slice(1));
}

const globPiece = fc.constantFrom("a", "b", "A", ".b", "-", "*", "?", "1");
const range = fc.constantFrom("{1..3}", "{2..0}", "{,a}");

function listOf(piece: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const one = fc.array(piece, { minLength: 1, maxLength: 2 }).map((pieces) => pieces.join(""));
  return fc.array(one, { minLength: 2, maxLength: 3 }).map((parts) => `{${parts.join(",")}}`);
}

/** Braces two deep. */
const glob = fc
  .array(
    fc.oneof(
      { arbitrary: globPiece, weight: 6 },
      { arbitrary: range, weight: 1 },
      {
        arbitrary: listOf(fc.oneof({ arbitrary: globPiece, weight: 4 }, range, listOf(globPiece))),
        weight: 2,
      },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((pieces) => pieces.join(""));

async function checkGlob({ text, tested }: Case): Promise<void> {
  const fault = checkPattern({ kind: "glob", text });
  if (fault !== undefined) return ok(/more than/.test(fault), fault);
  const expected = expand(text);
  for (const [index, isMatch] of (await matches({ kind: "glob", text }, tested)).entries()) {
    const name = tested[index] ?? "";
    equal(
      isMatch,
      expected.some((one) => isGlobbed(one, name)),
      `on ${name}`,
    );
  }
}

export const PATTERN_GLOB: FuzzTarget = createTarget(
  "pattern-glob",
  fc.asyncProperty(fc.record({ text: glob, tested: names }), checkGlob),
);
