/**
 * parseRequestHead behind a HeadBuffer, against RFC 9112 and the ways in which requests have been smuggled.
 * Method: one row a case with its source; a row gives what is read, or the word of refusals.ts. Each row goes in whole,
 * cut in two at every byte and byte by byte, and must come out the same. Each limit has a row inside and one outside.
 */

import { describe, expect, it } from "vitest";
import { CHUNKED } from "../../src/http1/framing.ts";
import { HeadBuffer } from "../../src/http1/head-buffer.ts";
import { REQUEST_REFUSALS } from "../../src/http1/refusals.ts";
import { parseRequestHead, type RequestHead } from "../../src/http1/request-head.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { fragmentations } from "./fragments.ts";

const FIELDS = createProxyFields([]);
const HEAD_BYTES = 300;
const HEAD_LINES = 4;

function read(pieces: readonly Buffer[]): RequestHead | string {
  const buffer = new HeadBuffer(HEAD_BYTES);
  for (const piece of pieces) {
    const found = buffer.take(piece, 0);
    if (found === "more") continue;
    return typeof found === "string" ? found : parseRequestHead(found.text, FIELDS, HEAD_LINES);
  }
  return "more";
}

/** A request for a.test with more header lines. */
function withLines(lines: string, line = "POST / HTTP/1.1"): string {
  return `${line}\r\nHost: a.test\r\n${lines}\r\n`;
}

function withTarget(method: string, target: string): string {
  return withLines("", `${method} ${target} HTTP/1.1`);
}

function withHost(host: string): string {
  return `GET / HTTP/1.1\r\nHost:${host}\r\n\r\n`;
}

