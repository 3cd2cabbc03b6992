/**
 * Request methods and span names, by OpenTelemetry's HTTP conventions
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name).
 *
 * The number of names is bounded by construction: ten methods and HTTP, times the route templates and none. A
 * raw path never gets into a name.
 */

/** RFC 9110, RFC 5789 and httpbis-safe-method-w-body, as the conventions list them. Letter case counts. */
export const KNOWN_METHODS: ReadonlySet<string> = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "QUERY",
  "TRACE",
]);

const METHOD_NUMBERS: ReadonlyMap<string, number> = new Map(
  [...KNOWN_METHODS].map((method, index) => [method, index]),
);

/** 0 to 15; undefined for a method that is not known. */
export function methodNumber(method: string): number | undefined {
  return METHOD_NUMBERS.get(method);
}

/** `http.request.method` of a method that is not known. */
export const OTHER_METHOD = "_OTHER";

/** @returns the method, or `_OTHER`; a peer may invent methods, and each would be a metric's label. */
export function knownMethod(method: string): string {
  return KNOWN_METHODS.has(method) ? method : OTHER_METHOD;
}

/** `{method} {route}`, or the method alone; a method that is not known reads HTTP. */
export function spanName(method: string, route: string | undefined): string {
  const word = KNOWN_METHODS.has(method) ? method : "HTTP";
  return route === undefined ? word : `${word} ${route}`;
}
