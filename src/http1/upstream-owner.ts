/** What a connection to an upstream asks of those around it: whose it is, and who waits for it to open. */

import type { ErrorCode } from "../core/errors.ts";
import type { Deadlines } from "./deadlines.ts";
import type { FieldTable } from "./fields.ts";
import type { ConnectionLimits } from "./limits.ts";
import type { UpstreamAddress, UpstreamConnection } from "./upstream-connection.ts";

/** Whose connection it is (upstream-member.ts). */
export interface UpstreamOwner {
  readonly address: UpstreamAddress;
  readonly limits: ConnectionLimits;
  readonly fields: FieldTable;
  readonly deadlines: Deadlines;
  /** A connection is open, and secured where it speaks TLS. */
  onOpened(): void;
  onConnectFailure(code: ErrorCode): void;
  /** The head of a response came. */
  onAnswered(): void;
  /** A request got no response: the connection ended, or a time limit passed. Not told of an idle one that was closed. */
  onUnanswered(): void;
  /** The client owes a part of its body; told again and again. */
  onBodyAwaited(connection: UpstreamConnection): void;
  onBodyDone(connection: UpstreamConnection): void;
  onReleased(connection: UpstreamConnection): void;
  /** Once, whatever became of it; for a detached one when its socket closes. */
  onClosed(connection: UpstreamConnection): void;
}

/** Who waits for it to open. One of the two is called, once, unless it is destroyed before. */
export interface UpstreamConnector {
  onConnect(connection: UpstreamConnection): void;
  /** @param detail the system's or OpenSSL's word for it, for the log; undefined for a time limit */
  onConnectFailure(connection: UpstreamConnection, code: ErrorCode, detail: string | undefined): void;
}
