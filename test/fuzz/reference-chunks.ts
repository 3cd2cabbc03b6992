/**
 * The chunked coding as RFC 9112 section 7.1 writes it down: one text, one walk, no fragments. With an encoder to make
 * bodies that must be taken.
 */

import { readReferenceLines } from "./reference-head.ts";

/** Our own bounds (src/http1/chunked.ts): bytes of a size line without its end, digits, and bytes of a chunk. */
const SIZE_LINE_MAX = 1024;
const SIZE_DIGITS_MAX = 13;
const SIZE_MAX = 2 ** 31 - 1;

export interface DecodedBody {
  readonly state: "done" | "more" | "fault";
  /** Without the coding; of a body that is not done, what was certain. */
  readonly content: string;
  /** The trailer lines with their empty line; "" without lines. */
  readonly trailers: string;
  /** Once done: behind the last byte of the body. */
  readonly end: number;
}

/** @param trailersMax bytes of a trailer section with its empty line */
export function decodeChunks(text: string, trailersMax: number): DecodedBody {
  let at = 0;
  let content = "";
  const stop = (state: "more" | "fault"): DecodedBody => ({ state, content, trailers: "", end: 0 });
  for (;;) {
    const lineEnd = text.indexOf("\r", at);
    const line = text.slice(at, lineEnd === -1 ? text.length : lineEnd);
    if (line.length > SIZE_LINE_MAX || line.includes("\n")) return stop("fault");
    if (lineEnd === -1) return stop("more");
    const size = readSize(line);
    if (size === undefined || !"\r\n".startsWith(text.slice(lineEnd, lineEnd + 2))) return stop("fault");
    at = lineEnd + 2;
    if (at > text.length) return stop("more");
    if (size === 0) break;
    content += text.slice(at, at + size);
    at += size;
    if (!"\r\n".startsWith(text.slice(at, at + 2))) return stop("fault");
    at += 2;
    if (at > text.length) return stop("more");
  }
  const rest = text.slice(at);
  if (rest.startsWith("\r\n")) return { state: "done", content, trailers: "", end: at + 2 };
  const sectionEnd = rest.indexOf("\r\n\r\n");
  if (sectionEnd === -1) return stop(/(?<!\r)\n/.test(rest) || rest.length > trailersMax ? "fault" : "more");
  const trailers = rest.slice(0, sectionEnd + 4);
  if (trailers.length > trailersMax || readReferenceLines(trailers) === undefined) return stop("fault");
  return { state: "done", content, trailers, end: at + trailers.length };
}

/** chunk-size and chunk-ext; undefined where the line is neither. */
function readSize(line: string): number | undefined {
  const digits = /^[0-9a-f]*/i.exec(line)?.[0] ?? "";
  if (digits.length === 0 || digits.length > SIZE_DIGITS_MAX) return undefined;
  let left = line.slice(digits.length);
  while (left !== "") {
    const name = /^[ \t]*;[ \t]*[!#$%&'*+.^_`|~\w-]+/.exec(left)?.[0];
    if (name === undefined) return undefined;
    left = left.slice(name.length);
    const equals = /^[ \t]*=[ \t]*/.exec(left)?.[0];
    if (equals === undefined) continue;
    left = left.slice(equals.length);
    const end = left.startsWith('"')
      ? quotedEnd(left)
      : (/^[!#$%&'*+.^_`|~\w-]*/.exec(left)?.[0].length ?? 0);
    if (end === 0) return undefined;
    left = left.slice(end);
  }
  const size = Number.parseInt(digits, 16);
  return size > SIZE_MAX ? undefined : size;
}

/** Behind the closing quote; 0 where there is none, or where a character may not stand in a quoted string. */
function quotedEnd(text: string): number {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '"') return at + 1;
    if (text[at] === "\\") at++;
    if (!/^[\t\x20-\x7e\x80-\xff]$/.test(text[at] ?? "")) return 0;
  }
  return 0;
}

/** @param extension of every size line, with its semicolon; @param trailers lines with their empty line, or "" */
export function encodeChunks(chunks: readonly string[], extension: string, trailers: string): string {
  const parts = chunks.map((chunk) => `${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`);
  return `${parts.join("")}0${extension}\r\n${trailers === "" ? "\r\n" : trailers}`;
}
