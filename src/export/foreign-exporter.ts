/**
 * Any OpenTelemetry SpanExporter, by the file of its module
 * (https://open-telemetry.github.io/opentelemetry-js/interfaces/_opentelemetry_sdk-trace-base.SpanExporter.html).
 *
 * Its code is not ours: what it throws, how often and with what it calls back, ends here as one outcome, or as none, and
 * then batch-queue.ts goes on after a minute. What it throws later, in a timer or an event of its own, can't be caught.
 * Not here: finding the file of a name (config/module-path.ts).
 */

import { pathToFileURL } from "node:url";
import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { exportFailure, exportSuccess } from "./outcome.ts";

/** A module may wait for something before it is loaded (top-level await); a start can't wait for good. */
const LOAD_TIMEOUT_MS = 10_000;
/** What an exporter that was only tried may take to close. */
const SHUTDOWN_TIMEOUT_MS = 1000;
/** Of what foreign code says; it may hold a whole answer. */
const MESSAGE_LENGTH_MAX = 200;
/** A shorter value of an option is no secret, and hiding it would make a message unreadable. */
const HIDDEN_LENGTH_MIN = 4;

/** As the config has it. */
export interface ExporterModule {
  /** Absolute. */
  readonly path: string;
  /** The name of the class; undefined: the only one that looks like an exporter. */
  readonly exporter: string | undefined;
  /** For the constructor. Values may be secrets. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What is wrong with a module and what is allowed: for a fault, without the key. */
interface Refusal {
  readonly refused: string;
}

type ExporterClass = new (options: Record<string, unknown>) => object;

/** Loads the module and finds its class, without making one. @returns what is wrong, or undefined */
export async function checkExporterModule(module: ExporterModule): Promise<string | undefined> {
  const found = await loadClass(module);
  return "refused" in found ? found.refused : undefined;
}

/** The same, and makes one and shuts it down. */
export async function tryExporterModule(module: ExporterModule): Promise<string | undefined> {
  const made = await createForeignExporter(module);
  if ("refused" in made) return made.refused;
  await withTimeout(made.shutdown(), SHUTDOWN_TIMEOUT_MS).catch(() => undefined);
  return undefined;
}

/** Loads, finds, makes. Never rejects. */
export async function createForeignExporter(module: ExporterModule): Promise<SpanExporter | Refusal> {
  const found = await loadClass(module);
  if ("refused" in found) return found;
  const { name, value: Exporter } = found;
  let made: object;
  try {
    made = new Exporter(structuredClone(module.options)); // Its own: ours are frozen, and exporters fill theirs in.
  } catch (error) {
    return {
      refused: `${name} can't be made (${messageOf(error, module)}); allowed: options that it takes`,
    };
  }
  if (!isExporter(made)) {
    return { refused: `${name} makes something without export() and shutdown(); allowed: a SpanExporter` };
  }
  return guarded(made, module);
}

interface Found {
  readonly name: string;
  readonly value: ExporterClass;
}

async function loadClass(module: ExporterModule): Promise<Found | Refusal> {
  let namespace: unknown;
  try {
    // A path that is known at run time only: no bundler can follow it.
    namespace = await withTimeout(import(pathToFileURL(module.path).href), LOAD_TIMEOUT_MS);
  } catch (error) {
    return { refused: `can't be loaded (${messageOf(error, module)}); allowed: a module that Node can load` };
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
  return `allowed: exporter: ${names.join(", ").slice(0, MESSAGE_LENGTH_MAX)}`;
}

function isClass(value: unknown): value is ExporterClass & { readonly prototype: object } {
  return typeof value === "function" && typeof value.prototype === "object" && value.prototype !== null;
}

function isExporter(value: object): value is SpanExporter {
  const { export: exportSpans, shutdown } = value as Partial<SpanExporter>;
  return typeof exportSpans === "function" && typeof shutdown === "function";
}

/** The exporter, with nothing that it does getting through but a result. */
function guarded(exporter: SpanExporter, module: ExporterModule): SpanExporter {
  return {
    export(spans, resultCallback) {
      const fail = (error: unknown): void => {
        resultCallback(
          exportFailure(messageOf(error, module), { isRetryable: false, retryAfterMs: undefined }),
        );
      };
      try {
        // An array of its own: the queue's is looked at again afterwards.
        const returned: unknown = exporter.export([...spans] satisfies ReadableSpan[], (result: unknown) =>
          resultCallback(resultOf(result, module)),
        );
        // An async method is against the interface, and common. Its rejection would end the process.
        if (returned instanceof Promise) returned.catch(fail);
      } catch (error) {
        fail(error);
      }
    },
    async forceFlush() {
      await exporter.forceFlush?.();
    },
    async shutdown() {
      await exporter.shutdown();
    },
  };
}

/** OpenTelemetry's ExportResultCode.SUCCESS. */
const SUCCESS = 0;

function resultOf(result: unknown, module: ExporterModule): ExportResult {
  const { code, error } = (
    typeof result === "object" && result !== null ? result : {}
  ) as Partial<ExportResult>;
  if (code === SUCCESS) return exportSuccess();
  // Those retry by themselves (outcome.ts): what they give up is given up.
  const reason = error === undefined ? "no reason given" : messageOf(error, module);
  return exportFailure(reason, { isRetryable: false, retryAfterMs: undefined });
}

/** What was thrown, on one line, without what the options hold. */
function messageOf(thrown: unknown, { options }: ExporterModule): string {
  let text = String(thrown instanceof Error ? thrown.message : thrown).replaceAll(/\s+/g, " ");
  for (const value of textsOf(options))
    if (value.length >= HIDDEN_LENGTH_MIN) text = text.replaceAll(value, "…");
  return text.slice(0, MESSAGE_LENGTH_MAX);
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
