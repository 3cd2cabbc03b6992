/**
 * Debug passes: an operator gives a peer's operator a token, and requests that carry it are traced, whatever the sampler says:
 * so many traces, until it expires.
 *
 * A pass is for one peer, whose name the caller has proven, at one server. Uses are counted in memory: a restart forgets them,
 * and the expiry is what holds then. Several processes tell each other (`onUsed`, `noteUsed`), a moment later: together they may
 * let in a few more. Nobody without the secret makes an entry here: forged tokens cost their HMAC and leave nothing behind.
 *
 * Not here: the token's text and signature (pass-token.ts), the header it comes in, and what a pass does to a trace.
 */

import type { Clock } from "../core/clock.ts";
import { createPassSeal, type Pass, PASS_BOUNDS, TOKEN_LENGTH_MAX } from "./pass-token.ts";
import { createVerifiedTokens } from "./verified-tokens.ts";

/** A trace that was let in goes on being let in for so long without costing another use (as sampling/forced.ts has it). */
const FOLLOWED_MS = 60_000;
/** Traces of all passes that are remembered for it, some 150 bytes each; one that is forgotten costs another use. */
const FOLLOWED_MAX = 16_384;
/** Passes that are in use at once; an operator gives a handful. */
const PASSES_MAX = 1000;

/** Two passes of one id would share a count; an operator makes some dozens. */
const ID_BYTES = 8;

const [TTL_MIN, TTL_MAX] = PASS_BOUNDS.ttlMs;
const [COUNT_MIN, COUNT_MAX] = PASS_BOUNDS.count;
const NAME = /^[\x21-\x7e]+$/;

export interface PassOrder {
  /** A server name in lower case, as the proof of a peer names it. */
  readonly peer: string;
  /** The own `server_name`, in lower case. */
  readonly audience: string;
  /** 1 s to 24 h; rounded up to a whole second of the clock. */
  readonly ttlMs: number;
  /** 1 to 10,000. */
  readonly count: number;
}

interface IssueTools {
  readonly clock: Clock;
  /** core/random.ts, `createSecret`. */
  readonly secretBytes: (bytes: number) => Uint8Array;
}

export interface IssuedPass {
  readonly token: string;
  readonly pass: Pass;
}

export interface PassIssuer {
  /** `refused` says what is allowed. */
  issue(order: PassOrder, tools: IssueTools): { readonly value: IssuedPass } | { readonly refused: string };
}

/** @param secret `sampling.debug_pass_secret` */
export async function createPassIssuer(secret: string): Promise<PassIssuer> {
  const seal = await createPassSeal(secret);
  return {
    issue({ peer, audience, ttlMs, count }, { clock, secretBytes }) {
      if (!(ttlMs >= TTL_MIN && ttlMs <= TTL_MAX)) return { refused: "a pass is good for 1s to 24h" };
      if (!(Number.isInteger(count) && count >= COUNT_MIN && count <= COUNT_MAX)) {
        return { refused: `a pass is for ${COUNT_MIN} to ${COUNT_MAX} traces` };
      }
      if (!NAME.test(peer) || !NAME.test(audience)) return { refused: "names are ASCII without spaces" };
      const id = Buffer.from(secretBytes(ID_BYTES)).toString("hex");
      const expiresUnixMs = Math.ceil((clock.unixMs() + ttlMs) / 1000) * 1000;
      const pass: Pass = { id, expiresUnixMs, count, peer, audience };
      const token = seal.write(pass);
      if (token === undefined)
        return { refused: `both names make a token of over ${TOKEN_LENGTH_MAX} characters` };
      return { value: { token, pass } };
    },
  };
}

/**
 * What became of a token: `used` let the request in, and no other does. `spent`: all its traces are used up. `full`: there are too
 * many passes at once for this one to be counted.
 */
export type PassOutcome =
  "used" | "malformed" | "signature" | "audience" | "peer" | "expired" | "spent" | "full";

export interface PassBookOptions {
  readonly secret: string;
  /** The own `server_name`, in lower case. */
  readonly audience: string;
  /** Passes that are counted at once; 1,000 unless set. */
  readonly passesMax?: number;
}

