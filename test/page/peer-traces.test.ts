/** One trace under two ids: which spans name a peer's, and which trace of ours an id of a peer's leads to. */

import { afterEach, describe, expect, it, vi } from "vitest";
import { askOurTraces, findOurTraces, isContinued, peerTraceIdOf } from "../../src/page/peer-traces.ts";
import { attributes, createSpan, createTrace } from "./spans.ts";

const OURS = "11111111111111111111111111111111";
const THEIRS = "22222222222222222222222222222222";

function sentTo(peer: string, id: string | number, change: Parameters<typeof createSpan>[1] = {}) {
  const named = peer === "" ? {} : { "fedtrace.peer.name": peer };
  return createSpan("c", { attributes: attributes({ "fedtrace.peer.trace_id": id, ...named }), ...change });
}

describe("peerTraceIdOf", () => {
  it.each([
    { why: "an id", span: sentTo("a", THEIRS), id: THEIRS },
    { why: "in upper case", span: sentTo("a", "AB".repeat(16)), id: "ab".repeat(16) },
    { why: "the longest that is one", span: sentTo("a", "1".repeat(32)), id: "1".repeat(32) },
    { why: "one digit more", span: sentTo("a", "1".repeat(33)), id: undefined },
    { why: "anybody's text", span: sentTo("a", "<img src=x>"), id: undefined },
    { why: "a number", span: sentTo("a", 12), id: undefined },
    { why: "none", span: createSpan("1"), id: undefined },
  ])("$why", ({ span, id }) => {
    expect(peerTraceIdOf(span)).toBe(id);
  });
});

describe("isContinued", () => {
  const facts = (direction: string, context: string) =>
    createTrace(OURS, [
      createSpan("1"),
      createSpan("2", {
        attributes: attributes({ "fedtrace.direction": direction, "fedtrace.context": context }),
      }),
    ]);
  it.each([
    { direction: "inbound", context: "extracted", expected: true, why: "a peer's context was taken" },
    { direction: "inbound", context: "restarted", expected: false, why: "it was not" },
    { direction: "inbound", context: "refused", expected: false, why: "it was malformed" },
    { direction: "outbound", context: "extracted", expected: false, why: "the own server's" },
  ])("$direction, $context: $expected ($why)", ({ direction, context, expected }) => {
    expect(isContinued(facts(direction, context))).toBe(expected);
  });
});

describe("findOurTraces", () => {
  it("names the first span that sent the id, and its peer", () => {
    const later = sentTo("b.test", THEIRS, { spanId: "later", startUs: 9 });
    const first = sentTo("b.test", THEIRS, { spanId: "first", startUs: 5 });
    const other = sentTo("c.test", OURS, { spanId: "other", startUs: 1 });
    expect(findOurTraces([createTrace(OURS, [later, other, first])], THEIRS)).toEqual([
      { traceId: OURS, spanId: "first", peer: "b.test" },
    ]);
  });

  it.each([
    { why: "a peer without a name", traces: [createTrace(OURS, [sentTo("", THEIRS)])], peers: [""] },
    {
      why: "a trace that two services have",
      traces: [createTrace(OURS, [sentTo("a", THEIRS)]), createTrace(OURS, [sentTo("a", THEIRS)])],
      peers: ["a"],
    },
    { why: "no span that sent it", traces: [createTrace(OURS, [createSpan("1")])], peers: [] },
  ])("$why", ({ traces, peers }) => {
    expect(findOurTraces(traces, THEIRS).map(({ peer }) => peer)).toEqual(peers);
  });
});

describe("askOurTraces", () => {
  afterEach(() => void vi.unstubAllGlobals());

  function answering(answers: Readonly<Record<string, unknown>>, status = 200): string[] {
    const asked: string[] = [];
    vi.stubGlobal("fetch", (path: string) => {
      asked.push(path);
      const body = answers[path.replace(/\?.*/, "")];
      return Promise.resolve(new Response(JSON.stringify(body), { status }));
    });
    return asked;
  }

  const { signal } = new AbortController();
  const tags = [
    { key: "fedtrace.peer.trace_id", type: "string", value: THEIRS },
    { key: "fedtrace.peer.name", type: "string", value: "b.test" },
  ];
  const found = { data: [{ traceID: OURS, spans: [{ spanID: "c", tags }], processes: {} }] };

  it("searches every service, over all that is kept, for the tag", async () => {
    const asked = answering({ "/api/services": { data: ["one", "two"] }, "/api/traces": found });
    expect(await askOurTraces(THEIRS, signal)).toEqual({
      value: [{ traceId: OURS, spanId: "c", peer: "b.test" }],
    });
    const [, ...searches] = asked.map((path) => new URL(path, "http://x").searchParams);
    expect(searches.map((query) => query.get("service"))).toEqual(["one", "two"]);
    for (const query of searches) {
      expect(query.get("start")).toBe("0");
      expect(query.get("tags")).toBe(`{"fedtrace.peer.trace_id":"${THEIRS}"}`);
    }
  });

  it("asks at most eight services, and fills an id that lost its zeros up", async () => {
    const services = Array.from({ length: 9 }, (_, index) => `s${index}`);
    const asked = answering({ "/api/services": { data: services }, "/api/traces": { data: [] } });
    expect(await askOurTraces("abc", signal)).toEqual({ value: [] });
    expect(asked).toHaveLength(1 + 8);
    expect(decodeURIComponent(asked[1] ?? "")).toContain(`"${"abc".padStart(32, "0")}"`);
  });

  it("says why it could not", async () => {
    answering({ "/api/services": { error: "busy" } }, 503);
    expect(await askOurTraces(THEIRS, signal)).toEqual({ problem: "busy", status: 503 });
  });
});
