/**
 * ChunkedReader against RFC 9112 section 7.1 and the ways in which chunked bodies have been smuggled.
 * Method: one row a case. A valid body passes byte for byte, its trailers apart; a faulty one gives its word, and of a
 * faulty trailer section nothing passes. Each row goes in whole, cut in two at every byte and byte by byte.
 */

import { describe, expect, it } from "vitest";
import { ChunkedReader } from "../../src/http1/chunked.ts";
import { fragmentations, singleBytes } from "./fragments.ts";

const TRAILERS_MAX = 64;

interface Outcome {
  /** "done", "more", or the fault. */
  readonly state: string;
  /** What may be forwarded as it is. */
  readonly passed: string;
  /** The bytes without the coding. */
  readonly content: string;
  readonly trailers: string;
  /** What lies behind the body. */
  readonly rest: string;
}

function read(pieces: readonly Buffer[], trailersMax = TRAILERS_MAX): Outcome {
  const plain = new ChunkedReader(trailersMax);
  let content = "";
  const uncoded = new ChunkedReader(trailersMax, (bytes) => (content += bytes.toString("latin1")));
  let passed = "";
  let rest = "";
  for (const piece of pieces) {
    if (plain.isDone) {
      rest += piece.toString("latin1");
      continue;
    }
    const end = plain.read(piece, 0);
    if (uncoded.read(piece, 0) !== end) throw new Error("ends elsewhere where the content is asked for");
    if (plain.fault !== undefined) break; // As BodyReader does: nothing of this piece passes.
    passed += piece.toString("latin1", 0, plain.passEnd);
    rest += piece.toString("latin1", end);
  }
  const state = plain.fault ?? (plain.isDone ? "done" : "more");
  return { state, passed, content, trailers: plain.trailers, rest };
}

