/**
 * Files that are made from the source, as they should be. scripts/docs.ts writes them;
 * test/config/generated.test.ts compares.
 */

import { format, resolveConfig } from "prettier";
import { configSchema } from "../src/config/schema.ts";
import { toJsonSchema } from "@valibot/to-json-schema";
import { reportSchema } from "../src/usage/report-schema.ts";
import { configPage } from "./config-page.ts";
import { jsonSchema } from "./json-schema.ts";
import { metricsPage } from "./metrics-page.ts";

/** Path from the repository's root → whole text, as prettier leaves it. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const texts = new Map([
    ["docs/config.md", configPage(configSchema)],
    ["docs/metrics.md", metricsPage()],
    ["fedtrace.schema.json", JSON.stringify(jsonSchema(configSchema))],
    ["fedtrace-report.schema.json", JSON.stringify(reportJsonSchema())],
  ]);
  for (const [path, text] of texts) {
    texts.set(path, await format(text, { ...(await resolveConfig(path)), filepath: path }));
  }
  return texts;
}

/** Of usage reports. What JSON Schema has no word for, characters that can't be seen, is left out. */
function reportJsonSchema(): object {
  const { $schema, ...schema } = toJsonSchema(reportSchema, {
    target: "draft-2020-12",
    ignoreActions: ["check"],
  });
  const title = "Usage report of fedtrace";
  return { $schema, title, ...schema };
}
