/** What is typed into the search, and what the address keeps of it: tags, durations, times, hashes. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EMPTY_QUERY, formatHash, isHexId, parseHash, type Route } from "../../src/page/hash-route.ts";
import { formatTag, parseTags } from "../../src/page/tag-query.ts";
import { createTraceRequest, traceIdIn } from "../../src/page/trace-request.ts";
import { unicodeText } from "../support/unicode-text.ts";

describe("parseTags", () => {
  it.each([
    { text: "", tags: {}, why: "nothing" },
    { text: "error=true", tags: { error: "true" }, why: "one" },
    { text: ' a=1  b="two words" ', tags: { a: "1", b: "two words" }, why: "quotes hold spaces" },
    { text: 'a="say \\"hi\\" \\\\"', tags: { a: 'say "hi" \\' }, why: "backslashes in quotes" },
    { text: "a=", tags: { a: "" }, why: "an empty value" },
    { text: "url=http://x?y=z", tags: { url: "http://x?y=z" }, why: "a value holds =" },
    { text: "a=1 a=2", tags: { a: "2" }, why: "the last one counts" },
    { text: "__proto__=1", tags: JSON.parse('{"__proto__":"1"}') as unknown, why: "a key is only a key" },
  ])("$why: $text", ({ text, tags }) => {
    expect(parseTags(text)).toEqual({ tags });
  });

  it.each([
    { text: "oops", why: "no value" },
    { text: "=x", why: "no key" },
    { text: 'a="open', why: "an open quote" },
    { text: 'a="b"c', why: "text behind a quote" },
    { text: 'a=b"c', why: "a quote inside a plain value" },
    { text: Array.from({ length: 21 }, (_, index) => `k${index}=1`).join(" "), why: "one more than allowed" },
  ])("refuses $why", ({ text }) => {
    expect(parseTags(text)).toHaveProperty("refusal");
  });

  it("reads back what formatTag writes, and takes as many as allowed", () => {
    fc.assert(
      fc.property(unicodeText(), (value) => {
        expect(parseTags(formatTag("key", value))).toEqual({ tags: { key: value } });
      }),
    );
    expect(parseTags(Array.from({ length: 20 }, (_, index) => `k${index}=1`).join(" "))).toHaveProperty(
      "tags",
    );
  });
});

describe("createTraceRequest", () => {
  it("asks for everything that is set", () => {
    const request = createTraceRequest({
      ...EMPTY_QUERY,
      operation: "GET /a b",
      tags: "error=true",
      min: "1.5 ms",
      max: "2s",
      limit: 50,
    });
    expect("path" in request && request.path("one demo&x")).toBe(
      "/api/traces?service=one+demo%26x&operation=GET+%2Fa+b&tags=%7B%22error%22%3A%22true%22%7D&minDuration=1.5ms&maxDuration=2s&lookback=1h&limit=50",
    );
  });

  it("asks for a range in microseconds, and for days in hours", () => {
    const range = createTraceRequest({
      ...EMPTY_QUERY,
      lookback: "custom",
      start: "2026-11-22T10:00",
      end: "",
    });
    const startUs = new Date(2026, 10, 22, 10).getTime() * 1000;
    expect("path" in range && range.path("s")).toBe(`/api/traces?service=s&start=${startUs}&limit=20`);
    const week = createTraceRequest({ ...EMPTY_QUERY, lookback: "7d" });
    expect("path" in week && week.path("s")).toContain("lookback=168h");
  });

  it.each([
    { change: { tags: "oops" }, field: "tags", why: "not a tag" },
    { change: { min: "fast" }, field: "min", why: "not a duration" },
    { change: { min: "10" }, field: "min", why: "no unit" },
    { change: { max: "-1ms" }, field: "max", why: "negative" },
    { change: { lookback: "custom", start: "noon" }, field: "start", why: "not a time" },
    {
      change: { lookback: "custom", start: "2026-11-22T10:00", end: "2026-11-22T09:00" },
      field: "end",
      why: "backwards",
    },
  ])("refuses $field: $why", ({ change, field }) => {
    const request = createTraceRequest({ ...EMPTY_QUERY, ...change });
    expect("refusals" in request && Object.keys(request.refusals)).toEqual([field]);
  });

  it("takes a trace's id where tags belong", () => {
    expect(traceIdIn(" 0AF7651916cd43dd8448eb211c80319c ")).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(traceIdIn("0af7651916cd43dd")).toBe("0af7651916cd43dd");
    expect(traceIdIn("0af7651916cd43d")).toBeUndefined();
    expect(traceIdIn("0af7651916cd43dg")).toBeUndefined();
  });
});

describe("parseHash", () => {
  const routes: readonly Route[] = [
    { view: "search", query: EMPTY_QUERY },
    {
      view: "search",
      query: {
        ...EMPTY_QUERY,
        service: "a&b=c",
        tags: 'x="#é\u202E"',
        lookback: "custom",
        start: "2026-01-01T00:00",
        limit: 200,
      },
    },
    { view: "trace", traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "" },
    { view: "trace", traceId: "bad", spanId: "1" },
    { view: "peers", sort: "contact", isDescending: true },
    { view: "peers", sort: "name", isDescending: false },
    { view: "map" },
    { view: "config" },
    { view: "whitelist", host: "<b>:8448", direction: "out" },
    { view: "whitelist", host: "", direction: "in" },
  ];
  it.each(routes)("reads back what formatHash writes: %o", (route) => {
    expect(parseHash(formatHash(route))).toEqual(route);
  });

  it.each([
    { hash: "", why: "nothing" },
    { hash: "#", why: "nearly nothing" },
    { hash: "#/nowhere", why: "no such view" },
    { hash: "#/trace/<img>", why: "no id" },
    { hash: `#/trace/${"a".repeat(33)}`, why: "too long for an id" },
    { hash: "#/trace/a/b", why: "more than an id" },
    { hash: "#/search?limit=1e9&lookback=forever", why: "values that are not offered" },
    { hash: "#/search?service=%E0%A4%A&limit=-1", why: "broken encoding" },
  ])("shows the search for $why", ({ hash }) => {
    const route = parseHash(hash);
    expect(route.view === "search" && { ...route.query, service: "" }).toEqual(EMPTY_QUERY);
  });

  it("bounds texts, and drops a span's id that is none", () => {
    expect(parseHash(`#/whitelist?host=${"x".repeat(3000)}`)).toMatchObject({ host: "x".repeat(2000) });
    expect(parseHash("#/trace/abc?span=javascript:1")).toEqual({ view: "trace", traceId: "abc", spanId: "" });
    expect(isHexId("", 16)).toBe(false);
  });

  it("never throws", () => {
    fc.assert(fc.property(unicodeText(), (text) => void parseHash(`#/${text}`)));
  });
});
