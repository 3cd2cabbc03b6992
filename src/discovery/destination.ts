/**
 * What discovery answers: where a server is, or why it can't be said.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#resolving-server-names, whose steps `Step` names.
 * Not here: how it is found (server-discovery.ts), and the dialling.
 */

/** The step of the specification that gave the destination; "host": no server discovery was asked for. */
export type Step =
  | "literal"
  | "port"
  | "well-known-literal"
  | "well-known-port"
  | "well-known-srv"
  | "well-known-srv-deprecated"
  | "well-known-default"
  | "srv"
  | "srv-deprecated"
  | "default"
  | "host";

/** Where to connect to. `host` is an IP address without brackets, checked; `port` is 1 to 65535, checked. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Destination {
  /** In the order to try them; at least one, at most 8, or 64 from SRV records. */
  readonly addresses: readonly Endpoint[];
  /** Value of the Host header: the name with its port where the specification wants one. */
  readonly hostHeader: string;
  /** What the certificate must be for: a DNS name in lower case without trailing dot, or an IP without brackets. */
  readonly tlsName: string;
  readonly step: Step;
}

/** The target must not be reached: an address or a port of it is not allowed. One such address refuses all of them. */
interface Refusal {
  readonly code: "TARGET_REFUSED";
  readonly reason: "address" | "port";
}

/**
 * The target could not be found. "no-address": the name has none; "dns": a DNS server failed or refused; "timeout": it
 * was silent; "busy": too many look-ups were under way.
 */
interface Failure {
  readonly code: "DISCOVERY_FAILED";
  readonly reason: "no-address" | "dns" | "timeout" | "busy";
}

export type Fault = Refusal | Failure;

export type Found = Destination | Fault;

export const ADDRESS_REFUSED: Fault = { code: "TARGET_REFUSED", reason: "address" };
export const PORT_REFUSED: Fault = { code: "TARGET_REFUSED", reason: "port" };
export const NO_ADDRESS: Fault = { code: "DISCOVERY_FAILED", reason: "no-address" };
export const DNS_FAILED: Fault = { code: "DISCOVERY_FAILED", reason: "dns" };
export const DNS_TIMEOUT: Fault = { code: "DISCOVERY_FAILED", reason: "timeout" };
export const BUSY: Fault = { code: "DISCOVERY_FAILED", reason: "busy" };

/** Whether a look-up ended in a fault, whatever it is that it looks up. */
export function isFault(value: object): value is Fault {
  return "code" in value;
}

/**
 * Whether the next try may give another answer at once: a DNS server that fails, not one that says that there is
 * nothing. Such a fault never replaces an answer that is still good.
 */
export function isPassing(fault: Fault): boolean {
  return fault.code === "DISCOVERY_FAILED" && fault.reason !== "no-address";
}
