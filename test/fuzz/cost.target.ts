/**
 * What the largest inputs cost: a unit repeated to 64 KiB, anywhere in a text of each format, must not take more than linear
 * time. What is quadratic there takes seconds; the bound is far above what is linear, and counts the processor's time and
 * not the clock's, so that a busy machine finds nothing.
 */

import { ok } from "node:assert/strict";
import fc from "fast-check";
import { readDelegate, redirectTarget } from "../../src/discovery/well-known.ts";
import { readLifetime } from "../../src/discovery/well-known-lifetime.ts";
import { ChunkedReader } from "../../src/http1/chunked.ts";
import { HeadBuffer } from "../../src/http1/head-buffer.ts";
import { parseRequestHead } from "../../src/http1/request-head.ts";
import { parseResponseHead } from "../../src/http1/response-head.ts";
import { parseCertificateNames } from "../../src/peer/certificate.ts";
import { parseHttpSignatureHost } from "../../src/peer/http-signature.ts";
import { parseServerName, parseUrlServer } from "../../src/peer/server-name.ts";
import { parseXMatrixDestination, parseXMatrixOrigin } from "../../src/peer/x-matrix.ts";
import { refuseActorAnswer } from "../../src/proof/answer-head.ts";
import { canonicalOf } from "../../src/proof/canonical-json.ts";
import { parseKeyUrl } from "../../src/proof/key-url.ts";
import { readXMatrixSignatures } from "../../src/proof/x-matrix-signature.ts";
import { readActorKey } from "../../src/proof/actor-key.ts";
import { refuseBody } from "../../src/proof/digest.ts";
import { openHttpSignature } from "../../src/proof/http-signature.ts";
import { extractContext } from "../../src/propagation/extract.ts";
import { cutServerTiming } from "../../src/propagation/server-timing.ts";
import { parseAuthority } from "../../src/proxy/authority.ts";
import { BodyContexts } from "../../src/proxy/body-contexts.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { readOutboundTarget } from "../../src/proxy/outbound-target.ts";
import { formatTrailers } from "../../src/proxy/rewrite.ts";
import { createTarget, type FuzzTarget } from "./target.ts";

const BYTES = 65_536;
/** One case of one reader takes 1 ms or so; what is quadratic in 64 Ki takes 1,000 times as long. */
const CPU_MAX_MS = 500;
const FIELDS = createProxyFields([]);
const LINES_MAX = 200;
const OWN = { name: "hs1.test", host: "hs1.test", port: undefined };

