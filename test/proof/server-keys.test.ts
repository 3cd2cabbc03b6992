/** Keys of servers' and notaries' documents: what counts, and every reason why nothing does. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadEd25519 } from "../../src/proof/ed25519.ts";
import {
  ANSWER_BYTES_MAX,
  createServerKeyReader,
  DOCUMENT_BYTES_MAX,
  KEYS_MAX,
  type KeysRefusal,
  LIFETIME_MAX_MS,
  NOTARY_DOCUMENTS_MAX,
  type ServerKeys,
} from "../../src/proof/server-keys.ts";
import { createSigner, type Signer } from "./signer.ts";

const NOW_MS = Date.UTC(2026, 10, 22);
const HOUR_MS = 3_600_000;
const ed25519 = await loadEd25519();
const { readServerKeys, readNotaryKeys } = createServerKeyReader(ed25519);
const signers = Array.from({ length: KEYS_MAX + 1 }, (_, at) =>
  createSigner(`ed25519:k${at}`, new Uint8Array(32).fill(at + 1)),
);
const [FIRST, SECOND] = signers as [Signer, Signer, ...Signer[]];

type Members = Readonly<Record<string, unknown>>;

function keysOf(...of: readonly Signer[]): Members {
  return Object.fromEntries(of.map(({ keyId, verifyKey }) => [keyId, { key: verifyKey }]));
}

/** Of hs1.test, with one key, valid for an hour, not signed. @param changes undefined: left out */
function unsignedDocument(changes: Members = {}): Members {
  const usual = {
    server_name: "hs1.test",
    valid_until_ts: NOW_MS + HOUR_MS,
    verify_keys: keysOf(FIRST),
    old_verify_keys: {},
  };
  return JSON.parse(JSON.stringify({ ...usual, ...changes })) as Members;
}

function document(changes: Members = {}, by: readonly Signer[] = [FIRST], name = "hs1.test"): Members {
  return by.reduce<Members>((signed, signer) => signer.signDocument(signed, name), unsignedDocument(changes));
}

function told(read: ServerKeys | KeysRefusal): unknown {
  return typeof read === "string"
    ? read
    : { ids: [...read.keys.keys()], lifetimeMs: read.validUntilMs - NOW_MS };
}

function readOf(body: unknown, serverName = "hs1.test"): unknown {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return told(readServerKeys(text, serverName, NOW_MS));
}

