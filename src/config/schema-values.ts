/** The kinds of scalar that options have: text, numbers, durations, addresses and so on, with their bounds. */

import { isIP } from "node:net";
import {
  type HostPort,
  type Listen,
  parseHostName,
  parseHostPort,
  parseHttpUrl,
  parseListen,
  parseNetwork,
  parseServerName,
  parseUpstream,
  type Upstream,
} from "./addresses.ts";
import type { Parsed } from "./fault.ts";
import { suggestion } from "./nearest.ts";
import { parseDuration, parseSize } from "./quantities.ts";
import { type JsonSchema, list, type Option, orShort, scalar } from "./schema-option.ts";

/** A path or a URL that is longer is a mistake; the longest real ones are well below. */
const TEXT_LENGTH_MAX = 4096;

/** Field names of HTTP: https://www.rfc-editor.org/rfc/rfc9110#name-tokens */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII: what a header carries without quoting or folding. */
const VISIBLE = /^[\x21-\x7e]+$/;
const FIELD_VALUE = /^[\x20-\x7e]*$/;

/** Text of 1 to 4,096 characters that `parse` reads. */
export function text<T>(
  allowed: string,
  parse: (text: string) => Parsed<T>,
  json: JsonSchema = {},
): Option<T> {
  return scalar({ allowed, json: { type: "string", ...json } }, (input) => {
    if (typeof input !== "string") return { refused: notText(input) };
    if (input === "") return { refused: "is empty" };
    if (input.length > TEXT_LENGTH_MAX) return { refused: `has over ${TEXT_LENGTH_MAX} characters` };
    return parse(input);
  });
}

function notText(input: unknown): string {
  if (typeof input === "number" || typeof input === "boolean") return `is a ${typeof input}, not text`;
  if (Array.isArray(input)) return "is a list, not text";
  return typeof input === "object" && input !== null ? "is a mapping, not text" : "is empty";
}

/** A duration in milliseconds. @param least, most with their units, as a file would write them */
export function duration(least: string, most: string): Option<number> {
  return quantity(parseDuration, { least, most, noun: "duration", example: "30s" });
}

/** A size in bytes. @param least, most with their units, as a file would write them */
export function size(least: string, most: string): Option<number> {
  return quantity(parseSize, { least, most, noun: "size", example: "64KiB" });
}

interface QuantityWords {
  readonly least: string;
  readonly most: string;
  readonly noun: "duration" | "size";
  readonly example: string;
}

function quantity(parse: (text: string) => Parsed<number>, words: QuantityWords): Option<number> {
  const bound = (written: string): number => {
    const parsed = parse(written);
    if ("value" in parsed) return parsed.value;
    throw new Error(`a bound of the schema is no ${words.noun}: ${written}`);
  };
  const least = bound(words.least);
  const most = bound(words.most);
  const { noun } = words;
  const usual = bound(words.example);
  const example = usual >= least && usual <= most ? words.example : words.least;
  const units = noun === "duration" ? "ms|s|m|h" : "B|KiB|MiB|GiB";
  return scalar(
    {
      allowed: `a ${noun} with a unit from ${words.least} to ${words.most}, such as ${example}`,
      json: { type: "string", pattern: `^[0-9]{1,12}(${units})$` },
    },
    (input) => {
      if (typeof input === "number") return { refused: "has no unit" };
      if (typeof input !== "string") return { refused: `is not a ${noun}` };
      const parsed = parse(input);
      if ("refused" in parsed) return parsed;
      if (parsed.value < least) return { refused: "is too small" };
      return parsed.value > most ? { refused: "is too large" } : parsed;
    },
  );
}

/** A whole number. */
export function integer(least: number, most: number): Option<number> {
  const json = { type: "integer", minimum: least, maximum: most };
  return scalar({ allowed: `a whole number from ${least} to ${most}`, json }, (input) => {
    const number = toNumber(input);
    if (number === undefined || !Number.isInteger(number)) return { refused: "is not a whole number" };
    return inBounds(number, least, most);
  });
}

/** A number, fractions too. */
export function decimal(least: number, most: number): Option<number> {
  const json = { type: "number", minimum: least, maximum: most };
  return scalar({ allowed: `a number from ${least} to ${most}`, json }, (input) => {
    const number = toNumber(input);
    return number === undefined ? { refused: "is not a number" } : inBounds(number, least, most);
  });
}

/** Of a number, or of text that is one: what `${NAME}` puts in is always text. */
function toNumber(input: unknown): number | undefined {
  if (typeof input === "string" && /^-?\d{1,15}(\.\d{1,15})?$/.test(input)) return Number(input);
  return typeof input === "number" && Number.isFinite(input) ? input : undefined;
}

function inBounds(number: number, least: number, most: number): Parsed<number> {
  if (number < least) return { refused: "is too small" };
  return number > most ? { refused: "is too large" } : { value: number };
}

