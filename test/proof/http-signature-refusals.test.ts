/** openHttpSignature: every reason for which a request is refused before its key is looked for; both ends of each bound. */

import { describe, expect, it } from "vitest";
import {
  cavage,
  type CavageOptions,
  headerNames,
  KEY_ID,
  NOW_MS,
  NOW_S,
  open,
  postRequest,
  rfc9421,
  signedByDraft,
  signedByRfc,
  type TestRequest,
  withHeaders,
  withLine,
} from "./requests.ts";

const POST = postRequest();
const GET_HEADERS = "(request-target) host date";

describe("refused before a key is looked for", () => {
  const draft = (options: CavageOptions): TestRequest => signedByDraft(POST, options);
  const rfc = (components: readonly string[], parameters?: string): TestRequest =>
    signedByRfc(POST, { components, ...(parameters === undefined ? {} : { parameters }) });
  const replaced = (from: string | RegExp, to: string): TestRequest =>
    withLine(POST, "Signature", cavage(POST).replace(from, to));
  const input = (change: (input: string) => string): TestRequest => {
    const [sent, signature] = rfc9421(POST);
    return withLine(withLine(POST, "Signature-Input", change(sent)), "Signature", signature);
  };

  it.each<{ why: string; request: TestRequest; refusal: string }>([
    { why: "no signature", request: POST, refusal: "absent" },
    { why: "no key id", request: replaced(/keyId="[^"]*",/, ""), refusal: "absent" },
    {
      why: "a line too long",
      request: replaced("keyId", `x="${"x".repeat(8192)}",keyId`),
      refusal: "length",
    },
    { why: "an open quote", request: withLine(POST, "Signature", `keyId="${KEY_ID}`), refusal: "syntax" },
    { why: "a key id that names nobody", request: replaced(KEY_ID, "Test"), refusal: "name" },
    {
      why: "keys of two servers",
      request: withLine(POST, "Signature", cavage(POST), cavage(POST).replace("own", "b")),
      refusal: "hosts",
    },
    {
      why: "a Host that is not ours: handed on by who was sent it",
      request: signedByDraft(withLine(POST, "Host", "other.example")),
      refusal: "destination",
    },
    {
      why: "a Host that is none",
      request: signedByDraft(withLine(POST, "Host", "a b")),
      refusal: "destination",
    },

    { why: "draft: no signature parameter", request: replaced(/,signature="[^"]*"/, ""), refusal: "syntax" },
    {
      why: "draft: a signature that is no Base64",
      request: replaced(/signature="../, 'signature="*'),
      refusal: "syntax",
    },
    {
      why: "draft: an empty signature",
      request: replaced(/signature="[^"]*"/, 'signature=""'),
      refusal: "syntax",
    },
    {
      why: "draft: two signatures in one",
      request: replaced(",signature", ',signature="YQ==",signature'),
      refusal: "duplicate",
    },
    {
      why: "draft: two key ids, one in another case",
      request: replaced("keyId", `keyid="${KEY_ID}",keyId`),
      refusal: "duplicate",
    },
    {
      why: "draft: a header twice",
      request: draft({ headers: "(request-target) host date digest date" }),
      refusal: "duplicate",
    },
    {
      why: "draft: a header that isn't there",
      request: draft({ headers: "(request-target) host date digest x-gone" }),
      refusal: "component",
    },
    {
      why: "draft: (created) without created",
      request: draft({ headers: "(request-target) host (created) digest" }),
      refusal: "component",
    },
    { why: "draft: no headers named", request: draft({ headers: "" }), refusal: "component" },
    {
      why: "draft: 33 headers",
      request: signedByDraft(withHeaders(29), {
        headers: ["(request-target) host date digest", ...headerNames(29)].join(" "),
      }),
      refusal: "component",
    },
    {
      why: "draft: no (request-target)",
      request: draft({ headers: "host date digest" }),
      refusal: "uncovered",
    },
    {
      why: "draft: no host",
      request: draft({ headers: "(request-target) date digest" }),
      refusal: "uncovered",
    },
    {
      why: "draft: no time",
      request: draft({ headers: "(request-target) host digest" }),
      refusal: "uncovered",
    },
    { why: "draft: a body without digest", request: draft({ headers: GET_HEADERS }), refusal: "uncovered" },
    {
      why: "draft: a chunked body without digest",
      request: signedByDraft(withLine(withLine(POST, "Content-Length"), "Transfer-Encoding", "chunked"), {
        headers: GET_HEADERS,
      }),
      refusal: "uncovered",
    },
    {
      why: "draft: a length that is not plain 0",
      request: signedByDraft(withLine(POST, "Content-Length", "0", "1"), { headers: GET_HEADERS }),
      refusal: "uncovered",
    },
    {
      why: "draft: headers not told, as old as (created)",
      request: replaced(/headers="[^"]*",/, `created=${NOW_S},`),
      refusal: "uncovered",
    },
    { why: "draft: SHA-1", request: draft({ more: ',algorithm="rsa-sha1"' }), refusal: "algorithm" },
    {
      why: "draft: an unknown algorithm",
      request: draft({ more: ',algorithm="hmac-sha256"' }),
      refusal: "algorithm",
    },
    {
      why: "draft: an object's own property",
      request: draft({ more: ',algorithm="constructor"' }),
      refusal: "algorithm",
    },
    {
      why: "draft: an algorithm in capitals",
      request: draft({ more: ',algorithm="RSA-SHA256"' }),
      refusal: "algorithm",
    },
    {
      why: "draft: (created) beside an older algorithm",
      request: draft({
        headers: "(request-target) host (created) digest",
        created: NOW_S,
        more: ',algorithm="rsa-sha256"',
      }),
      refusal: "algorithm",
    },
    {
      why: "draft: a Date that can't be read",
      request: signedByDraft(withLine(POST, "Date", new Date(NOW_MS).toISOString())),
      refusal: "time",
    },
    {
      why: "draft: a day that is none",
      request: signedByDraft(withLine(POST, "Date", "Thu, 99 Jan 2026 12:00:00 GMT")),
      refusal: "time",
    },
    {
      why: "draft: two Dates",
      request: signedByDraft(
        withLine(POST, "Date", ...Array<string>(2).fill(new Date(NOW_MS).toUTCString())),
      ),
      refusal: "time",
    },
    {
      why: "draft: an expires that can't be read",
      request: draft({ more: ",expires=soon" }),
      refusal: "time",
    },
    {
      why: "draft: Date in the window, (created) not",
      request: draft({ headers: "(request-target) host date (created) digest", created: NOW_S - 301 }),
      refusal: "window",
    },

    {
      why: "RFC: no Signature of that label",
      request: input((sent) => sent.replace("sig1", "sig2")),
      refusal: "syntax",
    },
    { why: "RFC: a label twice", request: input((sent) => `${sent}, ${sent}`), refusal: "duplicate" },
    { why: "RFC: a label in capitals", request: signedByRfc(POST, { label: "Sig1" }), refusal: "syntax" },
    {
      why: "RFC: a keyid that is a token",
      request: rfc(["@method", "@target-uri", "content-digest"], `;created=${NOW_S};keyid=${KEY_ID}`),
      refusal: "syntax",
    },
    {
      why: "RFC: an alg that is a token",
      request: rfc(
        ["@method", "@target-uri", "content-digest"],
        `;created=${NOW_S};keyid="${KEY_ID}";alg=ed25519`,
      ),
      refusal: "syntax",
    },
    {
      why: "RFC: a parameter twice",
      request: rfc(
        ["@method", "@target-uri", "content-digest"],
        `;created=1;created=${NOW_S};keyid="${KEY_ID}"`,
      ),
      refusal: "duplicate",
    },
    {
      why: "RFC: a component twice",
      request: rfc(["@method", "@method", "@target-uri", "content-digest"]),
      refusal: "duplicate",
    },
    {
      why: "RFC: an unknown component",
      request: rfc(["@method", "@target-uri", "content-digest", "@status"]),
      refusal: "component",
    },
    {
      why: "RFC: the parameters as a component",
      request: rfc(["@method", "@target-uri", "content-digest", "@signature-params"]),
      refusal: "component",
    },
    {
      why: "RFC: a header that isn't there",
      request: rfc(["@method", "@target-uri", "content-digest", "x-gone"]),
      refusal: "component",
    },
    {
      why: "RFC: a header in capitals",
      request: rfc(["@method", "@target-uri", "Content-Digest"]),
      refusal: "component",
    },
    {
      why: "RFC: a line end in a name",
      request: input((sent) => sent.replace('"@method"', '"@method\n"')),
      refusal: "component",
    },
    {
      why: "RFC: a parameter of a component",
      request: input((sent) => sent.replace('"@method"', '"@method";req')),
      refusal: "component",
    },
    {
      why: "RFC: names without blanks between",
      request: input((sent) => sent.replace('" "', '""')),
      refusal: "component",
    },
    {
      why: "RFC: 33 components",
      request: signedByRfc(withHeaders(30), {
        components: ["@method", "@target-uri", "content-digest", ...headerNames(30)],
      }),
      refusal: "component",
    },
    { why: "RFC: no method", request: rfc(["@target-uri", "content-digest"]), refusal: "uncovered" },
    {
      why: "RFC: no target",
      request: rfc(["@method", "@authority", "content-digest"]),
      refusal: "uncovered",
    },
    {
      why: "RFC: a path without its query",
      request: rfc(["@method", "@authority", "@path", "content-digest"]),
      refusal: "uncovered",
    },
    {
      why: "RFC: a query without its path",
      request: rfc(["@method", "@authority", "@query", "content-digest"]),
      refusal: "uncovered",
    },
    {
      why: "RFC: no authority",
      request: rfc(["@method", "@request-target", "content-digest"]),
      refusal: "uncovered",
    },
    { why: "RFC: nothing", request: rfc([]), refusal: "uncovered" },
    { why: "RFC: a body without digest", request: rfc(["@method", "@target-uri"]), refusal: "uncovered" },
    {
      why: "RFC: no created",
      request: rfc(["@method", "@target-uri", "content-digest", "date"], `;keyid="${KEY_ID}"`),
      refusal: "uncovered",
    },
    {
      why: "RFC: a created that is text",
      request: rfc(["@method", "@target-uri", "content-digest"], `;created="${NOW_S}";keyid="${KEY_ID}"`),
      refusal: "time",
    },
    {
      why: "RFC: a created without value",
      request: rfc(["@method", "@target-uri", "content-digest"], `;created;keyid="${KEY_ID}"`),
      refusal: "uncovered",
    },
    {
      why: "RFC: an expires without value",
      request: rfc(
        ["@method", "@target-uri", "content-digest"],
        `;created=${NOW_S};expires;keyid="${KEY_ID}"`,
      ),
      refusal: "time",
    },
    {
      why: "RFC: an algorithm of the other kind of key",
      request: rfc(
        ["@method", "@target-uri", "content-digest"],
        `;created=${NOW_S};keyid="${KEY_ID}";alg="hmac-sha256"`,
      ),
      refusal: "algorithm",
    },
  ])("$why", ({ request, refusal }) => {
    expect(open(request)).toBe(refusal);
  });

  it("a Signature with a label twice", () => {
    const [input1, signature] = rfc9421(POST);
    const request = withLine(withLine(POST, "Signature-Input", input1), "Signature", signature, signature);
    expect(open(request)).toBe("duplicate");
  });
});
