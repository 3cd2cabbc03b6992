/** The field table and the scan over a head's lines: what is marked, cut and found, to the byte. */

import { describe, expect, it } from "vitest";
import {
  cutLines,
  createFieldTable,
  FIELD,
  fieldValue,
  findLines,
  type Marks,
  scanFields,
} from "../../src/http1/fields.ts";

const TABLE = createFieldTable(
  [
    ["host", 1],
    ["trace-parent", 20],
    ["x-b3-flags", 2],
    ["long".repeat(20), 3],
  ],
  [["x-b3-", 4]],
);

function scan(text: string, from = 0): { lines: number; marks: Marks } {
  const marks: Marks = [];
  return { lines: scanFields(text, from, TABLE, marks), marks };
}

describe("scanFields", () => {
  it.each([
    { why: "no line", text: "\r\n", lines: 0, marks: [] },
    { why: "an unknown name", text: "Hosts: a\r\n\r\n", lines: 1, marks: [] },
    { why: "a name in any case", text: "hOsT:a\r\n\r\n", lines: 1, marks: [1, 0, 4, 8] },
    { why: "a line behind another", text: "A: b\r\nHost:\r\n\r\n", lines: 2, marks: [1, 6, 10, 13] },
    { why: "an exact name before a prefix", text: "X-B3-Flags:1\r\n\r\n", lines: 1, marks: [2, 0, 10, 14] },
    { why: "a prefix", text: "x-b3-spanid:1\r\n\r\n", lines: 1, marks: [4, 0, 11, 15] },
    { why: "a prefix alone", text: "x-b3-:\r\n\r\n", lines: 1, marks: [4, 0, 5, 8] },
    { why: "a part of a prefix", text: "x-b3:\r\n\r\n", lines: 1, marks: [] },
    {
      why: "a prefix of a name past the slots",
      text: `x-b3-${"a".repeat(80)}:\r\n\r\n`,
      lines: 1,
      marks: [4, 0, 85, 88],
    },
    {
      why: "a name past the slots",
      text: `${"LONG".repeat(20)}:\r\n\r\n`,
      lines: 1,
      marks: [3, 0, 80, 83],
    },
    { why: "a name that starts with no letter", text: "1ost: a\r\n\r\n", lines: 1, marks: [] },
    {
      why: "a name of HTTP's own with underscores as hop-by-hop: CGI and WSGI can't tell it from the real one",
      text: "x_b3_Flags:1\r\n\r\n",
      lines: 1,
      marks: [FIELD.HOP, 0, 10, 14],
    },
    {
      why: "another known name with underscores as itself",
      text: "Trace_Parent:1\r\ntrace-Parent:1\r\n\r\n",
      lines: 2,
      marks: [20, 0, 12, 16, 20, 16, 28, 32],
    },
    { why: "an unknown name with underscores", text: "trace_child:1\r\n\r\n", lines: 1, marks: [] },
    { why: "a known name in a value", text: "A: Host: b\r\n\r\n", lines: 1, marks: [] },
    { why: "a repeated name", text: "host:a\r\nhost:b\r\n\r\n", lines: 2, marks: [1, 0, 4, 8, 1, 8, 12, 16] },
  ])("marks $why", ({ text, lines, marks }) => {
    expect(scan(text)).toEqual({ lines, marks });
  });

  it("starts where it is told", () => {
    expect(scan("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 16)).toEqual({ lines: 1, marks: [1, 16, 20, 25] });
  });
});

it.each([
  { why: "blanks around it", line: "Host: \t a b \t \r\n", value: "a b" },
  { why: "no blank", line: "Host:a\r\n", value: "a" },
  { why: "nothing", line: "Host:\r\n", value: "" },
  { why: "blanks alone", line: "Host: \t \r\n", value: "" },
  { why: "a no-break space, which is text", line: "Host: \xa0\r\n", value: "\xa0" },
])("reads the value of a line with $why", ({ line, value }) => {
  const text = `${line}\r\n`;
  expect(fieldValue(text, scan(text).marks, 0)).toBe(value);
});

it.each([
  { why: "nothing", cuts: [], kept: "0123456789" },
  { why: "the start", cuts: [0, 2], kept: "23456789" },
  { why: "the end", cuts: [8, 10], kept: "01234567" },
  { why: "the middle, twice", cuts: [1, 3, 5, 6], kept: "0346789" },
  { why: "neighbours", cuts: [1, 3, 3, 5], kept: "056789" },
  { why: "everything", cuts: [0, 10], kept: "" },
])("cuts $why", ({ cuts, kept }) => {
  expect(cutLines("0123456789", 0, 10, cuts)).toBe(kept);
});

it("finds lines by name, in any case and repeated", () => {
  const text = "GET / HTTP/1.1\r\nX-A:1\r\nb: x-a\r\nx-a: 2\r\n\r\n";
  const found = findLines(text, 16, new Set(["x-a"]));
  expect(cutLines(text, 16, text.length, found)).toBe("b: x-a\r\n\r\n");
});
