/**
 * The lenient upstream is lenient: without a proxy in front each personality is fooled by some row, or the table would
 * prove nothing about that fault.
 */

import { describe, expect, it } from "vitest";
import { type Beliefs, readBeliefs } from "./lenient-parser.ts";
import { PERSONALITIES, STRICT } from "./personalities.ts";
import { REQUEST_THEMES } from "./request-rows.ts";
import type { RequestRow } from "./row.ts";

const ROWS = Object.values(REQUEST_THEMES).flat();

/** Whether it sees another request than the strict reader, or one where that sees a fault. */
function isFooled(beliefs: Beliefs, row: RequestRow): boolean {
  return String(beliefs.whole) !== String(readBeliefs(row.bytes, STRICT).whole);
}

describe("a personality", () => {
  it.each(PERSONALITIES.slice(1))("is fooled by a row that no proxy has read: $name ($source)", (quirks) => {
    const fooling = ROWS.filter((row) => isFooled(readBeliefs(row.bytes, quirks), row));
    expect(fooling).not.toEqual([]);
  });

  it.each(PERSONALITIES)("reads an honest row as it is meant: $name", (quirks) => {
    const honest = ROWS.find(({ name }) => name === "bodies and none, in turn");
    const wanted = honest?.reaches.map((request) => request.replace(" ", " own.test "));
    expect(readBeliefs(honest?.bytes ?? "", quirks)).toEqual({ whole: wanted, begun: undefined, rest: "" });
  });
});

describe("a smuggled request", () => {
  it("is seen by many of them where nothing stands before them", () => {
    const seeing = PERSONALITIES.filter((quirks) =>
      ROWS.some((row) => {
        const { whole } = readBeliefs(row.bytes, quirks);
        return (
          whole.some((belief) => belief.endsWith(" /smuggled")) &&
          isFooled(readBeliefs(row.bytes, quirks), row)
        );
      }),
    );
    // The others take bytes away from a request, or believe in another place, but see no request too many.
    expect(seeing.length).toBeGreaterThan(PERSONALITIES.length / 2);
  });
});
