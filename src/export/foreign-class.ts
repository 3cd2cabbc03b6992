/**
 * From the file of a module to the one class in it that is a SpanExporter. Runs in the thread of the exporter: loading a module runs
 * its code. Not here: finding the file of a name (config/module-path.ts), how long it may take (foreign-exporter.ts).
 */

import { pathToFileURL } from "node:url";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { ExporterModule } from "./foreign-message.ts";
import { foreignReason } from "./foreign-reason.ts";

/** Of names in a fault; a module may export thousands. */
const NAMES_LENGTH_MAX = 200;

/** What is wrong with a module and what is allowed: for a fault, without the key. */
interface Refusal {
  readonly refused: string;
}

type ExporterClass = new (options: Record<string, unknown>) => object;

interface Found {
  readonly name: string;
  readonly value: ExporterClass;
}

/** Never rejects; may never resolve, where the module waits for something (top-level await). */
export async function loadExporterClass(module: ExporterModule): Promise<Found | Refusal> {
  let namespace: unknown;
  try {
    // A path that is known at run time only: no bundler can follow it.
    namespace = await import(pathToFileURL(module.path).href);
  } catch (error) {
    const reason = foreignReason(error, module.options);
    return { refused: `can't be loaded (${reason}); allowed: a module that Node can load` };
  }
  const exported = exportsOf(namespace);
  if (module.exporter !== undefined) {
    const value = exported.get(module.exporter);
    if (isClass(value)) return { name: module.exporter, value };
    return { refused: `has no class by the name in exporter; ${allowedOf(namesOfExporters(exported))}` };
  }
  const names = namesOfExporters(exported);
  const [name, second] = names;
  const value = name === undefined ? undefined : exported.get(name);
  if (name !== undefined && second === undefined && isClass(value)) return { name, value };
  const wrong = second === undefined ? "has no exporter" : "has several exporters";
  return { refused: `${wrong}; ${allowedOf(names)}` };
}

/** Never throws, whatever the constructor does. */
export function makeExporter(
  { name, value: Exporter }: Found,
  module: ExporterModule,
): SpanExporter | Refusal {
  let made: object;
  try {
    made = new Exporter(structuredClone(module.options)); // Its own: exporters fill theirs in.
  } catch (error) {
    const reason = foreignReason(error, module.options);
    return { refused: `${name} can't be made (${reason}); allowed: options that it takes` };
  }
  if (isExporter(made)) return made;
  return { refused: `${name} makes something without export() and shutdown(); allowed: a SpanExporter` };
}

/** By name; a CommonJS module's also where Node can't see them from outside. */
function exportsOf(namespace: unknown): ReadonlyMap<string, unknown> {
  const exported = new Map<string, unknown>(Object.entries(namespace as object));
  const whole = exported.get("default");
  if (typeof whole !== "object" || whole === null) return exported;
  for (const [name, value] of Object.entries(whole)) if (!exported.has(name)) exported.set(name, value);
  return exported;
}

/** Of classes whose instances have the methods of a SpanExporter; each class once. */
function namesOfExporters(exported: ReadonlyMap<string, unknown>): readonly string[] {
  const seen = new Set<unknown>();
  return [...exported]
    .filter(([, value]) => isClass(value) && isExporter(value.prototype))
    .filter(([, value]) => !seen.has(value) && seen.add(value))
    .map(([name]) => name);
}

function allowedOf(names: readonly string[]): string {
  if (names.length === 0) return "allowed: a module with a class that has export() and shutdown()";
  return `allowed: exporter: ${names.join(", ").slice(0, NAMES_LENGTH_MAX)}`;
}

function isClass(value: unknown): value is ExporterClass & { readonly prototype: object } {
  return typeof value === "function" && typeof value.prototype === "object" && value.prototype !== null;
}

function isExporter(value: object): value is SpanExporter {
  const { export: exportSpans, shutdown } = value as Partial<SpanExporter>;
  return typeof exportSpans === "function" && typeof shutdown === "function";
}
