/** createTraceState against OpenTelemetry's own TraceState, and its bound. */

import { createTraceState as createTheirs } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";
import { createTraceState } from "../../src/span/trace-state.ts";

describe("createTraceState", () => {
  it.each([
    { why: "one member", text: "a=1" },
    { why: "a key that begins like another", text: "aa=0,a=1" },
    { why: "space after the comma", text: "a=1, b=2" },
  ])("finds, adds and removes members as OpenTelemetry's does: $why", ({ text }) => {
    const [ours, theirs] = [createTraceState(text), createTheirs(text)];
    expect(ours.get("a")).toBe(theirs.get("a"));
    expect(ours.get("c")).toBeUndefined();
    expect(ours.set("c", "9").serialize()).toBe(theirs.set("c", "9").serialize());
    expect(ours.set("a", "9").serialize()).toBe(theirs.set("a", "9").serialize());
    expect(ours.unset("a").serialize()).toBe(theirs.unset("a").serialize());
  });

  it("leaves the text alone", () => {
    expect(createTraceState("b=2, a=1").serialize()).toBe("b=2, a=1");
  });

  it.each([
    { why: "a 32nd member fits", before: 31, after: 32 },
    { why: "a 33rd pushes the last one out", before: 32, after: 32 },
  ])("$why", ({ before, after }) => {
    const text = Array.from({ length: before }, (_, index) => `k${index}=v`).join(",");
    const added = createTraceState(text).set("new", "v").serialize().split(",");
    expect(added).toHaveLength(after);
    expect(added[0]).toBe("new=v");
  });
});
