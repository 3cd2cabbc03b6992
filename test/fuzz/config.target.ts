/**
 * The config loader: any file is a config or faults, each with a line and a column of the file, in its order; a fault never
 * repeats what may be a secret. Samples are the golden files.
 */

import { ok } from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { RELOAD_CHECKS } from "../../src/commands/config-checks.ts";
import type { Fault } from "../../src/config/fault.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createPreparedTarget, type FuzzTarget } from "./target.ts";
import { anyBytes, damaged, piecesOf } from "./texts.ts";

const GOLDEN = "test/golden/config";
const SECRET = "correct-horse-battery";
/** Exporters' modules are looked for all over the disk, and are not for chance to name. */
const SAMPLES = readdirSync(GOLDEN)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => readFileSync(join(GOLDEN, name), "utf8"))
  .filter((text) => !/module|key\.pem/.test(text) && text.length < 6000);

const PIECES = [
  "server_name: a\n",
  "inbound:\n",
  "  listen: 127.0.0.1:1\n",
  "  upstream: http://127.0.0.1:2\n",
  "whitelist:\n",
  "  - a\n",
  "  - glob: '*.b'\n",
  "outbound: { listen: 127.0.0.1:3 }\n",
  "limits: { head: 1KiB, idle: 5s }\n",
  "a: &x [",
  "<<: *x\n",
  "__proto__: 1\n",
  "!!binary ",
  "!x ",
  "|\n",
  "---\n",
  "${A}",
  "${SECRET}",
  "${NO:-1}",
  "1e999",
  ".nan",
  "\ufeff",
  "\u0000",
  SECRET,
  ...' \t\n:-?*x[]{},|>#~"%@`'.split(""),
  "'",
];
const PHRASES = [
  SECRET,
  "${SECRET}",
  "${NONE}",
  "&a ",
  "*a ",
  ": ",
  "- ",
  "{",
  "[",
  "\n",
  "9".repeat(20),
  "'",
  "!!set ",
];

const texts = fc.oneof(
  { arbitrary: damaged(fc.constantFrom(...SAMPLES), PHRASES), weight: 3 },
  { arbitrary: piecesOf(PIECES, 16), weight: 3 },
  { arbitrary: anyBytes(40), weight: 1 },
);

function checkFaults(faults: readonly Fault[], text: string): void {
  const lines = text.split("\n");
  for (const { line, column, message, file } of faults) {
    ok(message !== "" && !message.includes("undefined") && !/[\r\n]/.test(message), `message: ${message}`);
    ok(!message.includes(SECRET), "tells what may be a secret");
    if (file === "environment") continue;
    ok(line >= 1 && line <= lines.length + 1 && column >= 1, `no place in the file: ${line}:${column}`);
  }
}

export const CONFIG: FuzzTarget = createPreparedTarget<string>("config", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fedtrace-fuzz-"));
  const path = join(directory, "config.yaml");
  const property = fc.asyncProperty(texts, async (text) => {
    await writeFile(path, text, "utf8");
    const loaded = await loadConfig(path, RELOAD_CHECKS, { SECRET, A: "1" });
    if (loaded.ok) return checkFaults(loaded.warnings, text);
    ok(loaded.faults.length > 0, "refused without a fault");
    checkFaults(loaded.faults, text);
  });
  return { property, stop: () => rm(directory, { recursive: true }) };
});
