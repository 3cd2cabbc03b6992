/**
 * Question: what does it cost to prove who sent a request whose key is known, beside the bare verification of node:crypto, and what
 *           does the body add?
 * Decision it feeds: requests without a body are verified before their head is forwarded while that costs at most 1.5 bare
 *           verifications; `authenticate_body_limit` is where a body's canonical form costs about as much as a few of them.
 * Input:    a captured key request of Synapse with its key; bodies of messages of 4 and 64 KiB, as Synapse sends them (keys in
 *           order) and with every object's keys the other way round.
 * Checked:  the captured signature verifies and another path's does not; both bodies of a size have one canonical form.
 * Run:      npx vitest bench --run bench/proof.bench.ts   (alone on the machine, 5 times). The ratio is said on the console.
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { bench, describe } from "vitest";
import { parseServerName } from "../src/peer/server-name.ts";
import { canonicalJson, canonicalOf } from "../src/proof/canonical-json.ts";
import { loadEd25519 } from "../src/proof/ed25519.ts";
import { createServerKeyReader } from "../src/proof/server-keys.ts";
import { readXMatrixSignatures, requestSigningText } from "../src/proof/x-matrix-signature.ts";

const KEY_ID = "ed25519:a_TTAl";
/** Of the ratio: verifications of each kind by turns, in so many rounds, of which the median counts. */
const ROUNDS = 31;
const ROUND = 100;
const ENOUGH = { iterations: 200, warmupIterations: 100, time: 1000 };

interface Capture {
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly respBody?: string;
}

const captures = readFileSync("test/fixtures/matrix-requests.jsonl", "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Capture);
const document = captures.find(({ respBody }) => respBody?.includes(`"verify_keys":{"${KEY_ID}"`))?.respBody;
const capture = captures.find(
  ({ method, rawHeaders }) => method === "GET" && rawHeaders.some((text) => text.includes(`key="${KEY_ID}"`)),
);
const own = parseServerName("hs1.test:8448");
if (document === undefined || capture === undefined || own === undefined) throw new Error("no capture");

const ed25519 = await loadEd25519();
const server = createServerKeyReader(ed25519).readServerKeys(document, "hs2.test:8448", 1_795_441_408_410);
if (typeof server === "string") throw new Error(server);
const { keys } = server;
const { method, path, rawHeaders } = capture;
const lines = rawHeaders.filter((_, at) => rawHeaders[at - 1] === "Authorization");
const destination = own.name;
const ownName = own;

/** All that a request without a body costs whose key is at hand. */
function isProven(uri: string): boolean {
  const read = readXMatrixSignatures(lines, ownName);
  if (typeof read === "string") return false;
  return read.signatures.some(({ keyId, signature, origin }) => {
    const key = keys.get(keyId);
    const text = requestSigningText({ method, uri, origin: origin.text, destination, content: undefined });
    return key !== undefined && ed25519.verify(text, signature, key);
  });
}

const read = readXMatrixSignatures(lines, own);
if (typeof read === "string") throw new Error(read);
const [first] = read.signatures;
const key = keys.get(KEY_ID);
if (first === undefined || key === undefined) throw new Error("no signature, or no key");
const bareText = Buffer.from(
  requestSigningText({ method, uri: path, origin: first.origin.text, destination, content: undefined }),
);
const isBareVerified = (): boolean => verify(null, bareText, key, first.signature);

if (!isProven(path) || isProven(`${path}x`) || !isBareVerified())
  throw new Error("not verified as it should be");

function microsecondsOf(run: () => unknown): number {
  const startMs = performance.now();
  for (let count = 0; count < ROUND; count++) run();
  return ((performance.now() - startMs) * 1000) / ROUND;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

const pairs = Array.from({ length: ROUNDS }, () => {
  const bare = microsecondsOf(isBareVerified);
  return { bare, proven: microsecondsOf(() => isProven(path)) };
});
const ratio = median(pairs.map(({ bare, proven }) => proven / bare));
const bareUs = median(pairs.map(({ bare }) => bare));
console.info(`proof ÷ bare verification: ${ratio.toFixed(2)} (bar 1.5), bare ${bareUs.toFixed(0)} µs`);

function messageOf(at: number): unknown {
  return {
    auth_events: [`$a${at}`, "$b"],
    content: { body: `Message ${at} of 1.5 or so`, msgtype: "m.text" },
    depth: at,
    hashes: { sha256: "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos" },
    origin_server_ts: 1_700_000_000_000 + at,
    prev_events: [`$c${at}`],
    room_id: "!room:hs2.test",
    sender: "@user:hs2.test",
    signatures: {
      "hs2.test": { [KEY_ID]: "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5" },
    },
    type: "m.room.message",
  };
}

function bodyOf(bytes: number): Buffer {
  const pdus: unknown[] = [];
  while (canonicalJson(pdus).length < bytes) pdus.push(messageOf(pdus.length));
  return Buffer.from(canonicalJson({ edus: [], origin: "hs2.test", pdus }));
}

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, reversed(item)]),
  );
}

describe("a request", () => {
  bench("bare verification", () => void isBareVerified(), ENOUGH);
  bench("proof, without a body", () => void isProven(path), ENOUGH);
});

describe("a body's canonical form", () => {
  for (const kib of [4, 64]) {
    const ordered = bodyOf(kib * 1024);
    const other = Buffer.from(JSON.stringify(reversed(JSON.parse(ordered.toString()))));
    const forms = [ordered, other].map(canonicalOf);
    if (forms.some((form) => typeof form === "string" || form.text !== ordered.toString())) {
      throw new Error("not one canonical form");
    }
    bench(`${kib} KiB, keys in order`, () => void canonicalOf(ordered), ENOUGH);
    bench(`${kib} KiB, keys the other way round`, () => void canonicalOf(other), ENOUGH);
  }
});
