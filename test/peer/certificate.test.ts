/**
 * parseCertificateNames: what names a server, and the texts of CVE-2021-44532 and of Node's answer to it
 * (test/parallel/test-x509-escaping.js in nodejs/node).
 */

import fc from "fast-check";
import { expect, it } from "vitest";
import { parseCertificateNames } from "../../src/peer/certificate.ts";

it.each([
  { why: "one DNS name", text: "DNS:hs1.test", names: ["hs1.test"] },
  {
    why: "several, in order, without repeats",
    text: "DNS:b.test, DNS:A.test, DNS:b.test",
    names: ["b.test", "a.test"],
  },
  { why: "a URI", text: "URI:https://hs1.test/users/x", names: ["hs1.test"] },
  { why: "a URI with port", text: "URI:https://hs1.test:8448/", names: ["hs1.test:8448"] },
  { why: "no names", text: undefined, names: [] },
  { why: "an empty text", text: "", names: [] },
  { why: "a wildcard", text: "DNS:*.test, DNS:a.test", names: ["a.test"] },
  { why: "a DNS name with port", text: "DNS:a.test:8448", names: [] },
  {
    why: "other kinds",
    text: "IP Address:10.0.0.1, email:x@a.test, Registered ID:1.2.3, othername:<unsupported>",
    names: [],
  },
  { why: "a SPIFFE id: its host is no server", text: "URI:spiffe://a.test/ns/x", names: [] },
  { why: "user information in a URI", text: "URI:https://a.test@b.test/", names: [] },
  {
    why: "a quoted name, beside a plain one",
    text: String.raw`DNS:"a.test\u002c DNS:evil.test", DNS:b.test`,
    names: ["b.test"],
  },
  { why: "a quoted name with quotes", text: String.raw`DNS:"\"evil.test\"", DNS:b.test`, names: ["b.test"] },
  {
    why: "a directory name",
    text: String.raw`DirName:"L = x\u002c DNS:evil.test", DNS:b.test`,
    names: ["b.test"],
  },
  { why: "a quoted name that holds the separator", text: 'URI:"https://a, DNS:evil.test, b"', names: [] },
  { why: "the same behind a good name", text: 'DNS:b.test, URI:"https://a, DNS:evil.test, b"', names: [] },
  { why: "a quote inside a name", text: 'DNS:a"b.test, DNS:evil.test', names: [] },
])("$why", ({ text, names }) => {
  expect(parseCertificateNames(text)).toEqual(names);
});

it("reads 100 names, and not one more", () => {
  const text = Array.from({ length: 101 }, (_, index) => `DNS:hs${index}.test`).join(", ");
  const names = parseCertificateNames(text);
  expect(names).toHaveLength(100);
  expect(names.at(-1)).toBe("hs99.test");
});

it("never throws", () => {
  const fragment = fc.constantFrom("DNS:", "URI:", '"', "\\", ", ", "a.test", "https://", "*", ":", "\u0000");
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 20 }), (parts) => {
      expect(Array.isArray(parseCertificateNames(parts.join("")))).toBe(true);
    }),
  );
});
