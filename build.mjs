/**
 * Bundles src/cli.ts to dist/cli.js: one file to start, and chunks for packages that most starts don't wait for.
 *
 * Why a bundle: importing 200 small files and packages takes longer than everything else a start does.
 */

import { readFileSync, rmSync } from "node:fs";
import { build } from "esbuild";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/cli.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  mainFields: ["module", "main"],
  // The package gives Node a CommonJS build, of which nothing can be left out; this is the same code as modules.
  alias: { yaml: "./node_modules/yaml/browser/index.js" },
  chunkNames: "chunks/[name]-[hash]",
  define: { FEDTRACE_VERSION: JSON.stringify(version) },
  // Names stay, so that a stack trace can be read; white space is a third of what a start has to parse.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "linked",
  sourcemap: "linked",
  // CommonJS packages in the bundle call require() for Node's own modules.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  logLevel: "warning",
});
