/**
 * canonicalOf against the programs that Synapse signs with: the same text as its json module and `canonicaljson` make of
 * thousands of random bodies, valid, damaged and at every edge; and signatures that `signedjson` takes from us, and we from
 * it. One Python for all of them, that of Synapse's venv.
 *
 * The seed is in the test's output; FEDTRACE_SEED=NUMBER runs that one again.
 */

import { spawn } from "node:child_process";
import { text as readAll } from "node:stream/consumers";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { canonicalOf, DEPTH_MAX } from "../../src/proof/canonical-json.ts";
import { loadEd25519, readSignature } from "../../src/proof/ed25519.ts";
import { createSigner } from "../proof/signer.ts";
import { INSTALL_TIMEOUT_MS } from "./homeserver-pair.ts";
import { findSynapse } from "./synapse-python.ts";

const SEED = Number(process.env["FEDTRACE_SEED"] ?? Date.now() % 2 ** 31);
const DOCUMENTS = 4000;
const DAMAGED = 4000;

/**
 * A line in, a line out: `BODY SIGNATURE` in Base64 (`-`: none); the canonical text in Base64 and a signature over it,
 * then whether ours was good. `!` and the fault where Synapse would answer with one.
 */
const PYTHON = `
import base64, sys
from canonicaljson import encode_canonical_json
from signedjson.key import decode_signing_key_base64, get_verify_key
from signedjson.sign import SignatureVerifyException, sign_json, verify_signed_json
from synapse.util.json import json_decoder
key = decode_signing_key_base64("ed25519", "1", sys.argv[1])
for line in sys.stdin:
    body, signature = line.split()
    try:
        content = json_decoder.decode(base64.b64decode(body).decode("utf-8"))
        canonical = encode_canonical_json(content)
        theirs = sign_json({"content": content}, "a.test", key)["signatures"]["a.test"]["ed25519:1"]
    except (ValueError, RecursionError) as fault:
        print("!", type(fault).__name__)
        continue
    try:
        ours = {"content": content, "signatures": {"a.test": {"ed25519:1": signature}}}
        verify_signed_json(ours, "a.test", get_verify_key(key))
        verdict = "good"
    except SignatureVerifyException:
        verdict = "bad"
    print(base64.b64encode(canonical).decode(), theirs, verdict)
`;
import { unicodeText } from "../support/unicode-text.ts";

interface Answer {
  readonly fault?: string;
  readonly canonical?: string;
  readonly signature?: string;
  readonly isOursGood?: boolean;
}

const signer = createSigner("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1");
let python: string;
beforeAll(async () => {
  python = (await findSynapse()).path;
}, INSTALL_TIMEOUT_MS);

function signedText(canonical: string): string {
  return `{"content":${canonical}}`;
}

function lineOf(body: Buffer): string {
  const own = canonicalOf(body);
  return `${body.toString("base64")} ${typeof own === "string" ? "-" : signer.sign(signedText(own.text))}\n`;
}

async function askPython(bodies: readonly Buffer[]): Promise<readonly Answer[]> {
  const seed = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
  const child = spawn(python, ["-c", PYTHON, seed], { stdio: ["pipe", "pipe", "inherit"] });
  const answered = readAll(child.stdout);
  child.stdin.end(bodies.map(lineOf).join(""));
  const lines = (await answered).trimEnd().split("\n");
  expect(lines.length).toBe(bodies.length);
  return lines.map((line) => {
    const [first = "", signature = "", verdict] = line.split(" ");
    if (first === "!") return { fault: signature };
    const canonical = Buffer.from(first, "base64").toString();
    return { canonical, signature, isOursGood: verdict === "good" };
  });
}

/** Characters on which programs differ: ends of ranges, what may or must be escaped, halves of characters' order. */
const EDGES = 'aAz09"\\/\b\f\n\r\t\0\u0001\u001f\u007f\u0080\u00a0\u2028\u2029\ud7ff\ue000\ufeff\ufffd\uffff';
const character = fc.oneof(
  fc.constantFrom(...EDGES.split(""), "\u{10000}", "\u{1f600}", "\u{10ffff}"),
  unicodeText({ minLength: 1, maxLength: 1 }).filter((one) => !/\p{Surrogate}/u.test(one)),
);

const SHORT: Readonly<Record<string, string>> = {
  '"': String.raw`\"`,
  "\\": "\\\\",
  "/": String.raw`\/`,
  "\b": String.raw`\b`,
  "\f": String.raw`\f`,
  "\n": String.raw`\n`,
  "\r": String.raw`\r`,
  "\t": String.raw`\t`,
};

/** In one of the ways in which JSON may have it. */
function writeCharacter([one, way]: readonly [string, number]): string {
  const units = Array.from({ length: one.length }, (_, at) =>
    one.charCodeAt(at).toString(16).padStart(4, "0"),
  );
  const escaped = units.map((unit) => `\\u${way % 2 === 0 ? unit : unit.toUpperCase()}`).join("");
  if (way < 2) return escaped;
  const isBare = one >= " " && one !== '"' && one !== "\\";
  return way < 4 && isBare ? one : (SHORT[one] ?? (isBare ? one : escaped));
}

