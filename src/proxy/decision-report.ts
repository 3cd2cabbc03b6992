/** What the border would decide about a host, and why; the answer of `decide` and of its API. */

import type { Proof } from "../peer/proof.ts";
import type { Verdict, Whitelist } from "../peer/whitelist.ts";
import { parseServerName } from "../peer/server-name.ts";
import type { Direction } from "../metrics/proxy-metrics.ts";
import { leastProof } from "./border.ts";

/** Field names as the contract has them. */
export interface DecisionReport {
  readonly host: string;
  readonly direction: "in" | "out";
  readonly whitelisted: boolean;
  /** The text of the entry that decided, or null. */
  readonly entry: string | null;
  readonly sampling: "accept" | "trust" | null;
  /** Formats that would be read (in) or written (out); empty where nothing crosses. */
  readonly formats: readonly string[];
  readonly reason: string;
}

export interface DecisionRules {
  readonly whitelist: Whitelist;
  readonly entries: number;
  readonly formats: readonly string[];
  readonly outboundIds: "shared" | "per_peer";
  /** The proof that inbound names need, where their entry asks for no more. */
  readonly authenticate: Proof;
}

export function reportDecision(rules: DecisionRules, direction: Direction, host: string): DecisionReport {
  const { isWhitelisted, entry } = rules.whitelist.decide(host);
  return {
    host,
    direction: direction === "inbound" ? "in" : "out",
    whitelisted: isWhitelisted,
    entry: entry?.text ?? null,
    sampling: entry?.sampling ?? null,
    formats: isWhitelisted ? rules.formats : [],
    reason: reasonOf(rules, direction, host, entry),
  };
}

function reasonOf(rules: DecisionRules, direction: Direction, host: string, entry: Verdict["entry"]): string {
  if (entry !== undefined) {
    const { source = `whitelist[${entry.index}]` } = entry;
    const matched = `${source} matches the whole name`;
    if (direction === "inbound") return `${matched}; its proof must be at least ${leastProof(rules, entry)}`;
    return rules.outboundIds === "shared" ? matched : `${matched}; it is given trace ids of its own`;
  }
  if (parseServerName(host) === undefined) return "this is not a server name: host, host:port or [IPv6]:port";
  if (rules.entries === 0) return "the whitelist is empty, which means nobody";
  return `none of the ${rules.entries} whitelist entries matches the whole name`;
}
