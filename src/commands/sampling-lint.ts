/** Sampling rules that are legal and never count, for `check`: no operation has such a name, or an earlier rule takes them all. */

import type { Config } from "../config/merge.ts";
import { matchesPattern } from "../sampling/samplers.ts";
import { ACTIVITYPUB_ROUTES } from "../span/activitypub-routes.ts";
import { MATRIX_ROUTES } from "../span/matrix-routes.ts";
import { KNOWN_METHODS, spanName } from "../span/span-name.ts";

interface OperationDoubt {
  /** Of the rule, from 0. */
  readonly index: number;
  readonly message: string;
}

export function lintOperations({ sampling, routes }: Config): readonly OperationDoubt[] {
  const names = namesOf(routes);
  const rules = sampling.operations.map(({ operation }) => operation);
  return rules.flatMap((rule, index): OperationDoubt[] => {
    const matched = names.filter((name) => matchesPattern(name, rule));
    if (matched.length === 0) {
      const message = `matches no operation: none of the known routes and routes: makes a span named ${rule}`;
      return [{ index, message }];
    }
    const isTaken = (name: string): boolean =>
      rules.slice(0, index).some((earlier) => matchesPattern(name, earlier));
    return matched.every(isTaken)
      ? [{ index, message: "never counts: an earlier rule takes all that it matches" }]
      : [];
  });
}

/** Every name that a span can have. */
function namesOf(routes: Config["routes"]): readonly string[] {
  const methods = [...KNOWN_METHODS, "another"];
  const all = [...routes, ...MATRIX_ROUTES, ...ACTIVITYPUB_ROUTES].flatMap(({ method, template }) => {
    // HEAD finds GET's routes, and a route without a method has all of them.
    const own = method === undefined ? methods : method === "GET" ? ["GET", "HEAD"] : [method];
    return own.map((each) => spanName(each, template));
  });
  return [...new Set([...all, ...methods.map((method) => spanName(method, undefined))])];
}
