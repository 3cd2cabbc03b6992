/** Searches worth a click, as links. */

import type { JSX } from "preact";
import { EMPTY_QUERY, formatHash, type SearchQuery } from "./hash-route.ts";

const FILTERS: readonly { readonly label: string; readonly change: Partial<SearchQuery> }[] = [
  { label: "Everything", change: { tags: "", min: "" } },
  { label: "Stopped at the border", change: { tags: "fedtrace.context=restarted", min: "" } },
  { label: "Malformed contexts", change: { tags: "fedtrace.context=refused", min: "" } },
  { label: "Failed", change: { tags: "error=true", min: "" } },
  { label: "Slow (over 250 ms)", change: { tags: "", min: "250ms" } },
];

export function QuickFilters({ query }: { readonly query: SearchQuery }): JSX.Element {
  return (
    <ul class="chips" aria-label="Often searched">
      {FILTERS.map(({ label, change }) => {
        const target = {
          ...EMPTY_QUERY,
          lookback: query.lookback,
          start: query.start,
          end: query.end,
          limit: query.limit,
          ...change,
        };
        const hash = formatHash({ view: "search", query: target });
        const isCurrent = hash === formatHash({ view: "search", query });
        return (
          <li key={label}>
            <a class="chip" href={hash} aria-current={isCurrent ? "true" : undefined}>
              {label}
            </a>
          </li>
        );
      })}
    </ul>
  );
}
