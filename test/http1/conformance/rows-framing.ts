/** Framing: Content-Length and Transfer-Encoding, alone and together, written as they should not be. */

import { HOST, NEXT, post, type RequestRow, SMUGGLED } from "./row.ts";

const EMPTY_CHUNKED = "0\r\n\r\n";
/** Read as a length: one body. Read as chunks: an empty body and a request. */
const CL_TE = EMPTY_CHUNKED + SMUGGLED;
const LENGTH = `Content-Length: ${CL_TE.length}`;
const CHUNKED = "Transfer-Encoding: chunked";
/** Read as chunks: one chunk. Read with a length of 4: a request from its second line on. */
const TE_CL = `${SMUGGLED.length.toString(16).padStart(2, "0")}\r\n${SMUGGLED}\r\n0\r\n\r\n`;

const TWO = ["POST /x", "GET /next"];

const HONEST: readonly RequestRow[] = [
  {
    name: "a length",
    why: "the bytes it counts are a body, whatever they look like",
    source: "RFC 9112 6.3",
    bytes: post([`Content-Length: ${SMUGGLED.length}`], SMUGGLED) + NEXT,
    reaches: TWO,
    arrives: SMUGGLED,
  },
  {
    name: "a length of 0",
    why: "what follows is the next request",
    source: "RFC 9112 6.3",
    bytes: post(["Content-Length: 0"]) + NEXT,
    reaches: TWO,
  },
  {
    name: "no length, no coding",
    why: "a request without either has no body",
    source: "RFC 9112 6.3",
    bytes: post([]) + NEXT,
    reaches: TWO,
  },
  {
    name: "chunks",
    why: "the bytes they count are a body, whatever they look like",
    source: "RFC 9112 7.1",
    bytes: post([CHUNKED], TE_CL) + NEXT,
    reaches: TWO,
    arrives: TE_CL,
  },
  {
    name: "chunks of a DELETE",
    why: "a proxy that set a length of 0 for it made its body a request",
    source: "CVE-2026-29057",
    bytes: `DELETE /x HTTP/1.1\r\n${HOST}${CHUNKED}\r\n\r\n${TE_CL}${NEXT}`,
    reaches: ["DELETE /x", "GET /next"],
  },
  {
    name: "chunks of an OPTIONS",
    why: "TE.0: a front end that believed OPTIONS to have no body",
    source: "RFC 9112 6.3; TE.0",
    bytes: `OPTIONS /x HTTP/1.1\r\n${HOST}${CHUNKED}\r\n\r\n${TE_CL}${NEXT}`,
    reaches: ["OPTIONS /x", "GET /next"],
  },
  {
    name: "a length of a GET",
    why: "CL.0: its body is a body",
    source: "RFC 9110 9.3.1",
    bytes: `GET /x HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}${NEXT}`,
    reaches: ["GET /x", "GET /next"],
  },
  {
    name: "a length of a HEAD",
    why: "the answer has no body, the request may",
    source: "RFC 9110 9.3.2",
    bytes: `HEAD /x HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}${NEXT}`,
    reaches: ["HEAD /x", "GET /next"],
  },
];

/** Valid, and read wrongly by somebody: one way to write it is left. */
const NORMALISED: readonly RequestRow[] = [
  { name: "a coding behind a tab", value: "\tchunked" },
  { name: "a coding before a space", value: " chunked " },
  { name: "a coding before a tab", value: " chunked\t" },
  { name: "a coding in capitals", value: " CHUNKED" },
  { name: "a coding without a space", value: "chunked" },
  { name: "a coding behind two spaces", value: "  chunked" },
].map(({ name, value }) => ({
  name,
  why: "valid, but a server that compares ' chunked' sees no body and takes it for requests",
  source: "RFC 9110 5.5; TE.0",
  bytes: post([`Transfer-Encoding:${value}`], TE_CL) + NEXT,
  reaches: TWO,
}));

const LENGTHS_NORMALISED: readonly RequestRow[] = [
  { name: "a length with a leading zero", value: ` 0${SMUGGLED.length}`, why: "strtol reads it as octal" },
  { name: "a length behind a tab", value: `\t${SMUGGLED.length}`, why: "not every number parser skips it" },
  {
    name: "a length before a tab",
    value: ` ${SMUGGLED.length}\t`,
    why: "not every number parser ends there",
  },
].map(({ name, value, why }) => ({
  name,
  why,
  source: "RFC 9110 8.6",
  bytes: post([`Content-Length:${value}`], SMUGGLED) + NEXT,
  reaches: TWO,
}));

