/** HeadBuffer: where a head ends and what is left behind it, however it is cut; how much is taken at most. */

import { describe, expect, it } from "vitest";
import { HeadBuffer } from "../../src/http1/head-buffer.ts";
import { fragmentations, singleBytes } from "./fragments.ts";

const HEAD = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** Heads found and the outcome behind the last of them. */
function readAll(pieces: readonly Buffer[], maxBytes: number): readonly string[] {
  const buffer = new HeadBuffer(maxBytes);
  const outcomes: string[] = [];
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const found = buffer.take(piece, at);
      if (typeof found === "string" && found !== "more") return [...outcomes, found];
      if (found === "more") break;
      outcomes.push(found.text);
      at = found.end;
    }
  }
  return buffer.isPartial ? [...outcomes, "partial"] : outcomes;
}

describe("HeadBuffer", () => {
  it.each([
    { why: "one head", text: HEAD, outcomes: [HEAD] },
    { why: "two heads", text: HEAD + HEAD, outcomes: [HEAD, HEAD] },
    { why: "a head and a part", text: `${HEAD}GET`, outcomes: [HEAD, "partial"] },
    { why: "empty lines before each", text: `\r\n\r\n${HEAD}\r\n\r\n${HEAD}`, outcomes: [HEAD, HEAD] },
    { why: "two empty lines", text: `\r\n\r\n${HEAD}`, outcomes: [HEAD] },
    { why: "empty lines alone", text: "\r\n\r\n", outcomes: [] },
    { why: "half an empty line", text: "\r", outcomes: ["partial"] },
    { why: "an empty line too many", text: `\r\n\r\n\r\n${HEAD}`, outcomes: [`\r\n${HEAD}`] },
    { why: "LF first", text: `\n${HEAD}`.slice(0, -2), outcomes: ["bare-line-end"] },
    { why: "LF alone behind text", text: "GET /\n", outcomes: ["bare-line-end"] },
    { why: "LF at the end of a line", text: "GET / HTTP/1.1\r\nA: b\n", outcomes: ["bare-line-end"] },
    {
      why: "as many bytes as allowed",
      text: "a".repeat(60) + "\r\n\r\n",
      outcomes: ["a".repeat(60) + "\r\n\r\n"],
    },
    { why: "a byte too many", text: "a".repeat(61) + "\r\n\r\n", outcomes: ["head-size"] },
    { why: "as many bytes as allowed and no end", text: "a".repeat(64), outcomes: ["partial"] },
    { why: "a byte too many and no end", text: "a".repeat(65), outcomes: ["head-size"] },
  ])("reads $why, however it is cut", ({ text, outcomes }) => {
    for (const pieces of fragmentations(text)) expect(readAll(pieces, 64)).toEqual(outcomes);
  });

  it.each([4095, 4096, 4097, 9000])("finds the end at %i bytes, past its first look", (length) => {
    const text = `${"a".repeat(length - 4)}\r\n\r\n`;
    const bytes = Buffer.from(`${text}body`, "latin1");
    expect(new HeadBuffer(65_536).take(bytes, 0)).toEqual({ text, end: length });
    const buffer = new HeadBuffer(65_536);
    expect(buffer.take(bytes.subarray(0, length - 2), 0)).toBe("more");
    expect(buffer.take(bytes.subarray(length - 2), 0)).toEqual({ text, end: 2 });
  });

  it("reads from where it is told, and counts from the bytes' start", () => {
    expect(new HeadBuffer(64).take(Buffer.from(`body${HEAD}`), 4)).toEqual({
      text: HEAD,
      end: 4 + HEAD.length,
    });
    const buffer = new HeadBuffer(64);
    buffer.take(Buffer.from("bodyGET"), 4);
    expect(buffer.take(Buffer.from(`xx${HEAD.slice(3)}`), 2)).toEqual({ text: HEAD, end: HEAD.length - 1 });
  });

  it("keeps every byte value", () => {
    const bytes = Buffer.from(
      [...Array(256).keys(), 13, 10, 13, 10].filter((byte, index) => byte !== 10 || index > 255),
    );
    const found = new HeadBuffer(512).take(bytes, 0);
    expect(typeof found === "string" ? found : Buffer.from(found.text, "latin1")).toEqual(bytes);
  });

  it("is partial only while it holds a part", () => {
    const buffer = new HeadBuffer(64);
    expect(buffer.isPartial).toBe(false);
    for (const byte of singleBytes(Buffer.from(HEAD)).slice(0, -1)) {
      buffer.take(byte, 0);
      expect(buffer.isPartial).toBe(true);
    }
    buffer.take(Buffer.from("\n"), 0);
    expect(buffer.isPartial).toBe(false);
  });
});
