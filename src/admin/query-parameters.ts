/**
 * The parameters of Jaeger's query API, read and refused as Jaeger does.
 *
 * Source: https://github.com/jaegertracing/jaeger/blob/v1.76.0/cmd/query/app/query_parser.go. Of a parameter that is
 * given twice the first counts, and an empty one counts as absent (but `tags`, `tag` and `traceID`, which may be repeated).
 * One thing is more than Jaeger does: `lookback` of a search, which Jaeger leaves to its page.
 */

import type { TraceSearch } from "../store/search.ts";
import { type Parsed, parseBoolean, parseDuration, parseInteger, parseTraceId } from "./query-go-values.ts";

const LIMIT_DEFAULT = 100;
const HOUR_MS = 3_600_000;
const SEARCH_LOOKBACK_MS = 48 * HOUR_MS;
const LINKS_LOOKBACK_MS = 24 * HOUR_MS;

/** Units that people write and Go's durations don't have, in hours. */
const HOURS_PER: ReadonlyMap<string, number> = new Map([
  ["d", 24],
  ["w", 7 * 24],
]);

const SERVICE_REQUIRED = "parameter 'service' is required";

export interface TraceQuery {
  /** What to look for; `service` is "" where ids are given without one. */
  readonly search: TraceSearch;
  /** 32 lower-case hex digits each; any: these traces are wanted, whatever the search says. */
  readonly traceIds: readonly string[];
  readonly isRaw: boolean;
}

/** Reads on after a fault, with defaults; what counts is the first. */
interface Reader {
  refuse(sentence: string): void;
  take<T>(parsed: Parsed<T>, otherwise: T, prefix?: string): T;
  /** The parameter by this name, or `otherwise` where it is absent. */
  read<T, U>(name: string, parse: (text: string) => Parsed<T>, otherwise: U): T | U;
  finish<T>(value: T): Parsed<T>;
}

/** `/api/traces`; in Jaeger's order, which decides what is said of several faults. */
export function parseTraceQuery(query: URLSearchParams, nowMs: number): Parsed<TraceQuery> {
  const reader = createReader(query);
  const start = reader.read("start", parseInt64, undefined);
  const endMicros = reader.read("end", parseInt64, Math.ceil(nowMs * 1000));
  const tags = readTags(query, reader);
  const limitText = query.get("limit") ?? "";
  const limit = limitText === "" ? LIMIT_DEFAULT : reader.take(parseInteger(limitText, 32), LIMIT_DEFAULT);
  const minDurationNs = reader.read("minDuration", parseDuration, 0);
  const maxDurationNs = reader.read("maxDuration", parseDuration, 0);
  const traceIds = query
    .getAll("traceID")
    .map((id) => reader.take(parseTraceId(id), "", "cannot parse traceID param: "));
  const isRaw = reader.read("raw", parseBoolean, false);

  const service = query.get("service") ?? "";
  if (traceIds.length === 0 && service === "") reader.refuse(SERVICE_REQUIRED);
  if (minDurationNs !== 0 && maxDurationNs !== 0 && maxDurationNs < minDurationNs) {
    reader.refuse("'maxDuration' should be greater than 'minDuration'");
  }
  if (traceIds.length === 0 && limit <= 0) {
    reader.refuse("search depth must be greater than 0 and less than max traces");
  }
  const operation = query.get("operation") ?? "";
  return reader.finish({
    search: {
      service,
      operation: operation === "" ? undefined : operation,
      tags,
      startMicros: start ?? endMicros - lookbackMs(query.get("lookback") ?? "") * 1000,
      endMicros,
      minDurationNs,
      maxDurationNs,
      limit,
    },
    traceIds,
    isRaw,
  });
}

/** `/api/traces/{id}`; `start` and `end` are checked and then ignored, as Jaeger's own memory store does. */
export function parseTraceRequest(
  id: string,
  query: URLSearchParams,
): Parsed<{ readonly traceId: string; readonly isRaw: boolean }> {
  const reader = createReader(query);
  const traceId = reader.take(parseTraceId(id), "");
  reader.read("start", parseInt64, 0);
  reader.read("end", parseInt64, 0);
  return reader.finish({ traceId, isRaw: reader.read("raw", parseBoolean, false) });
}

