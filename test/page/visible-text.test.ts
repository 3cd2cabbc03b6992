/** Hostile texts of src/page/visible-text.ts. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { visiblePieces, visibleText } from "../../src/page/visible-text.ts";
import { unicodeText } from "../support/unicode-text.ts";

describe("visibleText", () => {
  it.each([
    { text: "one.demo", shown: "one.demo", why: "plain text is left alone" },
    { text: "", shown: "", why: "the empty text has no pieces" },
    { text: "<img onerror=x>", shown: "<img onerror=x>", why: "markup is text; escaping is the renderer's" },
    { text: "a\u0000b", shown: "a[U+0000]b", why: "NUL" },
    { text: "\u001B[31m", shown: "[U+001B][31m", why: "a terminal's escape" },
    { text: "\u0085", shown: "[U+0085]", why: "a C1 control" },
    {
      text: "a\u202Egnp.exe",
      shown: "a[U+202E]gnp.exe",
      why: "right-to-left override turns the name around",
    },
    { text: "\u2066x\u2069", shown: "[U+2066]x[U+2069]", why: "isolates" },
    { text: "pay\u200Bpal", shown: "pay[U+200B]pal", why: "zero-width space" },
    { text: "a\u2028b", shown: "a[U+2028]b", why: "line separator" },
    { text: "\uD800", shown: "[U+D800]", why: "half a character" },
    { text: "\u{E0041}", shown: "[U+E0041]", why: "tag characters carry hidden text" },
    { text: "\u3164", shown: "[U+3164]", why: "a filler that is drawn as nothing" },
    { text: "a\u200Db", shown: "a[U+200D]b", why: "a joiner between letters is hidden" },
    { text: "👩\u200D💻", shown: "👩\u200D💻", why: "a joiner inside an emoji is part of it" },
    { text: "🦊é한א", shown: "🦊é한א", why: "letters of any script, right-to-left too" },
  ])("$why", ({ text, shown }) => {
    expect(visibleText(text)).toBe(shown);
  });

  it("cuts at the limit and says so, and never through a character", () => {
    expect(visibleText("x".repeat(2048))).toBe("x".repeat(2048));
    expect(visibleText("x".repeat(2049))).toBe(`${"x".repeat(2048)}…`);
    expect(visiblePieces("ab🦊c", 3)).toEqual([{ text: "ab…", isMark: false }]);
  });

  it("shows no more marks than fit", () => {
    expect(visiblePieces("\u0000".repeat(200)).length).toBe(200);
    const pieces = visiblePieces("\u0000".repeat(201));
    expect(pieces.length).toBe(201);
    expect(pieces.at(-1)).toEqual({ text: "…", isMark: false });
  });

  it("leaves no control or bidi character in any text", () => {
    fc.assert(
      fc.property(unicodeText({ maxLength: 60 }), (text) => {
        expect(visibleText(text)).not.toMatch(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});
