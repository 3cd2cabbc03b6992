/**
 * How a sloppy server reads the bytes that a proxy sent it: which requests it believes were in them.
 *
 * Real servers differ in a few places: what ends a line, which name is a name, whether Content-Length or
 * Transfer-Encoding wins and what they may look like, what ends a chunk. Each such place is one property of `Quirks`;
 * personalities.ts sets them as servers of the field did. The parser is slow and simple, since it reads what a test sent.
 *
 * Not here: servers that ignore the body of a well-framed request (CL.0). No bytes that a proxy could send in its place
 * would help them.
 */

export interface Quirks {
  readonly name: string;
  /** Whose reading it is, by advisory where there is one. */
  readonly source: string;
  /** Global flag set. */
  readonly lineEnd: RegExp;
  /** Line of a chunk's size; global flag set. */
  readonly chunkLineEnd: RegExp;
  /** Whether a quoted extension goes on behind the size line's end. */
  readonly isQuoteAware: boolean;
  readonly requestLine: RegExp;
  /** What is done with a line that is no request line. */
  readonly onGarbage: "stop" | "skip";
  /** A line that starts with white space. */
  readonly fold: "refuse" | "join" | "line";
  /** @returns lower-case; "" to leave the line out */
  fieldName(raw: string): string;
  fieldValue(raw: string): string;
  /** @param values of all Transfer-Encoding lines, at least one */
  isChunked(values: readonly string[]): boolean;
  /** @param values of all Content-Length lines, at least one; NaN is refused */
  length(values: readonly string[]): number;
  readonly wins: "coding" | "length";
  /** NaN is refused. */
  chunkSize(line: string): number;
  /** The end of a chunk, from behind its data. @returns -1 where it is refused */
  chunkEnd(text: string, at: number): number;
  /** Whether two bytes behind the last chunk's line that begin no trailer are taken for its end, whatever they are. */
  readonly hasBlindEnd: boolean;
  /** Whether the body of a request that asks for an upgrade is overlooked. */
  readonly isUpgradeBodiless: boolean;
  /** Where the request is for: the target's authority, or the first or last Host. */
  readonly host: "target" | "first" | "last";
}

export interface Beliefs {
  /** "METHOD host path" of each whole request. */
  readonly whole: readonly string[];
  /** The same of a request whose end has not come. */
  readonly begun: string | undefined;
  /** Bytes that it would put before the next request. */
  readonly rest: string;
}

/** @param text all bytes of one connection, latin1 */
export function readBeliefs(text: string, quirks: Quirks): Beliefs {
  const whole: string[] = [];
  let at = 0;
  for (;;) {
    while (text[at] === "\r" || text[at] === "\n") at++;
    if (at >= text.length) return { whole, begun: undefined, rest: "" };
    const request = readRequest(text, at, quirks);
    if (request.end === -1) return { whole, begun: request.belief, rest: text.slice(at) };
    if (request.belief !== undefined) whole.push(request.belief);
    at = request.end;
  }
}

/** `end` is -1 where the rest is missing or refused; no belief where a line was skipped. */
interface ReadRequest {
  readonly end: number;
  readonly belief: string | undefined;
}

interface Line {
  readonly text: string;
  readonly end: number;
}

function readLine(text: string, from: number, lineEnd: RegExp): Line | undefined {
  lineEnd.lastIndex = from;
  const found = lineEnd.exec(text);
  return found === null ? undefined : { text: text.slice(from, found.index), end: lineEnd.lastIndex };
}

function readSizeLine(text: string, from: number, quirks: Quirks): Line | undefined {
  let line = readLine(text, from, quirks.chunkLineEnd);
  while (quirks.isQuoteAware && line !== undefined && hasOpenQuote(line.text)) {
    const next = readLine(text, line.end, quirks.chunkLineEnd);
    line = next === undefined ? undefined : { text: text.slice(from, next.end - 2), end: next.end };
  }
  return line;
}

