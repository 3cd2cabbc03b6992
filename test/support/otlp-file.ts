/** Spans as the file exporter wrote them (OTLP JSON lines), flat enough to compare. */

import { existsSync, readFileSync } from "node:fs";

export interface ExportedSpan {
  readonly service: string;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for a root. */
  readonly parentSpanId: string | undefined;
  /** "" where it has none. */
  readonly traceState: string;
  /** OTLP's numbers: 2 is SERVER, 3 is CLIENT. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Ids of the spans it links to. */
  readonly links: readonly string[];
}

interface OtlpAttribute {
  readonly key: string;
  /** One member, whose name is the type; 64-bit integers are text. */
  readonly value: Readonly<Record<string, unknown>>;
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Pick<
        ExportedSpan,
        "name" | "traceId" | "spanId" | "parentSpanId" | "kind"
      > & {
        readonly attributes: readonly OtlpAttribute[];
        readonly traceState?: string;
        readonly links?: readonly { readonly spanId: string }[];
      })[];
    }[];
  }[];
}

/** All spans in the order they were written; none where there is no file. */
export function readSpans(path: string): readonly ExportedSpan[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.flatMap((line) => (JSON.parse(line) as OtlpRequest).resourceSpans.flatMap(flatten));
}

function flatten({ resource, scopeSpans }: OtlpRequest["resourceSpans"][number]): ExportedSpan[] {
  const shared = plain(resource.attributes);
  return scopeSpans.flatMap(({ spans }) =>
    spans.map(({ name, traceId, spanId, parentSpanId, kind, traceState = "", attributes, links = [] }) => ({
      service: String(shared["service.name"]),
      resource: shared,
      name,
      traceId,
      spanId,
      parentSpanId,
      kind,
      traceState,
      attributes: plain(attributes),
      links: links.map((link) => link.spanId),
    })),
  );
}

/** An integer stays a number only if it was written as OTLP's `intValue`. */
function plain(attributes: readonly OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      "intValue" in value ? Number(value["intValue"]) : Object.values(value)[0],
    ]),
  );
}
