/**
 * What is sent, when and by whom, for a seed: a pure sequence, whatever the answers and the clock are.
 *
 * Arrivals are a Poisson process: gaps are exponential, as those of many senders that know nothing of each other.
 * ```
 *   from peers:  peer1.example … peerN.example, the k-th 1/k as busy as the first; one in ten is a stranger's
 *   to peers:    the own server's, in absolute form, all for one target
 * ```
 * Not here: sending (sender.ts) and pace (open-loop.ts). Signatures are placeholders: they prove nothing.
 */

import type { Random } from "../core/random.ts";
import { CAPTURED_MIX, type Direction, type MixRow } from "./captured-mix.ts";
import { createPicker } from "./chance.ts";
import { fillPath } from "./fillers.ts";
import { createTraceLines, type TraceShare } from "./trace-lines.ts";

export interface PlannedRequest {
  /** Since the run's start. */
  readonly dueMs: number;
  readonly direction: Direction;
  readonly method: MixRow["method"];
  readonly route: string;
  /** The request target: a path, or for the way out an absolute URL. */
  readonly target: string;
  /** Names as Synapse writes them. */
  readonly headers: Readonly<Record<string, string>>;
  /** ASCII; empty where the request has none. */
  readonly body: string;
}

/** At least one of `inbound` and `outbound`; with both, every other request is for each. */
export interface PlanOptions {
  readonly ratePerSecond: number;
  readonly peers: number;
  readonly trace: TraceShare;
  /** What peers address the own server by: the listener's `host:port`. */
  readonly inbound: { readonly authority: string } | undefined;
  readonly outbound:
    | {
        /** `host:port` of the peer that all is for. */
        readonly target: string;
        /** Of the way out. */
        readonly secret: string | undefined;
      }
    | undefined;
}

/** As captured. */
const USER_AGENT = "Synapse/1.163.2";
/** Of the right length: 64 bytes in unpadded base64. */
const PLACEHOLDER_SIGNATURE = "A".repeat(86);
/** Whose name the own server's requests have. */
const OWN_NAME = "own.example";
/** No whitelist that names peers has these. */
const STRANGERS = ["stranger1.example", "stranger2.example", "stranger3.example"];
const STRANGERS_SHARE = 0.1;

/** Never ends. */
export function* planRequests(
  options: PlanOptions,
  random: Random,
): Generator<PlannedRequest, never, undefined> {
  const makers = [
    ...(options.inbound === undefined ? [] : [fromPeers(options, options.inbound.authority, random)]),
    ...(options.outbound === undefined ? [] : [toPeers(options, options.outbound, random)]),
  ];
  let dueMs = 0;
  for (let index = 0; ; index++) {
    dueMs += (-Math.log(1 - random.fraction()) * 1000) / options.ratePerSecond;
    const make = makers[index % makers.length];
    if (make === undefined) throw new Error("a plan needs a listener to send to");
    yield { dueMs, ...make() };
  }
}

type MakeRequest = () => Omit<PlannedRequest, "dueMs">;

function fromPeers({ peers, trace }: PlanOptions, authority: string, random: Random): MakeRequest {
  const names = Array.from({ length: peers }, (_, index) => `peer${index + 1}.example`);
  const pickPeer = createPicker(names, (_, index) => 1 / (index + 1));
  const pickStranger = createPicker(STRANGERS, () => 1);
  const pickRow = createPicker(CAPTURED_MIX, ({ weight }) => weight.in);
  const nextTrace = createTraceLines(trace, random);
  return () => {
    const row = pickRow(random.fraction());
    const pickName = random.fraction() < STRANGERS_SHARE ? pickStranger : pickPeer;
    const origin = pickName(random.fraction());
    const target = fillPath(row.path, random, origin);
    const body = bodyOf(row, random);
    const headers = headersOf(row, { origin, destination: authority, body, trace: nextTrace() });
    return { direction: "in", method: row.method, route: row.route, target, headers, body };
  };
}

function toPeers(
  { trace }: PlanOptions,
  { target: destination, secret }: NonNullable<PlanOptions["outbound"]>,
  random: Random,
): MakeRequest {
  const pickRow = createPicker(CAPTURED_MIX, ({ weight }) => weight.out);
  const nextTrace = createTraceLines(trace, random);
  const credentials = secret === undefined ? {} : { "Proxy-Authorization": `Bearer ${secret}` };
  return () => {
    const row = pickRow(random.fraction());
    const target = `http://${destination}${fillPath(row.path, random, destination)}`;
    const body = bodyOf(row, random);
    const headers = headersOf(row, { origin: OWN_NAME, destination, body, trace: nextTrace() });
    return {
      direction: "out",
      method: row.method,
      route: row.route,
      target,
      headers: { ...headers, ...credentials },
      body,
    };
  };
}

interface HeaderParts {
  readonly origin: string;
  readonly destination: string;
  readonly body: string;
  readonly trace: Readonly<Record<string, string>>;
}

function headersOf(row: MixRow, { origin, destination, body, trace }: HeaderParts): Record<string, string> {
  const content: Record<string, string> =
    body === "" ? {} : { "Content-Length": String(body.length), "Content-Type": "application/json" };
  if (row.isBare === true) return { ...content, "User-Agent": USER_AGENT, Host: destination };
  const authorization = `X-Matrix origin="${origin}",key="ed25519:loadgen",sig="${PLACEHOLDER_SIGNATURE}",destination="${destination}"`;
  return { ...content, ...trace, "User-Agent": USER_AGENT, Authorization: authorization, Host: destination };
}

/** JSON of one of the row's sizes, so that a server can read it. */
function bodyOf({ bodyBytes }: MixRow, random: Random): string {
  const bytes = bodyBytes[Math.floor(random.fraction() * bodyBytes.length)];
  if (bytes === undefined) return "";
  const [before, after] = ['{"placeholder":"', '"}'];
  return before + "x".repeat(bytes - before.length - after.length) + after;
}
