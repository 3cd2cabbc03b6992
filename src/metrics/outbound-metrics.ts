/** What the way out counts beside its requests: look-ups, and the tunnels that are looked into. Asked at each scrape. */

import type { Registry } from "./registry.ts";

/** One cache of look-ups, as discovery/lookup-cache.ts has it. */
interface LookupCounts {
  readonly hits: number;
  readonly misses: number;
  readonly refreshes: number;
  readonly refused: number;
  readonly inFlight: number;
  readonly size: number;
}

/** @param read by what is looked up; a reload begins again */
export function createDiscoveryMetrics(
  registry: Registry,
  read: () => Readonly<Record<string, LookupCounts>>,
): void {
  const sum = (count: (counts: LookupCounts) => number): number =>
    Object.values(read()).reduce((total, counts) => total + count(counts), 0);
  registry
    .metric(
      "counter",
      "discovery_lookups",
      "",
      "What was asked of discovery: known already (hit), looked up (miss), looked up ahead of its end (refresh), or too much at a time (refused).",
      ["kind", "outcome"],
    )
    .read(() =>
      Object.entries(read()).flatMap(([kind, { hits, misses, refreshes, refused }]) => [
        { values: [kind, "hit"], value: hits },
        { values: [kind, "miss"], value: misses },
        { values: [kind, "refresh"], value: refreshes },
        { values: [kind, "refused"], value: refused },
      ]),
    );
  registry
    .metric("gauge", "discovery_entries", "", "Answers of discovery that are kept.")
    .read(() => sum(({ size }) => size));
  registry
    .metric("gauge", "discovery_in_flight", "", "Look-ups under way.")
    .read(() => sum(({ inFlight }) => inFlight));
}

/** As authority/leaf-cache.ts has it. */
interface LeafCounts {
  readonly issued: number;
  readonly hits: number;
  readonly joined: number;
  readonly refused: number;
  readonly size: number;
}

export function createInterceptMetrics(
  registry: Registry,
  read: { readonly tunnels: () => number; readonly leafs: () => LeafCounts },
): void {
  registry
    .metric("gauge", "intercepted_tunnels", "", "Tunnels that are looked into at present.")
    .read(read.tunnels);
  registry
    .metric("gauge", "intercept_certificates_kept", "", "Certificates that are kept, each for one name.")
    .read(() => read.leafs().size);
  registry
    .metric(
      "counter",
      "intercept_certificates",
      "",
      "Certificates that were asked for: made (issued), kept from before (hit), just being made (joined), or refused.",
      ["outcome"],
    )
    .read(() => {
      const { issued, hits, joined, refused } = read.leafs();
      return Object.entries({ issued, hit: hits, joined, refused }).map(([outcome, value]) => ({
        values: [outcome],
        value,
      }));
    });
}
