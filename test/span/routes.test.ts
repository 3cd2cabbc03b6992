/**
 * createRouter: the built-in tables against their sources, and the rules of matching row by row.
 * Method: test/fixtures/matrix-routes.json is a copy of the list measured on Synapse; a path is made for every template
 * of both tables and must find just that template.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ACTIVITYPUB_ROUTES } from "../../src/span/activitypub-routes.ts";
import { MATRIX_ROUTES } from "../../src/span/matrix-routes.ts";
import { createRouter } from "../../src/span/routes.ts";

const FIXTURE: unknown = JSON.parse(
  readFileSync(new URL("../fixtures/matrix-routes.json", import.meta.url), "utf8"),
);

const builtIn = createRouter([...MATRIX_ROUTES, ...ACTIVITYPUB_ROUTES]);

it("has the 48 templates of Matrix", () => {
  expect(MATRIX_ROUTES).toHaveLength(48);
  expect(MATRIX_ROUTES).toEqual(FIXTURE);
});

it.each([...MATRIX_ROUTES, ...ACTIVITYPUB_ROUTES])("finds $method $template", ({ method, template }) => {
  const path = template.replaceAll(/\{[^}]*\}/g, "%21x%3Ahs1.example");
  expect(builtIn(method ?? "GET", path)).toBe(template);
  expect(builtIn(method ?? "GET", `${path}?user_id=%40a/b?c`)).toBe(template);
});

it("has no template twice", () => {
  const names = [...MATRIX_ROUTES, ...ACTIVITYPUB_ROUTES].map(
    ({ method, template }) => `${method} ${template}`,
  );
  expect(new Set(names).size).toBe(names.length);
});

const matchRoute = createRouter([
  { method: "GET", template: "/a/{x}" },
  { method: "GET", template: "/a/b" },
  { method: "GET", template: "/a/{other}" },
  { method: "GET", template: "/a/b/c" },
  { method: "GET", template: "/a/{x}/d" },
  { method: undefined, template: "/any/{x}" },
  { method: "PUT", template: "/any/{x}" },
  { method: "GET", template: "/@{name}" },
  { method: "GET", template: "/@{name}/" },
  { method: "GET", template: "/@@{name}" },
  { method: "GET", template: "/" },
]);

describe("createRouter", () => {
  it.each([
    { why: "a literal before a parameter", path: "/a/b", route: "/a/b" },
    { why: "the first of two that mean the same", path: "/a/z", route: "/a/{x}" },
    { why: "back from a literal that leads nowhere", path: "/a/b/d", route: "/a/{x}/d" },
    { why: "percent-encoding as it is: %62 isn't b", path: "/a/%62", route: "/a/{x}" },
    { why: "an encoded slash inside a segment", path: "/a/x%2Fy", route: "/a/{x}" },
    { why: "letter case counts", path: "/A/b", route: undefined },
    { why: "a slash at the end is another path", path: "/a/b/", route: undefined },
    { why: "a slash at the end, where a template has it", path: "/@me/", route: "/@{name}/" },
    { why: "a parameter is never empty", path: "/a/", route: undefined },
    { why: "no empty segment", path: "/a//d", route: undefined },
    { why: "more segments than any template", path: `/a/${"x/".repeat(10_000)}`, route: undefined },
    { why: "fewer", path: "/a", route: undefined },
    { why: "a prefix", path: "/@alice", route: "/@{name}" },
    { why: "a prefix alone is nobody", path: "/@", route: undefined },
    { why: "the longer prefix", path: "/@@alice", route: "/@@{name}" },
    { why: "the longer prefix alone falls to the shorter", path: "/@@", route: "/@{name}" },
    { why: "the root", path: "/", route: "/" },
    { why: "no path", path: "", route: undefined },
    { why: "asterisk-form", path: "*", route: undefined },
    { why: "a name of every object", path: "/a/constructor", route: "/a/{x}" },
  ])("$why", ({ path, route }) => {
    expect(matchRoute("GET", path)).toBe(route);
  });

  it.each([
    { why: "HEAD finds GET's", method: "HEAD", path: "/a/b", route: "/a/b" },
    { why: "another method doesn't", method: "POST", path: "/a/b", route: undefined },
    { why: "any method, where the template says none", method: "BREW", path: "/any/1", route: "/any/{x}" },
  ])("$why", ({ method, path, route }) => {
    expect(matchRoute(method, path)).toBe(route);
  });

  it("names every template that can't be read", () => {
    const templates = ["a/b", "/{}", "/{a}{b}", "/{a}.json", "/{a", "/a}", ""];
    expect(() =>
      createRouter(["/fine", ...templates].map((template) => ({ method: "GET", template }))),
    ).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: `not a route template: ${templates.join(", ")}`,
      }),
    );
  });
});
