/** readActorKey: every form of document that servers show, and every reason for which there is no key in one. */

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readActorKey } from "../../src/proof/actor-key.ts";
import { ACTOR, actorOf, MULTIKEY, multibaseOf, multikeyOf, pemOf, PUBLIC_KEY, RSA_PEM } from "./actors.ts";
import { ED25519, KEY_ID, RSA } from "./requests.ts";
import { rsaPair } from "../support/rsa-keys.ts";

const OTHER = { ...PUBLIC_KEY, id: `${ACTOR}#other`, publicKeyPem: "none" };
const EVIL = "https://evil.example/actor";

describe("finds the key", () => {
  it.each([
    { why: "of an actor of Mastodon", body: actorOf() },
    { why: "of a list", body: actorOf({ publicKey: [OTHER, PUBLIC_KEY] }) },
    {
      why: "as the sixteenth",
      body: actorOf({ publicKey: [...Array<unknown>(15).fill(OTHER), PUBLIC_KEY] }),
    },
    {
      why: "in PKCS #1",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, publicKeyPem: pemOf(RSA.publicKey, "pkcs1") } }),
    },
    {
      why: "with other line ends, and blanks around",
      body: actorOf({
        publicKey: { ...PUBLIC_KEY, publicKeyPem: ` \n${RSA_PEM.replaceAll("\n", "\r\n")}\n ` },
      }),
    },
    {
      why: "as long as may be",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, publicKeyPem: pemOfLength(4096) } }),
    },
    {
      why: "with a controller in the place of the owner",
      body: actorOf({ publicKey: { id: KEY_ID, controller: ACTOR, publicKeyPem: RSA_PEM } }),
    },
    {
      why: "beside things of other kinds",
      body: actorOf({ publicKey: [null, 1, "x", [PUBLIC_KEY], PUBLIC_KEY], assertionMethod: "x" }),
    },
    {
      why: "where the actor has the key's id",
      body: actorOf({ id: KEY_ID, publicKey: { ...PUBLIC_KEY, owner: KEY_ID } }),
    },
  ])("$why", ({ body }) => {
    expect(keyOf(body)).toBe(RSA_PEM);
  });

  it.each([
    { why: "of assertionMethod", body: actorOf({ assertionMethod: [MULTIKEY] }) },
    { why: "beside another publicKey", body: actorOf({ publicKey: OTHER, assertionMethod: [MULTIKEY] }) },
    {
      why: "as PEM",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, publicKeyPem: pemOf(ED25519.publicKey) } }),
    },
  ])("Ed25519, $why", ({ body }) => {
    expect(keyOf(body)).toBe(pemOf(ED25519.publicKey));
  });

  it("of GoToSocial, at a path of its own", () => {
    const keyId = `${ACTOR}/main-key`;
    const body = actorOf({ publicKey: { ...PUBLIC_KEY, id: keyId } });
    expect(typeof readActorKey(body, keyId)).toBe("object");
  });

  it("of a server with a port", () => {
    const [keyId, owner] = ["https://own.example:8443/a#k", "https://own.example:8443/a"];
    const body = actorOf({ id: owner, publicKey: { id: keyId, owner, publicKeyPem: RSA_PEM } });
    expect(typeof readActorKey(body, keyId)).toBe("object");
  });
});

/** With blanks where PEM lets them stand. */
function pemOfLength(length: number): string {
  const pem = RSA_PEM.trim();
  return pem.replace("\n-----END", `${" ".repeat(length - pem.length)}\n-----END`);
}

function keyOf(body: string): string {
  const read = readActorKey(body, KEY_ID);
  return typeof read === "string" ? read : pemOf(read);
}

