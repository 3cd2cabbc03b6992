/**
 * Both directions with an implementation that is not ours, http-message-signatures: what it signs is verified here, and what is
 * verified here it takes as well.
 */

import type { KeyObject } from "node:crypto";
import {
  cavage as draft,
  createSigner,
  createVerifier,
  httpbis,
  type SigningKey,
} from "http-message-signatures";
import { describe, expect, it } from "vitest";
import {
  BODY,
  check,
  digestOf,
  ED25519,
  KEY_ID,
  NOW_MS,
  postRequest,
  RSA,
  signedByDraft,
  signedByRfc,
  signEd25519,
  signPss,
  signRsa,
  type TestRequest,
} from "./requests.ts";

const REQUEST = {
  method: "POST",
  url: "https://target.example/inbox?x=1&y=%20",
  headers: {
    Host: "target.example",
    Date: new Date(NOW_MS).toUTCString(),
    "Content-Length": String(Buffer.byteLength(BODY)),
    Digest: `SHA-256=${digestOf(BODY)}`,
    "Content-Digest": `sha-256=:${digestOf(BODY)}:, sha-512=:${digestOf(BODY, "sha512")}:`,
  },
};

const KEYS: readonly { readonly alg: string; readonly pair: typeof RSA; readonly sign: typeof signRsa }[] = [
  { alg: "rsa-v1_5-sha256", pair: RSA, sign: signRsa },
  { alg: "rsa-pss-sha512", pair: RSA, sign: signPss },
  { alg: "ed25519", pair: ED25519, sign: signEd25519 },
];

function arrived(headers: Readonly<Record<string, string | string[]>>): TestRequest {
  const lines = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  return { ...postRequest(), target: "/inbox?x=1&y=%20", lines };
}

function signingKey(key: KeyObject, alg: string): SigningKey {
  return { ...createSigner(key, alg), id: KEY_ID };
}

const RFC_FIELDS = [
  ["@method", "@target-uri", "content-digest"],
  ["@method", "@authority", "@path", "@query", "content-digest", "date"],
  ["@method", "@authority", "@request-target", "@scheme", "digest"],
];

describe.each(KEYS)("$alg", ({ alg, pair, sign }) => {
  it.each(RFC_FIELDS.map((fields) => ({ fields })))(
    "RFC 9421, signed by them: $fields",
    async ({ fields }) => {
      for (const params of [
        ["created", "keyid"],
        ["keyid", "alg", "created", "expires"],
      ]) {
        const created = new Date(NOW_MS);
        const expires = new Date(NOW_MS + 60_000);
        const signed = await httpbis.signMessage(
          {
            key: signingKey(pair.privateKey, alg),
            name: "sig",
            fields,
            params,
            paramValues: { created, expires },
          },
          REQUEST,
        );
        const request = arrived(signed.headers);
        expect(check(request, { key: pair.publicKey })).toBe("verified");
        expect(check({ ...request, target: "/inbox?x=1" }, { key: pair.publicKey })).toBe("signature");
      }
    },
  );

  it("RFC 9421, signed by us", async () => {
    const request = signedByRfc(postRequest(), { sign });
    const message = {
      method: "POST",
      url: `https://target.example${request.target}`,
      headers: Object.fromEntries(request.lines),
    };
    const keyLookup = async () => ({ id: KEY_ID, algs: [alg], verify: createVerifier(pair.publicKey, alg) });
    expect(
      await httpbis.verifyMessage({ keyLookup, tolerance: 0, notAfter: new Date(NOW_MS) }, message),
    ).toBe(true);
    expect(check(request, { key: pair.publicKey })).toBe("verified");
  });
});

describe("the draft", () => {
  const fields = ["@request-target", "host", "date", "digest"];

  it.each([
    { alg: "rsa-v1_5-sha256", pair: RSA, params: ["keyid"] },
    { alg: "ed25519", pair: ED25519, params: ["keyid"] },
  ])("signed by them: $alg", async ({ alg, pair, params }) => {
    const signed = await draft.signMessage(
      { key: signingKey(pair.privateKey, alg), fields, params, paramValues: {} },
      REQUEST,
    );
    expect(check(arrived(signed.headers), { key: pair.publicKey })).toBe("verified");
  });

  it("signed by us", async () => {
    const request = signedByDraft(postRequest(), { more: ',algorithm="hs2019"' });
    const message = {
      method: "POST",
      url: `https://target.example${request.target}`,
      headers: Object.fromEntries(request.lines),
    };
    const verify = createVerifier(RSA.publicKey, "rsa-v1_5-sha256");
    const keyLookup = async () => ({ id: KEY_ID, algs: ["hs2019"], verify });
    expect(await draft.verifyMessage({ keyLookup }, message)).toBe(true);
    expect(check(request)).toBe("verified");
  });
});
