/** A view's answer from the sidecar, asked again every few seconds while the page is looked at and not paused. */

import { useContext, useLayoutEffect, useState } from "preact/hooks";
import type { Fetched } from "./api.ts";
import { PageContext } from "./page-context.ts";

/** Often enough to watch traffic, seldom enough to read. */
const REFRESH_MS = 5000;

export interface Live<T> {
  /** The last one that came; stays while the next is asked for, or fails. */
  readonly value: T | undefined;
  /** Of the last try; undefined when it went well. */
  readonly problem: string | undefined;
  readonly status: number;
  /** What `value` answers. Differs from the key asked for while the first answer to that is under way. */
  readonly key: string | undefined;
}

const NOTHING = { value: undefined, problem: undefined, status: 0, key: undefined } as const;

/** @param key what is asked for; another key asks anew @param load undefined: nothing to ask */
export function useLive<T>(
  key: string,
  load: ((signal: AbortSignal) => Promise<Fetched<T>>) | undefined,
): Live<T> {
  const { isLive } = useContext(PageContext);
  const [live, setLive] = useState<Live<T>>(NOTHING);
  const isIdle = load === undefined;

  // A layout effect asks before the empty view is painted: a frame earlier.
  useLayoutEffect(() => {
    if (load === undefined) return undefined;
    const abort = new AbortController();
    let isBusy = false;
    const ask = async (): Promise<void> => {
      if (isBusy) return;
      isBusy = true;
      const fetched = await load(abort.signal);
      isBusy = false;
      if (abort.signal.aborted) return;
      setLive((before) =>
        "value" in fetched
          ? { value: fetched.value, problem: undefined, status: 200, key }
          : { ...before, problem: fetched.problem, status: fetched.status },
      );
    };
    const askIfSeen = (): void => {
      if (document.visibilityState === "visible") void ask();
    };
    // A pause stops the clock, not what the reader asks for.
    if (!isLive && live.key === key) return () => abort.abort();
    void ask();
    const timer = isLive ? setInterval(askIfSeen, REFRESH_MS) : undefined;
    if (isLive) document.addEventListener("visibilitychange", askIfSeen);
    return () => {
      abort.abort();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", askIfSeen);
    };
    // `load` is made anew by each render; the key says when it asks for something else.
  }, [key, isLive, isIdle]);

  return live;
}
