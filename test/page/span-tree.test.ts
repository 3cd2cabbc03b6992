/** Trees of honest and of hostile spans, and the keys that go through them. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTree, visibleRows } from "../../src/page/span-tree.ts";
import { treeMove } from "../../src/page/tree-keys.ts";
import { createSpan } from "./spans.ts";

const span = (spanId: string, parentId?: string, startUs = 0): ReturnType<typeof createSpan> =>
  createSpan(spanId, { parentId, startUs });

/** a(b(c, d), e) */
const ROWS = createTree([
  span("d", "b", 3),
  span("e", "a", 4),
  span("a"),
  span("c", "b", 2),
  span("b", "a", 1),
]);

describe("createTree", () => {
  it("puts parents first and siblings in the order of their start", () => {
    expect(
      ROWS.map((row) => [
        row.span.spanId,
        row.level,
        row.position,
        row.siblings,
        row.children,
        row.descendants,
        row.parentIndex,
      ]),
    ).toEqual([
      ["a", 1, 1, 1, 2, 4, -1],
      ["b", 2, 1, 2, 2, 2, 0],
      ["c", 3, 1, 2, 0, 0, 1],
      ["d", 3, 2, 2, 0, 0, 1],
      ["e", 2, 2, 2, 0, 0, 0],
    ]);
  });

  it.each([
    { spans: [span("a", "gone")], order: ["a1"], why: "a parent that is not here makes an orphan" },
    { spans: [span("a", "a")], order: ["a1"], why: "its own parent" },
    {
      spans: [span("a", "b", 2), span("b", "a", 1)],
      order: ["b1", "a2"],
      why: "a circle is broken at its earliest",
    },
    {
      spans: [span("r"), span("a", "b"), span("b", "a")],
      order: ["r1", "a1", "b2"],
      why: "a circle beside a root",
    },
    {
      spans: [span("a"), span("a"), span("b", "a")],
      order: ["a1", "a1", "b2"],
      why: "an id that is there twice",
    },
    { spans: [], order: [], why: "no spans" },
  ])("shows every span once: $why", ({ spans, order }) => {
    expect(createTree(spans).map((row) => `${row.span.spanId}${row.level}`)).toEqual(order);
  });

  it("marks orphans", () => {
    expect(
      createTree([span("a", "gone"), span("b", "a"), span("c")]).map(({ isOrphan }) => isOrphan),
    ).toEqual([true, false, false]);
  });

  it("takes depth without a stack of calls", () => {
    const deep = Array.from({ length: 20_000 }, (_, index) =>
      span(String(index), index === 0 ? undefined : String(index - 1)),
    );
    expect(createTree(deep).at(-1)?.level).toBe(20_000);
  });

  it("shows every span once, whatever parents they name", () => {
    const ids = fc.constantFrom("a", "b", "c", "d", "e", "gone");
    fc.assert(
      fc.property(fc.array(fc.tuple(ids, fc.option(ids, { nil: undefined }), fc.nat(9))), (list) => {
        const spans = list.map(([id, parent, startUs]) => span(id, parent, startUs));
        const rows = createTree(spans);
        expect(new Set(rows.map((row) => row.span))).toEqual(new Set(spans));
        expect(rows.length).toBe(spans.length);
        rows.forEach((row, index) => expect(row.parentIndex).toBeLessThan(index));
      }),
    );
  });
});

it("hides what is below a collapsed span", () => {
  expect(visibleRows(ROWS, new Set())).toEqual([0, 1, 2, 3, 4]);
  expect(visibleRows(ROWS, new Set(["b"]))).toEqual([0, 1, 4]);
  expect(visibleRows(ROWS, new Set(["a", "b"]))).toEqual([0]);
  expect(visibleRows(ROWS, new Set(["c"]))).toEqual([0, 1, 2, 3, 4]);
});

describe("treeMove", () => {
  it.each([
    { key: "ArrowDown", at: 0, move: { focus: 1 }, why: "next" },
    { key: "ArrowDown", at: 4, move: undefined, why: "the end" },
    { key: "ArrowUp", at: 0, move: undefined, why: "the top" },
    { key: "ArrowUp", at: 4, move: { focus: 3 }, why: "previous" },
    { key: "ArrowRight", at: 0, move: { focus: 1 }, why: "into an open one" },
    { key: "ArrowRight", at: 2, move: undefined, why: "a leaf" },
    { key: "ArrowLeft", at: 1, move: { collapse: 1 }, why: "closes an open one" },
    { key: "ArrowLeft", at: 3, move: { focus: 1 }, why: "from a leaf to its parent" },
    { key: "Home", at: 3, move: { focus: 0 }, why: "first" },
    { key: "End", at: 0, move: { focus: 4 }, why: "last" },
    { key: "PageDown", at: 1, move: { focus: 4 }, why: "no further than the last" },
    { key: "PageUp", at: 4, move: { focus: 0 }, why: "no further than the first" },
    { key: "x", at: 0, move: undefined, why: "any other key" },
  ])("$key at $at: $why", ({ key, at, move }) => {
    const state = {
      rows: ROWS,
      visible: visibleRows(ROWS, new Set()),
      focused: at,
      collapsed: new Set<string>(),
    };
    expect(treeMove(key, state)).toEqual(move);
  });

  it("opens and steps over what is collapsed", () => {
    const collapsed = new Set(["b"]);
    const state = { rows: ROWS, visible: visibleRows(ROWS, collapsed), focused: 1, collapsed };
    expect(treeMove("ArrowRight", state)).toEqual({ expand: 1 });
    expect(treeMove("ArrowDown", state)).toEqual({ focus: 4 });
    expect(treeMove("ArrowLeft", state)).toEqual({ focus: 0 });
    expect(treeMove("ArrowDown", { ...state, focused: 99 })).toBeUndefined();
  });
});
