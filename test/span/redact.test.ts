/**
 * redactQuery and redactAuthority: what never gets into a span.
 * Method: a row for each kind of source (OpenTelemetry's list in full), and each way to hide a key; then a property:
 * whatever surrounds a secret, it is gone.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redactAuthority, redactQuery } from "../../src/span/redact.ts";

describe("redactQuery", () => {
  it.each([
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "access_token",
    "refresh_token",
    "client_secret",
    "code",
    "loginToken",
    "api_key",
    "key",
    "token",
    "password",
  ])("takes the value of %s", (key) => {
    expect(redactQuery(`color=blue&${key}=s3cret&q=1`)).toBe(`color=blue&${key}=REDACTED&q=1`);
  });

  it.each([
    { why: "nothing", query: "", expected: "" },
    { why: "no secret", query: "user_id=%40a%3Ahs1&field", expected: "user_id=%40a%3Ahs1&field" },
    { why: "a key that only ends like one", query: "monkey=1&tokens=2", expected: "monkey=1&tokens=2" },
    { why: "a key without a value", query: "token&a=1", expected: "token&a=1" },
    { why: "an empty value", query: "token=&a=1", expected: "token=REDACTED&a=1" },
    { why: "any letter case", query: "ACCESS_TOKEN=x", expected: "ACCESS_TOKEN=REDACTED" },
    { why: "an encoded key", query: "access%5Ftoken=x", expected: "access%5Ftoken=REDACTED" },
    { why: "a broken encoding beside it", query: "%zz=1&sig=x", expected: "%zz=1&sig=REDACTED" },
    { why: "a value with equals signs", query: "sig=a==&b=1", expected: "sig=REDACTED&b=1" },
    { why: "two of them", query: "sig=a&sig=b", expected: "sig=REDACTED&sig=REDACTED" },
    { why: "a semicolon before the key", query: "a=1;sig=b", expected: "a=1;sig=REDACTED" },
    { why: "a semicolon in the value", query: "sig=a;b&c=1", expected: "sig=REDACTED&c=1" },
    { why: "a secret in a secret's value", query: "sig=a;token=b&c=1", expected: "sig=REDACTED&c=1" },
    { why: "a second question mark", query: "a=1?token=x", expected: "a=1?token=REDACTED" },
    { why: "a key inside another's value", query: "next=token=x", expected: "next=token=x" },
  ])("reads $why", ({ query, expected }) => {
    expect(redactQuery(query)).toBe(expected);
  });

  it("leaves no secret, whatever stands around it", () => {
    const around = fc.string({ unit: fc.constantFrom("a", "=", "&", ";", "?", "%", "5", "k") });
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(redactQuery(`${before}&token=S3CRET${after}`)).not.toContain("S3CRET");
      }),
    );
  });

  it("takes time linear in the query: 10 MB of keys that never end", () => {
    const query = "a&".repeat(5_000_000);
    expect(redactQuery(query)).toBe(query);
  });
});

describe("redactAuthority", () => {
  it.each([
    { why: "no user", authority: "hs1.example:8448", expected: "hs1.example:8448" },
    { why: "user and password", authority: "u:p@hs1.example", expected: "REDACTED:REDACTED@hs1.example" },
    { why: "a user alone", authority: "u@hs1.example", expected: "REDACTED@hs1.example" },
    { why: "an at sign in the password", authority: "u:p@q@hs1", expected: "REDACTED:REDACTED@hs1" },
    { why: "an IPv6 literal", authority: "[2001:db8::1]:443", expected: "[2001:db8::1]:443" },
  ])("reads $why", ({ authority, expected }) => {
    expect(redactAuthority(authority)).toBe(expected);
  });
});
