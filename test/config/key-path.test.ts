/** Key paths as faults print them: on one line, readable, bounded. */

import { describe, expect, it } from "vitest";
import { escapeUnprintable, formatKeyPath, formatQuoted } from "../../src/config/key-path.ts";

describe("formatKeyPath", () => {
  it.each([
    { path: [], text: "(file)", why: "the root" },
    { path: ["a", 0, "b-c"], text: "a[0].b-c", why: "plain keys" },
    { path: ["a", "b.c"], text: 'a["b.c"]', why: "a dot" },
    { path: ["a\u202eb\u0085\n"], text: String.raw`["a\u202eb\u0085\n"]`, why: "what a terminal acts on" },
    { path: ["k".repeat(80)], text: "k".repeat(80), why: "a key of 80 characters" },
    { path: ["k".repeat(81)], text: `["${"k".repeat(80)}"]`, why: "a key of 81 characters" },
    {
      path: Array.from({ length: 150 }, () => "k"),
      text: Array.from({ length: 150 }, () => "k").join("."),
      why: "299 characters",
    },
    {
      path: ["first", ...Array.from({ length: 200 }, () => "kk"), 7],
      text: /^first\.kk\..{140}….{147}\[7\]$/,
      why: "a long path, by both its ends",
    },
  ])("$why", ({ path, text }) => {
    const formatted = formatKeyPath(path);
    if (typeof text === "string") expect(formatted).toBe(text);
    else expect(formatted).toMatch(text);
    expect(formatted.length).toBeLessThanOrEqual(300);
  });
});

it("quotes what every YAML reader reads back", () => {
  expect(formatQuoted('a"\u2028\u{e0041}\ud800é')).toBe(String.raw`"a\"\u2028\U000e0041\ud800é"`);
});

it("leaves what can be printed", () => {
  expect(escapeUnprintable("aé…漢😀 b")).toBe("aé…漢😀 b");
});
