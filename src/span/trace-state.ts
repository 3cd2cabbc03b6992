/**
 * `tracestate` as the object that OpenTelemetry wants (its `TraceState` interface), over the text that is kept.
 *
 * The text was checked when it was read (propagation/w3c.ts); nothing is checked again. In this program only
 * `serialize` is ever called, by exporters: the rest is there because the interface asks for it.
 * List order and rules: https://www.w3.org/TR/trace-context-2/#tracestate-header
 */

import type { TraceState } from "@opentelemetry/api";

/** https://www.w3.org/TR/trace-context-2/#list: members past the 32nd are dropped from the right. */
const MEMBERS_MAX = 32;

/** @param text a checked list; "" is the empty list. The object never changes: `set` and `unset` give a new one. */
export function createTraceState(text: string): TraceState {
  const without = (key: string): string[] =>
    membersOf(text).filter((member) => !member.startsWith(`${key}=`));
  return {
    serialize: () => text,
    get: (key) =>
      membersOf(text)
        .find((member) => member.startsWith(`${key}=`))
        ?.slice(key.length + 1),
    set: (key, value) =>
      createTraceState([`${key}=${value}`, ...without(key)].slice(0, MEMBERS_MAX).join(",")),
    unset: (key) => createTraceState(without(key).join(",")),
  };
}

function membersOf(text: string): string[] {
  return text
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "");
}
