/** An upstream's address as an operator writes it: what a metric names it by. */

import { formatHostPort } from "../core/host.ts";
import type { UpstreamAddress } from "./upstream-connection.ts";

/** `192.0.2.1:8008`, or `unix:` and the socket's path. */
export function upstreamLabel(address: UpstreamAddress): string {
  return "host" in address ? formatHostPort(address) : `unix:${address.path}`;
}
