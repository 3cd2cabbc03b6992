/** `ot=th:…;rv:…` in tracestate: what is read of it, what is written, and what stays. Vectors are the specification's where it has some. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTracestate } from "../../src/propagation/w3c.ts";
import { ALWAYS, NEVER, readOtState, thresholdOf } from "../../src/sampling/threshold.ts";
import * as threshold from "../../src/sampling/threshold.ts";
import { anyRandomness } from "./support.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

// As border.ts asks: the state is read once.
const randomnessOf = (traceId: string, state: string): string =>
  threshold.randomnessOf(traceId, readOtState(state));
const saidThreshold = (traceId: string, state: string): string | undefined =>
  threshold.saidThreshold(readOtState(state), randomnessOf(traceId, state));
const withThreshold = (state: string, value: string | undefined): string =>
  threshold.withThreshold(state, readOtState(state), value);

const OWN_R = "ce929d0e0e4736";

describe("thresholdOf", () => {
  // https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/#rejection-threshold-t
  it.each([
    { probability: 1, threshold: ALWAYS },
    { probability: 0.5, threshold: "80000000000000" },
    { probability: 0.25, threshold: "c0000000000000" },
    { probability: 0.75, threshold: "40000000000000" },
    { probability: 2 ** -56, threshold: "ffffffffffffff" },
    { probability: 2 ** -58, threshold: NEVER },
    { probability: 0, threshold: NEVER },
  ])("$probability: $threshold", ({ probability, threshold: expected }) => {
    expect(thresholdOf(probability)).toBe(expected);
  });
});

describe("randomnessOf", () => {
  it.each([
    { why: "none said: the trace id's last 56 bits", state: "", randomness: OWN_R },
    { why: "rv goes before the trace id", state: "ot=rv:6e6d1a75832a2f", randomness: "6e6d1a75832a2f" },
    { why: "beside a threshold", state: "ot=th:c;rv:6e6d1a75832a2f", randomness: "6e6d1a75832a2f" },
    { why: "behind another member", state: "a=1,ot=rv:6e6d1a75832a2f", randomness: "6e6d1a75832a2f" },
    { why: "13 digits are none", state: "ot=rv:6e6d1a75832a2", randomness: OWN_R },
    { why: "15 digits are none", state: "ot=rv:6e6d1a75832a2ff", randomness: OWN_R },
    { why: "capitals are none", state: "ot=rv:6E6D1A75832A2F", randomness: OWN_R },
    { why: "another key that ends so", state: "xot=rv:6e6d1a75832a2f", randomness: OWN_R },
    { why: "another key's value", state: "a=ot=rv", randomness: OWN_R },
    {
      why: "of two the first",
      state: "ot=rv:00000000000001;rv:00000000000002",
      randomness: "00000000000001",
    },
  ])("$why", ({ state, randomness }) => {
    expect(randomnessOf(TRACE, state)).toBe(randomness);
  });
});

describe("saidThreshold", () => {
  it.each([
    { why: "none", state: "", threshold: undefined },
    { why: "none beside others", state: "a=1", threshold: undefined },
    { why: "its zeros are put back", state: "ot=th:c", threshold: "c0000000000000" },
    { why: "all zero: everything", state: "ot=th:0", threshold: ALWAYS },
    { why: "R is just reached", state: `ot=th:${OWN_R}`, threshold: OWN_R },
    { why: "R is not reached: it can't be true", state: "ot=th:ce929d0e0e4737", threshold: undefined },
    { why: "rv counts for R", state: "ot=th:c;rv:00000000000001", threshold: undefined },
    { why: "no digits", state: "ot=th:", threshold: undefined },
    { why: "15 digits", state: "ot=th:c00000000000000", threshold: undefined },
    { why: "not hex", state: "ot=th:g", threshold: undefined },
  ])("$why: $state", ({ state, threshold: said }) => {
    expect(saidThreshold(TRACE, state)).toBe(said);
  });
});

describe("withThreshold", () => {
  const C = "c0000000000000";
  it.each([
    { why: "alone", state: "", threshold: C, after: "ot=th:c" },
    { why: "everything is written as 0", state: "", threshold: ALWAYS, after: "ot=th:0" },
    { why: "none and none", state: "", threshold: undefined, after: "" },
    { why: "others stay, behind it", state: "a=1,b=2", threshold: C, after: "ot=th:c,a=1,b=2" },
    {
      why: "in the place of another, to the front",
      state: "a=1,ot=th:8",
      threshold: C,
      after: "ot=th:c,a=1",
    },
    { why: "the same one: nothing changes", state: "a=1,ot=th:c", threshold: C, after: "a=1,ot=th:c" },
    { why: "rv stays", state: "ot=rv:6e6d1a75832a2f", threshold: C, after: "ot=th:c;rv:6e6d1a75832a2f" },
    { why: "what is not known stays", state: "ot=p:8;th:8;k1:13", threshold: C, after: "ot=th:c;p:8;k1:13" },
    { why: "what is malformed goes", state: "ot=th:8;;x;A:1", threshold: C, after: "ot=th:c" },
    { why: "taken out", state: "a=1,ot=th:8", threshold: undefined, after: "a=1" },
    {
      why: "taken out beside rv",
      state: "ot=th:8;rv:6e6d1a75832a2f,a=1",
      threshold: undefined,
      after: "ot=rv:6e6d1a75832a2f,a=1",
    },
    { why: "there is none to take out", state: "a=1", threshold: undefined, after: "a=1" },
  ])("$why: $state", ({ state, threshold: written, after }) => {
    expect(withThreshold(state, written)).toBe(after);
  });

  it("lets the right-most go where the list gets too long", () => {
    const members = Array.from({ length: 32 }, (_, index) => `k${index}=1`).join(",");
    expect(withThreshold(members, C).split(",")).toEqual(["ot=th:c", ...members.split(",").slice(0, 31)]);
    const long = `a=${"1".repeat(250)},b=${"2".repeat(250)}`;
    expect(withThreshold(long, C)).toBe(`ot=th:c,a=${"1".repeat(250)}`);
    expect(withThreshold(`ot=${"a:1;".repeat(20)}th:8`, C)).toBe(`ot=th:c;${"a:1;".repeat(8)}`.slice(0, -1));
    const full = `ot=rv:6e6d1a75832a2f;k:${"x".repeat(234)}`;
    expect(withThreshold(full, C)).toBe("ot=th:c;rv:6e6d1a75832a2f");
  });

  const member = fc.tuple(
    fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/),
    fc.stringMatching(/^[!-+\--<>-~]{1,40}$/),
  );
  const sub = fc.oneof(
    fc.stringMatching(/^th:[0-9a-f]{1,14}$/),
    anyRandomness.map((digits) => `rv:${digits}`),
    fc.stringMatching(/^[a-z]{1,3}:[a-z0-9]{0,9}$/),
    fc.stringMatching(/^[!-+\--:<>-~]{0,9}$/),
  );
  const ot = fc.array(sub, { maxLength: 6 }).map((parts) => ["ot", parts.join(";")] as const);
  const anyState = fc
    .tuple(fc.array(member, { maxLength: 8 }), fc.option(ot, { nil: undefined }), fc.nat(8))
    .map(([members, own, at]) => {
      const list = members.map(([key, value]) => `${key}=${value}`);
      if (own !== undefined && own[1] !== "") list.splice(at, 0, own.join("="));
      const parsed = parseTracestate([list.join(",")]);
      return typeof parsed === "string" ? "" : parsed.traceState;
    });

  it("is read back as it was written, keeps R, and stays a list that is allowed", () => {
    fc.assert(
      fc.property(anyState, anyRandomness, (state, written) => {
        const after = withThreshold(state, written);
        expect(parseTracestate([after])).toEqual({ traceState: after });
        expect(randomnessOf(TRACE, after)).toBe(randomnessOf(TRACE, state));
        expect(readOtState(after).isThere).toBe(true);
        const said = saidThreshold(TRACE, after);
        expect(said).toBe(randomnessOf(TRACE, after) >= written ? written : undefined);
        expect(saidThreshold(TRACE, withThreshold(after, undefined))).toBeUndefined();
      }),
    );
  });

  it("never throws, whatever stands in the list", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const parsed = parseTracestate([`ot=${value}`]);
        const state = typeof parsed === "string" ? "" : parsed.traceState;
        withThreshold(state, undefined);
        saidThreshold(TRACE, state);
      }),
    );
  });
});
