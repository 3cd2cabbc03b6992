/** Everything that a summary tells, from the whole to the single server; before the first report, how to get one. */

import type { JSX } from "preact";
import { formatDate } from "../page/format.ts";
import { ContextBars, VersionBars } from "./bars.tsx";
import { Charts } from "./charts.tsx";
import { DAYS_CHOICES } from "./days-hash.ts";
import { ExportLinks } from "./export-links.tsx";
import { FirstSteps } from "./first-steps.tsx";
import { Headline } from "./headline.tsx";
import { ServersTable } from "./servers-table.tsx";
import type { Summary } from "./summary.ts";

interface OverviewProps {
  readonly summary: Summary;
  readonly days: number;
  /** The summary is of other days; the new one is on its way. */
  readonly isStale: boolean;
  readonly token: string | undefined;
  readonly onDays: (days: number) => void;
}

export function Overview({ summary, days, isStale, token, onDays }: OverviewProps): JSX.Element {
  const { totals, versions, contexts } = summary;
  if (totals.servers === 0 && totals.reports === 0) return <FirstSteps />;
  return (
    <div class={isStale ? "overview is-stale" : "overview"} aria-busy={isStale}>
      <div class="overview-head">
        <p class="muted">
          Days are UTC, and the last one is not over. As of{" "}
          {formatDate(summary.generated * 1000).slice(0, 19)}.
        </p>
        <fieldset class="choice">
          <legend class="hidden">Days shown</legend>
          {DAYS_CHOICES.map((choice) => (
            <label key={choice} class={choice === days ? "is-chosen" : ""}>
              <input
                type="radio"
                class="hidden"
                name="days"
                checked={choice === days}
                onChange={() => onDays(choice)}
              />
              {choice} days
            </label>
          ))}
        </fieldset>
      </div>
      <Headline totals={totals} />
      <Charts days={summary.days} />
      <div class="panels">
        <VersionBars versions={versions} />
        <ContextBars contexts={contexts} />
      </div>
      <ServersTable servers={summary.servers} more={summary.serversMore} nowSeconds={summary.generated} />
      <ExportLinks summary={summary} token={token} />
    </div>
  );
}
