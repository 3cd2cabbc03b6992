/**
 * HeadBuffer and parseRequestHead: whatever comes, in whatever pieces, is read one way or refused with a word of the
 * table. What is taken is valid by the reference, and what is passed on of it is read again as the same request, with
 * every other line as it came and no trace header left.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { MARK_SIZE } from "../../src/http1/fields.ts";
import { CHUNKED } from "../../src/http1/framing.ts";
import { HeadBuffer } from "../../src/http1/head-buffer.ts";
import { REQUEST_REFUSALS } from "../../src/http1/refusals.ts";
import { parseRequestHead, type RequestHead } from "../../src/http1/request-head.ts";
import { createProxyFields, TAG } from "../../src/proxy/field-tags.ts";
import { readRequestFields } from "../../src/proxy/request-fields.ts";
import { formatRequest } from "../../src/proxy/rewrite.ts";
import { requestTexts } from "./heads.ts";
import { bodyOf, readReferenceRequest, type ReferenceHead, valuesOf } from "./reference-head.ts";
import {
  isFramingName,
  isFramingTwin,
  isNeverPassed,
  isPlainlyFramed,
  isTraceName,
  plainName,
} from "./scrubbed.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { cutAt, cutPlaces } from "./texts.ts";

const LINES_MAX = 200;
const FIELDS = createProxyFields([]);
const ADDED = "x-forwarded-for: 192.0.2.1\r\n";
/** Removed or not by what they say. */
const BY_VALUE = new Set(["te", "upgrade", "proxy-authorization", "x-forwarded-for"]);

interface Taken {
  /** The head's text, "more", or the word of refusal. */
  readonly text: string;
  readonly head: RequestHead | undefined;
  /** Bytes behind the head, in this piece and in later ones. */
  readonly rest: number;
}

function take(pieces: readonly Buffer[], bytesMax: number): Taken {
  const buffer = new HeadBuffer(bytesMax);
  let left = pieces.reduce((sum, { length }) => sum + length, 0);
  for (const piece of pieces) {
    const found = buffer.take(piece, 0);
    if (found === "more") {
      left -= piece.length;
      continue;
    }
    if (typeof found === "string") return { text: found, head: undefined, rest: 0 };
    const head = parseRequestHead(found.text, FIELDS, LINES_MAX);
    if (typeof head === "string") return { text: head, head: undefined, rest: 0 };
    return { text: found.text, head, rest: left - found.end };
  }
  return { text: "more", head: undefined, rest: 0 };
}

function check({
  text,
  places,
  bytesMax,
}: {
  text: string;
  places: readonly number[];
  bytesMax: number;
}): void {
  const whole = take(cutAt(text, []), bytesMax);
  const inPieces = take(cutAt(text, places), bytesMax);
  // Over the bound a fault may be seen before the size is, or after it.
  if (text.length <= bytesMax || whole.head !== undefined)
    deepEqual(inPieces, whole, "pieces are read otherwise");
  const { head } = whole;
  if (head === undefined) {
    ok(whole.text === "more" || Object.hasOwn(REQUEST_REFUSALS, whole.text), `not a word: ${whole.text}`);
    return;
  }
  ok(head.text.length <= bytesMax, "longer than allowed");
  const reference = readReferenceRequest(head.text);
  ok(reference !== undefined, "taken, but not valid");
  checkReading(head, reference);
  checkForwarded(head, reference);
}

function checkReading(head: RequestHead, reference: ReferenceHead): void {
  const { method, target, isHttp10, bodyLength } = head;
  deepEqual([method, target, isHttp10 ? "HTTP/1.0" : "HTTP/1.1"], reference.startLine);
  equal(head.host, valuesOf(reference, "host")[0] ?? "");
  const body = bodyOf(reference, isHttp10);
  equal(bodyLength, body === "chunked" ? CHUNKED : body === "none said" ? 0 : body, "another body");
}

/** What the upstream is to see, as inbound has it. */
function checkForwarded(head: RequestHead, reference: ReferenceHead): void {
  const fields = readRequestFields(head, { isForwardedCut: true, isHostCut: false });
  const isHostAdded = head.host === "";
  const added = (isHostAdded ? "host: a\r\n" : "") + fields.framing + ADDED;
  const text = formatRequest(head, head.target, fields.cuts, added);
  const again = parseRequestHead(text, FIELDS, LINES_MAX + 2);
  if (typeof again === "string")
    throw new Error(`passed on, it is refused: ${again}: ${JSON.stringify(text)}`);
  const { method, target, bodyLength } = head;
  deepEqual([again.method, again.target, again.bodyLength], [method, target, bodyLength], "read otherwise");
  equal(again.host, isHostAdded ? "a" : head.host);
  ok(!again.isHttp10, "passed on as HTTP/1.0");
  for (let at = 0; at < again.marks.length; at += MARK_SIZE)
    ok((again.marks[at] ?? 0) < TAG.TRACE, "a trace header");

  const passed = readReferenceRequest(text);
  ok(passed !== undefined, "passed on, it is not valid");
  const isGone = isNeverPassed(reference);
  const isKept = ([name]: readonly [string, string]): boolean =>
    !isGone(name) && !isTraceName(name) && !isFramingName(name) && !BY_VALUE.has(plainName(name));
  ok(isPlainlyFramed(text), `framed in a way that servers read differently: ${text}`);
  const kept = passed.lines.slice(0, passed.lines.length - (added.split("\r\n").length - 1));
  ok(!kept.some(([name]) => isGone(name) || isTraceName(name) || isFramingTwin(name)), `not cut: ${text}`);
  deepEqual(kept.filter(isKept), reference.lines.filter(isKept), "a line changed");
  equal(fields.removed, reference.lines.filter(([name]) => isTraceName(name)).length, "removed");
}

export const REQUEST_HEAD: FuzzTarget = createTarget(
  "request-head",
  fc.property(
    fc.record({ text: requestTexts, places: cutPlaces, bytesMax: fc.constantFrom(65_536, 65_536, 64) }),
    check,
  ),
);