/** Content-Length values that are none. */
const BAD_LENGTHS: readonly RequestRow[] = [
  { name: "a length with a plus", value: "+5", why: "int() takes it" },
  { name: "a length below zero", value: "-5", why: "unsigned, it is huge" },
  { name: "a length of minus zero", value: "-0", why: "0 for one parser, refused by the next" },
  { name: "a hexadecimal length", value: "0x5", why: "5 to strtol, 0 to atoi" },
  { name: "a length with an underscore", value: "1_0", why: "10 to Python, 1 to atoi" },
  { name: "a length with a point", value: "5.0", why: "5 to atoi, 5.0 to a float parser" },
  { name: "a length with an exponent", value: "1e1", why: "10 to Number(), 1 to atoi" },
  { name: "a length with garbage behind", value: "5abc", why: "atoi reads its digits" },
  { name: "a length with a space inside", value: "5 0", why: "5 or 50", source: "CVE-2018-7159" },
  { name: "a list of equal lengths", value: "5, 5", why: "may be repaired, and is by some only" },
  { name: "a list of lengths", value: "5, 6", why: "first or last" },
  { name: "a length and a comma", value: "5,", why: "a list with an empty element" },
  { name: "an empty length", value: "", why: "no body or none stated", source: "CVE-2023-40225" },
  { name: "a length of 16 digits", value: "1000000000000005", why: "doubles and 32 bits lose some of it" },
  { name: "a length beyond 64 bits", value: "18446744073709551621", why: "5, where it wraps" },
  { name: "a length in full-width digits", value: "\xef\xbc\x95", why: "digits to a Unicode parser" },
  { name: "a length and a NUL", value: "5\0", why: "a C string ends there" },
  { name: "a length and a vertical tab", value: "\v5", why: "white space to strip()" },
  { name: "a length and an NBSP", value: "\xa05", why: "white space to strip() of Unicode" },
  { name: "a quoted length", value: '"5"', why: "some unquote" },
].map(({ name, value, why, source = "RFC 9112 6.3" }) => ({
  name,
  why,
  source,
  bytes: post([`Content-Length: ${value}`], `hello${SMUGGLED}`),
  reaches: [],
  refusal: 400,
}));

const REPEATED: readonly RequestRow[] = [
  {
    name: "two equal lengths",
    why: "may be repaired, and is by some only",
    lines: ["Content-Length: 5", "Content-Length: 5"],
  },
  {
    name: "two lengths",
    why: "first or last",
    lines: ["Content-Length: 0", `Content-Length: ${SMUGGLED.length}`],
  },
  {
    name: "two lengths in another case",
    why: "names have no case",
    lines: ["Content-Length: 0", `CONTENT-LENGTH: ${SMUGGLED.length}`],
  },
  { name: "a length and chunks", why: "CL.TE", lines: [LENGTH, CHUNKED], source: "CVE-2019-20445" },
  { name: "chunks and a length", why: "TE.CL", lines: [CHUNKED, LENGTH], source: "CVE-2019-20445" },
  {
    name: "chunks and a length of 0",
    why: "0.CL: nothing to remove is still two framings",
    lines: [CHUNKED, "Content-Length: 0"],
  },
  {
    name: "chunks and a bad length",
    why: "the length is ignored by some, refused by others",
    lines: [CHUNKED, "Content-Length: blah"],
    source: "RFC 9112 6.1; h2o#3342, trafficserver#11036",
  },
  { name: "chunks twice", why: "TE.TE: two layers", lines: [CHUNKED, CHUNKED], source: "CVE-2020-8287" },
  {
    name: "chunked, chunked",
    why: "two layers in one line",
    lines: ["Transfer-Encoding: chunked, chunked"],
    source: "RFC 9112 7.1",
  },
  { name: "an empty coding", why: "no coding, or a bad one", lines: ["Transfer-Encoding:"] },
  {
    name: "a coding and a comma",
    why: "a list with an empty element",
    lines: ["Transfer-Encoding: ,chunked"],
  },
].map(({ name, why, lines, source = "RFC 9112 6.3" }) => ({
  name,
  why,
  source,
  bytes: post(lines, CL_TE),
  reaches: [],
  refusal: 400,
}));

/** Transfer-Encoding values that some reader takes for chunked, or does not. Beside them a length, as in the attacks. */
const CODINGS: readonly RequestRow[] = [
  { name: "xchunked", value: "xchunked" },
  { name: "chunkedx", value: "chunkedx" },
  { name: "chunk", value: "chunk" },
  { name: "quoted chunked", value: '"chunked"' },
  { name: "identity", value: "identity" },
  { name: "identity, chunked", value: "identity, chunked", source: "CVE-2022-32213" },
  { name: "chunked, identity", value: "chunked, identity", source: "CVE-2022-1705" },
  { name: "gzip, chunked", value: "gzip, chunked", source: "RFC 9112 6.1" },
  { name: "chunked, gzip", value: "chunked, gzip", source: "RFC 9112 6.1" },
  { name: "chunked with a parameter", value: "chunked;q=1", source: "RFC 9112 7.1" },
  { name: "chunked and cow", value: "chunked cow", source: "CVE-2024-1135" },
  { name: "chunked in brackets", value: "[chunked]", source: "CVE-2024-1135" },
  { name: "chunked behind NBSP", value: "\xa0chunked" },
].map(({ name, value, source = "RFC 9112 6.1; TE.TE" }) => ({
  name: `coding ${name}`,
  why: "chunked to one reader, unknown or nothing to the next",
  source,
  bytes: post([`Transfer-Encoding: ${value}`], CL_TE),
  reaches: [],
  refusal: 501,
}));