const ACCEPTED: readonly {
  readonly why: string;
  readonly text: string;
  readonly read: Partial<RequestHead>;
}[] = [
  {
    why: "the smallest request",
    text: withHost("a"),
    read: { method: "GET", target: "/", isHttp10: false, host: "a", bodyLength: 0, hasExpectedBody: false },
  },
  {
    why: "HTTP/1.0 without Host (RFC 9112 3.2)",
    text: "GET / HTTP/1.0\r\n\r\n",
    read: { isHttp10: true, host: "" },
  },
  {
    why: "two empty lines before it (RFC 9112 2.2)",
    text: `\r\n\r\n${withHost("a")}`,
    read: { text: withHost("a") },
  },
  {
    why: "any token as method",
    text: withTarget("!#$%&'*+-.^_`|~09Az", "/"),
    read: { method: "!#$%&'*+-.^_`|~09Az" },
  },
  { why: "a method of 32 letters", text: withTarget("M".repeat(32), "/"), read: { method: "M".repeat(32) } },
  {
    why: "a target with every visible character but #",
    text: withTarget("GET", "/!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"),
    read: { target: "/!\"$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~" },
  },
  {
    why: "a target that starts with two slashes",
    text: withTarget("GET", "//b/c"),
    read: { target: "//b/c" },
  },
  {
    why: "absolute-form",
    text: withTarget("GET", "HTTP://a.test:80?q"),
    read: { target: "HTTP://a.test:80?q" },
  },
  {
    why: "absolute-form with IPv6",
    text: withTarget("GET", "http://[::1]:80/"),
    read: { target: "http://[::1]:80/" },
  },
  {
    why: "absolute-form without a path",
    text: withTarget("GET", "http://a.test"),
    read: { target: "http://a.test" },
  },
  { why: "authority-form", text: withTarget("CONNECT", "a.test:443"), read: { target: "a.test:443" } },
  { why: "asterisk-form", text: withTarget("OPTIONS", "*"), read: { target: "*" } },
  { why: "Host with a port", text: withHost(" a.test:8448"), read: { host: "a.test:8448" } },
  { why: "Host as IPv6", text: withHost("\t[2001:db8::1]:8448 \t"), read: { host: "[2001:db8::1]:8448" } },
  { why: "Host of unreserved characters", text: withHost("a_b~c.-9"), read: { host: "a_b~c.-9" } },
  {
    why: "Content-Length with blanks around it",
    text: withLines("Content-Length: \t 5 \t\r\n"),
    read: { bodyLength: 5 },
  },
  {
    why: "Content-Length of 15 digits",
    text: withLines("content-length:999999999999999\r\n"),
    read: { bodyLength: 999_999_999_999_999 },
  },
  { why: "leading zeros", text: withLines("Content-Length: 000000000000005\r\n"), read: { bodyLength: 5 } },
  { why: "Content-Length 0", text: withLines("Content-Length: 0\r\n"), read: { bodyLength: 0 } },
  {
    why: "Content-Length 0 of a GET in HTTP/1.0",
    text: withLines("Content-Length: 0\r\n", "GET / HTTP/1.0"),
    read: { bodyLength: 0 },
  },
  {
    why: "a body of a POST in HTTP/1.0",
    text: withLines("Content-Length: 1\r\n", "POST / HTTP/1.0"),
    read: { bodyLength: 1 },
  },
  { why: "chunked", text: withLines("Transfer-Encoding: chunked\r\n"), read: { bodyLength: CHUNKED } },
  {
    why: "Chunked, any case (RFC 9112 7)",
    text: withLines("TRANSFER-ENCODING:\tChunked \r\n"),
    read: { bodyLength: CHUNKED },
  },
  { why: "an empty value", text: withLines("X:\r\n"), read: { bodyLength: 0 } },
  { why: "obs-text in a value (RFC 9110 5.5)", text: withLines("X: \x80\xff\r\n"), read: { bodyLength: 0 } },
  { why: "a tab in a value", text: withLines("X: a\tb\r\n"), read: { bodyLength: 0 } },
  {
    why: "an expectation with a body",
    text: withLines("Expect: 100-Continue\r\nContent-Length: 1\r\n"),
    read: { hasExpectedBody: true },
  },
  {
    why: "another one, which a server may take for the one it knows, with chunks",
    text: withLines("Expect: x 100-continue\r\nTransfer-Encoding: chunked\r\n"),
    read: { hasExpectedBody: true },
  },
  {
    why: "in HTTP/1.0, though it means nothing there (RFC 9110 10.1.1): it is passed on",
    text: withLines("Content-Length: 1\r\nExpect: 100-continue\r\n", "POST / HTTP/1.0"),
    read: { hasExpectedBody: true },
  },
  {
    why: "an expectation without a body",
    text: withLines("Expect: 100-continue\r\nContent-Length: 0\r\n"),
    read: { hasExpectedBody: false },
  },
  {
    why: "Connection in two lines",
    text: withLines("Connection: close, X-A\r\nconnection:upgrade\r\n"),
    read: { connection: { isClose: true, isKeepAlive: false, isUpgrade: true, nominated: ["x-a"] } },
  },
  { why: "as many lines as allowed", text: withLines("A: 1\r\nB: 2\r\nC: 3\r\n"), read: { host: "a.test" } },
  {
    why: "as many bytes as allowed",
    text: withLines(`X: ${"x".repeat(HEAD_BYTES - withLines("X: \r\n").length)}\r\n`),
    read: { host: "a.test" },
  },
];

