/** Who has no authority does not load what makes certificates. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { CLI } from "../support/cli.ts";

/** subjectAltName's object identifier stands in the library, and nowhere else. */
const LIBRARY = "id_ce_subjectAltName";

/** A file of the build and all that it imports at once. */
function loadedWith(path: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const text = readFileSync(path, "utf8");
  for (const [, target = ""] of text.matchAll(/(?:\bfrom|\bimport) ?"(\.[^"]+)"/g)) {
    loadedWith(join(dirname(path), target), seen);
  }
  return seen;
}

it("the library for certificates is in the build, and not in what a start loads", () => {
  const built = readdirSync(dirname(CLI), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => join(dirname(CLI), name));
  const withLibrary = built.filter((path) => readFileSync(path, "utf8").includes(LIBRARY));
  expect(withLibrary.length).toBeGreaterThan(0);
  const loaded = loadedWith(CLI);
  expect(withLibrary.filter((path) => loaded.has(path))).toEqual([]);
});
