/** What is remembered of transactions that were not delivered. */

import { describe, expect, it } from "vitest";
import { createResends, transactionOf } from "../../src/proxy/resends.ts";

const CONTEXT = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  isSampled: true,
  isRandom: true,
  traceState: "",
};

describe("a transaction's name", () => {
  const path = "/_matrix/federation/v1/send/1795355008288";
  it.each([
    { why: "its destination and id", method: "PUT", path, expected: "a.test 1795355008288" },
    { why: "not its query", method: "PUT", path: `${path}?a=b`, expected: "a.test 1795355008288" },
    { why: "not another method", method: "GET", path, expected: undefined },
    { why: "not another route", method: "PUT", path: path.replace("send", "send_join"), expected: undefined },
    { why: "not without an id", method: "PUT", path: "/_matrix/federation/v1/send/", expected: undefined },
    {
      why: "an id of any length would fill memory: the longest that is kept",
      method: "PUT",
      path: `/_matrix/federation/v1/send/${"1".repeat(505)}`,
      expected: `a.test ${"1".repeat(505)}`,
    },
    {
      why: "and the first that is not",
      method: "PUT",
      path: `/_matrix/federation/v1/send/${"1".repeat(506)}`,
      expected: undefined,
    },
  ])("is $why", ({ method, path: asked, expected }) => {
    expect(transactionOf(method, asked, "a.test")).toBe(expected);
  });

  it("needs a destination", () => {
    expect(transactionOf("PUT", path, undefined)).toBeUndefined();
  });
});

describe("attempts", () => {
  it("are found until the transaction is delivered, for an hour", () => {
    let nowMs = 0;
    const resends = createResends(() => nowMs);
    resends.note("a.test 1", { count: 1, context: CONTEXT });
    nowMs = 3_599_999;
    expect(resends.find("a.test 1")).toMatchObject({ count: 1, context: CONTEXT });
    expect(resends.find("b.test 1")).toBeUndefined();
    resends.note("a.test 1", { count: 2, context: undefined });
    nowMs = 2 * 3_600_000 - 2;
    expect(resends.find("a.test 1")).toMatchObject({ count: 2, context: undefined });
    nowMs = 2 * 3_600_000 - 1;
    expect(resends.find("a.test 1")).toBeUndefined();
    resends.note("a.test 1", { count: 3, context: CONTEXT });
    resends.forget("a.test 1");
    expect(resends.find("a.test 1")).toBeUndefined();
    expect(resends.size).toBe(0);
  });

  it("are told to other workers, and what is learned of them to nobody", () => {
    const told: unknown[] = [];
    const resends = createResends(
      () => 0,
      (...change) => void told.push(change),
    );
    resends.note("a.test 1", { count: 1, context: CONTEXT });
    resends.learn("a.test 2", { count: 1, context: undefined });
    resends.forget("a.test 1");
    resends.forget("a.test 3"); // Nobody knew it: most transactions are delivered at once.
    expect(told).toEqual([
      ["a.test 1", { count: 1, context: CONTEXT }],
      ["a.test 1", undefined],
    ]);
    expect(resends.find("a.test 2")).toMatchObject({ count: 1 });
    resends.learn("a.test 2", undefined);
    expect(resends.size).toBe(0);
  });

  it("are bounded: the oldest goes, not one that was tried again", () => {
    const resends = createResends(() => 0);
    for (let id = 0; id < 4096; id++) resends.note(`a.test ${id}`, { count: 1, context: undefined });
    resends.note("a.test 0", { count: 2, context: undefined });
    resends.note("a.test 4096", { count: 1, context: undefined });
    expect(resends.size).toBe(4096);
    expect(resends.find("a.test 0")).toMatchObject({ count: 2 });
    expect(resends.find("a.test 1")).toBeUndefined();
    expect(resends.find("a.test 2")).toBeDefined();
  });
});
