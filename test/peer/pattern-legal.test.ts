/**
 * The nearest legal form of what the linear engine refuses: told where it can be derived, for this very pattern, and advice
 * alone where it can't. Each form that is told is a pattern that passes.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPattern, compilePattern } from "../../src/peer/pattern.ts";
import { runs } from "../support/runs.ts";

const faultOf = (text: string): string | undefined => checkPattern({ kind: "regex", text });

describe("tells the nearest legal form of", () => {
  it.each([
    { why: "a condition on the whole name", text: "(?=.*\\.example$).*", legal: ".*\\.example" },
    { why: "the same with anchors", text: "^(?=.*\\.example$).*$", legal: ".*\\.example" },
    { why: "a condition on the beginning", text: "(?=hs\\.).*", legal: "hs\\..*" },
    {
      why: "a condition with alternatives",
      text: "(?=a\\.test$|b\\.test$).*",
      legal: "(?:a\\.test|b\\.test)",
    },
    { why: "alternatives in a group", text: "(?=(a|b)\\.test$).*", legal: "(a|b)\\.test" },
    { why: "a port ahead", text: "matrix\\.org(?=:8448)", legal: "matrix\\.org:8448" },
    { why: "the end ahead", text: "matrix\\.org(?=$)", legal: "matrix\\.org" },
    { why: "one port of two ahead", text: "matrix\\.org(?=:1|:2)", legal: "matrix\\.org(?::1|:2)" },
    { why: "a dot behind", text: "(?<=\\.)example", legal: ".*\\.example" },
    { why: "a dot behind a run", text: ".*(?<=\\.)example", legal: ".*\\.example" },
    { why: "an end behind", text: ".*(?<=\\.org)", legal: ".*\\.org" },
    { why: "a repeated group", text: "(a|b)\\.\\1", legal: "(a\\.a|b\\.b)" },
    { why: "and what follows it", text: "x(a|b)\\.\\1\\.test", legal: "x(a\\.a|b\\.b)\\.test" },
    { why: "a group by its name", text: "(?<n>a|b)\\.\\k<n>", legal: "(a\\.a|b\\.b)" },
    { why: "Python's name of it", text: "(?P<n>a|b)\\.(?P=n)", legal: "(a\\.a|b\\.b)" },
    { why: "a possessive quantifier", text: "hs[0-9]++\\.test", legal: "hs[0-9]+\\.test" },
    { why: "a counted one", text: "hs[0-9]{1,2}+", legal: "hs[0-9]{1,2}" },
    { why: "an atomic group", text: "(?>a|b)\\.test", legal: "(?:a|b)\\.test" },
    { why: "\\Z", text: "matrix\\.org\\Z", legal: "matrix\\.org" },
    { why: "\\Z in alternatives", text: "a\\Z|b\\Z", legal: "a|b" },
    { why: "a comment", text: "a(?#the first)\\.test", legal: "a\\.test" },
    { why: "a glob", text: "*.example.net", legal: ".*\\.example\\.net" },
    { why: "two faults at once", text: "(?>a++)\\Z", legal: "(?:a+)" },
  ])("$why: $text", ({ text, legal }) => {
    const fault = faultOf(text) ?? "";
    expect(fault.slice(-legal.length - 1)).toBe(` ${legal}`);
    expect(faultOf(legal)).toBeUndefined();
  });
});

describe("tells no form of", () => {
  it.each([
    { why: "what must not follow", text: "(?!evil).*" },
    { why: "what must not stand before", text: ".*(?<!evil)\\.example" },
    { why: "two conditions", text: "(?=a.*)(?=.*b$).*" },
    { why: "a condition beside a pattern", text: "(?=.*\\.example$)[a-z.]+" },
    { why: "a condition in the middle", text: "a(?=b)b" },
    { why: "a condition in a group", text: "((?=a).*)" },
    { why: "a condition in an alternative", text: "(?=a$).*|b" },
    { why: "any word twice", text: "(\\w+)\\.\\1" },
    { why: "a word repeated, twice", text: "(a|b)+\\.\\1" },
    { why: "a repeated reference", text: "(a|b)\\.\\1+" },
    { why: "a second group's text", text: "(a)(b)\\2" },
    { why: "free spacing", text: "(?x)a" },
    { why: "conditions of which one is on the whole name", text: "(?=a|b$).*" },
    { why: "what no terminal shows", text: "a\u0007\\Z" },
    { why: "a form too long to read", text: `${"a".repeat(201)}\\Z` },
    { why: "a syntax error too", text: "(?=a$).*(" },
    { why: "a catastrophe of the other engine", text: "(?=(a+)+$).*" },
  ])("$why: $text", ({ text }) => {
    const fault = faultOf(text) ?? "";
    expect(fault).not.toBe("");
    expect(fault).not.toMatch(/: write (?!a pattern|the |it as)/);
  });
});

it("tells what finds the same names: conditions at either end, and repeated groups", () => {
  const part = fc.constantFrom("a", "b", "\\.", "[ab]", "(a|b)", "a?", "b+");
  const some = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(""));
  const word = fc.constantFrom("a", "b", "ab");
  const pattern = fc.oneof(
    some.map((inside) => ({ text: `(?=${inside}$).*`, readsPrefix: false })),
    some.map((inside) => ({ text: `.*(?<=${inside})`, readsPrefix: false })),
    fc.tuple(word, word, some).map(([one, other, between]) => ({
      text: `(${one}|${other})${between.replaceAll(/[()|]/g, "")}\\1`,
      readsPrefix: false,
    })),
  );
  const names = fc.array(fc.stringMatching(/^[ab.]{1,6}$/), { minLength: 20 });
  fc.assert(
    fc.property(pattern, names, ({ text }, candidates) => {
      const legal = /: write (\S+)$/.exec(faultOf(text) ?? "")?.[1];
      if (legal === undefined) return;
      const matches = compilePattern(legal);
      const original = new RegExp(`^(?:${text})$`);
      const differing = candidates.filter((name) => matches(name) !== original.test(name));
      expect([legal, differing]).toEqual([legal, []]);
    }),
    { numRuns: runs(1000) },
  );
});
