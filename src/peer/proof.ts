/** How well a peer's name is proven: one ladder, `none < claimed < network < mtls < signature`. */

/** Weakest first; the order is the ladder. Values of `fedtrace.peer.proof`; all but `none` of `authenticate`. */
const PROOFS = ["none", "claimed", "network", "mtls", "signature"] as const;

export type Proof = (typeof PROOFS)[number];

/** Whether what was reached is at least what is asked for. */
export function reaches(proof: Proof, least: Proof): boolean {
  return PROOFS.indexOf(proof) >= PROOFS.indexOf(least);
}
