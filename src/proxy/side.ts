/**
 * What tells the two directions apart, for the exchange: inbound.ts and outbound.ts each make one `Side`, intercept.ts one
 * for each tunnel that it looks into. Every function of it is a step of exchange.ts, and none calls another.
 */

import type { RequestHead } from "../http1/request-head.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import type { UpstreamPlace } from "../http1/upstream-pool.ts";
import type { Direction } from "../metrics/proxy-metrics.ts";
import type { Peer } from "../peer/identify.ts";
import type { Endpoint } from "../span/conventions.ts";
import type { Answer } from "./answers.ts";
import type { Client } from "./client.ts";
import type { RequestFields } from "./request-fields.ts";

/**
 * How a request says where it goes. `origin`: to the own server. `http`, `https`: absolute-form, or what was found inside a
 * tunnel. `federation`: `matrix-federation://`, a Matrix server name that is yet to be discovered. `tunnel`: CONNECT.
 */
export type TargetForm = "origin" | "http" | "https" | "federation" | "tunnel";

/** Where a request goes, from its head alone. */
export interface Target {
  readonly form: TargetForm;
  /** The request target that the upstream is to see; the signed bytes of path and query are never changed. */
  readonly path: string;
  readonly scheme: "http" | "https";
  /** Host and port as the sender wrote them. */
  readonly authority: string;
  /** With the port that the form implies where none is written. */
  readonly server: Endpoint | undefined;
  /** The Host line to write in the place of what came; undefined keeps what came, unless discovery says another. */
  readonly host: string | undefined;
  /** What the server's certificate must be for, where that is another name than `server`'s. */
  readonly tlsName?: string | undefined;
  /** Why it can't be forwarded. */
  readonly refused: Answer | undefined;
}

/** Where to connect, every address of it checked. */
export interface Location {
  readonly place: UpstreamPlace;
  /** The Host line that discovery decided on; undefined leaves it to the target. */
  readonly host: string | undefined;
  /** Which step of Matrix's server discovery led here; undefined where there was none to do. */
  readonly step: string | undefined;
}

export interface Side {
  readonly direction: Direction;
  readTarget(head: RequestHead, connection: ServerConnection): Target;
  /** @returns the client as a proxy in front tells it; undefined: it is who the connection says */
  findClient(head: RequestHead, connection: ServerConnection): Client | undefined;
  /** @returns why this client may not pass, or undefined */
  admit(fields: RequestFields): Answer | undefined;
  identify(
    fields: RequestFields,
    connection: ServerConnection,
    target: Target,
    client: Client | undefined,
  ): Peer;
  /** Whole lines about the client for the upstream, each with its CRLF. */
  forwardedLines(head: RequestHead, connection: ServerConnection, client: Client | undefined): string;
  /** Calls back once, now or later, with where to connect or why not. */
  locate(target: Target, done: (found: Location | Answer) => void): void;
}
