/** The table of servers: its columns' order and its filter. */

import type { Server } from "./summary.ts";

export type ServerSort = keyof Pick<
  Server,
  | "instance"
  | "kind"
  | "version"
  | "runtime"
  | "context"
  | "last"
  | "reports"
  | "messages"
  | "memoryKib"
  | "cpuPercent"
>;

/** `1.163.10` comes after `1.163.9`; the same for every reader. */
const BY_TEXT = new Intl.Collator("en", { numeric: true });

/** What is not known comes last in both directions; equal ones by name, so that a refresh moves nothing. */
export function sortServers(
  servers: readonly Server[],
  key: ServerSort,
  isDescending: boolean,
): readonly Server[] {
  const sign = isDescending ? -1 : 1;
  return [...servers].sort((left, right) => {
    const [a, b] = [left[key], right[key]];
    if (isUnknown(a) !== isUnknown(b)) return isUnknown(a) ? 1 : -1;
    const order =
      typeof a === "number" && typeof b === "number" ? a - b : BY_TEXT.compare(String(a), String(b));
    return sign * order || BY_TEXT.compare(left.instance, right.instance);
  });
}

function isUnknown(value: string | number | null): boolean {
  return value === null || value === "";
}

/** @param words each must stand in name, version, runtime or context, in any letter case @param kind empty: all */
export function filterServers(servers: readonly Server[], words: string, kind: string): readonly Server[] {
  const wanted = words.toLowerCase().split(/\s+/);
  return servers.filter((server) => {
    if (kind !== "" && server.kind !== kind) return false;
    const { instance, version, runtime, context } = server;
    const text = `${instance}\n${version}\n${runtime}\n${context ?? ""}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}
