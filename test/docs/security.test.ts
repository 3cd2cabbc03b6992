/**
 * SECURITY.md against the tests: each promise names the file that holds it, each file of test/attacks holds a promise, and each
 * says where its attack is known from and what would happen without the rule.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const PAGE = readFileSync("SECURITY.md", "utf8");
const ATTACKS = readdirSync("test/attacks")
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => ({ path: `test/attacks/${name}`, text: readFileSync(`test/attacks/${name}`, "utf8") }));

/** Rows of the table of promises: what is tried, and the files in its last column. */
const [, PROMISED = ""] = /^## What is promised\n([^]*?)^## /m.exec(PAGE) ?? [];
const ROWS = PROMISED.split("\n")
  .filter((line) => /^\| (?!-|a peer tries to )/.test(line))
  .map((line) => {
    const cells = line.split(/(?<!\\)\|/).slice(1, -1);
    const links = [...(cells.at(-1) ?? "").matchAll(/\]\(([^)]+)\)/g)].map(([, path = ""]) => path);
    return { tried: cells[0]?.trim() ?? "", links };
  });

it("has a table of promises", () => {
  expect(ROWS.length).toBeGreaterThan(20);
});

it.each(ROWS)("'$tried' names the test that holds it", ({ links }) => {
  expect(links.filter((path) => path.endsWith(".test.ts"))).not.toEqual([]);
  expect(links.filter((path) => !existsSync(path))).toEqual([]);
});

it.each(ATTACKS)("$path holds a promise, and says of its attack what it is", ({ path, text }) => {
  expect(ROWS.filter(({ links }) => links.includes(path))).not.toEqual([]);
  const [header = ""] = /^\/\*\*[^]*?\*\//.exec(text) ?? [];
  expect(header).toMatch(/^ \* Source: .*(?:CVE-\d|GHSA-|CWE-\d|RFC \d|https:)/m);
  expect(header).toMatch(/^ \* Without the rule: /m);
});
