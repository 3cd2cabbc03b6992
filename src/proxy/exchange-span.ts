/** From what an exchange knows at its end to its span, made for sampled requests only, and to a line in the book of peers. */

import type { ErrorCode } from "../core/errors.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { UpstreamAddress } from "../http1/upstream-connection.ts";
import type { Direction } from "../metrics/proxy-metrics.ts";
import type { Meeting } from "../peer/peer-book.ts";
import type { ProofRefusal } from "../proof/prover.ts";
import type { TraceContext } from "../propagation/context.ts";
import {
  type BorderFacts,
  type ClientFacts,
  type Endpoint,
  errorType,
  type SamplingFacts,
  type ServerFacts,
} from "../span/conventions.ts";
import type { SpanEvent, SpanLink } from "../span/record.ts";
import type { SpanDraft } from "../span/span-draft.ts";
import { parseAuthority } from "./authority.ts";
import type { Crossing } from "./border.ts";
import type { Client } from "./client.ts";
import type { Target } from "./side.ts";

export interface ExchangeFacts {
  readonly direction: Direction;
  readonly head: RequestHead;
  readonly target: Target;
  readonly route: string | undefined;
  readonly operation: string;
  /** With the ids of the attempt that is under way. */
  crossing: Crossing;
  /** Why the signature that came proves nothing; undefined where it does, or was not looked at. */
  readonly proofRefusal: ProofRefusal | undefined;
  /** As a trusted proxy tells it; undefined: it is who the connection says. */
  readonly client: Client | undefined;
  /** The client's, as well as it is known; "" on a unix socket. */
  readonly clientAddress: string;
  /** The socket's other end, which may be a proxy. */
  readonly peerAddress: string;
  readonly peerPort: number | undefined;
  readonly userAgent: string | undefined;
  /** Of the attempt that is under way, on both clocks. */
  startUnixMs: number;
  startMs: number;
  readonly isUpgrade: boolean;
  /** Names the transaction that this is an attempt of (resends.ts); undefined for all other requests. */
  readonly transaction: string | undefined;
  /** Trace and baggage headers taken out so far. */
  removed: number;
  status: number | undefined;
  error: ErrorCode | undefined;
  /** Of the last connection that was opened. */
  upstream: UpstreamAddress | undefined;
  /** How often it was sent, or was to be sent, before. */
  resendCount: number;
  /** The span of the attempt before, where there was one and it was recorded. */
  previous: TraceContext | undefined;
  /** What this attempt's destination was given in the place of our ids; undefined where it was given ours, or nothing. */
  sent: TraceContext | undefined;
  /** What came before the request was sent; undefined where nothing of it took time. */
  located: Located | undefined;
  opened: OpenTimes | undefined;
  /** Trace contexts in the body. */
  bodyContexts: number;
  tunnel: ClientFacts["tunnel"];
  /** Its request is counted: it became a tunnel or a WebSocket. */
  isCounted: boolean;
  /** Of the answer's body, without its framing. */
  responseBytes: number;
  /** Of the request's body as it was sent on, framing and all. */
  requestBytes: number;
  /** Events of a Matrix transaction, where somebody counts them. */
  units: { readonly pdus: number; readonly edus: number } | undefined;
}

/** How a Matrix server name became addresses. */
interface Located {
  readonly step: string;
  /** Nothing was asked for it. */
  readonly isCached: boolean;
  /** Monotonic, as `startMs`. */
  readonly doneMs: number;
}

/** Of a connection that was made for this request, on the monotonic clock. */
interface OpenTimes {
  readonly beganMs: number;
  readonly connectedMs: number | undefined;
  readonly securedMs: number | undefined;
}

export function toSpanDraft(facts: ExchangeFacts, endUnixMs: number): SpanDraft {
  const { crossing } = facts;
  const isInbound = facts.direction === "inbound";
  return {
    name: facts.operation,
    context: crossing.context,
    parent: crossing.parent,
    startUnixMs: facts.startUnixMs,
    endUnixMs,
    error: errorType(isInbound ? "server" : "client", facts.status, facts.error),
    server: isInbound ? serverFacts(facts) : undefined,
    client: isInbound ? undefined : clientFacts(facts),
    isKnown: crossing.isSenderTrusted,
    links: linksOf(facts),
    events: isInbound ? NO_EVENTS : eventsOf(facts),
  };
}

const NO_LINKS: readonly SpanLink[] = [];
const NO_EVENTS: readonly SpanEvent[] = [];
/** Why one span links to another. */
const RESEND = { "fedtrace.link": "resend" } as const;
const PER_PEER = { "fedtrace.link": "per_peer" } as const;

function linksOf({ previous, sent }: ExchangeFacts): readonly SpanLink[] {
  if (previous === undefined && sent === undefined) return NO_LINKS;
  const links: SpanLink[] = [];
  if (previous !== undefined) links.push({ context: previous, attributes: RESEND });
  if (sent !== undefined) links.push({ context: sent, attributes: PER_PEER });
  return links;
}

