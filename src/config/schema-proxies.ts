/** Options of the way in about proxies that stand in front: whose word counts, and how they give it. */

import { parseNetwork } from "./addresses.ts";
import type { Parsed } from "./fault.ts";
import { defaulted, list } from "./schema-option.ts";
import { flag, text } from "./schema-values.ts";

/** Content delivery networks publish some twenty ranges. */
const PROXIES_MAX = 1000;

/** Who connects to a unix socket has no address. */
export const UNIX_CLIENTS = "unix:";

const proxy = text(
  "a network such as 10.0.0.0/8 or 'fd00::/8', one address, or unix:",
  (written): Parsed<string> => {
    if (written === UNIX_CLIENTS) return { value: written };
    return written.startsWith(UNIX_CLIENTS)
      ? { refused: "names a socket, while clients of one have no name" }
      : parseNetwork(written);
  },
);

export const trustedProxies = defaulted(list(proxy, PROXIES_MAX), [], {
  reload: "live",
  doc: "Proxies in front, by the addresses that they connect from; `'unix:'` (in quotes) stands for clients of a listener on a unix socket. What they say of a client is believed, by `Forwarded`, by `X-Forwarded-For`, `-Proto` and `-Host`, and with `proxy_protocol`; nobody else's word is. The client is the first address, from the right, that is not in this list. It is the one that `identify: [address]`, `authenticate: network`, the span and the `X-Forwarded-*` lines for the own server go by; an address that is in the list, and no client's as told by a proxy, proves no name. Where both kinds of headers are there, only what both say is believed, and where they differ, or are malformed, nothing is: see [behind another proxy](guides/behind-another-proxy.md). `limits.connections_per_peer` does not bound these addresses. **Danger:** whoever connects from here can speak for any address, so list the proxies alone, and let them set or remove these headers.",
  example: "[127.0.0.1, 10.0.0.0/8, 'unix:']",
});

export const proxyProtocol = defaulted(flag(), false, {
  reload: "restart",
  doc: "Connections of `trusted_proxies` begin with a PROXY protocol header, version 1 or 2, before TLS (`send-proxy` and `send-proxy-v2` of haproxy, `proxy_protocol on` of nginx's stream module). Without one, or with a malformed one, they are closed. Connections of everybody else are read without it. The client that it names is the one that `limits.connections_per_peer` counts. It says nothing of TLS in front.",
});
