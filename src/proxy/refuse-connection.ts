/** The answer to a request whose head can't be taken, or for which there is no room. */

import type { ListenerRefusal } from "../http1/listener.ts";
import { REQUEST_REFUSALS } from "../http1/refusals.ts";
import type { ServerConnection } from "../http1/server-connection.ts";
import { type Answer, formatAnswer } from "./answers.ts";

/** Answers and closes: what follows on the connection can't be told from the request that was refused. */
export function refuseConnection(reason: ListenerRefusal, connection: ServerConnection): void {
  connection.outlet.text(formatAnswer(answerTo(reason), true, false));
  connection.close();
}

function answerTo(reason: ListenerRefusal): Answer {
  switch (reason) {
    case "head-timeout":
      return { code: "HEAD_TIMEOUT" };
    case "connections":
      return { code: "CONNECTIONS_FULL" };
    case "peer-connections":
      return { code: "PEER_CONNECTIONS_FULL" };
    default:
      return REQUEST_REFUSALS[reason];
  }
}
