/** Ed25519 and the specification's vectors (appendices, "Cryptographic Test Vectors"): keys, signatures, and their Base64. */

import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../src/proof/canonical-json.ts";
import { isKeyId, loadEd25519, readSignature } from "../../src/proof/ed25519.ts";
import { createSigner } from "./signer.ts";

const { readVerifyKey, verify } = await loadEd25519();
const SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
const SPECIFIED = createSigner("ed25519:1", SEED);

function isVerified(text: string, signature: string, verifyKey: string): boolean {
  const key = readVerifyKey(verifyKey);
  const bytes = readSignature(signature);
  if (key === undefined || bytes === undefined) throw new Error("no key, or no signature");
  return verify(text, bytes, key);
}

describe("the specification's vectors", () => {
  it.each([
    {
      why: "nothing",
      document: {},
      signature: "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
    },
    {
      why: "members",
      document: { two: "Two", one: 1 },
      signature: "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
    },
    {
      why: "the smallest event, with its hash",
      document: {
        room_id: "!x:domain",
        sender: "@a:domain",
        origin: "domain",
        origin_server_ts: 1_000_000,
        hashes: { sha256: "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos" },
        type: "X",
        content: {},
        prev_events: [],
        auth_events: [],
        depth: 3,
      },
      signature: "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
    },
    {
      why: "a message without the content, which is what is signed of it",
      document: {
        content: {},
        event_id: "$0:domain",
        hashes: { sha256: "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g" },
        origin: "domain",
        origin_server_ts: 1_000_000,
        type: "m.room.message",
        room_id: "!r:domain",
        sender: "@u:domain",
      },
      signature: "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
    },
  ])("$why", ({ document, signature }) => {
    const text = canonicalJson(document);
    expect(SPECIFIED.sign(text)).toBe(signature);
    expect(isVerified(text, signature, SPECIFIED.verifyKey)).toBe(true);
  });
});

describe("verify", () => {
  it.each([
    { why: "another text", text: '{"a":2}', by: SPECIFIED },
    { why: "another key", text: '{"a":1}', by: createSigner("ed25519:1", new Uint8Array(32)) },
  ])("refuses $why", ({ text, by }) => {
    expect(isVerified('{"a":1}', SPECIFIED.sign('{"a":1}'), SPECIFIED.verifyKey)).toBe(true);
    expect(isVerified(text, SPECIFIED.sign('{"a":1}'), by.verifyKey)).toBe(false);
  });

  it("takes text beyond ASCII as UTF-8", () => {
    expect(isVerified('{"a":"日"}', SPECIFIED.sign('{"a":"日"}'), SPECIFIED.verifyKey)).toBe(true);
  });

  it("takes no key and no signature of zeros or ones for a proof, and does not throw", () => {
    for (const byte of [0, 255]) {
      const key = readVerifyKey(Buffer.alloc(32, byte).toString("base64"));
      if (key === undefined) throw new Error("no key");
      expect(verify("{}", Buffer.alloc(64, 255), key)).toBe(false);
      expect(isVerified("{}", Buffer.alloc(64, byte).toString("base64"), SPECIFIED.verifyKey)).toBe(false);
    }
  });
});

describe("Base64", () => {
  const signature = SPECIFIED.sign("{}");
  it.each([
    { why: "without padding", text: signature, length: 64 },
    { why: "with padding", text: `${signature}==`, length: 64 },
    { why: "half its padding", text: `${signature}=`, length: undefined },
    { why: "a letter less", text: signature.slice(1), length: undefined },
    { why: "a letter more", text: `A${signature}`, length: undefined },
    { why: "URLs' alphabet", text: `-${signature.slice(1)}`, length: undefined },
    { why: "bits left over", text: `${signature.slice(0, -1)}B`, length: undefined },
    { why: "a line end behind it", text: `${signature}\n`, length: undefined },
    { why: "nothing", text: "", length: undefined },
  ])("of a signature: $why", ({ text, length }) => {
    expect(readSignature(text)?.length).toBe(length);
  });

  it.each([
    { why: "without padding", text: SPECIFIED.verifyKey, isKey: true },
    { why: "with padding", text: `${SPECIFIED.verifyKey}=`, isKey: true },
    { why: "a letter less", text: SPECIFIED.verifyKey.slice(1), isKey: false },
    { why: "a letter more", text: `A${SPECIFIED.verifyKey}`, isKey: false },
    { why: "bits left over", text: `${SPECIFIED.verifyKey.slice(0, -1)}B`, isKey: false },
    { why: "nothing", text: "", isKey: false },
  ])("of a key: $why", ({ text, isKey }) => {
    expect(readVerifyKey(text) !== undefined).toBe(isKey);
  });
});

describe("isKeyId", () => {
  it.each([
    { text: "ed25519:1", isId: true },
    { text: "ed25519:a_B-c.9", isId: true },
    { text: `ed25519:${"a".repeat(128)}`, isId: true },
    { text: `ed25519:${"a".repeat(129)}`, isId: false },
    { text: "ed25519:", isId: false },
    { text: "ed25519:a b", isId: false },
    { text: "ed25519:a\n", isId: false },
    { text: "Ed25519:a", isId: false },
    { text: "rsa:a", isId: false },
  ])("$text: $isId", ({ text, isId }) => {
    expect(isKeyId(text)).toBe(isId);
  });
});
