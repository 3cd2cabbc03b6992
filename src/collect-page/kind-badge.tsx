/** Which program reported, by word and colour. */

import type { JSX } from "preact";
import { LongText } from "./long-text.tsx";

const KINDS: ReadonlySet<string> = new Set(["synapse", "fedtrace"]);

export function KindBadge({ kind }: { readonly kind: string }): JSX.Element {
  if (!KINDS.has(kind)) return <LongText value={kind} empty="–" />;
  return <span class={`kind line-${kind}`}>{kind === "synapse" ? "Synapse" : kind}</span>;
}
