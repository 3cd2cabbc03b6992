/** The primary's side of questions and answers: which are open, and until when. One asker for each worker. */

import type { FromWorker, Kind, Questions, ToWorker } from "./messages.ts";

/** What an answer is waited for with. */
interface Waiting<Part> {
  readonly timeoutMs: number;
  readonly onPart: (part: Part) => void;
}

export interface Asker {
  /** @returns undefined once the answer is whole; else why it is not, for a log or an answer. Never rejects. */
  ask<K extends Kind>(
    kind: K,
    asked: Questions[K]["asked"],
    waiting: Waiting<Questions[K]["part"]>,
  ): Promise<string | undefined>;
  /** Of other messages it takes no notice. */
  heard(message: FromWorker): void;
  /** The worker is gone: whoever waits is told. */
  end(): void;
}

interface Open {
  readonly onPart: (part: unknown) => void;
  readonly close: (reason: string | undefined) => void;
}

export function createAsker(send: (message: ToWorker) => void): Asker {
  const open = new Map<number, Open>();
  let lastId = 0;
  let isGone = false;
  return {
    ask(kind, asked, { timeoutMs, onPart }) {
      if (isGone) return Promise.resolve("ended");
      lastId += 1;
      const id = lastId;
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          send({ tell: "forget", id });
          close("did not answer in time");
        }, timeoutMs);
        timer.unref();
        function close(reason: string | undefined): void {
          clearTimeout(timer);
          open.delete(id);
          resolve(reason);
        }
        open.set(id, { onPart: (part) => onPart(part as Questions[typeof kind]["part"]), close });
        send({ tell: "ask", id, kind, asked });
      });
    },
    heard(message) {
      if (message.say === "part") open.get(message.id)?.onPart(message.part);
      if (message.say === "done") open.get(message.id)?.close(undefined);
      if (message.say === "refused") open.get(message.id)?.close(message.reason);
    },
    end() {
      isGone = true;
      for (const { close } of open.values()) close("ended");
    },
  };
}
