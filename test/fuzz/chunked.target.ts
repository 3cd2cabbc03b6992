/**
 * BodyReader over the chunked coding: whatever comes, in whatever pieces, ends as the reference decoder says, at the same
 * byte, with the same content and trailers, and what passes is what came.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { BodyReader } from "../../src/http1/body-reader.ts";
import { CHUNKED } from "../../src/http1/framing.ts";
import { trailerTexts } from "./heads.ts";
import { decodeChunks, encodeChunks } from "./reference-chunks.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, cutAt, cutPlaces, damaged, piecesOf } from "./texts.ts";

const EXTENSIONS = [
  "",
  "",
  "",
  ";a",
  " ; a = b\t;c",
  ';a=";\\"\\\\ \t\xff"',
  `;${"a".repeat(1022)}`,
  `;${"a".repeat(1023)}`,
];
const PIECES = [
  "0",
  "1",
  "a",
  "F",
  "5",
  "\r\n",
  "\r\n",
  "\r",
  "\n",
  ";",
  "=",
  '"',
  "\\",
  " ",
  "\t",
  "x",
  "a:b",
  "\xff",
];
const PHRASES = ["0\r\n\r\n", "\r\n\r\n", "0x", ";a=b", '"', "0000000000000", "ffffffffffffff", "\r\n "];

const valid = fc
  .record({
    chunks: fc.array(fc.oneof(anyBytes(20).filter(Boolean), fc.constantFrom("\r\n", "0\r\n\r\n")), {
      maxLength: 4,
    }),
    extension: fc.constantFrom(...EXTENSIONS),
    trailers: fc.oneof({ arbitrary: fc.constant(""), weight: 2 }, { arbitrary: trailerTexts, weight: 1 }),
    next: fc.constantFrom("", "GET / HTTP/1.1\r\n", "\r\n", "0\r\n\r\n"),
  })
  .map(({ chunks, extension, trailers, next }) => encodeChunks(chunks, extension, trailers) + next);

const bodies: fc.Arbitrary<string> = fc.oneof(
  valid,
  damaged(valid, PHRASES),
  piecesOf(PIECES, 20),
  anyBytes(30),
);

interface Read {
  readonly state: "done" | "more" | "fault";
  readonly passed: string;
  readonly trailers: string;
  /** Bytes of the text that belong to the body. */
  readonly end: number;
}

function read(pieces: readonly Buffer[], trailersMax: number, onBytes?: (bytes: Buffer) => void): Read {
  const reader = new BodyReader(CHUNKED, trailersMax, onBytes);
  let passed = "";
  let before = 0;
  for (const bytes of pieces) {
    const piece = reader.read(bytes, 0);
    if (typeof piece === "string") return { state: "fault", passed, trailers: "", end: 0 };
    ok(0 <= piece.passEnd && piece.passEnd <= piece.end && piece.end <= bytes.length, "beyond the input");
    passed += bytes.toString("latin1", 0, piece.passEnd);
    if (piece.isDone) return { state: "done", passed, trailers: reader.trailers, end: before + piece.end };
    equal(piece.end, bytes.length, "not done, but bytes are left");
    before += bytes.length;
  }
  return { state: "more", passed, trailers: "", end: before };
}

interface Case {
  readonly text: string;
  readonly places: readonly number[];
  readonly trailersMax: number;
}

function check({ text, places, trailersMax }: Case): void {
  const expected = decodeChunks(text, trailersMax);
  for (const cuts of [[], places]) {
    let content = "";
    const pieces = cutAt(text, cuts);
    const ours = read(pieces, trailersMax);
    const uncoded = read(pieces, trailersMax, (bytes) => (content += bytes.toString("latin1")));
    equal(ours.state, expected.state);
    deepEqual(uncoded, ours, "read otherwise where the coding is taken off");
    ok(text.startsWith(ours.passed), "passed what did not come");
    if (ours.state !== "done") continue;
    deepEqual([ours.end, content], [expected.end, expected.content]);
    equal(ours.passed + ours.trailers, text.slice(0, ours.end), "what passes is not what came");
    // An empty section's CR may have come, and been held, before its LF.
    if (ours.trailers !== "\r\n") equal(ours.trailers, expected.trailers);
  }
}

export const CHUNKED_BODY: FuzzTarget = createTarget(
  "chunked-body",
  fc.property(
    fc.record({ text: bodies, places: cutPlaces, trailersMax: fc.constantFrom(65_536, 65_536, 24) }),
    check,
  ),
);
