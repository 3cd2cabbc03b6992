/** Jaeger's answers as spans, and spans as words: the border's sentences, the results' lines. */

import { describe, expect, it } from "vitest";
import { borderStory } from "../../src/page/border-story.ts";
import { samplingStory } from "../../src/page/sampling-story.ts";
import { attributeOf, parseNames, parseTraces } from "../../src/page/jaeger-model.ts";
import { serviceColors } from "../../src/page/service-colors.ts";
import { mergeTraces, shortService, summarize } from "../../src/page/trace-summary.ts";
import { PROOF_REFUSALS } from "../../src/proof/prover.ts";
import { attributes, createSpan, createTrace } from "./spans.ts";

const facts = (
  direction: string,
  isWhitelisted: boolean,
  context: string,
  removed: number,
  peer = "x.example",
) =>
  createSpan("1", {
    attributes: attributes({
      "fedtrace.direction": direction,
      "fedtrace.whitelisted": isWhitelisted,
      "fedtrace.context": context,
      "fedtrace.headers.removed": removed,
      "fedtrace.peer.proof": "claimed",
      ...(peer === "" ? {} : { "fedtrace.peer.name": peer }),
    }),
  });

/** A whitelisted name whose signature proved nothing. */
const unproven = (context: string, refusal: string) =>
  createSpan("1", {
    attributes: attributes({
      "fedtrace.direction": "inbound",
      "fedtrace.whitelisted": false,
      "fedtrace.context": context,
      "fedtrace.headers.removed": 0,
      "fedtrace.peer.proof": "claimed",
      "fedtrace.peer.name": "x.example",
      "fedtrace.peer.proof_refused": refusal,
    }),
  });

describe("borderStory", () => {
  it.each([
    { context: "restarted", tone: "stopped", sentence: "its context was not taken, a new trace began" },
    { context: "absent", tone: "quiet", sentence: "no context was sent: a new trace began" },
  ])("tells of a name that was not proven: $context", ({ context, tone, sentence }) => {
    const story = borderStory(unproven(context, "wrong"));
    expect(story).toMatchObject({
      tone,
      proof: "Its name is only claimed. Its signature is wrong: somebody else may have used the name.",
    });
    expect(story?.sentence).toMatch(/^is a whitelisted name that was not proven/);
    expect(story?.sentence).toContain(sentence);
  });

  it("has words for every reason why a signature proves nothing", () => {
    for (const refusal of PROOF_REFUSALS) {
      expect(borderStory(unproven("restarted", refusal))?.proof, refusal).toMatch(
        /^Its name is only claimed\. \S/,
      );
    }
  });

  it.each([
    {
      span: facts("inbound", true, "extracted", 0),
      tone: "crossed",
      sentence: "is whitelisted: its context was taken, its trace goes on here",
    },
    {
      span: facts("inbound", true, "refused", 1),
      tone: "refused",
      sentence:
        "is whitelisted, but its context was malformed, or its trace is full: it was not taken, a new trace began, 1 header removed",
    },
    {
      span: facts("inbound", true, "absent", 0),
      tone: "quiet",
      sentence: "is whitelisted and sent no context: a new trace began",
    },
    {
      span: facts("inbound", false, "restarted", 3),
      tone: "stopped",
      sentence: "is not whitelisted: its context was not taken, a new trace began, 3 headers removed",
    },
    {
      span: facts("inbound", false, "absent", 0),
      tone: "quiet",
      sentence: "is not whitelisted and sent no context: a new trace began",
    },
    {
      span: facts("outbound", true, "extracted", 0),
      tone: "crossed",
      sentence: "is whitelisted: our context was sent along, so the trace can go on there",
    },
    {
      span: facts("outbound", false, "extracted", 2),
      tone: "stopped",
      sentence: "is not whitelisted: no trace header left this server, 2 headers of our own server removed",
    },
  ])("$tone: $sentence", ({ span, tone, sentence }) => {
    expect(borderStory(span)).toMatchObject({ tone, sentence, peer: "x.example" });
  });

  it.each([
    {
      why: "a tunnel is not looked into, whoever is whitelisted",
      more: {
        "fedtrace.direction": "outbound",
        "fedtrace.whitelisted": true,
        "fedtrace.tunnel.bytes_sent": 0,
      },
      tone: "quiet",
      sentence: "was reached through a tunnel, whose inside is not seen here: nothing was added to it",
    },
    {
      why: "a peer that is given an id of its own",
      more: {
        "fedtrace.direction": "outbound",
        "fedtrace.whitelisted": true,
        "fedtrace.peer.trace_id": "ab".repeat(16),
      },
      tone: "crossed",
      sentence:
        "is whitelisted: it was given a trace id of its own, so the trace can go on there, and no other peer can tell",
    },
    {
      why: "what is in a body can't be taken out",
      more: { "fedtrace.direction": "outbound", "fedtrace.whitelisted": false, "fedtrace.body.contexts": 2 },
      tone: "stopped",
      sentence:
        "is not whitelisted: no trace header left this server, 2 trace contexts in the signed body, which passed unchanged",
    },
  ])("$why", ({ more, tone, sentence }) => {
    expect(borderStory(createSpan("1", { attributes: attributes(more) }))).toMatchObject({ tone, sentence });
  });

  it("says how a caller's name is known, and nothing where there is none", () => {
    expect(borderStory(facts("inbound", true, "extracted", 0))?.proof).toBe("Its name is only claimed.");
    expect(borderStory(facts("outbound", true, "extracted", 0))?.proof).toBe("");
    expect(borderStory(facts("inbound", false, "absent", 0, ""))).toMatchObject({
      peer: undefined,
      proof: "",
    });
    expect(borderStory(createSpan("1"))).toBeUndefined();
  });
});

