/** Chunks: sizes, extensions, ends and trailers, written as they should not be. */

import { chunked, HOST, NEXT, type RequestRow, SMUGGLED } from "./row.ts";

const TWO = ["POST /x", "GET /next"];
const FUNKY = "w4ke.info/2025/06/18/funky-chunks.html";

const HONEST: readonly RequestRow[] = [
  { name: "a chunk size in capitals", why: "hex digits have no case", body: "A\r\n0123456789\r\n0\r\n\r\n" },
  {
    name: "a chunk size with zeros before",
    why: "any number of them counts",
    body: "0005\r\nhello\r\n000\r\n\r\n",
  },
  { name: "a chunk extension", why: "unknown ones pass", body: "5;a=b\r\nhello\r\n0;c\r\n\r\n" },
  { name: "a quoted chunk extension", why: "passes", body: '5;a="b; \\" c"\r\nhello\r\n0\r\n\r\n' },
  {
    name: "a chunk extension behind spaces",
    why: "bad white space, but allowed",
    body: "5 ; a = b\r\nhello\r\n0\r\n\r\n",
  },
  { name: "a trailer", why: "passes", body: "5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n" },
].map(({ name, why, body }) => ({
  name,
  why,
  source: "RFC 9112 7.1",
  bytes: chunked(body) + NEXT,
  reaches: TWO,
  arrives: body,
}));

