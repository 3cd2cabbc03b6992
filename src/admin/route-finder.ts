/** From a request's path to the route that answers it. Patterns are few and fixed, so they are tried in their order. */

import type { AdminRoute } from "./answer.ts";

interface FoundRoute {
  readonly route: AdminRoute;
  /** What stood at each `{name}`, percent-decoded. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** @returns undefined for a path that no pattern takes, or that is wrongly encoded */
export type FindRoute = (path: string) => FoundRoute | undefined;

export function createRouteFinder(routes: readonly AdminRoute[]): FindRoute {
  const patterns = routes.map((route) => ({ route, segments: route.pattern.split("/") }));
  return (path) => {
    const segments = path.split("/");
    for (const { route, segments: wanted } of patterns) {
      const parameters = takeParameters(wanted, segments);
      if (parameters !== undefined) return { route, parameters };
    }
    return undefined;
  };
}

function takeParameters(
  wanted: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (wanted.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, want] of wanted.entries()) {
    const segment = segments[index] ?? "";
    if (!want.startsWith("{")) {
      if (segment !== want) return undefined;
      continue;
    }
    const value = decode(segment);
    if (value === undefined || value === "") return undefined;
    parameters[want.slice(1, -1)] = value;
  }
  return parameters;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // A lone % or half a character.
  }
}
