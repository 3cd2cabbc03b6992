/**
 * The table of trace headers: that every row says where it comes from, that no row repeats or undoes another,
 * that the names of the contract are in it, and what must not be.
 */

import { describe, expect, it } from "vitest";
import { CONTEXT_FIELDS } from "../../src/propagation/extract.ts";
import { TRACE_FIELDS, traceFields, type TraceFieldKind } from "../../src/propagation/trace-fields.ts";

/** The lookup as its users build it: an exact name beats a prefix. */
function kindOf(name: string, extraNames: readonly string[] = []): TraceFieldKind | undefined {
  const { exact, prefixes } = traceFields(extraNames);
  const found =
    exact.find((field) => field.name === name) ?? prefixes.find((field) => name.startsWith(field.name));
  return found?.kind;
}

describe("TRACE_FIELDS", () => {
  it.each(TRACE_FIELDS)(
    "$name ($system) is a header's name in lower case, with a source",
    ({ name, system, source }) => {
      expect(name).toMatch(/^[a-z0-9][a-z0-9_-]*\*?$/);
      expect(source).toMatch(/^https:\/\/[^ ]+$/);
      expect(system).not.toBe("");
    },
  );

  it("names nothing twice", () => {
    const names = TRACE_FIELDS.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it("has no row under a prefix of the same kind, and no prefix under another", () => {
    const prefixes = TRACE_FIELDS.filter(({ name }) => name.endsWith("*"));
    const shadowed = TRACE_FIELDS.filter((row) =>
      prefixes.some(
        (prefix) =>
          prefix !== row &&
          row.name.startsWith(prefix.name.slice(0, -1)) &&
          (prefix.kind === row.kind || row.name.endsWith("*")),
      ),
    );
    expect(shadowed).toEqual([]);
  });

  it("has no prefix so short that it could take a stranger's header", () => {
    const short = TRACE_FIELDS.filter(({ name }) => name.endsWith("*") && !/^[a-z].{4,}-\*$/.test(name));
    expect(short).toEqual([]);
  });

  it.each(CONTEXT_FIELDS)("has %s, which is read, as a context", (name) => {
    expect(kindOf(name)).toBe("context");
  });
});

describe("traceFields", () => {
  it.each<{ name: string; kind: TraceFieldKind }>([
    { name: "baggage", kind: "baggage" },
    { name: "uberctx-synapse-force-tracing", kind: "baggage" },
    { name: "ot-baggage-user", kind: "baggage" },
    { name: "correlation-context", kind: "baggage" },
    { name: "sw8-correlation", kind: "baggage" },
    { name: "grpc-tags-bin", kind: "baggage" },
    { name: "eagleeye-userdata", kind: "baggage" },
    { name: "eagleeye-traceid", kind: "context" },
    { name: "wf-ot-traceid", kind: "context" },
    { name: "wf-ot-customer", kind: "baggage" },
    { name: "x-b3-parentspanid", kind: "context" },
    { name: "request-id", kind: "context" },
    { name: "request-context", kind: "context" },
    { name: "jaeger-debug-id", kind: "forcing" },
    { name: "x-b3-flags", kind: "forcing" },
    { name: "x-client-trace-id", kind: "forcing" },
    { name: "traceresponse", kind: "response" },
    { name: "synapse-trace-id", kind: "response" },
    { name: "x-trace-id", kind: "response" },
    { name: "server-timing", kind: "server-timing" },
  ])("knows $name as $kind", ({ name, kind }) => {
    expect(kindOf(name)).toBe(kind);
  });

  it.each([
    "x-request-id",
    "x-correlation-id",
    "x-amz-cf-id",
    "x-ms-request-id",
    "x-dynatrace-signature",
    "traceparents",
    "b3-x",
    "uberctx",
    "authorization",
    "host",
  ])("does not know %s", (name) => {
    expect(kindOf(name)).toBeUndefined();
  });

  it("adds the operator's names, in any case and with a star, and keeps the table's kinds", () => {
    const extraNames = ["X-Own-Trace", "x-own-*", "Baggage", "x-own-trace"];
    expect(kindOf("x-own-trace", extraNames)).toBe("context");
    expect(kindOf("x-own-anything", extraNames)).toBe("context");
    expect(kindOf("baggage", extraNames)).toBe("baggage");
    const { exact } = traceFields(extraNames);
    expect(exact.length).toBe(traceFields([]).exact.length + 1);
  });
});
