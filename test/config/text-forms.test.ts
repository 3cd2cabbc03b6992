/**
 * The small parsers of what an operator writes: quantities, addresses, `${…}`, and the suggestion for a slip.
 * Method: one row a form; each refusal has a row, each limit one inside and one outside.
 */

import { describe, expect, it } from "vitest";
import {
  parseHostName,
  parseHostPort,
  parseHttpUrl,
  parseListen,
  parseNetwork,
  parseServerName,
  parseUpstream,
} from "../../src/config/addresses.ts";
import { nearestName } from "../../src/config/nearest.ts";
import { parseDuration, parseSize } from "../../src/config/quantities.ts";
import { substitute } from "../../src/config/substitute.ts";

describe("quantities", () => {
  it.each([
    ["0s", 0],
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["999999999999h", 999_999_999_999 * 3_600_000],
  ])("reads the duration %s", (text, ms) => {
    expect(parseDuration(text)).toEqual({ value: ms });
  });

  it.each([
    ["512B", 512],
    ["64KiB", 65_536],
    ["1MiB", 1_048_576],
    ["2GiB", 2_147_483_648],
  ])("reads the size %s", (text, bytes) => {
    expect(parseSize(text)).toEqual({ value: bytes });
  });

  it.each([
    { why: "no unit", text: "30", refused: "has no unit" },
    { why: "another unit", text: "30d", refused: "has an unknown unit (ms, s, m, h)" },
    { why: "a unit in another case", text: "30S", refused: "has an unknown unit (ms, s, m, h)" },
    { why: "a name every object has", text: "3constructor", refused: "has an unknown unit (ms, s, m, h)" },
    { why: "a fraction", text: "1.5s", refused: "is not a duration" },
    { why: "a sign", text: "-1s", refused: "is not a duration" },
    { why: "a space", text: "1 s", refused: "is not a duration" },
    { why: "two units", text: "1m30s", refused: "is not a duration" },
    { why: "13 digits", text: "1000000000000s", refused: "is not a duration" },
    { why: "nothing", text: "", refused: "is not a duration" },
  ])("refuses $why", ({ text, refused }) => {
    expect(parseDuration(text)).toEqual({ refused });
  });
});

describe("addresses", () => {
  it.each([
    { text: "0.0.0.0:8448", value: { host: "0.0.0.0", port: 8448 } },
    { text: "[::]:0", value: { host: "::", port: 0 } },
    { text: "localhost:65535", value: { host: "localhost", port: 65_535 } },
  ])("listens on $text", ({ text, value }) => {
    expect(parseHostPort(text)).toEqual({ value });
  });

  it.each([
    { text: ":9470", why: "no host" },
    { text: "localhost", why: "no port" },
    { text: "a:65536", why: "port too large" },
    { text: "::1:80", why: "IPv6 without brackets" },
    { text: "[1.2.3.4]:80", why: "IPv4 in brackets" },
    { text: "1.2.3:80", why: "three parts of an IPv4" },
    { text: "256.1.1.1:80", why: "a part over 255" },
    { text: "a b:80", why: "a space" },
    { text: "http://a:80", why: "a URL" },
    { text: "a..b:80", why: "an empty label" },
    { text: "-a:80", why: "a hyphen first" },
    { text: `${"a".repeat(254)}:1`, why: "256 characters" },
  ])("refuses to listen on $text: $why", ({ text }) => {
    expect(parseHostPort(text)).toHaveProperty("refused");
  });

  it.each([
    { text: "127.0.0.1:8448", listen: { host: "127.0.0.1", port: 8448 }, why: "a port" },
    { text: "unix:/run/in.sock", listen: { path: "/run/in.sock" }, why: "a unix socket" },
    { text: `unix:/${"a".repeat(106)}`, listen: { path: `/${"a".repeat(106)}` }, why: "107 bytes" },
    { text: `unix:/${"a".repeat(107)}`, listen: undefined, why: "108 bytes" },
    { text: "unix:in.sock", listen: undefined, why: "a relative path" },
    { text: "unix:", listen: undefined, why: "no path" },
    { text: "/run/in.sock", listen: undefined, why: "a path without unix:" },
  ])("listens on $text: $listen ($why)", ({ text, listen }) => {
    const parsed = parseListen(text);
    expect("value" in parsed ? parsed.value : undefined).toEqual(listen);
  });

  it("takes 255 characters", () => {
    expect(parseHostPort(`${"a".repeat(253)}:1`)).toHaveProperty("value");
  });

  it.each([
    { text: "http://127.0.0.1:8008", value: { kind: "tcp", host: "127.0.0.1", port: 8008 } },
    { text: "http://[::1]:8008/", value: { kind: "tcp", host: "::1", port: 8008 } },
    { text: "http://synapse", value: { kind: "tcp", host: "synapse", port: 80 } },
    { text: "unix:/run/hs.sock", value: { kind: "unix", path: "/run/hs.sock" } },
    { text: `unix:/${"a".repeat(106)}`, value: { kind: "unix", path: `/${"a".repeat(106)}` } },
  ])("has the upstream $text", ({ text, value }) => {
    expect(parseUpstream(text)).toEqual({ value });
  });

  it.each([
    { text: "127.0.0.1:8008", why: "no scheme" },
    { text: "https://a", why: "https" },
    { text: "http://a:8008/path", why: "a path" },
    { text: "http://a?b", why: "a query" },
    { text: "http://user@a", why: "a user" },
    { text: "http://a:0", why: "port 0" },
    { text: "http://", why: "no host" },
    { text: "unix:run/hs.sock", why: "a relative socket" },
    { text: `unix:/${"a".repeat(107)}`, why: "a socket path of 108 bytes" },
  ])("refuses the upstream $text: $why", ({ text }) => {
    expect(parseUpstream(text)).toHaveProperty("refused");
  });

  it.each(["10.1.0.0/16", "10.1.2.3", "fd00::/8", "::1/128", "0.0.0.0/0", "::ffff:10.1.2.3/128"])(
    "has the network %s",
    (text) => {
      expect(parseNetwork(text)).toEqual({ value: text });
    },
  );

  it.each(["10.1.0.0/33", "10.1/16", "fd00::/129", "relay.example", "10.1.0.0/", "fe80::1%eth0", ""])(
    "refuses the network %s",
    (text) => {
      expect(parseNetwork(text)).toHaveProperty("refused");
    },
  );

  it("brings names to lower case", () => {
    expect(parseServerName("HS1.Example:8448")).toEqual({ value: "hs1.example:8448" });
    expect(parseServerName("[2001:DB8::1]:8448")).toEqual({ value: "[2001:db8::1]:8448" });
    expect(parseHostName("Admin.Example")).toEqual({ value: "admin.example" });
    expect(parseHostName("::1")).toEqual({ value: "::1" });
  });

  it.each(["a:80", "http://a", "*.example", ""])("refuses the host name %s", (text) => {
    expect(parseHostName(text)).toHaveProperty("refused");
  });

  it.each(["ftp://a", "http://user:pass@a/", "https://a/#b", "//a", "http://"])(
    "refuses the URL %s",
    (text) => {
      expect(parseHttpUrl(text)).toHaveProperty("refused");
    },
  );

  it("keeps a URL as it was written", () => {
    expect(parseHttpUrl("https://A.example?b=%2f")).toEqual({ value: "https://A.example?b=%2f" });
  });
});

