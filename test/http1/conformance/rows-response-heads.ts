/** Heads of responses that are refused. */

import { OK, POISON, REFUSED, type ResponseRow } from "./response-row.ts";

/** Heads of which two readers make two responses. All are followed by a body that is poison to somebody. */
export const REFUSED_HEAD_ROWS: readonly ResponseRow[] = [
  {
    name: "a length and chunks",
    head: `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`,
    source: "RFC 9112 6.3",
  },
  { name: "two lengths", head: `${OK}Content-Length: 0\r\nContent-Length: 5\r\n`, source: "RFC 9112 6.3" },
  {
    name: "two equal lengths",
    head: `${OK}Content-Length: 5\r\nContent-Length: 5\r\n`,
    source: "RFC 9112 6.3",
  },
  { name: "a list of lengths", head: `${OK}Content-Length: 5, 5\r\n`, source: "RFC 9112 6.3" },
  { name: "a length with a plus", head: `${OK}Content-Length: +5\r\n`, source: "RFC 9110 8.6" },
  { name: "a length below zero", head: `${OK}Content-Length: -1\r\n`, source: "RFC 9110 8.6" },
  { name: "an empty length", head: `${OK}Content-Length:\r\n`, source: "RFC 9110 8.6" },
  { name: "a length with garbage", head: `${OK}Content-Length: 5x\r\n`, source: "RFC 9110 8.6" },
  {
    name: "a length beyond 64 bits",
    head: `${OK}Content-Length: 18446744073709551621\r\n`,
    source: "RFC 9110 8.6",
  },
  { name: "xchunked", head: `${OK}Transfer-Encoding: xchunked\r\n`, source: "RFC 9112 6.1" },
  { name: "gzip, chunked", head: `${OK}Transfer-Encoding: gzip, chunked\r\n`, source: "RFC 9112 6.1" },
  {
    name: "chunked, identity",
    head: `${OK}Transfer-Encoding: chunked, identity\r\n`,
    source: "RFC 9112 6.1",
  },
  {
    name: "chunks twice",
    head: `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`,
    source: "RFC 9112 6.1",
  },
  {
    name: "chunks in HTTP/1.0",
    head: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
    source: "RFC 9112 6.1",
  },
  {
    name: "a 204 with a length",
    head: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n",
    source: "RFC 9110 8.6",
  },
  {
    name: "a 204 with chunks",
    head: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n",
    source: "RFC 9112 6.1",
  },
  {
    name: "a 100 with a length",
    head: "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n",
    source: "RFC 9110 8.6",
  },
  {
    name: "a 101 that nobody asked for",
    head: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n",
    source: "RFC 9110 7.8",
  },
  {
    name: "a length nominated by Connection",
    head: `${OK}Content-Length: 5\r\nConnection: Content-Length\r\n`,
    source: "RFC 9110 7.6.1",
  },
  { name: "a status of two digits", head: "HTTP/1.1 20 OK\r\n", source: "RFC 9112 4" },
  { name: "a status of four digits", head: "HTTP/1.1 2000 OK\r\n", source: "RFC 9112 4" },
  { name: "a status below 100", head: "HTTP/1.1 099 OK\r\n", source: "RFC 9110 15" },
  { name: "a status with a plus", head: "HTTP/1.1 +20 OK\r\n", source: "RFC 9112 4" },
  { name: "no status", head: "HTTP/1.1 OK\r\n", source: "RFC 9112 4" },
  { name: "two spaces before the status", head: "HTTP/1.1  200 OK\r\n", source: "RFC 9112 4" },
  { name: "a tab before the status", head: "HTTP/1.1\t200 OK\r\n", source: "RFC 9112 4" },
  { name: "HTTP/2", head: "HTTP/2 200 OK\r\n", source: "RFC 9112 2.3" },
  { name: "HTTP/1.2", head: "HTTP/1.2 200 OK\r\n", source: "RFC 9112 2.3" },
  { name: "http/1.1", head: "http/1.1 200 OK\r\n", source: "RFC 9112 2.3" },
  { name: "ICY", head: "ICY 200 OK\r\n", source: "RFC 9112 2.3" },
  { name: "HTTP/0.9", head: "<html>hello</html>\r\n", source: "RFC 9112 2.3" },
  { name: "an LF before the status line", head: `\n${OK}`, source: "RFC 9112 2.2" },
  { name: "NUL in the reason", head: "HTTP/1.1 200 O\0K\r\n", source: "RFC 9112 4" },
  { name: "a lone CR in the reason", head: "HTTP/1.1 200 OK\rX-A: 1\r\n", source: "RFC 9112 2.2; CWE-113" },
  {
    name: "a lone CR in a value",
    head: `${OK}X-A: 1\rSet-Cookie: a=b\r\n`,
    source: "CVE-2024-24795, CWE-113",
  },
  {
    name: "a bare LF in a value",
    head: `${OK}X-A: 1\nSet-Cookie: a=b\r\n`,
    source: "CVE-2023-38709, CWE-113",
  },
  { name: "an empty line of LF", head: `${OK}X-A: 1\n\nbody\r\n`, source: "RFC 9112 2.2; CWE-113" },
  { name: "NUL in a value", head: `${OK}X-A: 1\0\r\n`, source: "RFC 9110 5.5" },
  { name: "a fold", head: `${OK}X-A: 1\r\n 2\r\n`, source: "RFC 9112 5.2" },
  { name: "a space before the colon", head: `${OK}Content-Length : 5\r\n`, source: "RFC 9112 5.1" },
  { name: "a line without a colon", head: `${OK}X-A\r\n`, source: "RFC 9112 5" },
  { name: "a line without a name", head: `${OK}: 1\r\n`, source: "RFC 9112 5" },
].map(({ name, head, source }) => ({
  name: `a response with ${name}`,
  why: "two readers make two responses of it, or see its end in two places",
  source,
  sends: [`${head}\r\n${POISON}`],
  seen: REFUSED,
  isReused: false,
}));
