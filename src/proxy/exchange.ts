/**
 * One exchange: the life of one proxied request, from its head to the end of its span.
 *
 * `openExchange` is the whole order of the steps that need the head alone; no step calls the next one. From then
 * on a `Forward`, or for CONNECT a `Tunnel`, stands between two connections and hands on what either delivers:
 *
 * ```
 *   client ──head──► openExchange ──► locate ──► upstream: head, body ──► response head ──► body ──► end
 *                        │ 400 403 407 501   │ 403 502       │ 502 503 504        │ broken off: the client sees it
 *                        └───────────────────┴───────────────┴── own answer ──────┴──► span ends, once
 * ```
 * Not here: what each step does, and the bytes on the wire (http1/).
 */

import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { FieldTable } from "../http1/fields.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { RequestHandler, ServerConnection } from "../http1/server-connection.ts";
import type { UpstreamPool } from "../http1/upstream-pool.ts";
import type { ProxyMetrics } from "../metrics/proxy-metrics.ts";
import type { Peer } from "../peer/identify.ts";
import type { PeerBook } from "../peer/peer-book.ts";
import type { MatchRoute } from "../span/routes.ts";
import type { SpanIntake } from "../span/span-draft.ts";
import { spanName } from "../span/span-name.ts";
import type { Answer } from "./answers.ts";
import { type BorderPolicy, crossBorder } from "./border.ts";
import { noteExchange } from "./exchange-end.ts";
import type { ExchangeFacts } from "./exchange-span.ts";
import { Forward } from "./forward.ts";
import { readRequestFields } from "./request-fields.ts";
import { type Resends, transactionOf } from "./resends.ts";
import type { Location, Side, Target } from "./side.ts";
import { Tunnel } from "./tunnel.ts";

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
  readonly peers: PeerBook;
  readonly resends: Resends;
  readonly spans: SpanIntake;
  /** Throttled: what peers cause goes into it. */
  readonly log: Log;
  readonly isDraining: () => boolean;
  readonly tunnelIdleMs: number;
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

const NOBODY: Peer = { name: undefined, proof: "none" };

/** Begins an exchange. @returns who takes the rest of the request; undefined where it is answered already */
export function openExchange(
  context: ExchangeContext,
  head: RequestHead,
  connection: ServerConnection,
): RequestHandler | undefined {
  const { side, metrics } = context;
  const { direction } = side;
  const startUnixMs = context.clock.unixMs();
  const startMs = context.clock.monotonicMs();

  const target = side.readTarget(head, connection);
  const isInbound = direction === "inbound";
  const fields = readRequestFields(head, { isForwardedCut: isInbound, isHostCut: target.host !== undefined });
  const barred = side.admit(fields);
  const refused = barred ?? target.refused;
  // Who may not use this side does not fill the books of peers and transactions with names either.
  const peer = barred === undefined ? side.identify(fields, connection, target) : NOBODY;
  const route = context.matchRoute(head.method, target.path);
  const operation = spanName(head.method, route);
  const crossing = crossBorder(
    context,
    direction,
    { peer, fields, isAdmitted: refused === undefined },
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
    clientAddress: connection.clientAddress,
    clientPort: connection.socket.remotePort,
    userAgent: fields.userAgent,
    startUnixMs,
    startMs,
    removed: fields.removed,
    isUpgrade: fields.upgrade !== undefined,
    transaction,
    status: undefined,
    error: undefined,
    upstream: undefined,
    resendCount: before?.count ?? 0,
    previous: before?.context,
    located: undefined,
    opened: undefined,
    bodyContexts: 0,
    tunnel: undefined,
  };
  if (target.form !== "tunnel") noteExchange(metrics, facts); // One that is looked into has no span of its own.
  const lines =
    fields.framing +
    (fields.upgrade === undefined ? "" : "connection: Upgrade\r\n") +
    side.forwardedLines(head, connection);
  const exchange =
    target.form === "tunnel"
      ? new Tunnel(context, connection, facts)
      : new Forward(context, connection, facts, { cuts: fields.cuts, lines });

  if (refused !== undefined) {
    exchange.answer(refused);
    return undefined;
  }
  let isAtOnce = true;
  side.locate(target, (found) => {
    if ("code" in found) return exchange.answer(found);
    if (found.step !== undefined) {
      facts.located = { step: found.step, isCached: isAtOnce, doneMs: context.clock.monotonicMs() };
    }
    // The head is written there, and the context last of all (contract rule 9): nothing after it can take it away.
    exchange.send(found);
  });
  isAtOnce = false;
  exchange.isOpening = false;
  return exchange.isOver ? undefined : exchange;
}

/** What `openExchange` asks of either. */
export interface Exchange extends RequestHandler {
  readonly isOver: boolean;
  isOpening: boolean;
  answer(answer: Answer): void;
  send(located: Location): void;
}