function bytesOf(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function readTarget(line: string): unknown {
  const head = parseRequestHead(`${line}\r\nHost: a\r\n\r\n`, FIELDS, LINES_MAX);
  return typeof head === "string" ? head : readOutboundTarget(head);
}

/** An object of 64 KiB: keys of eight characters and a number. */
function manyKeys(text: string): string {
  const members = Array.from({ length: BYTES / 16 }, (_, at) => [text.slice(at * 8, at * 8 + 8) + at, 0]);
  return JSON.stringify(Object.fromEntries(members));
}

/** Lines as long as may be, and the text as the value of everything that they cover. */
function openSignature(text: string): unknown {
  const part = text.slice(0, 4000);
  const keyId = 'keyId="https://a.test/x"';
  const message = {
    method: "GET",
    target: text,
    scheme: "https",
    authority: "b.test",
    header: () => [text],
    isOwn: () => true,
  } as const;
  const draft = [`${keyId},headers="(request-target) host ${part}",signature="YQ=="`, `${part},${keyId}`];
  const input = [
    `a=(${part});keyid="https://a.test/x"`,
    `a=("${part}" "@path");keyid="https://a.test/x";b=${part}`,
  ];
  const rfc = input.flatMap((line) => [line, `${line},${line.replace("a=", "b=")}`]);
  return [
    ...draft.map((line) =>
      openHttpSignature({ authorization: [], signature: [line], signatureInput: [] }, message, 0),
    ),
    ...rfc.map((line) =>
      openHttpSignature(
        { authorization: [], signature: ["a=:YQ==:,b=:YQ==:"], signatureInput: [line] },
        message,
        0,
      ),
    ),
    openHttpSignature(
      { authorization: [], signature: [`${keyId},headers="x y date",signature="YQ=="`], signatureInput: [] },
      { ...message, authority: text },
      0,
    ),
  ];
}

/** Each reader takes the text where it hurts. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  "request line": (text) => parseRequestHead(`${text}\r\nHost: a\r\n\r\n`, FIELDS, LINES_MAX),
  "request fields": (text) =>
    parseRequestHead(`GET / HTTP/1.1\r\nHost: a\r\n${text}\r\n\r\n`, FIELDS, LINES_MAX),
  connection: (text) => parseRequestHead(`GET / HTTP/1.1\r\nConnection: ${text}\r\n\r\n`, FIELDS, LINES_MAX),
  coding: (text) =>
    parseResponseHead(`HTTP/1.1 200 OK\r\nTransfer-Encoding: ${text}\r\n\r\n`, "GET", FIELDS, LINES_MAX),
  "keep-alive": (text) =>
    parseResponseHead(`HTTP/1.1 200 OK\r\nKeep-Alive: ${text}\r\n\r\n`, "GET", FIELDS, LINES_MAX),
  "head in pieces": (text) => {
    const buffer = new HeadBuffer(BYTES);
    const bytes = bytesOf(text);
    for (let at = 0; at < bytes.length; at += 16) buffer.take(bytes.subarray(at, at + 16), 0);
  },
  chunks: (text) => new ChunkedReader(BYTES, () => undefined).read(bytesOf(text), 0),
  "chunks in pieces": (text) => {
    const reader = new ChunkedReader(BYTES);
    const bytes = bytesOf(text);
    for (let at = 0; at < bytes.length && reader.fault === undefined; at += 16)
      reader.read(bytes.subarray(at, at + 16), 0);
  },
  trailers: (text) => formatTrailers(`${text.replaceAll(/[^a-z:,]/g, "a")}:\r\n\r\n`, FIELDS, false),
  "outbound target": (text) => [
    readTarget(`GET http://${text}/ HTTP/1.1`),
    readTarget(`GET matrix-federation://${text} HTTP/1.1`),
    readTarget(`CONNECT ${text}:443 HTTP/1.1`),
  ],
  "context in a body": (text) => new BodyContexts().read(bytesOf(text)),
  "contexts in pieces": (text) => {
    const contexts = new BodyContexts();
    const bytes = bytesOf(text);
    for (let at = 0; at < bytes.length; at += 16) contexts.read(bytes.subarray(at, at + 16));
  },
  "well-known": (text) => [
    readDelegate(`{"m.server":"${text}"}`),
    readLifetime({ "cache-control": text, expires: text }, 0),
    redirectTarget(text, new URL("https://a.test/"), () => true),
  ],
  "x-matrix": (text) => [
    parseXMatrixOrigin([`X-Matrix ${text}`]),
    parseXMatrixDestination([`X-Matrix ${text}`]),
    readXMatrixSignatures([`X-Matrix ${text}`, `X-Matrix key="${text}",sig="${text}"`], OWN),
  ],
  "canonical json": (text) => [
    canonicalOf(bytesOf(text)),
    canonicalOf(bytesOf(JSON.stringify(text))),
    canonicalOf(bytesOf(manyKeys(text))),
  ],
  signature: (text) =>
    parseHttpSignatureHost({ authorization: [], signature: [text], signatureInput: [text] }),
  "signature proof": openSignature,
  digest: (text) => [refuseBody(text, bytesOf("x")), refuseBody(`SHA-256=${text}`, bytesOf("x"))],
  "actor key": (text) => [
    readActorKey(text, "https://a.test/x"),
    readActorKey(
      JSON.stringify({
        id: "https://a.test/x",
        publicKey: { id: "https://a.test/x", owner: "https://a.test/x", publicKeyPem: text },
      }),
      "https://a.test/x",
    ),
  ],
  "key url": (text) => parseKeyUrl(`https://a.test/${text}`),
  "answer head": (text) => [
    refuseActorAnswer({ "content-type": [text] }),
    refuseActorAnswer({ "content-type": [`application/ld+json;profile="${text}"`] }),
    refuseActorAnswer({ "content-type": ["application/activity+json"], "content-disposition": [text] }),
  ],
  certificate: (text) => parseCertificateNames(text),
  "server name": (text) => [parseServerName(text), parseUrlServer(`https://${text}`), parseAuthority(text)],
  "server-timing": (text) => cutServerTiming(text),
  context: (text) =>
    extractContext(
      ["w3c", "jaeger", "b3"],
      new Map([
        ["traceparent", [text]],
        ["tracestate", [text]],
        ["uber-trace-id", [text]],
        ["b3", [text]],
      ] as const),
    ),
};

const unit = fc.string({
  unit: fc.constantFrom(...'aA0=",;:. \t\\\r\n()[]{}-%_/\xe9'.split(""), "\r\n", 'a="', "trace,"),
  minLength: 1,
  maxLength: 5,
});

interface Case {
  readonly reader: string;
  readonly head: string;
  readonly unit: string;
  readonly tail: string;
}

function check({ reader, head, unit: repeated, tail }: Case): void {
  const text = head + repeated.repeat(Math.ceil(BYTES / repeated.length)) + tail;
  const before = process.cpuUsage();
  READERS[reader]?.(text);
  const ms = process.cpuUsage(before).user / 1000;
  ok(ms < CPU_MAX_MS, `${reader}: ${ms} ms`);
}

export const COST: FuzzTarget = createTarget(
  "cost",
  fc.property(
    fc.record({
      reader: fc.constantFrom(...Object.keys(READERS)),
      head: fc.oneof(fc.constantFrom("", "a", "a: b\r\n", "0\r\n", 'a="'), unit),
      unit,
      tail: fc.oneof(fc.constantFrom("", "\0", "\r\n\r\n"), unit),
    }),
    check,
  ),
);
