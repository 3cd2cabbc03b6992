/**
 * Every row of the request tables, end to end: a raw client, the sidecar, the lenient upstream behind it.
 *
 * Each row goes in whole and in pieces. What the sidecar says it forwarded (its spans), what the client saw answered and
 * what each personality of the upstream believes it got must be the same requests, and /smuggled is never one of them.
 */

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startInProcess, type TestSidecar } from "../../support/in-process.ts";
import { beliefsOf, type LenientUpstream, startLenientUpstream } from "./lenient-upstream.ts";
import { PERSONALITIES } from "./personalities.ts";
import { REQUEST_THEMES } from "./request-rows.ts";
import type { RequestRow } from "./row.ts";
import { methodsOf, sendRow } from "./run-row.ts";

let upstream: LenientUpstream;
let sidecar: TestSidecar;
let spansBefore = 0;

beforeAll(async () => {
  upstream = await startLenientUpstream();
  sidecar = await startInProcess({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      authenticate: "claimed",
    },
    sampling: { type: "const", param: 1 },
  });
});
afterAll(async () => {
  await sidecar.sidecar.stop();
  await upstream.stop();
});
beforeEach(() => {
  upstream.forget();
  spansBefore = sidecar.spans.length;
});
afterEach(() => {
  for (const { name, whole, begun } of believed()) {
    expect([name, ...whole, begun ?? ""].filter((belief) => belief.endsWith(" /smuggled"))).toEqual([]);
  }
});

const PROBE = "GET own.test /probe";
/** Small enough to cut every line of a head, large enough for a thousand bytes to be sent in no time. */
const PIECE_BYTES = 37;

function believed() {
  const received = upstream.received();
  return PERSONALITIES.map((quirks) => ({ name: quirks.name, ...beliefsOf(received, quirks) }));
}

/** Requests that the sidecar forwarded and had answered, as its spans have them. */
function forwarded(): readonly string[] {
  return sidecar.spans
    .slice(spansBefore)
    .filter((span) => span.attributes["http.response.status_code"] === 200)
    .map(
      ({ attributes }) => `${String(attributes["http.request.method"])} ${String(attributes["url.path"])}`,
    );
}

function withoutProbe(beliefs: readonly string[]): readonly string[] {
  return beliefs.filter((belief) => belief !== PROBE);
}

async function check(row: RequestRow, pieces: readonly string[]): Promise<void> {
  const { reaches, refusal } = row;
  const isOpen = row.isLast !== true && (refusal === undefined || row.isOpen === true);
  const statuses = [...reaches.map(() => 200), ...(refusal === undefined ? [] : [refusal])];
  const outcome = await sendRow({
    port: sidecar.port.inbound,
    pieces,
    methods: methodsOf(reaches),
    answersBeforeProbe: isOpen ? statuses.length : undefined,
  });
  const wanted = reaches.map((request) => request.replace(" ", " own.test "));
  expect(outcome).toEqual({ statuses, answers: wanted, isOpen, rest: "" });

  for (const { name, whole, rest, begun } of believed()) {
    expect({ name, whole: withoutProbe(whole) }).toEqual({ name, whole: wanted });
    // A body that is refused on the way leaves a request that never ends; its connection is closed.
    if (refusal === undefined) expect({ name, rest, begun }).toEqual({ name, rest: "", begun: undefined });
  }
  const probes = isOpen ? ["GET /probe"] : [];
  // A span's path has no query.
  expect(forwarded()).toEqual([...reaches.map((request) => request.replace(/\?.*/, "")), ...probes]);
  const arrived = upstream.received().join("");
  if (row.arrives !== undefined) expect(arrived).toContain(row.arrives);
  if (row.never !== undefined) expect(arrived.toLowerCase()).not.toContain(row.never.toLowerCase());
}

function inPieces(bytes: string): readonly string[] {
  // What is long is long for its bound's sake, and needs no more cuts.
  const length = Math.max(PIECE_BYTES, Math.ceil(bytes.length / 40));
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
    bytes.slice(index * length, (index + 1) * length),
  );
}

describe.each(Object.entries(REQUEST_THEMES))("%s", (_theme, rows) => {
  it.each(rows)("$name: $why ($source)", async (row) => {
    await check(row, [row.bytes]);
  });

  it.each(rows)("$name, in pieces", async (row) => {
    await check(row, inPieces(row.bytes));
  });
});

describe("the table", () => {
  const names = Object.values(REQUEST_THEMES).flatMap((rows) => rows.map(({ name }) => name));

  it("has no two rows of one name", () => {
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it("stands in docs/conformance.md, which test/real/conformance.test.ts writes", () => {
    const cells = readFileSync("docs/conformance.md", "utf8").matchAll(
      /^\| (.+?) +\| (?:refused|normalised|as is)/gm,
    );
    expect([...cells].map(([, name]) => name?.replaceAll("\\", ""))).toEqual(expect.arrayContaining(names));
  });
});
