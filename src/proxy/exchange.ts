/**
 * One exchange: the life of one proxied request, from its head to the end of its span.
 *
 * `openExchange` is the whole order of the steps that need the head alone; no step calls the next one. A request whose body is
 * needed to know who sent it is held until that is there (held-request.ts). From then on a `Forward`, or for CONNECT a `Tunnel`,
 * stands between two connections and hands on what either delivers:
 *
 * ```
 *   client ──head──► arrival ──► standing ──► exchange ──► locate ──► upstream: head, body ──► response ──► end
 *                       │            └─► held ──► ▲ │         │ 403 502        │ 502 503 504     │ broken off: the client
 *                       └── 400 403 407 501 ────────┴─────────┴── own answer ──┴─────────────────┴──► span ends, once
 * ```
 * Not here: what each step does, and the bytes on the wire (http1/).
 */

import type { Clock } from "../core/clock.ts";
import { unmapped } from "../core/host.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { FieldTable } from "../http1/fields.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { RequestHandler, ServerConnection } from "../http1/server-connection.ts";
import type { UpstreamPool } from "../http1/upstream-pool.ts";
import type { ProxyMetrics } from "../metrics/proxy-metrics.ts";
import type { TrafficMetrics } from "../metrics/traffic-metrics.ts";
import type { PeerBook } from "../peer/peer-book.ts";
import type { Prover } from "../proof/prover.ts";
import type { MatchRoute } from "../span/routes.ts";
import type { SpanIntake } from "../span/span-draft.ts";
import { spanName } from "../span/span-name.ts";
import type { Answer } from "./answers.ts";
import { type BorderPolicy, crossBorder } from "./border.ts";
import type { Client } from "./client.ts";
import { DEBUG_PASS_FIELD } from "./field-tags.ts";
import { noteExchange } from "./exchange-end.ts";
import type { ExchangeFacts } from "./exchange-span.ts";
import type { ForeignTraces } from "./foreign-traces.ts";
import { Forward } from "./forward.ts";
import { HeldRequest, type HeldRequests } from "./held-request.ts";
import { readRequestFields, type RequestFields } from "./request-fields.ts";
import { type Resends, transactionOf } from "./resends.ts";
import type { Location, Side, Target } from "./side.ts";
import { type ProofNotes, settleStanding, type Standing, standingOf } from "./standing.ts";
import { Tunnel } from "./tunnel.ts";
import type { UsageCounts } from "./usage-counts.ts";

/** What every exchange of one listener is given. */
export interface ExchangeContext {
  readonly side: Side;
  /** Replaced as a whole by a reload; an open exchange keeps what it began with. */
  policy: BorderPolicy;
  readonly matchRoute: MatchRoute;
  readonly pool: UpstreamPool;
  readonly fields: FieldTable;
  readonly random: Random;
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
  /** Undefined where metrics are off. */
  readonly traffic: TrafficMetrics | undefined;
  /** Counts for usage reports; undefined where they are off. */
  readonly usage: UsageCounts | undefined;
  readonly peers: PeerBook;
  readonly resends: Resends;
  readonly foreignTraces: ForeignTraces;
  readonly spans: SpanIntake;
  /** Throttled: what peers cause goes into it. */
  readonly log: Log;
  readonly isDraining: () => boolean;
  readonly tunnelIdleMs: number;
  /** Checks signatures; undefined on the way out, and where no name needs as much. */
  readonly prover: Prover | undefined;
  /** Of all listeners. */
  readonly held: HeldRequests;
  readonly proofs: ProofNotes;
  /** Takes tunnels over whose inside is to be seen; undefined where there are none. */
  readonly intercept: Intercept | undefined;
}

/** Who looks into tunnels (intercept.ts). */
export interface Intercept {
  /** Whether this tunnel is one to look into. */
  isMeant(target: Target): boolean;
  /** @param connection which asked for the tunnel, and was answered nothing yet; it is the taker's from now on */
  take(connection: ServerConnection, target: Target): void;
}

/** A request of which the head alone is known. */
export interface Arrival {
  readonly head: RequestHead;
  readonly connection: ServerConnection;
  readonly target: Target;
  readonly fields: RequestFields;
  /** As a trusted proxy tells it; undefined: it is who the connection says. */
  readonly client: Client | undefined;
  /** Why it is answered here, whoever sent it. */
  readonly refused: Answer | undefined;
  /** Whether its sender may use this side at all. */
  readonly isAdmitted: boolean;
  readonly startUnixMs: number;
  readonly startMs: number;
}

/** Begins an exchange. @returns who takes the rest of the request; undefined where it is answered already */
export function openExchange(
  context: ExchangeContext,
  head: RequestHead,
  connection: ServerConnection,
): RequestHandler | undefined {
  const arrival = readArrival(context, head, connection);
  const standing = standingOf(context, arrival);
  if (standing.bodyCheck !== undefined) return holdRequest(context, arrival, standing);
  const exchange = createExchange(context, arrival, standing);
  startExchange(context, arrival, exchange);
  return exchange.isOver ? undefined : exchange;
}

