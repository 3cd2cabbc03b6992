/**
 * Where a request to the way out goes: parseRequestHead and readOutboundTarget together. What is taken has one host, that
 * `new URL` sees as well, a port that is one, no user information, and a path that is the rest of what came.
 */

import { equal, ok } from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { ERROR_STATUS } from "../../src/core/errors.ts";
import { REQUEST_REFUSALS } from "../../src/http1/refusals.ts";
import { parseRequestHead, type RequestHead } from "../../src/http1/request-head.ts";
import { parseServerName } from "../../src/peer/server-name.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { readOutboundTarget } from "../../src/proxy/outbound-target.ts";
import type { Target } from "../../src/proxy/side.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const FIELDS = createProxyFields([]);
const LINES_MAX = 200;

const TARGETS = [
  "http://a.test/x?y=%23",
  "https://A.test:8448",
  "HTTPS://a.test.:0443/?a",
  "matrix-federation://hs1.test:8448/_matrix/key/v2/server",
  "matrix-federation://[2001:db8::1]/x",
  "http://[::ffff:10.0.0.1]:80/",
  "http://10.0.0.1:65535/",
  "a.test:443",
  "[::1]:8448",
  "_a.b-c.test:1",
  "http://a.test?x=http://b.test/",
];
const PIECES = [
  "http://",
  "https://",
  "matrix-federation://",
  "ftp://",
  "a.test",
  "B",
  "xn--a",
  "1",
  "0x7f",
  "127.0.0.1",
  "[::1]",
  "[",
  "]",
  ".",
  "..",
  "-",
  "_",
  "~",
  "%41",
  "\\",
  "@",
  "u:p@",
  ":",
  ":0",
  ":65536",
  ":443",
  "/",
  "//b.test",
  "?",
  "#",
  "*",
];

const targets = fc.oneof(
  { arbitrary: damaged(fc.constantFrom(...TARGETS), PIECES), weight: 3 },
  { arbitrary: piecesOf(PIECES, 8), weight: 3 },
  { arbitrary: anyBytes(20), weight: 1 },
);

const requests = fc
  .record({
    method: fc.constantFrom("GET", "GET", "CONNECT", "CONNECT", "POST", "OPTIONS", "TRACE", "get"),
    target: targets,
    version: fc.constantFrom("1.1", "1.0"),
    host: fc.constantFrom("Host: a.test\r\n", "Host: A.TEST:8448\r\n", ""),
    length: fc.constantFrom("", "", "Content-Length: 1\r\n"),
  })
  .map(
    ({ method, target, version, host, length }) =>
      `${method} ${target} HTTP/${version}\r\n${host}${length}\r\n`,
  );

/** A host as `new URL` writes it: in lower case, IPv6 in its one short form; a trailing dot means the same host. */
function hostOf(url: URL): string {
  return url.hostname.replace(/\.$/, "");
}

function checkServer(head: RequestHead, target: Target): void {
  const { server, authority } = target;
  ok(server !== undefined, "taken without a server");
  const { address, port } = server;
  ok(address !== "" && /^[0-9A-Za-z._:-]+$/.test(address), `not a host: ${address}`);
  ok(port !== undefined && Number.isInteger(port) && port >= 0 && port <= 65_535, `not a port: ${port}`);
  ok(head.target.includes(authority), "an authority that was not sent");

  const text = `http://${authority}/`;
  if (!URL.canParse(text)) {
    ok(/(?:^|\.)xn--/i.test(address), `no browser takes this host: ${address}`); // What can't be decoded.
    return;
  }
  const url = new URL(text);
  equal(url.username + url.password, "", "a user's name before the host");
  const host = isIP(address) === 6 ? `[${address}]` : address;
  equal(hostOf(url), hostOf(new URL(`http://${host}`)), "another host than a browser's");
  if (isIP(address) !== 6) equal(hostOf(url), address.toLowerCase().replace(/\.$/, ""), "a repaired host");
  const named = /:[0-9]+$/.exec(authority) === null ? undefined : Number(url.port === "" ? 80 : url.port);
  if (named !== undefined) equal(port, named, "another port than a browser's");
}

function check(text: string): void {
  const head = parseRequestHead(text, FIELDS, LINES_MAX);
  if (typeof head === "string") return ok(Object.hasOwn(REQUEST_REFUSALS, head), `not a word: ${head}`);
  const target = readOutboundTarget(head);
  const { form, path, authority, host, refused } = target;
  if (refused !== undefined) {
    ok(Object.hasOwn(ERROR_STATUS, refused.code) && refused.sentence !== "", "refused without a reason");
    return;
  }
  ok(host === undefined || host === authority, "a Host that was not asked for");
  if (form === "federation") ok(parseServerName(authority) !== undefined, "not a server name");
  checkServer(head, target);
  if (form === "tunnel") {
    equal(head.method, "CONNECT");
    equal(authority, head.target);
    equal(head.bodyLength, 0);
    return;
  }
  const scheme = form === "federation" ? "matrix-federation" : form;
  const rest = head.target.slice(`${scheme}://${authority}`.length);
  equal(head.target.toLowerCase(), `${scheme}://${authority}${rest}`.toLowerCase());
  ok(path === rest || path === `/${rest}` || (path === "*" && rest === ""), "another path than was sent");
  ok(path.startsWith("/") || (path === "*" && head.method === "OPTIONS"), "not in origin-form");
}

export const OUTBOUND_TARGET: FuzzTarget = createTarget("outbound-target", fc.property(requests, check));
