/** Whether `check` accepts a text, and what it then means: the same load as the command's, without a process. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { RELOAD_CHECKS } from "../../src/commands/config-checks.ts";
import { formatFault } from "../../src/config/fault.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/merge.ts";
import { temporaryDirectory } from "../support/cli.ts";

/**
 * @param directory for the text's file; one for many texts is cheaper
 * @throws Error with every fault
 */
export async function acceptedConfig(text: string, directory = temporaryDirectory()): Promise<Config> {
  const path = join(directory, "fedtrace.yaml");
  writeFileSync(path, text);
  const loaded = await loadConfig(path, RELOAD_CHECKS, {});
  if (loaded.ok) return loaded.config;
  throw new Error(`${loaded.faults.map(formatFault).join("\n")}\n${text}`);
}
