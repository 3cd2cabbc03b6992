/** What upstreams send, and what a client may see of it. */

import { OK, POISON, REFUSED, type ResponseRow, type Seen } from "./response-row.ts";
import { REFUSED_HEAD_ROWS } from "./rows-response-heads.ts";

const HELLO = `${OK}Content-Length: 5\r\n\r\nhello`;
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const WHOLE_HELLO: Seen = { status: 200, body: "hello", end: "whole" };

const WHOLE: readonly ResponseRow[] = [
  {
    name: "a length",
    why: "ends where it says",
    source: "RFC 9112 6.3",
    sends: [HELLO],
    seen: WHOLE_HELLO,
    isReused: true,
  },
  {
    name: "chunks",
    why: "pass as they came",
    source: "RFC 9112 7.1",
    sends: [`${CHUNKED}5;a="b"\r\nhello\r\n0\r\nX-T: 1\r\n\r\n`],
    seen: { status: 200, body: '5;a="b"\r\nhello\r\n0\r\nX-T: 1\r\n\r\n', end: "whole" },
    isReused: true,
  },
  {
    name: "byte by byte",
    why: "no boundary of a packet is one of a message",
    source: "RFC 9112 2.2",
    sends: `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`.split(""),
    seen: { status: 200, body: "5\r\nhello\r\n0\r\n\r\n", end: "whole" },
    isReused: true,
  },
  {
    name: "until the connection ends",
    why: "its end is the body's",
    source: "RFC 9112 6.3",
    sends: [`${OK}\r\nhello`],
    closing: "end",
    seen: WHOLE_HELLO,
    isReused: false,
  },
  {
    name: "204",
    why: "has no body",
    source: "RFC 9112 6.3",
    sends: ["HTTP/1.1 204 No Content\r\n\r\n"],
    seen: { status: 204, body: "", end: "whole" },
    isReused: true,
  },
  {
    name: "304 with a length",
    why: "the length is what a 200 would have",
    source: "RFC 9110 8.6",
    sends: ["HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
    seen: { status: 304, body: "", end: "whole" },
    isReused: true,
  },
  {
    name: "a HEAD's length",
    why: "the length is what a GET would have",
    source: "RFC 9110 8.6",
    method: "HEAD",
    sends: [`${OK}Content-Length: 5\r\n\r\n`],
    seen: { status: 200, body: "", end: "whole" },
    isReused: true,
  },
  {
    name: "a HEAD's chunks",
    why: "the coding is what a GET would have",
    source: "RFC 9112 6.1",
    method: "HEAD",
    sends: [`${CHUNKED}`],
    seen: { status: 200, body: "", end: "whole" },
    isReused: true,
  },
  {
    name: "interim answers",
    why: "each may come before the last one",
    source: "RFC 9110 15.2",
    sends: ["HTTP/1.1 100 Continue\r\n\r\n", `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${HELLO}`],
    seen: WHOLE_HELLO,
    isReused: true,
  },
  {
    name: "Connection: close",
    why: "nothing comes behind it",
    source: "RFC 9112 9.6",
    sends: [`${OK}Connection: close\r\nContent-Length: 5\r\n\r\nhello`],
    seen: WHOLE_HELLO,
    isReused: false,
  },
  {
    name: "HTTP/1.0",
    why: "nothing comes behind it",
    source: "RFC 9112 9.3",
    sends: ["HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    seen: WHOLE_HELLO,
    isReused: false,
  },
  {
    name: "a length with zeros before it",
    why: "is octal to some; it is written anew",
    source: "RFC 9110 8.6",
    sends: [`${OK}Content-Length: 005\r\n\r\nhello`],
    seen: WHOLE_HELLO,
    isReused: true,
  },
  {
    name: "chunks to a client of HTTP/1.0",
    why: "it knows no chunks: it gets their bytes",
    source: "RFC 9112 7.1",
    isHttp10: true,
    sends: [`${CHUNKED}5\r\nhello\r\n0\r\n\r\n`],
    seen: WHOLE_HELLO,
    isReused: true,
  },
];

/** Bytes behind a complete response: nobody asked for them, and nobody may get them. */
const POISONED: readonly ResponseRow[] = [
  { name: "behind a length", response: HELLO, seen: WHOLE_HELLO },
  {
    name: "behind chunks",
    response: `${CHUNKED}0\r\n\r\n`,
    seen: { status: 200, body: "0\r\n\r\n", end: "whole" } as const,
  },
  {
    name: "behind a length of 0",
    response: `${OK}Content-Length: 0\r\n\r\n`,
    seen: { status: 200, body: "", end: "whole" } as const,
  },
  {
    name: "behind a 204",
    response: "HTTP/1.1 204 No Content\r\n\r\n",
    seen: { status: 204, body: "", end: "whole" } as const,
  },
  {
    name: "behind a 304",
    response: "HTTP/1.1 304 Not Modified\r\n\r\n",
    seen: { status: 304, body: "", end: "whole" } as const,
  },
  {
    name: "behind a HEAD's head",
    response: `${OK}Content-Length: ${POISON.length}\r\n\r\n`,
    seen: { status: 200, body: "", end: "whole" } as const,
    method: "HEAD" as const,
  },
].flatMap(({ name, response, seen, method }) => {
  const row = {
    source: "RFC 9112 6.3; CWE-444; aiohttp#13656",
    seen,
    isReused: false,
    ...(method === undefined ? {} : { method }),
  };
  return [
    {
      ...row,
      name: `a response ${name}, at once`,
      why: "the next client would get it as his answer",
      sends: [response + POISON],
    },
    {
      ...row,
      name: `a response ${name}, while the connection rests`,
      why: "the next client would get it as his answer",
      sends: [response],
      late: POISON,
    },
  ];
});

const STRAY: readonly ResponseRow[] = [
  { name: "a stray line end", late: "\r\n" },
  { name: "a stray byte", late: "x" },
  { name: "a stray 408", late: "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n" },
  { name: "a stray 100", late: "HTTP/1.1 100 Continue\r\n\r\n" },
].map(({ name, late }) => ({
  name: `${name} while the connection rests`,
  why: "it would stand before the next answer",
  source: "RFC 9112 9.3; CWE-444",
  sends: [HELLO],
  late,
  seen: WHOLE_HELLO,
  isReused: false,
}));

const UNFINISHED_HEADS: readonly ResponseRow[] = [
  { name: "no byte and an end", sends: [], closing: "end" as const },
  { name: "no byte and a reset", sends: [], closing: "reset" as const },
  { name: "half a head and an end", sends: [`${OK}Content-Le`], closing: "end" as const },
  { name: "half a head and a reset", sends: [`${OK}Content-Le`], closing: "reset" as const },
  {
    name: "an interim answer and an end",
    sends: ["HTTP/1.1 100 Continue\r\n\r\n"],
    closing: "end" as const,
  },
  {
    name: "seventeen interim answers",
    sends: ["HTTP/1.1 103 Early Hints\r\n\r\n".repeat(17) + HELLO],
  },
  { name: "a head over the bound", sends: [`${OK}X-A: ${"a".repeat(66_000)}`] },
  { name: "a head of more lines than the bound", sends: [`${OK}${"X-A: 1\r\n".repeat(201)}\r\n`] },
].map((row) => ({
  ...row,
  why: "there is no answer, and the client must be told so",
  source: "RFC 9112 8; RFC 9110 15.6.3",
  seen: REFUSED,
  isReused: false,
}));

const CUT: readonly ResponseRow[] = [
  {
    name: "a length and fewer bytes",
    sends: [`${OK}Content-Length: 10\r\n\r\nhello`],
    closing: "end" as const,
    body: "hello",
  },
  {
    name: "a length, fewer bytes and a reset",
    sends: [`${OK}Content-Length: 10\r\n\r\nhello`],
    closing: "reset" as const,
    body: "",
  },
  { name: "half a chunk", sends: [`${CHUNKED}a\r\nhello`], closing: "end" as const, body: "a\r\nhello" },
  {
    name: "chunks without the last one",
    sends: [`${CHUNKED}5\r\nhello\r\n`],
    closing: "end" as const,
    body: "5\r\nhello\r\n",
  },
  {
    name: "a last chunk without its end",
    sends: [`${CHUNKED}5\r\nhello\r\n0\r\n`],
    closing: "end" as const,
    body: "5\r\nhello\r\n",
  },
  {
    name: "half a trailer section",
    sends: [`${CHUNKED}5\r\nhello\r\n0\r\nX-T: 1\r\n`],
    closing: "end" as const,
    body: "5\r\nhello\r\n",
  },
  {
    name: "a reset where the connection's end is the body's",
    sends: [`${OK}\r\nhello`],
    closing: "reset" as const,
    body: "",
  },
  {
    name: "a bad chunk size",
    sends: [`${CHUNKED}5\r\nhello\r\n`, `0x5\r\n${POISON}`],
    body: "5\r\nhello\r\n",
  },
  {
    name: "a chunk of 2 GiB",
    sends: [`${CHUNKED}5\r\nhello\r\n`, `80000000\r\n${POISON}`],
    body: "5\r\nhello\r\n",
  },
  {
    name: "a chunk longer than its size",
    sends: [`${CHUNKED}5\r\nhello\r\n`, `2\r\nabc\r\n${POISON}`],
    body: "5\r\nhello\r\n",
  },
  {
    name: "a chunk line that ends in LF",
    sends: [`${CHUNKED}5\r\nhello\r\n`, `0\n\n${POISON}`],
    body: "5\r\nhello\r\n",
  },
  {
    name: "a malformed trailer",
    sends: [`${CHUNKED}5\r\nhello\r\n`, `0\r\nX T: 1\r\n\r\n${POISON}`],
    body: "5\r\nhello\r\n",
  },
  {
    name: "a trailer section over the bound",
    sends: [`${CHUNKED}5\r\nhello\r\n`, `0\r\nX-T: ${"a".repeat(66_000)}`],
    body: "5\r\nhello\r\n",
  },
].map(({ body, ...row }) => ({
  ...row,
  why: "a client that takes it for whole keeps half an answer",
  source: "RFC 9112 8",
  seen: { status: 200, body, end: "cut" as const },
  isReused: false,
}));

const CUT_HTTP10: readonly ResponseRow[] = [
  {
    name: "half a chunk to a client of HTTP/1.0",
    sends: [`${CHUNKED}a\r\nhello`],
    closing: "end" as const,
    body: "hello",
  },
  {
    name: "chunks without the last one to a client of HTTP/1.0",
    sends: [`${CHUNKED}5\r\nhello\r\n`],
    closing: "end" as const,
    body: "hello",
  },
].map(({ body, ...row }) => ({
  ...row,
  isHttp10: true as const,
  why: "the connection's end is the body's there: only a reset says that it is cut",
  source: "RFC 9112 8",
  seen: { status: 200, body, end: "cut" as const },
  isReused: false,
}));

export const RESPONSE_ROWS: readonly ResponseRow[] = [
  ...WHOLE,
  ...POISONED,
  ...STRAY,
  ...REFUSED_HEAD_ROWS,
  ...UNFINISHED_HEADS,
  ...CUT,
  ...CUT_HTTP10,
];
