/**
 * Lines from a terminal, one for each prompt. What is typed ahead of a prompt is kept for it; Ctrl-D and Ctrl-C end it.
 *
 * Source: https://nodejs.org/api/readline.html. Its own `question()` loses lines that come before the question, and
 * never settles when the input ends.
 */

import type { Readable, Writable } from "node:stream";
import type { Dialogue } from "./init-questions.ts";

/** A dialogue that holds the terminal until it is closed. */
export interface TerminalDialogue extends Dialogue {
  close(): void;
}

export async function openDialogue(input: Readable, output: Writable): Promise<TerminalDialogue> {
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input, output });
  const lines = terminal[Symbol.asyncIterator]();
  return {
    tell: (line) => void output.write(`${line}\n`),
    async ask(prompt) {
      terminal.setPrompt(prompt);
      terminal.prompt();
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
    close: () => terminal.close(),
  };
}
