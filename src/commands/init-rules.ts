/** The config's own rules, asked of one value at a time: `init` has none of its own. */

import { checkFiles } from "../config/files.ts";
import { formatKeyPath } from "../config/key-path.ts";
import { aboutOf, shapeOf } from "../config/schema-option.ts";
import { checkSchema, configSchema } from "../config/schema.ts";

/**
 * What `check` would say of a value.
 *
 * @param document the value in its place; the rest of the config may be missing
 * @param key      as a fault prints it, such as `inbound.listen` or `export[0].otlp.url`; what is wrong with a section
 *                 that the value is in counts too
 * @returns what is wrong and what is allowed, or undefined
 */
export function faultOf(document: unknown, key: string): string | undefined {
  const checked = checkSchema(document);
  return [...("findings" in checked ? checked.findings : []), ...checkFiles(document)].find(({ path }) => {
    const at = formatKeyPath(path);
    return at === key || (at !== "(file)" && key.startsWith(`${at}.`));
  })?.message;
}

/** What docs/config.md says of an option. @param key joined by dots, such as `inbound.tls`; no lists on the way */
export function docOf(key: string): string {
  let option = configSchema as Parameters<typeof shapeOf>[0];
  for (const step of key.split(".")) {
    const shape = shapeOf(option);
    const entry = shape.kind === "section" ? shape.entries[step] : undefined;
    if (entry === undefined) throw new Error(`the schema has no ${key}`);
    option = entry;
  }
  return (aboutOf(option)?.doc ?? "").replaceAll("**", "");
}
