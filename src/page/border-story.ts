/**
 * What happened at the border, in plain words, from a span's `fedtrace.*` attributes.
 *
 * The peer's name is kept apart from the sentence, because it is the peer's own text and is shown as such.
 * Sentences read on from the name: "stranger.example" + "is not whitelisted: its context was not taken, …".
 */

import { attributeOf, type Span } from "./jaeger-model.ts";
import { formatCount } from "./format.ts";

/** crossed: context went over the border; stopped: it didn't; refused: a friend's was malformed or its trace full; quiet: none was sent. */
export type BorderTone = "crossed" | "stopped" | "refused" | "quiet";

export interface BorderStory {
  readonly tone: BorderTone;
  readonly direction: "inbound" | "outbound";
  /** Undefined where no name was given. */
  readonly peer: string | undefined;
  /** One sentence without its end; reads on from the name. */
  readonly sentence: string;
  /** How well the name is known, as a sentence; empty where there is no name. */
  readonly proof: string;
}

const PROOFS: Readonly<Record<string, string>> = {
  signature: "Its name is proven by a signature.",
  mtls: "Its name is proven by its TLS certificate.",
  network: "Its name is known by its network address.",
  claimed: "Its name is only claimed.",
  none: "Nothing proves its name.",
};

/** Why a signature proved nothing; words of proof/prover.ts. */
const PROOF_REFUSALS: Readonly<Record<string, string>> = {
  absent: "No signature speaks for it.",
  malformed: "Its signature can't be read.",
  destination: "Its signature was made for another server.",
  wrong: "Its signature is wrong: somebody else may have used the name.",
  uncovered: "Its signature leaves out a part of the request that must be signed.",
  outdated: "Its signature is too old, or its clock is off.",
  body: "Its body is not what can be signed.",
  "body-size": "Its body was too long to wait for.",
  "body-room": "Its body was not waited for: too many were.",
  expect: "Its body was not waited for: the client waits for a 100 first.",
  fetching: "Its key was not known yet, and is being fetched.",
  unknown: "Its key could not be had a short while ago.",
  busy: "Its key is not known, and too many are being fetched.",
};

/** @returns undefined for spans that are not a sidecar's */
export function borderStory(span: Span): BorderStory | undefined {
  const direction = attributeOf(span, "fedtrace.direction");
  if (direction !== "inbound" && direction !== "outbound") return undefined;
  const name = attributeOf(span, "fedtrace.peer.name");
  const peer = name === undefined || name === "" ? undefined : String(name);
  const isWhitelisted = String(attributeOf(span, "fedtrace.whitelisted")) === "true";
  const context = String(attributeOf(span, "fedtrace.context") ?? "absent");
  const removed = Number(attributeOf(span, "fedtrace.headers.removed") ?? 0);
  const proof =
    peer === undefined || direction === "outbound"
      ? ""
      : (PROOFS[String(attributeOf(span, "fedtrace.peer.proof"))] ?? "");
  const refused = PROOF_REFUSALS[String(attributeOf(span, "fedtrace.peer.proof_refused"))];
  const [tone, what] =
    direction === "inbound"
      ? inboundStory(isWhitelisted, refused !== undefined, context)
      : attributeOf(span, "fedtrace.tunnel.bytes_sent") === undefined
        ? outboundStory(isWhitelisted, attributeOf(span, "fedtrace.peer.trace_id") !== undefined)
        : TUNNEL;
  const inBody = bodyText(Number(attributeOf(span, "fedtrace.body.contexts") ?? 0));
  const sentence = `${what}${removedText(direction, removed)}${inBody}`;
  return { tone, direction, peer, sentence, proof: refused === undefined ? proof : `${proof} ${refused}` };
}

const TUNNEL = [
  "quiet",
  "was reached through a tunnel, whose inside is not seen here: nothing was added to it",
] as const;

/** @param isUnproven the name is on the list, and nothing shows that it is the sender's */
function inboundStory(
  isWhitelisted: boolean,
  isUnproven: boolean,
  context: string,
): readonly [BorderTone, string] {
  if (isWhitelisted) {
    if (context === "extracted")
      return ["crossed", "is whitelisted: its context was taken, its trace goes on here"];
    if (context === "refused") {
      return [
        "refused",
        "is whitelisted, but its context was malformed, or its trace is full: it was not taken, a new trace began",
      ];
    }
    return ["quiet", "is whitelisted and sent no context: a new trace began"];
  }
  if (isUnproven) {
    return context === "absent"
      ? ["quiet", "is a whitelisted name that was not proven, and no context was sent: a new trace began"]
      : [
          "stopped",
          "is a whitelisted name that was not proven: its context was not taken, a new trace began",
        ];
  }
  if (context === "absent") return ["quiet", "is not whitelisted and sent no context: a new trace began"];
  return ["stopped", "is not whitelisted: its context was not taken, a new trace began"];
}

function outboundStory(isWhitelisted: boolean, hasOwnId: boolean): readonly [BorderTone, string] {
  if (isWhitelisted && hasOwnId) {
    return [
      "crossed",
      "is whitelisted: it was given a trace id of its own, so the trace can go on there, and no other peer can tell",
    ];
  }
  return isWhitelisted
    ? ["crossed", "is whitelisted: our context was sent along, so the trace can go on there"]
    : ["stopped", "is not whitelisted: no trace header left this server"];
}

function bodyText(contexts: number): string {
  return contexts > 0
    ? `, ${formatCount(contexts, "trace context")} in the signed body, which passed unchanged`
    : "";
}

function removedText(direction: "inbound" | "outbound", removed: number): string {
  if (!(removed > 0)) return "";
  return direction === "inbound"
    ? `, ${formatCount(removed, "header")} removed`
    : `, ${formatCount(removed, "header")} of our own server removed`;
}
