/** One trace as a line of the results: what it was, who asked, what the border did, how it went. */

import { type BorderTone, borderStory } from "./border-story.ts";
import { attributeOf, type Span, type Trace } from "./jaeger-model.ts";
import { createTree } from "./span-tree.ts";

export interface TraceSummary {
  readonly traceId: string;
  readonly rootName: string;
  readonly rootService: string;
  /** Of all spans, the root's first. */
  readonly services: readonly string[];
  readonly spans: number;
  readonly errors: number;
  readonly startUs: number;
  readonly durationUs: number;
  readonly asked: Asked;
  /** What is worth a badge, the most important first; each once. */
  readonly tones: readonly Exclude<BorderTone, "quiet">[];
}

/** Who began it, as far as the spans know. */
export interface Asked {
  /** own: the request began at the own server, and went to `name`; peer: `name` came from outside; undefined is nobody known. */
  readonly by: "own" | "peer";
  readonly name: string | undefined;
}

const BADGES = ["stopped", "refused", "crossed"] as const;

/** @param trace with at least one span (`parseTraces` gives no other) */
export function summarize(trace: Trace): TraceSummary {
  const rows = createTree(trace.spans);
  const root = rows[0]?.span;
  const services = new Set([root?.service ?? "", ...rows.map(({ span }) => span.service)]);
  const tones = new Set(trace.spans.map((span) => borderStory(span)?.tone));
  return {
    traceId: trace.traceId,
    rootName: root?.name ?? "",
    rootService: root?.service ?? "",
    services: [...services],
    spans: trace.spans.length,
    errors: trace.spans.filter(({ isError }) => isError).length,
    startUs: trace.startUs,
    durationUs: trace.durationUs,
    asked: askedOf(root),
    tones: BADGES.filter((tone) => tones.has(tone)),
  };
}

/** @param root the first span of the tree */
export function askedOf(root: Span | undefined): Asked {
  const name = root === undefined ? undefined : attributeOf(root, "fedtrace.peer.name");
  const isInbound = root !== undefined && attributeOf(root, "fedtrace.direction") === "inbound";
  return { by: isInbound ? "peer" : "own", name: name === undefined ? undefined : String(name) };
}

/** Answers of several services, which hold the same traces, as one list: each trace once, newest first. */
export function mergeTraces(answers: readonly (readonly Trace[])[], limit: number): readonly Trace[] {
  const byId = new Map<string, Trace>();
  for (const trace of answers.flat()) {
    const known = byId.get(trace.traceId);
    if (known === undefined || known.spans.length < trace.spans.length) byId.set(trace.traceId, trace);
  }
  return [...byId.values()].sort((left, right) => right.startUs - left.startUs).slice(0, limit);
}

/** `one.demo fedtrace` is the sidecar of one.demo: the name that says something. */
export function shortService(service: string): string {
  return service.endsWith(" fedtrace") ? service.slice(0, -" fedtrace".length) : service;
}
