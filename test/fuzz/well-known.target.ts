/**
 * What a host says of its delegation: any body is a server name that stands there or none, any headers a lifetime within the
 * bounds, and any redirect leads to one plain https host or nowhere.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { parseServerName } from "../../src/peer/server-name.ts";
import { readDelegate, redirectTarget } from "../../src/discovery/well-known.ts";
import { readLifetime } from "../../src/discovery/well-known-lifetime.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const MIN_MS = 300_000;
const MAX_MS = 48 * 3_600_000;

const BODY_PIECES = [
  '{"m.server":',
  '"hs1.test:8448"',
  '"hs1.test."',
  '"[::1]"',
  '"a b"',
  '"\\u0061.test"',
  "null",
  "1",
  "[",
  "{",
  "}",
  ",",
  '"m.server":',
  '"__proto__":{"m.server":"b.test"}',
  "\ufeff",
  " ",
];
const bodies = fc.oneof(
  damaged(fc.constant('{"m.server":"hs1.test:8448"}'), BODY_PIECES),
  piecesOf(BODY_PIECES, 6),
  anyBytes(30),
);

function checkBody(body: string): void {
  const server = readDelegate(body);
  if (server === undefined) return;
  const said = (JSON.parse(body) as { readonly "m.server": string })["m.server"];
  equal(said.toLowerCase().replace(/^([^:[]*)\.(?=:|$)/, "$1"), server.name, "another name than it said");
  deepEqual(parseServerName(server.name), server);
}

/** A directive, and what it means: nothing, "not to be kept", or so many seconds. */
const DIRECTIVES: readonly (readonly [text: string, meaning: "none" | "never" | number])[] = [
  ["public", "none"],
  ["max-age", "none"],
  ["max-age=", "none"],
  ["max-age=-1", "none"],
  ["max-age=1.5", "none"],
  ["s-maxage=9", "none"],
  ["", "none"],
  ["no-store", "never"],
  ["No-Cache", "never"],
  ["max-age=0", 0],
  ["max-age=3600", 3600],
  ['MAX-AGE="7200"', 7200],
  ["max-age=99999999999999999999", 172_800],
];
const EXPIRES: readonly (readonly [text: string | undefined, ms: number | undefined])[] = [
  [undefined, undefined],
  ["0", 0],
  ["Thu, 01 Jan 2026 06:00:00 GMT", 6 * 3_600_000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["never", 0],
];

interface Lifetime {
  readonly directives: readonly (typeof DIRECTIVES)[number][];
  readonly expires: (typeof EXPIRES)[number];
  readonly blank: string;
}

function within(ms: number): number {
  return Math.min(Math.max(ms, MIN_MS), MAX_MS);
}

function checkLifetime({ directives, expires: [expires, expiresMs], blank }: Lifetime): void {
  const headers = {
    "cache-control": directives.map(([text]) => text).join(`${blank},${blank}`),
    ...(expires === undefined ? {} : { expires }),
  };
  const meanings = directives.map(([, meaning]) => meaning);
  const maxAge = meanings.find((meaning) => typeof meaning === "number");
  const expected = meanings.includes("never") ? 0 : maxAge === undefined ? expiresMs : maxAge * 1000;
  equal(readLifetime(headers, NOW_MS), expected === undefined ? undefined : within(expected));
}

function checkBounds(text: string): void {
  for (const headers of [
    { "cache-control": text },
    { expires: text },
    { "cache-control": `max-age=${text}` },
  ]) {
    const ms = readLifetime(headers, NOW_MS);
    ok(ms === undefined || (ms >= MIN_MS && ms <= MAX_MS), `out of bounds: ${ms}`);
  }
}

const LOCATION_PIECES = [
  "https://",
  "http://",
  "//",
  "/",
  "\\",
  "a.test",
  "B.test.",
  "xn--a",
  "\u00e9",
  "0x7f.1",
  "[::1]",
  "[::ffff:10.0.0.1]",
  "%41",
  "u:p@",
  "@",
  ":25",
  ":8448",
  "?",
  "#x",
  "..",
  "\t",
  "a".repeat(60),
];
const locations = fc.oneof(
  damaged(fc.constantFrom("https://www.a.test/.well-known/matrix/server", "/x?y"), LOCATION_PIECES),
  piecesOf(LOCATION_PIECES, 8),
  anyBytes(30),
);
const FROM = new URL("https://a.test/.well-known/matrix/server");
const SMTP = 25;

function checkRedirect(location: string): void {
  const url = redirectTarget(location, FROM, (port) => port !== SMTP);
  if (url === undefined) return;
  equal(url.protocol, "https:");
  equal(url.username + url.password, "", "with a user's name");
  ok(url.port !== String(SMTP), "to a port that is not allowed");
  equal(parseServerName(url.hostname)?.host, url.hostname, "to no plain host");
  equal(new URL(url.href).href, url.href, "read otherwise when written");
}

export const WELL_KNOWN: FuzzTarget = createTarget(
  "well-known",
  fc.property(
    fc.record({
      body: bodies,
      lifetime: fc.record({
        directives: fc.array(fc.constantFrom(...DIRECTIVES), { maxLength: 4 }),
        expires: fc.constantFrom(...EXPIRES),
        blank: fc.constantFrom("", " ", "\t"),
      }),
      text: fc.oneof(anyBytes(20), piecesOf(["max-age", "=", '"', "9", "1e9", ",", "no-store", " "], 8)),
      location: locations,
    }),
    ({ body, lifetime, text, location }) => {
      checkBody(body);
      checkLifetime(lifetime);
      checkBounds(text);
      checkRedirect(location);
    },
  ),
);
