/**
 * How federation does with each whitelisted peer: rate, errors and duration each way, when it was last heard of, and what was tried in
 * its name. Strangers are counted all together (proxy-metrics.ts): their names are theirs to choose.
 */

import type { Busiest } from "./busiest.ts";
import type { ExemplarIds } from "./children.ts";
import type { LabelBounds } from "./label-bounds.ts";
import type { Registry } from "./registry.ts";
import { type Fold, SeriesTable } from "./series-table.ts";

type Direction = "inbound" | "outbound";

interface PeerRequest {
  readonly direction: Direction;
  /** Its server name; its host is the label. */
  readonly peer: string;
  readonly seconds: number;
  readonly hasFailed: boolean;
  readonly endUnixMs: number;
  readonly exemplar: ExemplarIds | undefined;
}

export interface PeerMetrics {
  /** A request from or to a whitelisted peer is over. */
  met(request: PeerRequest): void;
  /** A context of it was malformed or over a bound. @param reason a word of propagation/extract.ts */
  contextRefused(peer: string, reason: string): void;
  /** A request in its name lacked the proof that the name needs. @param reason a word of proof/prover.ts, or `unproven` */
  nameForged(peer: string, reason: string): void;
  /** It asked for a trace to be recorded. */
  samplingForced(peer: string, isGranted: boolean): void;
}

/** A peer's answer takes seconds where a disk's takes milliseconds. */
const PEER_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Without its port: one host may have 65,535 of them, and would take all places. */
function hostOf(peer: string): string {
  return peer.includes(":") ? peer.replace(/:\d+$/, "") : peer;
}

/** What overflows by a forger's doing is told apart, or it would silence the alert of a peer that says nothing any more. */
const FORGED_PEER = "forged_peer";

/** Of the room that peers have: what their requests may take, and each of the three other families. */
const REQUESTS_SHARE = 0.7;
const REST_SHARE = 0.1;
/** All of it is for peers: what has none is one series each way. */
const BY_PEER: Fold = { labels: ["peer"], share: 0.95 };

export function createPeerMetrics(registry: Registry, bounds: LabelBounds): PeerMetrics {
  const peers = bounds.busiest("peer");
  // Apart: who forges names can do so as often as it likes, and would take the places of those that are who they say.
  const forgedPeers = bounds.busiest(FORGED_PEER);
  const requests = createRequests(registry, bounds, peers);
  const kinds = {
    refused: ["contexts_refused", "Contexts of a peer that were malformed or over a bound.", "reason"],
    forged: ["forged_names", "Requests in a peer's name without the proof that it needs.", "reason"],
    forced: ["forced_sampling", "Requests with which a peer asked for a trace to be recorded.", "outcome"],
  } as const;
  const table = (
    [name, help, label]: (typeof kinds)[keyof typeof kinds],
    { named, overflowOf = "peer" }: { readonly named: Busiest; readonly overflowOf?: string },
  ) => {
    const labels = ["peer", label];
    const family = registry.module("peer").metric("counter", name, "", help, labels, { seriesMax: Infinity });
    return new SeriesTable({
      families: { count: family },
      bounds: { peer: named },
      folds: [BY_PEER],
      bytesMax: bounds.room("peers") * REST_SHARE,
      overflow: (of) => bounds.overflow(of === "peer" ? overflowOf : of),
    });
  };
  const refused = table(kinds.refused, { named: peers });
  const forged = table(kinds.forged, { named: forgedPeers, overflowOf: FORGED_PEER });
  const forced = table(kinds.forced, { named: peers });

  return {
    met({ direction, peer, seconds, hasFailed, endUnixMs, exemplar }) {
      const series = requests.find([direction, peers.note(hostOf(peer))]);
      series.count.add(1);
      if (hasFailed) series.errors.add(1);
      series.duration.sample(seconds, exemplar);
      series.lastContact.set(endUnixMs / 1000);
    },
    contextRefused: (peer, reason) => refused.find([peers.note(hostOf(peer)), reason]).count.add(1),
    nameForged: (peer, reason) => forged.find([forgedPeers.note(hostOf(peer)), reason]).count.add(1),
    samplingForced: (peer, isGranted) =>
      forced.find([peers.note(hostOf(peer)), isGranted ? "granted" : "denied"]).count.add(1),
  };
}

function createRequests(registry: Registry, bounds: LabelBounds, peers: Busiest) {
  const labels = ["direction", "peer"];
  const module = registry.module("peer");
  const unbounded = { seriesMax: Infinity };
  const count = module.metric(
    "counter",
    "requests",
    "",
    "Requests from and to a whitelisted peer.",
    labels,
    unbounded,
  );
  const errors = module.metric(
    "counter",
    "errors",
    "",
    "Those that failed here, or were answered with a status of 500 or more.",
    labels,
    unbounded,
  );
  const duration = module.metric("histogram", "request_duration", "seconds", "Duration of those.", labels, {
    buckets: PEER_BUCKETS,
    ...unbounded,
  });
  const lastContact = module.metric(
    "gauge",
    "last_contact_timestamp",
    "seconds",
    "When the last one ended, in Unix time.",
    labels,
    { merge: "latest", ...unbounded },
  );
  return new SeriesTable({
    families: { count, errors, duration, lastContact },
    bounds: { peer: peers },
    folds: [BY_PEER],
    bytesMax: bounds.room("peers") * REQUESTS_SHARE,
    hasExemplars: true,
    overflow: bounds.overflow,
  });
}
