/**
 * The kinds of value that an exporter by module has: its name, the name of its class, and options that only the exporter
 * knows. Not here: finding the module (module-path.ts) and loading it (export/foreign-exporter.ts).
 */

import type { Parsed } from "./fault.ts";
import { isMapping } from "./key-path.ts";
import { type Option, scalar } from "./schema-option.ts";
import { text } from "./schema-values.ts";

/** Levels of mappings and lists below `options`; TLS and retry settings of known exporters have three. */
const LEVELS_MAX = 8;
/** Values in all. Options are settings, not content. */
const VALUES_MAX = 1000;

/** A module; files.ts has made it a path, if there is one. @param build gives it its typed form */
export function moduleName<T>(build: (path: string) => T): Option<T> {
  return text("a package, or a path such as ./exporter.mjs", (written) =>
    written.includes("\0") ? { refused: "has a NUL character" } : { value: build(written) },
  );
}

/** The name of an export, as JavaScript has it. */
export const exportName: Option<string> = text("a name such as ZipkinExporter", (written) =>
  /^[\p{ID_Start}$_][\p{ID_Continue}$]{0,127}$/u.test(written)
    ? { value: written }
    : { refused: "is not a name that a module can export" },
);

/** Any mapping, as it was written: text, numbers, true and false, lists and mappings of them. */
export function moduleOptions(): Option<Readonly<Record<string, unknown>>> {
  const allowed = `a mapping of at most ${VALUES_MAX} values in ${LEVELS_MAX} levels`;
  return scalar({ allowed, json: { type: "object" } }, (input): Parsed<Readonly<Record<string, unknown>>> => {
    if (!isMapping(input)) return { refused: "is not a mapping" };
    let values = 0;
    const isWithin = (value: unknown, levels: number): boolean => {
      values++;
      if (values > VALUES_MAX) return false;
      if (typeof value !== "object" || value === null) return true;
      return levels < LEVELS_MAX && Object.values(value).every((child) => isWithin(child, levels + 1));
    };
    if (!Object.values(input).every((value) => isWithin(value, 0))) return { refused: "is too large" };
    return { value: input };
  });
}
