/**
 * What the schema is built of: values, lists, maps and sections, and what is said about each option.
 *
 * Each is a valibot schema (https://valibot.dev) that carries, as metadata, what the generated reference and the
 * JSON Schema say about it, so that an option's check and its documentation can't part ways. Unlike valibot's own
 * objects, a section tells every unknown key, with a suggestion.
 */

import * as v from "valibot";
import type { Parsed } from "./fault.ts";
import { isMapping, type Mapping } from "./key-path.ts";
import { suggestion } from "./nearest.ts";

/** A schema from whatever stands in the file to a typed value. */
export type Option<T> = v.GenericSchema<unknown, T>;

/** A part of a JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a schema takes, for the generated documents. */
export type Shape =
  | { readonly kind: "value"; readonly allowed: string; readonly json: JsonSchema }
  | {
      readonly kind: "list";
      readonly item: Option<unknown>;
      readonly itemsMin: number;
      readonly itemsMax: number;
    }
  | {
      readonly kind: "map";
      readonly key: Option<unknown>;
      readonly item: Option<unknown>;
      readonly itemsMax: number;
    }
  | { readonly kind: "section"; readonly entries: Entries; readonly choice: SectionOptions }
  | { readonly kind: "short"; readonly short: Option<unknown>; readonly section: Option<unknown> };

/** What is said about an option. */
export interface About {
  /** `live`: a reload takes it over. `restart`: it counts from the next start on. */
  readonly reload: "live" | "restart";
  /** What it is, what its danger is. Markdown, whole sentences. */
  readonly doc: string;
  /** The default, where it is another part's (the environment comes between) or needs words. */
  readonly byDefault?: string;
  /** YAML of one value. */
  readonly example?: string;
}

type Entries = Readonly<Record<string, Option<unknown>>>;
/** A default as a file would write it. */
type Written = string | number | boolean | readonly string[] | Readonly<Record<string, never>>;

/** An option that a section can't do without. */
export function required<T>(schema: Option<T>, about: About) {
  return v.pipe(schema, v.metadata({ about }));
}

/** An option that may be left out: undefined. */
export function optional<T>(schema: Option<T>, about: About) {
  return v.pipe(v.optional(schema), v.metadata({ about }));
}

/** An option with a default, which is checked like a written value. */
export function defaulted<T>(schema: Option<T>, byDefault: Written, about: About) {
  return v.pipe(v.optional(schema, byDefault), v.metadata({ about }));
}

/**
 * A scalar.
 *
 * @param shape `allowed` ends the fault's sentence: `…; allowed: 0s to 1h`
 * @param parse takes what YAML made of the value; a refusal is what is wrong, without what is allowed
 */
export function scalar<T>(
  shape: { readonly allowed: string; readonly json: JsonSchema },
  parse: (input: unknown) => Parsed<T>,
): Option<T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const parsed = parse(dataset.value);
      if ("value" in parsed) return parsed.value;
      addIssue({ message: `${parsed.refused}; allowed: ${shape.allowed}` });
      return NEVER;
    }),
    v.metadata({ shape: { kind: "value", ...shape } satisfies Shape }),
  );
}

/** A list of `itemsMin` to `itemsMax` items. */
export function list<T>(item: Option<T>, itemsMax: number, itemsMin = 0): Option<readonly T[]> {
  const message = `has too many items; allowed: ${itemsMax}`;
  return v.pipe(
    v.array(item, "is not a list; allowed: a list, [a, b] or one `- a` a line"),
    v.minLength(itemsMin, `has too few items; allowed: at least ${itemsMin}`),
    v.maxLength(itemsMax, message),
    v.metadata({ shape: { kind: "list", item, itemsMin, itemsMax } satisfies Shape }),
  );
}

/** A mapping of at most `itemsMax` keys, which are the operator's own names. */
export function map<T>(
  key: Option<string>,
  item: Option<T>,
  itemsMax: number,
): Option<Readonly<Record<string, T>>> {
  return v.pipe(
    v.custom<Mapping>(isMapping, NOT_A_MAPPING),
    v.record(key as v.GenericSchema<string, string>, item),
    v.maxEntries(itemsMax, `has too many keys; allowed: ${itemsMax}`),
    v.metadata({ shape: { kind: "map", key, item, itemsMax } satisfies Shape }),
  );
}

const NOT_A_MAPPING = "is not a mapping; allowed: `key: value` lines, or { key: value }";

/** Says that a key of this section, or the section itself, is at fault. */
type Refuse = (key: string | undefined, message: string) => void;

