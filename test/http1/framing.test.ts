/** parseContentLength and parseTransferEncoding: the values alone; how they combine is in request-head.test.ts. */

import { expect, it } from "vitest";
import {
  isPlainCoding,
  isPlainLength,
  parseContentLength,
  parseTransferEncoding,
} from "../../src/http1/framing.ts";

it.each([
  { why: "nothing", value: "0", length: 0 },
  { why: "leading zeros", value: "007", length: 7 },
  { why: "15 digits: exact below 2^53", value: "999999999999999", length: 999_999_999_999_999 },
  { why: "16 digits", value: "1000000000000000", length: undefined },
  { why: "16 digits that are 0", value: "0000000000000000", length: undefined },
  { why: "no digit", value: "", length: undefined },
  { why: "the character before 0", value: "1/", length: undefined },
  { why: "the character behind 9", value: "1:", length: undefined },
  { why: "digits of another script, as latin1 has them", value: "\xb2", length: undefined },
  { why: "a line end", value: "5\n", length: undefined },
])("reads the length of $why", ({ value, length }) => {
  expect(parseContentLength(value)).toBe(length);
});

it.each([
  { why: "chunked", value: "chunked", coding: "chunked" },
  { why: "any case", value: "cHUNKED", coding: "chunked" },
  { why: "another", value: "br", coding: "unknown" },
  { why: "a list that ends in chunked", value: "gzip\t, chunked", coding: "unknown" },
  { why: "nothing", value: "", coding: "malformed" },
  { why: "an empty end", value: "chunked,", coding: "malformed" },
  { why: "chunked twice", value: "chunked, gzip, Chunked", coding: "malformed" },
  { why: "a list without end", value: "gzip,".repeat(10_000), coding: "unknown" },
])("reads the coding $why", ({ value, coding }) => {
  expect(parseTransferEncoding(value)).toBe(coding);
});

it.each([
  { why: "a digit", line: "A: 5\r\n", isPlain: true },
  { why: "digits", line: "A: 10\r\n", isPlain: true },
  { why: "zero", line: "A: 0\r\n", isPlain: true },
  { why: "a zero before it", line: "A: 05\r\n", isPlain: false },
  { why: "two zeros", line: "A: 00\r\n", isPlain: false },
  { why: "no space", line: "A:5\r\n", isPlain: false },
  { why: "no space before two digits", line: "A:15\r\n", isPlain: false },
  { why: "two spaces", line: "A:  5\r\n", isPlain: false },
  { why: "a tab before it", line: "A:\t5\r\n", isPlain: false },
  { why: "a space behind it", line: "A: 5 \r\n", isPlain: false },
  { why: "a tab behind it", line: "A: 5\t\r\n", isPlain: false },
  { why: "a zero and a space behind it", line: "A: 0 \r\n", isPlain: false },
])("passes a length line with $why as it came: $isPlain", ({ line, isPlain }) => {
  expect(isPlainLength(`X: 1\r\n${line}Y: 2\r\n\r\n`, 7, 6 + line.length)).toBe(isPlain);
});

it.each([
  { why: "one space", line: "A: chunked\r\n", isPlain: true },
  { why: "no space", line: "A:chunked\r\n", isPlain: false },
  { why: "two spaces", line: "A:  chunked\r\n", isPlain: false },
  { why: "a tab before it", line: "A:\tchunked\r\n", isPlain: false },
  { why: "a space behind it", line: "A: chunked \r\n", isPlain: false },
  { why: "a capital", line: "A: Chunked\r\n", isPlain: false },
])("passes a coding line with $why as it came: $isPlain", ({ line, isPlain }) => {
  expect(isPlainCoding(`X: 1\r\n${line}Y: 2\r\n\r\n`, 7, 6 + line.length)).toBe(isPlain);
});
