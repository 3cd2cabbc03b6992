/**
 * encodeOtlpJson against OpenTelemetry's JsonTraceSerializer.
 * Method: the same spans through both, read by JSON.parse; theirs is brought to the protobuf JSON mapping
 * first (64-bit integers as strings, well-formed text, no zeros and empty lists), where it departs from it.
 */

import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeOtlpJson } from "../../src/export/otlp-json.ts";
import type { SpanRecord } from "../../src/span/record.ts";
import { anySpan, exampleSpan } from "./spans.ts";
import { runs } from "../support/runs.ts";

/** Fields that the mapping lets a writer leave out when they are zero or empty. */
const OPTIONAL = new Set([
  "attributes",
  "droppedAttributesCount",
  "droppedEventsCount",
  "droppedLinksCount",
  "events",
  "links",
  "traceState",
  "version",
]);

function mapped(value: unknown): unknown {
  if (typeof value === "string") return Buffer.from(value).toString(); // Well-formed.
  if (Array.isArray(value)) return value.map(mapped);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key, item]) => {
      const isEmpty = item === 0 || item === "" || (Array.isArray(item) && item.length === 0);
      return !(isEmpty && OPTIONAL.has(key)) && !(item === 0 && key === "code");
    })
    .map(([key, item]): [string, unknown] => {
      if (key !== "intValue") return [key, mapped(item)];
      const isInt64 = item >= -(2 ** 63) && item < 2 ** 63;
      return isInt64 ? [key, BigInt(item).toString()] : ["doubleValue", item];
    });
  return Object.fromEntries(entries);
}

function theirs(spans: SpanRecord[]): unknown {
  const bytes = JsonTraceSerializer.serializeRequest(spans);
  const request = JSON.parse(Buffer.from(bytes ?? []).toString());
  for (const { resource } of request.resourceSpans) delete resource.schemaUrl; // No such field in the protocol.
  return mapped(request);
}

describe("encodeOtlpJson", () => {
  it("says what OpenTelemetry's says, for any spans", () => {
    const finite = anySpan.filter(({ fields }) => !/NaN|Infinity/.test(inspectNumbers(fields)));
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 4 }), (spans) => {
        expect(JSON.parse(encodeOtlpJson(spans))).toEqual(theirs(spans));
      }),
      { numRuns: runs(300) },
    );
  });

  it.each([
    { why: "an int64 as a string", value: 42, expected: { intValue: "42" } },
    {
      why: "an int64 with all its digits",
      value: -(2 ** 63),
      expected: { intValue: "-9223372036854775808" },
    },
    { why: "a whole number past int64", value: 2 ** 63, expected: { doubleValue: 2 ** 63 } },
    { why: "a fraction", value: 0.25, expected: { doubleValue: 0.25 } },
    { why: "not a number, as the mapping spells it", value: Number.NaN, expected: { doubleValue: "NaN" } },
    { why: "an infinity", value: -Infinity, expected: { doubleValue: "-Infinity" } },
    { why: "a boolean", value: false, expected: { boolValue: false } },
    { why: "a lone surrogate", value: "a\ud800b", expected: { stringValue: "a\ufffdb" } },
    {
      why: "a text that only looks like an escaped surrogate",
      value: "\\ud800 \\\ud800",
      expected: { stringValue: "\\ud800 \\\ufffd" },
    },
    { why: "a pair of surrogates", value: "\u{1f600}", expected: { stringValue: "\u{1f600}" } },
  ])("writes $why", ({ value, expected }) => {
    const line = encodeOtlpJson([exampleSpan({ attributes: { key: value } })]);
    expect(JSON.parse(line)).toMatchObject({
      resourceSpans: [{ scopeSpans: [{ spans: [{ attributes: [{ key: "key", value: expected }] }] }] }],
    });
  });

  it("is one line, whatever the texts", () => {
    const line = encodeOtlpJson([exampleSpan({ name: "a\nb\r\u2028", attributes: { "k\n": "v\n" } })]);
    expect(line).not.toMatch(/[\n\r]/);
  });
});

/** JSON.stringify turns these into null: OpenTelemetry's serializer can't be compared there. */
function inspectNumbers(fields: SpanRecord["fields"]): string {
  const all = [fields, ...fields.links, ...fields.events].flatMap(({ attributes }) =>
    Object.values(attributes),
  );
  return all.filter((value) => typeof value === "number").join(" ");
}
