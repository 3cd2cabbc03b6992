/** What is counted of signatures, and of the keys that they are checked with. No name of a peer is a label. */

import type { Registry } from "./registry.ts";

type KeyKind = "server" | "actor";

export interface ProofMetrics {
  /** @param result `verified`, or a word of proof/prover.ts */
  checked(result: string): void;
  /** @param result `fetched`, or a word of proof/fetch-keys.ts or of the documents' readers */
  fetched(kind: KeyKind, result: string): void;
}

/** Of a cache of keys, since the start; the last is how many holders it has. */
interface KeyCounts {
  readonly held: number;
  readonly size: number;
}

/** @param read asked at each scrape */
export function createProofMetrics(
  registry: Registry,
  read: {
    readonly keys: Readonly<Record<KeyKind, () => KeyCounts>>;
    readonly heldBytes: () => number;
  },
): ProofMetrics {
  const kinds = Object.entries(read.keys);
  const checks = registry.metric(
    "counter",
    "proofs",
    "",
    "Requests in a whitelisted name whose signature was looked at: verified, or why it proved nothing.",
    ["result"],
  );
  const fetches = registry.metric(
    "counter",
    "key_fetches",
    "",
    "Servers and actors that were asked for their keys: fetched, or why there were none.",
    ["kind", "result"],
  );
  registry
    .metric(
      "counter",
      "key_fetches_held",
      "",
      "Keys that were needed and not asked for, because too many were: a flood of forged names.",
      ["kind"],
    )
    .read(() => kinds.map(([kind, counts]) => ({ values: [kind], value: counts().held })));
  for (const [kind, counts] of kinds) {
    registry
      .metric("gauge", `${kind}_keys`, "", `Holders (${kind}s) whose keys are remembered.`)
      .read(() => counts().size);
  }
  registry
    .metric(
      "gauge",
      "held_body",
      "bytes",
      "Bytes of request bodies that wait here until they are whole and verified.",
    )
    .read(read.heldBytes);
  return {
    checked: (result) => checks.withLabels(result).add(1),
    fetched: (kind, result) => fetches.withLabels(kind, result).add(1),
  };
}
