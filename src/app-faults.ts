/** Several faults of one start, told as one. */

import { FedtraceError } from "./core/errors.ts";

/** @param faults at least one @returns one line each; the code is the first one's */
export function mergeFaults(faults: readonly unknown[]): FedtraceError {
  const messages = faults.map((fault) => (fault instanceof Error ? fault.message : String(fault)));
  const [first] = faults;
  const code = first instanceof FedtraceError ? first.code : "LISTEN_FAILED";
  return new FedtraceError(code, messages.join("\n"), { faults: faults.length }, first);
}
