/** The summary, asked again every minute while the page is looked at, and sooner while the collector does not answer. */

import { useEffect, useState } from "preact/hooks";
import { type Answer, askSummary } from "./collector-api.ts";
import { type Asked, nextAsked, NOT_ASKED, waitMsAfter } from "./asked.ts";

/** A new object asks again, also with the same token: somebody typed it a second time. */
export interface Session {
  readonly token: string | undefined;
}

export function useSummary(days: number, session: Session, onAnswer: (answer: Answer) => void): Asked {
  const [asked, setAsked] = useState<Asked>(NOT_ASKED);

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isDue = false;
    const ask = async (): Promise<void> => {
      isDue = false;
      const answer = await askSummary(days, session.token, abort.signal);
      if (abort.signal.aborted) return;
      setAsked((before) => nextAsked(before, answer, days));
      onAnswer(answer);
      const waitMs = waitMsAfter(answer);
      if (waitMs !== undefined) timer = setTimeout(askIfSeen, waitMs);
    };
    const askIfSeen = (): void => {
      isDue = true;
      if (document.visibilityState === "visible") void ask();
    };
    const onVisible = (): void => {
      if (isDue) askIfSeen();
    };
    void ask();
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [days, session]);

  return asked;
}
