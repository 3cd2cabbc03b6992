/**
 * What is made from the source is as the source makes it. A failure here is mended by `npm run docs`.
 */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { generatedFiles } from "../../scripts/generated-files.ts";

const files = await generatedFiles();

it.each([...files])("%s is up to date", (path, text) => {
  expect(readFileSync(path, "utf8") === text, `${path} is stale: run npm run docs`).toBe(true);
});
