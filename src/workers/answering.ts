/** A worker's side of questions and answers: one part after the other, each when the one before has left. */

import type { FromWorker, Kind, Questions, ToWorker } from "./messages.ts";

/** What is given in answer, part by part. What it throws becomes a refusal. */
export type Answers = {
  readonly [K in Kind]: (asked: Questions[K]["asked"]) => AsyncIterable<Questions[K]["part"]>;
};

export interface Answering {
  /** Resolves once it is answered, refused or forgotten; never rejects. */
  answer(question: Extract<ToWorker, { tell: "ask" }>): Promise<void>;
  /** The rest of that answer is not made. */
  forget(id: number): void;
}

/** @param send resolves when the message is written, or can't be */
export function createAnswering(answers: Answers, send: (message: FromWorker) => Promise<void>): Answering {
  const open = new Set<number>();
  return {
    async answer({ id, kind, asked }) {
      open.add(id);
      try {
        // The kind says what it is asked with; the compiler can't tell them together.
        for await (const part of (answers[kind] as (asked: unknown) => AsyncIterable<unknown>)(asked)) {
          if (!open.has(id)) return;
          await send({ say: "part", id, part });
        }
        await send({ say: "done", id });
      } catch (error) {
        await send({ say: "refused", id, reason: String(error) });
      } finally {
        open.delete(id);
      }
    },
    forget: (id) => void open.delete(id),
  };
}
