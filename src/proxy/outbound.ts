/**
 * Outbound: the own server → remote peers, as a forward proxy.
 *
 * The address that was checked is the address that is dialled: a name is resolved once, in discovery, and every address it
 * gives must be allowed, so a name that points into the operator's network (SSRF, DNS rebinding: CWE-918) leads nowhere.
 * A peer is whitelisted by the name that the own server knows it by, before any delegation.
 *
 * Not here: the forms of a request (outbound-target.ts), what is behind a name (discovery/), and the inside of tunnels
 * (intercept.ts).
 */

import { foldName, inBrackets } from "../core/host.ts";
import type { Destination, Found } from "../discovery/destination.ts";
import type { UpstreamAddress } from "../http1/upstream-connection.ts";
import type { UpstreamTls } from "../http1/upstream-tls.ts";
import type { Peer } from "../peer/identify.ts";
import { parseServerName, SERVER_NAME_LENGTH_MAX, type ServerName } from "../peer/server-name.ts";
import { parseXMatrixDestination } from "../peer/x-matrix.ts";
import type { Answer } from "./answers.ts";
import { readOutboundTarget } from "./outbound-target.ts";
import { createAdmission } from "./outbound-admission.ts";
import type { RequestFields } from "./request-fields.ts";
import type { Location, Side, Target } from "./side.ts";

/** TLS to whatever name a target must prove. */
export type TlsTo = (name: string) => UpstreamTls;

export interface OutboundOptions {
  /** Undefined: nobody is asked for one. */
  readonly sharedSecret: string | undefined;
  /** What a name stands for. Neither of the two rejects. */
  readonly discovery: {
    server(name: ServerName): Found | Promise<Found>;
    host(host: string, port: number): Found | Promise<Found>;
  };
  /** Loaded with the first use, or before; a failure rejects. */
  readonly tls: () => TlsTo | Promise<TlsTo>;
  /** Whether this is the way out itself. */
  readonly isOwnListener: (host: string, port: number) => boolean;
  /** Told of each target that is refused, in a word. */
  readonly onTargetRefused: (reason: string) => void;
}

/** What an operator is told of a target that leads nowhere; others have their code's own sentence. */
const SENTENCES: Readonly<Record<string, string>> = {
  address: "the target's address is not one that may be reached: see outbound.allow_networks",
  port: "the target's port belongs to another protocol: see outbound.allow_ports",
  loop: "the target is this proxy itself",
  "no-address": "the target's name has no address",
  dns: "the target's name can't be looked up at present",
  busy: "too many names are being looked up at present",
  timeout: "the target's name could not be looked up in time",
};

/** @param locate of `createLocate` with the same options */
export async function createOutbound(
  options: Pick<OutboundOptions, "sharedSecret">,
  locate: Side["locate"],
): Promise<Side> {
  const admit = await createAdmission(options.sharedSecret);
  return {
    direction: "outbound",
    readTarget: readOutboundTarget,
    admit,
    identify: identifyTarget,
    findClient: () => undefined,
    forwardedLines: () => "",
    locate,
  };
}

/**
 * The name before delegation: what the own server says it signs for, else what it asks for. None where that is longer than any
 * name, since it is remembered (peer-book.ts), of requests that are refused as well.
 */
export function identifyTarget(fields: RequestFields, _connection: unknown, target: Target): Peer {
  const signedFor = target.form === "https" ? parseXMatrixDestination(fields.authorization) : undefined;
  const { authority } = target;
  if (signedFor !== undefined) return { name: signedFor.name, proof: "claimed" };
  if (authority.length > SERVER_NAME_LENGTH_MAX) return { name: undefined, proof: "claimed" };
  // Without the dot of the root it is the same name; what is no server name, with a _ say, is one all the same.
  return { name: parseServerName(authority)?.name ?? authority.toLowerCase(), proof: "claimed" };
}

/** From a target to addresses, each checked, with the TLS name that they must prove. */
export function createLocate(options: Omit<OutboundOptions, "sharedSecret">): Side["locate"] {
  const { discovery, onTargetRefused } = options;
  /** By what discovery keeps, so that a destination's place is made once, and forgotten with it. */
  const plain = new WeakMap<Destination, Location>();
  const secured = new WeakMap<Destination, Location>();
  let tls: TlsTo | undefined;

  function ask({ form, authority, server }: Target): Found | Promise<Found> {
    const name = form === "federation" ? parseServerName(authority) : undefined;
    if (name !== undefined) return discovery.server(name);
    const { address = "", port = 0 } = server ?? {};
    const host = foldName(address);
    return discovery.host(inBrackets(host), port);
  }

  function refuse(code: Answer["code"], reason: string): Answer {
    onTargetRefused(reason);
    return { code, sentence: SENTENCES[reason], detail: reason };
  }

  function settle(found: Found, to: TlsTo | undefined, tlsName: string | undefined): Location | Answer {
    if ("code" in found) return refuse(found.code, found.reason);
    if (found.addresses.some(({ host, port }) => options.isOwnListener(host, port))) {
      return refuse("TARGET_REFUSED", "loop");
    }
    if (to !== undefined && tlsName !== undefined) return toLocation(found, to(tlsName));
    const known = (to === undefined ? plain : secured).get(found);
    if (known !== undefined) return known;
    const made = toLocation(found, to?.(found.tlsName));
    (to === undefined ? plain : secured).set(found, made);
    return made;
  }

  async function settleLater(
    found: Found | Promise<Found>,
    { tlsName, isSecured }: { readonly tlsName: string | undefined; readonly isSecured: boolean },
    done: (outcome: Location | Answer) => void,
  ): Promise<void> {
    const outcome = await found;
    if (isSecured && tls === undefined && !("code" in outcome)) {
      try {
        tls = await options.tls();
      } catch (error) {
        return done({ code: "INTERNAL", detail: String(error) });
      }
    }
    done(settle(outcome, isSecured ? tls : undefined, tlsName));
  }

  return (target, done) => {
    const isSecured = target.form === "https" || target.form === "federation";
    const { tlsName } = target;
    const found = ask(target);
    if (found instanceof Promise || (isSecured && tls === undefined)) {
      void settleLater(found, { tlsName, isSecured }, done);
    } else {
      done(settle(found, isSecured ? tls : undefined, tlsName));
    }
  };
}

/** Connections are shared by whoever asks for the same addresses under the same name. */
function toLocation(destination: Destination, tls: UpstreamTls | undefined): Location {
  const { hostHeader, step } = destination;
  const suffix = tls === undefined ? "" : ` ${tls.name}`;
  const addresses = destination.addresses.map(({ host, port }): UpstreamAddress => ({
    key: `${host} ${port}${suffix}`,
    host,
    port,
    ...(tls && { tls }),
  }));
  const key = addresses
    .map((address) => address.key)
    .toSorted()
    .join();
  const isDiscovered = step !== "host";
  return {
    place: { key, addresses },
    host: isDiscovered ? hostHeader : undefined,
    step: isDiscovered ? step : undefined,
  };
}
