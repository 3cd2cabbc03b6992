/**
 * Who sends what to whom in the demo: a whitelisted pair, a careless friend, a stranger with every trick.
 *
 * ```
 *   one.demo  ◄────────►  two.demo        whitelisted: their traces cross the border
 *       ▲  ▲
 *       │  └── careless.demo              whitelisted, but what it sends as context is malformed
 *       └───── stranger.demo              on no list: forced sampling, debug id, baggage, a header that breaks servers;
 *                                         and the same in the name of two.demo, whose key it does not have
 * ```
 * Not here: the servers (homeserver.ts), the sidecars (demo.ts).
 */

import type { Homeserver, SentHeaders } from "./homeserver.ts";

export interface Member {
  /** With its port. */
  readonly name: string;
  readonly homeserver: Homeserver;
}

export interface Cast {
  readonly one: Member;
  readonly two: Member;
  readonly careless: Member;
  readonly stranger: Member;
}

interface Act {
  /** It comes in every so many ticks. */
  readonly every: number;
  readonly play: (cast: Cast, tick: number) => Promise<number>;
}

/** Nobody listens there, and no name server knows it. */
export const UNREACHABLE = "gone.demo:8448";

/** What a stranger tries. None of it may reach the server behind, a span's ids or a log. */
const TRICKS: SentHeaders = {
  // "Record my traces, at your cost."
  traceparent: "00-5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e-5ca1ab1e5ca1ab1e-01",
  "jaeger-debug-id": "record-this-whatever-your-sampler-says",
  // "Carry my luggage into your logs."
  baggage: "user=eve,session=5ca1ab1e",
  "uberctx-session": "5ca1ab1e",
  // Synapse answers 500 to a context like this one, and federation with the sender stalls.
  "uber-trace-id": "zzz",
};

/** Nine hex digits too few. */
const MALFORMED: SentHeaders = { traceparent: "00-0af7651916cd43dd8448eb2-b7ad6b7169203331-01" };

const ACTS: readonly Act[] = [
  { every: 1, play: ({ one, two }, tick) => one.homeserver.sendTransaction(two.name, `one${tick}`) },
  { every: 2, play: ({ one, two }, tick) => two.homeserver.sendTransaction(one.name, `two${tick}`) },
  {
    every: 3,
    play: ({ one, stranger }, tick) =>
      stranger.homeserver.sendTransaction(one.name, `stranger${tick}`, TRICKS),
  },
  {
    every: 4,
    play: ({ one, two }, tick) =>
      one.homeserver.ask(two.name, `/_matrix/federation/v1/backfill/!room:two.demo?limit=${tick}`),
  },
  {
    every: 5,
    play: ({ one, two }, tick) => two.homeserver.ask(one.name, `/_matrix/federation/v1/event/$event${tick}`),
  },
  {
    every: 6,
    play: ({ one, careless }, tick) =>
      careless.homeserver.sendTransaction(one.name, `careless${tick}`, MALFORMED),
  },
  {
    every: 8,
    play: ({ one, two, stranger }, tick) =>
      stranger.homeserver.sendTransaction(one.name, `borrowed${tick}`, TRICKS, two.name),
  },
  { every: 7, play: ({ one }, tick) => one.homeserver.sendTransaction(UNREACHABLE, `lost${tick}`) },
];

/** Plays what is due at a tick, one after the other; resolves when all is answered, and never rejects. */
export async function playTick(cast: Cast, tick: number): Promise<void> {
  for (const { play } of ACTS.filter(({ every }) => tick % every === 0)) {
    // A server that is being stopped gives no answer; that is the end of the demo, not a fault of it.
    await play(cast, tick).catch(() => undefined);
  }
}

/** What to look for on the page, as lines for a terminal. */
export function formatGuide(cast: Cast): readonly string[] {
  const { one, two } = cast;
  return [
    "What to look for:",
    "  - Two servers, one trace: a transaction of one.demo, its sidecar, the sidecar of two.demo, and the way back for the key.",
    "  - stranger.demo sends a sampled flag, a debug id, baggage and a malformed header with each request. Its requests",
    "    are answered, but each begins a trace of its own, its headers are removed, and it is given no id of ours.",
    "  - It also uses the name of two.demo, which is whitelisted: the signature is wrong, so the name buys it nothing.",
    "  - careless.demo is whitelisted, and its context is malformed: refused, counted (page: Peers), and its request served.",
    "  - GET /_matrix/federation/v1/backfill/… is slow, GET …/event/… fails, and gone.demo can't be reached: search for errors.",
    `  - The whitelist tester: ask it for ${two.name}, and for ${two.name.replace(/:.*/, "")}.evil.example.`,
    `The page is of ${one.name}'s sidecar; ${two.name}'s puts its spans into the same store.`,
  ];
}
