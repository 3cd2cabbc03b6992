/** The collector in five numbers. */

import type { JSX } from "preact";
import { formatAmount, formatWhole } from "./amount.ts";
import type { Totals } from "./summary.ts";

export function Headline({ totals }: { readonly totals: Totals }): JSX.Element {
  const numbers = [
    { value: totals.active, label: "servers reported in the last 24 hours" },
    { value: totals.synapse, label: "of them Synapse", tone: "synapse" },
    { value: totals.fedtrace, label: "of them fedtrace", tone: "fedtrace" },
    { value: totals.servers, label: "servers known" },
    { value: totals.reports, label: "reports kept" },
  ];
  return (
    <dl class="headline" aria-label="At a glance">
      {numbers.map(({ value, label, tone }) => (
        <div key={label} class={tone === undefined ? "headline-number" : `headline-number line-${tone}`}>
          <dd title={formatWhole(value)}>{formatAmount(value)}</dd>
          <dt>{label}</dt>
        </div>
      ))}
    </dl>
  );
}
