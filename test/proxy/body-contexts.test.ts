/** Trace contexts in bodies: what counts as one, in whatever pieces the body comes, and what is held of it. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BodyContexts } from "../../src/proxy/body-contexts.ts";

const KEY = '"org.matrix.opentracing_context"';

function bodyWith(value: string): string {
  return `{"edus":[{"content":{${KEY}:${value},"x":1},"edu_type":"m.direct_to_device"}],"origin":"a.test"}`;
}

function count(...pieces: readonly string[]): number {
  const contexts = new BodyContexts();
  for (const piece of pieces) contexts.read(Buffer.from(piece));
  return contexts.count;
}

describe("one piece", () => {
  it.each([
    { why: "as Synapse writes it", value: String.raw`"{\"uber-trace-id\": \"1:2:3:1\"}"`, expected: 1 },
    { why: "with a space, as Python's json does", value: String.raw` "{\"a\":1}"`, expected: 1 },
    { why: "an object, which no Synapse sends", value: '{"a":1}', expected: 1 },
    { why: "Synapse without tracing", value: '"{}"', expected: 0 },
    { why: "the same with a space", value: ' "{}"', expected: 0 },
    { why: "nothing", value: "null", expected: 0 },
    { why: "nothing, as text", value: '"null"', expected: 0 },
    { why: "an empty object", value: "{}", expected: 0 },
    { why: "an empty text", value: '""', expected: 0 },
  ])("$why: $expected", ({ value, expected }) => {
    expect(count(bodyWith(value))).toBe(expected);
  });

  it.each([
    { why: "none", body: '{"pdus":[]}', expected: 0 },
    { why: "the name inside a longer one", body: '{"my.org.matrix.opentracing_context":"{1}"}', expected: 0 },
    { why: "the name inside a longer one", body: '{"org.matrix.opentracing_contexts":"{1}"}', expected: 0 },
    { why: "another letter case", body: '{"Org.matrix.opentracing_context":"{1}"  }', expected: 0 },
    {
      why: "several",
      body: bodyWith('"{1}"') + bodyWith('"{}"') + bodyWith('"{2}"'),
      expected: 2,
    },
    { why: "a text that says the name, not a key", body: `{"body":${KEY},"msgtype":"m.text"}`, expected: 0 },
    { why: "in a list of names", body: `{"keys":[${KEY}, "and another"]}`, expected: 0 },
    { why: "a space before the colon", body: `{${KEY} : "{1}","origin":"a"}`, expected: 1 },
    { why: "a space before the colon, and nothing", body: `{${KEY} : "null","origin":"a"}`, expected: 0 },
    { why: "cut off behind the key: no JSON ends so", body: `{${KEY}:`, expected: 0 },
    { why: "an empty body", body: "", expected: 0 },
  ])("$why: $expected", ({ body, expected }) => {
    expect(count(body)).toBe(expected);
  });
});

it("counts the same in any pieces", () => {
  const body = `${bodyWith('"{1}"')}${"p".repeat(100)}${bodyWith('"{}"')}${KEY}${KEY}:"{2}" ${bodyWith('"{3}"')}`;
  const expected = count(body);
  expect(expected).toBe(3);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: body.length }), { maxLength: 60 }), (cuts) => {
      const at = [0, ...cuts.toSorted((left, right) => left - right), body.length];
      const pieces = at.slice(1).map((end, index) => body.slice(at[index], end));
      expect(count(...pieces)).toBe(expected);
    }),
  );
  expect(count(...Array.from(body))).toBe(expected); // A byte at a time.
});
