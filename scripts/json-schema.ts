/**
 * fedtrace.schema.json from the schema: JSON Schema, draft 2020-12, for editors.
 *
 * It is a little wider than the program: what needs code (addresses, files, patterns, rules between keys) is
 * left to `fedtrace check`. A `${NAME}` is allowed wherever a scalar is.
 */

import {
  aboutOf,
  defaultOf,
  type JsonSchema,
  type Option,
  type Shape,
  shapeOf,
} from "../src/config/schema-option.ts";

const SUBSTITUTED = { $ref: "#/$defs/substituted" };

/** @param schema the whole file's */
export function jsonSchema(schema: Option<unknown>): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "fedtrace config",
    description: "Made from src/config/schema.ts by npm run docs; the reference is docs/config.md.",
    ...ofShape(shapeOf(schema)),
    $defs: {
      substituted: {
        description: "A value from the environment.",
        type: "string",
        pattern: "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}",
      },
    },
  };
}

function ofShape(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case "value":
      // Free text takes a reference as it is; a mapping can't come from one.
      return shape.json["type"] === "object" ||
        (shape.json["type"] === "string" && shape.json["pattern"] === undefined)
        ? shape.json
        : { anyOf: [shape.json, SUBSTITUTED] };
    case "list":
      return {
        type: "array",
        ...(shape.itemsMin > 0 && { minItems: shape.itemsMin }),
        maxItems: shape.itemsMax,
        items: ofShape(shapeOf(shape.item)),
      };
    case "map":
      return {
        type: "object",
        maxProperties: shape.itemsMax,
        additionalProperties: ofShape(shapeOf(shape.item)),
      };
    case "short":
      return { anyOf: [ofShape(shapeOf(shape.short)), ofShape(shapeOf(shape.section))] };
    case "section":
      return ofSection(shape);
  }
}

function ofSection({ entries, choice }: Extract<Shape, { kind: "section" }>): JsonSchema {
  const required = Object.keys(entries).filter((key) => {
    const option = entries[key];
    return option !== undefined && defaultOf(option) === "required";
  });
  const { oneOf = [], anyOf = [] } = choice;
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(Object.entries(entries).map(([key, option]) => [key, ofOption(option)])),
    ...(required.length > 0 ? { required } : {}),
    ...(oneOf.length > 0 ? { oneOf: oneOf.map((key) => ({ required: [key] })) } : {}),
    ...(anyOf.length > 0 ? { anyOf: anyOf.map((key) => ({ required: [key] })) } : {}),
  };
}

function ofOption(option: Option<unknown>): JsonSchema {
  const about = aboutOf(option);
  const known = defaultOf(option);
  return {
    ...(about === undefined ? {} : { description: about.doc }),
    ...ofShape(shapeOf(option)),
    ...(typeof known === "object" ? { default: known.written } : {}),
  };
}