/** `true` or `false`; the words as text too, because what `${NAME}` puts in is always text. */
export function flag(): Option<boolean> {
  return scalar({ allowed: "true or false", json: { type: "boolean" } }, (input) => {
    if (input === true || input === "true") return { value: true };
    if (input === false || input === "false") return { value: false };
    return { refused: "is neither true nor false" };
  });
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[]): Option<W> {
  return scalar({ allowed: words.join(", "), json: { enum: words } }, (input) => {
    const word = words.find((known) => known === input);
    if (word !== undefined) return { value: word };
    const hint = typeof input === "string" ? suggestion(input, words) : "";
    return { refused: `is not one of the known words${hint}` };
  });
}

/** A number of workers, or `auto`. */
export function integerOrAuto(least: number, most: number): Option<number | "auto"> {
  const json = { anyOf: [{ type: "integer", minimum: least, maximum: most }, { const: "auto" }] };
  const allowed = `a whole number from ${least} to ${most}, or auto`;
  return scalar({ allowed, json }, (input): Parsed<number | "auto"> => {
    if (input === "auto") return { value: input };
    const number = toNumber(input);
    if (number === undefined || !Number.isInteger(number)) return { refused: "is not a whole number" };
    return inBounds(number, least, most);
  });
}

/** Where to listen; port 0 lets the system choose one. */
export function listenAddress(): Option<HostPort> {
  return text("host:port such as 127.0.0.1:8448 or '[::]:8448'", parseHostPort);
}

/** Where a side listens: the same, or a Unix socket. */
export function listenAddressOrSocket(): Option<Listen> {
  return text("host:port such as 127.0.0.1:8448 or '[::]:8448', or unix:/path.sock", parseListen);
}

/** Where to connect. */
export function endpoint(): Option<HostPort> {
  return text("host:port, with a port from 1 to 65535", (written) => {
    const parsed = parseHostPort(written);
    return "value" in parsed && parsed.value.port === 0 ? { refused: "has no port to connect to" } : parsed;
  });
}

/** Where to connect without looking a name up. */
export function addressEndpoint(): Option<HostPort> {
  return text("an address with its port, such as 127.0.0.1:53 or '[::1]:53'", (written) => {
    const parsed = parseHostPort(written);
    if ("refused" in parsed) return parsed;
    if (isIP(parsed.value.host) === 0) return { refused: "names its server by a name" };
    return parsed.value.port === 0 ? { refused: "has no port to connect to" } : parsed;
  });
}

/** Servers of one list; more of them are what a name with many addresses is for. */
const UPSTREAMS_MAX = 16;

/** The server behind, or several; never none. */
export function upstreams(): Option<readonly Upstream[]> {
  const json = { pattern: "^(http://|unix:/)" };
  const allowed = "http://host:port, or unix:/path.sock";
  const one = text(
    `${allowed}, or a list of them`,
    (written): Parsed<readonly Upstream[]> => {
      const parsed = parseUpstream(written);
      return "value" in parsed ? { value: [parsed.value] } : parsed;
    },
    json,
  );
  return orShort(one, list(text(allowed, parseUpstream, json), UPSTREAMS_MAX, 1));
}

/** Networks of one list; a list that long is a firewall's work. */
export const NETWORKS_MAX = 1000;

/** `10.1.0.0/16`, or one address. */
export function network(): Option<string> {
  return text("a network such as 10.1.0.0/16 or 'fd00::/8', or one address", parseNetwork);
}

/** A federation name, in lower case. */
export function serverName(): Option<string> {
  return text("host or host:port, a DNS name or an address, such as example.org:8448", parseServerName);
}

/** A host without port, in lower case. */
export function hostName(): Option<string> {
  return text("a host name or address without a port", parseHostName);
}

/** An http:// or https:// URL. */
export function httpUrl(): Option<string> {
  return text("an http:// or https:// URL", parseHttpUrl, { pattern: "^https?://" });
}

/** A path; load.ts makes it absolute before it comes here. */
export function filePath(): Option<string> {
  return text("a path, from the directory of the config file", (written) =>
    written.includes("\0") ? { refused: "has a NUL character" } : { value: written },
  );
}

/** What goes into a header as a secret. @param lengthMin in characters, where it is a key that must not be guessed */
export function secret(lengthMin = 1): Option<string> {
  const least = lengthMin > 1 ? `, ${lengthMin} at least` : "";
  return text(`visible ASCII characters without spaces${least}`, (written) => {
    if (!VISIBLE.test(written)) return { refused: "has a space or a character that is not ASCII" };
    return written.length < lengthMin ? { refused: `has under ${lengthMin} characters` } : { value: written };
  });
}

/** A header's name, in lower case. */
export function headerName(): Option<string> {
  return text("a header name", (written) =>
    TOKEN.test(written) ? { value: written.toLowerCase() } : { refused: "is not a header name" },
  );
}

/** A header's value; it may be empty. */
export function headerValue(): Option<string> {
  return scalar({ allowed: "text in ASCII without line ends", json: { type: "string" } }, (input) =>
    typeof input === "string" && FIELD_VALUE.test(input)
      ? { value: input }
      : { refused: "is not text that a header can carry" },
  );
}