describe("readServerKeys", () => {
  it.each([
    { why: "one key", body: document() },
    { why: "no old keys", body: document({ old_verify_keys: undefined }) },
    { why: "what isn't signed", body: { ...document(), unsigned: { age_ts: 1 } } },
    { why: "signatures of others, a notary's", body: SECOND.signDocument(document(), "notary.test") },
    { why: "members of a later version", body: document({ "org.example": { "\u{1f600}": [null] } }) },
    { why: "a name in other letters", body: document({ server_name: "HS1.Test" }, [FIRST], "HS1.Test") },
    {
      why: "keys of other algorithms, which it passes over",
      body: document({ verify_keys: { ...keysOf(FIRST), "ed448:a": { key: "YQ" } } }),
    },
    {
      why: "a key that has not signed, which it passes over",
      body: document({ verify_keys: keysOf(FIRST, SECOND) }),
    },
    {
      why: "a key that is no key, which it passes over",
      body: document({ verify_keys: { ...keysOf(FIRST), "ed25519:x": { key: "YQ" }, "ed25519:y": null } }),
    },
    {
      why: "old keys, which it passes over though they signed",
      body: document({ old_verify_keys: { [SECOND.keyId]: { key: SECOND.verifyKey, expired_ts: 1 } } }, [
        FIRST,
        SECOND,
      ]),
    },
  ])("takes a document with $why", ({ body }) => {
    expect(readOf(body)).toEqual({ ids: [FIRST.keyId], lifetimeMs: HOUR_MS });
  });

  it("takes bytes, and every key that has signed", () => {
    const of = signers.slice(0, KEYS_MAX);
    const body = Buffer.from(JSON.stringify(document({ verify_keys: keysOf(...of) }, of)));
    expect(told(readServerKeys(body, "HS1.test", NOW_MS))).toMatchObject({
      ids: of.map(({ keyId }) => keyId),
    });
  });

  it.each([
    { why: "the last millisecond", validUntil: NOW_MS + 1, expected: 1 },
    { why: "a week", validUntil: NOW_MS + LIFETIME_MAX_MS, expected: LIFETIME_MAX_MS },
    { why: "more than a week", validUntil: NOW_MS + LIFETIME_MAX_MS + 1, expected: LIFETIME_MAX_MS },
    { why: "for ever", validUntil: Number.MAX_SAFE_INTEGER, expected: LIFETIME_MAX_MS },
  ])("keeps a document's keys for $why", ({ validUntil, expected }) => {
    expect(readOf(document({ valid_until_ts: validUntil }))).toMatchObject({ lifetimeMs: expected });
  });

  it.each([
    { why: "nothing", body: "", refusal: "json" },
    { why: "no object", body: "[]", refusal: "shape" },
    { why: "a fraction anywhere", body: '{"a":1.0}', refusal: "number" },
    { why: "half a character", body: String.raw`{"a":"\ud800"}`, refusal: "surrogate" },
    { why: "too deep a text", body: `{"a":${"[".repeat(600)}${"]".repeat(600)}}`, refusal: "depth" },
    { why: "a long text", body: " ".repeat(DOCUMENT_BYTES_MAX + 1), refusal: "too-large" },
    { why: "a text of the length that is read", body: " ".repeat(DOCUMENT_BYTES_MAX), refusal: "json" },
    { why: "no name", body: document({ server_name: undefined }), refusal: "shape" },
    { why: "no time", body: document({ valid_until_ts: undefined }), refusal: "shape" },
    { why: "a time in words", body: document({ valid_until_ts: "9" }), refusal: "shape" },
    { why: "no keys", body: document({ verify_keys: undefined }), refusal: "shape" },
    { why: "a list of keys", body: document({ verify_keys: [] }), refusal: "shape" },
    { why: "no signatures", body: unsignedDocument(), refusal: "shape" },
    { why: "another server's", body: document({ server_name: "hs2.test" }, [FIRST]), refusal: "name" },
    { why: "another port's", body: document({ server_name: "hs1.test:1" }), refusal: "name" },
    { why: "no server's", body: document({ server_name: "" }), refusal: "name" },
    { why: "expired now", body: document({ valid_until_ts: NOW_MS }), refusal: "expired" },
    { why: "expired long ago", body: document({ valid_until_ts: -1 }), refusal: "expired" },
    {
      why: "too many keys",
      body: document({ verify_keys: keysOf(...signers) }, signers),
      refusal: "too-many",
    },
    { why: "no key at all", body: document({ verify_keys: {} }), refusal: "unsigned" },
    { why: "signatures of nobody", body: { ...unsignedDocument(), signatures: {} }, refusal: "unsigned" },
    {
      why: "signatures that are none",
      body: { ...unsignedDocument(), signatures: { "hs1.test": "x" } },
      refusal: "unsigned",
    },
    { why: "another's signature", body: document({}, [SECOND]), refusal: "unsigned" },
    { why: "a signature in another's name", body: document({}, [FIRST], "hs2.test"), refusal: "unsigned" },
    {
      why: "another's signature under the key's id",
      body: document({}, [createSigner(FIRST.keyId, new Uint8Array(32).fill(99))]),
      refusal: "unsigned",
    },
    {
      why: "a signature from before it was changed",
      body: { ...document(), valid_until_ts: NOW_MS + 2 * HOUR_MS },
      refusal: "unsigned",
    },
    {
      why: "an old key alone",
      body: document({
        verify_keys: {},
        old_verify_keys: { [FIRST.keyId]: { key: FIRST.verifyKey, expired_ts: NOW_MS } },
      }),
      refusal: "unsigned",
    },
  ])("refuses $why", ({ body, refusal }) => {
    expect(readOf(body)).toBe(refusal);
  });

  it("finds nothing in what every object has", () => {
    const body = { ...unsignedDocument({ server_name: "constructor" }), signatures: {} };
    expect(readOf(body, "constructor")).toBe("unsigned");
  });

  it("never throws, and gives no key that has not signed", () => {
    const parts = fc.dictionary(
      fc.constantFrom("server_name", "valid_until_ts", "verify_keys", "signatures", "__proto__"),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(parts, (changes) => {
        const read = readOf({ ...document(), ...changes });
        if (typeof read !== "string") expect(read).toMatchObject({ ids: [FIRST.keyId] });
      }),
    );
  });
});