describe("substitute", () => {
  const environment = { NAME: "value", EMPTY: "", NESTED: "${NAME}", _x1: "y" };

  it.each([
    { why: "nothing to do", text: "a$b $ $$ $NAME", expected: "a$b $ $$ $NAME" },
    { why: "a name", text: "<${NAME}>", expected: "<value>" },
    { why: "two", text: "${NAME}${_x1}", expected: "valuey" },
    { why: "an empty variable", text: "${EMPTY}", expected: "" },
    { why: "a default not needed", text: "${NAME:-other}", expected: "value" },
    { why: "a default for unset", text: "${UNSET:-a:-b}", expected: "a:-b" },
    { why: "a default for empty", text: "${EMPTY:-other}", expected: "other" },
    { why: "an empty default", text: "${UNSET:-}", expected: "" },
    { why: "a literal", text: "$${NAME}", expected: "${NAME}" },
    { why: "what is put in isn't looked at again", text: "${NESTED}", expected: "${NAME}" },
  ])("$why", ({ text, expected }) => {
    expect(substitute(text, environment)).toEqual({ value: expected });
  });

  it.each([
    { why: "unset", text: "${UNSET}", refused: "UNSET is not set" },
    { why: "a name every object has", text: "${constructor}", refused: "constructor is not set" },
    { why: "no end", text: "${NAME", refused: "not a reference" },
    { why: "no name", text: "${}", refused: "not a reference" },
    { why: "no name of a variable", text: "${1}", refused: "not a reference" },
    { why: "another operator", text: "${NAME:=a}", refused: "not a reference" },
  ])("refuses $why", ({ text, refused }) => {
    expect(substitute(text, environment)).toEqual({ refused: expect.stringContaining(refused) });
  });
});

describe("nearestName", () => {
  const names = ["head", "headers", "head_timeout", "idle", "connections"];

  it.each([
    { why: "a letter left out", word: "conections", nearest: "connections" },
    { why: "two swapped", word: "ilde", nearest: "idle" },
    { why: "a hyphen", word: "head-timeout", nearest: "head_timeout" },
    { why: "letter case", word: "Idle", nearest: "idle" },
    { why: "the nearer of two", word: "header", nearest: "headers" },
    { why: "4 slips in 12 letters", word: "heat_timexxx", nearest: "head_timeout" },
    { why: "5 slips in 12 letters", word: "haat_timexxx", nearest: undefined },
    { why: "something else", word: "colour", nearest: undefined },
    { why: "nothing", word: "", nearest: undefined },
    { why: "very long", word: "idle".repeat(17), nearest: undefined },
  ])("$why", ({ word, nearest }) => {
    expect(nearestName(word, names)).toBe(nearest);
  });
});
