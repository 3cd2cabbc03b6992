/**
 * Bundles src/cli.ts to dist/cli.js: one file to start, and chunks for packages that most starts don't wait for.
 * What `collect` runs and the thread of a foreign exporter are files of their own, dist/collect.js and dist/foreign-worker.js, which
 * share no chunk with the program.
 * And two pages, compressed here once and not by each start: src/page to dist/page, what `GET /` of the admin listener
 * shows, and src/collect-page to dist/collect-page, what `GET /` of the collector shows.
 *
 * Why a bundle: importing 200 small files and packages takes longer than everything else a start does.
 */

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));

const FOR_NODE = {
  metafile: true,
  outdir: "dist",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  // Names stay, so that a stack trace can be read; white space is a third of what a start has to parse.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "linked",
  sourcemap: "linked",
  logLevel: "warning",
};

// First: the program is never there without it.
const worker = await build({ ...FOR_NODE, entryPoints: ["src/export/foreign-worker.ts"] });

// CommonJS packages in a bundle call require() for Node's own modules.
const BANNER = {
  js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
};

// dist/collect.js: a program of its own, or what it shares with the command line would become files that each start has to open.
const collect = await build({
  ...FOR_NODE,
  entryPoints: ["src/commands/collect.ts"],
  mainFields: ["module", "main"],
  define: { FEDTRACE_VERSION: JSON.stringify(version) },
  // A binary, which only some runtimes need; and two forms of pg that it has for other ones.
  external: ["libsql", "pg-native", "pg-cloudflare"],
  banner: BANNER,
});

const { metafile } = await build({
  ...FOR_NODE,
  entryPoints: ["src/cli.ts"],
  splitting: true,
  plugins: [
    {
      name: "collect",
      setup({ onResolve }) {
        onResolve({ filter: /\/commands\/collect\.ts$/ }, () => ({ path: "./collect.js", external: true }));
      },
    },
  ],
  mainFields: ["module", "main"],
  // The package gives Node a CommonJS build, of which nothing can be left out; this is the same code as modules.
  alias: { yaml: "./node_modules/yaml/browser/index.js" },
  chunkNames: "chunks/[name]-[hash]",
  define: {
    FEDTRACE_VERSION: JSON.stringify(version),
    FEDTRACE_FOREIGN_WORKER: JSON.stringify("./foreign-worker.js"), // From dist/cli.js, which holds its caller.
  },
  banner: BANNER,
});

const pageFiles = [
  ...(await buildPage("src/page", "dist/page")),
  ...(await buildPage("src/collect-page", "dist/collect-page")),
];

// What an earlier build left goes last, so that a program started meanwhile finds its chunks.
const made = new Set(
  [metafile, worker.metafile, collect.metafile]
    .flatMap(({ outputs }) => Object.keys(outputs))
    .concat(pageFiles),
);
for (const name of readdirSync("dist", { recursive: true, encoding: "utf8", withFileTypes: true })) {
  const path = relative(".", join(name.parentPath, name.name));
  if (name.isFile() && !made.has(path)) rmSync(path);
}

/** Assets are named by their content, so that browsers keep them; index.html names them. Resolves with all paths. */
async function buildPage(source, directory) {
  const page = await build({
    metafile: true,
    entryPoints: [`${source}/main.tsx`, `${source}/styles/page.css`],
    outdir: `${directory}/assets`,
    entryNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: ["chrome120", "firefox121", "safari17.2"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    logLevel: "warning",
  });
  const assets = Object.keys(page.metafile.outputs);
  const html = readFileSync(`${source}/index.html`, "utf8").replaceAll(
    /\/assets\/(?:main|page)\.(js|css)/g,
    (_, type) => {
      return `/assets/${basename(assets.find((path) => path.endsWith(`.${type}`)))}`;
    },
  );
  const texts = [`${directory}/index.html`, `${directory}/favicon.svg`];
  writeFileSync(texts[0], html.replaceAll(/\n\s*/g, ""));
  writeFileSync(texts[1], readFileSync(`${source}/favicon.svg`, "utf8").replaceAll(/\n\s*/g, ""));
  const files = [...assets, ...texts];
  for (const path of files) {
    const bytes = readFileSync(path);
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    writeFileSync(`${path}.br`, brotliCompressSync(bytes));
  }
  return files.flatMap((path) => [path, `${path}.gz`, `${path}.br`]);
}
