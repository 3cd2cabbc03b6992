/** Where a request goes that was found inside a tunnel: to the tunnel's target, over TLS. */

import type { RequestHead } from "../http1/request-head.ts";
import type { Answer } from "./answers.ts";
import { identifyTarget } from "./outbound.ts";
import { refuseMethod } from "./outbound-target.ts";
import type { Side, Target } from "./side.ts";

/**
 * @param tunnel as CONNECT had it
 * @param tlsName what the client asked for by SNI, where it is another name than the tunnel's host
 * @param locate of the way out
 */
export function createTunnelSide(tunnel: Target, tlsName: string | undefined, locate: Side["locate"]): Side {
  return {
    direction: "outbound",
    readTarget: (head) => ({
      ...tunnel,
      form: "https",
      path: head.target,
      // HTTP/1.0 needs no Host, but the request leaves as one of HTTP/1.1, which does (RFC 9112 section 3.2).
      host: head.host === "" ? tunnel.authority.replace(/:443$/, "") : undefined,
      tlsName,
      refused: refuseInner(head),
    }),
    admit: () => undefined, // The tunnel was admitted as a whole.
    identify: identifyTarget,
    findClient: () => undefined,
    forwardedLines: () => "",
    locate,
  };
}

function refuseInner({ method, target }: RequestHead): Answer | undefined {
  if (target.startsWith("/") || target === "*") return refuseMethod(method);
  return (
    refuseMethod(method) ?? {
      code: "REQUEST_MALFORMED",
      sentence: "inside a tunnel a server is asked in origin-form: /path (RFC 9112 section 3.2.1)",
    }
  );
}
