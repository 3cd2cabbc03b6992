/**
 * From a request's path to its route template: `http.route`, the label of metrics, and the span's name.
 *
 * A trie by path segments. Looking up walks the path once from each node that still fits, and each node of the
 * trie can fit at most once, so the work is bounded by the trie, whatever the path. Segments are compared as
 * bytes: percent-encoding is never undone, `/a` and `/a/` differ, letter case counts.
 */

import { FedtraceError } from "../core/errors.ts";

/** A path's template: `/users/{name}/inbox`. Braces stand for one segment, or for the end of one: `/@{name}`. */
export interface RouteTemplate {
  /** Undefined: any method. HEAD is answered as GET is, so it finds GET's routes. */
  readonly method: string | undefined;
  readonly template: string;
}

/** @param path with its query, if it has one @returns the template, one of those given; undefined where none fits. Never throws. */
export type MatchRoute = (method: string, path: string) => string | undefined;

interface Node {
  readonly statics: Map<string, Node>;
  /** `@{name}`: by prefix; the longer is tried first. */
  readonly prefixes: { readonly prefix: string; readonly node: Node }[];
  parameter: Node | undefined;
  readonly templates: Map<string, string>;
}

const ANY_METHOD = "*";
const SEGMENT = /^(?:[^{}]+|(?<prefix>[^{}]*)\{[A-Za-z0-9_.-]+\}|)$/;

/**
 * @param templates more important first: of two that mean the same paths, the first one wins. Otherwise
 *   the more literal one does, segment by segment.
 * @throws FedtraceError CONFIG_INVALID that names every template which can't be read
 */
export function createRouter(templates: readonly RouteTemplate[]): MatchRoute {
  const faults = templates.map(({ template }) => template).filter((template) => !isTemplate(template));
  if (faults.length > 0) {
    throw new FedtraceError("CONFIG_INVALID", `not a route template: ${faults.join(", ")}`);
  }
  const root = createNode();
  for (const route of templates) add(root, route);
  return (method, path) => {
    if (!path.startsWith("/")) return undefined; // "*" and authority-form have no route.
    const query = path.indexOf("?");
    return find(root, method === "HEAD" ? "GET" : method, query === -1 ? path : path.slice(0, query), 1);
  };
}

function isTemplate(template: string): boolean {
  return (
    template.startsWith("/") &&
    template
      .slice(1)
      .split("/")
      .every((segment) => SEGMENT.test(segment))
  );
}

function add(root: Node, { method, template }: RouteTemplate): void {
  let node = root;
  for (const segment of template.slice(1).split("/")) node = childFor(node, segment);
  const key = method ?? ANY_METHOD;
  if (!node.templates.has(key)) node.templates.set(key, template);
}

function childFor(node: Node, segment: string): Node {
  const prefix = SEGMENT.exec(segment)?.groups?.["prefix"];
  if (prefix === undefined) {
    const child = node.statics.get(segment) ?? createNode();
    node.statics.set(segment, child);
    return child;
  }
  if (prefix === "") return (node.parameter ??= createNode());
  const known = node.prefixes.find((entry) => entry.prefix === prefix);
  if (known !== undefined) return known.node;
  const child = createNode();
  node.prefixes.push({ prefix, node: child });
  node.prefixes.sort((left, right) => right.prefix.length - left.prefix.length);
  return child;
}

/** @param start where the next segment begins; past the path's end when the last one is done */
function find(node: Node, method: string, path: string, start: number): string | undefined {
  if (start > path.length) return node.templates.get(method) ?? node.templates.get(ANY_METHOD);
  const slash = path.indexOf("/", start);
  const end = slash === -1 ? path.length : slash;
  const literal = node.statics.get(path.slice(start, end));
  if (literal !== undefined) {
    const found = find(literal, method, path, end + 1);
    if (found !== undefined) return found;
  }
  for (const { prefix, node: child } of node.prefixes) {
    if (end - start <= prefix.length || !path.startsWith(prefix, start)) continue;
    const found = find(child, method, path, end + 1);
    if (found !== undefined) return found;
  }
  // A parameter is never empty: `/users//inbox` is nobody's inbox.
  return node.parameter === undefined || end === start
    ? undefined
    : find(node.parameter, method, path, end + 1);
}

function createNode(): Node {
  return { statics: new Map(), prefixes: [], parameter: undefined, templates: new Map() };
}