interface SectionOptions {
  /** Of these keys exactly one must be there. */
  readonly oneOf?: readonly string[];
  /** Of these keys at least one must be there. */
  readonly anyOf?: readonly string[];
}

/**
 * A mapping with known keys.
 *
 * @param build   gives the section its typed form; called when every key is right. It may still refuse.
 */
export function section<const E extends Entries, T>(
  entries: E,
  build: (values: v.InferOutput<v.ObjectSchema<E, undefined>>, refuse: Refuse) => T,
  { oneOf = [], anyOf = [] }: SectionOptions = {},
): Option<T> {
  return v.pipe(
    v.custom<Mapping>(isMapping, NOT_A_MAPPING),
    v.looseObject(entries, ({ expected }) => `is missing; allowed: ${allowedOf(entries, expected)}`),
    // A check runs even where an entry is at fault, so that every fault is told at once.
    v.rawCheck(({ dataset, addIssue }) => {
      const mapping = dataset.value as Mapping;
      const known = Object.keys(entries);
      for (const key of Object.keys(mapping).filter((name) => !Object.hasOwn(entries, name))) {
        const message = `is not a known key${suggestion(key, known)}; allowed: ${known.join(", ")}`;
        addIssue({ message, path: [pathItem("key", mapping, key)] });
      }
      const message = choiceFault(mapping, oneOf, anyOf);
      if (message !== undefined) addIssue({ message });
    }),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      let isRefused = false;
      const value = build(dataset.value as v.InferOutput<v.ObjectSchema<E, undefined>>, (key, message) => {
        isRefused = true;
        if (key === undefined) addIssue({ message });
        else addIssue({ message, path: [pathItem("value", dataset.value as Mapping, key)] });
      });
      return isRefused ? NEVER : value;
    }),
    v.metadata({ shape: { kind: "section", entries, choice: { oneOf, anyOf } } satisfies Shape }),
  );
}

/** @param quoted the key, as valibot says what it expected: `"listen"` */
function allowedOf(entries: Entries, quoted: string | null): string {
  const option = entries[quoted?.slice(1, -1) ?? ""];
  const shape = option === undefined ? undefined : shapeOf(option);
  const written = shape?.kind === "short" ? shapeOf(shape.short) : shape;
  return written?.kind === "value" ? written.allowed : "a mapping";
}

function pathItem(origin: "key" | "value", input: Mapping, key: string): v.IssuePathItem {
  return { type: "object", origin, input, key, value: input[key] };
}

function choiceFault(
  mapping: Mapping,
  oneOf: readonly string[],
  anyOf: readonly string[],
): string | undefined {
  const chosen = oneOf.filter((key) => Object.hasOwn(mapping, key));
  if (oneOf.length > 0 && chosen.length !== 1) {
    const wrong = chosen.length === 0 ? "has none of its keys" : `has ${chosen.join(" and ")}`;
    return `${wrong}; allowed: exactly one of ${oneOf.join(", ")}`;
  }
  if (anyOf.length === 0 || anyOf.some((key) => Object.hasOwn(mapping, key))) return undefined;
  const some = anyOf.length > 2 ? "at least one of them" : "one of them, or both";
  return `has neither ${anyOf.join(" nor ")}; allowed: ${some}`;
}

/** A section that may be written as one scalar. */
export function orShort<T>(short: Option<T>, whole: Option<T>): Option<T> {
  return v.pipe(
    v.lazy((input) => (typeof input === "object" ? whole : short)),
    v.metadata({ shape: { kind: "short", short, section: whole } satisfies Shape }),
  );
}

/** What an option takes. */
export function shapeOf(schema: Option<unknown>): Shape {
  const { shape } = v.getMetadata(unwrapped(schema));
  return shape as Shape;
}

/** What is said about an option; undefined for an item of a list and the like. */
export function aboutOf(schema: Option<unknown>): About | undefined {
  return v.getMetadata(schema)["about"] as About | undefined;
}

/** The default as a file would write it; undefined where there is none, `required` where there must be a value. */
export function defaultOf(schema: Option<unknown>): { readonly written: unknown } | "required" | undefined {
  if (schema.type !== "optional") return "required";
  const written: unknown = (schema as v.OptionalSchema<Option<unknown>, unknown>).default;
  return written === undefined ? undefined : { written };
}

function unwrapped(schema: Option<unknown>): Option<unknown> {
  return schema.type === "optional" ? (schema as v.OptionalSchema<Option<unknown>, unknown>).wrapped : schema;
}