export interface PassBookTools {
  readonly clock: Clock;
  readonly counters: { presented(outcome: PassOutcome): void };
  /** A use was counted here: for other processes, whose `noteUsed` is to be called with the same. */
  onUsed(passId: string, expiresUnixMs: number): void;
}

export interface PassBook {
  /**
   * Whether a request is let in by this token; counts a use where its trace was not let in within the last minute.
   * Never throws, whatever the texts are.
   *
   * @param token as the peer sent it
   * @param peer its proven name, in lower case
   */
  admits(token: string, peer: string, traceId: string): boolean;
  /** Another process of this sidecar counted a use. */
  noteUsed(passId: string, expiresUnixMs: number): void;
  /** Passes whose uses are counted now; never above the bound. */
  passes(): number;
}

interface Uses {
  used: number;
  readonly expiresUnixMs: number;
}

export async function createPassBook(options: PassBookOptions, tools: PassBookTools): Promise<PassBook> {
  const { audience, passesMax = PASSES_MAX } = options;
  const { clock, counters } = tools;
  const tokens = createVerifiedTokens(await createPassSeal(options.secret), passesMax);
  const followed = createFollowed();
  /** By the pass's id. */
  const uses = new Map<string, Uses>();

  /**
   * Where the book is full nothing goes but what has expired: whoever could push a pass out would have its count begin anew.
   *
   * @returns undefined where there is no room
   */
  function usesOf(passId: string, expiresUnixMs: number): Uses | undefined {
    const known = uses.get(passId);
    if (known !== undefined) return known;
    forgetExpired(clock.unixMs());
    if (uses.size >= passesMax || expiresUnixMs <= clock.unixMs()) return undefined;
    const fresh = { used: 0, expiresUnixMs };
    uses.set(passId, fresh);
    return fresh;
  }

  /** All are looked at, only when a pass is met for the first time. */
  function forgetExpired(unixMs: number): void {
    for (const [passId, { expiresUnixMs }] of uses) if (expiresUnixMs <= unixMs) uses.delete(passId);
  }

  function outcomeOf(token: string, peer: string, traceId: string): PassOutcome {
    const pass = tokens.read(token);
    if (typeof pass === "string") return pass;
    if (pass.audience !== audience) return "audience";
    if (pass.peer !== peer) return "peer";
    if (pass.expiresUnixMs <= clock.unixMs()) return "expired";
    const counted = usesOf(pass.id, pass.expiresUnixMs);
    if (counted === undefined) return "full";
    const nowMs = clock.monotonicMs();
    if (followed.has(pass.id, traceId, nowMs)) return "used";
    if (counted.used >= pass.count) return "spent";
    counted.used += 1;
    followed.add(pass.id, traceId, nowMs);
    tools.onUsed(pass.id, pass.expiresUnixMs);
    return "used";
  }

  return {
    admits(token, peer, traceId) {
      const outcome = outcomeOf(token, peer, traceId);
      counters.presented(outcome);
      return outcome === "used";
    },
    noteUsed(passId, expiresUnixMs) {
      const counted = usesOf(passId, expiresUnixMs);
      if (counted !== undefined) counted.used += 1;
    },
    passes: () => uses.size,
  };
}

interface Followed {
  /** Whether the pass let the trace in within the last minute; that minute begins anew. */
  has(passId: string, traceId: string, nowMs: number): boolean;
  add(passId: string, traceId: string, nowMs: number): void;
}

function createFollowed(): Followed {
  /** Pass and trace → when it was last let in, the oldest first. */
  const traces = new Map<string, number>();
  const keyOf = (passId: string, traceId: string): string => passId + traceId;

  function add(passId: string, traceId: string, nowMs: number): void {
    for (const [oldest, followedAtMs] of traces) {
      if (traces.size < FOLLOWED_MAX && nowMs - followedAtMs < FOLLOWED_MS) break;
      traces.delete(oldest);
    }
    traces.set(keyOf(passId, traceId), nowMs);
  }

  return {
    add,
    has(passId, traceId, nowMs) {
      const key = keyOf(passId, traceId);
      const followedAtMs = traces.get(key);
      if (followedAtMs === undefined) return false;
      traces.delete(key);
      if (nowMs - followedAtMs >= FOLLOWED_MS) return false;
      traces.set(key, nowMs); // To the end.
      return true;
    },
  };
}
