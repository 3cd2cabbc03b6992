/**
 * readBounded: what it reads, what it refuses, and that it never asks for more than one byte over the bound.
 * Method: real files, a named pipe and a device. What the files of a config must hold: the goldens of load.test.ts.
 */

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readBounded } from "../../src/config/files.ts";

const directory = mkdtempSync(join(tmpdir(), "fedtrace-files-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** By all bytes at once: toEqual takes a second to compare 200,000 of them one by one. */
function expectValue(read: ReturnType<typeof readBounded>, value: Buffer): void {
  expect(read).toEqual({ value: expect.any(Buffer) });
  expect("value" in read && read.value.equals(value)).toBe(true);
}

describe("readBounded", () => {
  it.each([
    { bytes: 0, max: 10, why: "nothing" },
    { bytes: 10, max: 10, why: "as much as is allowed" },
    { bytes: 200_000, max: 1024 ** 2, why: "several pieces" },
  ])("reads $why", ({ bytes, max }) => {
    const path = join(directory, "file");
    const content = Buffer.from(Array.from({ length: bytes }, (_, at) => at % 251));
    writeFileSync(path, content);
    expectValue(readBounded(path, max), content);
  });

  it.each([
    {
      path: "/dev/zero",
      read: { refused: "names a file of over 1000 bytes" },
      why: "a device without an end",
    },
    { path: "/dev/null", read: { value: Buffer.alloc(0) }, why: "an empty device" },
    {
      path: "/absent",
      read: { refused: "names a file that cannot be read (it does not exist)" },
      why: "none",
    },
    {
      path: directory,
      read: { refused: "names a file that cannot be read (it is a directory)" },
      why: "a directory",
    },
  ])("meets $why", ({ path, read }) => {
    expect(readBounded(path, 1000)).toEqual(read);
  });

  it("refuses one byte too many", () => {
    const path = join(directory, "file");
    writeFileSync(path, "x".repeat(11));
    expect(readBounded(path, 10)).toEqual({ refused: "names a file of over 10 bytes" });
  });

  it("reads a pipe to its end, whatever the pieces", () => {
    const path = join(directory, "pipe");
    execFileSync("mkfifo", [path]);
    spawn("sh", ["-c", `{ printf "one "; printf two; head -c 100000 /dev/zero; } > ${path}`], {
      stdio: "ignore",
    });
    expectValue(readBounded(path, 200_000), Buffer.concat([Buffer.from("one two"), Buffer.alloc(100_000)]));
  });
});
