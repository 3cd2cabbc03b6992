/**
 * parseServerName and parseUrlServer: one row a form, the row inside each limit beside the one outside it;
 * isNamedIn: what a name without port stands for.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNamedIn, parseServerName, parseUrlServer } from "../../src/peer/server-name.ts";

const HOST_255 = `${"a".repeat(63)}.`.repeat(3) + "b".repeat(63);

describe("parseServerName", () => {
  it.each([
    { why: "a domain name", text: "matrix.org", name: "matrix.org", host: "matrix.org", port: undefined },
    { why: "a port", text: "hs1.test:8448", name: "hs1.test:8448", host: "hs1.test", port: 8448 },
    { why: "upper case", text: "Matrix.ORG:80", name: "matrix.org:80", host: "matrix.org", port: 80 },
    { why: "a trailing dot", text: "matrix.org.", name: "matrix.org", host: "matrix.org", port: undefined },
    { why: "a dot before the port", text: "a.org.:1", name: "a.org:1", host: "a.org", port: 1 },
    { why: "one label", text: "localhost", name: "localhost", host: "localhost", port: undefined },
    { why: "IPv4", text: "10.0.0.1:8448", name: "10.0.0.1:8448", host: "10.0.0.1", port: 8448 },
    { why: "IPv6", text: "[::1]", name: "[::1]", host: "[::1]", port: undefined },
    { why: "IPv6 and port", text: "[FD00::1]:8448", name: "[fd00::1]:8448", host: "[fd00::1]", port: 8448 },
    {
      why: "IPv6 with an IPv4 tail",
      text: "[::ffff:10.1.2.3]",
      name: "[::ffff:10.1.2.3]",
      host: "[::ffff:10.1.2.3]",
      port: undefined,
    },
    { why: "the lowest port", text: "a:0", name: "a:0", host: "a", port: 0 },
    { why: "the highest port", text: "a:65535", name: "a:65535", host: "a", port: 65_535 },
    { why: "a port's zeros, kept in the name", text: "a:00080", name: "a:00080", host: "a", port: 80 },
    { why: "the longest host", text: HOST_255, name: HOST_255, host: HOST_255, port: undefined },
    {
      why: "the longest text",
      text: `${HOST_255}.:65535`,
      name: `${HOST_255}:65535`,
      host: HOST_255,
      port: 65_535,
    },
  ])("reads $why", ({ text, name, host, port }) => {
    expect(parseServerName(text)).toEqual({ name, host, port });
  });

  it.each([
    { why: "nothing", text: "" },
    { why: "a dot alone", text: "." },
    { why: "a leading dot", text: ".matrix.org" },
    { why: "an empty label", text: "matrix..org" },
    { why: "two trailing dots", text: "matrix.org.." },
    { why: "one past the longest host", text: `${HOST_255}b` },
    { why: "one past the longest text", text: `${HOST_255}.:655350` },
    { why: "a port alone", text: ":8448" },
    { why: "an empty port", text: "a:" },
    { why: "one past the highest port", text: "a:65536" },
    { why: "six digits of port", text: "a:008448" },
    { why: "a signed port", text: "a:+80" },
    { why: "two ports", text: "a:1:2" },
    { why: "IPv6 without brackets", text: "::1" },
    { why: "an open bracket", text: "[::1" },
    { why: "a closing bracket alone", text: "::1]" },
    { why: "empty brackets", text: "[]" },
    { why: "a name in brackets", text: "[matrix.org]" },
    { why: "IPv6 with a zone", text: "[fe80::1%eth0]" },
    { why: "text behind the brackets", text: "[::1]x" },
    { why: "an underscore", text: "my_server" },
    { why: "a slash", text: "matrix.org/" },
    { why: "user information", text: "user@matrix.org" },
    { why: "a blank", text: "matrix.org " },
    { why: "a line feed at the end", text: "matrix.org\n" },
    { why: "a letter that lower-cases to k (U+212A)", text: "\u212Aube.test" },
    { why: "a wildcard", text: "*.matrix.org" },
  ])("refuses $why", ({ text }) => {
    expect(parseServerName(text)).toBeUndefined();
  });

  it("never throws, and what it returns reads back as itself", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\w.:[\]-]{0,20}$/)), (text) => {
        const server = parseServerName(text);
        expect(server === undefined ? undefined : parseServerName(server.name)).toEqual(server);
      }),
    );
  });
});

describe("parseUrlServer", () => {
  it.each([
    { why: "path and fragment", url: "https://hs.test/users/x#main-key", name: "hs.test" },
    { why: "http", url: "http://hs.test", name: "hs.test" },
    { why: "upper case", url: "HTTPS://HS.Test/", name: "hs.test" },
    { why: "https' own port", url: "https://hs.test:443/", name: "hs.test" },
    { why: "http's own port", url: "http://hs.test:80/", name: "hs.test" },
    { why: "the other scheme's port", url: "http://hs.test:443/", name: "hs.test:443" },
    { why: "another port", url: "https://hs.test:8448?x", name: "hs.test:8448" },
    { why: "IPv6", url: "https://[::1]:8448/", name: "[::1]:8448" },
  ])("reads $why", ({ url, name }) => {
    expect(parseUrlServer(url)?.name).toBe(name);
  });

  it.each([
    { why: "another scheme", url: "ftp://hs.test/" },
    { why: "no scheme", url: "hs.test/users/x" },
    { why: "no host", url: "https:///users" },
    { why: "user information", url: "https://hs.test@evil.test/" },
    { why: "a backslash, which URL reads as a slash", url: "https://hs.test\\@evil.test/" },
    { why: "a tab, which URL drops", url: "https://hs\t.test/" },
    { why: "a percent-encoded host, which URL decodes", url: "https://hs%2etest/" },
  ])("refuses $why", ({ url }) => {
    expect(parseUrlServer(url)).toBeUndefined();
  });
});

describe("isNamedIn", () => {
  it.each([
    { why: "the same name", names: ["a.test:1"], text: "a.test:1", expected: true },
    { why: "a host stands for every port", names: ["b.test", "a.test"], text: "a.test:1", expected: true },
    {
      why: "a name with port does not stand for the host",
      names: ["a.test:1"],
      text: "a.test",
      expected: false,
    },
    { why: "another port", names: ["a.test:1"], text: "a.test:2", expected: false },
    { why: "nobody", names: [], text: "a.test", expected: false },
  ])("$why: $expected", ({ names, text, expected }) => {
    const server = parseServerName(text);
    expect(server !== undefined && isNamedIn(names, server)).toBe(expected);
  });
});
