/**
 * What is signed: a body has its canonical form or a word of refusal, and the form is what another program would make of the
 * same JSON; X-Matrix lines have signatures only where they have the one origin that is claimed.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { parseServerName } from "../../src/peer/server-name.ts";
import { parseXMatrixOrigin } from "../../src/peer/x-matrix.ts";
import { canonicalOf } from "../../src/proof/canonical-json.ts";
import {
  readXMatrixSignatures,
  requestSigningText,
  SIGNATURES_MAX,
} from "../../src/proof/x-matrix-signature.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const JSON_PIECES = (
  '{ } [ ] , : " "a" "b": "__proto__": "10": "9": 1 -0 1.0 1e3 9007199254740991 9007199254740992 true null \\ \\" \\u0061 ' +
  "\\ud83d \\ude00 \\ud800 \xed\xa0\x80 \xf0\x9f\x98\x80 \xef\xbf\xbd \xef\xbb\xbf \xff"
).split(" ");
const SAMPLES = [
  '{"pdus":[{"depth":12,"content":{"body":"1.0 \\"x\\" \xe6\x97\xa5"},"a":[true,null]}],"origin":"hs1.test"}',
  '{"b":{"\xf0\x9f\x98\x80":1,"\xef\xbf\xbd":2},"10":1,"9":-0}',
];
const bodies = fc.oneof(
  damaged(fc.constantFrom(...SAMPLES), JSON_PIECES),
  piecesOf(JSON_PIECES, 12),
  fc.json().map((text) => Buffer.from(text).toString("latin1")),
  anyBytes(30),
);
const JSON_WORDS = ["utf8", "json", "number", "surrogate", "depth"];

function checkCanonical(latin1: string): void {
  const bytes = Buffer.from(latin1, "latin1");
  const read = canonicalOf(bytes);
  const text = bytes.toString();
  if (typeof read === "string") {
    ok(JSON_WORDS.includes(read), `not a word: ${read}`);
    if (read === "utf8") return ok(!Buffer.from(text).equals(bytes), "UTF-8 is refused");
    if (read === "json") return ok(!isJson(text), "JSON is refused");
    // The rest is JSON, so all that stands outside of strings are numbers and words.
    const bare = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
    if (read === "number") ok(/[0-9][.eE]|[0-9]{16}/.test(bare), "an integer is refused");
    if (read === "surrogate") ok(/\\u[dD][89a-fA-F]/.test(text), "no half of a character");
    return;
  }
  equal(read.text, write(JSON.parse(text)), "not canonical");
  deepEqual(canonicalOf(Buffer.from(read.text)), read, "another form of its own");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Keys in the order of their UTF-8 bytes, which is that of their code points. */
function write(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([one], [other]) =>
    Buffer.compare(Buffer.from(one), Buffer.from(other)),
  );
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${write(item)}`).join(",")}}`;
}

export const CANONICAL_JSON: FuzzTarget = createTarget("canonical-json", fc.property(bodies, checkCanonical));

const SIG = "KmX9W6JT1MckWp5Fbvxp3d145Pk7XZrZGKBrA2A9Q9ah27EdrZ+nDruDDcfZS9q8QDU78eSPLMrNLAOCqz+wDQ";
const LINES = [
  `X-Matrix origin="hs2.test",key="ed25519:a",sig="${SIG}",destination="hs1.test"`,
  `X-Matrix origin=hs2.test,key=ed25519:a,sig=${SIG}==`,
];
const LINE_PIECES = `origin= a.test destination= hs1.test key= ed25519:a sig= ${SIG} " , \\ = \t`
  .split(" ")
  .concat(" ");
const lines = fc.array(
  fc.oneof(
    damaged(fc.constantFrom(...LINES), [",origin=b", ",destination=b", ",key=c", ",sig=d", '"', "\\"]),
    piecesOf(LINE_PIECES, 14).map((text) => `X-Matrix ${text}`),
    anyBytes(30),
  ),
  { maxLength: SIGNATURES_MAX + 2 },
);
const SIGNATURE_WORDS = "absent syntax name origins destination unsigned key signature".split(" ");

function checkSignatures(sent: readonly string[]): void {
  const own = parseServerName("hs1.test");
  ok(own !== undefined);
  const claimed = parseXMatrixOrigin(sent);
  const read = readXMatrixSignatures(sent, own);
  if (typeof read === "string") {
    ok(SIGNATURE_WORDS.includes(read), `not a word: ${read}`);
    if (typeof claimed === "string") ok(read === claimed || read === "destination", `${read}, ${claimed}`);
    return;
  }
  ok(typeof claimed !== "string", "proves what is not claimed");
  equal(read.origin.name, claimed.origin.name, "proves another than is claimed");
  ok(read.signatures.length > 0 && read.signatures.length <= SIGNATURES_MAX);
  ok(read.dropped === 0 || read.signatures.length === SIGNATURES_MAX);
  for (const { keyId, signature, origin, destination } of read.signatures) {
    ok(/^ed25519:[\w.-]+$/.test(keyId) && signature.length === 64);
    equal(origin.server.name, claimed.origin.name);
    equal(parseServerName(origin.text)?.name, claimed.origin.name);
    equal(destination?.server.name ?? own.name, own.name, "for somebody else");
    const request = { method: "GET", uri: sent[0] ?? "", origin: origin.text, destination: own.name };
    const text = requestSigningText({ ...request, content: "{}" });
    deepEqual(canonicalOf(Buffer.from(text)), { text }, "what is signed is not canonical");
  }
}

export const X_MATRIX_SIGNATURES: FuzzTarget = createTarget(
  "x-matrix-signatures",
  fc.property(lines, checkSignatures),
);
