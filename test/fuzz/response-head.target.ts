/**
 * parseResponseHead and formatResponse: what is taken is valid by the reference and framed the same, and what is passed
 * on of it is read again with the same status and body, with every other line as it came. A client that may not learn of
 * a trace sees none.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { CHUNKED, UNTIL_CLOSE } from "../../src/http1/framing.ts";
import { parseResponseHead, type ResponseHead } from "../../src/http1/response-head.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { formatResponse } from "../../src/proxy/rewrite.ts";
import { responseTexts } from "./heads.ts";
import { bodyOf, readReferenceResponse, type ReferenceHead } from "./reference-head.ts";
import {
  isFramingName,
  isFramingTwin,
  isNeverPassed,
  isPlainlyFramed,
  isTraceName,
  plainName,
} from "./scrubbed.ts";
import { createTarget, type FuzzTarget } from "./target.ts";

const LINES_MAX = 200;
const FIELDS = createProxyFields([]);
/** Removed from any answer, since they are answers to nobody. */
const NEVER_ANSWERED = /^(?:baggage|uberctx-.*|jaeger-baggage|jaeger-debug-id|x-b3-flags)$/;

interface Case {
  readonly text: string;
  readonly method: string;
  readonly mayNameTrace: boolean;
}

function check({ text, method, mayNameTrace }: Case): void {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return;
  const headText = text.slice(0, end + 4);
  const head = parseResponseHead(headText, method, FIELDS, LINES_MAX);
  if (head === undefined) return;
  const reference = readReferenceResponse(headText);
  ok(reference !== undefined, "taken, but not valid");
  equal(String(head.status), reference.startLine[1]);
  equal(head.bodyLength, expectedBody(head, reference, method), "another body");

  const rules = { mayNameTrace, isUnchunked: false, isSwitching: false, added: "" };
  const passed = formatResponse(head, rules);
  const again = parseResponseHead(passed.text, method, FIELDS, LINES_MAX);
  ok(again !== undefined, `passed on, it is refused: ${passed.text}`);
  deepEqual([again.status, again.bodyLength, again.isHttp10], [head.status, head.bodyLength, false]);
  checkLines(reference, passed.text, mayNameTrace);
}

/** RFC 9112 section 6.3, in its order. */
function expectedBody(head: ResponseHead, reference: ReferenceHead, method: string): number {
  const body = bodyOf(reference, head.isHttp10);
  const isBodiless = head.status < 200 || head.status === 204;
  if (isBodiless) ok(body === "none said" || body === 0, "framed, though it can have no body");
  if (isBodiless || head.status === 304 || method === "HEAD") return 0;
  if (body === "chunked") return CHUNKED;
  return typeof body === "number" ? body : UNTIL_CLOSE;
}

function checkLines(reference: ReferenceHead, text: string, mayNameTrace: boolean): void {
  const passed = readReferenceResponse(text);
  ok(passed !== undefined, "passed on, it is not valid");
  ok(isPlainlyFramed(text), `framed in a way that readers take differently: ${text}`);
  const isGone = isNeverPassed(reference);
  const isTraceGone = (name: string): boolean =>
    isTraceName(name) && plainName(name) !== "server-timing" && !mayNameTrace;
  for (const [name, value] of passed.lines) {
    ok(!isGone(name) && !isTraceGone(name) && !isFramingTwin(name), `not cut: ${name}`);
    ok(!NEVER_ANSWERED.test(plainName(name)), `not cut: ${name}`);
    const isTimed = plainName(name) === "server-timing" && !mayNameTrace;
    ok(!isTimed || !/(?:^|,)[ \t]*trace(?:parent)?[ \t]*(?:$|[,;])/i.test(value), `not cut: ${value}`);
  }
  const isKept = ([name]: readonly [string, string]): boolean =>
    !isGone(name) && !isTraceName(name) && !isFramingName(name) && plainName(name) !== "upgrade";
  deepEqual(passed.lines.filter(isKept), reference.lines.filter(isKept), "a line changed");
}

export const RESPONSE_HEAD: FuzzTarget = createTarget(
  "response-head",
  fc.property(
    fc.record({
      text: responseTexts,
      method: fc.constantFrom("GET", "GET", "HEAD"),
      mayNameTrace: fc.boolean(),
    }),
    check,
  ),
);
