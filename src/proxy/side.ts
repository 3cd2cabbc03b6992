/**
 * What tells the two directions apart, for the exchange: inbound.ts and outbound.ts each make one `Side`.
 * Every function of it is a step of exchange.ts, and none calls another.
 */

import type { ErrorCode } from "../core/errors.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import type { UpstreamPlace } from "../http1/upstream-pool.ts";
import type { Direction } from "../metrics/proxy-metrics.ts";
import type { Peer } from "../peer/identify.ts";
import type { Endpoint } from "../span/conventions.ts";
import type { Answer } from "./answers.ts";
import type { RequestFields } from "./request-fields.ts";

/** Where a request goes, from its head alone. */
export interface Target {
  /** The request target that the upstream is to see; the signed bytes of path and query are never changed. */
  readonly path: string;
  readonly scheme: "http" | "https";
  /** Host and port as the sender wrote them. */
  readonly authority: string;
  readonly server: Endpoint | undefined;
  /** The Host line to write in the place of what came; undefined keeps what came. */
  readonly host: string | undefined;
  /** Why it can't be forwarded. */
  readonly refused: Answer | undefined;
}

export interface Side {
  readonly direction: Direction;
  readTarget(head: RequestHead, connection: ServerConnection): Target;
  /** @returns why this client may not pass, or undefined */
  admit(fields: RequestFields): Answer | undefined;
  identify(fields: RequestFields, connection: ServerConnection, target: Target): Peer;
  /** Whole lines about the client for the upstream, each with its CRLF. */
  forwardedLines(head: RequestHead, connection: ServerConnection): string;
  /** Calls back once, now or later, with where to connect or why not. */
  locate(target: Target, done: (place: UpstreamPlace | ErrorCode) => void): void;
}
