/** The charts over time. One day is looked at in all of them at once. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Chart } from "./chart.tsx";
import { CHARTS } from "./chart-data.ts";
import type { Day } from "./summary.ts";

export function Charts({ days }: { readonly days: readonly Day[] }): JSX.Element {
  const [looked, setLooked] = useState<number | undefined>(undefined);
  return (
    <div class="charts">
      {CHARTS.map((plan) => (
        <Chart key={plan.title} plan={plan} days={days} looked={looked} onLook={setLooked} />
      ))}
    </div>
  );
}
