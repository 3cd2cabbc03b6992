/** Packages that only the benchmark needs, from .cache/bench-node, where `npm run bench -- --install` puts them. */

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** @param {string} name of a package @returns {Promise<object>} what it exports */
export async function importInstalled(name) {
  const { resolve: find } = createRequire(resolve(".cache/bench-node/package.json"));
  return await import(pathToFileURL(find(name)).href);
}