const HIDDEN: readonly RequestRow[] = [
  {
    name: "coding behind a vertical tab",
    why: "trimmed by strip() only",
    source: "RFC 9112 6.1; TE.TE",
    line: "Transfer-Encoding:\vchunked",
  },
  {
    name: "coding behind a form feed",
    why: "trimmed by strip() only",
    source: "RFC 9112 6.1; TE.TE",
    line: "Transfer-Encoding: \fchunked",
  },
  { name: "coding and a NUL", why: "a C string ends there", source: "RFC 9110 5.5", line: `${CHUNKED}\0` },
  {
    name: "coding in a fold",
    why: "a fold is joined, or a line of its own",
    source: "CVE-2022-32215",
    line: "Transfer-Encoding:\r\n chunked",
  },
  {
    name: "coding hidden by a fold",
    why: "a fold is joined, or a line of its own",
    source: "CVE-2024-27982",
    line: "X-A: 1\r\n Transfer-Encoding: chunked",
  },
  {
    name: "coding behind a bare LF",
    why: "a header of its own to whoever ends lines at LF",
    source: "CVE-2022-32214",
    line: `X-A: 1\n${CHUNKED}`,
  },
  {
    name: "coding behind a lone CR",
    why: "a header of its own to whoever ends lines at CR",
    source: "CVE-2023-30589",
    line: `X-A: 1\r${CHUNKED}`,
  },
  {
    name: "coding before a space and the colon",
    why: "a name to whoever trims names",
    source: "CVE-2019-16869",
    line: "Transfer-Encoding : chunked",
  },
  {
    name: "coding before a tab and the colon",
    why: "a name to whoever trims names",
    source: "CVE-2019-16869",
    line: "Transfer-Encoding\t: chunked",
  },
  {
    name: "coding behind a leading space",
    why: "a fold, or a name to whoever trims names",
    source: "CVE-2020-7238",
    line: " Transfer-Encoding: chunked",
  },
  {
    name: "coding with a NUL in its name",
    why: "a name to whoever drops what is no token",
    source: "RFC 9110 5.1",
    line: "Transfer-\0Encoding: chunked",
  },
  {
    name: "coding with a byte above 7F before its name",
    why: "a name to whoever drops what is no token",
    source: "RFC 9110 5.1",
    line: "\xffTransfer-Encoding: chunked",
  },
  {
    name: "coding without a colon",
    why: "a name with an empty value to some",
    source: "CVE-2019-20444",
    line: "Transfer-Encoding chunked",
  },
].map(({ name, why, source, line }) => ({
  name,
  why,
  source,
  bytes: post([LENGTH, line], CL_TE),
  reaches: [],
  refusal: 400,
}));

const UNDERSCORES: readonly RequestRow[] = [
  {
    name: "Transfer_Encoding",
    why: "CGI and WSGI can't tell it from the real one",
    line: "Transfer_Encoding: chunked",
  },
  { name: "Content_Length", why: "CGI and WSGI can't tell it from the real one", line: "Content_Length: 0" },
].map(({ name, why, line }) => ({
  name,
  why,
  source: "CVE-2015-0219",
  bytes: post([LENGTH, line], CL_TE) + NEXT,
  reaches: TWO,
  never: line,
}));

const VERSIONS: readonly RequestRow[] = [
  {
    name: "chunks in HTTP/1.0",
    why: "HTTP/1.0 has no chunks; who reads them anyway differs from who does not",
    source: "RFC 9112 6.1; CVE-2026-2835",
    bytes: `POST /x HTTP/1.0\r\n${HOST}${CHUNKED}\r\n\r\n${CL_TE}`,
    reaches: [],
    refusal: 400,
  },
  {
    name: "a length in HTTP/1.0",
    why: "the connection ends behind it",
    source: "RFC 9112 9.3",
    bytes: `POST /x HTTP/1.0\r\n${HOST}Content-Length: 5\r\n\r\nhello${SMUGGLED}`,
    reaches: ["POST /x"],
    isLast: true,
  },
  {
    name: "a length of a GET in HTTP/1.0",
    why: "HTTP/1.0 gave it no meaning, and old servers take the body for a request",
    source: "RFC 1945 8.1; haproxy 2.6",
    bytes: `GET /x HTTP/1.0\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    reaches: [],
    refusal: 400,
  },
  {
    name: "a keep-alive in HTTP/1.0",
    why: "the answer says that the connection ends, so nothing behind it is a request",
    source: "RFC 9112 9.3",
    bytes: `GET /x HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n${SMUGGLED}`,
    reaches: ["GET /x"],
    isLast: true,
  },
];

export const FRAMING_ROWS: readonly RequestRow[] = [
  ...HONEST,
  ...NORMALISED,
  ...LENGTHS_NORMALISED,
  ...BAD_LENGTHS,
  ...REPEATED,
  ...CODINGS,
  ...HIDDEN,
  ...UNDERSCORES,
  ...VERSIONS,
];
