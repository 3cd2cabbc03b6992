/**
 * Proofs by HTTP signatures: nothing throws, every refusal is a word that is known, and what is verified is what was signed: a request
 * that is damaged in any part that counts is not.
 */

import { equal, ok } from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { parseUrlServer } from "../../src/peer/server-name.ts";
import { readActorKey } from "../../src/proof/actor-key.ts";
import { refuseBody } from "../../src/proof/digest.ts";
import { openHttpSignature } from "../../src/proof/http-signature.ts";
import { refuseKey } from "../../src/proof/signature-scheme.ts";
import type { SignedMessage } from "../../src/proof/signed-message.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const KEY_ID = "https://a.test/actor#main-key";
const BODY = Buffer.from('{"type":"Note"}');
const HASH_BYTES = createHash("sha256").update(BODY).digest();
const HASH = HASH_BYTES.toString("base64");
const { publicKey, privateKey } = generateKeyPairSync("ed25519");

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly date: string;
  readonly digest: string;
  readonly signature: string;
  readonly signatureInput: string | undefined;
}

const PLAIN = {
  method: "POST",
  target: "/inbox?x=1",
  host: "b.test",
  date: new Date(NOW_MS).toUTCString(),
  digest: `SHA-256=${HASH}`,
};

function signed(base: string): string {
  return sign(null, Buffer.from(base, "latin1"), privateKey).toString("base64");
}

const DRAFT_BASE = `(request-target): post ${PLAIN.target}\nhost: ${PLAIN.host}\ndate: ${PLAIN.date}\ndigest: ${PLAIN.digest}`;
const RFC_INPUT = `("@method" "@target-uri" "digest");created=${NOW_MS / 1000};keyid="${KEY_ID}"`;
const RFC_BASE = `"@method": POST\n"@target-uri": https://b.test${PLAIN.target}\n"digest": ${PLAIN.digest}\n"@signature-params": ${RFC_INPUT}`;

const DRAFT: Sent = {
  ...PLAIN,
  signature: `keyId="${KEY_ID}",headers="(request-target) host date digest",signature="${signed(DRAFT_BASE)}"`,
  signatureInput: undefined,
};
const RFC: Sent = { ...PLAIN, signature: `s=:${signed(RFC_BASE)}:`, signatureInput: `s=${RFC_INPUT}` };

const PIECES = [
  'keyId="',
  `keyid="${KEY_ID}"`,
  ',headers="date"',
  ',headers="(request-target) host date digest"',
  ",created=1767225600",
  ",expires=1",
  ',algorithm="hs2019"',
  ";alg=",
  ";created",
  '"@path"',
  '("@method" "@target-uri")',
  ";sf",
  "s=",
  ",s=:YQ==:",
  "=:",
  '"',
  ",",
  " ",
  "\\",
];

const sent: fc.Arbitrary<Sent> = fc.constantFrom(DRAFT, RFC).chain((whole) => {
  const either = (text: string): fc.Arbitrary<string> =>
    fc.oneof(
      { weight: 6, arbitrary: fc.constant(text) },
      damaged(fc.constant(text), PIECES),
      piecesOf(PIECES, 8),
    );
  return fc.record({
    method: either(whole.method),
    target: either(whole.target),
    host: either(whole.host),
    date: either(whole.date),
    digest: either(whole.digest),
    signature: either(whole.signature),
    signatureInput:
      whole.signatureInput === undefined ? fc.constant(undefined) : either(whole.signatureInput),
  });
});

function messageOf({ method, target, host, date, digest }: Sent): SignedMessage {
  const lines: Readonly<Record<string, readonly string[]>> = { host: [host], date: [date], digest: [digest] };
  return {
    method,
    target,
    scheme: "https",
    authority: host,
    header: (name) => (Object.hasOwn(lines, name) ? (lines[name] ?? []) : []),
    isOwn: () => true,
  };
}

/** What is signed by both, whatever else is. Cases and the port that https means are no other method, host or algorithm. */
function essence({ method, target, host, digest }: Sent): string {
  return JSON.stringify([
    method.toLowerCase(),
    target,
    host.toLowerCase().replace(/:443$/, ""),
    digest.replaceAll(/^[ \t]+|[ \t]+$/g, ""),
  ]);
}

const ESSENCE = essence({ ...DRAFT });

function checkSent(request: Sent): void {
  const { signature, signatureInput } = request;
  const lines = {
    authorization: [],
    signature: [signature],
    signatureInput: signatureInput === undefined ? [] : [signatureInput],
  };
  const opened = openHttpSignature(lines, messageOf(request), NOW_MS);
  if (typeof opened === "string") return ok(/^[a-z]+$/.test(opened), `not a word: ${opened}`);
  equal(parseUrlServer(opened.keyId)?.name ?? opened.host.name, opened.host.name, "the key of another host");
  const verdict = opened.finish(publicKey, BODY);
  ok(/^[a-z-]+$/.test(verdict), `not a word: ${verdict}`);
  if (verdict !== "verified") return;
  equal(essence(request), ESSENCE, "another request than the one that was signed");
  equal(opened.finish(publicKey, Buffer.concat([BODY, BODY])), "digest");
}

export const HTTP_SIGNATURE_PROOF: FuzzTarget = createTarget(
  "http-signature-proof",
  fc.property(sent, checkSent),
);

const DIGEST_PIECES = ["SHA-256=", "sha-256=:", HASH, ":", ",", ", ", "MD5=YQ==", "sha-512=", "=", " ", "\t"];

export const DIGEST: FuzzTarget = createTarget(
  "digest",
  fc.property(
    fc.oneof(damaged(fc.constant(PLAIN.digest), DIGEST_PIECES), piecesOf(DIGEST_PIECES, 8), anyBytes(20)),
    (field) => {
      const refusal = refuseBody(field, BODY);
      // In bytes, since the last digit of Base64 has bits that mean nothing.
      const isThere = field
        .split(/[^A-Za-z0-9+/]+/)
        .some((text) => Buffer.from(text, "base64").equals(HASH_BYTES));
      if (refusal === undefined) ok(isThere, "the hash is not there");
      else ok(["digest", "digest-weak"].includes(refusal), `not a word: ${refusal}`);
    },
  ),
);

const PEM = publicKey.export({ type: "spki", format: "pem" });
const ACTOR = JSON.stringify({
  id: "https://a.test/actor",
  publicKey: { id: KEY_ID, owner: "https://a.test/actor", publicKeyPem: PEM },
});
const ACTOR_PIECES = [
  '"publicKeyPem":',
  '"publicKeyMultibase":"z6Mk',
  "1".repeat(44),
  '"id":',
  `"${KEY_ID}"`,
  '"https://b.test/"',
  "[",
  "]",
  "{",
  "}",
  "null",
  "1",
  ",",
  "\\n",
  "A",
  "=",
];
const KEY_WORDS = ["json", "missing", "owner", "encoding", "key-type", "key-size"];

export const ACTOR_KEY: FuzzTarget = createTarget(
  "actor-key",
  fc.property(
    fc.oneof(damaged(fc.constant(ACTOR), ACTOR_PIECES), piecesOf(ACTOR_PIECES, 12), anyBytes(30)),
    (body) => {
      const read = readActorKey(body, KEY_ID);
      if (typeof read === "string") return ok(KEY_WORDS.includes(read), `not a word: ${read}`);
      equal(refuseKey(read), undefined);
      // As JSON: `\/` in a text is a slash.
      ok(JSON.stringify(JSON.parse(body)).includes(KEY_ID), "a key that was not asked for");
    },
  ),
);
