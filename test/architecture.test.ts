/**
 * The rules of docs/ARCHITECTURE.md that a machine can check: who may import whom, which folders are pure, who
 * may touch the outside, which package is known to which file, and that a list standing in two places is one.
 * Method: read src/ as text. Anything this test can't see by a regular expression is not a rule.
 */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { ERROR_STATUS } from "../src/core/errors.ts";

/** Folder → folders it may import. What is not written here is forbidden. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  authority: ["core"],
  config: ["core"],
  passes: ["core"],
  peer: ["core"],
  metrics: ["core"],
  http1: ["core"],
  discovery: ["core", "peer"],
  proof: ["core", "discovery", "http1", "peer"],
  propagation: ["core"],
  sampling: ["core", "propagation"],
  span: ["core", "propagation"],
  strategies: ["core", "sampling"],
  export: ["core", "propagation", "span"],
  store: ["core", "propagation", "span"],
  proxy: [
    "core",
    "discovery",
    "http1",
    "metrics",
    "peer",
    "proof",
    "propagation",
    "sampling",
    "span",
    "usage",
  ],
  admin: ["core", "span", "store"],
  usage: ["core"],
  collect: ["admin", "core", "metrics", "peer", "usage"],
  workers: ["config", "core", "http1", "metrics", "peer", "span", "store", "usage"],
  page: ["core"],
  "collect-page": ["core", "page"],
  loadgen: ["core"],
};
/** The composition root (app.ts and what it is split into) and the commands may import from any folder. */
const WIRING = /^src\/(?:cli|app[a-z-]*)\.ts$|^src\/(?:commands|demo)\//;
/** No package and no node: module: these run on values alone. */
const PURE = new Set(["core", "propagation", "sampling"]);
/** Each package is known to one file; the log is the one file of core that needs its package. */
const PACKAGE_IN: Readonly<Record<string, string | readonly string[]>> = {
  "@peculiar/asn1-schema": "src/authority/x509-",
  "@peculiar/asn1-x509": "src/authority/x509-",
  libsql: "src/collect/sqlite-driver.ts",
  micromatch: "src/peer/glob.ts",
  pg: "src/collect/postgres-pool.ts",
  pino: "src/core/log.ts",
  preact: ["src/page/", "src/collect-page/"],
  "preact/hooks": ["src/page/", "src/collect-page/"],
  re2js: "src/peer/pattern.ts",
  uplot: "src/collect-page/chart.tsx",
  valibot: ["src/config/schema", "src/usage/report-schema.ts", "src/usage/saved-usage.ts"],
  yaml: "src/config/yaml.ts",
};
/** What reaches outside the program → the one file that may name it. */
const ONLY_IN: readonly (readonly [pattern: RegExp, file: string])[] = [
  [/process\.(argv|stdout|stderr|exit\w*|on\b|once\b)/, "src/cli.ts"],
  [/process\.env/, "src/config/load.ts"],
  [/Date\.now|performance\.\w+/, "src/core/clock.ts"],
  [/Math\.random|getRandomValues|randomBytes/, "src/core/random.ts"],
];
/** Runs in a browser, whose clock and storage are its own. */
const BROWSER = /^src\/(?:collect-)?page\//;
const LINES_MAX = 400;

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => ({ path: `src/${name}`, text: readFileSync(`src/${name}`, "utf8") }));

function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function importFault(path: string, target: string, isType: boolean): string | undefined {
  if (target.startsWith(".")) {
    const to = folderOf(relative(".", resolve(dirname(path), target)));
    const from = folderOf(path);
    const isAllowed = from === to || WIRING.test(path) || MAY_IMPORT[from]?.includes(to);
    return isAllowed ? undefined : `${from} may not import ${to}`;
  }
  if (isType) return undefined; // Gone when the program runs.
  const homes = [PACKAGE_IN[target] ?? []].flat();
  if (homes.some((home) => path.startsWith(home))) return undefined;
  if (PURE.has(folderOf(path)) && !WIRING.test(path)) return `${folderOf(path)} is pure: no ${target}`;
  return target.startsWith("node:") ? undefined : `${target} belongs in ${homes.join(" or ") || "no file"}`;
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
}

describe.each(sources)("$path", ({ path, text }) => {
  it("imports only what its folder may", () => {
    const imports = [
      ...text.matchAll(/^(?:import|export)( type)? [^;"]*?from "([^"]+)";|import\("([^"]+)"\)/gm),
    ];
    const faults = imports.map(([, type, target, lazy]) =>
      importFault(path, target ?? lazy ?? "", type !== undefined),
    );
    expect(faults.filter((fault) => fault !== undefined)).toEqual([]);
  });

  it("touches the outside only where it is its place", () => {
    if (BROWSER.test(path)) return;
    const code = withoutComments(text);
    const faults = ONLY_IN.filter(([pattern, file]) => path !== file && pattern.test(code));
    expect(faults.map(([pattern, file]) => `${String(pattern)} belongs in ${file}`)).toEqual([]);
  });

  it("has a header, and a length that can be read", () => {
    expect(text).toMatch(/^(#!.*\n)?\/\*\*/);
    expect(text.split("\n").length).toBeLessThanOrEqual(LINES_MAX);
  });

  it("has no escape hatch", () => {
    expect(withoutComments(text)).not.toMatch(/\bas any\b|: any\b|export default|export \*/);
    expect(text).not.toMatch(/@ts-ignore|@ts-expect-error|eslint-disable|TODO|FIXME/);
  });
});

it("documents every error code, and no other", () => {
  const sections = readFileSync("docs/errors.md", "utf8").matchAll(/^## (\w+)$/gm);
  expect(new Set([...sections].map(([, code]) => code))).toEqual(new Set(Object.keys(ERROR_STATUS)));
});

it("keeps docs/ARCHITECTURE.md short enough to be read", () => {
  expect(readFileSync("docs/ARCHITECTURE.md", "utf8").split("\n").length).toBeLessThanOrEqual(150);
});