/** One at the end of each thing that had to be waited for, with how long it took. */
function eventsOf({ startUnixMs, startMs, located, opened }: ExchangeFacts): readonly SpanEvent[] {
  const events: SpanEvent[] = [];
  const add = (name: string, fromMs: number, toMs: number, more: SpanEvent["attributes"] = {}): void => {
    const attributes = { "fedtrace.duration_ms": Math.round((toMs - fromMs) * 1000) / 1000, ...more };
    events.push({ name, unixMs: startUnixMs + toMs - startMs, attributes });
  };
  if (located !== undefined) {
    const { step, isCached, doneMs } = located;
    add("fedtrace.discovery", startMs, doneMs, {
      "fedtrace.discovery.step": step,
      "fedtrace.discovery.cached": isCached,
    });
  }
  if (opened?.connectedMs !== undefined) {
    const { beganMs, connectedMs, securedMs } = opened;
    add("fedtrace.connect", beganMs, connectedMs);
    if (securedMs !== undefined) add("fedtrace.tls", connectedMs, securedMs);
  }
  return events;
}

export function toMeeting(facts: ExchangeFacts, unixMs: number): Meeting {
  const { direction, crossing, removed, bodyContexts } = facts;
  return {
    direction,
    isWhitelisted: crossing.isWhitelisted,
    proof: crossing.peer.proof,
    contextState: crossing.contextState,
    refusals: crossing.refusals,
    headersRemoved: removed,
    bodyContexts,
    hasFailed: hasFailed(facts),
    unixMs,
  };
}

/** Whether the peer, or who stands between, failed: what the one asked for wrongly is no failure of the other. */
export function hasFailed({ status, error }: ExchangeFacts): boolean {
  return error !== undefined || (status ?? 0) >= 500;
}

function serverFacts(facts: ExchangeFacts): ServerFacts {
  const { head, target, crossing, client, clientAddress, peerAddress, peerPort } = facts;
  const { path, query } = splitQuery(target.path);
  // One literal, no spread: a copied shape is a new one to the engine, and every reader of it starts to guess.
  return {
    method: head.method,
    scheme: client?.scheme ?? target.scheme,
    path,
    query,
    protocolVersion: protocolVersion(head),
    status: facts.status,
    error: facts.error,
    server: client?.host === undefined ? target.server : parseAuthority(client.host),
    border: borderFacts(crossing, facts.removed),
    sampling: samplingFacts(crossing),
    peer: peerAddress === "" ? undefined : { address: peerAddress, port: peerPort },
    route: facts.route,
    clientAddress: clientAddress === "" ? undefined : clientAddress,
    userAgent: facts.userAgent,
    proofRefusal: facts.proofRefusal,
    resendCount: facts.resendCount,
    bodyContexts: facts.bodyContexts,
  };
}

function clientFacts(facts: ExchangeFacts): ClientFacts {
  const { head, target, crossing } = facts;
  const { path, query } = splitQuery(target.path);
  return {
    method: head.method,
    scheme: target.scheme,
    path,
    query,
    protocolVersion: protocolVersion(head),
    status: facts.status,
    error: facts.error,
    server: target.server,
    border: borderFacts(crossing, facts.removed),
    sampling: samplingFacts(crossing),
    peer: remoteEnd(facts.upstream),
    authority: target.authority,
    resendCount: facts.resendCount,
    tunnel: facts.tunnel,
    peerTraceId: facts.sent?.traceId,
    bodyContexts: facts.bodyContexts,
  };
}

/** `network.protocol.version` */
export function protocolVersion({ isHttp10 }: RequestHead): string {
  return isHttp10 ? "1.0" : "1.1";
}

function splitQuery(path: string): { readonly path: string; readonly query: string | undefined } {
  const at = path.indexOf("?");
  return at === -1 ? { path, query: undefined } : { path: path.slice(0, at), query: path.slice(at + 1) };
}

function borderFacts(crossing: Crossing, headersRemoved: number): BorderFacts {
  return {
    peerName: crossing.peer.name,
    proof: crossing.peer.proof,
    isWhitelisted: crossing.isWhitelisted,
    context: crossing.contextState,
    headersRemoved,
  };
}

function samplingFacts({ asked, decision, parent }: Crossing): SamplingFacts {
  // One that is kept later (store/tail-buffer.ts) was not taken by the sampler, and is not to be counted as such.
  const isTaken = parent === undefined && decision.isSampled;
  return { asked, decided: decision.by, sampler: isTaken ? decision.verdict : undefined };
}

/** As it was dialled: a socket that has failed no longer knows. */
function remoteEnd(upstream: UpstreamAddress | undefined): Endpoint | undefined {
  if (upstream === undefined || !("host" in upstream)) return undefined;
  return { address: upstream.host, port: upstream.port };
}
