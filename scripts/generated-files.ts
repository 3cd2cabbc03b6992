/**
 * Files that are made from the source, as they should be. scripts/docs.ts writes them;
 * test/config/generated.test.ts compares.
 */

import { format, resolveConfig } from "prettier";
import { configSchema } from "../src/config/schema.ts";
import { configPage } from "./config-page.ts";
import { jsonSchema } from "./json-schema.ts";
import { metricsPage } from "./metrics-page.ts";

/** Path from the repository's root → whole text, as prettier leaves it. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const texts = new Map([
    ["docs/config.md", configPage(configSchema)],
    ["docs/metrics.md", metricsPage()],
    ["fedtrace.schema.json", JSON.stringify(jsonSchema(configSchema))],
  ]);
  for (const [path, text] of texts) {
    texts.set(path, await format(text, { ...(await resolveConfig(path)), filepath: path }));
  }
  return texts;
}
