/**
 * How long a .well-known answer is good, as its headers say.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#resolving-server-names, step 3 ("respect the cache control
 * headers", 24 h without, 48 h at most), RFC 9111, and Synapse (well_known_resolver.py) for the rest: at least 5 min,
 * whatever the headers say, and a date that can't be read is one that is past.
 * Not here: Age, Date and revalidation.
 */

import type { IncomingHttpHeaders } from "node:http";

const LIFETIME_MIN_MS = 300_000;
const LIFETIME_MAX_MS = 48 * 3_600_000;

/** 32 bits of seconds, as RFC 9111, section 1.2.2 has it; what is more is as good as that. */
const MAX_AGE = /^max-age="?([0-9]{1,10})[0-9]*"?$/;

/** @returns from 5 min to 48 h; undefined where the headers say nothing */
export function readLifetime(headers: IncomingHttpHeaders, unixMs: number): number | undefined {
  const lifetimeMs = readHeaders(headers, unixMs);
  return lifetimeMs === undefined
    ? undefined
    : Math.min(Math.max(lifetimeMs, LIFETIME_MIN_MS), LIFETIME_MAX_MS);
}

function readHeaders(headers: IncomingHttpHeaders, unixMs: number): number | undefined {
  const directives = (headers["cache-control"] ?? "").split(",").map((text) => text.trim().toLowerCase());
  if (directives.includes("no-store") || directives.includes("no-cache")) return 0;
  const maxAge = directives.map((text) => MAX_AGE.exec(text)?.[1]).find((text) => text !== undefined);
  if (maxAge !== undefined) return Number(maxAge) * 1000;
  if (headers.expires === undefined) return undefined;
  const expiresMs = Date.parse(headers.expires);
  return Number.isNaN(expiresMs) ? 0 : expiresMs - unixMs;
}
