/** The results as a list: a link for each trace, with who asked, what the border did, and how long it took. */

import type { JSX } from "preact";
import { useContext, useMemo } from "preact/hooks";
import { AskedLine } from "./asked-line.tsx";
import { BorderBadge, ErrorBadge } from "./badge.tsx";
import { formatAge, formatCount, formatDate, formatDuration } from "./format.ts";
import { PageContext } from "./page-context.ts";
import { serviceColors } from "./service-colors.ts";
import { Text } from "./text.tsx";
import type { TraceSummary } from "./trace-summary.ts";

interface ResultListProps {
  readonly summaries: readonly TraceSummary[];
  readonly hovered: string | undefined;
  readonly onHover: (traceId: string | undefined) => void;
  readonly limit: number;
}

export function ResultList({ summaries, hovered, onHover, limit }: ResultListProps): JSX.Element {
  const { clock } = useContext(PageContext);
  const nowUnixMs = clock.unixMs();
  const colors = useMemo(() => serviceColors(summaries.flatMap(({ services }) => services)), [summaries]);
  const longestUs = summaries.reduce((longest, { durationUs }) => Math.max(longest, durationUs), 1);
  return (
    <>
      <ol class="traces" aria-label="Traces, newest first" onMouseLeave={() => onHover(undefined)}>
        {summaries.map((summary) => (
          <li key={summary.traceId}>
            <a
              class={summary.traceId === hovered ? "trace is-hovered" : "trace"}
              href={`#/trace/${encodeURIComponent(summary.traceId)}`}
              onMouseEnter={() => onHover(summary.traceId)}
              onFocus={() => onHover(summary.traceId)}
            >
              <TraceWhat summary={summary} color={colors.get(summary.rootService) ?? ""} />
              <span class="trace-badges">
                {summary.tones.map((tone) => (
                  <BorderBadge key={tone} tone={tone} />
                ))}
                {summary.errors > 0 && <ErrorBadge count={summary.errors} />}
              </span>
              <span class="trace-counts">
                {formatCount(summary.spans, "span")}
                {summary.services.length > 1 && `, ${formatCount(summary.services.length, "service")}`}
              </span>
              <span class="trace-time">
                <span class="trace-duration">{formatDuration(summary.durationUs)}</span>
                <span class="trace-bar" aria-hidden="true">
                  <span style={{ width: `${Math.max(1.5, (summary.durationUs / longestUs) * 100)}%` }} />
                </span>
              </span>
              <time class="trace-age" title={formatDate(summary.startUs / 1000)}>
                {formatAge(summary.startUs / 1000, nowUnixMs)}
              </time>
            </a>
          </li>
        ))}
      </ol>
      <p class="results-end">
        {summaries.length >= limit
          ? `The newest ${limit}. There may be more: show more of them, or search for less.`
          : "That is all there is for this search."}
      </p>
    </>
  );
}

function TraceWhat({
  summary,
  color,
}: {
  readonly summary: TraceSummary;
  readonly color: string;
}): JSX.Element {
  return (
    <span class="trace-what">
      <span class={`service-dot ${color}`} aria-hidden="true" />
      <span class="trace-name">
        <Text value={summary.rootName} empty="(no name)" />
      </span>
      <span class="trace-asked">
        <AskedLine asked={summary.asked} service={summary.rootService} />
      </span>
    </span>
  );
}