describe("parseTraces", () => {
  const answer = {
    data: [
      {
        traceID: "t",
        spans: [
          {
            traceID: "t",
            spanID: "2",
            operationName: "GET",
            references: [
              { refType: "CHILD_OF", traceID: "t", spanID: "1" },
              { refType: "FOLLOWS_FROM", traceID: "u", spanID: "9" },
              { refType: "CHILD_OF", traceID: "other", spanID: "8" },
            ],
            startTime: 1500,
            duration: 700,
            tags: [{ key: "error", type: "bool", value: true }],
            logs: [{ timestamp: 1600, fields: [{ key: "event", type: "string", value: "retry" }] }],
            processID: "p1",
            warnings: ["clock skew"],
          },
          { spanID: "1", startTime: 1000, duration: 500, processID: "p2" },
        ],
        processes: { p1: { serviceName: "one", tags: [{ key: "host", type: "string", value: "h" }] } },
      },
    ],
  };

  it("reads parents, links, events, processes and errors", () => {
    const [trace] = parseTraces(answer);
    expect(trace).toMatchObject({ traceId: "t", startUs: 1000, durationUs: 1200 });
    expect(trace?.spans[0]).toEqual({
      spanId: "2",
      parentId: "1",
      name: "GET",
      service: "one",
      startUs: 1500,
      durationUs: 700,
      attributes: [{ key: "error", value: true }],
      process: [{ key: "host", value: "h" }],
      events: [{ unixUs: 1600, fields: [{ key: "event", value: "retry" }] }],
      links: [
        { type: "FOLLOWS_FROM", traceId: "u", spanId: "9" },
        { type: "CHILD_OF", traceId: "other", spanId: "8" },
      ],
      warnings: ["clock skew"],
      isError: true,
    });
  });

  it.each([undefined, null, 7, "x", [], {}, { data: null }, { data: [null, 1, {}, { spans: [] }] }])(
    "reads %j as no traces",
    (body) => {
      expect(parseTraces(body)).toEqual([]);
    },
  );

  it("reads wrong types as empty", () => {
    const [trace] = parseTraces({
      data: [
        { spans: [{ spanID: 7, duration: -5, startTime: "x", tags: [null, { key: 1, value: { a: 1 } }] }] },
      ],
    });
    expect(trace?.spans[0]).toMatchObject({
      spanId: "",
      durationUs: 0,
      startUs: 0,
      attributes: [
        { key: "", value: "" },
        { key: "", value: '{"a":1}' },
      ],
    });
    expect(parseNames({ data: ["b", 1, "a"] })).toEqual(["a", "b"]);
  });

  it.each([
    { tags: { error: "true" }, isError: true },
    { tags: { error: false }, isError: false },
    { tags: { "error.type": "502" }, isError: true },
    { tags: { "otel.status_code": "ERROR" }, isError: true },
    { tags: { "otel.status_code": "OK" }, isError: false },
  ])("$tags is an error: $isError", ({ tags, isError }) => {
    const list = Object.entries(tags).map(([key, value]) => ({ key, value }));
    expect(parseTraces({ data: [{ spans: [{ tags: list }] }] })[0]?.spans[0]?.isError).toBe(isError);
  });
});

