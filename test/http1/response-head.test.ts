/**
 * parseResponseHead behind a HeadBuffer, against RFC 9112 sections 4 and 6.3.
 * Method: one row a case; a row gives what is read, or nothing where the response is refused. Each row goes in whole,
 * cut in two at every byte and byte by byte, and must come out the same.
 */

import { describe, expect, it } from "vitest";
import { CHUNKED, UNTIL_CLOSE } from "../../src/http1/framing.ts";
import { HeadBuffer } from "../../src/http1/head-buffer.ts";
import { parseResponseHead, type ResponseHead } from "../../src/http1/response-head.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { fragmentations } from "./fragments.ts";

const FIELDS = createProxyFields([]);
const HEAD_BYTES = 300;
const HEAD_LINES = 3;

function read(pieces: readonly Buffer[], method: string): ResponseHead | string {
  const buffer = new HeadBuffer(HEAD_BYTES);
  for (const piece of pieces) {
    const found = buffer.take(piece, 0);
    if (found === "more") continue;
    const head =
      typeof found === "string" ? undefined : parseResponseHead(found.text, method, FIELDS, HEAD_LINES);
    return head ?? "refused";
  }
  return "more";
}

function withStatus(status: string, lines = ""): string {
  return `HTTP/1.1 ${status}\r\n${lines}\r\n`;
}

const LENGTH = "Content-Length: 5\r\n";
const CODING = "Transfer-Encoding: chunked\r\n";

