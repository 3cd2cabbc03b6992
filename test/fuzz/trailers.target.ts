/**
 * formatTrailers: no trace header and no field that frames or routes is left, the rest is as it came; and parseConnection:
 * options as a list split by hand has them, or a refusal.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { parseConnection } from "../../src/http1/connection-options.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { formatTrailers } from "../../src/proxy/rewrite.ts";
import { trailerTexts } from "./heads.ts";
import { elementsOf, readReferenceLines } from "./reference-head.ts";
import { isTraceName, plainName } from "./scrubbed.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, piecesOf } from "./texts.ts";

const FIELDS = createProxyFields([]);
/** For nobody in a trailer section (RFC 9110 section 6.5.1), in any spelling. */
const NEVER = new Set(
  "host content-length transfer-encoding connection keep-alive upgrade te proxy-connection http2-settings"
    .split(" ")
    .concat(
      "authorization proxy-authorization x-forwarded-for x-forwarded-proto x-forwarded-host".split(" "),
    ),
);

function checkTrailers({ section, mayNameTrace }: { section: string; mayNameTrace: boolean }): void {
  const lines = readReferenceLines(section);
  if (lines === undefined) return;
  const { text, removed } = formatTrailers(section, FIELDS, mayNameTrace);
  const left = readReferenceLines(text);
  ok(left !== undefined, `not valid: ${text}`);
  const isCut = ([name]: readonly [string, string]): boolean =>
    NEVER.has(plainName(name)) || (isTraceName(name) && !mayNameTrace);
  ok(!left.some(isCut), `not cut: ${text}`);
  const isKept = ([name]: readonly [string, string]): boolean =>
    !NEVER.has(plainName(name)) && !isTraceName(name);
  deepEqual(left.filter(isKept), lines.filter(isKept), "a line changed");
  if (!mayNameTrace) equal(removed, lines.filter(([name]) => isTraceName(name)).length);
}

export const TRAILERS: FuzzTarget = createTarget(
  "trailers",
  fc.property(fc.record({ section: trailerTexts, mayNameTrace: fc.boolean() }), checkTrailers),
);

const OPTIONS = [
  "close",
  "Close",
  "keep-alive",
  "upgrade",
  "te",
  "x-a",
  "X-B",
  "host",
  "date",
  ",",
  ", ",
  " ",
  "\t",
  "\xa0",
];
const FORBIDDEN = ["content-length", "transfer-encoding", "host", "authorization", "date", "trailer"];
const IMPLIED = new Set([
  "close",
  "upgrade",
  "keep-alive",
  "proxy-connection",
  "te",
  "http2-settings",
  "connection",
]);

function checkOptions(values: readonly string[]): void {
  const options = parseConnection(values);
  const elements = elementsOf(values);
  if (options === undefined) return;
  const { isClose, isKeepAlive, isUpgrade, nominated } = options;
  deepEqual(
    { isClose, isKeepAlive, isUpgrade, nominated },
    {
      isClose: elements.includes("close"),
      isKeepAlive: elements.includes("keep-alive"),
      isUpgrade: elements.includes("upgrade"),
      nominated: elements.filter((element) => !IMPLIED.has(element)),
    },
  );
  ok(!elements.some((element) => FORBIDDEN.includes(element)), "lets a sender drop what frames or routes");
}

export const CONNECTION_OPTIONS: FuzzTarget = createTarget(
  "connection-options",
  fc.property(
    fc.array(fc.oneof(piecesOf(OPTIONS, 6), piecesOf([...FORBIDDEN, ",", ", "], 3), anyBytes(12)), {
      minLength: 1,
      maxLength: 3,
    }),
    checkOptions,
  ),
);
