/**
 * What the page shows, as the part of its address after `#`: every view can be bookmarked and sent.
 * The hash is anybody's text: what is not understood is left at its default, and every text has a bound.
 */

export interface SearchQuery {
  /** Empty: any. */
  readonly service: string;
  readonly operation: string;
  readonly tags: string;
  /** As typed: `10ms`. */
  readonly min: string;
  readonly max: string;
  /** One of LOOKBACKS, or `custom` with `start` and `end`. */
  readonly lookback: string;
  /** As `<input type=datetime-local>` writes it. */
  readonly start: string;
  readonly end: string;
  readonly limit: number;
}

export type SortKey = "name" | "verdict" | "inbound" | "outbound" | "contexts" | "removed" | "contact";

export type Route =
  | { readonly view: "search"; readonly query: SearchQuery }
  | { readonly view: "trace"; readonly traceId: string; readonly spanId: string }
  | { readonly view: "peers"; readonly sort: SortKey; readonly isDescending: boolean }
  | { readonly view: "map" }
  | { readonly view: "whitelist"; readonly host: string; readonly direction: "in" | "out" }
  | { readonly view: "config" };

export const LOOKBACKS = ["5m", "15m", "1h", "6h", "24h", "7d", "custom"] as const;
export const LIMITS = [20, 50, 100, 200] as const;
const SORT_KEYS = ["name", "verdict", "inbound", "outbound", "contexts", "removed", "contact"] as const;
/** Longer than any name, tag list or path that is searched for. */
const TEXT_MAX = 2000;

export const EMPTY_QUERY: SearchQuery = {
  service: "",
  operation: "",
  tags: "",
  min: "",
  max: "",
  lookback: "1h",
  start: "",
  end: "",
  limit: 20,
};

/** @param hash as in `location.hash`, with or without its `#`; never throws */
export function parseHash(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#?\/?/, "").split(/\?(.*)/s, 2);
  const values = new URLSearchParams(search);
  const [view, ...rest] = path.split("/");
  if (view === "trace" && rest.length === 1 && isHexId(rest[0] ?? "", 32)) {
    const spanId = values.get("span") ?? "";
    return { view, traceId: (rest[0] ?? "").toLowerCase(), spanId: isHexId(spanId, 16) ? spanId : "" };
  }
  if (view === "peers") {
    const sort = SORT_KEYS.find((key) => key === values.get("sort")) ?? "contact";
    return { view, sort, isDescending: values.get("order") !== "asc" };
  }
  if (view === "map" || view === "config") return { view };
  if (view === "whitelist") {
    return {
      view,
      host: textOf(values, "host"),
      direction: values.get("direction") === "out" ? "out" : "in",
    };
  }
  return { view: "search", query: parseQuery(values) };
}

function parseQuery(values: URLSearchParams): SearchQuery {
  return {
    service: textOf(values, "service"),
    operation: textOf(values, "operation"),
    tags: textOf(values, "tags"),
    min: textOf(values, "min"),
    max: textOf(values, "max"),
    lookback: LOOKBACKS.find((value) => value === values.get("lookback")) ?? EMPTY_QUERY.lookback,
    start: textOf(values, "start"),
    end: textOf(values, "end"),
    limit: LIMITS.find((value) => String(value) === values.get("limit")) ?? EMPTY_QUERY.limit,
  };
}

/** @returns the hash, with its `#`, that `parseHash` reads back; defaults are left out */
export function formatHash(route: Route): string {
  if (route.view === "trace") {
    return `#/trace/${route.traceId}${route.spanId === "" ? "" : `?span=${route.spanId}`}`;
  }
  if (route.view === "peers") {
    if (route.sort === "contact" && route.isDescending) return "#/peers";
    return `#/peers?sort=${route.sort}${route.isDescending ? "" : "&order=asc"}`;
  }
  if (route.view === "whitelist") {
    if (route.host === "" && route.direction === "in") return "#/whitelist";
    return `#/whitelist?${new URLSearchParams({ host: route.host, direction: route.direction }).toString()}`;
  }
  if (route.view !== "search") return `#/${route.view}`;
  const values = new URLSearchParams();
  for (const [key, value] of Object.entries(route.query)) {
    if (value !== EMPTY_QUERY[key as keyof SearchQuery]) values.set(key, String(value));
  }
  return values.size === 0 ? "#/search" : `#/search?${values.toString()}`;
}

/** Whether it can be a trace's (32 digits) or a span's (16) id. Old clients leave leading zeros out. */
export function isHexId(text: string, digitsMax: 16 | 32): boolean {
  return text.length <= digitsMax && /^[0-9a-f]+$/i.test(text);
}

function textOf(values: URLSearchParams, key: string): string {
  return (values.get(key) ?? "").slice(0, TEXT_MAX);
}
