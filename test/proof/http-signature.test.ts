/** openHttpSignature: what is verified, the window, and which of several signatures counts. */

import type { KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { WINDOW_MS } from "../../src/proof/http-signature.ts";
import { signByDraft, signByRfc } from "../support/signed-requests.ts";
import {
  BODY,
  cavage,
  check,
  digestOf,
  ED25519,
  getRequest,
  headerNames,
  KEY_ID,
  NOW_MS,
  NOW_S,
  open,
  postRequest,
  rfc9421,
  RSA,
  signedByDraft,
  signedByRfc,
  signEd25519,
  signPss,
  signRsa,
  type TestRequest,
  withHeaders,
  withLine,
} from "./requests.ts";

const POST = postRequest();
const GET = getRequest();
const GET_HEADERS = "(request-target) host date";

describe("as Mastodon sends it", () => {
  const key = RSA.privateKey;
  const delivery = {
    url: "https://target.example/inbox",
    host: "target.example",
    keyId: KEY_ID,
    key,
    body: BODY,
  };

  function arrived(lines: readonly string[]): TestRequest {
    return {
      ...POST,
      target: "/inbox",
      lines: [
        ...lines.map((line) => line.split(/: (.*)/s, 2) as [string, string]),
        ["Content-Length", String(Buffer.byteLength(BODY))],
      ],
    };
  }

  it.each([
    { why: "the draft", sign: signByDraft },
    { why: "RFC 9421", sign: signByRfc },
  ])("by $why: verified; with another body, path or key it is not", ({ sign: signBy }) => {
    const request = arrived(signBy(delivery));
    const nowMs = Date.now();
    expect(check(request, { nowMs })).toBe("verified");
    expect(check(request, { nowMs, body: `${BODY} ` })).toBe("digest");
    expect(check({ ...request, target: "/inbox?x" }, { nowMs })).toBe("signature");
    expect(check({ ...request, method: "PUT" }, { nowMs })).toBe("signature");
    expect(check(request, { nowMs, key: ED25519.publicKey })).toBe(
      signBy === signByDraft ? "algorithm" : "signature",
    );
  });
});

describe("verified", () => {
  it.each<{ why: string; request: TestRequest; key?: KeyObject }>([
    { why: "the draft, a GET", request: signedByDraft(GET, { headers: GET_HEADERS }) },
    {
      why: "(created) in the place of Date",
      request: signedByDraft(POST, { headers: "(request-target) host (created) digest", created: NOW_S }),
    },
    { why: "hs2019", request: signedByDraft(POST, { more: ',algorithm="hs2019"' }) },
    {
      why: "hs2019, as the draft means it: PSS",
      request: signedByDraft(POST, { more: ',algorithm="hs2019"', sign: signPss }),
    },
    {
      why: "hs2019 with Ed25519",
      request: signedByDraft(POST, { more: ',algorithm="hs2019"', sign: signEd25519 }),
      key: ED25519.publicKey,
    },
    {
      why: "ed25519",
      request: signedByDraft(POST, { more: ',algorithm="ed25519"', sign: signEd25519 }),
      key: ED25519.publicKey,
    },
    {
      why: "no algorithm, Ed25519",
      request: signedByDraft(POST, { sign: signEd25519 }),
      key: ED25519.publicKey,
    },
    {
      why: "content-digest in the draft",
      request: signedByDraft(POST, { headers: "(request-target) host date content-digest" }),
    },
    {
      why: "names in capitals",
      request: withLine(POST, "Signature", cavage(POST).replace("host date", "Host Date")),
    },
    { why: "in Authorization", request: withLine(POST, "Authorization", `Signature ${cavage(POST)}`) },
    {
      why: "a body of no bytes needs no digest",
      request: signedByDraft(withLine({ ...GET, method: "POST" }, "Content-Length", "0"), {
        headers: GET_HEADERS,
      }),
    },
    {
      why: "RFC 9421 with @authority, @path and @query",
      request: signedByRfc(POST, {
        components: ["@method", "@authority", "@path", "@query", "content-digest"],
      }),
    },
    {
      why: "@query of a target without one",
      request: signedByRfc(
        { ...POST, target: "/inbox" },
        { components: ["@method", "@authority", "@path", "@query", "content-digest"] },
      ),
    },
    {
      why: "@request-target",
      request: signedByRfc(POST, {
        components: ["@method", "@authority", "@request-target", "@scheme", "content-digest"],
      }),
    },
    { why: "a GET without digest", request: signedByRfc(GET, { components: ["@method", "@target-uri"] }) },
    {
      why: "alg of PSS",
      request: signedByRfc(POST, {
        parameters: `;created=${NOW_S};keyid="${KEY_ID}";alg="rsa-pss-sha512"`,
        sign: signPss,
      }),
    },
    {
      why: "alg of v1.5",
      request: signedByRfc(POST, { parameters: `;alg="rsa-v1_5-sha256";created=${NOW_S};keyid="${KEY_ID}"` }),
    },
    { why: "no alg, PSS", request: signedByRfc(POST, { sign: signPss }) },
    { why: "no alg, Ed25519", request: signedByRfc(POST, { sign: signEd25519 }), key: ED25519.publicKey },
    {
      why: "nonce, tag and a flag",
      request: signedByRfc(POST, {
        parameters: `;created=${NOW_S};keyid="${KEY_ID}";nonce="a\\"b";tag="x";flag`,
      }),
    },
    {
      why: "32 components",
      request: signedByRfc(withHeaders(29), {
        components: ["@method", "@target-uri", "content-digest", ...headerNames(29)],
      }),
    },
  ])("$why", ({ request, key = RSA.publicKey }) => {
    expect(check(request, { key })).toBe("verified");
  });

  it("tells the key, and the server it is of", () => {
    expect(open(signedByDraft(POST))).toMatchObject({ keyId: KEY_ID, host: { name: "own.example" } });
  });
});

describe("the window", () => {
  const at = (offsetMs: number): TestRequest =>
    signedByDraft(withLine(POST, "Date", new Date(NOW_MS + offsetMs).toUTCString()));
  const created = (offsetS: number, more = ""): TestRequest =>
    signedByRfc(POST, { parameters: `;created=${NOW_S + offsetS};keyid="${KEY_ID}"${more}` });
  const windowS = WINDOW_MS / 1000;

  it.each([
    { why: "Date, as old as may be", request: at(-WINDOW_MS), verdict: "verified" },
    { why: "Date, a second older", request: at(-WINDOW_MS - 1000), verdict: "window" },
    { why: "Date, as new as may be", request: at(WINDOW_MS), verdict: "verified" },
    { why: "Date, a second newer", request: at(WINDOW_MS + 1000), verdict: "window" },
    { why: "created, as old as may be", request: created(-windowS), verdict: "verified" },
    { why: "created, a second older", request: created(-windowS - 1), verdict: "window" },
    { why: "created, as new as may be", request: created(windowS), verdict: "verified" },
    { why: "created, a second newer", request: created(windowS + 1), verdict: "window" },
    { why: "expires now", request: created(0, `;expires=${NOW_S}`), verdict: "verified" },
    { why: "expired a second ago", request: created(0, `;expires=${NOW_S - 1}`), verdict: "expired" },
    {
      why: "draft: expires now",
      request: signedByDraft(POST, { more: `,expires=${NOW_S}` }),
      verdict: "verified",
    },
    {
      why: "draft: expired a second ago",
      request: signedByDraft(POST, { more: `,expires=${NOW_S - 1}` }),
      verdict: "expired",
    },
    {
      why: "expires in a year makes it no longer good",
      request: created(-windowS - 1, `;expires=${NOW_S + 31_536_000}`),
      verdict: "window",
    },
  ])("$why", ({ request, verdict }) => {
    expect(check(request)).toBe(verdict);
  });
});

describe("values of headers", () => {
  it("are joined, without blanks around them, and are bytes", () => {
    const sent = postRequest([
      ["X-Odd", " \tcaf\u00e9\u00a0 "],
      ["x-odd", ""],
      ["X-ODD", "a  b"],
    ]);
    const joined = "caf\u00e9\u00a0, , a  b";
    const draftBase = `(request-target): post /inbox?x=1\nhost: target.example\ndate: ${new Date(NOW_MS).toUTCString()}\ndigest: SHA-256=${digestOf(BODY)}\nx-odd: ${joined}`;
    const headers = "(request-target) host date digest x-odd";
    expect(check(signedByDraft(sent, { headers, base: draftBase }))).toBe("verified");

    const asRead = { ...sent, lines: [...POST.lines, ["x-odd", joined] as const] };
    const [input, signature] = rfc9421(asRead, {
      components: ["@method", "@target-uri", "content-digest", "x-odd"],
    });
    expect(check(withLine(withLine(sent, "Signature-Input", input), "Signature", signature))).toBe(
      "verified",
    );
  });

  it("of a header without value", () => {
    const request = postRequest([["X-Empty", ""]]);
    expect(check(signedByDraft(request, { headers: "(request-target) host date digest x-empty" }))).toBe(
      "verified",
    );
  });
});

describe("the authority", () => {
  it.each([
    { why: "in capitals", host: "Target.Example" },
    { why: "with the port that https means", host: "target.example:443" },
  ])("is one for all its spellings: $why", ({ host }) => {
    expect(check(withLine(signedByRfc(POST), "Host", host))).toBe("verified");
  });

  it("is without the port that http means where that is the scheme", () => {
    const request = signedByRfc(POST, {
      components: ["@method", "@authority", "@request-target", "content-digest"],
    });
    const plain = { ...withLine(request, "Host", "target.example:80"), scheme: "http" } as const;
    expect(check(plain)).toBe("verified");
    expect(check({ ...plain, scheme: "https" })).toBe("signature");
  });

  it("keeps any other port", () => {
    expect(check(withLine(signedByRfc(POST), "Host", "target.example:8443"))).toBe("signature");
    expect(check({ ...withLine(signedByRfc(POST), "Host", "target.example:443"), scheme: "http" })).toBe(
      "signature",
    );
  });
});

describe("of several signatures", () => {
  const [input, signature] = rfc9421(POST);
  const bad = (label: string): string => `${label}=("@method");created=1;keyid="${KEY_ID}"`;
  const wrong = cavage(POST, { sign: () => signRsa(Buffer.from("x")) });

  function withRfc(inputs: readonly string[], more: Readonly<Record<string, string>> = {}): TestRequest {
    const values = [signature, ...inputs.map((_, index) => `b${index}=:YQ==:`)].join(", ");
    const request = withLine(withLine(POST, "Signature-Input", inputs.join(", ")), "Signature", values);
    return Object.entries(more).reduce((made, [name, value]) => withLine(made, name, value), request);
  }

  it.each([
    {
      why: "the first that fits, in one line",
      request: withRfc([bad("b0"), bad("b1"), input]),
      verdict: "verified",
    },
    { why: "the fourth", request: withRfc([bad("b0"), bad("b1"), bad("b2"), input]), verdict: "verified" },
    {
      why: "not the fifth",
      request: withRfc([bad("b0"), bad("b1"), bad("b2"), bad("b3"), input]),
      verdict: "uncovered",
    },
    {
      why: "RFC 9421 before the draft",
      request: withRfc([input], { Authorization: `Signature ${wrong}` }),
      verdict: "verified",
    },
    {
      why: "the draft in Authorization, where none of RFC 9421 fits",
      request: withRfc([bad("b0")], { Authorization: `Signature ${cavage(POST)}` }),
      verdict: "verified",
    },
    {
      why: "the draft's second line",
      request: withLine(POST, "Signature", cavage(POST, { headers: "date" }), cavage(POST)),
      verdict: "verified",
    },
    {
      why: "not the draft's in Signature, where that is RFC 9421's",
      request: withLine(withRfc([bad("b0")]), "Signature", `b0=:YQ==:, ${cavage(POST)}`),
      verdict: "uncovered",
    },
    {
      why: "not the draft's in a Signature of its own either",
      request: withLine(withRfc([bad("b0")]), "Signature", "b0=:YQ==:", cavage(POST)),
      verdict: "uncovered",
    },
    {
      why: "the first of what is wrong is told",
      request: withLine(
        POST,
        "Signature",
        cavage(POST, { headers: "date" }),
        cavage(POST).replace("date", "x-gone"),
      ),
      verdict: "uncovered",
    },
    {
      why: "one that fits and is wrong ends it: one key, one check",
      request: withLine(POST, "Signature", wrong, cavage(POST)),
      verdict: "signature",
    },
  ])("$why", ({ request, verdict }) => {
    expect(check(request)).toBe(verdict);
  });
});
