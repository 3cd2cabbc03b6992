/**
 * A second reading of heads, written from RFC 9112 and for nothing but plainness: split at line ends, look at every
 * character, keep everything. What the parser under test accepts must be valid here too, and read the same.
 *
 * Not here: bounds and further refusals of our own; the parser may be stricter than this, never more lenient.
 */

/** Name as received, value without the blanks around it. */
type Line = readonly [name: string, value: string];

export interface ReferenceHead {
  readonly startLine: readonly string[];
  readonly lines: readonly Line[];
}

const TOKEN_PUNCTUATION = "!#$%&'*+-.^_`|~";

function isToken(text: string): boolean {
  return (
    text !== "" && text.split("").every((one) => /[0-9A-Za-z]/.test(one) || TOKEN_PUNCTUATION.includes(one))
  );
}

/** Visible characters, blanks and obs-text (RFC 9110 section 5.5). */
function isFieldText(text: string): boolean {
  return text.split("").every((one) => one === "\t" || (one >= " " && one !== "\x7f"));
}

/** Blanks are spaces and tabs, nothing else (RFC 9110 section 5.6.3). */
function trimBlanks(text: string): string {
  if (text.startsWith(" ") || text.startsWith("\t")) return trimBlanks(text.slice(1));
  if (text.endsWith(" ") || text.endsWith("\t")) return trimBlanks(text.slice(0, -1));
  return text;
}

/** Field lines, each with its CRLF, and an empty line. @returns undefined where one is malformed */
export function readReferenceLines(section: string): readonly Line[] | undefined {
  if (!section.endsWith("\r\n")) return undefined;
  const texts = section.split("\r\n").slice(0, -1);
  if (texts.pop() !== "") return undefined;
  const lines: Line[] = [];
  for (const text of texts) {
    const colon = text.indexOf(":");
    if (colon === -1 || !isToken(text.slice(0, colon)) || !isFieldText(text.slice(colon + 1)))
      return undefined;
    lines.push([text.slice(0, colon), trimBlanks(text.slice(colon + 1))]);
  }
  return lines;
}

function readHead(text: string): ReferenceHead | undefined {
  const lineEnd = text.indexOf("\r\n");
  const lines = lineEnd === -1 ? undefined : readReferenceLines(text.slice(lineEnd + 2));
  return lines === undefined ? undefined : { startLine: text.slice(0, lineEnd).split(" "), lines };
}

/** Values of all lines of a name, given in lower case. */
export function valuesOf({ lines }: ReferenceHead, wanted: string): readonly string[] {
  return lines.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

/** Elements of a list in lower case, empty ones left out (RFC 9110 section 5.6.1). */
export function elementsOf(values: readonly string[]): readonly string[] {
  return values
    .flatMap((value) => value.split(",").map((one) => trimBlanks(one).toLowerCase()))
    .filter(Boolean);
}

/** RFC 9112 section 3: what a request can be. */
export function readReferenceRequest(text: string): ReferenceHead | undefined {
  const head = readHead(text);
  const [method = "", target = "", version = "", ...others] = head?.startLine ?? [];
  if (head === undefined || others.length > 0) return undefined;
  const isHttp10 = version === "HTTP/1.0";
  if (!isToken(method) || !isTarget(method, target) || (!isHttp10 && version !== "HTTP/1.1"))
    return undefined;
  const hosts = valuesOf(head, "host");
  if (hosts.length > 1 || (hosts.length === 0 && !isHttp10)) return undefined;
  if (!hosts.every((host) => isHost(host))) return undefined;
  return bodyOf(head, isHttp10) === undefined ? undefined : head;
}

/** RFC 9112 section 4. */
export function readReferenceResponse(text: string): ReferenceHead | undefined {
  const head = readHead(text);
  const [version = "", status = "", ...reason] = head?.startLine ?? [];
  const isHttp10 = version === "HTTP/1.0";
  if (head === undefined || (!isHttp10 && version !== "HTTP/1.1")) return undefined;
  if (status.length !== 3 || !isDigits(status) || status.startsWith("0")) return undefined;
  if (!isFieldText(reason.join(" "))) return undefined;
  return bodyOf(head, isHttp10) === undefined ? undefined : head;
}

/** RFC 9112 section 6.3, without repairs: bytes, "chunked", or "none said". undefined: two ways to read it. */
export function bodyOf(head: ReferenceHead, isHttp10: boolean): number | "chunked" | "none said" | undefined {
  const lengths = valuesOf(head, "content-length");
  const codings = valuesOf(head, "transfer-encoding");
  if (lengths.length + codings.length > 1) return undefined;
  const [length] = lengths;
  if (length !== undefined) {
    return isDigits(length) && Number.isSafeInteger(Number(length)) ? Number(length) : undefined;
  }
  if (codings.length === 0) return "none said";
  return codings[0]?.toLowerCase() === "chunked" && !isHttp10 ? "chunked" : undefined;
}

function isDigits(text: string): boolean {
  return text !== "" && text.split("").every((digit) => digit >= "0" && digit <= "9");
}

function isHost(text: string, isPortNeeded = false): boolean {
  const end = text.startsWith("[") ? text.indexOf("]") + 1 : text.indexOf(":");
  const host = end === -1 ? text : text.slice(0, end);
  const port = end === -1 ? "" : text.slice(end);
  if (port === "" ? isPortNeeded : !port.startsWith(":") || !isDigits(port.slice(1))) return false;
  if (!host.startsWith("[")) return host !== "" && host.split("").every((one) => /[\w.~-]/.test(one));
  return (
    host.length > 2 &&
    host
      .slice(1, -1)
      .split("")
      .every((one) => /[\da-f:.]/i.test(one))
  );
}

/** RFC 9112 section 3.2: the four forms. */
function isTarget(method: string, target: string): boolean {
  if (target === "" || target.split("").some((one) => one <= " " || one > "~" || one === "#")) return false;
  if (method === "CONNECT") return isHost(target, true);
  if (target.startsWith("/")) return true;
  if (target === "*") return method === "OPTIONS";
  const [scheme = "", ...rest] = target.split("://");
  const [authority = ""] = rest.join("://").split(/[/?]/);
  return rest.length > 0 && /^[a-z][a-z\d+.-]*$/i.test(scheme) && isHost(authority);
}
