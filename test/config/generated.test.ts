/**
 * docs/config.md and fedtrace.schema.json are what the schema makes them, and rows of not-yet.ts name options
 * that exist. A failure here is mended by `npm run docs`.
 */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { generatedFiles } from "../../scripts/generated-files.ts";
import { NOT_YET } from "../../src/config/not-yet.ts";

const files = await generatedFiles();

it.each([...files])("%s is up to date", (path, text) => {
  expect(readFileSync(path, "utf8") === text, `${path} is stale: run npm run docs`).toBe(true);
});

it.each(NOT_YET)("$key is an option", ({ key }) => {
  expect(files.get("docs/config.md")).toContain(`### \`${key}\`\n`);
});