/** `/api/dependencies`: both parameters in milliseconds. */
export function parseLinksQuery(
  query: URLSearchParams,
  nowMs: number,
): Parsed<{ readonly startMs: number; readonly endMs: number }> {
  const reader = createReader(query);
  const endMs = reader.read("endTs", parseInt64, nowMs);
  const lookback = reader.read("lookback", parseInt64, LINKS_LOOKBACK_MS);
  if (lookback < 0) reader.refuse("end time must be greater than start time");
  return reader.finish({ startMs: endMs - lookback, endMs });
}

/** `/api/operations` */
export function parseOperationsQuery(
  query: URLSearchParams,
): Parsed<{ readonly service: string; readonly spanKind: string }> {
  const service = query.get("service") ?? "";
  if (service === "") return { refusal: SERVICE_REQUIRED };
  return { value: { service, spanKind: query.get("spanKind") ?? "" } };
}

function createReader(query: URLSearchParams): Reader {
  let refusal: string | undefined;
  function take<T>(parsed: Parsed<T>, otherwise: T, prefix = ""): T {
    if ("value" in parsed) return parsed.value;
    refusal ??= `${prefix}${parsed.refusal}`;
    return otherwise;
  }
  return {
    take,
    refuse(sentence) {
      refusal ??= sentence;
    },
    read<T, U>(name: string, parse: (text: string) => Parsed<T>, otherwise: U): T | U {
      const text = query.get(name) ?? "";
      return text === ""
        ? otherwise
        : take<T | U>(parse(text), otherwise, `unable to parse param '${name}': `);
    },
    finish: (value) => (refusal === undefined ? { value } : { refusal }),
  };
}

function parseInt64(text: string): Parsed<number> {
  return parseInteger(text, 64);
}

/** `1h`, `90m`, `2d`. Anything else (Jaeger's page and Grafana say `custom`, beside start and end) is the default. */
function lookbackMs(text: string): number {
  const [, count, unit] = /^(\d+)([dw])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * (HOURS_PER.get(unit) ?? 0) * HOUR_MS;
  const parsed = parseDuration(text);
  return "value" in parsed && parsed.value > 0 ? parsed.value / 1e6 : SEARCH_LOOKBACK_MS;
}

/** @returns a Map: a key may read `__proto__` */
function readTags(query: URLSearchParams, reader: Reader): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const pair of query.getAll("tag")) {
    const colon = pair.indexOf(":");
    if (colon === -1) reader.refuse(`malformed 'tag' parameter, expecting key:value, received: ${pair}`);
    else tags.set(pair.slice(0, colon), pair.slice(colon + 1));
  }
  for (const document of query.getAll("tags")) {
    const prefix = "malformed 'tags' parameter, cannot unmarshal JSON: ";
    for (const [key, value] of reader.take(parseTagsDocument(document), [], prefix)) tags.set(key, value);
  }
  return tags;
}

/** A JSON object of texts; null is "" to Go, and in place of the object it is none. */
function parseTagsDocument(document: string): Parsed<readonly (readonly [string, string])[]> {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch (error) {
    return { refusal: document === "" ? "unexpected end of JSON input" : String(error) };
  }
  if (value === null) return { value: [] };
  if (typeof value !== "object" || Array.isArray(value))
    return { refusal: goMismatch(value, "map[string]string") };
  const tags: (readonly [string, string])[] = [];
  for (const [key, text] of Object.entries(value)) {
    if (text !== null && typeof text !== "string") return { refusal: goMismatch(text, "string") };
    tags.push([key, text ?? ""]);
  }
  return { value: tags };
}

function goMismatch(value: unknown, wanted: string): string {
  const kind = typeof value === "boolean" ? "bool" : typeof value;
  return `json: cannot unmarshal ${Array.isArray(value) ? "array" : kind} into Go value of type ${wanted}`;
}
