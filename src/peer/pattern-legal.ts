/**
 * What the linear engine (peer/pattern.ts) refuses, and what to write instead: the nearest legal form of the very pattern
 * where one can be derived, else a word of advice.
 *
 * A form is told only if the engine compiles it and it matches a sample of itself that the pattern as it was written finds
 * too, in JavaScript's engine. So it is a proposal that an operator reads, and never what decides.
 */

import { nameOf, sampleOf } from "./pattern-sample.ts";

/** A test of a pattern on names; undefined where the engine does not take it. */
type Compile = (regex: string) => ((name: string) => boolean) | undefined;

interface Refused {
  /** What it looks like, in the text without its escapes. */
  readonly form: RegExp;
  readonly problem: string;
  /** Where no legal form is known. */
  readonly advice: string;
  /** Before the legal form. */
  readonly write?: string;
}

const REFUSED: readonly Refused[] = [
  {
    form: /\(\?<?!/,
    problem: "the linear engine has no negative look-around",
    advice: "write a pattern of the names that are wanted, or one entry for each of them",
  },
  {
    form: /\(\?<?=/,
    problem: "the linear engine has no look-around",
    advice: "a pattern matches the whole name anyway, so write the condition as a part of it",
  },
  {
    form: /\\[1-9]|\\k|\(\?P=/,
    problem: "the linear engine has no back-references",
    advice: "write the repeated part out, such as (a\\.a|b\\.b) instead of (a|b)\\.\\1",
  },
  {
    form: /\(\?>|[*+?}]\+/,
    problem: "the linear engine never backtracks",
    advice: "write the plain group or quantifier, such as a+ for a++",
  },
  { form: /\\Z/, problem: "leave \\Z out", advice: "a pattern always matches the whole name" },
  {
    form: /\(\?#|\(\?[a-z]*x/,
    problem: "comments and (?x) are not known",
    advice: "put comments into the YAML",
  },
  {
    form: /^[*?]/,
    problem: "this reads like a glob",
    advice: "write it as glob: instead, or .* for any characters",
    write: "write it as glob: instead, or",
  },
];

/** @param compile the engine @returns what is refused about a pattern that it does not take, and what to write; or undefined */
export function adviceFor(text: string, compile: Compile): string | undefined {
  const bare = text.replaceAll(/\\[^1-9kZ]/g, "");
  const refused = REFUSED.find(({ form }) => form.test(bare));
  if (refused === undefined) return undefined;
  const legal = nearestLegal(text, compile);
  const { problem, advice, write = "write" } = refused;
  return `${problem}: ${legal === undefined ? advice : `${write} ${legal}`}`;
}

/** A fault is one line, and the form is there to be copied. */
const SHOWN = /^[\x21-\x7e]{1,200}$/;

/** One element of a pattern, as far as it matters here; what stands in a class or behind a backslash is no syntax. */
const TOKEN =
  /\(\?#[^)]*\)|\\k<\w+>|\\.|\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]|\(\?P=\w+\)|\(\?(?:<?[=!]|>|P?<\w+>|[a-zA-Z-]*:)|[*+?]\+|\{\d+(?:,\d*)?\}\+?|./gs;
const LOOK = /^\(\?<?=$/;
const GROUP_START = /^\((?!\?#|\?P=)/;
const QUANTIFIER = /^(?:[*+?]\+?|\{\d.*)$/;

function nearestLegal(text: string, compile: Compile): string | undefined {
  const parts = (text.match(TOKEN) ?? []).map(withoutBacktracking).filter((part) => part !== "");
  const form = withoutLooks(parts) ?? withoutReferences(parts) ?? asGlob(text) ?? parts.join("");
  const matches = SHOWN.test(form) && form !== text ? compile(form) : undefined;
  if (matches === undefined) return undefined;
  const name = nameOf(sampleOf(form));
  return matches(name) && finds(text, name) ? form : undefined;
}

/** What changes nothing but the way in which a match is looked for, and what says nothing. */
function withoutBacktracking(part: string): string {
  if (part === "(?>") return "(?:";
  if (part.startsWith("(?#") || part === "\\Z") return "";
  return part.length > 1 && /^[*+?{].*\+$/.test(part) ? part.slice(0, -1) : part;
}

/** `(?=A$).*` is A, `X(?=A)` is XA, `.*(?<=A)X` is .*AX; undefined: none of them, or there is nothing to look at. */
function withoutLooks(written: readonly string[]): string | undefined {
  const parts = written[0] === "^" ? written.slice(1) : written;
  const start = parts.findIndex((part) => LOOK.test(part));
  const end = groupEnd(parts, start);
  if (start === -1 || end === undefined) return undefined;
  const before = parts.slice(0, start);
  const after = parts.slice(end).join("").replace(/\$$/, "");
  const inside = parts.slice(start + 1, end - 1);
  const alternatives = alternativesOf(inside);
  const isWhole = alternatives.every((one) => one.endsWith("$"));
  const bare = alternatives.map((one) => one.replace(/\$$/, ""));
  const condition = bare.length === 1 ? (bare[0] ?? "") : `(?:${bare.join("|")})`;
  if (!isWhole && alternatives.some((one) => one.endsWith("$"))) return undefined;
  if ([before, parts.slice(end)].some((part) => part.includes("|"))) return undefined;

  if (parts[start] === "(?<=") {
    const run = before.join("");
    return run === "" || /(?:^|[^\\])\.[*+]$/.test(run) ? `${run || ".*"}${condition}${after}` : undefined;
  }
  if (!["", ".*", ".+"].includes(after)) return undefined;
  return `${before.join("")}${condition}${isWhole || (after === "" && before.length > 0) ? "" : ".*"}`;
}

/** The text of each, those of inner groups aside. */
function alternativesOf(parts: readonly string[]): readonly string[] {
  const alternatives: string[] = [];
  let depth = 0;
  let current = "";
  for (const part of parts) {
    if (GROUP_START.test(part)) depth++;
    if (part === ")") depth--;
    if (part === "|" && depth === 0) {
      alternatives.push(current);
      current = "";
    } else current += part;
  }
  return [...alternatives, current];
}

/** Behind the parenthesis that closes the group which begins at `start`. */
function groupEnd(parts: readonly string[], start: number): number | undefined {
  let depth = 0;
  for (let at = Math.max(0, start); at < parts.length; at++) {
    const part = parts[at] ?? "";
    if (GROUP_START.test(part)) depth++;
    if (part === ")") depth--;
    if (depth === 0) return at + 1;
  }
  return undefined;
}

const REFERENCE = /^(?:\\1|\\k<\w+>|\(\?P=\w+\))$/;

/** `(a|b)\.\1` is (a\.a|b\.b): of one group, that comes first and whose alternatives are plain text. */
function withoutReferences(parts: readonly string[]): string | undefined {
  const start = parts.findIndex((part) => part === "(" || /^\(\?P?<\w/.test(part));
  const end = groupEnd(parts, start);
  const last = parts.findLastIndex((part) => REFERENCE.test(part));
  if (start === -1 || end === undefined || last < end) return undefined;
  const inside = parts.slice(start + 1, end - 1);
  const between = parts.slice(end, last + 1);
  // Inside another group the end of it would be cut off; and a repeat would be of more than it was.
  if (!inside.every((part) => /^(?:[\w|-]|\\[^\w])$/.test(part)) || between.includes("|")) return undefined;
  if (between.some((part) => GROUP_START.test(part) || part === ")")) return undefined;
  if (parts.some((part, at) => at >= end && QUANTIFIER.test(part) && isRepeated(parts, at, end)))
    return undefined;
  const alternatives = inside.join("").split("|");
  const written = alternatives.map(
    (one) => one + between.map((part) => (REFERENCE.test(part) ? one : part)).join(""),
  );
  return `${parts.slice(0, start).join("")}(${written.join("|")})${parts.slice(last + 1).join("")}`;
}

/** Whether the quantifier at `at` repeats the group that ends at `end`, or what refers to it. */
function isRepeated(parts: readonly string[], at: number, end: number): boolean {
  return at === end || REFERENCE.test(parts[at - 1] ?? "");
}

/** `*.example.net` */
function asGlob(text: string): string | undefined {
  if (!/^\*[0-9A-Za-z.*-]+$/.test(text)) return undefined;
  return text.replaceAll(".", "\\.").replaceAll("*", ".*");
}

/** Repeats of which each multiplies what a backtracking engine may try; the sample is short, so three cost nothing. */
const REPEATS_MAX = 3;

/** Whether the pattern as it was written finds the name, as far as JavaScript knows its syntax; true where it doesn't. */
function finds(text: string, name: string): boolean {
  if (/\(\?>|[*+?}]\+|\\Z|\(\?#|^\*/.test(text)) return true;
  const isCostly = /\)[*+{]/.test(text) || (text.match(/[*+{]/g) ?? []).length > REPEATS_MAX;
  if (isCostly) return false;
  try {
    const javaScript = text.replaceAll("(?P<", "(?<").replaceAll(/\(\?P=(\w+)\)/g, "\\k<$1>");
    return new RegExp(javaScript, "i").test(name);
  } catch {
    return false;
  }
}
