/**
 * From the name of a module in a config to the file that Node would load for it.
 *
 * A name with `./`, `../` or `/` in front is a path from the config's directory. Any other is a package, looked for
 * from there and then from where the program is, so one that is installed beside either is found. Resolution is Node's
 * (https://nodejs.org/api/modules.html#all-together); packages that have ES modules only, which that doesn't see, are read
 * by https://nodejs.org/api/packages.html#conditional-exports. Nothing is loaded here. Not here: patterns (`./*`) in `exports`.
 */

import { existsSync, readFileSync } from "node:fs";
// Under another name: the bundle's banner has createRequire already (build.mjs).
import { createRequire as requireFrom, isBuiltin } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { isMapping } from "./key-path.ts";

/** As Node's `import` has them, without --conditions. */
const CONDITIONS: ReadonlySet<string> = new Set(["node", "import", "module-sync", "default"]);

/**
 * @param directory the config file's
 * @returns an absolute path; undefined where there is no such module, or it is one of Node's own
 */
export function resolveModule(name: string, directory: string): string | undefined {
  if (isBuiltin(name)) return undefined;
  const beside = join(resolve(directory), "any-file");
  const isPath = /^\.{0,2}\//.test(name) || isAbsolute(name);
  const bases = isPath ? [beside] : [beside, import.meta.url];
  for (const base of bases) {
    const path = resolveFrom(name, base) ?? (isPath ? undefined : resolveExports(name, base));
    if (path !== undefined) return path;
  }
  return undefined;
}

function resolveFrom(name: string, base: string): string | undefined {
  try {
    return requireFrom(base).resolve(name);
  } catch {
    return undefined; // Whatever the reason, it can't be had from there.
  }
}

function resolveExports(name: string, base: string): string | undefined {
  const [, packageName = "", subpath = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.+)?$/.exec(name) ?? [];
  if (packageName === "") return undefined;
  for (const folder of requireFrom(base).resolve.paths(packageName) ?? []) {
    const root = join(folder, packageName);
    const exported = readExports(join(root, "package.json"));
    const target = chooseTarget(isEntryMap(exported) ? exported[`.${subpath}`] : exported);
    if (target !== undefined && existsSync(join(root, target))) return join(root, target);
  }
  return undefined;
}

function readExports(path: string): unknown {
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isMapping(content) ? content["exports"] : undefined;
  } catch {
    return undefined; // No package there, or one that is damaged.
  }
}

/** Keys are entry points, not conditions. */
function isEntryMap(exported: unknown): exported is Readonly<Record<string, unknown>> {
  return isMapping(exported) && Object.keys(exported).every((key) => key.startsWith("."));
}

/** The first condition that holds, in the package's order. */
function chooseTarget(target: unknown): string | undefined {
  if (typeof target === "string") return target.startsWith("./") ? target : undefined;
  if (!isMapping(target)) return undefined;
  for (const [condition, next] of Object.entries(target)) {
    const chosen = CONDITIONS.has(condition) ? chooseTarget(next) : undefined;
    if (chosen !== undefined) return chosen;
  }
  return undefined;
}
