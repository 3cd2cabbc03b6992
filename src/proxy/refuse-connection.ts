/** The answer to a request whose head can't be taken, or for which there is no room. */

import { REQUEST_REFUSALS, type RequestRefusal } from "../http1/refusals.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import { type Answer, formatAnswer } from "./answers.ts";

/** Answers and closes: what follows on the connection can't be told from the request that was refused. */
export function refuseConnection(
  reason: RequestRefusal | "head-timeout" | "connections",
  connection: ServerConnection,
): void {
  connection.outlet.text(formatAnswer(answerTo(reason), true, false));
  connection.close();
}

function answerTo(reason: RequestRefusal | "head-timeout" | "connections"): Answer {
  if (reason === "head-timeout") return { code: "HEAD_TIMEOUT" };
  return reason === "connections" ? { code: "CONNECTIONS_FULL" } : REQUEST_REFUSALS[reason];
}