describe("ChunkedReader", () => {
  it.each([
    { why: "no chunk", body: "0\r\n\r\n", content: "" },
    { why: "one chunk", body: "5\r\nhello\r\n0\r\n\r\n", content: "hello" },
    { why: "two chunks", body: "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", content: "abc" },
    { why: "line ends in a chunk", body: "4\r\n\r\n\r\n\r\n0\r\n\r\n", content: "\r\n\r\n" },
    {
      why: "hex of both cases",
      body: `0b\r\n${"x".repeat(11)}\r\n0B\r\n${"y".repeat(11)}\r\n0\r\n\r\n`,
      content: "x".repeat(11) + "y".repeat(11),
    },
    { why: "13 digits", body: "0000000000001\r\na\r\n0000000000000\r\n\r\n", content: "a" },
    { why: "every byte value", body: "3\r\n\0\x80\xff\r\n0\r\n\r\n", content: "\0\x80\xff" },
    { why: "an extension", body: "1;a\r\na\r\n0;b=c\r\n\r\n", content: "a" },
    { why: "extensions with blanks (7.1.1)", body: "1 ; a = b\t;c\r\na\r\n0\r\n\r\n", content: "a" },
    { why: "a quoted extension", body: '1;a=";\\"\\\\ \t\xff"\r\na\r\n0\r\n\r\n', content: "a" },
    { why: "a size line of 1024 bytes", body: `1;${"a".repeat(1022)}\r\na\r\n0\r\n\r\n`, content: "a" },
  ])("passes $why as it is", ({ body, content }) => {
    for (const pieces of fragmentations(`${body}NEXT`)) {
      const outcome = read(pieces);
      // The last line's CR may have come alone; then it is held, and comes as a trailer section without lines.
      expect(outcome.passed + outcome.trailers).toBe(body);
      expect(["", "\r\n"]).toContain(outcome.trailers);
      expect(outcome).toMatchObject({ state: "done", content, rest: "NEXT" });
    }
  });

  it.each([
    { why: "one line", trailers: "Expires: 0\r\n\r\n" },
    { why: "lines", trailers: "a:\r\nb: \xe9\t\r\n\r\n" },
    { why: "as many bytes as allowed", trailers: `a:${"b".repeat(TRAILERS_MAX - 6)}\r\n\r\n` },
  ])("holds a trailer section of $why back", ({ trailers }) => {
    for (const pieces of fragmentations(`1\r\na\r\n0\r\n${trailers}NEXT`)) {
      expect(read(pieces)).toEqual({
        state: "done",
        passed: "1\r\na\r\n0\r\n",
        content: "a",
        trailers,
        rest: "NEXT",
      });
    }
  });

  it.each(["7fffffff\r\n", "007FFFFFFF;a\r\n"])("takes a chunk of one byte less than 2 GiB: %j", (line) => {
    expect(read([Buffer.from(`${line}a`, "latin1")])).toMatchObject({ state: "more", passed: `${line}a` });
  });

  it.each([
    { why: "a plus sign", body: "+1\r\na\r\n0\r\n\r\n" },
    { why: "a minus sign", body: "-1\r\na\r\n0\r\n\r\n" },
    { why: "0x (CVE-2018-7068)", body: "0x1\r\na\r\n0\r\n\r\n" },
    { why: "an underscore", body: "1_0\r\na\r\n" },
    { why: "a letter past f", body: "g\r\n" },
    { why: "no size", body: "\r\n\r\n" },
    { why: "an extension and no size", body: ";a=b\r\n" },
    { why: "a blank before the size", body: " 1\r\na\r\n0\r\n\r\n" },
    { why: "a blank behind the size", body: "1 \r\na\r\n0\r\n\r\n" },
    { why: "a tab behind the size", body: "1\t\r\na\r\n0\r\n\r\n" },
    { why: "a blank inside the size", body: "1 0\r\na\r\n" },
    { why: "a vertical tab behind the size", body: "1\x0b\r\na\r\n" },
    { why: "NUL behind the size", body: "1\0\r\na\r\n" },
    { why: "14 digits", body: "00000000000001\r\na\r\n0\r\n\r\n" },
    { why: "2 GiB, below zero where 32 bits have a sign (CVE-2002-0392)", body: "80000000\r\na\r\n" },
    { why: "2 GiB with an extension", body: "80000000;a\r\na\r\n" },
    { why: "4 GiB and one byte, which is 1 in 32 bits (CVE-2013-2028)", body: "100000001\r\na\r\n" },
    {
      why: "17 digits, where 64 bits overflow (CVE-2019-15605's family)",
      body: "10000000000000001\r\na\r\n",
    },
    { why: "LF alone behind the size", body: "1\na\r\n0\r\n\r\n" },
    { why: "LF alone, and no CR ever", body: "1\na" },
    { why: "another byte for the size's LF", body: "1\rXa\r\n0\r\n\r\n" },
    { why: "another byte for the chunk's CR", body: "1\r\naX\n0\r\n\r\n" },
    { why: "another byte for the chunk's LF", body: "1\r\na\rX0\r\n\r\n" },
    { why: "CR alone behind the size", body: "1\ra\r\n0\r\n\r\n" },
    { why: "CR CR LF behind the size", body: "1\r\r\na\r\n" },
    { why: "LF alone in an extension (CVE-2025-55315)", body: "1;a\nb\r\na\r\n0\r\n\r\n" },
    { why: "CR alone in an extension", body: "1;a\rb\r\na\r\n" },
    { why: "CR in a quoted extension", body: '1;a="b\rc"\r\na\r\n' },
    { why: "LF in a quoted extension", body: '1;a="b\nc"\r\na\r\n' },
    { why: "CRLF in a quoted extension", body: '1;a="b\r\nc"\r\na\r\n' },
    { why: "an escaped line end", body: '1;a="b\\\r\nc"\r\na\r\n' },
    { why: "an open quote", body: '1;a="b\r\na\r\n' },
    { why: "an empty extension", body: "1;\r\na\r\n" },
    { why: "an extension without its value", body: "1;a=\r\na\r\n" },
    { why: "a separator in an extension", body: "1;a@b\r\na\r\n" },
    { why: "a size line of 1025 bytes (CVE-2023-39326)", body: `1;${"a".repeat(1023)}\r\na\r\n` },
    { why: "a chunk without its line end", body: "1\r\na0\r\n\r\n" },
    { why: "a chunk that ends in LF alone", body: "1\r\na\n0\r\n\r\n" },
    { why: "a chunk that ends in CR alone", body: "1\r\na\r0\r\n\r\n" },
    { why: "a chunk longer than its size", body: "1\r\nab\r\n0\r\n\r\n" },
    { why: "a chunk that is shorter", body: "3\r\na\r\n0\r\n\r\n" },
  ])("refuses $why", ({ body }) => {
    for (const pieces of fragmentations(body)) expect(read(pieces).state).toBe("chunk");
  });

  it.each([
    { why: "LF alone at its end", trailers: "a: b\n\r\n" },
    { why: "LF alone", trailers: "\n" },
    { why: "LF alone as its empty line", trailers: "a: b\r\n\n" },
    { why: "CR alone in a value", trailers: "a: b\rc: d\r\n\r\n" },
    { why: "CR alone for its empty line", trailers: "\rGET / HTTP/1.1\r\n\r\n" },
    { why: "a line without a colon", trailers: "a\r\n\r\n" },
    { why: "a space before the colon", trailers: "a : b\r\n\r\n" },
    { why: "a folded line", trailers: "a: b\r\n c\r\n\r\n" },
    { why: "a control character", trailers: "a: \0\r\n\r\n" },
    { why: "a request in its place", trailers: "GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
  ])("refuses a trailer section with $why, and passes nothing of it", ({ trailers }) => {
    for (const pieces of fragmentations(`1\r\na\r\n0\r\n${trailers}`)) {
      const { state, passed } = read(pieces);
      expect(state).toBe("trailer");
      expect("1\r\na\r\n0\r\n".startsWith(passed)).toBe(true);
    }
  });

  it.each([
    { why: "a byte too long", trailers: `a:${"b".repeat(TRAILERS_MAX - 5)}\r\n\r\n` },
    { why: "without end", trailers: "a".repeat(TRAILERS_MAX + 1) },
  ])("refuses a trailer section $why", ({ trailers }) => {
    for (const pieces of fragmentations(`0\r\n${trailers}`)) {
      const { state, passed } = read(pieces);
      expect(state).toBe("head-size");
      expect("0\r\n".startsWith(passed)).toBe(true);
    }
  });

  it("waits for more at any other place", () => {
    const body = '5;a="b"\r\nhello\r\n0\r\na: b\r\n\r\n';
    for (let length = 0; length < body.length; length++) {
      const outcome = read([Buffer.from(body.slice(0, length), "latin1")]);
      expect(outcome.state).toBe("more");
      expect(body.startsWith(outcome.passed)).toBe(true);
    }
  });

  it("reads trailers in single bytes in time linear in them", () => {
    const trailers = `a:${"b".repeat(1 << 16)}\r\n\r\n`;
    const outcome = read(singleBytes(Buffer.from(`0\r\n${trailers}`)), 1 << 17);
    expect(outcome).toMatchObject({ state: "done", trailers });
  });
});
