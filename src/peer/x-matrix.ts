/**
 * The origin and the destination in `Authorization: X-Matrix origin=…,key=…,sig=…,destination=…`.
 *
 * Format: https://spec.matrix.org/v1.16/server-server-api/#request-authentication, read as Synapse reads it
 * (synapse/federation/transport/server/_base.py): the scheme is case-sensitive and followed by spaces, not
 * tabs; lines are split on commas even inside quotes; keys stand in any case and order; `\x` is `x`, inside
 * quotes only. Stricter than Synapse, so that the sidecar never names another server than the one behind it
 * would: two origins are refused, where Synapse takes the last, and so is a quote without its partner.
 * Not here: `key` and `sig` (proof/x-matrix-signature.ts); a line without them claims a name, and proves as little.
 */

import { parseServerName, type ServerName } from "./server-name.ts";

/**
 * Why there is no origin. `absent`: no X-Matrix line; `syntax`: a line Synapse refuses, or without origin;
 * `name`: not a server name; `origins`: two different ones.
 */
export type XMatrixRefusal = "absent" | "syntax" | "name" | "origins";

const SCHEME = "X-Matrix";
const TAB = 0x09;
const SPACE = 0x20;

/**
 * @param lines values of all Authorization lines; other schemes are passed over
 * @returns the one origin of all X-Matrix lines, or why there is none. Never throws. Linear in the lines.
 */
export function parseXMatrixOrigin(
  lines: readonly string[],
): { readonly origin: ServerName } | XMatrixRefusal {
  let origin: ServerName | undefined;
  for (const line of lines) {
    if (!isXMatrix(line)) continue;
    const read = readLine(line, "origin");
    if (typeof read === "string") return read;
    if (origin !== undefined && origin.name !== read.name) return "origins";
    origin = read;
  }
  return origin === undefined ? "absent" : { origin };
}

/**
 * Of what the own server sends: the name that it signs for, which is the one before delegation.
 *
 * @returns undefined where no line names one, as older servers' lines, or where they name several. Never throws.
 */
export function parseXMatrixDestination(lines: readonly string[]): ServerName | undefined {
  let destination: ServerName | undefined;
  for (const line of lines) {
    if (!isXMatrix(line)) continue;
    const read = readLine(line, "destination");
    if (typeof read === "string" || (destination !== undefined && destination.name !== read.name)) {
      return undefined;
    }
    destination = read;
  }
  return destination;
}

function readLine(line: string, wanted: "origin" | "destination"): ServerName | XMatrixRefusal {
  let found: ServerName | undefined;
  const refusal = readXMatrixParameters<XMatrixRefusal>(line, (key, value) => {
    if (key !== wanted) return undefined;
    const named = readXMatrixName(value);
    if (typeof named === "string") return named;
    if (found !== undefined && found.name !== named.server.name) return "origins";
    found = named.server;
    return undefined;
  });
  return refusal ?? found ?? "syntax";
}

/** A server that a line names, and its name as it stands there: that is what was signed. */
export interface XMatrixName {
  readonly server: ServerName;
  readonly text: string;
}

/** @param value as it stands in the line, in quotes or not */
export function readXMatrixName(value: string): XMatrixName | "syntax" | "name" {
  const text = unquoteXMatrix(value);
  if (text === undefined) return "syntax";
  const server = parseServerName(text);
  return server === undefined ? "name" : { server, text };
}

/** Whether an Authorization line is of this scheme, whatever follows. */
export function isXMatrix(line: string): boolean {
  return line.startsWith(SCHEME);
}

/**
 * The one way in which lines are read, for what they claim and for what they prove.
 *
 * @param line one for which `isXMatrix` holds
 * @param take gets each parameter in turn: its key in lower case, its value with its quotes. A refusal ends it
 * @returns `take`'s refusal, or "syntax", or undefined for a line read to its end. Linear.
 */
export function readXMatrixParameters<Refusal extends string>(
  line: string,
  take: (key: string, value: string) => Refusal | undefined,
): Refusal | "syntax" | undefined {
  let at = SCHEME.length;
  if (line.charCodeAt(at) !== SPACE) return "syntax";
  while (line.charCodeAt(at) === SPACE) at++;

  for (;;) {
    const comma = line.indexOf(",", at);
    const end = comma === -1 ? line.length : blanksStart(line, at, comma);
    const equals = line.indexOf("=", at);
    if (equals === -1 || equals >= end) return "syntax";
    const refusal = take(line.slice(at, equals).toLowerCase(), line.slice(equals + 1, end));
    if (refusal !== undefined || comma === -1) return refusal;
    at = comma + 1;
    while (isBlank(line.charCodeAt(at))) at++;
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Where the blanks before `end` begin; blanks belong to a comma, not to what stands at the line's ends. */
function blanksStart(line: string, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(line.charCodeAt(at - 1))) at--;
  return at;
}

/** @returns undefined for a quote without its partner */
export function unquoteXMatrix(value: string): string | undefined {
  if (!value.startsWith('"')) return value;
  // Synapse drops the last character unseen: `"hs1.test` would be hs1.tes to it.
  if (value.length < 2 || !value.endsWith('"')) return undefined;
  const text = value.slice(1, -1);
  return text.includes("\\") ? text.replaceAll(/\\(.)/g, "$1") : text;
}
