/**
 * Valid request heads to start from: those of the captured Matrix requests, and the forms that none of them has.
 * Source: test/fixtures/matrix-requests.jsonl, the requests of two Synapse servers talking to each other.
 */

import { readFileSync } from "node:fs";

interface Captured {
  readonly via: string;
  readonly target: string;
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly string[];
}

/** The captured heads as they stood on the wire; those to the forward proxy in absolute-form. */
export function readCapturedHeads(): readonly string[] {
  const lines = readFileSync("test/fixtures/matrix-requests.jsonl", "utf8").trimEnd().split("\n");
  return lines.map((line) => formatHead(JSON.parse(line) as Captured));
}

function formatHead({ via, target, method, path, rawHeaders }: Captured): string {
  const uri = via === "fedproxy" ? `http://${target}${path}` : path;
  let head = `${method} ${uri} HTTP/1.1\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    head += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  }
  return `${head}\r\n`;
}

/** Framings, forms and versions that Synapse never sends. */
export const SYNTHETIC_HEADS: readonly string[] = [
  "POST /chunked HTTP/1.1\r\nHost: hs1.test\r\nTransfer-Encoding: chunked\r\nTrailer: Expires\r\n\r\n",
  "PUT /chunked HTTP/1.1\r\nhost:hs1.test\r\ntransfer-encoding:Chunked\r\nConnection: close, TE\r\nTE: trailers\r\n\r\n",
  "POST /short HTTP/1.1\r\nHost: hs1.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
  "HEAD /head?a=1&b=%23 HTTP/1.1\r\nHost: hs1.test:8448\r\nX-Empty:\r\nX-Blank: \t \r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: hs1.test\r\n\r\n",
  "GET http://hs1.test:8008/absolute?q HTTP/1.1\r\nHost: hs1.test:8008\r\nProxy-Connection: keep-alive\r\n\r\n",
  "CONNECT hs1.test:443 HTTP/1.1\r\nHost: hs1.test:443\r\n\r\n",
  "GET /socket HTTP/1.1\r\nHost: hs1.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
  "GET /old HTTP/1.0\r\nUser-Agent: old\r\n\r\n",
  "POST /old HTTP/1.0\r\nHost: hs1.test\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n",
  "DELETE /ipv6 HTTP/1.1\r\nHost: [2001:db8::1]:8448\r\nX-Text: \xe9t\xe9\r\nX-Twice: a\r\nX-Twice: b\r\n\r\n",
];
