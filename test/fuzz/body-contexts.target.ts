/** Trace contexts in bodies: the same number in any pieces, which is the number that a look at the whole body gives. */

import { equal } from "node:assert/strict";
import fc from "fast-check";
import { BodyContexts } from "../../src/proxy/body-contexts.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, cutAt, cutPlaces, damaged, piecesOf } from "./texts.ts";

const NAME = "org.matrix.opentracing_context";
const PIECES = [
  `"${NAME}"`,
  `"${NAME}":`,
  `"${NAME}": `,
  `"${NAME}" :`,
  `${NAME}"`,
  `"${NAME}`,
  NAME.slice(0, 12),
  NAME.slice(12),
  '"',
  ":",
  " ",
  '"{}"',
  '"null"',
  "null",
  "{}",
  '""',
  String.raw`"{\"uber-trace-id\":\"1:2:0:1\"}"`,
  "{",
  "}",
  ',"edu_type":"m.direct_to_device"',
  "p".repeat(50),
];
const SAMPLE = `{"edus":[{"content":{"${NAME}":"{1}"}},{"content":{"${NAME}": "{}"}}],"origin":"a.test"}`;

const bodies = fc.oneof(
  piecesOf(PIECES, 12),
  damaged(fc.constant(SAMPLE), PIECES),
  anyBytes(40).map((text) => `"${NAME}":${text}`),
);

/** Bytes that must follow a key before it is judged: a JSON text goes on for longer. */
const FOLLOWING_MIN = 9;

/** Of the whole body: keys that a colon follows, and behind that something that says more than nothing. */
function countIn(body: string): number {
  const key = `"${NAME}"`;
  return Array.from(body, (_, at) => at)
    .filter((at) => body.startsWith(key, at))
    .map((at) => body.slice(at + key.length))
    .filter((rest) => rest.length >= FOLLOWING_MIN)
    .map((rest) => /^ ?: ?(.*)$/s.exec(rest.slice(0, FOLLOWING_MIN))?.[1])
    .filter((value) => value !== undefined && !/^(?:"\{\}"|"null"|null|\{\}|"")/.test(value)).length;
}

function check({ text, places }: { text: string; places: readonly number[] }): void {
  const expected = countIn(text);
  for (const pieces of [
    cutAt(text, []),
    cutAt(text, places),
    Array.from(text, (byte) => Buffer.from(byte, "latin1")),
  ]) {
    const contexts = new BodyContexts();
    for (const piece of pieces) contexts.read(piece);
    equal(contexts.count, expected, `counted otherwise in ${pieces.length} pieces`);
  }
}

export const BODY_CONTEXTS: FuzzTarget = createTarget(
  "body-contexts",
  fc.property(fc.record({ text: bodies, places: cutPlaces }), check),
);
