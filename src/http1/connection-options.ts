/**
 * The value of `Connection`: what this hop should do, and names that are meant for this hop only.
 *
 * Source: RFC 9110 section 7.6.1. A nominated name is removed as the RFC asks, with one exception: a sender
 * could make a proxy drop a field that frames or routes the message, so that the two ends disagree on it. Such
 * a nomination is refused.
 */

import { sliceTrimmed } from "./fields.ts";

export interface ConnectionOptions {
  readonly isClose: boolean;
  readonly isKeepAlive: boolean;
  readonly isUpgrade: boolean;
  /** Lower-case names of further fields to remove; most often none. */
  readonly nominated: readonly string[];
}

/** List elements, empty ones too: more than any real client sends; a longer list only costs time. */
const OPTIONS_MAX = 16;

/** Fields that a nomination can't take away. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  "content-length",
  "transfer-encoding",
  "host",
  "content-type",
  "content-encoding",
  "content-range",
  "authorization",
  "signature",
  "signature-input",
  "digest",
  "content-digest",
  "date",
  "cache-control",
  "trailer",
]);

/** Removed anyway, so they need no look through the head. */
const ALWAYS_REMOVED: ReadonlySet<string> = new Set([
  "keep-alive",
  "proxy-connection",
  "te",
  "http2-settings",
  "connection",
]);

export const NO_OPTIONS: ConnectionOptions = {
  isClose: false,
  isKeepAlive: false,
  isUpgrade: false,
  nominated: [],
};
const KEEP_ALIVE: ConnectionOptions = { ...NO_OPTIONS, isKeepAlive: true };
const CLOSE: ConnectionOptions = { ...NO_OPTIONS, isClose: true };

/** @returns the options of one or more `Connection` values, or undefined where one is refused */
export function parseConnection(values: readonly string[]): ConnectionOptions | undefined {
  const [only] = values;
  if (values.length === 1 && (only === "keep-alive" || only === "Keep-Alive")) return KEEP_ALIVE;
  if (values.length === 1 && only === "close") return CLOSE;
  const elements = values.join(",").split(",", OPTIONS_MAX + 1);
  if (elements.length > OPTIONS_MAX) return undefined;
  const options = elements
    .map((element) => sliceTrimmed(element, 0, element.length).toLowerCase())
    .filter((option) => option !== "");
  if (options.some((option) => NEVER_NOMINATED.has(option))) return undefined;
  return {
    isClose: options.includes("close"),
    isKeepAlive: options.includes("keep-alive"),
    isUpgrade: options.includes("upgrade"),
    nominated: options.filter(
      (option) => option !== "close" && option !== "upgrade" && !ALWAYS_REMOVED.has(option),
    ),
  };
}