describe("readNotaryKeys", () => {
  const notarySigner = createSigner("ed25519:n", new Uint8Array(32).fill(77));
  const otherSigner = createSigner("ed25519:o", new Uint8Array(32).fill(78));
  const keyOf = ({
    keyId,
    verifyKey,
  }: Signer): [string, NonNullable<ReturnType<typeof ed25519.readVerifyKey>>] => {
    const key = ed25519.readVerifyKey(verifyKey);
    if (key === undefined) throw new Error("no key");
    return [keyId, key];
  };
  const notary = { serverName: "notary.test", keys: new Map([keyOf(otherSigner), keyOf(notarySigner)]) };
  const certified = (changes?: Members, by?: readonly Signer[]): Members =>
    notarySigner.signDocument(document(changes, by), "notary.test");
  const readAll = (documents: unknown): unknown =>
    told(readNotaryKeys(JSON.stringify({ server_keys: documents }), "hs1.test", NOW_MS, notary));

  it.each([
    { why: "the only document", documents: [certified()] },
    { why: "beside another server's", documents: [document({ server_name: "hs2.test" }), certified()] },
    { why: "beside what is no document", documents: [null, [], {}, certified()] },
    {
      why: "beside a longer one that the notary has not signed",
      documents: [document({ valid_until_ts: NOW_MS + 2 * HOUR_MS }), certified()],
    },
    {
      why: "beside a longer one that the server has not signed",
      documents: [certified({ valid_until_ts: NOW_MS + 2 * HOUR_MS }, [SECOND]), certified()],
    },
    { why: "beside one that has expired", documents: [certified({ valid_until_ts: 1 }), certified()] },
    {
      why: "that is valid longest",
      documents: [
        certified({ valid_until_ts: NOW_MS + 1 }),
        certified(),
        certified({ valid_until_ts: NOW_MS + 2 }),
      ],
    },
  ])("takes the document $why", ({ documents }) => {
    expect(readAll(documents)).toEqual({ ids: [FIRST.keyId], lifetimeMs: HOUR_MS });
  });

  it("takes the newest of those that are valid for more than a week", () => {
    const week = NOW_MS + LIFETIME_MAX_MS;
    const older = certified({ valid_until_ts: week + 1 });
    const newer = certified({ valid_until_ts: week + 2, verify_keys: keysOf(SECOND) }, [SECOND]);
    expect(readAll([older, newer])).toEqual({ ids: [SECOND.keyId], lifetimeMs: LIFETIME_MAX_MS });
  });

  it.each([
    { why: "no list", documents: {}, refusal: "shape" },
    { why: "an empty list", documents: [], refusal: "missing" },
    { why: "documents of others", documents: [certified({ server_name: "hs2.test" })], refusal: "missing" },
    { why: "what is no document", documents: [1], refusal: "shape" },
    { why: "what the notary has not signed", documents: [document()], refusal: "notary" },
    {
      why: "what another has signed under the id of its key",
      documents: [
        createSigner("ed25519:n", new Uint8Array(32).fill(5)).signDocument(document(), "notary.test"),
      ],
      refusal: "notary",
    },
    { why: "what only the notary has signed", documents: [certified({}, [])], refusal: "unsigned" },
    { why: "what has expired", documents: [certified({ valid_until_ts: NOW_MS })], refusal: "expired" },
    {
      why: "too many documents",
      documents: Array.from({ length: NOTARY_DOCUMENTS_MAX + 1 }, () => certified()),
      refusal: "too-many",
    },
  ])("refuses $why", ({ documents, refusal }) => {
    expect(readAll(documents)).toBe(refusal);
  });

  it("takes as many documents as it reads, and refuses more bytes than it reads", () => {
    expect(readAll(Array.from({ length: NOTARY_DOCUMENTS_MAX }, () => certified()))).toMatchObject({
      ids: [FIRST.keyId],
    });
    const spaces = (count: number): unknown =>
      told(readNotaryKeys(" ".repeat(count), "hs1.test", NOW_MS, notary));
    expect([spaces(ANSWER_BYTES_MAX), spaces(ANSWER_BYTES_MAX + 1)]).toEqual(["json", "too-large"]);
  });
});
