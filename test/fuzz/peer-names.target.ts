/**
 * Who is calling: X-Matrix, HTTP signatures, certificates, and the server names in all of them. Nothing throws, and a name
 * that is told stands in what was sent, is written one way, and is the only one there.
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { parseCertificateNames } from "../../src/peer/certificate.ts";
import { parseHttpSignatureHost } from "../../src/peer/http-signature.ts";
import { parseServerName, parseUrlServer, type ServerName } from "../../src/peer/server-name.ts";
import { parseXMatrixDestination, parseXMatrixOrigin } from "../../src/peer/x-matrix.ts";
import { parseAuthority } from "../../src/proxy/authority.ts";
import { createTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const NAME_PIECES = [
  "a",
  "B",
  "hs1",
  ".",
  ".",
  "-",
  ":",
  "8448",
  "0",
  "99999",
  "[",
  "]",
  "::1",
  "%",
  "_",
  "\u212a",
  " ",
];
const SAMPLES = ["hs1.test:8448", "matrix.org.", "[2001:db8::1]:443", "10.0.0.1", "a".repeat(255), "A.b:0"];

const names = fc.oneof(
  piecesOf(NAME_PIECES, 8),
  damaged(fc.constantFrom(...SAMPLES), [".", ":", ":80", "[", "]", "@"]),
  anyBytes(20),
);

/** The grammar's alphabet is small enough to be told by one look at every character. */
function checkName({ name, host, port }: ServerName): void {
  equal(name, name.toLowerCase(), "not in lower case");
  ok(/^(?:\[[0-9a-f:.]+\]|[0-9a-z-]+(?:\.[0-9a-z-]+)*)(?::[0-9]{1,5})?$/.test(name), `not a name: ${name}`);
  ok(name.startsWith(host) && host.length <= 255);
  if (port === undefined) equal(name, host);
  else ok(port >= 0 && port <= 65_535 && Number(name.slice(host.length + 1)) === port);
  deepEqual(parseServerName(name), { name, host, port }, "read otherwise when written");
}

function checkServerName(text: string): void {
  const server = parseServerName(text);
  const plain = text.toLowerCase().replace(/^([^:[]*)\.(?=:|$)/, "$1");
  if (server !== undefined) {
    checkName(server);
    equal(server.name, plain);
  } else {
    ok(
      !/^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,2}(?::[0-9]{1,4})?$/.test(text),
      "an ordinary name is refused",
    );
  }
  const authority = parseAuthority(text);
  if (server !== undefined) equal(authority?.port, server.port);
  if (authority !== undefined) ok(text.includes(authority.address) && !authority.address.includes("@"));
  for (const url of [`https://${text}/x`, `http://${text}`, text]) checkUrl(url);
}

