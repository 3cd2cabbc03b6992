/** Methods and span names: the conventions' forms, and the bound on how many there are. */

import { expect, it } from "vitest";
import { knownMethod, spanName } from "../../src/span/span-name.ts";

it.each([
  { why: "method and route", method: "PUT", route: "/a/{b}", name: "PUT /a/{b}", known: "PUT" },
  { why: "no route", method: "GET", route: undefined, name: "GET", known: "GET" },
  { why: "a method nobody knows", method: "BREW", route: "/a", name: "HTTP /a", known: "_OTHER" },
  { why: "letter case counts", method: "get", route: undefined, name: "HTTP", known: "_OTHER" },
  { why: "a name of every object", method: "constructor", route: undefined, name: "HTTP", known: "_OTHER" },
  { why: "the newest method", method: "QUERY", route: undefined, name: "QUERY", known: "QUERY" },
])("names $why", ({ method, route, name, known }) => {
  expect(spanName(method, route)).toBe(name);
  expect(knownMethod(method)).toBe(known);
});
