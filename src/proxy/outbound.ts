/**
 * Outbound: the own server → remote peers, as a forward proxy for absolute-form `http://` targets.
 *
 * The address that was checked is the address that is dialled: a name is resolved here, once, and every address
 * it gives must be allowed, so a name that points into the operator's network (SSRF, DNS rebinding: CWE-918)
 * leads nowhere.
 *
 * Source: RFC 9112 section 3.2.2 (absolute-form; Host is replaced by the target's authority).
 * Not here: https targets, CONNECT and Matrix discovery; they are answered with FEDTRACE_FORM_UNSUPPORTED.
 */

import { isIP } from "node:net";
import type { Clock } from "../core/clock.ts";
import type { ErrorCode } from "../core/errors.ts";
import { detach } from "../core/text.ts";
import type { RequestHead } from "../http1/request-head.ts";
import type { AllowedTargets } from "./allowed-targets.ts";
import type { Answer } from "./answers.ts";
import { parseAuthority, toOriginForm } from "./authority.ts";
import type { RequestFields } from "./request-fields.ts";
import type { Side, Target } from "./side.ts";

export interface OutboundOptions {
  /** Undefined: nobody is asked for one. */
  readonly sharedSecret: string | undefined;
  readonly allowed: AllowedTargets;
  /** All addresses of a name; rejects where there are none. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  readonly clock: Clock;
}

/** How long a resolved and checked name is used without being asked for again: DNS names here move rarely. */
const RESOLVED_MS = 30_000;
/** Names kept resolved; the oldest goes. About 1 MB. */
const RESOLVED_MAX = 4096;
const HTTP_PORT = 80;

/** An address that was checked, or why there is none. */
type Outcome = { readonly address: string } | ErrorCode;

interface Resolved {
  readonly outcome: Outcome;
  readonly untilMs: number;
}

export async function createOutbound(options: OutboundOptions): Promise<Side> {
  const isSecret = options.sharedSecret === undefined ? undefined : await compareWith(options.sharedSecret);
  const resolved = new Map<string, Resolved>();
  const asking = new Map<string, Promise<Outcome>>();

  async function resolve(name: string): Promise<Outcome> {
    const addresses = await options.resolve(name).catch(() => []);
    const [first] = addresses;
    if (first === undefined) return "UPSTREAM_REFUSED";
    return addresses.every((address) => options.allowed.isAllowed(address))
      ? { address: first }
      : "TARGET_REFUSED";
  }

  async function resolveCached(name: string): Promise<Outcome> {
    const nowMs = options.clock.monotonicMs();
    const known = resolved.get(name);
    if (known !== undefined && known.untilMs > nowMs) return known.outcome;
    // Requests that ask at the same time share one look-up.
    const asked = asking.get(name) ?? resolve(name).finally(() => asking.delete(name));
    asking.set(name, asked);
    const outcome = await asked;
    resolved.delete(name);
    const [oldest] = resolved.keys();
    if (resolved.size >= RESOLVED_MAX && oldest !== undefined) resolved.delete(oldest);
    // A name that could not be resolved is asked for again at once: the server behind retries in its own time.
    if (outcome !== "UPSTREAM_REFUSED") resolved.set(name, { outcome, untilMs: nowMs + RESOLVED_MS });
    return outcome;
  }

  return {
    direction: "outbound",
    readTarget,
    admit: (fields) => admit(fields, isSecret),
    identify: (_fields, _connection, { authority }) => ({ name: authority.toLowerCase(), proof: "claimed" }),
    forwardedLines: () => "",
    locate({ server }, done) {
      const { address = "", port = HTTP_PORT } = server ?? {};
      const finish = (outcome: Outcome): void => {
        if (typeof outcome === "string") done(outcome);
        else done({ key: `${outcome.address} ${port}`, host: outcome.address, port });
      };
      if (isIP(address) === 0) void resolveCached(detach(address.toLowerCase())).then(finish);
      else finish(options.allowed.isAllowed(address) ? { address } : "TARGET_REFUSED");
    },
  };
}

function readTarget(head: RequestHead): Target {
  const { method, target } = head;
  const [, scheme = "", authority = "", path = ""] =
    /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]+)(.*)$/.exec(target) ?? [];
  const server = parseAuthority(authority);
  const isSame = head.host.toLowerCase() === authority.toLowerCase();
  const read: Target = {
    path: toOriginForm(method, path),
    scheme: "http",
    authority: detach(authority), // It outlives the request in the caches of names.
    server: server === undefined ? undefined : { address: server.address, port: server.port ?? HTTP_PORT },
    host: isSame ? undefined : authority,
    refused: undefined,
  };
  return { ...read, refused: refuseTarget(method, scheme.toLowerCase(), target, server !== undefined) };
}

function refuseTarget(
  method: string,
  scheme: string,
  target: string,
  hasServer: boolean,
): Answer | undefined {
  if (/^(?:CONNECT|TRACE)$/i.test(method)) {
    return { code: "FORM_UNSUPPORTED", sentence: `${method} is not available on this listener` };
  }
  if (target.startsWith("/") || target === "*") {
    const sentence = "a proxy is asked in absolute-form: http://host[:port]/path (RFC 9112 section 3.2.2)";
    return { code: "REQUEST_MALFORMED", sentence };
  }
  if (scheme !== "http") {
    return { code: "FORM_UNSUPPORTED", sentence: `targets of the scheme ${scheme} are not available` };
  }
  return hasServer ? undefined : { code: "REQUEST_MALFORMED", sentence: "the target has no valid host" };
}

function admit(
  fields: RequestFields,
  isSecret: ((token: string) => boolean) | undefined,
): Answer | undefined {
  if (isSecret === undefined) return undefined;
  const [sent = "", ...more] = fields.proxyAuthorization;
  const token = /^Bearer +(.+)$/i.exec(sent)?.[1];
  return token !== undefined && more.length === 0 && isSecret(token)
    ? undefined
    : { code: "PROXY_SECRET_WRONG" };
}

/**
 * Both sides are hashed, so that neither the length nor the first wrong byte shows in the time it takes. node:crypto
 * takes its share of the start-up time, so only those pay who have a secret.
 */
async function compareWith(secret: string): Promise<(token: string) => boolean> {
  const { createHash, timingSafeEqual } = await import("node:crypto");
  const digest = (text: string): Buffer => createHash("sha256").update(text, "latin1").digest();
  const expected = digest(secret);
  return (token) => timingSafeEqual(digest(token), expected);
}