const REFUSED: readonly {
  readonly why: string;
  readonly text: string;
  readonly refusal: keyof typeof REQUEST_REFUSALS;
}[] = [
  // Line ends: RFC 9112 section 2.2; a lone LF or CR is a line end to some (CVE-2022-32214, CVE-2023-30589).
  { why: "LF everywhere", text: "GET / HTTP/1.1\nHost: a\n\n", refusal: "bare-line-end" },
  {
    why: "LF behind the request line",
    text: "GET / HTTP/1.1\nHost: a.test\r\n\r\n",
    refusal: "bare-line-end",
  },
  { why: "LF behind a field", text: withLines("X: a\nY: b\r\n"), refusal: "bare-line-end" },
  { why: "LF in a name", text: withLines("X\nY: b\r\n"), refusal: "bare-line-end" },
  { why: "LF first", text: `\n${withHost("a")}`, refusal: "bare-line-end" },
  { why: "CR in a value", text: withLines("X: a\rY: b\r\n"), refusal: "bare-line-end" },
  { why: "CR CR LF", text: withLines("X: a\r\r\n"), refusal: "bare-line-end" },
  { why: "CR before the colon", text: withLines("X\r: a\r\n"), refusal: "bare-line-end" },
  { why: "CR in the target", text: withTarget("GET", "/a\rb"), refusal: "bare-line-end" },
  { why: "CR before a field", text: withLines("\rX: a\r\n"), refusal: "bare-line-end" },
  { why: "CR first", text: `\r${withHost("a")}`, refusal: "bare-line-end" },

  // The request line: RFC 9112 section 3.
  { why: "no version", text: withLines("", "GET /"), refusal: "request-line" },
  { why: "no target", text: withLines("", "GET HTTP/1.1"), refusal: "request-line" },
  { why: "two spaces before the target", text: withTarget("GET", " /"), refusal: "request-line" },
  { why: "two spaces behind the target", text: withTarget("GET", "/ "), refusal: "request-line" },
  { why: "a space in the target", text: withTarget("GET", "/a b"), refusal: "request-line" },
  { why: "a space first", text: ` ${withHost("a")}`, refusal: "request-line" },
  { why: "a space last", text: withLines("", "GET / HTTP/1.1 "), refusal: "request-line" },
  { why: "a tab for a space", text: withLines("", "GET\t/ HTTP/1.1"), refusal: "request-line" },
  { why: "a separator in the method", text: withTarget("GE(T", "/"), refusal: "request-line" },
  { why: "NUL in the method", text: withTarget("G\0T", "/"), refusal: "request-line" },
  { why: "a high byte in the method", text: withTarget("G\xcbT", "/"), refusal: "request-line" },
  { why: "a method of 33 letters", text: withTarget("M".repeat(33), "/"), refusal: "request-line" },
  { why: "three empty lines before it", text: `\r\n\r\n\r\n${withHost("a")}`, refusal: "request-line" },
  { why: "nothing but empty lines", text: "\r\n\r\n\r\n\r\n", refusal: "request-line" },
  { why: "a lower-case protocol", text: withLines("", "GET / http/1.1"), refusal: "request-line" },
  { why: "another protocol", text: withLines("", "GET / ICY/1.1"), refusal: "request-line" },
  { why: "TLS on a plain port", text: "\x16\x03\x01\x02\0\x01\r\n\r\n", refusal: "request-line" },

  // RFC 9112 section 2.3.
  { why: "HTTP/1.2", text: withLines("", "GET / HTTP/1.2"), refusal: "version" },
  { why: "HTTP/2.0", text: withLines("", "GET / HTTP/2.0"), refusal: "version" },
  { why: "HTTP/0.9", text: withLines("", "GET / HTTP/0.9"), refusal: "version" },
  { why: "HTTP/1.10", text: withLines("", "GET / HTTP/1.10"), refusal: "version" },
  { why: "HTTP/01.1", text: withLines("", "GET / HTTP/01.1"), refusal: "version" },
  { why: "HTTP/1", text: withLines("", "GET / HTTP/1"), refusal: "version" },
  { why: "the preface of HTTP/2", text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refusal: "version" },

  // RFC 9112 section 3.2.
  { why: "a fragment (CVE-2023-45539)", text: withTarget("GET", "/a#b"), refusal: "target" },
  { why: "a tab in the target", text: withTarget("GET", "/a\tb"), refusal: "target" },
  { why: "NUL in the target", text: withTarget("GET", "/a\0"), refusal: "target" },
  { why: "DEL in the target", text: withTarget("GET", "/a\x7f"), refusal: "target" },
  { why: "a high byte in the target", text: withTarget("GET", "/\xe9"), refusal: "target" },
  { why: "a relative target", text: withTarget("GET", "a/b"), refusal: "target" },
  { why: "asterisk without OPTIONS", text: withTarget("GET", "*"), refusal: "target" },
  { why: "asterisk with more", text: withTarget("OPTIONS", "*a"), refusal: "target" },
  { why: "authority-form without CONNECT", text: withTarget("GET", "a.test:443"), refusal: "target" },
  { why: "CONNECT without a port (RFC 9110 9.3.6)", text: withTarget("CONNECT", "a"), refusal: "target" },
  { why: "CONNECT with an empty port", text: withTarget("CONNECT", "a.test:"), refusal: "target" },
  { why: "CONNECT in origin-form", text: withTarget("CONNECT", "/"), refusal: "target" },
  { why: "CONNECT in absolute-form", text: withTarget("CONNECT", "http://a.test:1/"), refusal: "target" },
  { why: "absolute-form without a host", text: withTarget("GET", "http:///a"), refusal: "target" },
  { why: "absolute-form without slashes", text: withTarget("GET", "http:a"), refusal: "target" },
  { why: "user information (RFC 9110 4.2.4)", text: withTarget("GET", "http://u@a/"), refusal: "target" },
  { why: "a backslash in the host", text: withTarget("GET", "http://a\\@b/"), refusal: "target" },
  { why: "a port that is none", text: withTarget("GET", "http://a:b/"), refusal: "target" },
  { why: "a scheme that starts with a digit", text: withTarget("GET", "1a://b/"), refusal: "target" },

  // Field lines: RFC 9112 section 5.
  { why: "a space before the colon (5.1)", text: withLines("X : a\r\n"), refusal: "field" },
  { why: "a tab before the colon", text: withLines("Content-Length\t: 5\r\n"), refusal: "field" },
  { why: "no colon", text: withLines("X\r\n"), refusal: "field" },
  { why: "no name", text: withLines(": a\r\n"), refusal: "field" },
  { why: "a separator in the name", text: withLines("X(Y: a\r\n"), refusal: "field" },
  { why: "a high byte in the name", text: withLines("X\xe9: a\r\n"), refusal: "field" },
  { why: "NUL in a name", text: withLines("X\0: a\r\n"), refusal: "field" },
  { why: "NUL in a value (RFC 9110 5.5)", text: withLines("X: a\0b\r\n"), refusal: "field" },
  { why: "SOH in a value", text: withLines("X: \x01\r\n"), refusal: "field" },
  { why: "BS in a value", text: withLines("X: \x08\r\n"), refusal: "field" },
  { why: "VT in a value", text: withLines("Transfer-Encoding:\x0bchunked\r\n"), refusal: "field" },
  { why: "FF in a value", text: withLines("X: \x0c\r\n"), refusal: "field" },
  { why: "ESC in a value", text: withLines("X: \x1b[2J\r\n"), refusal: "field" },
  { why: "the last control character", text: withLines("X: \x1f\r\n"), refusal: "field" },
  { why: "DEL in a value", text: withLines("X: \x7f\r\n"), refusal: "field" },
  { why: "obs-fold with a space (5.2)", text: withLines("X: a\r\n b\r\n"), refusal: "folded-field" },
  { why: "obs-fold with a tab", text: withLines("X: a\r\n\tb: c\r\n"), refusal: "folded-field" },
  {
    why: "a space before the first field (2.2)",
    text: "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    refusal: "folded-field",
  },

  // Host: RFC 9112 section 3.2.
  { why: "no Host", text: "GET / HTTP/1.1\r\nX: a\r\n\r\n", refusal: "host-missing" },
  ...["GET", "HEAD", "DELETE"].map((method) => ({
    why: `a body of a ${method} in HTTP/1.0 (RFC 1945 8)`,
    text: withLines("Content-Length: 1\r\n", `${method} / HTTP/1.0`),
    refusal: "body-version" as const,
  })),
  { why: "no field at all", text: "GET / HTTP/1.1\r\n\r\n", refusal: "host-missing" },
  { why: "no Host beside CONNECT", text: "CONNECT a:1 HTTP/1.1\r\n\r\n", refusal: "host-missing" },
  { why: "Host twice", text: withLines("hOST: b.test\r\n"), refusal: "host-repeated" },
  { why: "the same Host twice", text: withLines("Host: a.test\r\n"), refusal: "host-repeated" },
  {
    why: "Host twice in HTTP/1.0",
    text: withLines("Host: b\r\n", "GET / HTTP/1.0"),
    refusal: "host-repeated",
  },
  { why: "an empty Host", text: withHost(""), refusal: "host" },
  { why: "a blank Host", text: withHost(" \t"), refusal: "host" },
  { why: "a list of hosts", text: withHost(" a, b"), refusal: "host" },
  { why: "a space in Host", text: withHost(" a b"), refusal: "host" },
  { why: "a path in Host", text: withHost(" a/b"), refusal: "host" },
  { why: "a query in Host", text: withHost(" a?b"), refusal: "host" },
  { why: "a user in Host", text: withHost(" u@a"), refusal: "host" },
  { why: "a URL in Host", text: withHost(" http://a"), refusal: "host" },
  { why: "an empty port", text: withHost(" a:"), refusal: "host" },
  { why: "a port of six digits", text: withHost(" a:123456"), refusal: "host" },
  { why: "a port that is a name", text: withHost(" a:http"), refusal: "host" },
  { why: "IPv6 without brackets", text: withHost(" ::1"), refusal: "host" },
  { why: "an open bracket", text: withHost(" [::1"), refusal: "host" },
  { why: "text behind the bracket", text: withHost(" [::1]a"), refusal: "host" },
  { why: "percent-encoding", text: withHost(" a%00b"), refusal: "host" },
  { why: "a high byte in Host", text: withHost(" \xe9"), refusal: "host" },

  // Content-Length: RFC 9112 section 6.3, RFC 9110 section 8.6.
  {
    why: "a plus sign (CVE-2021-33197)",
    text: withLines("Content-Length: +5\r\n"),
    refusal: "content-length",
  },
  { why: "a minus sign", text: withLines("Content-Length: -5\r\n"), refusal: "content-length" },
  { why: "hexadecimal", text: withLines("Content-Length: 0x5\r\n"), refusal: "content-length" },
  { why: "a list of equals (6.3)", text: withLines("Content-Length: 5,5\r\n"), refusal: "content-length" },
  { why: "a list with blanks", text: withLines("Content-Length: 5, 6\r\n"), refusal: "content-length" },
  { why: "a blank inside", text: withLines("Content-Length: 5 5\r\n"), refusal: "content-length" },
  { why: "a fraction", text: withLines("Content-Length: 5.0\r\n"), refusal: "content-length" },
  { why: "an exponent", text: withLines("Content-Length: 5e1\r\n"), refusal: "content-length" },
  { why: "an underscore", text: withLines("Content-Length: 1_0\r\n"), refusal: "content-length" },
  { why: "quotes", text: withLines('Content-Length: "5"\r\n'), refusal: "content-length" },
  { why: "empty", text: withLines("Content-Length:\r\n"), refusal: "content-length" },
  { why: "blank", text: withLines("Content-Length: \t \r\n"), refusal: "content-length" },
  { why: "a no-break space", text: withLines("Content-Length: 5\xa0\r\n"), refusal: "content-length" },
  { why: "16 digits", text: withLines("Content-Length: 1000000000000000\r\n"), refusal: "content-length" },
  {
    why: "twice",
    text: withLines("Content-Length: 5\r\ncontent-length: 6\r\n"),
    refusal: "content-length-repeated",
  },
  {
    why: "twice the same",
    text: withLines("Content-Length: 5\r\nContent-Length: 5\r\n"),
    refusal: "content-length-repeated",
  },

  // Transfer-Encoding: RFC 9112 sections 6.1 and 7.
  {
    why: "beside Content-Length (CVE-2019-16276 and many)",
    text: withLines("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    refusal: "length-and-coding",
  },
  {
    why: "before Content-Length: 0",
    text: withLines("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
    refusal: "length-and-coding",
  },
  {
    why: "in HTTP/1.0",
    text: withLines("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"),
    refusal: "coding-version",
  },
  { why: "empty", text: withLines("Transfer-Encoding:\r\n"), refusal: "coding-repeated" },
  { why: "an empty element", text: withLines("Transfer-Encoding: ,chunked\r\n"), refusal: "coding-repeated" },
  {
    why: "chunked twice",
    text: withLines("Transfer-Encoding: chunked, chunked\r\n"),
    refusal: "coding-repeated",
  },
  {
    why: "chunked in two lines",
    text: withLines("Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n"),
    refusal: "coding-repeated",
  },
  {
    why: "identity in a second line (CVE-2022-32215)",
    text: withLines("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    refusal: "coding-repeated",
  },
  { why: "gzip alone", text: withLines("Transfer-Encoding: gzip\r\n"), refusal: "coding" },
  { why: "gzip before chunked", text: withLines("Transfer-Encoding: gzip, chunked\r\n"), refusal: "coding" },
  { why: "gzip behind chunked", text: withLines("Transfer-Encoding: chunked, gzip\r\n"), refusal: "coding" },
  { why: "identity (CVE-2020-8287)", text: withLines("Transfer-Encoding: identity\r\n"), refusal: "coding" },
  { why: "xchunked", text: withLines("Transfer-Encoding: xchunked\r\n"), refusal: "coding" },
  { why: "a parameter", text: withLines("Transfer-Encoding: chunked;q=1\r\n"), refusal: "coding" },
  { why: "quotes", text: withLines('Transfer-Encoding: "chunked"\r\n'), refusal: "coding" },
  { why: "a no-break space", text: withLines("Transfer-Encoding: chunked\xa0\r\n"), refusal: "coding" },

  // RFC 9110 section 7.6.1.
  {
    why: "a nominated length",
    text: withLines("Connection: close, Content-Length\r\n"),
    refusal: "connection",
  },

  { why: "one line too many", text: withLines("A:\r\nB:\r\nC:\r\nD:\r\n"), refusal: "head-lines" },
  {
    why: "one byte too many",
    text: withLines(`X: ${"x".repeat(HEAD_BYTES + 1 - withLines("X: \r\n").length)}\r\n`),
    refusal: "head-size",
  },
  { why: "no end in sight", text: "x".repeat(HEAD_BYTES + 1), refusal: "head-size" },
];

describe("parseRequestHead", () => {
  it.each(ACCEPTED)("takes $why", ({ text, read: expected }) => {
    for (const pieces of fragmentations(text)) expect(read(pieces)).toMatchObject(expected);
  });

  it.each(REFUSED)("refuses $why: $refusal", ({ text, refusal }) => {
    const outcomes = fragmentations(text).map(read);
    expect(new Set(outcomes)).toEqual(new Set([refusal]));
  });

  it("has a row for each reason", () => {
    // Bodies: chunked.test.ts. Whether Host may differ from the target depends on the direction: proxy/ decides.
    const elsewhere = ["chunk", "trailer", "host-differs"];
    const shown = new Set<string>([...REFUSED.map(({ refusal }) => refusal), ...elsewhere]);
    expect(new Set(Object.keys(REQUEST_REFUSALS))).toEqual(shown);
  });

  it("keeps the head's text and where its lines start", () => {
    const text = withLines("X:  odd \t\r\n", "GET /a HTTP/1.1");
    expect(read([Buffer.from(text, "latin1")])).toMatchObject({ text, fieldsAt: 17 });
  });
});
