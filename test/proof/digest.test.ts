/** refuseBody: both headers, and each way in which one is not the body's. */

import { describe, expect, it } from "vitest";
import { refuseBody } from "../../src/proof/digest.ts";
import { BODY, digestOf } from "./requests.ts";

const SHA256 = digestOf(BODY);
const SHA512 = digestOf(BODY, "sha512");

describe("refuseBody", () => {
  it.each([
    { why: "Digest", field: `SHA-256=${SHA256}` },
    { why: "in lower case", field: `sha-256=${SHA256}` },
    { why: "without padding", field: `SHA-256=${SHA256.replace("=", "")}` },
    { why: "SHA-512", field: `SHA-512=${SHA512}` },
    { why: "Content-Digest", field: `sha-256=:${SHA256}:` },
    { why: "both, with blanks", field: ` sha-256=:${SHA256}: ,\tsha-512=:${SHA512}:\t` },
    { why: "beside a weak one", field: `MD5=YQ==, SHA-256=${SHA256}, unixsum=30637` },
    { why: "sixteen", field: Array<string>(16).fill(`SHA-256=${SHA256}`).join() },
  ])("takes $why", ({ field }) => {
    expect(refuseBody(field, Buffer.from(BODY))).toBeUndefined();
  });

  it.each([
    { why: "nothing", field: "", refusal: "digest" },
    { why: "no value", field: "SHA-256", refusal: "digest" },
    { why: "an empty value", field: "SHA-256=", refusal: "digest" },
    { why: "another body's", field: `SHA-256=${digestOf("x")}`, refusal: "digest" },
    { why: "a part of it", field: `SHA-256=${SHA256.slice(0, 20)}`, refusal: "digest" },
    {
      why: "the body's and another's",
      field: `SHA-256=${SHA256},SHA-256=${digestOf("x")}`,
      refusal: "digest",
    },
    {
      why: "another's of the other algorithm",
      field: `SHA-256=${SHA256},SHA-512=${SHA256}`,
      refusal: "digest",
    },
    { why: "no Base64", field: `SHA-256=*${SHA256}`, refusal: "digest" },
    { why: "half of the colons", field: `sha-256=:${SHA256}`, refusal: "digest" },
    { why: "a trailing comma", field: `SHA-256=${SHA256},`, refusal: "digest" },
    { why: "seventeen", field: Array<string>(17).fill(`SHA-256=${SHA256}`).join(), refusal: "digest" },
    { why: "weak ones alone", field: "MD5=YQ==, SHA=YQ==, unixsum=30637", refusal: "digest-weak" },
    { why: "an object's own property", field: "constructor=YQ==", refusal: "digest-weak" },
  ])("refuses $why", ({ field, refusal }) => {
    expect(refuseBody(field, Buffer.from(BODY))).toBe(refusal);
  });
});
