/** parseHttpSignatureHost: the three places a key id comes in, and every refusal. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseHttpSignatureHost } from "../../src/peer/http-signature.ts";
import type { SignatureLines } from "../../src/peer/signature-reader.ts";

const NO_LINES: SignatureLines = { authorization: [], signature: [], signatureInput: [] };
const KEY = "https://hs.test/users/x#main-key";
const CAVAGE = `keyId="${KEY}",algorithm="rsa-sha256",headers="(request-target) host date",signature="Ab+/=="`;
const INPUT = `sig1=("@method" "@target-uri");created=1618884473;keyid="${KEY}";alg="ed25519"`;
/** As long as a line may be, to the character. */
const LONGEST = `keyId="https://hs.test/${"x".repeat(8192 - 24)}"`;

function read(lines: Partial<SignatureLines>): string {
  const result = parseHttpSignatureHost({ ...NO_LINES, ...lines });
  return typeof result === "string" ? result : result.host.name;
}

describe("parseHttpSignatureHost", () => {
  it.each<{ why: string; lines: Partial<SignatureLines> }>([
    { why: "Signature", lines: { signature: [CAVAGE] } },
    { why: "Authorization: Signature", lines: { authorization: [`Signature ${CAVAGE}`] } },
    {
      why: "Authorization, scheme in any case",
      lines: { authorization: ["Bearer x", `signature  ${CAVAGE}`] },
    },
    {
      why: "Signature-Input, beside its Signature",
      lines: { signatureInput: [INPUT], signature: ["sig1=:YWI/+w==:"] },
    },
    {
      why: "all of them, agreeing",
      lines: { authorization: [`Signature ${CAVAGE}`], signature: [CAVAGE], signatureInput: [INPUT] },
    },
    { why: "blanks around commas", lines: { signature: [` created=1402170695 ,\tkeyId="${KEY}" `] } },
    { why: "an account", lines: { signature: ['keyId="acct:user@hs.test"'] } },
    {
      why: "commas inside quotes",
      lines: { signature: ['headers="a,keyId=b",keyId="https://hs.test/a,b"'] },
    },
    { why: "escapes inside quotes", lines: { signature: [String.raw`keyId="https://hs\.test/\"x"`] } },
    { why: "no quotes", lines: { signature: ["keyId=https://hs.test/x"] } },
    {
      why: "two signatures of one server",
      lines: { signatureInput: [`${INPUT}, sig2=();keyid="https://hs.test/y"`] },
    },
    {
      why: "blanks behind semicolons, a flag parameter",
      lines: { signatureInput: [`sig1=("a");  tag;  keyid="${KEY}"`] },
    },
    {
      why: "a ) and a keyid inside the inner list",
      lines: { signatureInput: [`sig1=("a)b";keyid="https://evil.test");keyid="${KEY}"`] },
    },
    { why: "the longest line", lines: { signature: [LONGEST] } },
  ])("reads $why", ({ lines }) => {
    expect(read(lines)).toBe("hs.test");
  });

  it("keeps a port that is not the scheme's own", () => {
    expect(read({ signature: ['keyId="https://hs.test:8443/x"'] })).toBe("hs.test:8443");
  });

  it.each<{ why: string; lines: Partial<SignatureLines>; refusal: string }>([
    { why: "no line", lines: {}, refusal: "absent" },
    {
      why: "another scheme",
      lines: { authorization: ['X-Matrix keyId="https://hs.test"'] },
      refusal: "absent",
    },
    { why: "no key id", lines: { signature: ['algorithm="rsa-sha256"'] }, refusal: "absent" },
    { why: "one past the longest line", lines: { signature: [`${LONGEST} `] }, refusal: "length" },
    { why: "an empty line", lines: { signature: [""] }, refusal: "syntax" },
    { why: "an open quote", lines: { signature: ['keyId="https://hs.test'] }, refusal: "syntax" },
    { why: "an escape at the end", lines: { signature: ['keyId="https://hs.test\\"'] }, refusal: "syntax" },
    { why: "no =", lines: { signature: ["keyId"] }, refusal: "syntax" },
    { why: "a trailing comma", lines: { signature: [`${CAVAGE},`] }, refusal: "syntax" },
    { why: "text behind a quote", lines: { signature: [`keyId="${KEY}"x`] }, refusal: "syntax" },
    { why: "a blank before =", lines: { signature: [`keyId ="${KEY}"`] }, refusal: "syntax" },
    { why: "an inner list without end", lines: { signatureInput: ['sig1=("a"'] }, refusal: "syntax" },
    {
      why: "a string without end in it",
      lines: { signatureInput: ['sig1=("a);keyid="x"'] },
      refusal: "syntax",
    },
    { why: "no inner list", lines: { signatureInput: [`sig1="a";keyid="${KEY}"`] }, refusal: "syntax" },
    {
      why: "an inner list that never began",
      lines: { signatureInput: [`sig1=a);keyid="${KEY}"`] },
      refusal: "syntax",
    },
    { why: "a parameter without name", lines: { signatureInput: [`${INPUT};`] }, refusal: "syntax" },
    { why: "a key id that is no URL", lines: { signature: ['keyId="Test"'] }, refusal: "name" },
    {
      why: "an account of two servers",
      lines: { signature: ['keyId="acct:user@a.test@b.test"'] },
      refusal: "name",
    },
    {
      why: "two hosts in one line",
      lines: { signature: [`${CAVAGE},KEYID="https://b.test/"`] },
      refusal: "hosts",
    },
    {
      why: "two hosts in two lines",
      lines: { signature: [CAVAGE, 'keyId="https://b.test/"'] },
      refusal: "hosts",
    },
    {
      why: "two hosts in two headers",
      lines: { signature: ['keyId="https://b.test/"'], signatureInput: [INPUT] },
      refusal: "hosts",
    },
    {
      why: "two keyids of one signature",
      lines: { signatureInput: [`${INPUT};keyid="https://b.test/"`] },
      refusal: "hosts",
    },
  ])("refuses $why", ({ lines, refusal }) => {
    expect(read(lines)).toBe(refusal);
  });

  it("never throws", () => {
    const fragment = fc.constantFrom(
      "keyid",
      "=",
      '"',
      "\\",
      "(",
      ")",
      ";",
      ",",
      " ",
      "https://a.test/",
      "sig1",
    );
    const lines = fc.array(
      fc.array(fragment, { maxLength: 20 }).map((parts) => parts.join("")),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(lines, lines, lines, (authorization, signature, signatureInput) => {
        expect(["string", "object"]).toContain(
          typeof parseHttpSignatureHost({ authorization, signature, signatureInput }),
        );
      }),
    );
  });
});