function readArrival(context: ExchangeContext, head: RequestHead, connection: ServerConnection): Arrival {
  const { side, clock } = context;
  const startUnixMs = clock.unixMs();
  const startMs = clock.monotonicMs();
  const target = side.readTarget(head, connection);
  const isInbound = side.direction === "inbound";
  const fields = readRequestFields(head, { isForwardedCut: isInbound, isHostCut: target.host !== undefined });
  const client = side.findClient(head, connection);
  const barred = side.admit(fields);
  const refused = barred ?? target.refused;
  return {
    head,
    connection,
    target,
    fields,
    client,
    refused,
    isAdmitted: barred === undefined,
    startUnixMs,
    startMs,
  };
}

/** Until its body is there: nothing of it leaves before. */
function holdRequest(context: ExchangeContext, arrival: Arrival, standing: Standing): RequestHandler {
  const { bodyCheck = () => undefined, peer } = standing;
  return new HeldRequest({
    requests: context.held,
    bodyLength: arrival.head.bodyLength,
    bytesMax: context.policy.authenticateBodyMax,
    check: bodyCheck,
    open(refusal) {
      const exchange = createExchange(context, arrival, settleStanding(context, peer, refusal));
      return {
        handler: exchange,
        get isOver() {
          return exchange.isOver;
        },
        start: () => startExchange(context, arrival, exchange),
      };
    },
  });
}

/** All that the head decides, once it is known who sent it. */
function createExchange(context: ExchangeContext, arrival: Arrival, standing: Standing): Exchange {
  const { side, metrics } = context;
  const { direction } = side;
  const { head, connection, target, fields, client } = arrival;
  const { peer } = standing;
  const isInbound = direction === "inbound";
  const route = context.matchRoute(head.method, target.path);
  const operation = spanName(head.method, route);
  const crossing = crossBorder(
    context,
    direction,
    { peer, fields, isAdmitted: arrival.refused === undefined, startMs: arrival.startMs },
    operation,
  );
  if (fields.removed > 0) metrics.removed[direction].add(fields.removed);

  const transaction = isInbound ? undefined : transactionOf(head.method, target.path, peer.name);
  const before = transaction === undefined ? undefined : context.resends.find(transaction);
  const facts: ExchangeFacts = {
    direction,
    head,
    target,
    route,
    operation,
    crossing,
    client,
    proofRefusal: standing.refusal,
    clientAddress: client?.address ?? unmapped(connection.clientAddress),
    peerAddress: connection.peerAddress,
    peerPort: connection.socket.remotePort,
    userAgent: fields.userAgent,
    startUnixMs: arrival.startUnixMs,
    startMs: arrival.startMs,
    removed: fields.removed,
    isUpgrade: fields.upgrade !== undefined,
    transaction,
    status: undefined,
    error: undefined,
    upstream: undefined,
    resendCount: before?.count ?? 0,
    previous: before?.context,
    sent: undefined,
    located: undefined,
    opened: undefined,
    bodyContexts: 0,
    tunnel: undefined,
    isCounted: false,
    responseBytes: 0,
    requestBytes: 0,
    units: undefined,
  };
  if (target.form === "tunnel") return new Tunnel(context, connection, facts);
  noteExchange(metrics, facts); // A tunnel that is looked into has no span of its own.
  const lines =
    fields.framing +
    (fields.upgrade === undefined ? "" : "connection: Upgrade\r\n") +
    (crossing.mayInject && !isInbound && fields.debugPass !== undefined
      ? `${DEBUG_PASS_FIELD}: ${fields.debugPass}\r\n`
      : "") +
    side.forwardedLines(head, connection, client);
  return new Forward(context, connection, facts, { cuts: fields.cuts, lines });
}

/** Answers what is refused; all else is sent to where it goes. */
function startExchange(context: ExchangeContext, { target, refused }: Arrival, exchange: Exchange): void {
  if (refused !== undefined) return exchange.answer(refused);
  const { facts } = exchange;
  let isAtOnce = true;
  context.side.locate(target, (found) => {
    if ("code" in found) return exchange.answer(found);
    if (found.step !== undefined) {
      facts.located = { step: found.step, isCached: isAtOnce, doneMs: context.clock.monotonicMs() };
    }
    // The head is written there, and the context last of all (contract rule 9): nothing after it can take it away.
    exchange.send(found);
  });
  isAtOnce = false;
  exchange.isOpening = false;
}

/** What `openExchange` asks of either. */
export interface Exchange extends RequestHandler {
  readonly facts: ExchangeFacts;
  readonly isOver: boolean;
  isOpening: boolean;
  answer(answer: Answer): void;
  send(located: Location): void;
}
