/** The search. Choices apply at once, typed text with Enter; the address keeps all of it. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fetchJson } from "./api.ts";
import { FieldInput, FieldSelect } from "./field.tsx";
import { LIMITS, LOOKBACKS, type SearchQuery } from "./hash-route.ts";
import { Icon } from "./icon.tsx";
import { parseNames } from "./jaeger-model.ts";
import { type Refusals, traceIdIn } from "./trace-request.ts";
import { useLive } from "./use-live.ts";
import { goTo } from "./use-route.ts";
import { visibleText } from "./visible-text.ts";

interface SearchFormProps {
  readonly query: SearchQuery;
  readonly services: readonly string[];
  readonly refusals: Refusals;
}

const LOOKBACK_WORDS: Readonly<Record<string, string>> = {
  "5m": "Last 5 minutes",
  "15m": "Last 15 minutes",
  "1h": "Last hour",
  "6h": "Last 6 hours",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  custom: "From … to …",
};

export function SearchForm({ query, services, refusals }: SearchFormProps): JSX.Element {
  const [draft, setDraft] = useState(query);
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => setDraft(query), [query]);
  const operations = useLive(
    `operations of ${query.service}`,
    query.service === ""
      ? undefined
      : (signal) =>
          fetchJson(`/api/services/${encodeURIComponent(query.service)}/operations`, parseNames, signal),
  );
  const apply = (change: Partial<SearchQuery>): void =>
    goTo({ view: "search", query: { ...draft, ...change } });
  const type = (change: Partial<SearchQuery>): void => setDraft({ ...draft, ...change });
  const submit = (event: Event): void => {
    event.preventDefault();
    const traceId = traceIdIn(draft.tags);
    if (traceId === undefined) goTo({ view: "search", query: draft });
    else goTo({ view: "trace", traceId, spanId: "" });
  };
  const known = query.service === "" ? [] : (operations.value ?? []);
  return (
    <form class={isOpen ? "search is-open" : "search"} role="search" aria-label="Traces" onSubmit={submit}>
      <FieldSelect
        label="Service"
        value={query.service}
        options={optionsOf(services, query.service, "Any service")}
        onChoose={(service) => apply({ service, operation: "" })}
      />
      <FieldSelect
        label="Operation"
        value={query.operation}
        options={optionsOf(
          known,
          query.operation,
          query.service === "" ? "Any (choose a service)" : "Any operation",
        )}
        isDisabled={query.service === "" && query.operation === ""}
        onChoose={(operation) => apply({ operation })}
      />
      <FieldInput
        id="search-tags"
        class="field-wide"
        label="Tags, or a trace id"
        hint="/"
        placeholder={'fedtrace.peer.name=two.demo note="two words"'}
        value={draft.tags}
        refusal={refusals.tags}
        onType={(tags) => type({ tags })}
      />
      <FieldInput
        label="At least"
        placeholder="10ms"
        class="field-small"
        value={draft.min}
        refusal={refusals.min}
        onType={(min) => type({ min })}
      />
      <FieldInput
        label="At most"
        placeholder="1.5s"
        class="field-small"
        value={draft.max}
        refusal={refusals.max}
        onType={(max) => type({ max })}
      />
      <FieldSelect
        label="Time"
        value={query.lookback}
        options={LOOKBACKS.map((value) => ({ value, label: LOOKBACK_WORDS[value] ?? value }))}
        onChoose={(lookback) => apply({ lookback })}
      />
      {query.lookback === "custom" && (
        <>
          <FieldInput
            label="From"
            type="datetime-local"
            value={draft.start}
            refusal={refusals.start}
            onType={(start) => type({ start })}
          />
          <FieldInput
            label="To"
            type="datetime-local"
            value={draft.end}
            refusal={refusals.end}
            onType={(end) => type({ end })}
          />
        </>
      )}
      <FieldSelect
        label="Show"
        class="field-small"
        value={String(query.limit)}
        options={LIMITS.map((limit) => ({ value: String(limit), label: String(limit) }))}
        onChoose={(limit) => apply({ limit: Number(limit) })}
      />
      <button
        type="button"
        class="button search-more"
        aria-expanded={isOpen}
        onClick={() => setIsOpen(!isOpen)}
      >
        {isOpen ? "Fewer filters" : "More filters"}
      </button>
      <button type="submit" class="button is-main">
        <Icon name="search" />
        Search
      </button>
    </form>
  );
}

/** The chosen one is among them even when the store has forgotten it. */
function optionsOf(
  names: readonly string[],
  chosen: string,
  none: string,
): readonly { readonly value: string; readonly label: string }[] {
  const all = chosen === "" || names.includes(chosen) ? names : [...names, chosen];
  return [
    { value: "", label: none },
    ...all.map((name) => ({ value: name, label: visibleText(name).slice(0, 120) })),
  ];
}
