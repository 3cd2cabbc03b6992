/** From what an exchange knows at its end to its span, made for sampled requests only, and to a line in the book of peers. */

import type { ErrorCode } from "../core/errors.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { UpstreamAddress } from "../http1/upstream-connection.ts";
import type { Direction } from "../metrics/proxy-metrics.ts";
import type { Meeting } from "../peer/peer-book.ts";
import {
  type BorderFacts,
  type ClientFacts,
  type Endpoint,
  errorType,
  type ServerFacts,
} from "../span/conventions.ts";
import type { SpanDraft } from "../span/span-draft.ts";
import type { Crossing } from "./border.ts";
import type { Target } from "./side.ts";

export interface ExchangeFacts {
  readonly direction: Direction;
  readonly head: RequestHead;
  readonly target: Target;
  readonly route: string | undefined;
  readonly operation: string;
  readonly crossing: Crossing;
  readonly clientAddress: string;
  readonly clientPort: number | undefined;
  readonly userAgent: string | undefined;
  readonly startUnixMs: number;
  readonly startMs: number;
  readonly isUpgrade: boolean;
  /** Trace and baggage headers taken out so far. */
  removed: number;
  status: number | undefined;
  error: ErrorCode | undefined;
  /** Of the last connection that was opened. */
  upstream: UpstreamAddress | undefined;
  resendCount: number;
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
  };
}

export function toMeeting(
  { direction, crossing, removed, status, error }: ExchangeFacts,
  unixMs: number,
): Meeting {
  return {
    direction,
    isWhitelisted: crossing.isWhitelisted,
    proof: crossing.peer.proof,
    contextState: crossing.contextState,
    refusals: crossing.refusals,
    headersRemoved: removed,
    hasFailed: error !== undefined || (status ?? 0) >= 500,
    unixMs,
  };
}

function serverFacts(facts: ExchangeFacts): ServerFacts {
  const { head, target, crossing, clientAddress, clientPort } = facts;
  const { path, query } = splitQuery(target.path);
  // One literal, no spread: a copied shape is a new one to the engine, and every reader of it starts to guess.
  return {
    method: head.method,
    scheme: target.scheme,
    path,
    query,
    protocolVersion: head.isHttp10 ? "1.0" : "1.1",
    status: facts.status,
    error: facts.error,
    server: target.server,
    border: borderFacts(crossing, facts.removed),
    peer: clientAddress === "" ? undefined : { address: clientAddress, port: clientPort },
    route: facts.route,
    clientAddress: clientAddress === "" ? undefined : clientAddress,
    userAgent: facts.userAgent,
    resendCount: facts.resendCount,
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
    protocolVersion: head.isHttp10 ? "1.0" : "1.1",
    status: facts.status,
    error: facts.error,
    server: target.server,
    border: borderFacts(crossing, facts.removed),
    peer: remoteEnd(facts.upstream),
    authority: target.authority,
    resendCount: facts.resendCount,
  };
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

/** As it was dialled: a socket that has failed no longer knows. */
function remoteEnd(upstream: UpstreamAddress | undefined): Endpoint | undefined {
  if (upstream === undefined || !("host" in upstream)) return undefined;
  return { address: upstream.host, port: upstream.port };
}
