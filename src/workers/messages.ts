/**
 * What the primary process and its workers say to each other, over the channel that Node opens to a forked process
 * (https://nodejs.org/api/child_process.html#subprocesssendmessage-sendhandle-options-callback).
 *
 * Both ends are this program in one version, so nothing is checked on the way in. A question has a number; its answer comes in
 * parts, then `done`, or `refused` where the rest of it can't be had. Not here: how they are written (packing.ts).
 */

import type { Config } from "../config/merge.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { FamilySnapshot } from "../metrics/snapshot.ts";
import type { KnownPeer } from "../peer/peer-book.ts";
import type { EncodedBatch } from "../span/encoded-batch.ts";
import type { TraceSearch } from "../store/search.ts";
import type { Operation, ServiceLink } from "../store/summaries.ts";
import type { UsagePart } from "../usage/usage-part.ts";

/** A worker has both where the config has both. */
export type ListenerName = "inbound" | "outbound";

/** A trace as a search finds it: enough to say which are the newest, and how much it is to fetch them. */
export interface TraceRow {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** When the first span of it ended, Unix milliseconds: the order of the store. */
  readonly firstEndMs: number;
  readonly spans: number;
}

/** Each kind of question: what it is asked with, and what a part of its answer is. */
export interface Questions {
  /** Take this config over; the part names keys that would need a restart, and comes only where there are any. */
  readonly reload: { readonly asked: Config; readonly part: readonly string[] };
  /** Look at the certificates' files now. */
  readonly certificates: { readonly asked: undefined; readonly part: never };
  readonly metrics: { readonly asked: undefined; readonly part: readonly FamilySnapshot[] };
  readonly peers: { readonly asked: undefined; readonly part: PeersPart };
  /** What was counted for usage reports since it was last asked; no part where they are off. */
  readonly usage: { readonly asked: undefined; readonly part: UsagePart };
  readonly services: { readonly asked: undefined; readonly part: readonly string[] };
  readonly operations: { readonly asked: string; readonly part: readonly Operation[] };
  readonly links: {
    readonly asked: { readonly startMs: number; readonly endMs: number };
    readonly part: readonly ServiceLink[];
  };
  /** The newest that match, at most as many as the search wants. */
  readonly search: { readonly asked: TraceSearch; readonly part: readonly TraceRow[] };
  /** Those of these traces that are kept. */
  readonly locate: { readonly asked: readonly string[]; readonly part: readonly TraceRow[] };
  /** All spans of these traces; origins are numbered over all parts. */
  readonly spans: { readonly asked: readonly string[]; readonly part: EncodedBatch };
}

export type Kind = keyof Questions;

export interface PeersPart {
  readonly peers: readonly Readonly<KnownPeer>[];
  /** Names let go for lack of room; all of them in the first part. */
  readonly forgotten: number;
}

/** What a worker begins with. */
export interface WorkerStart {
  /** 1 to N; the one who takes its place has the same. */
  readonly number: number;
  /** N. */
  readonly workers: number;
  /** Its share (app-share.ts). */
  readonly config: Config;
  /** 48 random bytes, the same for all: a session that began with one worker is resumed by another. */
  readonly ticketKeys: Uint8Array;
  /** 32 random bytes, the same for all: a trace has one id for a peer, whichever worker sends it (proxy/outbound-ids.ts). */
  readonly outboundIdKey: Uint8Array;
}

/** A transaction was sent in vain, or is delivered: its next attempt may come to any worker. */
interface NotedAttempt {
  readonly transaction: string;
  /** As proxy/resends.ts has it; undefined: delivered. */
  readonly attempt: unknown;
}

/** A debug pass was used: its count is one for all workers (passes/debug-pass.ts). */
interface UsedPass {
  readonly passId: string;
  readonly expiresUnixMs: number;
}

export type ToWorker =
  | { readonly tell: "start"; readonly start: WorkerStart }
  /** A socket comes with it. */
  | { readonly tell: "connection"; readonly listener: ListenerName }
  | { readonly tell: "ticket-keys"; readonly ticketKeys: Uint8Array }
  | { readonly tell: "ask"; readonly id: number; readonly kind: Kind; readonly asked: unknown }
  /** What another worker noted (proxy/resends.ts). */
  | ({ readonly tell: "attempt" } & NotedAttempt)
  /** What another worker let in. */
  | ({ readonly tell: "pass-used" } & UsedPass)
  /** Nobody waits for this answer any more. */
  | { readonly tell: "forget"; readonly id: number }
  /** Drain, flush, end. */
  | { readonly tell: "stop" };

export type FromWorker =
  | { readonly say: "ready" }
  /** It can't start, and ends. @see FedtraceError */
  | { readonly say: "failed"; readonly code: ErrorCode; readonly message: string }
  /** So many connections have arrived since it last said so. */
  | { readonly say: "took"; readonly connections: number }
  /** For all other workers. */
  | ({ readonly say: "attempt" } & NotedAttempt)
  /** The same. */
  | ({ readonly say: "pass-used" } & UsedPass)
  | { readonly say: "part"; readonly id: number; readonly part: unknown }
  | { readonly say: "done"; readonly id: number }
  | { readonly say: "refused"; readonly id: number; readonly reason: string };
