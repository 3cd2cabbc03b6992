/** The mix against the capture that it is a compact form of: the same routes, paths, sizes and weights, and no others. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CAPTURED_MIX, type MixRow } from "../../src/loadgen/captured-mix.ts";

interface Capture {
  readonly dir: "in" | "out";
  readonly method: string;
  readonly route: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly bodyBytes?: number;
}

const captures = readFileSync("test/fixtures/matrix-requests.jsonl", "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Capture);

/** A captured value → the filler that stands for it. */
const VALUES: readonly (readonly [value: RegExp, filler: string])[] = [
  [/%21[\w-]{43}/g, "{roomId}"],
  [/%24[\w-]{43}/g, "{eventId}"],
  [/%40\w+%3A[\w.]+(?:%3A\d+)?/g, "{userId}"],
  [/%23\w+%3A[\w.]+(?:%3A\d+)?/g, "{roomAlias}"],
  [/(?<=\/send\/)\d{13}$/g, "{txnId}"],
  [/(?<=\/download\/)[A-Za-z]{24}/g, "{mediaId}"],
];

function templateOf(path: string): string {
  return VALUES.reduce((text, [value, filler]) => text.replaceAll(value, filler), path);
}

/** What the table should be, in the order of the capture. */
function compact(): readonly MixRow[] {
  const rows = new Map<string, Capture[]>();
  for (const capture of captures) {
    const key = `${capture.method} ${templateOf(capture.path)}`;
    rows.set(key, [...(rows.get(key) ?? []), capture]);
  }
  return [...rows.values()].map((group) => {
    const [{ method, route, path, rawHeaders } = captures[0] as Capture] = group;
    const sizes = new Set(group.map(({ bodyBytes = 0 }) => bodyBytes).filter((bytes) => bytes > 0));
    const countOf = (wanted: Capture["dir"]): number => group.filter(({ dir }) => dir === wanted).length;
    return {
      method: method as MixRow["method"],
      route,
      path: templateOf(path),
      bodyBytes: [...sizes].sort((left, right) => left - right),
      weight: { in: countOf("in"), out: countOf("out") },
      ...(rawHeaders.includes("Authorization") ? {} : { isBare: true as const }),
    };
  });
}

it("is the capture, row by row", () => {
  expect(captures.length).toBeGreaterThan(60);
  expect([...CAPTURED_MIX].sort(byRoute)).toEqual([...compact()].sort(byRoute));
});

function byRoute(left: MixRow, right: MixRow): number {
  return `${left.method} ${left.route}` < `${right.method} ${right.route}` ? -1 : 1;
}
