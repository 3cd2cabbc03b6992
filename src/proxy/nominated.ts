/** Lines that `Connection` nominates beyond the usual: for this hop only, so they go (RFC 9110 section 7.6.1). */

import type { ConnectionOptions } from "../http1/connection-options.ts";
import { type Cuts, findLines } from "../http1/fields.ts";

/** Line start → line end; undefined where nothing more is nominated, as nearly always. */
type NominatedLines = ReadonlyMap<number, number> | undefined;

/** @param head a request's or a response's */
export function findNominated(head: {
  readonly text: string;
  readonly fieldsAt: number;
  readonly connection: ConnectionOptions;
}): NominatedLines {
  const { nominated } = head.connection;
  if (nominated.length === 0) return undefined;
  const found = findLines(head.text, head.fieldsAt, new Set(nominated));
  const lines = new Map<number, number>();
  for (let index = 0; index < found.length; index += 2) lines.set(found[index] ?? 0, found[index + 1] ?? 0);
  return lines;
}

/** The cuts with the nominated lines among them, ascending, each line once. */
export function withNominated(cuts: Cuts, nominated: NominatedLines): Cuts {
  if (nominated === undefined) return cuts;
  const lines = new Map(nominated);
  for (let index = 0; index < cuts.length; index += 2) lines.set(cuts[index] ?? 0, cuts[index + 1] ?? 0);
  return [...lines].sort(([left], [right]) => left - right).flat();
}
