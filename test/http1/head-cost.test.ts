/**
 * What the largest heads cost: a sender can neither make the expression overflow its stack nor make reading cost more
 * than linear time. The test runner's own time limit is the bound: what is quadratic here takes minutes.
 */

import { expect, it } from "vitest";
import { HeadBuffer } from "../../src/http1/head-buffer.ts";
import { parseRequestHead } from "../../src/http1/request-head.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { singleBytes } from "./fragments.ts";

const FIELDS = createProxyFields([]);
const HEAD_LINES = 200;
/** The most that `limits.head` allows. */
const MIB = 1 << 20;

function withLines(lines: string): string {
  return `POST / HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`;
}

it.each([
  { why: "a value", text: withLines(`X: ${"x".repeat(MIB)}\r\n`), outcome: "accepted" },
  {
    why: "a value with a fault at its end",
    text: withLines(`X: ${"x".repeat(MIB)}\0\r\n`),
    outcome: "field",
  },
  { why: "a target", text: `GET /${"x".repeat(MIB)} HTTP/1.1\r\nHost: a\r\n\r\n`, outcome: "accepted" },
  { why: "tiny lines", text: withLines("a:\r\n".repeat(MIB / 4)), outcome: "head-lines" },
  { why: "tiny lines and a fault", text: withLines(`${"a:\r\n".repeat(MIB / 4)}\0\r\n`), outcome: "field" },
  {
    why: "a list of nothing",
    text: withLines(`Connection: ${",".repeat(MIB)}\r\n`),
    outcome: "connection",
  },
  {
    why: "blanks in an option",
    text: withLines(`Connection: a${" ".repeat(MIB)}b\r\n`),
    outcome: "accepted",
  },
  { why: "codings", text: withLines(`Transfer-Encoding: ${"a,".repeat(MIB / 2)}b\r\n`), outcome: "coding" },
  { why: "blanks for a request line", text: `${" ".repeat(MIB)}\r\n\r\n`, outcome: "request-line" },
])("neither overflows nor lingers on 1 MiB, the most limits.head allows, of $why", ({ text, outcome }) => {
  const head = parseRequestHead(text, FIELDS, HEAD_LINES);
  expect(typeof head === "string" ? head : "accepted").toBe(outcome);
});

it("takes a head in single bytes in time linear in it (CVE-2018-12122)", () => {
  const text = withLines(`X: ${"x".repeat(MIB)}\r\n`);
  const buffer = new HeadBuffer(text.length);
  const outcomes = singleBytes(Buffer.from(text, "latin1")).map((byte) => buffer.take(byte, 0));
  expect(outcomes.slice(0, -1).every((outcome) => outcome === "more")).toBe(true);
  expect(outcomes.at(-1)).toEqual({ text, end: 1 });
});
