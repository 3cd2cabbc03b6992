/**
 * parseXMatrixOrigin against the forms tried on Synapse 1.163.2 (shared/synapse.md, "X-Matrix"), where it is
 * stricter on purpose, and the requests captured from real homeservers.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseXMatrixOrigin } from "../../src/peer/x-matrix.ts";

const REST = 'key="ed25519:a_pPzU",sig="KmX9W6JT1MckWp5Fbvxp3d145Pk7XZrZGKBrA2A",destination="hs1.test:8448"';

function read(...lines: readonly string[]): string {
  const result = parseXMatrixOrigin(lines);
  return typeof result === "string" ? result : result.origin.name;
}

describe("parseXMatrixOrigin", () => {
  it.each([
    { why: "what Synapse sends", line: `X-Matrix origin="hs2.test:8448",${REST}` },
    { why: "several spaces behind the scheme", line: `X-Matrix    origin="hs2.test:8448",${REST}` },
    { why: "spaces and tabs around commas", line: `X-Matrix key="k" \t,\t origin="hs2.test:8448" , sig="s"` },
    { why: "origin last", line: `X-Matrix ${REST},origin="hs2.test:8448"` },
    { why: "a key in any case", line: `X-Matrix ORIGIN="hs2.test:8448",${REST}` },
    { why: "no quotes", line: "X-Matrix origin=hs2.test:8448,key=ed25519:a,sig=abc" },
    { why: "escapes inside quotes", line: String.raw`X-Matrix origin="hs2\.te\st:8448",${REST}` },
    { why: "unknown keys", line: `X-Matrix foo="bar",origin="hs2.test:8448",baz=,${REST}` },
    { why: "no destination", line: 'X-Matrix origin="hs2.test:8448",key="k",sig="s"' },
    { why: "no key and no signature: a claim all the same", line: "X-Matrix origin=hs2.test:8448" },
    { why: "one origin twice", line: 'X-Matrix origin="hs2.test:8448",origin=HS2.test:8448' },
    { why: "an equals sign in a value", line: 'X-Matrix sig="ab==",origin="hs2.test:8448"' },
    {
      why: "a comma in a quoted value whose parts are parameters",
      line: 'X-Matrix foo="a,b=c",origin=hs2.test:8448',
    },
    { why: "a space around the = of an unknown key", line: "X-Matrix foo = bar,origin=hs2.test:8448" },
    { why: "upper case and a trailing dot", line: 'X-Matrix origin="HS2.Test.:8448"' },
  ])("reads $why", ({ line }) => {
    expect(read(line)).toBe("hs2.test:8448");
  });

  it.each([
    { why: "no line", lines: [], refusal: "absent" },
    { why: "another scheme", lines: ["Bearer abc"], refusal: "absent" },
    { why: "the scheme in lower case", lines: ["x-matrix origin=a.test"], refusal: "absent" },
    { why: "nothing behind the scheme", lines: ["X-Matrix"], refusal: "syntax" },
    { why: "spaces behind the scheme only", lines: ["X-Matrix  "], refusal: "syntax" },
    { why: "a longer scheme", lines: ["X-Matrix2 origin=a.test"], refusal: "syntax" },
    { why: "no space behind the scheme", lines: ["X-Matrixorigin=a.test"], refusal: "syntax" },
    { why: "a tab behind the scheme", lines: ["X-Matrix\torigin=a.test"], refusal: "syntax" },
    { why: "a space, then a tab, behind the scheme", lines: ["X-Matrix \torigin=a.test"], refusal: "syntax" },
    { why: "a comma at the end", lines: ["X-Matrix origin=a.test,"], refusal: "syntax" },
    { why: "two commas", lines: ["X-Matrix origin=a.test,,key=k"], refusal: "syntax" },
    { why: "a parameter without =", lines: ["X-Matrix origin=a.test,key"], refusal: "syntax" },
    { why: "an = in the next parameter only", lines: ["X-Matrix key,origin=a.test"], refusal: "syntax" },
    { why: "no origin", lines: [`X-Matrix ${REST}`], refusal: "syntax" },
    { why: "a space before =", lines: ['X-Matrix origin ="a.test"'], refusal: "syntax" },
    { why: "a space after =", lines: ['X-Matrix origin= "a.test"'], refusal: "name" },
    { why: "a space at the end", lines: ["X-Matrix origin=a.test "], refusal: "name" },
    { why: "a quote without its partner", lines: ['X-Matrix origin="a.test'], refusal: "syntax" },
    { why: "one quote", lines: ['X-Matrix origin="'], refusal: "syntax" },
    { why: "a comma in the quoted origin", lines: ['X-Matrix origin="a.test,b=c"'], refusal: "syntax" },
    { why: "escapes outside quotes", lines: [String.raw`X-Matrix origin=a\.test`], refusal: "name" },
    { why: "an empty origin", lines: ['X-Matrix origin=""'], refusal: "name" },
    { why: "an invalid server name", lines: ['X-Matrix origin="a_test"'], refusal: "name" },
    { why: "two origins in one line", lines: ["X-Matrix origin=a.test,origin=b.test"], refusal: "origins" },
    {
      why: "two lines, two origins",
      lines: ["X-Matrix origin=a.test", "X-Matrix origin=b.test"],
      refusal: "origins",
    },
    {
      why: "origins that differ in the port",
      lines: ["X-Matrix origin=a.test", "X-Matrix origin=a.test:1"],
      refusal: "origins",
    },
    {
      why: "one bad line among good ones",
      lines: ["X-Matrix origin=a.test", "X-Matrix "],
      refusal: "syntax",
    },
  ])("refuses $why", ({ lines, refusal }) => {
    expect(read(...lines)).toBe(refusal);
  });

  it("takes several lines of one origin, and passes over other schemes", () => {
    const lines = ["Bearer x", 'X-Matrix origin="a.test",key="1"', 'X-Matrix origin=A.test,key="2"'];
    expect(read(...lines)).toBe("a.test");
  });

  it("never throws", () => {
    const fragment = fc.constantFrom(
      "X-Matrix",
      " ",
      "\t",
      ",",
      "=",
      '"',
      "\\",
      "origin",
      "a.test",
      "key",
      "é",
    );
    const line = fc.array(fragment, { maxLength: 20 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            line,
            line.map((text) => `X-Matrix ${text}`),
            fc.string(),
          ),
        ),
        (lines) => {
          expect(["string", "object"]).toContain(typeof parseXMatrixOrigin(lines));
        },
      ),
    );
  });
});