function hasOpenQuote(text: string): boolean {
  return text.replaceAll(/\\./g, "").split('"').length % 2 === 0;
}

function readRequest(text: string, from: number, quirks: Quirks): ReadRequest {
  const first = readLine(text, from, quirks.lineEnd);
  if (first === undefined) return { end: -1, belief: undefined };
  const [, method = "", target = "", version] = quirks.requestLine.exec(first.text) ?? [];
  if (method === "") return { end: quirks.onGarbage === "skip" ? first.end : -1, belief: undefined };
  if (version === undefined) return { end: first.end, belief: `${method} - ${target}` }; // HTTP/0.9
  const head = readFields(text, first.end, quirks);
  if (head === undefined) return { end: -1, belief: undefined };
  const belief = `${method.toUpperCase()} ${placeOf(target, head.fields, quirks)}`;
  return { end: bodyEnd(text, head, quirks), belief };
}

interface Head {
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly end: number;
}

function readFields(text: string, from: number, quirks: Quirks): Head | undefined {
  const fields = new Map<string, string[]>();
  let last: string[] | undefined;
  for (let at = from; ;) {
    const line = readLine(text, at, quirks.lineEnd);
    if (line === undefined) return undefined;
    at = line.end;
    if (line.text === "") return { fields, end: at };
    if (/^[ \t]/.test(line.text) && quirks.fold !== "line") {
      if (quirks.fold === "refuse") return undefined;
      if (last !== undefined) last.push(`${last.pop() ?? ""} ${line.text.trim()}`);
      continue;
    }
    const colon = line.text.indexOf(":");
    const name = quirks.fieldName(colon === -1 ? line.text : line.text.slice(0, colon));
    last = fields.get(name) ?? [];
    last.push(quirks.fieldValue(colon === -1 ? "" : line.text.slice(colon + 1)));
    fields.set(name, last);
  }
}

function placeOf(target: string, fields: Head["fields"], quirks: Quirks): string {
  const [, authority, path = target] = /^https?:\/\/([^/?]*)(.*)$/i.exec(target) ?? [];
  const hosts = fields.get("host") ?? [""];
  const host = quirks.host === "last" ? hosts.at(-1) : hosts[0];
  // Neither scheme nor host has a case (RFC 9110 section 4.2.3).
  const place = (quirks.host === "target" ? (authority ?? host) : host) ?? "";
  return `${place.toLowerCase()} ${path === "" ? "/" : path}`;
}

function bodyEnd(text: string, head: Head, quirks: Quirks): number {
  if (quirks.isUpgradeBodiless && head.fields.has("upgrade")) return head.end;
  const codings = head.fields.get("transfer-encoding");
  const lengths = head.fields.get("content-length");
  const isChunked = codings !== undefined && quirks.isChunked(codings);
  if (isChunked && (lengths === undefined || quirks.wins === "coding")) {
    return chunksEnd(text, head.end, quirks);
  }
  const length = lengths === undefined ? 0 : quirks.length(lengths);
  return length >= 0 && head.end + length <= text.length ? head.end + length : -1;
}

function chunksEnd(text: string, from: number, quirks: Quirks): number {
  for (let at = from; ;) {
    const line = readSizeLine(text, at, quirks);
    if (line === undefined) return -1;
    const size = quirks.chunkSize(line.text);
    if (!(size >= 0)) return -1;
    if (size === 0) {
      const isTrailer = /^[\w-]+[ \t]*:/.test(text.slice(line.end, line.end + 100));
      if (quirks.hasBlindEnd && !isTrailer) return line.end + 2 <= text.length ? line.end + 2 : -1;
      return readFields(text, line.end, quirks)?.end ?? -1;
    }
    if (line.end + size > text.length) return -1;
    at = quirks.chunkEnd(text, line.end + size);
    if (at === -1 || at > text.length) return -1;
  }
}
