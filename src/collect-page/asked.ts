/** What the page knows after each answer of the collector: what to show, what stands in the way, when to ask again. */

import type { Answer } from "./collector-api.ts";
import type { Summary } from "./summary.ts";

export interface Asked {
  /** The last one that came; stays while the next is asked for, or fails, but not where it may no longer be read. */
  readonly summary: Summary | undefined;
  /** Days that the summary was asked for. */
  readonly days: number;
  /** In place of the summary. */
  readonly barrier:
    | { readonly kind: "token"; readonly isRefused: boolean }
    | { readonly kind: "forbidden"; readonly why: string }
    | undefined;
  /** Why the last try failed. */
  readonly problem: string | undefined;
}

export const NOT_ASKED: Asked = { summary: undefined, days: 0, barrier: undefined, problem: undefined };

const REFRESH_MS = 60_000;
const RETRY_MS = 10_000;

export function nextAsked(before: Asked, answer: Answer, days: number): Asked {
  switch (answer.kind) {
    case "summary":
      return { summary: answer.summary, days, barrier: undefined, problem: undefined };
    case "failed":
      return { ...before, problem: answer.why };
    case "token":
    case "forbidden":
      return { ...NOT_ASKED, barrier: answer };
  }
}

/** @returns undefined: not by itself, since a token must be typed first */
export function waitMsAfter(answer: Answer): number | undefined {
  if (answer.kind === "token") return undefined;
  return answer.kind === "failed" ? RETRY_MS : REFRESH_MS;
}
