/** One trace as a tree for a terminal. Names come from requests, so control characters are not printed. */

import type { SpanRecord } from "../span/record.ts";

/** @param spans of one trace, in any order */
export function formatTrace(spans: readonly SpanRecord[]): readonly string[] {
  const [first] = spans;
  if (first === undefined) return ["(no spans)"];
  const known = new Set(spans.map(({ fields }) => fields.context.spanId));
  const roots = byStart(spans.filter(({ fields }) => !known.has(fields.parent?.spanId ?? "")));
  const lines = roots.flatMap((root, index) => formatSpan(root, spans, "", index === roots.length - 1));
  const { traceId } = first.fields.context;
  return [`trace ${traceId}: ${spans.length} spans`, ...lines];
}

function formatSpan(
  span: SpanRecord,
  spans: readonly SpanRecord[],
  indent: string,
  isLast: boolean,
): readonly string[] {
  const { fields, origin } = span;
  const children = byStart(spans.filter((child) => child.fields.parent?.spanId === fields.context.spanId));
  const inner = indent + (isLast ? "   " : "│  ");
  const service = String(origin.resource.attributes["service.name"]);
  const status = String(fields.attributes["http.response.status_code"] ?? fields.error ?? "");
  const peer = String(fields.attributes["fedtrace.peer.name"] ?? "nobody");
  const side = fields.attributes["fedtrace.direction"] === "inbound" ? `from ${peer}` : `to ${peer}`;
  const ms = (fields.endUnixMs - fields.startUnixMs).toFixed(1);
  const line = `${indent}${isLast ? "└─ " : "├─ "}${service}: ${fields.name} ${status}, ${side}, ${ms} ms`;
  return [
    printable(line),
    ...children.flatMap((child, index) => formatSpan(child, spans, inner, index === children.length - 1)),
  ];
}

function byStart(spans: readonly SpanRecord[]): readonly SpanRecord[] {
  return [...spans].sort((left, right) => left.fields.startUnixMs - right.fields.startUnixMs);
}

function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
