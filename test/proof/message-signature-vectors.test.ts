/**
 * The published examples: RFC 9421 appendix B.2 where it uses our algorithms, and draft-cavage-http-signatures-12 appendix C.3.
 *
 * B.2.1 covers nothing and B.2.6 no query, so they can't be proofs of a request; what is tested of them is the text that is signed.
 * B.2.2 has a component that is not read, B.2.4 and B.2.5 algorithms that aren't taken.
 */

import { createPublicKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readCavage } from "../../src/proof/cavage.ts";
import { openHttpSignature } from "../../src/proof/http-signature.ts";
import { readInputs, readMessageSignature, readSignatureValues } from "../../src/proof/message-signature.ts";
import { isSignedBy, refuseKey } from "../../src/proof/signature-scheme.ts";
import type { ReadRefusal, ReadSignature } from "../../src/proof/signed-message.ts";
import { messageOf, type TestRequest } from "./requests.ts";

/** B.1.2, test-key-rsa-pss. */
const RSA_KEY = createPublicKey(`-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----`);
/** B.1.4, test-key-ed25519. */
const ED25519_KEY = createPublicKey(`-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----`);
/** Of the draft's appendix C. */
const DRAFT_KEY = createPublicKey(`-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----`);

const CREATED_MS = 1_618_884_473_000;

/** test-request of B.2. */
const REQUEST: TestRequest = {
  method: "POST",
  target: "/foo?param=Value&Pet=dog",
  body: '{"hello": "world"}',
  lines: [
    ["Host", "example.com"],
    ["Date", "Tue, 20 Apr 2021 02:07:55 GMT"],
    ["Content-Type", "application/json"],
    [
      "Content-Digest",
      "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
    ],
    ["Content-Length", "18"],
  ],
};
const MESSAGE = messageOf(REQUEST);

const B21 = {
  input: 'sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
  signature:
    "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:",
};
const B22 = {
  input:
    'sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"',
  signature:
    "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
};
const B23 = {
  input:
    'sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
  signature:
    "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
};
const B26 = {
  input:
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
  signature:
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
};

function read({ input, signature }: typeof B21): ReadSignature | ReadRefusal {
  const [first] = readInputs([input]) ?? [];
  const values = readSignatureValues([signature]);
  if (first === undefined || values === undefined) throw new Error("not readable");
  return readMessageSignature(first, values, MESSAGE);
}

function readable(result: ReadSignature | ReadRefusal): ReadSignature {
  if (typeof result === "string") throw new Error(result);
  return result;
}

describe("RFC 9421", () => {
  it.each([
    {
      why: "B.2.1",
      vector: B21,
      key: RSA_KEY,
      scheme: "rsa-pss-sha512",
      isBound: false,
      base: [
        '"@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
      ],
    },
    {
      why: "B.2.3",
      vector: B23,
      key: RSA_KEY,
      scheme: "rsa-pss-sha512",
      isBound: true,
      base: [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@query": ?param=Value&Pet=dog',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
      ],
    },
    {
      why: "B.2.6",
      vector: B26,
      key: ED25519_KEY,
      scheme: "ed25519",
      isBound: false,
      base: [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
      ],
    },
  ] as const)("$why: the base, and its signature", ({ vector, key, scheme, isBound, base }) => {
    const signature = readable(read(vector));
    expect(signature.base.split("\n")).toEqual(base);
    expect(signature.isBound).toBe(isBound);
    expect(isSignedBy(key, scheme, Buffer.from(signature.base), signature.signature)).toBe(true);
  });

  it("B.2.2 is refused for @query-param", () => {
    expect(read(B22)).toBe("component");
  });

  it("the base is the same with other blanks between (section 2.3)", () => {
    const input = B23.input
      .replaceAll('" "', '"   "')
      .replace("(", "(  ")
      .replaceAll(";", "; ")
      .replace(")", " )");
    expect(readable(read({ ...B23, input })).base).toBe(readable(read(B23)).base);
  });

  it("a flag that is written out is the same without its value (RFC 8941 section 3.1.2)", () => {
    const input = `${B21.input};flag=?1;off=?0`;
    expect(readable(read({ ...B21, input })).base).toMatch(/gnwp\.yemd";flag;off=\?0$/);
  });

  it("B.2.3 is verified as a whole, but for its key's id, which is no URL", () => {
    const lines = { authorization: [], signature: [B23.signature], signatureInput: [B23.input] };
    const message = { ...MESSAGE, isOwn: () => true };
    expect(openHttpSignature(lines, message, CREATED_MS)).toBe("name");
    const opened = readable(read(B23));
    expect(opened).toMatchObject({ digests: ["content-digest"], madeMs: [CREATED_MS], expiresMs: undefined });
  });
});

describe("draft-cavage-http-signatures-12", () => {
  const lines = [
    ["Host", "example.com"],
    ["Date", "Sun, 05 Jan 2014 21:31:40 GMT"],
    ["Content-Type", "application/json"],
    ["Digest", "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="],
    ["Content-Length", "18"],
  ] as const;
  const message = messageOf({ ...REQUEST, target: "/foo?param=value&pet=dog", lines });
  const C3 =
    'keyId="Test",algorithm="rsa-sha256",headers="(request-target) host date content-type digest content-length",signature="vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUHFv120V01IL+TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE="';

  it("C.3: the base, and its signature, whose key is too short", () => {
    const signature = readable(readCavage(C3, message));
    expect(signature.base.split("\n")).toEqual([
      "(request-target): post /foo?param=value&pet=dog",
      "host: example.com",
      "date: Sun, 05 Jan 2014 21:31:40 GMT",
      "content-type: application/json",
      "digest: SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
      "content-length: 18",
    ]);
    expect(isSignedBy(DRAFT_KEY, "rsa-v1_5-sha256", Buffer.from(signature.base), signature.signature)).toBe(
      true,
    );
    expect(refuseKey(DRAFT_KEY)).toBe("key-size");
  });
});
