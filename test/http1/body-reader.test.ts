/** BodyReader: the end of a body for each framing, and what lies behind it. Chunks in depth: chunked.test.ts. */

import { expect, it } from "vitest";
import { type BodyFault, BodyReader } from "../../src/http1/body-reader.ts";
import { CHUNKED, UNTIL_CLOSE } from "../../src/http1/framing.ts";
import { fragmentations } from "./fragments.ts";

interface Outcome {
  readonly passed: string;
  readonly isDone: boolean;
  readonly rest: string;
}

function read(pieces: readonly Buffer[], length: number): Outcome | BodyFault {
  const body = new BodyReader(length, 64);
  const outcome = { passed: "", isDone: false, rest: "" };
  for (const bytes of pieces) {
    if (outcome.isDone) {
      outcome.rest += bytes.toString("latin1");
      continue;
    }
    const piece = body.read(bytes, 0);
    if (typeof piece === "string") return piece;
    outcome.passed += bytes.toString("latin1", 0, piece.passEnd);
    outcome.rest += bytes.toString("latin1", piece.end);
    outcome.isDone = piece.isDone;
  }
  outcome.passed += body.trailers;
  return outcome;
}

it.each([
  { why: "a length", length: 3, text: "abcNEXT", passed: "abc", isDone: true },
  { why: "a length that is all there is", length: 7, text: "abcdefg", passed: "abcdefg", isDone: true },
  { why: "a length not yet reached", length: 8, text: "abcdefg", passed: "abcdefg", isDone: false },
  {
    why: "the connection's end",
    length: UNTIL_CLOSE,
    text: "0\r\n\r\nNEXT",
    passed: "0\r\n\r\nNEXT",
    isDone: false,
  },
  {
    why: "the last chunk",
    length: CHUNKED,
    text: "1\r\na\r\n0\r\n\r\nNEXT",
    passed: "1\r\na\r\n0\r\n\r\n",
    isDone: true,
  },
  {
    why: "the trailers",
    length: CHUNKED,
    text: "0\r\na: b\r\n\r\nNEXT",
    passed: "0\r\na: b\r\n\r\n",
    isDone: true,
  },
  { why: "a chunk not yet whole", length: CHUNKED, text: "2\r\na", passed: "2\r\na", isDone: false },
])("ends at $why", ({ length, text, passed, isDone }) => {
  for (const pieces of fragmentations(text)) {
    expect(read(pieces, length)).toEqual({ passed, isDone, rest: text.slice(passed.length) });
  }
});

it.each([
  { why: "a chunk", text: "x\r\n", fault: "chunk" },
  { why: "a trailer", text: "0\r\na\r\n\r\n", fault: "trailer" },
  { why: "the trailers' size", text: `0\r\n${"a".repeat(65)}`, fault: "head-size" },
])("tells the fault of $why", ({ text, fault }) => {
  for (const pieces of fragmentations(text)) expect(read(pieces, CHUNKED)).toBe(fault);
});

it("reads from where it is told", () => {
  const body = new BodyReader(3, 64);
  expect(body.read(Buffer.from("headab"), 4)).toEqual({ passEnd: 6, payload: 2, end: 6, isDone: false });
  expect(body.read(Buffer.from("xcNEXT"), 1)).toEqual({ passEnd: 2, payload: 1, end: 2, isDone: true });
});

it("hands chunks over without the coding where it is asked to", () => {
  let content = "";
  const body = new BodyReader(CHUNKED, 64, (bytes) => (content += bytes.toString("latin1")));
  body.read(Buffer.from("2\r\nab\r\n1;x=y\r\nc\r\n0\r\na: b\r\n\r\n"), 0);
  expect(content).toBe("abc");
});