/** `SIZE CRLF hello CRLF 0 CRLF CRLF` and a request behind it. */
const SIZES: readonly RequestRow[] = [
  { name: "0x5", size: "0x5", why: "5 to strtoul, 0 to others", source: "uhttpd#3" },
  { name: "0X5", size: "0X5", why: "5 to strtoul, 0 to others" },
  { name: "+5", size: "+5", why: "int() takes it" },
  { name: "-5", size: "-5", why: "unsigned, it is huge", source: "CVE-2002-0392" },
  { name: "-0", size: "-0", why: "0 to some" },
  { name: "5_0", size: "5_0", why: "80 to Python, 5 to strtoul", source: "uhttpd#3" },
  { name: "a space before", size: " 5", why: "skipped by strtoul" },
  { name: "a space behind", size: "5 ", why: "some end the line there" },
  { name: "a tab behind", size: "5\t", why: "some end the line there" },
  {
    name: "garbage behind",
    size: "5these-bytes",
    why: "strtoul reads its digits",
    source: "trafficserver#10580",
  },
  { name: "a letter past f", size: "5g", why: "strtoul reads its digits" },
  { name: "a comma", size: "5,0", why: "strtoul reads its digits" },
  { name: "a point", size: "5.0", why: "strtoul reads its digits" },
  { name: "nothing", size: "", why: "0 to strtoul" },
  { name: "an extension alone", size: ";a=b", why: "0 to strtoul" },
  { name: "a NUL behind", size: "5\0", why: "a C string ends there" },
  { name: "a vertical tab before", size: "\v5", why: "white space to strip()" },
  { name: "full-width digits", size: "\xef\xbc\x95", why: "digits to a Unicode parser" },
  { name: "beyond 32 bits", size: "100000005", why: "5, where it wraps", source: "CVE-2013-2028" },
  {
    name: "beyond 31 bits",
    size: "80000005",
    why: "below zero, where it is signed",
    source: "CVE-2013-2028",
  },
  { name: "beyond 53 bits", size: "20000000000005", why: "a double loses some of it" },
  { name: "beyond 64 bits", size: "10000000000000005", why: "5, where it wraps", source: "CVE-2015-3183" },
  { name: "seventeen zeros", size: `${"0".repeat(16)}5`, why: "a parser of 16 digits drops some" },
].map(({ name, size, why, source = "RFC 9112 7.1" }) => ({
  name: `a chunk size: ${name}`,
  why,
  source,
  bytes: chunked(`${size}\r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  reaches: [],
  refusal: 400,
}));

const LINE_ENDS: readonly RequestRow[] = [
  {
    name: "a chunk's size line ends in LF",
    why: "who waits for CRLF reads on",
    source: "CVE-2025-22871",
    body: "5\nhello\r\n0\r\n\r\n",
  },
  {
    name: "a chunk's size line ends in CR",
    why: "who takes any byte for LF eats one",
    source: "CVE-2023-30589",
    body: "5\rhello\r\n0\r\n\r\n",
  },
  {
    name: "a chunk ends in LF",
    why: "who counts two bytes eats one",
    source: "CVE-2025-43859",
    body: "5\r\nhello\n0\r\n\r\n",
  },
  {
    name: "a chunk ends in any two bytes",
    why: "TERM.SPILL: who checks them refuses, who doesn't reads on",
    source: "CVE-2025-43859",
    body: `5\r\nhelloXX0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "a chunk longer than its size",
    why: "SPILL.TERM: the rest of the line is thrown away by some",
    source: `${FUNKY}; pound#43`,
    body: `5\r\nhelloAAAA\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "a chunk shorter than its size",
    why: "its end is inside the next size line",
    source: "RFC 9112 7.1",
    body: "7\r\nhello\r\n0\r\n\r\n",
  },
  {
    name: "the last chunk ends in any two bytes",
    why: "eaten without a look by some",
    source: "bun#29732",
    body: `0\r\nXX${SMUGGLED}`,
  },
  {
    name: "the last chunk ends in LF LF",
    why: "the empty line to some, a trailer's begin to others",
    source: "RFC 9112 2.2",
    body: `0\n\n${SMUGGLED}`,
  },
  {
    name: "the last chunk's empty line is LF",
    why: "the empty line to some, a trailer's begin to others",
    source: "RFC 9112 2.2",
    body: `0\r\n\n${SMUGGLED}`,
  },
  {
    name: "the last chunk's empty line is CR and a byte",
    why: "the empty line to who takes any byte for LF",
    source: "RFC 9112 2.2",
    body: `0\r\n\rX${SMUGGLED}`,
  },
].map(({ name, why, source, body }) => ({
  name,
  why,
  source,
  bytes: chunked(body),
  reaches: [],
  refusal: 400,
}));

const EXTENSIONS: readonly RequestRow[] = [
  {
    name: "LF in a chunk extension",
    why: "TERM.EXT: a line's end to some, a byte of the extension to others",
    source: `CVE-2025-55315, ${FUNKY}`,
    body: `5;\n${"a".repeat(3)}\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "LF in a chunk extension, and a chunk in it",
    why: "TERM.EXT with a smuggled request, as it was used",
    source: `CVE-2024-52304, ${FUNKY}`,
    body: `2;\nxx\r\n${(SMUGGLED.length + 7).toString(16)}\r\n0\r\n\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  },
  {
    name: "CR in a chunk extension",
    why: "a line's end to who takes any byte for LF",
    source: FUNKY,
    body: `5;a\rb\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "NUL in a chunk extension",
    why: "a C string ends there",
    source: "RFC 9112 7.1.1",
    body: `5;\0a\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "a control character in a chunk extension",
    why: "white space or a line's end to some",
    source: "RFC 9112 7.1.1",
    body: `5;a\x0b\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "CRLF in a quoted chunk extension",
    why: "who reads the quotes goes on behind the line's end",
    source: "CVE-2026-33870",
    body: `5;a="\r\nhello\r\n0\r\n\r\n${SMUGGLED}"\r\n0\r\n\r\n`,
  },
  {
    name: "an open quote in a chunk extension",
    why: "who reads the quotes goes on behind the line's end",
    source: "CVE-2026-33870",
    body: `5;a="b\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "a chunk extension without a name",
    why: "not in the grammar, so everybody reads it his way",
    source: "RFC 9112 7.1.1",
    body: `5;\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "a chunk extension with spaces in it",
    why: "not in the grammar, so everybody reads it his way",
    source: "RFC 9112 7.1.1",
    body: `5;a b\r\nhello\r\n0\r\n\r\n${SMUGGLED}`,
  },
  {
    name: "a chunk extension over the bound",
    why: "64 KiB for each byte of a body is work for nothing",
    source: "CVE-2023-39326",
    body: `5;a=${"a".repeat(65_536)}\r\nhello\r\n0\r\n\r\n`,
  },
].map(({ name, why, source, body }) => ({
  name,
  why,
  source,
  bytes: chunked(body),
  reaches: [],
  refusal: 400,
}));

const BAD_TRAILERS: readonly RequestRow[] = [
  {
    name: "a request",
    why: "a server that skips the trailers takes it for one",
    trailer: SMUGGLED.slice(0, -2),
  },
  { name: "LF", why: "a header of its own to some", trailer: "X-A: 1\nX-B: 2\r\n" },
  { name: "a fold", why: "joined or a line of its own", trailer: "X-A: 1\r\n X-B: 2\r\n" },
  { name: "a lone CR", why: "a header of its own to some", trailer: "X-A: 1\rX-B: 2\r\n" },
  { name: "a space before the colon", why: "a name to some", trailer: "Content-Length : 5\r\n" },
  { name: "no colon", why: "a name to some", trailer: "X-A\r\n" },
  { name: "NUL", why: "a C string ends there", trailer: "X-A: 1\0\r\n" },
  { name: "an empty name", why: "ends the section for some", trailer: ": 1\r\n", source: "CVE-2023-25725" },
].map(({ name, why, trailer, source = "RFC 9112 7.1.2" }) => ({
  name: `a trailer with ${name}`,
  why,
  source,
  bytes: chunked(`5\r\nhello\r\n0\r\n${trailer}\r\n`),
  reaches: [],
  refusal: 400,
}));

/** Trailers that a server could merge into the head it has read (RFC 9110 6.5.1). */
const CUT_TRAILERS: readonly RequestRow[] = [
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Transfer_Encoding: chunked",
  "Host: evil.test",
  "Connection: close",
  "Upgrade: h2c",
  "Authorization: X-Matrix origin=evil.test",
  "X-Forwarded-For: 10.0.0.1",
  "traceparent: 00-deadbeefdeadbeefdeadbeefdeadbeef-6e0c63257de34c92-01",
  "baggage: a=b",
].map((line) => ({
  name: `a trailer ${line.split(":", 1)[0] ?? ""}`,
  why: "frames, routes, proves or traces a message; merged into the head it would be believed",
  source: "RFC 9110 6.5.1",
  bytes: chunked(`5\r\nhello\r\n0\r\nX-A: 1\r\n${line}\r\nX-B: 2\r\n\r\n`) + NEXT,
  reaches: TWO,
  arrives: "0\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
  never: `\r\n${line}\r\nX-B`,
}));

const UNFINISHED: readonly RequestRow[] = [
  {
    name: "a request behind the last chunk",
    why: "it is the next request, and no more",
    source: "RFC 9112 9.3",
    bytes: `POST /x HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${NEXT}`,
    reaches: TWO,
  },
];

export const CHUNK_ROWS: readonly RequestRow[] = [
  ...HONEST,
  ...SIZES,
  ...LINE_ENDS,
  ...EXTENSIONS,
  ...BAD_TRAILERS,
  ...CUT_TRAILERS,
  ...UNFINISHED,
];
