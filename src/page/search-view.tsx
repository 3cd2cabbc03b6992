/** The first view: the border at a glance, a search, and its results as dots over time and as a list. */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Fetched, fetchJson } from "./api.ts";
import { Glance } from "./glance.tsx";
import { EMPTY_QUERY, type SearchQuery } from "./hash-route.ts";
import { parseNames, parseTraces, type Trace } from "./jaeger-model.ts";
import { Notice, Problem } from "./notice.tsx";
import { SERVICES_ASKED_MAX } from "./peer-traces.ts";
import type { Peers } from "./peers-model.ts";
import { QuickFilters } from "./quick-filters.tsx";
import { ResultList } from "./result-list.tsx";
import { Scatter } from "./scatter.tsx";
import { SearchForm } from "./search-form.tsx";
import { mergeTraces, summarize, type TraceSummary } from "./trace-summary.ts";
import { createTraceRequest, type TraceRequest } from "./trace-request.ts";
import { useLive } from "./use-live.ts";

interface SearchViewProps {
  readonly query: SearchQuery;
  readonly peers: Peers | undefined;
}

interface Found {
  readonly services: readonly string[];
  readonly summaries: readonly TraceSummary[];
}

export function SearchView({ query, peers }: SearchViewProps): JSX.Element {
  const request = useMemo(() => createTraceRequest(query), [query]);
  const key = JSON.stringify(query);
  const isValid = "path" in request;
  const found = useLive(key, isValid ? (signal) => search(query, request, signal) : undefined);
  const [hovered, setHovered] = useState<string | undefined>(undefined);
  const summaries = found.value?.summaries;
  const isCurrent = found.key === key || !isValid;
  return (
    <>
      <Glance peers={peers} />
      <section class="view" aria-label="Search traces">
        <SearchForm
          query={query}
          services={found.value?.services ?? []}
          refusals={isValid ? {} : request.refusals}
        />
        <QuickFilters query={query} />
        <Problem text={found.problem} />
        <div class={isCurrent ? "results" : "results is-stale"} aria-busy={!isCurrent}>
          {summaries !== undefined && summaries.length > 0 && (
            <>
              <Scatter summaries={summaries} hovered={hovered} onHover={setHovered} />
              <ResultList summaries={summaries} hovered={hovered} onHover={setHovered} limit={query.limit} />
            </>
          )}
          {found.value !== undefined && summaries?.length === 0 && (
            <NothingFound query={query} isStoreEmpty={found.value.services.length === 0} />
          )}
          {found.value === undefined && found.problem !== undefined && (
            <Notice title="The traces cannot be shown">
              <p>Is the sidecar running? This page asks it again every few seconds.</p>
            </Notice>
          )}
        </div>
      </section>
    </>
  );
}

function NothingFound({ query, isStoreEmpty }: { query: SearchQuery; isStoreEmpty: boolean }): JSX.Element {
  if (isStoreEmpty) {
    return (
      <Notice title="No traces yet">
        <p>
          Traces appear here as soon as a request goes through the sidecar, from a peer or to one. Send one,
          and wait a moment.
        </p>
        <p>
          Still nothing? <code>sampling</code> decides which requests are recorded:{" "}
          <code>{"{ type: const, param: 1 }"}</code> records all.
        </p>
      </Notice>
    );
  }
  const isFiltered =
    JSON.stringify({ ...query, lookback: "", limit: 0 }) !==
    JSON.stringify({ ...EMPTY_QUERY, lookback: "", limit: 0 });
  return (
    <Notice title="No trace matches">
      <p>Look further back, or ask for less: a tag must match in one span, letter by letter.</p>
      {isFiltered && (
        <p>
          <a class="button" href="#/search">
            Show all recent traces
          </a>
        </p>
      )}
    </Notice>
  );
}

async function search(
  query: SearchQuery,
  request: TraceRequest,
  signal: AbortSignal,
): Promise<Fetched<Found>> {
  const services = await fetchJson("/api/services", parseNames, signal);
  if ("problem" in services) return services;
  if (!("path" in request)) return { value: { services: services.value, summaries: [] } };
  const asked = query.service === "" ? services.value.slice(0, SERVICES_ASKED_MAX) : [query.service];
  const answers = await Promise.all(
    asked.map((service) => fetchJson(request.path(service), parseTraces, signal)),
  );
  const traces: (readonly Trace[])[] = [];
  for (const answer of answers) {
    if ("problem" in answer) return answer;
    traces.push(answer.value);
  }
  return {
    value: { services: services.value, summaries: mergeTraces(traces, query.limit).map(summarize) },
  };
}
