/** resolveModule against packages and files made for the test: what Node would load, and what it wouldn't. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { resolveModule } from "../../src/config/module-path.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "fedtrace-module-")));
afterAll(() => rmSync(root, { recursive: true }));

function put(path: string, content: object | string = ""): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === "string" ? content : JSON.stringify(content));
}

put("beside.mjs");
put("config/own.cjs");
put("config/folder/index.js");
put("node_modules/common/package.json", { main: "lib.js" });
put("node_modules/common/lib.js");
put("node_modules/common/deep/other.js");
put("node_modules/modern/package.json", {
  exports: { ".": { types: "./no.d.ts", import: "./main.mjs" }, "./sub": "./sub.mjs" },
});
put("node_modules/modern/main.mjs");
put("node_modules/modern/sub.mjs");
put("node_modules/@scope/short/package.json", {
  exports: { browser: "./no.mjs", node: { import: "./node.mjs" } },
});
put("node_modules/@scope/short/node.mjs");
put("node_modules/dual/package.json", { exports: { import: "./a.mjs", require: "./a.cjs" } });
put("node_modules/dual/a.cjs");
put("node_modules/dual/a.mjs");
put("node_modules/damaged/package.json", "{");
put("node_modules/gone/package.json", { exports: { import: "./gone.mjs" } });
put("node_modules/outside/package.json", { exports: { import: "../../beside.mjs" } });

describe("finds", () => {
  it.each([
    { why: "a path beside the config", name: "./own.cjs", path: "config/own.cjs" },
    { why: "a path above it", name: "../beside.mjs", path: "beside.mjs" },
    { why: "an absolute path", name: join(root, "beside.mjs"), path: "beside.mjs" },
    { why: "a folder with an index", name: "./folder", path: "config/folder/index.js" },
    { why: "a CommonJS package", name: "common", path: "node_modules/common/lib.js" },
    { why: "a file of a package", name: "common/deep/other.js", path: "node_modules/common/deep/other.js" },
    { why: "a package of ES modules only", name: "modern", path: "node_modules/modern/main.mjs" },
    { why: "its other entry point", name: "modern/sub", path: "node_modules/modern/sub.mjs" },
    {
      why: "one with a scope and nested conditions",
      name: "@scope/short",
      path: "node_modules/@scope/short/node.mjs",
    },
    { why: "the CommonJS half of both", name: "dual", path: "node_modules/dual/a.cjs" },
  ])("$why", ({ name, path }) => {
    expect(resolveModule(name, join(root, "config"))).toBe(join(root, path));
  });

  it("a package beside the program, where there is none beside the config", () => {
    expect(resolveModule("@opentelemetry/exporter-zipkin", root)).toMatch(
      /exporter-zipkin\/build\/src\/index\.js$/,
    );
  });
});

describe("doesn't find", () => {
  it.each([
    { why: "a path that is not there", name: "./none.mjs" },
    { why: "a package that is not there", name: "none" },
    { why: "a file beside the config without ./", name: "own.cjs" },
    { why: "one of Node's own", name: "fs" },
    { why: "one of Node's own, by its full name", name: "node:fs" },
    { why: "an entry point that a package doesn't have", name: "modern/none" },
    { why: "a package whose file is gone", name: "gone" },
    { why: "a package that is damaged", name: "damaged" },
    { why: "a target outside its package", name: "outside" },
    { why: "a scope alone", name: "@scope" },
    { why: "nothing", name: "" },
    { why: "a path relative to the program", name: "./schema.ts" },
  ])("$why", ({ name }) => {
    expect(resolveModule(name, join(root, "config"))).toBeUndefined();
  });
});
