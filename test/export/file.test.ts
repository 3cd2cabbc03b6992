/** createFileExporter in a temporary directory: whole lines, whoever else moves the file, and bounds. */

import { mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFileExporter } from "../../src/export/file.ts";
import { encodeOtlpJson } from "../../src/export/otlp-json.ts";
import { exportOnce } from "./recorder.ts";
import { exampleSpan } from "./spans.ts";

const SPANS = [exampleSpan()];
const LINE = `${encodeOtlpJson(SPANS)}\n`;

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fedtrace-"));
});
afterEach(() => rm(directory, { recursive: true }));

describe("createFileExporter", () => {
  it("appends one line a batch, in order, to a file for its owner only", async () => {
    const path = join(directory, "traces.jsonl");
    const exporter = createFileExporter({ path });
    const other = [exampleSpan({ name: "second" })];
    const outcomes = await Promise.all([exportOnce(exporter, SPANS), exportOnce(exporter, other)]);
    await exporter.shutdown();
    expect(outcomes).toEqual([
      { isExported: true, rejectedSpans: 0 },
      { isExported: true, rejectedSpans: 0 },
    ]);
    expect(await readFile(path, "utf8")).toBe(`${LINE}${encodeOtlpJson(other)}\n`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("writes to the path again after the file was moved away", async () => {
    const path = join(directory, "traces.jsonl");
    const exporter = createFileExporter({ path });
    await exportOnce(exporter, SPANS);
    await rename(path, `${path}.1`);
    await exportOnce(exporter, SPANS);
    expect(await readFile(path, "utf8")).toBe(LINE);
  });

  it("keeps what stands in the file", async () => {
    const path = join(directory, "traces.jsonl");
    await writeFile(path, "before\n");
    await exportOnce(createFileExporter({ path }), SPANS);
    expect(await readFile(path, "utf8")).toBe(`before\n${LINE}`);
  });

  it.each([
    { why: "a line that just fits", spare: 0, outcome: { isExported: true } },
    { why: "a line that doesn't, by a byte", spare: -1, outcome: { isExported: false, isRetryable: false } },
  ])("bounds the file: $why", async ({ spare, outcome }) => {
    const path = join(directory, "traces.jsonl");
    await writeFile(path, "before\n");
    const maxBytes = "before\n".length + LINE.length + spare;
    expect(await exportOnce(createFileExporter({ path, maxBytes }), SPANS)).toMatchObject(outcome);
    expect((await stat(path)).size).toBe(spare === 0 ? maxBytes : "before\n".length);
  });

  it("bounds the file for batches that come at once", async () => {
    const path = join(directory, "traces.jsonl");
    const exporter = createFileExporter({ path, maxBytes: LINE.length });
    const outcomes = await Promise.all([exportOnce(exporter, SPANS), exportOnce(exporter, SPANS)]);
    expect(outcomes.map(({ isExported }) => isExported)).toEqual([true, false]);
  });

  it.each([
    { why: "a directory that isn't there", name: "missing/traces.jsonl", reason: "ENOENT" },
    { why: "a directory in the file's place", name: ".", reason: "EISDIR" },
  ])("reports $why, to be tried again", async ({ name, reason }) => {
    const exporter = createFileExporter({ path: join(directory, name) });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({
      isExported: false,
      isRetryable: true,
      reason: expect.stringContaining(reason),
    });
  });

  it("reports a full disk, to be tried again", async () => {
    const exporter = createFileExporter({ path: "/dev/full" });
    expect(await exportOnce(exporter, SPANS)).toMatchObject({
      isRetryable: true,
      reason: expect.stringContaining("ENOSPC"),
    });
  });
});
