/**
 * What the config knows by name but the program can't do yet. Whoever builds one of these deletes its row.
 * Refused at the start: an option that is accepted and does nothing is worse than none.
 */

import type { Finding } from "./fault.ts";
import { findValues } from "./key-path.ts";

/** One thing that is asked for in vain. */
interface NotYet {
  /** Pattern of key-path.ts. */
  readonly key: string;
  /** Values that are meant; without it every value. */
  readonly isMeant?: (value: unknown) => boolean;
  /** Why, and what to do instead. */
  readonly because: string;
}

/** Every row; docs/config.md shows them too. */
export const NOT_YET: readonly NotYet[] = [
  {
    key: "usage_report.enabled",
    isMeant: (value) => value === true || value === "true",
    because: "no report is made; allowed: false",
  },
];

/** One finding for each thing asked for that isn't there. @param document parsed, checked or not */
export function findNotYet(document: unknown): Finding[] {
  return NOT_YET.flatMap(({ key, isMeant = () => true, because }) =>
    findValues(document, key)
      .filter(({ value }) => isMeant(value))
      .map(({ path }) => ({ path, message: `is not available yet: ${because}` })),
  );
}
