/** The registry where metrics are off: families are asked for as ever, and nothing is counted, read or collected. */

import type { AnyChild } from "./children.ts";
import { defineFamily } from "./definition.ts";
import type { Family, Metrics, Registry } from "./registry.ts";

export function createNoRegistry(): Registry {
  const nothing = (): void => undefined;
  const series = {
    add: nothing,
    set: nothing,
    sample: nothing,
    measure: () => () => 0,
    numbers: () => [],
    exemplars: () => undefined,
    createdUnixMs: 0,
    value: 0,
    count: 0,
    sum: 0,
  } as AnyChild;
  const metric: Metrics["metric"] = (type, name, unit, help, labels = [], extra = {}) => {
    const definition = defineFamily({ type, name, unit, help, labels }, extra);
    const family: Family = { definition, withLabels: () => series, read: nothing, remove: nothing };
    return family as unknown as Family<typeof type>;
  };
  return {
    metric,
    module: () => ({ metric }),
    unprefixed: { metric },
    collect: () => [],
    find: () => undefined,
    cork: nothing,
    uncork: nothing,
    on: () => nothing,
  };
}
