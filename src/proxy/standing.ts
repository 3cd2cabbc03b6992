/**
 * How well it is known who sent a request: the name and its proof, and where that is less than the whitelist asks for, its signature.
 *
 * A signature is looked at only where it decides something: for a name that the whitelist has, and that is not proven well enough by
 * its network or its certificate. So nobody makes this server fetch keys of names it doesn't know, and a verification's 150 µs
 * are spent on friends. A signature that is wrong is forwarded all the same, since the server behind decides; it is counted, and told.
 * Not here: what follows from it (border.ts).
 */

import { createBoundedCache } from "../core/bounded-cache.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Peer } from "../peer/identify.ts";
import type { WhitelistEntry } from "../peer/whitelist.ts";
import { reaches } from "../peer/proof.ts";
import type { BodyCheck, ProofRefusal } from "../proof/prover.ts";
import { leastProof } from "./border.ts";
import type { Arrival, ExchangeContext } from "./exchange.ts";

export interface Standing {
  readonly peer: Peer;
  /** Why the signature proves nothing; undefined where it was not asked for, or does. */
  readonly refusal: ProofRefusal | undefined;
  /** What is left to do once the body is there; undefined where all is decided. */
  readonly bodyCheck: BodyCheck | undefined;
}

const NOBODY: Peer = { name: undefined, proof: "none" };
const NO_BODY = Buffer.alloc(0);

type StandingContext = Pick<ExchangeContext, "side" | "policy" | "prover" | "proofs">;

export function standingOf(context: StandingContext, arrival: Arrival): Standing {
  const { head, connection, target, fields, client } = arrival;
  // Who may not use this side does not fill the books of peers and transactions with names either.
  const peer = arrival.isAdmitted ? context.side.identify(fields, connection, target, client) : NOBODY;
  const { policy, prover } = context;
  if (prover === undefined || peer.name === undefined) return decided(peer);
  const { entry } = policy.whitelist.decide(peer.name);
  if (entry === undefined || reaches(peer.proof, leastProof(policy, entry))) return decided(peer);
  const opened = prover.open({
    name: peer.name,
    isListed: isSpelledOut(entry),
    head,
    fields,
    path: target.path,
    scheme: client?.scheme ?? target.scheme,
  });
  if (typeof opened === "string") return settleStanding(context, peer, opened);
  if (head.bodyLength === 0) return settleStanding(context, peer, opened(NO_BODY));
  const obstacle = bodyObstacle(context, arrival);
  if (obstacle !== undefined) return settleStanding(context, peer, obstacle);
  return { peer, refusal: undefined, bodyCheck: opened };
}

/** @param refusal of the prover; undefined: the signature is the peer's */
export function settleStanding(
  { proofs }: Pick<StandingContext, "proofs">,
  peer: Peer,
  refusal: ProofRefusal | undefined,
): Standing {
  proofs.note(peer.name ?? "", refusal);
  return decided(refusal === undefined ? { name: peer.name, proof: "signature" } : peer, refusal);
}

function decided(peer: Peer, refusal?: ProofRefusal): Standing {
  return { peer, refusal, bodyCheck: undefined };
}

/** Whether an entry takes a name or a few: dots may be bare, all else stands for itself. */
function isSpelledOut({ kind, text }: WhitelistEntry): boolean {
  return (kind === "glob" ? LITERAL_GLOB : LITERAL_REGEX).test(text);
}

const LITERAL_GLOB = /^[^*?{]+$/;
const LITERAL_REGEX = /^\^?(?:[A-Za-z0-9:.-]|\\[.:-])+\$?$/;

/** Why the body is not waited for. */
function bodyObstacle({ policy }: StandingContext, { head }: Arrival): ProofRefusal | undefined {
  // The client waits for a 100 before it sends the body, and only the server behind can say that it wants it.
  if (head.hasExpectedBody) return "expect";
  // With 0 none is held; a chunked body has no length that could be compared with it.
  const isHeld = policy.authenticateBodyMax > 0 && head.bodyLength <= policy.authenticateBodyMax;
  return isHeld ? undefined : "body-size";
}

/** Counts what became of signatures, and tells of wrong ones. */
export interface ProofNotes {
  note(name: string, refusal: ProofRefusal | undefined): void;
}

/** Names whose last line is remembered; only whitelisted ones come here. */
const NAMES_MAX = 1000;
const LINE_EVERY_MS = 60_000;

/** What deserves a line: somebody uses a friend's name, or a friend's clock or software is off. The others are this sidecar's own doing. */
const TOLD: ReadonlySet<ProofRefusal> = new Set([
  "wrong",
  "destination",
  "uncovered",
  "outdated",
  "malformed",
]);

/** @param count told of each: `verified`, or a refusal */
export function createProofNotes(
  count: (outcome: ProofRefusal | "verified") => void,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): ProofNotes {
  const told = createBoundedCache<number>(NAMES_MAX);
  return {
    note(name, refusal) {
      count(refusal ?? "verified");
      if (refusal === undefined || !TOLD.has(refusal)) return;
      const nowMs = clock.monotonicMs();
      if (nowMs - (told.get(name) ?? -Infinity) < LINE_EVERY_MS) return;
      told.set(name, nowMs);
      log.warn("a request names a whitelisted server and does not prove it", { peer: name, reason: refusal });
    },
  };
}
