/**
 * What proxies say of a client: PROXY protocol headers of both versions, in any pieces, and Forwarded beside X-Forwarded-*.
 * Nothing throws; any split of a header gives the same outcome; a client that is told is an address that stands in what was sent.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { isIP, SocketAddress } from "node:net";
import fc from "fast-check";
import { parseProxyHeader } from "../../src/http1/proxy-header.ts";
import { readForwarded, readXForwarded, type Said } from "../../src/peer/forwarded.ts";
import { createTrustedProxies } from "../../src/peer/trusted-proxies.ts";
import { INET, INET6, tlv, v2, withChecksum } from "../http1/proxy-headers.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const V1_PIECES = [
  "PROXY ",
  "TCP4 ",
  "TCP6 ",
  "UNKNOWN",
  "192.0.2.7 ",
  "::1 ",
  "1 ",
  "65536 ",
  " ",
  "\r",
  "\n",
  "\r\n",
  "x".repeat(90),
];
const V1 = [
  "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n",
  "PROXY TCP6 2001:db8::7 ::1 1 2\r\n",
  "PROXY UNKNOWN x\r\n",
];

const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");

const someTlvs = fc
  .array(fc.record({ type: fc.constantFrom(1, 3, 4, 0x20, 0xff), value: fc.uint8Array({ maxLength: 12 }) }), {
    maxLength: 4,
  })
  .map((tlvs) => Buffer.concat(tlvs.map(({ type, value }) => tlv(type, Buffer.from(value)))));

const headersV2 = fc
  .record({
    command: fc.constantFrom(0x20, 0x21, 0x21, 0x21, 0x22, 0x11),
    family: fc.constantFrom(0, 0x11, 0x12, 0x21, 0x31, 0x13, 0x77),
    addresses: fc.constantFrom(INET, INET6, Buffer.alloc(216, 97), Buffer.alloc(0), INET.subarray(1)),
    tlvs: someTlvs,
  })
  .chain((parts) => fc.constantFrom(v2(parts), withChecksum(parts), withChecksum(parts, 8)));

const headers: fc.Arbitrary<Buffer> = fc.oneof(
  damaged(fc.constantFrom(...V1), V1_PIECES).map(bytesOf),
  piecesOf(V1_PIECES, 8).map((text) => bytesOf(`PROXY ${text}`)),
  headersV2,
  headersV2.chain((header) =>
    damaged(fc.constant(header.toString("latin1")), ["\0", "\x03", "\xff", "\r\n"]).map(bytesOf),
  ),
  anyBytes(40).map(bytesOf),
);

function checkHeader({
  header,
  rest,
  cuts,
}: {
  header: Buffer;
  rest: string;
  cuts: readonly number[];
}): void {
  const whole = Buffer.concat([header, bytesOf(rest)]);
  const outcome = parseProxyHeader(whole);
  // What has an outcome keeps it, whatever follows; before that there is none.
  let isOver = false;
  for (const cut of [...cuts.map((at) => at % (whole.length + 1)), whole.length].sort((a, b) => a - b)) {
    const seen = parseProxyHeader(whole.subarray(0, cut));
    if (seen !== "more") isOver = true;
    if (isOver) deepEqual(seen, outcome, `another outcome after ${cut} bytes`);
  }
  if (outcome === "more") ok(whole.length < 16 + 4096, "waits for more than a header can have");
  if (typeof outcome === "string") return;
  ok(outcome.length <= whole.length && outcome.length >= 15);
  if (outcome.address === undefined) return;
  ok(isIP(outcome.address) !== 0, "no address");
  deepEqual(parseProxyHeader(whole.subarray(0, outcome.length)), outcome, "needs what follows it");
}

export const PROXY_HEADER: FuzzTarget = createTarget(
  "proxy-header",
  fc.property(
    fc.record({ header: headers, rest: anyBytes(20), cuts: fc.array(fc.nat(400), { maxLength: 12 }) }),
    checkHeader,
  ),
);

const PIECES = [
  "for=",
  "For=",
  "proto=https",
  "host=a.test",
  "192.0.2.1",
  "10.0.0.1",
  "10.0.0.1, ",
  '"[2001:db8::1]"',
  "[::1]",
  "_x",
  "unknown",
  '"',
  "\\",
  ";",
  ",",
  ", ",
  "=",
  " ",
  ":80",
];
const FORWARDED = [
  'for=192.0.2.1;proto=https, for="[fd00::1]:80"',
  "for=unknown, for=10.0.0.1;host=a.test",
  "for=10.0.0.1, for=10.0.0.2",
];
const X_FORWARDED = [
  "203.0.113.1, 192.0.2.1, 10.0.0.1",
  "[2001:db8::1]:80, fd00::1",
  "unknown, ::ffff:10.0.0.1",
];

const lines = (samples: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.array(fc.oneof(damaged(fc.constantFrom(...samples), PIECES), piecesOf(PIECES, 10), anyBytes(30)), {
    minLength: 1,
    maxLength: 3,
  });

const trusted = createTrustedProxies(["10.0.0.0/8", "fd00::/8"]) ?? { isTrusted: () => false };

function checkSaid(said: Said | string, sent: string): void {
  if (typeof said === "string") {
    ok(said === "syntax" || said === "bound");
    return;
  }
  if (said.host !== undefined) ok(letters(sent).includes(letters(said.host)), "a host that nobody wrote");
  if (typeof said.client !== "object") return;
  const { address } = said.client;
  ok(isIP(address) !== 0, "no address");
  ok(!address.startsWith("::ffff:") || !address.includes("."), "mapped");
  // However it was written, it is there: every part of the text that is an address is written the same way.
  const written = sent.replaceAll("\\", "").match(/[0-9A-Fa-f:.]+/g) ?? [];
  const shown = written.flatMap((part) => [part, part.replace(/:\d*$/, "")]).map(show);
  ok(
    shown.includes(address) || shown.includes(`::ffff:${address}`),
    `an address that nobody wrote: ${address}`,
  );
}

/** Without what escapes. */
function letters(text: string): string {
  return text.replaceAll("\\", "");
}

function show(part: string): string | undefined {
  const version = isIP(part);
  return version === 0
    ? undefined
    : new SocketAddress({ address: part, family: version === 4 ? "ipv4" : "ipv6" }).address;
}

/** A proxy that is trusted adds its client behind all that came: nothing left of it makes another one the client. */
function checkAdded(sent: readonly string[]): void {
  const byRfc = readForwarded([...sent, "for=198.51.100.9"], trusted);
  if (typeof byRfc === "object") deepEqual(byRfc.client, { address: "198.51.100.9" });
  const byX = readXForwarded({ for: [...sent, "198.51.100.9"], proto: [], host: [] }, trusted);
  if (typeof byX === "object") deepEqual(byX.client, { address: "198.51.100.9" });
}

export const FORWARDED_LINES: FuzzTarget = createTarget(
  "forwarded",
  fc.property(
    fc.record({ rfc: lines(FORWARDED), x: lines(X_FORWARDED), other: lines(PIECES) }),
    ({ rfc, x, other }) => {
      const byRfc = readForwarded(rfc, trusted);
      checkSaid(byRfc, rfc.join());
      equal(
        JSON.stringify(readForwarded([rfc.join(", ")], trusted)),
        JSON.stringify(byRfc),
        "otherwise in one line",
      );
      checkSaid(readXForwarded({ for: x, proto: [], host: other }, trusted), [...x, ...other].join());
      checkSaid(readXForwarded({ for: x, proto: other, host: [] }, trusted), x.join());
      checkAdded(rfc);
      checkAdded(x);
    },
  ),
);
