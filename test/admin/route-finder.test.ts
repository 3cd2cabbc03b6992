/** Which route answers a path. */

import { expect, it } from "vitest";
import { jsonAnswer } from "../../src/admin/answer.ts";
import { createRouteFinder } from "../../src/admin/route-finder.ts";

const PATTERNS = [
  "/",
  "/api/services",
  "/api/services/{service}/operations",
  "/api/traces/{id}",
  "/api/traces/last",
];
const find = createRouteFinder(
  PATTERNS.map((pattern) => ({ pattern, answer: () => jsonAnswer(200, pattern) })),
);

it.each([
  { path: "/", pattern: "/", parameters: {}, why: "the root" },
  { path: "/api/services", pattern: "/api/services", parameters: {}, why: "letter for letter" },
  {
    path: "/api/services/own.test%20fedtrace/operations",
    pattern: "/api/services/{service}/operations",
    parameters: { service: "own.test fedtrace" },
    why: "a segment is decoded",
  },
  {
    path: "/api/services/a%2Fb/operations",
    pattern: "/api/services/{service}/operations",
    parameters: { service: "a/b" },
    why: "an encoded slash is part of the segment",
  },
  {
    path: "/api/traces/last",
    pattern: "/api/traces/{id}",
    parameters: { id: "last" },
    why: "the first that fits",
  },
])("$path is $pattern: $why", ({ path, pattern, parameters }) => {
  const found = find(path);
  expect(found?.route.pattern).toBe(pattern);
  expect(found?.parameters).toEqual(parameters);
});

it.each([
  { path: "", why: "an empty one" },
  { path: "*", why: "of OPTIONS *" },
  { path: "/api/services/", why: "one segment more" },
  { path: "/api", why: "one less" },
  { path: "/API/services", why: "paths have letter case" },
  { path: "/api/traces/", why: "an empty parameter" },
  { path: "/api/traces/%", why: "a lone %" },
  { path: "/api/traces/%ff", why: "no UTF-8" },
  { path: "/api/traces/a/b", why: "a slash ends the segment" },
])("$path is nobody's: $why", ({ path }) => {
  expect(find(path)).toBeUndefined();
});
