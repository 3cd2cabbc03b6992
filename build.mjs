/**
 * Bundles src/cli.ts to dist/cli.js: one file to start, and chunks for what most runs never load.
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
  chunkNames: "chunks/[name]-[hash]",
  define: { FEDTRACE_VERSION: JSON.stringify(version) },
  legalComments: "linked",
  sourcemap: "linked",
  // CommonJS packages in the bundle call require() for Node's own modules.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  logLevel: "warning",
});
