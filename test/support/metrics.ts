/** What a registry says, as text and by sample. */

import { formatText } from "../../src/metrics/text.ts";
import { createRegistry, type Registry } from "../../src/metrics/registry.ts";
import type { FamilySnapshot } from "../../src/metrics/snapshot.ts";
import { fakeClock } from "./clock.ts";

export function testRegistry(): Registry {
  return createRegistry({ prefix: "", clock: fakeClock() });
}

/** As Prometheus reads it. */
export function metricsText(registry: Pick<Registry, "collect">): string {
  return formatText(registry.collect(), "prometheus");
}

/** The sum of a counter or gauge over all its series that have these labels; 0 where there is none. @param name as Prometheus shows it */
export function sumOf(
  registry: Pick<Registry, "collect">,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = registry.collect().find((known) => known.name === name.replace(/_total$/, ""));
  return (family?.series ?? [])
    .filter((series) => hasLabels(family, series.values, labels))
    .reduce((sum, { numbers }) => sum + (numbers[0] ?? 0), 0);
}

function hasLabels(
  family: FamilySnapshot | undefined,
  values: readonly string[],
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(labels).every(
    ([label, value]) => values[family?.labels.indexOf(label) ?? -1] === value,
  );
}