/** A browser repairs what it reads, and refuses names that end in a number; where it takes a URL it must see the same. */
function checkUrl(url: string): void {
  const named = parseUrlServer(url);
  if (named === undefined) return;
  checkName(named);
  if (!URL.canParse(url) || /(?:^|\.)(?:\d+|0x[\da-f]*)$|^\[|--/.test(named.host)) return;
  const { username, hostname, port } = new URL(url);
  equal(username, "", "a user's name before the host");
  equal(named.host, hostname.replace(/\.$/, ""), "another host than a browser's");
  equal(String(named.port ?? ""), port, "another port than a browser's");
}

export const SERVER_NAME: FuzzTarget = createTarget("server-name", fc.property(names, checkServerName));

const X_MATRIX = [
  'X-Matrix origin="hs1.test:8448",key="ed25519:a",sig="abc",destination="hs2.test"',
  "X-Matrix origin=hs1.test,key=ed25519:a,sig=abc",
  'X-Matrix  sig="a\\"b" , Origin="hs1.te\\st"',
];
const X_MATRIX_PIECES = [
  "X-Matrix ",
  "origin=",
  'Origin="',
  "a.test",
  '"',
  ",",
  ", ",
  "\\",
  "=",
  "key=1",
  " ",
  "\t",
  "b",
];
const X_MATRIX_WORDS = ["absent", "syntax", "name", "origins"];

const xMatrixLine = fc.oneof(
  damaged(fc.constantFrom(...X_MATRIX), [",origin=b", 'origin="c"', "\\", '"']),
  piecesOf(X_MATRIX_PIECES, 12).map((text) => `X-Matrix ${text}`),
  anyBytes(30),
);

/** As Synapse reads it: split at commas, then at the first equals sign. It takes the last of several origins. */
function originValues(line: string): readonly string[] {
  const parameters = line
    .slice("X-Matrix".length)
    .replace(/^ +/, "")
    .split(/[ \t]*,[ \t]*/);
  return parameters.flatMap((parameter) => {
    const [key = "", ...rest] = parameter.split("=");
    return key.toLowerCase() === "origin" ? [rest.join("=")] : [];
  });
}

function checkXMatrix(lines: readonly string[]): void {
  const read = parseXMatrixOrigin(lines);
  if (typeof read === "string") return ok(X_MATRIX_WORDS.includes(read), `not a word: ${read}`);
  checkName(read.origin);
  for (const line of lines.filter((text) => text.startsWith("X-Matrix"))) {
    const values = originValues(line);
    ok(values.length > 0, "Synapse sees no origin");
    for (const value of values) {
      const isQuoted = value.startsWith('"');
      ok(!isQuoted || (value.length > 1 && value.endsWith('"')), "Synapse would cut off a letter");
      const origin = isQuoted ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;
      equal(parseServerName(origin)?.name, read.origin.name, "another origin stands there");
    }
  }
}

export const X_MATRIX_ORIGIN: FuzzTarget = createTarget(
  "x-matrix",
  fc.property(fc.array(xMatrixLine, { maxLength: 2 }), checkXMatrix),
);

/** The two keys for each other, in every case; both always stand with their equals sign, so hardly ever in a name. */
function swapKeys(text: string): string {
  return text.replaceAll(/origin|destination/gi, (key) =>
    key.toLowerCase() === "origin" ? "destination" : "origin",
  );
}

/** Both are read by one rule: a destination is there exactly where the line with its keys swapped has an origin. */
function checkDestination(lines: readonly string[]): void {
  const read = parseXMatrixOrigin(lines);
  const expected = typeof read === "string" ? undefined : swapKeys(read.origin.name);
  equal(parseXMatrixDestination(lines.map(swapKeys))?.name, expected, "read otherwise than an origin");
}

export const X_MATRIX_DESTINATION: FuzzTarget = createTarget(
  "x-matrix-destination",
  fc.property(fc.array(xMatrixLine, { maxLength: 2 }), checkDestination),
);

const SIGNATURES = [
  'keyId="https://a.test/users/b#main-key",algorithm="rsa-sha256",headers="(request-target) host",signature="YQ=="',
  'Signature keyId="https://a.test/actor#key" , signature="a\\"b"',
  'sig1=("@method" "@target-uri");created=1618884473;keyid="https://a.test/actor"',
  'a=("x;y)");keyid="acct:b@a.test", c=();keyid="https://a.test"',
  "sig1=:YQ==:",
];
const SIGNATURE_PIECES = [
  "keyId=",
  'keyid="',
  "https://a.test",
  "acct:b@a.test",
  '"',
  ",",
  ";",
  "(",
  ")",
  "sig=",
  "\\",
  " ",
];
const SIGNATURE_WORDS = ["absent", "length", "syntax", "name", "hosts"];

const signatureLines = fc.array(
  fc.oneof(
    damaged(fc.constantFrom(...SIGNATURES), ['"', ";keyid=x", ',keyId="https://b.test"', "(", ")"]),
    piecesOf(SIGNATURE_PIECES, 12),
    anyBytes(30),
  ),
  { maxLength: 2 },
);

interface Signatures {
  readonly authorization: readonly string[];
  readonly signature: readonly string[];
  readonly signatureInput: readonly string[];
}

function checkSignatures(lines: Signatures): void {
  const read = parseHttpSignatureHost(lines);
  if (typeof read === "string") return ok(SIGNATURE_WORDS.includes(read), `not a word: ${read}`);
  checkName(read.host);
  const all = Object.values(lines).flat().join("\n");
  ok(/keyid/i.test(all), "a host without a key id");
  ok(all.replaceAll(/\\(.)/g, "$1").toLowerCase().includes(read.host.host), "a host that was not sent");
}

const KEY_IDS = [
  ["https://a.test/users/b#main-key", "a.test"],
  ["https://A.test:443/actor", "a.test"],
  ["acct:b@a.test", "a.test"],
  ["http://a.test:443/", "a.test:443"],
  ["https://b.test/", "b.test"],
] as const;

type KeyId = (typeof KEY_IDS)[number];

/** Two key ids, one in each form of signature: of one server, or refused. */
function checkTwoKeys([[key, host], [otherKey, otherHost]]: readonly [KeyId, KeyId]): void {
  const [cavage, rfc9421] = [[`keyId="${key}"`], [`a=("host");keyid="${otherKey}"`]];
  const expected = host === otherHost ? host : "hosts";
  for (const lines of [
    { authorization: [], signature: cavage, signatureInput: rfc9421 },
    { authorization: [`Signature ${cavage.join()}`], signature: [], signatureInput: rfc9421 },
    { authorization: [], signature: [`${cavage.join()},keyId="${otherKey}"`], signatureInput: [] },
  ]) {
    const read = parseHttpSignatureHost(lines);
    equal(typeof read === "string" ? read : read.host.name, expected);
  }
}

export const HTTP_SIGNATURE: FuzzTarget = createTarget(
  "http-signature",
  fc.property(
    fc.record({
      lines: fc.record({
        authorization: signatureLines,
        signature: signatureLines,
        signatureInput: signatureLines,
      }),
      keys: fc.tuple(fc.constantFrom(...KEY_IDS), fc.constantFrom(...KEY_IDS)),
    }),
    ({ lines, keys }) => {
      checkSignatures(lines);
      checkTwoKeys(keys);
    },
  ),
);

const CERTIFICATE_PIECES = [
  "DNS:",
  "URI:",
  "https://",
  "a.test",
  "B.test",
  ", ",
  ",",
  '"',
  "\\",
  "IP Address:",
  "*.",
  ":8448",
  " ",
];
const CERTIFICATES = [
  "DNS:a.test, DNS:b.test, URI:https://c.test:8448/x, IP Address:10.0.0.1",
  'DNS:"a.test, DNS:evil.test", DNS:b.test',
  'othername:"1.2.3\\"", DNS:a.test.',
];

function checkCertificate(text: string): void {
  const told = parseCertificateNames(text);
  equal(new Set(told).size, told.length, "a name twice");
  // What stands in quotes was put there by node since it holds what separates names: it names nobody.
  const unquoted = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, "").toLowerCase();
  for (const name of told) {
    const server = parseServerName(name);
    ok(server !== undefined);
    checkName(server);
    ok(unquoted.includes(server.host), `stands in quotes, or nowhere: ${name}`);
  }
}

export const CERTIFICATE_NAMES: FuzzTarget = createTarget(
  "certificate-names",
  fc.property(
    fc.oneof(
      damaged(fc.constantFrom(...CERTIFICATES), [", ", '"', "DNS:c"]),
      piecesOf(CERTIFICATE_PIECES, 12),
      anyBytes(30),
    ),
    checkCertificate,
  ),
);