describe("summarize", () => {
  it("says who asked, what the border did, and how it went", () => {
    const stranger = facts("inbound", false, "restarted", 3, "stranger.example");
    const child = createSpan("2", {
      parentId: "1",
      service: "two",
      isError: true,
      startUs: 1050,
      durationUs: 500,
    });
    expect(summarize(createTrace("t", [child, stranger]))).toEqual({
      traceId: "t",
      rootName: "span 1",
      rootService: "one.demo fedtrace",
      services: ["one.demo fedtrace", "two"],
      spans: 2,
      errors: 1,
      startUs: 1000,
      durationUs: 550,
      asked: { by: "peer", name: "stranger.example" },
      tones: ["stopped"],
    });
  });

  it("knows when the own server asked", () => {
    expect(summarize(createTrace("t", [facts("outbound", true, "absent", 0)])).asked).toEqual({
      by: "own",
      name: "x.example",
    });
    expect(attributeOf(createSpan("1"), "x")).toBeUndefined();
  });
});

it("merges the answers of several services: each trace once, the fullest, newest first, no more than asked for", () => {
  const old = createTrace("old", [createSpan("1", { startUs: 1 })]);
  const part = createTrace("new", [createSpan("1", { startUs: 9 })]);
  const whole = createTrace("new", [createSpan("1", { startUs: 9 }), createSpan("2", { startUs: 9 })]);
  expect(mergeTraces([[old, part], [whole]], 5)).toEqual([whole, old]);
  expect(mergeTraces([[whole], [part, old]], 1)).toEqual([whole]);
});

it("names a sidecar by its server, and colours services apart as long as there are colours", () => {
  expect(shortService("one.demo fedtrace")).toBe("one.demo");
  expect(shortService("fedtrace")).toBe("fedtrace");
  const names = Array.from({ length: 8 }, (_, index) => `service ${index}`);
  expect(new Set(serviceColors(names).values()).size).toBe(8);
  expect(serviceColors([...names, "ninth"]).get("ninth")).toMatch(/^service-[0-7]$/);
  expect(serviceColors(["b", "a"])).toEqual(serviceColors(["a", "b", "a"]));
});

describe("samplingStory", () => {
  const told = (more: Readonly<Record<string, string | number | boolean>>): string | undefined =>
    samplingStory(createSpan("1", { attributes: attributes(more) }));

  it.each([
    { why: "another program's span", more: {}, story: undefined },
    {
      why: "the sampler, of a trace that begins here",
      more: { "fedtrace.sampling.decided": "local", "sampler.type": "probabilistic", "sampler.param": 0.01 },
      story: "Recorded by the own sampler: probabilistic 0.01.",
    },
    {
      why: "const has no number",
      more: { "fedtrace.sampling.decided": "local", "sampler.type": "const", "sampler.param": true },
      story: "Recorded by the own sampler: const.",
    },
    {
      why: "a yes that is no order",
      more: { "fedtrace.sampling.decided": "local", "fedtrace.sampling.asked": "sampled" },
      story: "Recorded by the own sampler. Its sender asked for it, which is no order.",
    },
    {
      why: "a debug flag",
      more: { "fedtrace.sampling.decided": "local", "fedtrace.sampling.asked": "debug" },
      story: "Recorded by the own sampler. A debug flag asked for it, which never counts.",
    },
    {
      why: "a budget",
      more: { "fedtrace.sampling.decided": "forced", "fedtrace.sampling.asked": "sampled" },
      story: "Recorded because it asked to be, within its budget.",
    },
  ])("$why", ({ more, story }) => {
    expect(told(more)).toBe(story);
  });

  it.each(["own", "debug_pass", "tail_error", "tail_slow", "tail_asked"])("has words for %s", (decided) => {
    expect(told({ "fedtrace.sampling.decided": decided })).toMatch(/^Recorded because /);
  });
});
