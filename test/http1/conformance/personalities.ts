/**
 * Sloppy servers, each with one fault that servers of the field had (some still do).
 *
 * All of them read what a proxy forwarded; where two of them find different requests in it, or one more than the proxy
 * meant to send, the proxy let something ambiguous through.
 */

import type { Quirks } from "./lenient-parser.ts";

const CRLF = /\r\n/g;
const LF = /\r?\n/g;
const ANY_END = /\r\n|\r|\n/g;

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}

function decimal(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

function hex(text: string): number {
  return /^[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
}

/** Size without its extensions. */
function beforeExtension(line: string): string {
  return trimBlanks(line.split(";", 1)[0] ?? "");
}

function same(values: readonly string[]): number {
  return new Set(values).size === 1 ? decimal(values[0] ?? "") : Number.NaN;
}

/** RFC 9112 to the letter; it answers the requests (lenient-upstream.ts). */
export const STRICT: Quirks = {
  name: "strict",
  source: "RFC 9112",
  lineEnd: CRLF,
  chunkLineEnd: CRLF,
  isQuoteAware: false,
  requestLine: /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) (HTTP\/1\.[01])$/,
  onGarbage: "stop",
  fold: "refuse",
  fieldName: (raw) => raw.toLowerCase(),
  fieldValue: trimBlanks,
  isChunked: (values) => values.join(",").toLowerCase() === "chunked",
  length: same,
  wins: "coding",
  chunkSize: (line) => hex(beforeExtension(line)),
  chunkEnd: (text, at) => (text.startsWith("\r\n", at) ? at + 2 : -1),
  hasBlindEnd: false,
  isUpgradeBodiless: false,
  host: "first",
};

type Fault = Partial<Quirks> & Pick<Quirks, "name" | "source">;

const FAULTS: readonly Fault[] = [
  { name: "LF ends a line", source: "CVE-2022-32214", lineEnd: LF, chunkLineEnd: LF },
  { name: "CR ends a line", source: "CVE-2023-30589", lineEnd: ANY_END, chunkLineEnd: ANY_END },
  {
    name: "white space around a name is cut",
    source: "CVE-2019-16869, CVE-2021-22959",
    fieldName: (raw) => raw.trim().toLowerCase(),
    fold: "line",
  },
  {
    name: "what is no token in a name is cut",
    source: "lenient names; CVE-2023-25725's family",
    fieldName: (raw) => raw.toLowerCase().replaceAll(/[^a-z0-9-]/g, ""),
    fold: "line",
  },
  {
    name: "a name's underscores are hyphens",
    source: "CVE-2015-0219: CGI and WSGI",
    fieldName: (raw) => raw.toLowerCase().replaceAll("_", "-"),
  },
  {
    name: "a header line ends at NUL",
    source: "C strings",
    fieldName: (raw) => (raw.split("\0", 1)[0] ?? "").toLowerCase(),
    fieldValue: (raw) => trimBlanks(raw.split("\0", 1)[0] ?? ""),
  },
  { name: "folds are joined", source: "CVE-2022-32215", fold: "join" },
  { name: "a fold is a line of its own", source: "CVE-2024-27982", fold: "line", fieldName: trimLower },
  { name: "Content-Length beats Transfer-Encoding", source: "CVE-2019-20445: TE.CL", wins: "length" },
  {
    name: "any coding with chunked in it",
    source: "CVE-2022-32213, CVE-2020-7238",
    isChunked: (values) => /chunked/i.test(values.join(",")),
  },
  {
    name: "the last coding counts",
    source: "RFC 7230 3.3.3",
    isChunked: (values) => trimBlanks(values.join(",").split(",").at(-1) ?? "").toLowerCase() === "chunked",
  },
  {
    name: "the first Transfer-Encoding line counts",
    source: "TE.TE",
    isChunked: ([first]) => first?.toLowerCase() === "chunked",
  },
  {
    name: "Transfer-Encoding is compared byte by byte",
    source: "TE.0: what is not ' chunked' is not there",
    fieldValue: (raw) => (raw.startsWith(" ") ? raw.slice(1) : raw),
    isChunked: (values) => values.at(-1) === "chunked",
    length: (values) => decimal(trimBlanks(values.at(-1) ?? "")),
  },
  {
    name: "all that Unicode calls white space is cut",
    source: "strip() of many languages: \\v, \\f, NBSP",
    fieldName: trimLower,
    fieldValue: (raw) => raw.replace(/^[\s\0-\x20\x85\xa0]+|[\s\0-\x20\x85\xa0]+$/g, ""),
  },
  {
    name: "the first Content-Length counts",
    source: "RFC 7230 3.3.3",
    length: ([first = ""]) => decimal(first),
  },
  {
    name: "the last Content-Length counts",
    source: "RFC 7230 3.3.3",
    length: (values) => decimal(values.at(-1) ?? ""),
  },
  {
    name: "a length's leading digits count",
    source: "atoi; CVE-2018-7159",
    length: (values) => Number.parseInt(values[0] ?? "", 10) || 0,
  },
  {
    name: "a length may be hexadecimal or octal",
    source: "strtol with base 0",
    length: ([first = ""]) =>
      /^0[0-7]/.test(first) ? Number.parseInt(first, 8) : Number(first.replace(/^\+/, "")),
  },
  {
    name: "a number is what Python's int() takes",
    source: "int() of Python: signs and underscores",
    length: ([first = ""]) => decimal(first.trim().replace(/^\+/, "").replaceAll("_", "")),
    chunkSize: (line) =>
      hex(beforeExtension(line).trim().replace(/^\+/, "").replace(/^0x/i, "").replaceAll("_", "")),
  },
  {
    name: "a list of lengths: the first counts",
    source: "RFC 7230 3.3.2",
    length: (values) => decimal(trimBlanks(values.join(",").split(",")[0] ?? "")),
  },
  {
    name: "a list of lengths: the last counts",
    source: "RFC 7230 3.3.2",
    length: (values) => decimal(trimBlanks(values.join(",").split(",").at(-1) ?? "")),
  },
  {
    name: "a chunk size's leading digits count",
    source: "strtoul; trafficserver#10580",
    chunkSize: (line) => Number.parseInt(line.trim().replace(/^\+/, ""), 16),
  },
  {
    name: "a chunk size has 32 bits",
    source: "CVE-2002-0392, CVE-2013-2028",
    chunkSize: (line) => Number(BigInt.asUintN(32, BigInt(`0x${/^[0-9a-f]+/i.exec(line)?.[0] ?? "0"}`))),
  },
  {
    name: "a chunk's size line ends at LF",
    source: "TERM.EXT: CVE-2025-22871, CVE-2024-52304, w4ke.info/2025/06/18/funky-chunks.html",
    chunkLineEnd: LF,
  },
  {
    name: "a chunk's size line ends at CR and any byte",
    source: "TERM.EXT: w4ke.info/2025/06/18/funky-chunks.html",
    chunkLineEnd: /\r[^]/g,
  },
  {
    name: "a chunk's quoted extension spans lines",
    source: "CVE-2026-33870",
    isQuoteAware: true,
  },
  {
    name: "any two bytes end a chunk",
    source: "TERM.SPILL: CVE-2025-43859, pound#43",
    chunkEnd: (_text, at) => at + 2,
  },
  {
    name: "a chunk's rest up to its line end is thrown away",
    source: "SPILL.TERM",
    chunkEnd: (text, at) => text.indexOf("\n", at) + 1 || -1,
  },
  { name: "any two bytes end the last chunk", source: "bun#29732", hasBlindEnd: true },
  { name: "an upgrade has no body", source: "CVE-2026-58055, CVE-2026-2833", isUpgradeBodiless: true },
  { name: "the last Host counts", source: "RFC 9112 3.2", host: "last" },
  { name: "the target's authority counts", source: "RFC 9112 3.2.2", host: "target" },
  {
    name: "a request line is split at any white space",
    source: "RFC 9112 3, which allows it",
    requestLine: /^([^\s:]+)[\s\0\xa0]+(\S+)[\s\0\xa0]+(HTTP\/\S+)\s*$/i,
  },
  {
    name: "what is no request line is skipped",
    source: "cherrypy#2018",
    onGarbage: "skip",
    requestLine: /^([A-Za-z]+) (\S+)(?: (HTTP\/\S+))?$/,
    lineEnd: LF,
    chunkLineEnd: LF,
  },
];

function trimLower(raw: string): string {
  return raw.trim().toLowerCase();
}

export const PERSONALITIES: readonly Quirks[] = [
  STRICT,
  ...FAULTS.map((fault): Quirks => ({ ...STRICT, ...fault })),
];
