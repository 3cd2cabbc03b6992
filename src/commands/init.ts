/**
 * `init` and `init --from-synapse FILE`: print a commented config that `check` accepts as it is.
 *
 * The config goes to standard output, everything else to standard error, so that `fedtrace init > fedtrace.yaml` works
 * with questions too. Without a terminal nothing is asked and the defaults are taken.
 */

import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { formatFault } from "../config/fault.ts";
import { escapeUnprintable } from "../config/key-path.ts";
import { DEFAULT_DRAFT, type Draft } from "./init-draft.ts";
import { formatConfig } from "./init-file.ts";
import type { TerminalDialogue } from "./init-dialogue.ts";
import { askForDraft } from "./init-questions.ts";
import { readSynapse } from "./init-synapse.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";

interface InitArguments {
  /** A Synapse homeserver.yaml. */
  readonly fromSynapse: string | undefined;
  /** Where the schema lies if the program is installed; it may be missing. */
  readonly schemaPath: string;
  /** Somebody to ask, who is let go afterwards; undefined where nobody is there. */
  readonly openDialogue: (() => Promise<TerminalDialogue>) | undefined;
}

export async function initCommand(given: InitArguments, output: Output): Promise<ExitStatus> {
  if (given.fromSynapse !== undefined) return initFromSynapse(given.fromSynapse, given.schemaPath, output);
  if (given.openDialogue === undefined) return print(DEFAULT_DRAFT, given.schemaPath, output);

  const dialogue = await given.openDialogue();
  const draft = await askForDraft(dialogue).finally(() => dialogue.close());
  if (draft !== undefined) return print(draft, given.schemaPath, output);
  output.errorLine("");
  output.errorLine("init: the answers ended before the questions; nothing was written");
  return EXIT.CANNOT_START;
}

async function initFromSynapse(path: string, schemaPath: string, output: Output): Promise<ExitStatus> {
  const read = await readSynapse(path);
  if ("faults" in read) {
    for (const fault of read.faults) output.errorLine(escapeUnprintable(formatFault(fault)));
    return EXIT.BAD_CONFIG;
  }
  for (const note of read.notes) output.errorLine(`note: ${escapeUnprintable(formatFault(note))}`);
  return print(read.draft, schemaPath, output);
}

function print(draft: Draft, schemaPath: string, output: Output): ExitStatus {
  output.line(formatConfig(draft, hintOf(schemaPath)));
  return EXIT.OK;
}

/** Editors end the hint at the first space; without an installed schema it names one beside the config. */
function hintOf(schemaPath: string): string {
  if (!existsSync(schemaPath)) return "fedtrace.schema.json";
  return /\s/.test(schemaPath) ? pathToFileURL(schemaPath).href : schemaPath;
}
