/** A search as typed → the address to ask, or what is wrong with which field. */

import { isHexId, type SearchQuery } from "./hash-route.ts";
import { parseTags } from "./tag-query.ts";

export type Refusals = Partial<Record<"tags" | "min" | "max" | "start" | "end", string>>;

export type TraceRequest = { readonly path: (service: string) => string } | { readonly refusals: Refusals };

const DURATION = /^\d+(?:\.\d+)?(?:us|µs|ms|s|m|h)$/;
const DURATION_RULE = "a number and a unit: 500us, 10ms, 1.5s";

/** @returns the path to ask for a service's traces; every fault at once otherwise */
export function createTraceRequest(query: SearchQuery): TraceRequest {
  const refusals: Refusals = {};
  const values = new URLSearchParams();
  if (query.operation !== "") values.set("operation", query.operation);
  const tags = parseTags(query.tags);
  if ("refusal" in tags) refusals.tags = tags.refusal;
  else if (Object.keys(tags.tags).length > 0) values.set("tags", JSON.stringify(tags.tags));
  for (const [key, name] of [
    ["min", "minDuration"],
    ["max", "maxDuration"],
  ] as const) {
    const text = query[key].replaceAll(" ", "");
    if (text === "") continue;
    if (DURATION.test(text)) values.set(name, text.replace("µ", "u"));
    else refusals[key] = DURATION_RULE;
  }
  if (query.lookback === "custom") setRange(query, values, refusals);
  else values.set("lookback", hoursOf(query.lookback));
  values.set("limit", String(query.limit));
  if (Object.keys(refusals).length > 0) return { refusals };
  return {
    path: (service) => `/api/traces?${new URLSearchParams({ service }).toString()}&${values.toString()}`,
  };
}

/** What was typed where tags belong, when it is a trace's id. */
export function traceIdIn(text: string): string | undefined {
  const id = text.trim();
  return (id.length === 16 || id.length === 32) && isHexId(id, 32) ? id.toLowerCase() : undefined;
}

function setRange(query: SearchQuery, values: URLSearchParams, refusals: Refusals): void {
  for (const key of ["start", "end"] as const) {
    if (query[key] === "") continue;
    const unixMs = new Date(query[key]).getTime();
    if (Number.isFinite(unixMs)) values.set(key, String(unixMs * 1000));
    else refusals[key] = "a date and a time";
  }
  if (Number(values.get("start")) > Number(values.get("end") ?? Number.POSITIVE_INFINITY)) {
    refusals.end = "the end is before the start";
  }
}

/** Durations of the API have no days. */
function hoursOf(lookback: string): string {
  return lookback === "7d" ? "168h" : lookback;
}