const strings = fc
  .array(fc.tuple(character, fc.nat({ max: 5 })), { maxLength: 6 })
  .map((characters) => `"${characters.map(writeCharacter).join("")}"`);
const keys = fc.oneof(
  strings,
  fc.constantFrom('"a"', String.raw`"\u0061"`, '"1"', '"10"', '"9"', '"-1"', '"__proto__"', '"toJSON"', '""'),
);
const numbers = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom("-0", "9007199254740991", "-9007199254740991", "4294967295", "-2147483648"),
);
const blanks = fc.constantFrom("", "", "", " ", "\n", "\t", "\r\n  ");

function between(items: readonly string[], blank: string): string {
  return blank + items.join(`${blank},${blank}`) + blank;
}

/** JSON as any program might write it: blanks, needless escapes, keys twice, in any order. */
const { value: documents } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.oneof(strings, numbers, fc.constantFrom("true", "false", "null")),
    fc
      .tuple(fc.array(tie("value"), { maxLength: 4 }), blanks)
      .map(([items, blank]) => `[${between(items, blank)}]`),
    fc.tuple(fc.array(fc.tuple(keys, tie("value")), { maxLength: 7 }), blanks).map(([members, blank]) => {
      const written = members.map(([key, value]) => `${key}${blank}:${blank}${value}`);
      return `{${between(written, blank)}}`;
    }),
  ),
}));

const PIECES = (
  "1.0 1e3 - 0 00 -0.0 9007199254740992 NaN Infinity tru .5 +1 \" \\ \\ud800 \\udc00 \\u , : { } [ ] // ' " +
  "\ufeff \u0001 \v \ud800 \u2003"
).split(" ");

/** What Synapse signs and the specification doesn't have. */
const oddNumbers: fc.Arbitrary<Buffer> = fc
  .tuple(documents, fc.constantFrom("1.0", "-0.0", "1e3", "2E-1", "9007199254740992", "-9007199254740992"))
  .map(([document, number]) => Buffer.from(`[${document},${number}]`));

/** A document with something else in it, put over what stood there; bytes cut off or changed. */
const damaged: fc.Arbitrary<Buffer> = fc
  .tuple(
    documents,
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...PIECES), fc.nat({ max: 2 })), { maxLength: 2 }),
    fc.option(fc.tuple(fc.nat(), fc.constantFrom(0x80, 0xc0, 0xed, 0xf5, 0xff, 0x22)), { freq: 3 }),
  )
  .map(([document, edits, byte]): Buffer => {
    const text = edits.reduce((whole, [place, piece, removed]) => {
      const at = place % (whole.length + 1);
      return whole.slice(0, at) + piece + whole.slice(at + removed);
    }, document);
    const bytes = Buffer.from(text);
    if (byte !== null && bytes.length > 0) bytes[byte[0] % bytes.length] = byte[1];
    return bytes;
  });

it(`writes ${DOCUMENTS} documents as canonicaljson, and signs as signedjson (seed ${SEED})`, async () => {
  const deep = "[".repeat(DEPTH_MAX) + "]".repeat(DEPTH_MAX);
  const texts = [deep, ...fc.sample(documents, { seed: SEED, numRuns: DOCUMENTS })];
  const bodies = texts.map((text) => Buffer.from(text));
  const { readVerifyKey, verify } = await loadEd25519();
  const key = readVerifyKey(signer.verifyKey);
  if (key === undefined) throw new Error("no key");

  const answers = await askPython(bodies);
  for (const [at, { canonical, signature = "", isOursGood, fault }] of answers.entries()) {
    const body = bodies[at] ?? Buffer.of();
    expect(fault, body.toString()).toBeUndefined();
    expect(canonicalOf(body), body.toString()).toEqual({ text: canonical });
    expect(isOursGood, body.toString()).toBe(true);
    const bytes = readSignature(signature);
    expect(bytes !== undefined && verify(signedText(canonical ?? ""), bytes, key), body.toString()).toBe(
      true,
    );
  }
});

it(`refuses what Synapse refuses of ${DAMAGED} damaged bodies, and fractions and sizes beside it (seed ${SEED})`, async () => {
  const bodies = fc.sample(fc.oneof({ arbitrary: damaged, weight: 9 }, oddNumbers), {
    seed: SEED,
    numRuns: DAMAGED,
  });
  const answers = await askPython(bodies);
  const told = { taken: 0, refused: 0, stricter: 0 };
  for (const [at, { canonical, fault }] of answers.entries()) {
    const body = bodies[at] ?? Buffer.of();
    const own = canonicalOf(body);
    if (typeof own !== "string") {
      told.taken++;
      expect(own, body.toString()).toEqual({ text: canonical });
    } else if (fault === undefined) {
      told.stricter++;
      expect(own, body.toString()).toBe("number");
      expect(/[0-9][.eE]|[0-9]{16}/.test(body.toString()), body.toString()).toBe(true);
    } else told.refused++;
  }
  for (const count of Object.values(told)) expect(count).toBeGreaterThan(DAMAGED / 100);
});