describe("parseResponseHead", () => {
  it.each([
    { why: "a length", text: withStatus("200 OK", LENGTH), read: { status: 200, bodyLength: 5 } },
    { why: "a length of 0", text: withStatus("200 OK", "Content-Length: 0\r\n"), read: { bodyLength: 0 } },
    { why: "chunked", text: withStatus("200 OK", CODING), read: { bodyLength: CHUNKED } },
    {
      why: "neither: until close (6.3, rule 8)",
      text: withStatus("200 OK"),
      read: { bodyLength: UNTIL_CLOSE },
    },
    { why: "no reason", text: withStatus("200 "), read: { status: 200 } },
    { why: "no space before no reason", text: withStatus("200"), read: { status: 200, fieldsAt: 14 } },
    { why: "obs-text in the reason", text: withStatus("200 \xe9\tOK"), read: { status: 200 } },
    {
      why: "a status of no class",
      text: withStatus("999 Odd", LENGTH),
      read: { status: 999, bodyLength: 5 },
    },
    { why: "HTTP/1.0", text: "HTTP/1.0 200 OK\r\n\r\n", read: { isHttp10: true, bodyLength: UNTIL_CLOSE } },
    { why: "100", text: withStatus("100 Continue"), read: { status: 100, bodyLength: 0 } },
    { why: "103", text: withStatus("103 Early Hints", "Link: </a>\r\n"), read: { bodyLength: 0 } },
    { why: "101", text: withStatus("101 Switching", "Connection: Upgrade\r\n"), read: { bodyLength: 0 } },
    { why: "204", text: withStatus("204 No Content"), read: { bodyLength: 0 } },
    { why: "204 of length 0", text: withStatus("204 No", "Content-Length: 0\r\n"), read: { bodyLength: 0 } },
    {
      why: "304 with the length it would have",
      text: withStatus("304 Not", LENGTH),
      read: { bodyLength: 0 },
    },
    { why: "304 with a coding (6.1)", text: withStatus("304 Not", CODING), read: { bodyLength: 0 } },
    { why: "205 like any other", text: withStatus("205 Reset", LENGTH), read: { bodyLength: 5 } },
    {
      why: "close",
      text: withStatus("200 OK", `Connection: X-A, close\r\n${LENGTH}`),
      read: { connection: { isClose: true, isKeepAlive: false, isUpgrade: false, nominated: ["x-a"] } },
    },
    {
      why: "the keep-alive time",
      text: withStatus("200 OK", "Keep-Alive: max=5, Timeout=7\r\n"),
      read: { keepAliveSeconds: 7 },
    },
    {
      why: "no keep-alive time",
      text: withStatus("200 OK", "Keep-Alive: xtimeout=7\r\n"),
      read: { keepAliveSeconds: undefined },
    },
    { why: "as many lines as allowed", text: withStatus("200", "A:\r\nB:\r\nC:\r\n"), read: { status: 200 } },
  ])("takes $why", ({ text, read: expected }) => {
    for (const pieces of fragmentations(text)) expect(read(pieces, "GET")).toMatchObject(expected);
  });

  it.each([
    { why: "a length", text: withStatus("200 OK", LENGTH) },
    { why: "a coding", text: withStatus("200 OK", CODING) },
    { why: "neither", text: withStatus("200 OK") },
  ])("gives the answer to HEAD no body, with $why", ({ text }) => {
    expect(read([Buffer.from(text)], "HEAD")).toMatchObject({ bodyLength: 0 });
  });

  it.each([
    { why: "LF alone", text: "HTTP/1.1 200 OK\nA: b\r\n\r\n" },
    { why: "CR in a value (splitting: CWE-113)", text: withStatus("200 OK", "A: b\rC: d\r\n") },
    { why: "CR in the reason", text: withStatus("200 O\rK") },
    { why: "NUL in the reason", text: withStatus("200 O\0K") },
    { why: "HTTP/1.2", text: "HTTP/1.2 200 OK\r\n\r\n" },
    { why: "HTTP/2.0", text: "HTTP/2.0 200 OK\r\n\r\n" },
    { why: "a lower-case protocol", text: "http/1.1 200 OK\r\n\r\n" },
    { why: "another protocol", text: "ICY 200 OK\r\n\r\n" },
    { why: "a status of two digits", text: withStatus("20 OK") },
    { why: "a status of four digits", text: withStatus("2000 OK") },
    { why: "a status below 100", text: withStatus("099 OK") },
    { why: "a sign before the status", text: withStatus("+20 OK") },
    { why: "two spaces before the status", text: withStatus(" 200 OK") },
    { why: "a space before the colon (5.1)", text: withStatus("200 OK", "A : b\r\n") },
    { why: "obs-fold (5.2)", text: withStatus("200 OK", "A: b\r\n c\r\n") },
    { why: "DEL in a value", text: withStatus("200 OK", "A: \x7f\r\n") },
    { why: "an odd length", text: withStatus("200 OK", "Content-Length: +5\r\n") },
    { why: "a list of lengths", text: withStatus("200 OK", "Content-Length: 5, 5\r\n") },
    { why: "two lengths", text: withStatus("200 OK", LENGTH + LENGTH) },
    { why: "length and coding (6.3, rule 3)", text: withStatus("200 OK", LENGTH + CODING) },
    { why: "an unknown coding", text: withStatus("200 OK", "Transfer-Encoding: gzip, chunked\r\n") },
    { why: "chunked in two lines", text: withStatus("200 OK", CODING + CODING) },
    { why: "a coding in HTTP/1.0 (6.1)", text: `HTTP/1.0 200 OK\r\n${CODING}\r\n` },
    { why: "a coding in a 204 (6.1)", text: withStatus("204 No Content", CODING) },
    { why: "a length in a 204 (RFC 9110 8.6)", text: withStatus("204 No Content", LENGTH) },
    { why: "a coding in a 100", text: withStatus("100 Continue", CODING) },
    { why: "a length in a 101", text: withStatus("101 Switching", LENGTH) },
    { why: "a nominated Content-Type", text: withStatus("200 OK", "Connection: content-type\r\n") },
    { why: "one line too many", text: withStatus("200 OK", "A:\r\nB:\r\nC:\r\nD:\r\n") },
    { why: "too many bytes", text: withStatus("200 OK", `A: ${"a".repeat(HEAD_BYTES)}\r\n`) },
  ])("refuses $why", ({ text }) => {
    for (const method of ["GET", "HEAD"]) {
      expect(new Set(fragmentations(text).map((pieces) => read(pieces, method)))).toEqual(
        new Set(["refused"]),
      );
    }
  });
});