describe("finds none", () => {
  const withPem = (publicKeyPem: unknown): string => actorOf({ publicKey: { ...PUBLIC_KEY, publicKeyPem } });
  const withMultibase = (publicKeyMultibase: unknown): string =>
    actorOf({ assertionMethod: { ...MULTIKEY, publicKeyMultibase } });
  const multibase = MULTIKEY.publicKeyMultibase;
  const certificate = new X509Certificate(readFileSync("test/fixtures/discovery/ca.pem")).toString();

  it.each([
    { why: "no JSON", body: "<html>", refusal: "json" },
    { why: "nothing", body: "", refusal: "json" },
    { why: "a list", body: `[${actorOf()}]`, refusal: "json" },
    { why: "null", body: "null", refusal: "json" },
    { why: "a text", body: '"x"', refusal: "json" },
    { why: "a depth that nobody needs", body: "[".repeat(200_000), refusal: "json" },
    { why: "no key", body: actorOf({}), refusal: "missing" },
    { why: "another key", body: actorOf({ publicKey: OTHER }), refusal: "missing" },
    {
      why: "a key without id",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, id: undefined } }),
      refusal: "missing",
    },
    {
      why: "an id in another case",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, id: KEY_ID.replace("own", "Own") } }),
      refusal: "missing",
    },
    { why: "a reference", body: actorOf({ publicKey: KEY_ID }), refusal: "missing" },
    {
      why: "as the seventeenth",
      body: actorOf({ publicKey: [...Array<unknown>(16).fill(OTHER), PUBLIC_KEY] }),
      refusal: "missing",
    },
    {
      why: "the id without a key",
      body: actorOf({ publicKey: { id: KEY_ID, owner: ACTOR } }),
      refusal: "missing",
    },
    { why: "a key by itself", body: JSON.stringify(PUBLIC_KEY), refusal: "missing" },
    {
      why: "a key by itself that owns itself",
      body: JSON.stringify({ ...PUBLIC_KEY, owner: KEY_ID }),
      refusal: "missing",
    },
    { why: "a Multikey by itself", body: JSON.stringify(MULTIKEY), refusal: "missing" },
    {
      why: "an owner who is another user of the same host",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, owner: `${ACTOR}2` } }),
      refusal: "owner",
    },
    {
      why: "an owner in other letters",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, owner: ACTOR.replace("own", "Own") } }),
      refusal: "owner",
    },
    {
      why: "a controller who is another user of the same host",
      body: actorOf({ assertionMethod: { ...MULTIKEY, controller: `${ACTOR}2` } }),
      refusal: "owner",
    },
    {
      why: "the actor of another host, which the key names",
      body: actorOf({ id: EVIL, publicKey: { ...PUBLIC_KEY, owner: EVIL } }),
      refusal: "owner",
    },
    {
      why: "no owner in a document without id",
      body: actorOf({ id: undefined, publicKey: { ...PUBLIC_KEY, owner: undefined } }),
      refusal: "owner",
    },
    {
      why: "an owner elsewhere",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, owner: EVIL } }),
      refusal: "owner",
    },
    { why: "no owner", body: actorOf({ publicKey: { ...PUBLIC_KEY, owner: undefined } }), refusal: "owner" },
    {
      why: "an owner that is no URL",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, owner: { id: ACTOR } } }),
      refusal: "owner",
    },
    {
      why: "an owner on another port",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, owner: "https://own.example:8443/actor" } }),
      refusal: "owner",
    },
    {
      why: "an owner here, and a controller elsewhere",
      body: actorOf({ publicKey: { ...PUBLIC_KEY, controller: EVIL } }),
      refusal: "owner",
    },
    {
      why: "a controller elsewhere",
      body: actorOf({ assertionMethod: { ...MULTIKEY, controller: EVIL } }),
      refusal: "owner",
    },
    {
      why: "the document of another host",
      body: actorOf({ id: EVIL, publicKey: PUBLIC_KEY }),
      refusal: "owner",
    },
    {
      why: "a document without id",
      body: actorOf({ id: undefined, publicKey: PUBLIC_KEY }),
      refusal: "owner",
    },
    {
      why: "a PEM of nothing",
      body: withPem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
      refusal: "encoding",
    },
    { why: "a PEM a character too long", body: withPem(pemOfLength(4097)), refusal: "encoding" },
    {
      why: "a private key",
      body: withPem(RSA.privateKey.export({ type: "pkcs8", format: "pem" })),
      refusal: "encoding",
    },
    { why: "a certificate", body: withPem(certificate), refusal: "encoding" },
    { why: "two keys", body: withPem(RSA_PEM + RSA_PEM), refusal: "encoding" },
    { why: "a list of keys", body: withPem([RSA_PEM]), refusal: "encoding" },
    {
      why: "RSA-1024",
      body: withPem(pemOf(rsaPair("short").publicKey)),
      refusal: "key-size",
    },
    {
      why: "an elliptic curve",
      body: withPem(pemOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey)),
      refusal: "key-type",
    },
    { why: "X25519", body: withPem(pemOf(generateKeyPairSync("x25519").publicKey)), refusal: "key-type" },
    {
      why: "a multibase of another alphabet",
      body: withMultibase(multibase.replace("z", "u")),
      refusal: "encoding",
    },
    {
      why: "a character that base58 lacks",
      body: withMultibase(`${multibase.slice(0, -1)}0`),
      refusal: "encoding",
    },
    { why: "a multibase a character too long", body: withMultibase(`${multibase}1`), refusal: "encoding" },
    {
      why: "a number too large for 34 bytes",
      body: withMultibase(`z6Mk${"z".repeat(44)}`),
      refusal: "encoding",
    },
    {
      why: "a multikey of another type",
      body: withMultibase(multikeyOf(ED25519.publicKey, [0xec, 0x01])),
      refusal: "encoding",
    },
    {
      why: "a multikey of 31 bytes",
      body: withMultibase(multibaseOf(Buffer.from(`ed01${"11".repeat(31)}`, "hex"))),
      refusal: "encoding",
    },
    { why: "a multibase that is no text", body: withMultibase(1), refusal: "encoding" },
  ])("$why", ({ body, refusal }) => {
    expect(keyOf(body)).toBe(refusal);
  });

  it("of a key id that is no URL", () => {
    expect(readActorKey(actorOf({ publicKey: { ...PUBLIC_KEY, id: "x" } }), "x")).toBe("owner");
  });
});
