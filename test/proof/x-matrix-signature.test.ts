/**
 * Signatures of X-Matrix lines: what is read, what is refused, and the requests captured between real Synapse servers,
 * verified with the keys that were captured with them.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseServerName } from "../../src/peer/server-name.ts";
import { canonicalOf } from "../../src/proof/canonical-json.ts";
import { loadEd25519 } from "../../src/proof/ed25519.ts";
import { createServerKeyReader } from "../../src/proof/server-keys.ts";
import {
  readXMatrixSignatures,
  requestSigningText,
  SIGNATURES_MAX,
  type XMatrixSignature,
} from "../../src/proof/x-matrix-signature.ts";
import { createSigner } from "./signer.ts";

const ed25519 = await loadEd25519();
const SIG = "KmX9W6JT1MckWp5Fbvxp3d145Pk7XZrZGKBrA2A9Q9ah27EdrZ+nDruDDcfZS9q8QDU78eSPLMrNLAOCqz+wDQ";
const OTHER_SIG = `A${SIG.slice(1)}`;
const KEY = "ed25519:a_gorw";
const REST = `key="${KEY}",sig="${SIG}",destination="hs1.test:8448"`;

function readFor(ownName: string, lines: readonly string[]): ReturnType<typeof readXMatrixSignatures> {
  const own = parseServerName(ownName);
  if (own === undefined) throw new Error("no server name");
  return readXMatrixSignatures(lines, own);
}

function shown({ keyId, signature, origin, destination }: XMatrixSignature): unknown {
  const sig = Buffer.from(signature).toString("base64").replaceAll("=", "");
  return { keyId, sig, origin: origin.text, destination: destination?.text };
}

function read(...lines: readonly string[]): unknown {
  const result = readFor("hs1.test:8448", lines);
  return typeof result === "string" ? result : result.signatures.map(shown);
}

const USUAL = { keyId: KEY, sig: SIG, origin: "hs2.test", destination: "hs1.test:8448" };

describe("readXMatrixSignatures", () => {
  it.each([
    { why: "what Synapse sends", line: `X-Matrix origin="hs2.test",${REST}`, expected: USUAL },
    { why: "any order, any case", line: `X-Matrix  ${REST} , ORIGIN=hs2.test`, expected: USUAL },
    {
      why: "no quotes and no destination",
      line: `X-Matrix origin=hs2.test,key=${KEY},sig=${SIG}`,
      expected: { ...USUAL, destination: undefined },
    },
    {
      why: "padding",
      line: `X-Matrix origin=hs2.test,key=${KEY},sig="${SIG}=="`,
      expected: { ...USUAL, destination: undefined },
    },
    {
      why: "escapes",
      line: String.raw`X-Matrix origin="hs2\.test",key="ed25519\:a_gorw",sig="${SIG}"`,
      expected: { ...USUAL, destination: undefined },
    },
    {
      why: "names as they stand there",
      line: `X-Matrix origin="HS2.test.",key="${KEY}",sig="${SIG}",destination="HS1.Test:8448"`,
      expected: { ...USUAL, origin: "HS2.test.", destination: "HS1.Test:8448" },
    },
    {
      why: "the last of two keys and of two signatures",
      line: `X-Matrix origin=hs2.test,key=ed25519:x,sig=${OTHER_SIG},${REST}`,
      expected: USUAL,
    },
    {
      why: "the last of two ways to write the origin",
      line: `X-Matrix origin=HS2.test,origin=hs2.test,${REST}`,
      expected: USUAL,
    },
  ])("reads $why", ({ line, expected }) => {
    expect(read("Bearer x", line)).toEqual([expected]);
  });

  it("reads a signature of each line, and passes over lines whose signature it can't verify", () => {
    const line = (key: string, sig = SIG): string => `X-Matrix origin=hs2.test,key="${key}",sig="${sig}"`;
    const lines = [
      line("ed448:a"),
      line("ed25519:1"),
      line("ed25519:2", "short"),
      "X-Matrix origin=hs2.test",
    ];
    expect(read(...lines, line("ed25519:1", OTHER_SIG))).toMatchObject([
      { keyId: "ed25519:1", sig: SIG },
      { keyId: "ed25519:1", sig: OTHER_SIG },
    ]);
  });

  it("looks at so many signatures and counts the others, of all of which it reads the names", () => {
    const line = `X-Matrix origin=hs2.test,${REST}`;
    const many = Array.from({ length: SIGNATURES_MAX + 2 }, () => line);
    expect(readFor("hs1.test:8448", many.slice(2))).toMatchObject({ dropped: 0 });
    const all = readFor("hs1.test:8448", many);
    expect(all).toMatchObject({ dropped: 2, origin: { name: "hs2.test" } });
    expect(typeof all !== "string" && all.signatures.length).toBe(SIGNATURES_MAX);
    expect(read(...many, "X-Matrix origin=hs3.test")).toBe("origins");
    expect(read(...many, "X-Matrix origin=hs2.test,destination=hs3.test")).toBe("destination");
  });

  it.each([
    { why: "no line", lines: [], refusal: "absent" },
    { why: "another scheme", lines: ["Bearer x"], refusal: "absent" },
    { why: "a longer scheme", lines: ["X-Matrix2 origin=hs2.test"], refusal: "syntax" },
    { why: "a parameter without =", lines: [`X-Matrix origin=hs2.test,x,${REST}`], refusal: "syntax" },
    { why: "no origin", lines: [`X-Matrix ${REST}`], refusal: "syntax" },
    { why: "half an origin", lines: [`X-Matrix origin="hs2.test,${REST}`], refusal: "syntax" },
    { why: "no server's name", lines: [`X-Matrix origin=a_b,${REST}`], refusal: "name" },
    {
      why: "two origins in a line",
      lines: [`X-Matrix origin=hs2.test,origin=hs3.test,${REST}`],
      refusal: "origins",
    },
    {
      why: "two lines, two origins",
      lines: [`X-Matrix origin=hs2.test,${REST}`, `X-Matrix origin=hs3.test,${REST}`],
      refusal: "origins",
    },
    {
      why: "a request to somebody else",
      lines: ["X-Matrix origin=a.test,destination=b.test"],
      refusal: "destination",
    },
    {
      why: "a request to another port",
      lines: ["X-Matrix origin=a.test,destination=hs1.test"],
      refusal: "destination",
    },
    {
      why: "a request to somebody else and to us",
      lines: [`X-Matrix origin=a.test,destination=b.test,${REST}`],
      refusal: "destination",
    },
    {
      why: "a request to nobody",
      lines: [`X-Matrix origin=a.test,destination="",${REST}`],
      refusal: "destination",
    },
    {
      why: "half a destination",
      lines: ['X-Matrix origin=a.test,destination="hs1.test:8448'],
      refusal: "destination",
    },
    { why: "a claim alone", lines: ["X-Matrix origin=hs2.test"], refusal: "unsigned" },
    { why: "no key", lines: [`X-Matrix origin=hs2.test,sig=${SIG}`], refusal: "unsigned" },
    { why: "no signature", lines: [`X-Matrix origin=hs2.test,key=${KEY}`], refusal: "unsigned" },
    {
      why: "another algorithm",
      lines: [`X-Matrix origin=hs2.test,key=rsa:a,sig=${SIG}`],
      refusal: "key",
    },
    { why: "half a key id", lines: [`X-Matrix origin=hs2.test,key="${KEY},sig=${SIG}`], refusal: "key" },
    {
      why: "a signature that is short",
      lines: [`X-Matrix origin=hs2.test,key=${KEY},sig=${SIG.slice(1)}`],
      refusal: "signature",
    },
    {
      why: "half a signature's quotes",
      lines: [`X-Matrix origin=hs2.test,key=${KEY},sig="${SIG}`],
      refusal: "signature",
    },
  ])("refuses $why", ({ lines, refusal }) => {
    expect(read(...lines)).toBe(refusal);
  });
});

describe("requestSigningText", () => {
  const request = { method: "GET", uri: "/a?b=%2F", origin: "a.test", destination: "b.test" };
  it.each([
    {
      why: "no content",
      signed: { ...request, content: undefined },
      text: '{"destination":"b.test","method":"GET","origin":"a.test","uri":"/a?b=%2F"}',
    },
    {
      why: "content",
      signed: { ...request, content: '{"a":"日"}' },
      text: '{"content":{"a":"日"},"destination":"b.test","method":"GET","origin":"a.test","uri":"/a?b=%2F"}',
    },
    {
      why: "what JSON escapes",
      signed: { ...request, uri: String.raw`/"\ `, content: undefined },
      text: String.raw`{"destination":"b.test","method":"GET","origin":"a.test","uri":"/\"\\ "}`,
    },
  ])("writes $why in canonical form", ({ signed, text }) => {
    expect(requestSigningText(signed)).toBe(text);
    expect(canonicalOf(Buffer.from(text))).toEqual({ text });
  });
});

interface Capture {
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
  readonly body?: string;
  readonly respBody?: string;
}

interface KeyDocument {
  readonly server_name: string;
  readonly valid_until_ts: number;
}

describe("requests captured between Synapse servers", () => {
  const captures = readFileSync("test/fixtures/matrix-requests.jsonl", "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Capture);
  const reader = createServerKeyReader(ed25519);
  // Of the server that was asked, so of hs2.test alone; its keys, by all runs of the capture.
  const keys = new Map(
    captures
      .filter(({ path }) => path === "/_matrix/key/v2/server")
      .flatMap(({ respBody = "" }) => {
        const { server_name: name, valid_until_ts: validUntil } = JSON.parse(respBody) as KeyDocument;
        const found = reader.readServerKeys(respBody, name, validUntil - 1);
        if (typeof found === "string") throw new Error(found);
        return [...found.keys].map(([id, key]) => [`${name} ${id}`, key] as const);
      }),
  );

  function isVerified(
    capture: Capture,
    change: Partial<Record<"uri" | "destination", string>> = {},
  ): boolean {
    const { method, path: uri, body, rawHeaders } = capture;
    const lines = rawHeaders.filter((_, at) => rawHeaders[at - 1] === "Authorization");
    const destination = /destination="([^"]+)"/.exec(lines[0] ?? "")?.[1] ?? "";
    const signed = readFor(destination, lines);
    if (typeof signed === "string") throw new Error(signed);
    const content = body === undefined ? undefined : canonicalOf(Buffer.from(body));
    if (typeof content === "string") throw new Error(content);
    return signed.signatures.some(({ keyId, signature, origin }) => {
      const key = keys.get(`${origin.server.name} ${keyId}`);
      if (key === undefined) throw new Error("its key was not captured");
      const request = { method, uri, origin: origin.text, destination, content: content?.text, ...change };
      return ed25519.verify(requestSigningText(request), signature, key);
    });
  }

  const verifiable = captures.filter(({ rawHeaders }) =>
    [...keys.keys()].some((name) => {
      const [origin = "", id = ""] = name.split(" ");
      return rawHeaders.some((text) => text.startsWith(`X-Matrix origin="${origin}",key="${id}"`));
    }),
  );

  it("are verified wherever their key was captured too, with bodies and without", () => {
    expect(verifiable.length).toBeGreaterThan(20);
    expect(new Set(verifiable.map(({ method }) => method))).toEqual(new Set(["GET", "PUT"]));
    expect(verifiable.filter((capture) => !isVerified(capture))).toEqual([]);
  });

  it("are not verified for another path, another server or another body", () => {
    for (const capture of verifiable) {
      expect(isVerified(capture, { uri: `${capture.path}x` })).toBe(false);
      expect(isVerified(capture, { destination: "hs3.test" })).toBe(false);
      expect(isVerified({ ...capture, body: '{"a":1}' })).toBe(false);
    }
  });
});

it("a signature made in the way of the specification is verified", () => {
  const signer = createSigner("ed25519:a", new Uint8Array(32).fill(3));
  const request = { method: "PUT", uri: "/x", origin: "a.test", destination: "b.test", content: "{}" };
  const text = requestSigningText(request);
  const line = `X-Matrix origin=a.test,key=ed25519:a,sig="${signer.sign(text)}"`;
  const found = readFor("b.test", [line]);
  const key = ed25519.readVerifyKey(signer.verifyKey);
  if (typeof found === "string" || key === undefined) throw new Error("not read");
  expect(found.signatures.map(({ signature }) => ed25519.verify(text, signature, key))).toEqual([true]);
});
